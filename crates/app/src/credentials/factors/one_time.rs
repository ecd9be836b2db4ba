//! One-time passwords of an authenticator app: RFC 6238 with HMAC-SHA-1, six digits, steps of 30 seconds,
//! one step before and after, each step good once.

use mimamori_domain::{Error, Result, Timestamp};
use mimamori_vault::random_token;
use totp_rs::{Builder, Secret, Totp};
use zeroize::Zeroizing;

use super::{NewFactor, not_confirmed, not_yours};
use crate::App;
use crate::body::FactorKind;
use crate::caller::Caller;
use crate::credentials::Begun;

/// Bytes of a shared secret: 160 bits (RFC 4226 section 4, R6).
const SECRET_BYTES: usize = 20;

/// A secret for an authenticator app. It is good once its owner has confirmed it.
pub struct NewOneTime {
    /// What confirms it ([`App::add_one_time`]).
    pub token: String,
    /// In Base32, for typing.
    pub secret: Zeroizing<String>,
    /// `otpauth://`, for a QR code.
    pub address: Zeroizing<String>,
}

/// Secrets stay out of debug output.
impl std::fmt::Debug for NewOneTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewOneTime").finish_non_exhaustive()
    }
}

impl App {
    /// Makes a secret for the caller's authenticator app. `issuer`: what the app calls this installation.
    ///
    /// # Errors
    /// Forbidden to programs, and until the caller shows again who they are.
    pub async fn begin_one_time(&self, caller: &Caller, issuer: &str) -> Result<NewOneTime> {
        let (context, _) = caller.person()?;
        self.require_enrolment(caller).await?;
        self.lately(caller)?;
        let random = Zeroizing::new(random_token().map_err(Error::unavailable)?);
        let bytes: Vec<u8> = random.iter().copied().take(SECRET_BYTES).collect();
        let secret = Zeroizing::new(Secret::from(bytes).to_base32());
        let token = self.begin(Begun::OneTime, context.actor, secret.as_str()).await?;
        let address = Zeroizing::new(address(issuer, &context.account.login, &secret));
        Ok(NewOneTime { token, secret, address })
    }

    /// The same secret again, for showing it after a wrong code.
    ///
    /// # Errors
    /// Gone when it was confirmed already or took too long.
    pub async fn begun_one_time(&self, caller: &Caller, token: &str, issuer: &str) -> Result<NewOneTime> {
        let (context, _) = caller.person()?;
        let begun = self.begun::<String>(Begun::OneTime, token).await?;
        if begun.actor != context.actor {
            return Err(not_yours());
        }
        let secret = Zeroizing::new(begun.body);
        let address = Zeroizing::new(address(issuer, &context.account.login, &secret));
        Ok(NewOneTime { token: token.to_owned(), secret, address })
    }

    /// Enrols the authenticator app, confirmed by one of its codes.
    ///
    /// # Errors
    /// Invalid (`code`) for a code that does not fit; gone when it took too long.
    pub async fn add_one_time(
        &self,
        caller: &Caller,
        token: &str,
        code: &str,
        name: &str,
    ) -> Result<NewFactor> {
        let begun = self.begun::<String>(Begun::OneTime, token).await?;
        if begun.actor != caller.actor {
            return Err(not_yours());
        }
        self.lately(caller)?;
        let step = one_time_step(&begun.body, code, self.clock.now())?.ok_or_else(not_confirmed)?;
        self.add_factor(caller, (FactorKind::OneTime, begun.body, step), name, begun.taking).await
    }
}

/// The step that a code as typed belongs to, if it fits. Compared in constant time by the library.
pub(in crate::credentials) fn one_time_step(
    secret: &str,
    typed: &str,
    now: Timestamp,
) -> Result<Option<u64>> {
    let digits: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').map(narrow).collect();
    if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    let seconds = u64::try_from(now.as_micros() / 1_000_000).unwrap_or(0);
    Ok(totp(secret)?.check(&digits, seconds))
}

/// Digits typed with a Japanese input method are digits.
fn narrow(c: char) -> char {
    match c {
        '０'..='９' => char::from_u32(u32::from(c) - u32::from('０') + u32::from('0')).unwrap_or(c),
        other => other,
    }
}

fn totp(secret: &str) -> Result<Totp> {
    let secret =
        Secret::try_from_base32(secret).map_err(|_| Error::unavailable("a one-time secret is unreadable"))?;
    Builder::new()
        .with_secret(secret)
        .build()
        .map_err(|_| Error::unavailable("a one-time secret is too short"))
}

/// The address that authenticator apps read from a QR code.
fn address(issuer: &str, login: &str, secret: &str) -> String {
    let issuer = encoded(issuer);
    format!(
        "otpauth://totp/{issuer}:{}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period=30",
        encoded(login)
    )
}

/// Percent-encoded (RFC 3986 section 2.1), all but unreserved characters.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last six digits of the eight in RFC 6238 appendix B, for SHA-1.
    #[test]
    fn codes_are_those_of_rfc_6238() {
        let secret = Secret::from(b"12345678901234567890".to_vec()).to_base32();
        for (seconds, code) in [
            (59_i64, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let at = |shift: i64| Timestamp::from_micros((seconds + shift) * 1_000_000);
            let step = u64::try_from(seconds / 30).unwrap();
            assert_eq!(one_time_step(&secret, code, at(0)).unwrap(), Some(step), "{code}");
            assert_eq!(one_time_step(&secret, code, at(30)).unwrap(), Some(step));
            assert_eq!(one_time_step(&secret, code, at(61)).unwrap(), None);
            assert_eq!(one_time_step(&secret, "000000", at(0)).unwrap(), None);
        }
        let at = Timestamp::from_micros(59_000_000);
        assert_eq!(one_time_step(&secret, "２８７ ０８２", at).unwrap(), Some(1));
        assert_eq!(one_time_step(&secret, "287-082", at).unwrap(), Some(1));
        assert_eq!(one_time_step(&secret, "2870821", at).unwrap(), None);
    }

    #[test]
    fn the_address_names_installation_and_account() {
        let told = address("見守り 市", "hana", "ABC");
        assert_eq!(
            told,
            "otpauth://totp/%E8%A6%8B%E5%AE%88%E3%82%8A%20%E5%B8%82:hana?secret=ABC&issuer=\
             %E8%A6%8B%E5%AE%88%E3%82%8A%20%E5%B8%82&algorithm=SHA1&digits=6&period=30"
        );
    }
}
