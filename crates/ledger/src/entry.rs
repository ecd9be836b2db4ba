//! One entry of the ledger: what it says, and its one encoding.
//!
//! The bytes made by [`EntryDraft::encode`] are what is hashed, stored and archived. They are
//! never made again from their parts.

mod decode;
mod encode;

use std::fmt;

use mimamori_domain::{
    Action, ActorId, InstanceId, InstitutionId, KeyId, Kind, LegalBasis, ObjectId, Outcome, Purpose,
    SessionId, SubjectId, TerminalId, Timestamp, UnitId, ZoneCode,
};

use crate::Hash;

/// The greatest length of an encoded entry: the length prefix in a bundle is 16 bits wide
/// (C2SP `tlog-tiles`, "Log entries"). Larger results are split over several entries.
pub const MAX_ENTRY_BYTES: usize = 65_535;

/// The most policies one entry names.
pub(crate) const MAX_POLICIES: usize = 64;
/// The most commitments one entry carries.
pub(crate) const MAX_COMMITMENTS: usize = 1024;
/// The greatest length of a policy's id or of an origin, in bytes.
pub(crate) const MAX_TEXT_BYTES: usize = 255;

/// The keys of version 1's map. Numbers are for ever; a new field means a new version.
mod key {
    pub(super) const FORMAT: u64 = 0;
    pub(super) const EPOCH: u64 = 1;
    pub(super) const SEQUENCE: u64 = 2;
    pub(super) const INSTANCE: u64 = 3;
    pub(super) const RECORDED: u64 = 4;
    pub(super) const CLOCK_ERROR: u64 = 5;
    pub(super) const UNIT: u64 = 6;
    pub(super) const NONCE: u64 = 7;
    pub(super) const ACTOR: u64 = 8;
    pub(super) const ON_BEHALF_OF: u64 = 9;
    pub(super) const SESSION: u64 = 10;
    pub(super) const INSTITUTION: u64 = 11;
    pub(super) const TERMINAL: u64 = 12;
    pub(super) const ZONE: u64 = 13;
    pub(super) const SUBJECT: u64 = 14;
    pub(super) const ACTION: u64 = 15;
    pub(super) const KIND: u64 = 16;
    pub(super) const OBJECT: u64 = 17;
    pub(super) const VERSION: u64 = 18;
    pub(super) const OUTCOME: u64 = 19;
    pub(super) const COUNT: u64 = 20;
    pub(super) const PURPOSE: u64 = 21;
    pub(super) const LEGAL_BASIS: u64 = 22;
    pub(super) const POLICIES: u64 = 23;
    pub(super) const PACK: u64 = 24;
    pub(super) const COMMITMENTS: u64 = 25;
    pub(super) const SEALED: u64 = 26;
    pub(super) const PREVIOUS: u64 = 27;
}

/// The format that [`EntryDraft::encode`] writes.
const FORMAT_1: u64 = 1;

/// What the caller knows about what was done. Its place in the ledger comes later, from the
/// commit queue ([`Position`]).
///
/// Identifiers are random; nothing here may be derived from who somebody is. What could identify
/// or describe a person belongs into `sealed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryDraft {
    /// The unit of work this entry commits with.
    pub unit: UnitId,
    /// Random, so that equal events do not give equal leaves that could be guessed from a hash.
    pub nonce: [u8; 16],
    /// Who acted; `None` before sign-in.
    pub actor: Option<ActorId>,
    /// On whose behalf (代行).
    pub on_behalf_of: Option<ActorId>,
    /// The signed-in session; `None` before sign-in and for programs.
    pub session: Option<SessionId>,
    /// For which institution the actor acted.
    pub institution: Option<InstitutionId>,
    /// The registered device (端末) it came from.
    pub terminal: Option<TerminalId>,
    /// The kind of network (接続区分) it came from.
    pub zone: Option<ZoneCode>,
    /// Whose information it concerns.
    pub subject: Option<SubjectId>,
    /// What was done, or tried.
    pub action: Action,
    /// What was acted on: its kind, and which one.
    pub resource: Option<(Kind, Option<ObjectId>)>,
    /// The version of the resource; only together with a resource.
    pub version: Option<u64>,
    /// How it ended.
    pub outcome: Outcome,
    /// How many records the entry stands for.
    pub count: u64,
    /// Why, as stated.
    pub purpose: Purpose,
    /// The ground in law of the decision.
    pub legal_basis: LegalBasis,
    /// Ids of the policies that decided: at most 64, each 1 to 255 bytes without control characters.
    pub policies: Vec<String>,
    /// The hash of the policy pack under which it was decided.
    pub pack: Hash,
    /// The commitment of every object version or file concerned: at most 1,024.
    pub commitments: Vec<Hash>,
    /// What could identify or describe a person, as ciphertext.
    pub sealed: Option<Sealed>,
    /// Only and always in the first entry of every epoch but epoch 0.
    pub previous: Option<PreviousLog>,
}

