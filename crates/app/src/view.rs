//! What use cases give back.

use std::net::IpAddr;

use bytes::Bytes;
use mimamori_domain::{
    Action, ActorId, ClassCode, InstitutionId, Kind, LegalBasis, ObjectId, OccupationCode, Outcome, Purpose,
    RecordState, SubjectId, TerminalId, Timestamp, ZoneCode,
};

/// Where a request comes from, as far as the listener knows.
#[derive(Clone, Default)]
pub struct Origin {
    pub address: Option<IpAddr>,
    /// The registered terminal, once its certificate was recognised ([`crate::App::recognise`]).
    pub terminal: Option<TerminalId>,
    /// The terminal's access version as it was recognised: whatever is done from it is guarded on it.
    pub terminal_version: i64,
    pub zone: Option<ZoneCode>,
    /// What kind of terminal it says it is, in a few words: only for showing somebody their own sessions.
    pub agent: Option<String>,
    /// SHA-256 of the certificate (DER) that the client showed, proven by TLS or by a proxy that is believed.
    pub certificate: Option<[u8; 32]>,
}

/// An address may lead to a person: it stays out of debug output (invariant 9), as do names below.
impl std::fmt::Debug for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Origin")
            .field("terminal", &self.terminal)
            .field("zone", &self.zone)
            .finish_non_exhaustive()
    }
}

/// One version of a record, opened: its content as it was received, and what is known about it.
#[derive(Clone)]
pub struct Stored {
    pub id: ObjectId,
    pub kind: Kind,
    /// Counts from 1.
    pub version: u64,
    pub subject: Option<SubjectId>,
    pub class: ClassCode,
    pub state: RecordState,
    pub institution: InstitutionId,
    pub author: Option<ActorId>,
    pub on_behalf_of: Option<ActorId>,
    pub confirmer: Option<ActorId>,
    /// When this version was stated, UTC.
    pub recorded: Timestamp,
    /// Who it was shown to, where a use case tells that.
    pub attention: Attention,
    /// Why it was withdrawn, as stated; with a withdrawn version read by its id or in a history.
    pub withdrawn_because: Option<String>,
    /// The bytes as received. `mimamori_fhir::splice_meta` adds id and meta for output.
    pub bytes: Bytes,
}

/// Who a version of a record was shown to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attention {
    /// New to the caller: of somebody else, of the last [`crate::UNREAD_DAYS`] days, and not shown to them
    /// before.
    pub unread: bool,
    /// To how many others than its author this version was shown; `None` where the caller may not see the
    /// care team.
    pub seen_by: Option<u64>,
    /// The same one by one, the first first, with the time in UTC; in a history alone.
    pub readers: Vec<(ActorId, Timestamp)>,
    /// Who was told of the current version of an urgent note; in a history alone.
    pub told: Vec<crate::Told>,
}

/// Content stays out of debug output (invariant 9).
impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stored")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("version", &self.version)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// One page of a longer answer.
#[derive(Debug, Clone)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Sealed; only good for the same caller and the same question. `None` on the last page.
    pub next: Option<String>,
    /// How many there are in all, where that is known.
    pub total: Option<u64>,
}

/// Which page of an answer is wanted.
#[derive(Debug, Clone, Default)]
pub struct Paging {
    /// How many at most; 0 means the default. Capped by the use case.
    pub count: u32,
    pub cursor: Option<String>,
}

/// A half-open window of recorded time, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    pub from: Timestamp,
    pub until: Timestamp,
}

/// Somebody who acts, as shown to others.
#[derive(Clone, PartialEq, Eq)]
pub struct ActorView {
    pub id: ActorId,
    pub name: String,
    pub occupation: Option<OccupationCode>,
    pub institution: Option<InstitutionId>,
}

impl std::fmt::Debug for ActorView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ActorView").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A member of a care team as it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TeamMember {
    Person(ActorView),
    Institution { id: InstitutionId, name: String },
}

impl TeamMember {
    /// Itself, or where somebody works.
    #[must_use]
    pub fn institution(&self) -> Option<InstitutionId> {
        match self {
            Self::Person(actor) => actor.institution,
            Self::Institution { id, .. } => Some(*id),
        }
    }
}

/// What the caller may do on a person's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct May {
    pub write_note: bool,
    pub write_vital_signs: bool,
    pub write_document: bool,
    pub write_visit: bool,
    /// See who looked.
    pub review: bool,
}

/// A person's page.
#[derive(Debug, Clone)]
pub struct PersonPage {
    pub subject: SubjectId,
    /// Their FHIR Patient.
    pub patient: Stored,
    /// Confirmed FHIR AllergyIntolerance the caller may see.
    pub allergies: Vec<Stored>,
    pub team: Vec<TeamMember>,
    /// Institutions that answer for what the caller may see.
    pub institutions: Vec<InstitutionId>,
    pub may: May,
    /// Until when the caller's emergency access to this person lasts, if there is one.
    pub emergency_until: Option<Timestamp>,
}

