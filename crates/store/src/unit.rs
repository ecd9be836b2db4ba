//! A unit of work, as data: what it assumes, what it changes, what the ledger says about it.

use mimamori_domain::{ActorId, InstitutionId, SessionId, SubjectId, TerminalId, Timestamp, UnitId};
use mimamori_ledger::EntryDraft;

use crate::object::ObjectVersion;
use crate::statement::{Statement, Table};
use crate::value::Value;

/// All of it commits, or none; with it, its ledger entries.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Random; found in the ledger again when a commit's outcome is unknown.
    pub id: UnitId,
    /// What was read and must still be so.
    pub guards: Vec<Guard>,
    /// Until when (exclusive, UTC) what was read under a key holds although nobody changes it: an account
    /// or an appointment that ends. A unit that comes to its turn later fails like a guard on that key.
    pub holds_until: Option<(AccessKey, Timestamp)>,
    /// What others may have relied on and is changed now.
    pub bumps: Vec<AccessKey>,
    /// In order, except that inserts into append-only tables run last: no statement of a unit may
    /// read `ledger_entry` or `object_version`.
    pub changes: Vec<Change>,
    /// At least one.
    pub entries: Vec<EntryDraft>,
}

impl Unit {
    /// An empty unit with a new id.
    #[must_use]
    pub fn new() -> Self {
        Self {
            id: UnitId::random(),
            guards: Vec::new(),
            holds_until: None,
            bumps: Vec::new(),
            changes: Vec::new(),
            entries: Vec::new(),
        }
    }

    #[must_use]
    pub fn guard(mut self, key: AccessKey, version: i64) -> Self {
        self.guards.push(Guard { key, version });
        self
    }

    #[must_use]
    pub fn bump(mut self, key: AccessKey) -> Self {
        self.bumps.push(key);
        self
    }

    #[must_use]
    pub fn change(mut self, change: Change) -> Self {
        self.changes.push(change);
        self
    }

    #[must_use]
    pub fn entry(mut self, entry: EntryDraft) -> Self {
        self.entries.push(entry);
        self
    }
}

impl Default for Unit {
    fn default() -> Self {
        Self::new()
    }
}

/// What kind of thing an access version belongs to. The numbers are stored: add, never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessScope {
    /// Consents, care team, proxies, protection, keys of a person.
    Subject = 1,
    /// Account, roles, institution, grants of somebody who acts.
    Actor = 2,
    /// One signed-in session or bearer token.
    Session = 3,
    /// An institution's own settings.
    Institution = 4,
    /// The policy pack and the installation's settings; its id is all zero.
    Pack = 5,
    /// Something of which there may be only so many; the id names it. Raised when there is one more, and
    /// guarded by whoever counted before adding one.
    Limit = 6,
    /// A registered terminal and its certificates.
    Terminal = 7,
}

impl AccessScope {
    /// The scope of a stored number.
    #[must_use]
    pub fn from_stored(number: i64) -> Option<Self> {
        [
            Self::Subject,
            Self::Actor,
            Self::Session,
            Self::Institution,
            Self::Pack,
            Self::Limit,
            Self::Terminal,
        ]
        .into_iter()
        .find(|scope| *scope as i64 == number)
    }
}

/// Whose access version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessKey {
    pub scope: AccessScope,
    pub id: [u8; 16],
}

impl AccessKey {
    /// The one key of the policy pack and the settings.
    pub const PACK: Self = Self { scope: AccessScope::Pack, id: [0; 16] };
    /// The one key of how many people hold privileges.
    pub const ADMINISTRATORS: Self = Self { scope: AccessScope::Limit, id: *b"administrators\0\0" };
}

impl From<SubjectId> for AccessKey {
    fn from(id: SubjectId) -> Self {
        Self { scope: AccessScope::Subject, id: *id.as_bytes() }
    }
}

impl From<ActorId> for AccessKey {
    fn from(id: ActorId) -> Self {
        Self { scope: AccessScope::Actor, id: *id.as_bytes() }
    }
}