impl EntryDraft {
    /// A draft with nothing but what every entry has: a success that counts one, done for running
    /// the system, without personal data. Set what else is known.
    #[must_use]
    pub const fn new(unit: UnitId, nonce: [u8; 16], action: Action, pack: Hash) -> Self {
        Self {
            unit,
            nonce,
            actor: None,
            on_behalf_of: None,
            session: None,
            institution: None,
            terminal: None,
            zone: None,
            subject: None,
            action,
            resource: None,
            version: None,
            outcome: Outcome::Success,
            count: 1,
            purpose: Purpose::Operations,
            legal_basis: LegalBasis::None,
            policies: Vec::new(),
            pack,
            commitments: Vec::new(),
            sealed: None,
            previous: None,
        }
    }
}

/// The part of an entry that only holders of a ledger key can read.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The vault's key that opens it.
    pub key: KeyId,
    /// The ciphertext, as the vault made it; never empty.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Sealed {
    /// The ciphertext is of no use to a reader of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({}, {} bytes)", self.key, self.bytes.len())
    }
}

/// The last signed state of the epoch before, named by the first entry of an epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousLog {
    /// The origin line of its checkpoints.
    pub origin: String,
    /// The number of entries its last checkpoint covers.
    pub size: u64,
    /// The root of its last checkpoint.
    pub root: Hash,
}

/// An entry's place in the ledger, assigned by the commit queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Which log of this installation: 0, and one more after every restore of an older database.
    pub epoch: u32,
    /// The index of the leaf in the epoch's tree, from 0.
    pub sequence: u64,
    /// The running program that wrote it.
    pub instance: InstanceId,
    /// UTC; never earlier than that of the entry before.
    pub recorded: Timestamp,
    /// The greatest distance of the clock from standard time as last measured, in microseconds.
    pub clock_error_micros: Option<u64>,
}

/// One entry, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub position: Position,
    /// What it says.
    pub draft: EntryDraft,
}

/// The beginning of an entry, enough to place it; everything after it is unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryHead {
    /// See [`Position::epoch`].
    pub epoch: u32,
    /// See [`Position::sequence`].
    pub sequence: u64,
    /// See [`Position::recorded`].
    pub recorded: Timestamp,
}

/// Why a draft has no encoding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Split the result over several entries.
    #[error("the entry would be {0} bytes long; at most {MAX_ENTRY_BYTES} are possible")]
    TooLong(usize),
    #[error("too many {0}")]
    TooMany(&'static str),
    #[error("{0} must be 1 to {MAX_TEXT_BYTES} bytes without control characters")]
    Text(&'static str),
    #[error("a version needs a resource")]
    VersionWithoutResource,
    #[error("a sealed part may not be empty")]
    EmptySeal,
    #[error("the previous log is named in the first entry of an epoch after epoch 0, and only there")]
    Previous,
}

/// Why bytes are not an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("longer than {MAX_ENTRY_BYTES} bytes")]
    TooLong,
    #[error("ends too early")]
    Truncated,
    #[error("bytes follow the end")]
    TrailingBytes,
    /// A length or number not in its shortest form, an indefinite length, or a reserved form.
    #[error("not in deterministic form")]
    NotCanonical,
    #[error("a value of another type was expected")]
    WrongType,
    #[error("a value is out of its range")]
    OutOfRange,
    #[error("a text is not UTF-8")]
    NotUtf8,
    #[error("format {0} is not known to this program")]
    UnknownFormat(u64),
    /// Unknown to its format, repeated, or not in ascending order.
    #[error("key {0} is unexpected here")]
    UnexpectedKey(u64),
    #[error("key {0} is missing")]
    MissingKey(u64),
    /// A word or text that is not of its field's form.
    #[error("the value of key {0} is not allowed")]
    BadValue(u64),
}

/// Whether a policy's id or an origin may stand in an entry.
pub(crate) fn is_plain_text(text: &str) -> bool {
    (1..=MAX_TEXT_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
}
