//! What was begun and waits for its second half: a sign-in for its code, an enrolment for its
//! confirmation, a challenge for its answer. Whoever holds the secret may finish it, once, in time.

use std::time::Duration;

use mimamori_domain::{ActorId, Error, ErrorKind, Result, Timestamp};
use mimamori_store::{Change, Value, tables};
use mimamori_vault::{Place, hash_token, random_token};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::keys::vault_error;
use crate::{App, sql};

/// How long the second half may take.
const LASTS: Duration = Duration::from_secs(5 * 60);
/// The same where somebody signs in elsewhere meanwhile.
const LASTS_ELSEWHERE: Duration = Duration::from_secs(10 * 60);

/// What is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begun {
    /// The password was right; another factor is to be shown.
    SignIn,
    /// An authenticator app was given its secret.
    OneTime,
    /// A passkey is being made.
    NewPasskey,
    /// A passkey is asked to sign.
    Passkey,
    /// The identity provider is asked who somebody is.
    Provider,
    /// The identity provider said who somebody is; their own session finishes what they wanted.
    Vouched,
}

/// A sign-in that waits for its second factor.
#[derive(Serialize, Deserialize)]
pub(crate) struct SecondHalf {
    /// What was known of the account when the first half was right.
    pub(crate) version: i64,
    /// The identity provider was the first half, not the password.
    pub(crate) provider: bool,
}

impl Begun {
    fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign-in",
            Self::OneTime => "one-time",
            Self::NewPasskey => "new-passkey",
            Self::Passkey => "passkey",
            Self::Provider => "provider",
            Self::Vouched => "vouched",
        }
    }

    fn lasts(self) -> Duration {
        if self == Self::Provider { LASTS_ELSEWHERE } else { LASTS }
    }
}

/// Something begun, found again.
pub(crate) struct Ceremony<T> {
    pub(crate) actor: ActorId,
    pub(crate) body: T,
    /// Takes it: to go into the unit that finishes it.
    pub(crate) taking: Change,
}

/// What is sealed: the row around it cannot be put to another use.
#[derive(Serialize, Deserialize)]
struct Kept<T> {
    v: u32,
    purpose: String,
    actor: ActorId,
    /// Microseconds UTC.
    expires: i64,
    body: T,
}

/// Told when it is not there, was finished already, or took too long.
fn over() -> Error {
    Error::new(ErrorKind::Gone, "this took too long or was finished already; please begin again")
}

impl App {
    /// Begins something for an account; gives the secret that finishes it.
    pub(crate) async fn begin<T: Serialize>(&self, begun: Begun, actor: ActorId, body: T) -> Result<String> {
        let secret = random_token().map_err(Error::unavailable)?;
        let (hash, now) = (hash_token(&secret), self.clock.now());
        let expires = now.plus(begun.lasts());
        let purpose = begun.as_str();
        let kept = Kept { v: 1, purpose: purpose.to_owned(), actor, expires: expires.as_micros(), body };
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(&kept).map_err(Error::internal)?);
        let sealed = mimamori_vault::seal(&self.keys.settings, &place(&hash), &plain).map_err(vault_error)?;
        let row: Vec<Value> =
            vec![hash.into(), purpose.into(), actor.into(), now.into(), expires.into(), sealed.into()];
        let insert = Change::insert(&tables::CEREMONY, row);
        self.store.upkeep(vec![insert]).await.map_err(crate::access::commit_error)?;
        Ok(hex::encode(secret))
    }

    /// What was begun under a secret.
    ///
    /// # Errors
    /// Gone when it is not there, or its time is over.
    pub(crate) async fn begun<T: DeserializeOwned>(&self, begun: Begun, token: &str) -> Result<Ceremony<T>> {
        let secret: [u8; 32] =
            hex::decode(token).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(over)?;
        let (hash, now) = (hash_token(&secret), self.clock.now());
        let args = vec![hash.into(), begun.as_str().into(), now.into()];
        let row = self.store.query_one(&sql::CEREMONY, args).await?.ok_or_else(over)?;
        let sealed = row.blob(1).map_err(Error::unavailable)?;
        let plain = mimamori_vault::open(&self.keys.settings, &place(&hash), sealed).map_err(vault_error)?;
        let kept: Kept<T> =
            serde_json::from_slice(&plain).map_err(|_| Error::unavailable("a ceremony is unreadable"))?;
        if kept.purpose != begun.as_str() || now >= Timestamp::from_micros(kept.expires) {
            return Err(over());
        }
        let taking = Change::one(&sql::TAKE_CEREMONY, vec![hash.into()]);
        Ok(Ceremony { actor: kept.actor, body: kept.body, taking })
    }

    /// The same without keeping anything: what was begun goes along sealed, and comes back. Taking it
    /// leaves a mark until its time is over, so that it is finished once.
    pub(crate) fn seal_begun<T: Serialize>(&self, begun: Begun, actor: ActorId, body: T) -> Result<String> {
        let expires = self.clock.now().plus(begun.lasts()).as_micros();
        let kept = Kept { v: 1, purpose: begun.as_str().to_owned(), actor, expires, body };
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(&kept).map_err(Error::internal)?);
        let sealed = mimamori_vault::seal(&self.keys.settings, &place(ALONG), &plain).map_err(vault_error)?;
        Ok(hex::encode(sealed))
    }

    /// What was sealed.
    ///
    /// # Errors
    /// Gone for anything else, and when its time is over.
    pub(crate) fn unseal_begun<T: DeserializeOwned>(&self, begun: Begun, token: &str) -> Result<Ceremony<T>> {
        let sealed = hex::decode(token).map_err(|_| over())?;
        let plain = mimamori_vault::open(&self.keys.settings, &place(ALONG), &sealed).map_err(|_| over())?;
        let kept: Kept<T> = serde_json::from_slice(&plain).map_err(|_| over())?;
        let now = self.clock.now();
        if kept.purpose != begun.as_str() || now >= Timestamp::from_micros(kept.expires) {
            return Err(over());
        }
        let row: Vec<Value> = vec![
            hash_token(&sealed).into(),
            "finished".into(),
            kept.actor.into(),
            now.into(),
            kept.expires.into(),
            Vec::<u8>::new().into(),
        ];
        let taking = Change::insert(&tables::CEREMONY, row);
        Ok(Ceremony { actor: kept.actor, body: kept.body, taking })
    }

    /// Takes away what nobody can finish any more.
    pub(crate) fn sweeping_ceremonies(&self) -> Change {
        Change::any(&sql::SWEEP_CEREMONIES, vec![self.clock.now().into()])
    }
}

/// The place of what goes along: no row has it.
const ALONG: &[u8] = b"along";

fn place(hash: &[u8]) -> Place {
    Place::column("ceremony", "body", hash)
}
