//! Sessions and bearer tokens kept in memory as of their access version, found by the hash of
//! their secret.

use std::sync::Arc;

use mimamori_domain::{ActorId, SessionId, TerminalId, Timestamp};
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
    /// The shared id that it goes on under.
    pub(crate) under: Option<ActorId>,
    /// The registered terminal it began on: it opens nothing elsewhere.
    pub(crate) terminal: Option<TerminalId>,
}

impl Session {
    pub(crate) fn marks(&self) -> Marks {
        let Self { shown, began, proved, under, terminal, .. } = *self;
        Marks { shown, began, proved, under, terminal }
    }
}

/// What makes a session's id beside its secret, owner and end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marks {
    pub(crate) shown: Shown,
    pub(crate) began: Timestamp,
    pub(crate) proved: Timestamp,
    /// The shared id.
    pub(crate) under: Option<ActorId>,
    pub(crate) terminal: Option<TerminalId>,
}

const ELSEWHERE_EVERY: std::time::Duration = std::time::Duration::from_secs(60);

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
    /// At the identity provider.
    Provider,
    /// At the identity provider, which by the rules vouches for two factors.
    ProviderVouched,
    /// At the identity provider, and by a factor of one's own here.
    ProviderOneTime,
    ProviderPasskey,
    ProviderRecovery,
    ProviderReplacement,
}

/// The words stand in the database.
const SHOWN: [(Shown, &str); 12] = [
    (Shown::Password, "password"),
    (Shown::OneTime, "password+one-time"),
    (Shown::Passkey, "password+passkey"),
    (Shown::Recovery, "password+recovery"),
    (Shown::Replacement, "password+replacement"),
    (Shown::PasskeyAlone, "passkey"),
    (Shown::Provider, "provider"),
    (Shown::ProviderVouched, "provider+vouched"),
    (Shown::ProviderOneTime, "provider+one-time"),
    (Shown::ProviderPasskey, "provider+passkey"),
    (Shown::ProviderRecovery, "provider+recovery"),
    (Shown::ProviderReplacement, "provider+replacement"),
];

/// A factor shown after the password, and the same after the provider.
const AFTER_PROVIDER: [(Shown, Shown); 5] = [
    (Shown::Password, Shown::Provider),
    (Shown::OneTime, Shown::ProviderOneTime),
    (Shown::Passkey, Shown::ProviderPasskey),
    (Shown::Recovery, Shown::ProviderRecovery),
    (Shown::Replacement, Shown::ProviderReplacement),
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
        if self.one_factor() { 1 } else { 2 }
    }

    /// Nothing was shown beyond the password, or beyond what the provider asks everybody for.
    pub(crate) fn one_factor(self) -> bool {
        matches!(self, Self::Password | Self::Provider)
    }

    /// Whether the identity provider said who it is.
    pub(crate) fn by_provider(self) -> bool {
        self == Self::ProviderVouched || AFTER_PROVIDER.iter().any(|(_, after)| *after == self)
    }

    /// The same, shown after the provider instead of the password.
    pub(crate) fn after_provider(self) -> Self {
        AFTER_PROVIDER.iter().find(|(factor, _)| *factor == self).map_or(self, |(_, after)| *after)
    }
}

pub(crate) struct Sessions {
    by_hash: Cache<[u8; 32], Session>,
    hash_of: Cache<[u8; 16], [u8; 32]>,
    /// When a session was last presented where it does not belong, and that was written down.
    elsewhere: Cache<[u8; 16], Timestamp>,
}

impl Sessions {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { by_hash: Cache::new(capacity), hash_of: Cache::new(capacity), elsewhere: Cache::new(capacity) }
    }

    /// Whether it is to be written down that a session was presented where it does not belong: once a
    /// minute, so that whoever has a session's secret cannot fill the ledger with it.
    pub(crate) fn note_elsewhere(&self, id: SessionId, now: Timestamp) -> bool {
        let lately = self.elsewhere.get(id.as_bytes()).is_some_and(|last| now.since(last) < ELSEWHERE_EVERY);
        if !lately {
            self.elsewhere.insert(*id.as_bytes(), now);
        }
        !lately
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
