//! The words every other crate shares: identifiers, time, codes, the life of a record, error kinds.
//!
//! No I/O and no async ever lives here. The only clock is the one handed in (see [`Clock`]).

mod code;
mod error;
mod id;
mod record;
mod time;
mod vocabulary;

pub use code::{ClassCode, CodeError, Kind, OccupationCode, RoleCode, ZoneCode};
pub use error::{Error, ErrorKind, Fault, Result};
pub use id::{
    ActorId, IdError, InstanceId, InstitutionId, KeyId, ObjectId, SessionId, SubjectId, TerminalId, UnitId,
};
pub use record::{
    AccessLabel, Amended, Authorship, AwaitingConfirmation, Confirmed, Draft, Finished, RecordState, Stage,
    Withdrawn,
};
pub use time::{Clock, ManualClock, SystemClock, Timestamp};
pub use vocabulary::{Action, LegalBasis, Outcome, Purpose};
