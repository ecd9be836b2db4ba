//! What a decision is made of: facts about the caller and about the person, as the use cases load
//! them. Nothing here describes who anybody is.

use mimamori_domain::{
    ActorId, ClassCode, InstitutionId, Kind, OccupationCode, Purpose, RoleCode, SubjectId, TerminalId,
    Timestamp, ZoneCode,
};

/// What sort of caller asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallerKind {
    /// 業務利用者
    Staff,
    /// 市民利用者: a person or a proxy.
    Citizen,
    /// A program with a token.
    Program,
    /// This program itself, or a command on its machine.
    System,
}

/// Who asks, from where, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerFacts {
    pub actor: ActorId,
    pub kind: CallerKind,
    pub occupation: Option<OccupationCode>,
    /// The institution the caller works for, or on whose behalf a program runs.
    pub institution: Option<InstitutionId>,
    pub roles: Vec<RoleGrant>,
    /// 0 not signed in, 1 one factor, 2 two factors.
    pub authentication_strength: u8,
    /// The account is one for development or maintenance.
    pub outside_worker: bool,
    /// The registered device, when it is one.
    pub terminal: Option<TerminalId>,
    pub zone: Option<ZoneCode>,
    pub purpose: Purpose,
    pub break_glass: Option<BreakGlass>,
    /// What a program's token is limited to; for other callers `None`.
    pub scopes: Option<Vec<Scope>>,
    /// 代行: the person for whom the caller enters something.
    pub on_behalf_of: Option<ActorId>,
}

impl CallerFacts {
    /// Facts of a caller of which nothing but the kind and purpose is known yet.
    #[must_use]
    pub const fn new(actor: ActorId, kind: CallerKind, purpose: Purpose) -> Self {
        Self {
            actor,
            kind,
            occupation: None,
            institution: None,
            roles: Vec::new(),
            authentication_strength: 0,
            outside_worker: false,
            terminal: None,
            zone: None,
            purpose,
            break_glass: None,
            scopes: None,
            on_behalf_of: None,
        }
    }

    /// Whether a program's scopes reach this kind of resource; always so for other callers. A
    /// decision about an access label asks only whether the scopes reach some kind that the class
    /// holds, so a use case that knows the kind asks this too.
    #[must_use]
    pub fn scopes_cover(&self, kind: &Kind, write: bool) -> bool {
        match (self.kind, &self.scopes) {
            (CallerKind::Program, None) => false,
            (CallerKind::Program, Some(scopes)) => scopes.iter().any(|s| s.covers(kind, write)),
            _ => true,
        }
    }
}

/// An appointment in force now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleGrant {
    pub role: RoleCode,
    /// The institution it is limited to; `None` for the whole installation.
    pub scope_institution: Option<InstitutionId>,
}

/// An emergency access that was declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakGlass {
    pub reason_given: bool,
    /// When it ends (exclusive).
    pub until: Timestamp,
}

/// One thing a program's token permits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The kind of resource; `None` for every kind.
    pub kind: Option<Kind>,
    pub read: bool,
    pub write: bool,
}

impl Scope {
    /// Whether this permits reading, or writing, this kind.
    #[must_use]
    pub fn covers(&self, kind: &Kind, write: bool) -> bool {
        (if write { self.write } else { self.read }) && self.kind.as_ref().is_none_or(|own| own == kind)
    }
}

/// The person a decision is about. Entries out of date may be among them: they never grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectFacts {
    pub subject: SubjectId,
    /// The person's own account, when they have one.
    pub self_actor: Option<ActorId>,
    pub team: Vec<TeamMembership>,
    pub consents: Vec<ConsentFact>,
    pub proxies: Vec<ProxyFact>,
    /// The person is protected from abuse: proxies see nothing, places and visits are withheld.
    pub protection_flag: bool,
    pub registering_institution: Option<InstitutionId>,
}

impl SubjectFacts {
    /// Facts of a person about whom nothing is known: nobody but the answering institution sees
    /// anything.
    #[must_use]
    pub const fn new(subject: SubjectId) -> Self {
        Self {
            subject,
            self_actor: None,
            team: Vec::new(),
            consents: Vec::new(),
            proxies: Vec::new(),
            protection_flag: false,
            registering_institution: None,
        }
    }
}

/// A place in the care team: of one staff member, of an institution's staff, or of one staff member
/// while working for that institution when both are named. Naming neither matches nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamMembership {
    pub actor: Option<ActorId>,
    pub institution: Option<InstitutionId>,
    pub from: Timestamp,
    /// Exclusive; `None` while it has no end.
    pub until: Option<Timestamp>,
}

/// Whether a consent lets or stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConsentEffect {
    Permit,
    Deny,
}

/// One consent or denial. What is `None` is not limited: no class means every class, no institution
/// and no actor every care team member. `institution` and `actor` name who receives the information.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentFact {
    pub effect: ConsentEffect,
    pub class: Option<ClassCode>,
    pub institution: Option<InstitutionId>,
    pub actor: Option<ActorId>,
    pub from: Timestamp,
    /// Exclusive: its end or its withdrawal, whichever is earlier.
    pub until: Option<Timestamp>,
}

/// Somebody who may speak for the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyFact {
    pub actor: ActorId,
    pub from: Timestamp,
    /// Exclusive.
    pub until: Option<Timestamp>,
    /// The classes the standing covers; `None` for all.
    pub classes: Option<Vec<ClassCode>>,
}

/// A thing outside any notebook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneralTarget {
    /// One of the pack's `things` (`ledger`, `account`, `people-search` ...).
    pub kind: Kind,
    /// The institution it belongs to, when it belongs to one. A list over all institutions has none.
    pub institution: Option<InstitutionId>,
    /// Whose own it is: the holder of an account or session.
    pub owner: Option<ActorId>,
    /// The register, procedure, duty or document concerned names the caller, or a role they hold
    /// where it counts, for what they want to do.
    pub named: bool,
}

impl GeneralTarget {
    #[must_use]
    pub const fn of(kind: Kind) -> Self {
        Self { kind, institution: None, owner: None, named: false }
    }

    #[must_use]
    pub const fn at(mut self, institution: InstitutionId) -> Self {
        self.institution = Some(institution);
        self
    }

    #[must_use]
    pub const fn owned_by(mut self, owner: ActorId) -> Self {
        self.owner = Some(owner);
        self
    }

    /// Says whether the pack names the caller for this; see [`GeneralTarget::named`].
    #[must_use]
    pub const fn naming_caller(mut self, named: bool) -> Self {
        self.named = named;
        self
    }
}

/// Whether a period from `from` (inclusive) to `until` (exclusive) holds at `now`.
#[must_use]
pub(crate) fn in_force(from: Timestamp, until: Option<Timestamp>, now: Timestamp) -> bool {
    from <= now && until.is_none_or(|end| now < end)
}
