//! Registers (台帳): entries that are never overwritten, their amendments, and reviews of the whole.

mod entries;
mod list;
mod notices;
pub(crate) mod review;
pub(crate) mod tables;

use mimamori_domain::{Action, ActorId, Error, Kind, ObjectId, Result, Timestamp};
use mimamori_policy::Decision;
use mimamori_policy::model::{Per, Register, Who};
use serde::{Deserialize, Serialize};

pub use self::entries::{EntryDetail, EntryVersion};
pub use self::list::{EntryRow, RegisterPage, RegisterQuery, RegisterSummary};
pub use self::notices::{MOST_NOTICES, Notice};
pub use self::review::RegisterReview;
pub use self::tables::{ExportedEntries, ImportedEntries, MOST_TABLE_BYTES, TableFormat};
use super::object::Governed;
use super::values::Values;
use super::who::{Reach, Whereabouts, target};
use crate::App;
use crate::body::Body;
use crate::caller::Caller;

/// What registers are to the policies.
pub(crate) const THING: Kind = Kind::of("register");
/// The kind of an entry.
pub(crate) const ENTRY: Kind = Kind::of("register-entry");
/// The kind of a review.
pub(crate) const REVIEW: Kind = Kind::of("register-review");

/// One version of an entry.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct RegisterEntry {
    pub(crate) values: Values,
    /// Who added the entry; amendments keep it.
    pub(crate) entered_by: ActorId,
    /// When the entry was added, microseconds UTC.
    pub(crate) entered_at: i64,
    /// The unit (部署) of who added it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<String>,
    /// Why this version was made; none for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// The case whose end wrote the entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from_case: Option<ObjectId>,
}

impl Body for RegisterEntry {
    const KIND: Kind = ENTRY;
}

/// What somebody may do with a register or one of its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RegisterRights {
    /// Sees every entry that this right was asked about.
    pub reads: bool,
    pub adds: bool,
    /// Amends, strikes out, reviews, imports.
    pub keeps: bool,
}

impl App {
    /// A register of the pack in force.
    pub(crate) fn register_of(&self, code: &str) -> Result<&Register> {
        self.pack.register(code).ok_or_else(Error::not_found)
    }

    /// What the pack gives the caller in a register: anywhere, or for an entry that belongs there.
    pub(crate) fn register_rights(
        &self,
        caller: &Caller,
        register: &Register,
        reach: Reach<'_>,
        now: Timestamp,
    ) -> RegisterRights {
        // A register of the whole installation is kept for the whole installation.
        let reach = if register.per == Per::Installation { Reach::Anywhere } else { reach };
        let named = |words: &[Who]| caller.named(words, reach, None, now).is_some();
        let keeps = named(&register.keeper);
        RegisterRights {
            reads: keeps || named(&register.readers),
            adds: keeps || named(&register.writers),
            keeps,
        }
    }

    /// Permits an action on a register, or records the refusal and fails.
    pub(crate) async fn require_register(
        &self,
        caller: &Caller,
        action: Action,
        named: bool,
    ) -> Result<Decision> {
        self.require_general(caller, action, target(THING, named)).await
    }
}

/// Where an entry belongs.
pub(crate) fn place_of(entry: &Governed<RegisterEntry>) -> Whereabouts {
    Whereabouts { institution: entry.institution, unit: entry.body.unit.clone(), system: None }
}