impl From<SessionId> for AccessKey {
    fn from(id: SessionId) -> Self {
        Self { scope: AccessScope::Session, id: *id.as_bytes() }
    }
}

impl From<TerminalId> for AccessKey {
    fn from(id: TerminalId) -> Self {
        Self { scope: AccessScope::Terminal, id: *id.as_bytes() }
    }
}

impl From<InstitutionId> for AccessKey {
    fn from(id: InstitutionId) -> Self {
        Self { scope: AccessScope::Institution, id: *id.as_bytes() }
    }
}

/// The access version must still be this one when the unit commits. A key without a row is at 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Guard {
    pub key: AccessKey,
    pub version: i64,
}

/// How many rows a statement must touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// An optimistic guard: any other number fails the unit with [`CommitError::Conflict`].
    Exactly(u64),
    Any,
}

/// One change of a unit.
#[derive(Debug, Clone)]
pub enum Change {
    /// New rows, each with a value for every column of the table.
    Insert { table: &'static Table, rows: Vec<Vec<Value>> },
    /// A statement with [`crate::Effect::Change`] or [`crate::Effect::Upkeep`].
    Execute { statement: &'static Statement, args: Vec<Value>, expect: Expect },
}

impl Change {
    /// One new row.
    #[must_use]
    pub fn insert(table: &'static Table, row: Vec<Value>) -> Self {
        Self::Insert { table, rows: vec![row] }
    }

    /// A statement that must touch exactly one row.
    #[must_use]
    pub const fn one(statement: &'static Statement, args: Vec<Value>) -> Self {
        Self::Execute { statement, args, expect: Expect::Exactly(1) }
    }

    /// A statement that may touch any number of rows.
    #[must_use]
    pub const fn any(statement: &'static Statement, args: Vec<Value>) -> Self {
        Self::Execute { statement, args, expect: Expect::Any }
    }

    /// A new version of an object. Its index row is kept apart, see [`crate::object::ObjectHead`].
    #[must_use]
    pub fn object_version(version: ObjectVersion) -> Self {
        Self::insert(&crate::tables::OBJECT_VERSION, version.into_row())
    }
}

/// Where a unit's entries stand in the ledger. They are durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    pub epoch: u32,
    /// Sequence of the unit's first entry; the others follow it without a gap.
    pub first_sequence: u64,
    /// How many entries.
    pub entries: u64,
    /// Recorded time of all of them.
    pub recorded: Timestamp,
}

/// Why a unit did not commit. Nothing of it is there, except where `ledgered` says so, and
/// except for [`CommitError::Unknown`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Something it relied on changed meanwhile: read again and try again.
    #[error("an access version changed meanwhile")]
    GuardFailed { key: AccessKey, expected: i64, found: i64 },
    /// A statement touched another number of rows than it must.
    #[error("statement {statement} touched {found} rows instead of {expected}")]
    Conflict { statement: &'static str, expected: u64, found: u64, ledgered: Option<Committed> },
    /// A row with the same key is there already.
    #[error("a row of that key is there already ({detail})")]
    UniqueViolation { detail: String, ledgered: Option<Committed> },
    /// The statement was refused by the database for another reason.
    #[error("the database refused the unit ({detail})")]
    Refused { detail: String, ledgered: Option<Committed> },
    /// More units wait than the queue holds: ask again later.
    #[error("too many units are waiting")]
    Full,
    /// Disk full, database gone or read-only: nothing was written; it recovers by itself.
    #[error("the database cannot be written now ({detail})")]
    Unavailable { detail: String },
    /// The connection broke at the commit and the database stayed away for so long that the
    /// outcome could not be looked up. Treat it as not done, and look for the unit's id later.
    #[error("whether the unit was committed could not be found out ({detail})")]
    Unknown { detail: String },
    /// The unit is wrongly made: no entry, wrong types, a reading statement, an entry too long.
    #[error("the unit is wrongly made: {0}")]
    Invalid(String),
}
