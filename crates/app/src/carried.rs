//! What somebody had typed when their session ended: sealed for them alone, and given back once they have
//! signed in again.

use std::time::Duration;

use mimamori_domain::{ActorId, Error, Result, Timestamp};
use mimamori_vault::hash_token;

use crate::caller::Caller;
use crate::keys::vault_error;
use crate::sign_in::{SignedIn, session_from_row};
use crate::{App, Origin, sql};

/// So long what was typed is good after it was sent.
const CARRIED_FOR: Duration = Duration::from_secs(30 * 60);

/// Nothing else is sealed for this.
const CARRIED: &[u8] = b"carried";

/// Whose session it was that is over; it opens nothing.
#[derive(Debug, Clone, Copy)]
pub struct Former(ActorId);

impl Former {
    /// Of a session that goes on, but is locked.
    #[must_use]
    pub fn of(caller: &Caller) -> Self {
        Self(caller.actor)
    }
}

impl App {
    /// Whose session a secret belonged to, when it is over. A session that began on a registered terminal is
    /// known on that terminal alone, and none is known longer than its row is kept.
    ///
    /// # Errors
    /// Unavailable when the database cannot be asked.
    pub async fn former(&self, session_token: &str, origin: &Origin) -> Result<Option<Former>> {
        let secret = hex::decode(session_token).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let Some(secret) = secret else { return Ok(None) };
        let hash = hash_token(&secret);
        let Some(row) = self.store.query_one(&sql::SESSION, vec![hash.into()]).await? else {
            return Ok(None);
        };
        let session = session_from_row(&row, false).map_err(Error::unavailable)?;
        let own = session.id == self.session_id(&hash, session.actor, session.expires, Some(session.marks()));
        let here = session.terminal.is_none() || session.terminal == origin.terminal;
        Ok((own && here).then_some(Former(session.actor)))
    }

    /// Seals what somebody had typed until they have signed in again, for 30 minutes.
    ///
    /// # Errors
    /// Unavailable when no random numbers can be had.
    pub fn carry(&self, whose: Former, typed: &str) -> Result<String> {
        let expires: Timestamp = self.clock.now().plus(CARRIED_FOR);
        self.keys.cursor.seal(&context(whose.0), typed.as_bytes(), expires).map_err(vault_error)
    }

    /// What [`App::carry`] sealed for the caller; nothing if it was for somebody else, was altered, or is too
    /// old.
    #[must_use]
    pub fn carried(&self, caller: &Caller, sealed: &str) -> Option<String> {
        self.carried_for(caller.actor, sealed)
    }

    /// The same for somebody who has just signed in.
    #[must_use]
    pub fn carried_past(&self, signed: &SignedIn, sealed: &str) -> Option<String> {
        self.carried_for(signed.actor?, sealed)
    }

    fn carried_for(&self, actor: ActorId, sealed: &str) -> Option<String> {
        let plain = self.keys.cursor.open(&context(actor), sealed, self.clock.now()).ok()?;
        String::from_utf8(plain.to_vec()).ok()
    }
}

/// As of cursors: the actor, then what it is for with its length.
fn context(actor: ActorId) -> Vec<u8> {
    let mut bytes = actor.to_vec();
    bytes.extend_from_slice(&(CARRIED.len() as u64).to_be_bytes());
    bytes.extend_from_slice(CARRIED);
    bytes
}
