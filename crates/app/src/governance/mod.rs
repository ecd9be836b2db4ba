//! What the organisation's own rules demand: registers, procedures, duties, documents, controls.
//!
//! The rules are data (the policy pack); the modules here are the engines that run them. What they
//! keep belongs to the organisation and to no subject: objects of [`object`], sealed under keys of
//! the register or procedure and month they were made in ([`keys`]), each version committed to by
//! the ledger entry of the change (invariant 2). Who may do what is decided by the policies like
//! everything else; [`who`] says whether the pack names the caller.

pub(crate) mod adoption;
pub(crate) mod appointments;
pub(crate) mod attachments;
pub(crate) mod calendar;
pub(crate) mod checks;
pub(crate) mod choices;
pub(crate) mod controls;
pub(crate) mod documents;
pub(crate) mod duties;
pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod mail;
pub(crate) mod object;
pub(crate) mod parts;
pub(crate) mod procedures;
pub(crate) mod registers;
pub(crate) mod reminders;
pub(crate) mod sample;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod system;
pub(crate) mod told;
pub(crate) mod values;
pub(crate) mod versions;
pub(crate) mod who;

use std::sync::Arc;

use mimamori_domain::{ActorId, InstitutionId, Purpose, RecordState};
use mimamori_policy::model::Measure;

use crate::Window;
use crate::accounts::citizens::CitizensPage;
use crate::administration::AccountFacts;
use crate::caller::{ActorContext, Caller};
use crate::together::Together;

/// Everybody who has an account.
pub(crate) type People = Arc<Vec<Arc<ActorContext>>>;
/// The newest statement of each of some attestations.
type Newest = Arc<Vec<Option<controls::Statement>>>;
/// The hash of the rules that an answer is about.
type Rules = [u8; 32];

type WhichCases = (Rules, Option<String>, &'static [RecordState]);

/// What is worked out from much of what the system holds, once for everybody who asks at the same time.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) people: Together<Rules, People>,
    pub(crate) clauses: Together<Rules, Arc<Vec<status::ClauseState>>>,
    pub(crate) measures: Together<Rules, Arc<Vec<(Measure, checks::Measured)>>>,
    /// By the codes of the duties, and when they open.
    pub(crate) duties: Together<(Rules, Vec<String>, Window), Arc<Vec<duties::DutyView>>>,
    /// By the codes of the attestations.
    pub(crate) statements: Together<(Rules, Vec<String>), Newest>,
    /// Accounts of staff, by institution.
    pub(crate) staff: Together<(Rules, InstitutionId), Arc<Vec<AccountFacts>>>,
    /// A page of the accounts of citizens, by the one it begins after.
    pub(crate) citizens: Together<(Rules, Option<ActorId>), Arc<CitizensPage>>,
    /// Cases, by procedure and states.
    pub(crate) cases: Together<WhichCases, Arc<procedures::Cases>>,
    pub(crate) packs: Together<Rules, Arc<Vec<adoption::PackVersion>>>,
}

/// The caller, doing the organisation's own work: staff for running it, citizens for themselves.
pub(crate) fn purpose(caller: &Caller) -> Caller {
    if caller.is_staff() { caller.for_purpose(Purpose::Operations) } else { caller.clone() }
}
