//! Sessions and bearer tokens kept in memory as of their access version, found by the hash of
//! their secret.

use std::sync::Arc;

use mimamori_domain::{ActorId, SessionId, Timestamp};
use quick_cache::sync::Cache;

/// A session as read from the database.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) actor: ActorId,
    pub(crate) version: i64,
    pub(crate) last_seen: Timestamp,
    pub(crate) expires: Timestamp,
    pub(crate) bearer: bool,
    /// What a bearer token was issued for; `None` for sessions.
    pub(crate) scopes: Option<Arc<str>>,
    pub(crate) shown: Shown,
    /// When its owner signed in, and when they last showed who they are.
    pub(crate) began: Timestamp,
    pub(crate) proved: Timestamp,
    pub(crate) locked: bool,
}

/// By what somebody showed who they are when their session began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Password,
    OneTime,
    Passkey,
    Recovery,
    Replacement,
    /// By a passkey alone, which verified its user itself.
    PasskeyAlone,
}

/// The words stand in the database.
const SHOWN: [(Shown, &str); 6] = [
    (Shown::Password, "password"),
    (Shown::OneTime, "password+one-time"),
    (Shown::Passkey, "password+passkey"),
    (Shown::Recovery, "password+recovery"),
    (Shown::Replacement, "password+replacement"),
    (Shown::PasskeyAlone, "passkey"),
];

impl Shown {
    pub(crate) fn as_str(self) -> &'static str {
        SHOWN.iter().find(|(shown, _)| *shown == self).map_or("", |(_, word)| word)
    }

    pub(crate) fn of(word: &str) -> Option<Self> {
        SHOWN.iter().find(|(_, known)| *known == word).map(|(shown, _)| *shown)
    }

    /// How many factors that is, for the rules.
    pub(crate) fn strength(self) -> u8 {
        if self == Self::Password { 1 } else { 2 }
    }
}

pub(crate) struct Sessions {
    by_hash: Cache<[u8; 32], Session>,
    hash_of: Cache<[u8; 16], [u8; 32]>,
}

impl Sessions {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { by_hash: Cache::new(capacity), hash_of: Cache::new(capacity) }
    }

    pub(crate) fn get(&self, hash: &[u8; 32]) -> Option<Session> {
        self.by_hash.get(hash)
    }

    pub(crate) fn keep(&self, hash: [u8; 32], session: Session) {
        self.hash_of.insert(*session.id.as_bytes(), hash);
        self.by_hash.insert(hash, session);
    }

    /// Notes that the last use was written down.
    pub(crate) fn seen(&self, hash: &[u8; 32], now: Timestamp) {
        if let Some(session) = self.by_hash.get(hash) {
            self.by_hash.insert(*hash, Session { last_seen: now, ..session });
        }
    }

    pub(crate) fn forget(&self, id: [u8; 16]) {
        if let Some(hash) = self.hash_of.get(&id) {
            self.by_hash.remove(&hash);
            self.hash_of.remove(&id);
        }
    }
}
