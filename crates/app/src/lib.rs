//! Use cases: authorise, change, record. HTML, FHIR and the command line all come through here
//! (invariant 10), and nothing personal leaves before the unit with its ledger entries is durable
//! (invariant 1).
//!
//! The way of every use case: read the access version, then what the decision needs; decide; open
//! the ciphertext; commit a unit with the ledger entries, guarded on the access versions; only then
//! answer. `docs/ARCHITECTURE.md` walks through one read and one write.

mod access;
mod accounts;
mod administration;
mod around;
mod body;
mod caller;
mod care;
mod carried;
mod changes;
mod context;
mod copies;
mod credentials;
mod cursor;
mod emergency;
mod explain;
mod fhir_read;
mod governance;
mod import;
mod in_force;
mod install;
mod key_admin;
mod keys;
mod ledger;
mod my_people;
mod passwords;
mod people;
mod programs;
mod provider;
mod record;
mod refusals;
mod review;
mod seen;
mod sessions;
mod several;
mod sign_in;
pub mod sql;
mod terminals;
mod together;
mod view;
mod who_sees;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, RwLock};

pub use accounts::{
    AccountSort, AccountView, EmergencyNotice, HeldItem, LifeView, MOST_AT_ONCE, NewAccountRow, NewStaff,
    SharedView, Tidied,
};
pub use administration::AccountDetail;
pub use around::{Around, ConsentView, Membered, ProxyView};
pub use body::FactorKind;
pub use caller::Caller;
pub use caller::First;
pub use carried::Former;
pub use changes::{Followed, MOST_FOLLOWED, Mark as LedgerMark, SessionMark};
pub use credentials::{
    Challenge, EnrolElsewhere, FactorView, FactorsView, IdentityProof, InitialSecret, Means, NewFactor,
    NewOneTime, Proof, SessionView, SignIns, wants_step_up,
};
pub use emergency::EmergencyCard;
pub use governance::adoption::{PackVersion, Proposal, pack_archive};
pub use governance::appointments::{AppointmentView, NewAppointment, RoleView};
pub use governance::attachments::{MOST_ATTACHMENT_BYTES, OpenedFile};
pub use governance::calendar::CalendarAddress;
pub use governance::checks::{Finding, Measured, Transport};
pub use governance::choices::PersonChoice;
pub use governance::controls::{AttestationView, NewStatement, Statement};
pub use governance::documents::{DocumentDetail, DocumentSummary, DocumentVersion, NewDocument};
pub use governance::duties::{DutyState, DutyTerms, DutyView, JobTrouble};
pub use governance::jobs::{JOBS, JobEnd, JobFailure};
pub use governance::mail::notes::Told;
pub use governance::mail::{MailFailure, MailRound, Mailer};
pub use governance::parts::RuleParts;
pub use governance::procedures::{
    Act, ByHandView, CaseEvent, CaseFilter, CasePage, CaseRights, CaseRow, CaseStage, CaseStep, CaseView,
    How, Inbox, IssuedAccount, Mark, ProcedureSummary, StepPerson, StepState,
};
pub use governance::registers::{
    EntryDetail, EntryRow, EntryVersion, ExportedEntries, ImportedEntries, MOST_NOTICES, MOST_TABLE_BYTES,
    Notice, RegisterPage, RegisterQuery, RegisterReview, RegisterRights, RegisterSummary, TableFormat,
};
pub use governance::reminders::Reminders;
pub use governance::show::{Label, Shown};
pub use governance::status::{AnswerState, ClauseState, State};
pub use governance::system::{JobRuns, Room, Space, SystemStatus};
pub use governance::values::{Typed, Values};
pub use import::ImportReport;
pub use install::Parts;
pub use key_admin::{Disposal, ShredReport};
pub use ledger::VerifyReport;
use mimamori_domain::{ActorId, Clock, InstanceId, InstitutionId, SubjectId};
pub use mimamori_domain::{Error, ErrorKind, Fault, Result};
use mimamori_policy::{Authorizer, Pack};
use mimamori_store::Store;
use mimamori_vault::Vault;
pub use my_people::{MyPeople, Unfinished};
pub use programs::{ClientCredentials, ClientToken, NewProgram, ProgramKey, ProgramView};
pub use provider::{
    LinkView, PROVIDER_RETURN, PROVIDER_SUBJECT_LENGTH, ProviderAnswer, ProviderEnd, ProviderFailure,
    ProviderRequest, ProviderResponse, ProviderSending, ProviderSettings, ProviderStart, ProviderTransport,
    ProviderUnreachable, protected as provider_protected,
};
use quick_cache::sync::Cache;
pub use record::{CreateAs, MOST_FILES, RecordFile};
pub use seen::{Newest, UNREAD_DAYS};
pub use sign_in::SignedIn;
pub use terminals::{NewTerminal, TerminalFile, TerminalView};
pub use view::{
    AccessCounts, AccessRow, ActorView, Attention, FoundRecords, May, Origin, Page, Paging, PeopleQuery,
    PersonCard, PersonPage, ReviewQuery, Stored, SubjectCount, TeamMember, TimelineFilter, Window,
};
pub use who_sees::{Sight, Standing, WhoSees};