impl PersonPage {
    /// The institutions that it tells of: those that answer for records, and the care team's.
    #[must_use]
    pub fn told_institutions(&self) -> Vec<InstitutionId> {
        let team = self.team.iter().filter_map(TeamMember::institution);
        self.institutions.iter().copied().chain(team).collect()
    }
}

/// A person in a list.
#[derive(Debug, Clone)]
pub struct PersonCard {
    pub subject: SubjectId,
    /// Their FHIR Patient.
    pub patient: Stored,
    /// How many records of the last [`crate::UNREAD_DAYS`] days the caller has not seen, of those that
    /// they may see; always 0 in what a search finds.
    pub unread: u64,
    /// How many of these are addressed to the caller.
    pub addressed: u64,
    /// The newest record of those days that the caller may see; never in what a search finds.
    pub newest: Option<crate::Newest>,
}

/// What a people search asks. Empty fields do not restrict; at least one must be filled.
#[derive(Clone, Default)]
pub struct PeopleQuery {
    /// Beginning of the name as written, or of its kana.
    pub name: Option<String>,
    pub kana: Option<String>,
    /// `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
    pub birth_date: Option<String>,
    /// `value` or `system|value`.
    pub identifier: Option<String>,
    /// FHIR's code; compared after decryption.
    pub gender: Option<String>,
    /// Only these people.
    pub ids: Vec<SubjectId>,
    /// The rest of it is still being typed: fewer are looked at, so that the answer comes at once.
    pub typing: bool,
}

/// Says what is asked by, not what was entered.
impl std::fmt::Debug for PeopleQuery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PeopleQuery")
            .field("name", &self.name.is_some())
            .field("kana", &self.kana.is_some())
            .field("birth_date", &self.birth_date.is_some())
            .field("identifier", &self.identifier.is_some())
            .field("gender", &self.gender.is_some())
            .field("ids", &self.ids)
            .finish()
    }
}

/// What a timeline shows.
#[derive(Debug, Clone, Default)]
pub struct TimelineFilter {
    /// Empty: every kind.
    pub kinds: Vec<Kind>,
    /// The institution that answers for a record.
    pub institution: Option<InstitutionId>,
    pub author: Option<ActorId>,
    /// When it happened as the record says (else when it was stated), UTC; the first included, the second
    /// not.
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// Only what the caller has not seen.
    pub unread: bool,
}

/// What was found in a person's record.
#[derive(Debug, Clone)]
pub struct FoundRecords {
    pub page: Page<Stored>,
    /// Back to when the record was looked through, where more of it is left to look through; UTC.
    pub reached: Option<Timestamp>,
}

/// One access as the ledger holds it, with names opened for whom may see them.
#[derive(Clone)]
pub struct AccessRow {
    pub epoch: u32,
    pub sequence: u64,
    /// UTC.
    pub recorded: Timestamp,
    pub actor: Option<ActorView>,
    pub institution: Option<(InstitutionId, String)>,
    pub subject: Option<(SubjectId, String)>,
    pub action: Action,
    pub kind: Option<Kind>,
    pub resource: Option<ObjectId>,
    pub outcome: Outcome,
    pub count: u64,
    pub purpose: Purpose,
    pub basis: LegalBasis,
    pub policies: Vec<String>,
    /// Codes of the roles granted for a time, under whose privileges it was done.
    pub privileges: Vec<String>,
    /// The shared id that they acted under.
    pub under: Option<ActorView>,
}

impl std::fmt::Debug for AccessRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessRow")
            .field("epoch", &self.epoch)
            .field("sequence", &self.sequence)
            .field("action", &self.action)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

/// What a ledger review asks.
#[derive(Debug, Clone, Copy)]
pub struct ReviewQuery {
    pub subject: Option<SubjectId>,
    pub actor: Option<ActorId>,
    pub institution: Option<InstitutionId>,
    pub window: Window,
}

/// How often a person's record was accessed in a window.
#[derive(Clone)]
pub struct SubjectCount {
    pub subject: SubjectId,
    pub name: String,
    pub count: u64,
}

impl std::fmt::Debug for SubjectCount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SubjectCount")
            .field("subject", &self.subject)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

/// Accesses to people's records, counted.
#[derive(Debug, Clone)]
pub struct AccessCounts {
    /// How many there were in each of the windows that were asked about, in their order.
    pub windows: Vec<u64>,
    /// In all of them together, by person, the most first.
    pub people: Page<SubjectCount>,
}
