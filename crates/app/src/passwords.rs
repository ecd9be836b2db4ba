//! Passwords: Argon2id on a small pool, so that a flood of sign-ins doesn't slow the rest.

use std::sync::Arc;

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use mimamori_domain::{Error, Result};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// RFC 9106 section 4, second recommended option scaled to the guidance of OWASP: 19 MiB, 2 passes.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// At most so many passwords are worked on at once ...
const AT_ONCE: usize = 1;
/// ... and so many wait; more are told to come back.
const WAITING: usize = 64;

/// No longer password is hashed, so that nobody can make it costly.
pub(crate) const MOST_BYTES: usize = 256;

/// Hashes and checks passwords.
#[derive(Clone)]
pub(crate) struct Passwords {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// The hash of nobody's password: checked for unknown names, so that they take as long.
    nobody: Arc<str>,
}

fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(Error::internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

impl Passwords {
    pub(crate) fn new() -> Result<Self> {
        let nobody = hash_now(&hex::encode(mimamori_vault::random_token().map_err(Error::unavailable)?))?;
        Ok(Self {
            running: Arc::new(Semaphore::new(AT_ONCE)),
            waiting: Arc::new(Semaphore::new(WAITING)),
            nobody: nobody.into(),
        })
    }

    /// The hash of a password in PHC string form.
    pub(crate) async fn hash(&self, password: &str) -> Result<String> {
        let password = Zeroizing::new(password.to_owned());
        self.run(move || hash_now(&password)).await
    }

    /// Whether a password is the one of this hash; without a hash the same work is done in vain.
    pub(crate) async fn verify(&self, password: &str, hash: Option<String>) -> Result<bool> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.to_string());
        let password = Zeroizing::new(password.to_owned());
        let right = self
            .run(move || {
                let parsed = PasswordHash::new(&hash)
                    .map_err(|_| Error::internal("a stored password hash is unreadable"))?;
                Ok(argon2()?.verify_password(password.as_bytes(), &parsed).is_ok())
            })
            .await?;
        Ok(right && known)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let busy = || {
            Error::new(
                mimamori_domain::ErrorKind::Busy,
                "too many sign-ins at once; please try again shortly",
            )
        };
        let _place = self.waiting.try_acquire().map_err(|_| busy())?;
        let _turn = self.running.acquire().await.map_err(Error::internal)?;
        tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
    }
}

fn hash_now(password: &str) -> Result<String> {
    argon2()?
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|_| Error::internal("a password could not be hashed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_is_accepted() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords.hash("natsu-no-yoru-2026").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(passwords.verify("natsu-no-yoru-2026", Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("natsu-no-yoru-2027", Some(hash)).await.unwrap());
        assert!(!passwords.verify("natsu-no-yoru-2026", None).await.unwrap());
    }
}