use crate::caller::ActorContext;
use crate::context::SubjectContext;
use crate::keys::InstallationKeys;
use crate::sessions::Sessions;

/// The application under one version of its rules: what one request, job or command works with from
/// start to end. Another version of the rules is another `App` over the same [`Shared`] parts
/// ([`App::in_force`]); what was decided here and is not yet committed then commits no more.
#[derive(Clone)]
pub struct App {
    pub(crate) shared: Arc<Shared>,
    pub(crate) pack: Arc<Pack>,
    pub(crate) authorizer: Arc<Authorizer>,
    /// The access version of the rules that `pack` was in force at: every unit is guarded on it.
    pub(crate) pack_version: i64,
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

/// What a running program has one of. It holds no state but what access versions guard, and counts of what is
/// only ever added to.
pub struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) vault: Arc<Vault>,
    /// The rules in force, as this program knows them.
    pub(crate) in_force: RwLock<Arc<in_force::InForce>>,
    /// Held while others are loaded, so that it is done once.
    pub(crate) loading: tokio::sync::Mutex<()>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) instance: InstanceId,
    pub(crate) state_dir: PathBuf,
    /// The installation's own id: who acts when the program or its operator does.
    pub(crate) operator: ActorId,
    /// The installation's name: the first part of every checkpoint's origin.
    pub(crate) name: String,
    pub(crate) keys: InstallationKeys,
    pub(crate) subjects: Cache<SubjectId, Arc<SubjectContext>>,
    pub(crate) actors: Cache<ActorId, Arc<ActorContext>>,
    /// Who wrote something and has no account, such as the operator; for names alone. Nobody is given
    /// one later: an account is made together with its id.
    pub(crate) no_accounts: Cache<ActorId, ()>,
    pub(crate) institution_names: Cache<InstitutionId, String>,
    pub(crate) sessions: Sessions,
    pub(crate) passwords: passwords::Passwords,
    pub(crate) refusals: refusals::Refusals,
    /// Opened keys of what belongs to the organisation.
    pub(crate) register_keys: governance::keys::RegisterKeys,
    pub(crate) versions: governance::versions::Versions,
    /// When the installation began, once it was asked for: it never changes.
    pub(crate) began: std::sync::OnceLock<mimamori_domain::Timestamp>,
    /// How people reach the program, once its server has said so.
    pub(crate) transport: std::sync::OnceLock<Transport>,
    /// How passkeys are checked, once the server has said under which address it is reached.
    pub(crate) webauthn: std::sync::OnceLock<webauthn_rs::Webauthn>,
    /// The organisation's identity provider, once the server has said which.
    pub(crate) provider: std::sync::OnceLock<Arc<provider::Provider>>,
    /// Packs that were in force earlier, by hash, read again for what was recorded under them.
    pub(crate) packs: Cache<[u8; 32], Arc<Pack>>,
    /// What the second of two packs changes in the first, by their hashes.
    pub(crate) diffs: Cache<([u8; 32], [u8; 32]), Arc<mimamori_policy::PackDiff>>,
    /// What is worked out of the organisation's own for all who ask.
    pub(crate) asked: governance::Asked,
    /// What reviews of the ledger counted.
    pub(crate) counts: review::Counts,
    /// What the checkpoint signer keeps between checkpoints, while this program is the signer.
    pub(crate) signing: tokio::sync::Mutex<Option<ledger::Signing>>,
    /// How many entries' full tiles the signer keeps in one unit.
    pub(crate) tile_step: std::sync::atomic::AtomicU64,
    /// Set when the ledger is not the continuation of what was signed: nothing is answered any more.
    pub(crate) halted: AtomicBool,
    /// Set while the last commit could not be made.
    pub(crate) not_committing: AtomicBool,
    /// Makes address hashes that nobody without the keys can look up in a table.
    pub(crate) address_salt: [u8; 32],
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("instance", &self.instance).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("instance", &self.instance).finish_non_exhaustive()
    }
}
