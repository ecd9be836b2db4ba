//! Who asks: the facts a decision needs about the one who acts, and what their request carries.

use std::sync::Arc;

use mimamori_domain::{
    Action, ActorId, InstitutionId, Kind, ObjectId, OccupationCode, Purpose, RoleCode, SessionId, SubjectId,
    Timestamp, UnitId,
};
use mimamori_ledger::EntryDraft;
use mimamori_policy::{BreakGlass, CallerFacts, CallerKind, RoleGrant, Scope};
use mimamori_store::{AccessKey, Guard};

use crate::Origin;
use crate::accounts::AccountSort;
use crate::body::{Account, AccountKind, Role, time};
use crate::programs::limited;
use crate::sessions::Shown;

/// What is known about somebody who acts, as of one access version. Shared between requests;
/// every unit that relied on it is guarded on that version.
pub(crate) struct ActorContext {
    pub(crate) actor: ActorId,
    pub(crate) version: i64,
    /// As it was when it was read: `active` only if it may be used then, planned changes made.
    pub(crate) account: Account,
    /// Somebody stopped it, or the program did: it is not merely out of its time.
    pub(crate) stopped: bool,
    /// Until when the account stays as it is here if nobody changes it, UTC.
    pub(crate) until: Option<Timestamp>,
    /// Hash of the pack by which `roles` and `vanished` were told apart.
    pub(crate) pack: [u8; 32],
    /// Appointments to roles that this pack has: all that count.
    pub(crate) roles: Vec<Role>,
    /// The object and version of each of the roles, in the same order.
    pub(crate) role_objects: Vec<(ObjectId, u64)>,
    /// Appointments to roles that this pack has no more: without effect, only shown.
    pub(crate) vanished: Vec<(Role, (ObjectId, u64))>,
    pub(crate) institution_name: Option<String>,
    /// They act under a shared id: `roles` and the place of work are its own.
    pub(crate) under: Option<Under>,
}

/// The shared id that somebody acts under.
#[derive(Clone)]
pub(crate) struct Under {
    pub(crate) actor: ActorId,
    pub(crate) version: i64,
    pub(crate) name: String,
}

impl ActorContext {
    /// Until when what is known here holds by itself after `now`: an end of the account, a planned change,
    /// or the end of an appointment.
    pub(crate) fn holds_until(&self, now: Timestamp) -> Option<Timestamp> {
        let roles = self.roles.iter().filter_map(|role| role.until.map(time)).filter(|until| now < *until);
        self.until.into_iter().chain(roles).min()
    }

    /// Privileges in force at `now` that were granted for a time: the role, and the case that approved it.
    pub(crate) fn privileges(&self, now: Timestamp) -> Vec<String> {
        let granted = self.roles.iter().filter(|role| crate::governance::who::in_force(role, now));
        granted.filter_map(|role| Some(format!("{} {}", role.role, role.granted?))).collect()
    }

    /// Roles whose appointment holds at `now`. One limited to a unit or an information system gives no
    /// power over the installation: it counts only where the pack names it.
    pub(crate) fn grants(&self, now: Timestamp) -> Vec<RoleGrant> {
        self.roles
            .iter()
            .filter(|role| crate::governance::who::in_force(role, now))
            .filter(|role| role.unit.is_none() && role.system.is_none())
            .map(|role| RoleGrant { role: role.role.clone(), scope_institution: role.institution })
            .collect()
    }
}

/// How the caller proved who they are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionRef {
    pub(crate) id: SessionId,
    pub(crate) version: i64,
    /// When it ends whatever is done, UTC.
    pub(crate) expires: Timestamp,
    /// When it ends if nothing more is done, UTC.
    pub(crate) ends: Timestamp,
    /// The last use that was written down; written again at most once a minute.
    pub(crate) token_hash: [u8; 32],
    pub(crate) last_seen: Timestamp,
    pub(crate) bearer: bool,
    /// The shared id that it goes on under.
    pub(crate) under: Option<ActorId>,
    /// By what the caller showed who they are.
    pub(crate) shown: Shown,
    /// When they signed in, and when they last showed it.
    pub(crate) began: Timestamp,
    pub(crate) proved: Timestamp,
}

/// What comes before anything else is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// The session is locked: its owner shows that they are back.
    Unlock,
    /// Another password is chosen.
    Password,
    /// A second factor is enrolled.
    Factor,
}

/// Who asks, with what their request carries. Made by [`crate::App::caller`],
/// [`crate::App::caller_from_bearer`] or [`crate::App::operator`]; it holds for one request.
#[derive(Clone)]
pub struct Caller {
    pub(crate) actor: ActorId,
    /// None for the operator of the machine, who has no account in the system.
    pub(crate) context: Option<Arc<ActorContext>>,
    pub(crate) session: Option<SessionRef>,
    pub(crate) origin: Origin,
    pub(crate) facts: Arc<CallerFacts>,
    roles: Vec<RoleCode>,
    /// What goes sealed into the ledger beside the address: the operator's name.
    pub(crate) remark: Option<String>,
    /// Hash of the pack in force.
    pub(crate) pack: [u8; 32],
    /// What must come before anything else.
    pub(crate) first: Option<First>,
    /// Privileges granted to them for a time, for every entry of what they do under them.
    pub(crate) privileges: Vec<String>,
    /// Until when their facts hold although nobody changes them, UTC.
    pub(crate) holds_until: Option<Timestamp>,
}

/// Names stay out of debug output (invariant 9).
impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller").field("actor", &self.actor).finish_non_exhaustive()
    }
}

impl Caller {
    pub(crate) fn of_session(
        context: Arc<ActorContext>,
        session: SessionRef,
        origin: &Origin,
        now: Timestamp,
        pack: [u8; 32],
    ) -> Self {
        let account = &context.account;
        let (kind, purpose) = match account.kind {
            AccountKind::Staff => (CallerKind::Staff, Purpose::Care),
            AccountKind::Citizen => (CallerKind::Citizen, Purpose::Personal),
            AccountKind::Program => (CallerKind::Program, Purpose::Exchange),
        };
        let grants = context.grants(now);
        let roles = grants.iter().map(|grant| grant.role.clone()).collect();
        let mut facts = CallerFacts::new(context.actor, kind, purpose);
        facts.occupation = account.occupation.clone();
        facts.institution = account.institution;
        facts.roles = grants;
        facts.authentication_strength = session.shown.strength();
        facts.outside_worker =
            matches!(account.life.sort, AccountSort::Development | AccountSort::Maintenance);
        facts.terminal = origin.terminal;
        facts.zone = origin.zone.clone();
        if kind == CallerKind::Program {
            facts.scopes = Some(account.scopes.iter().filter_map(|text| scope(text)).collect());
        }
        Self {
            actor: context.actor,
            holds_until: context.holds_until(now),
            privileges: context.privileges(now),
            context: Some(context),
            session: Some(session),
            origin: origin.clone(),
            facts: Arc::new(facts),
            roles,
            remark: None,
            pack,
            first: None,
        }
    }

    /// The same caller as if the request came from there.
    #[must_use]
    pub(crate) fn coming_from(mut self, origin: &Origin) -> Self {
        let facts = Arc::make_mut(&mut self.facts);
        facts.terminal = origin.terminal;
        facts.zone = origin.zone.clone();
        self.origin = origin.clone();
        self
    }

    /// Somebody about whom the program asks by itself what waits for them: they do nothing, and
    /// nothing is recorded as theirs.
    pub(crate) fn considered(context: Arc<ActorContext>, pack: [u8; 32]) -> Self {
        let mut caller = Self::system(context.actor, "", pack);
        caller.context = Some(context);
        caller
    }

    /// The operator of the machine, or the program itself.
    pub(crate) fn system(actor: ActorId, remark: &str, pack: [u8; 32]) -> Self {
        let mut facts = CallerFacts::new(actor, CallerKind::System, Purpose::Operations);
        facts.authentication_strength = 1;
        Self {
            actor,
            context: None,
            session: None,
            origin: Origin::default(),
            facts: Arc::new(facts),
            roles: Vec::new(),
            remark: Some(remark.to_owned()),
            pack,
            first: None,
            holds_until: None,
            privileges: Vec::new(),
        }
    }

    /// Limits a program to what its token was issued for.
    pub(crate) fn limit(&mut self, scopes: &str) {
        let facts = Arc::make_mut(&mut self.facts);
        let own = facts.scopes.take().unwrap_or_default();
        let limited = scopes.split(' ').filter_map(scope).map(|scope| limited(&scope, &own));
        facts.scopes = Some(limited.filter(|scope| scope.read || scope.write).collect());
    }

    /// The same caller, to whom nothing is open but what comes first: to the rules they have not finished
    /// signing in.
    pub(crate) fn until(mut self, first: First) -> Self {
        self.first = Some(first);
        Arc::make_mut(&mut self.facts).authentication_strength = 0;
        self
    }

    /// What must be done before anything else is answered.
    #[must_use]
    pub fn first(&self) -> Option<First> {
        self.first
    }

    /// Whether another password must be chosen before anything else is answered.
    #[must_use]
    pub fn must_change_password(&self) -> bool {
        self.first == Some(First::Password)
    }

    /// Whether the caller's own account is changed as part of signing in: then that is what the rules
    /// are asked about.
    pub(crate) fn own_action(&self) -> Action {
        if self.first.is_some() { Action::SignIn } else { Action::Update }
    }

    /// The beginning of an entry about what this caller does.
    pub(crate) fn entry(&self, unit: UnitId, action: Action) -> EntryDraft {
        let mut entry = EntryDraft::new(unit, *UnitId::random().as_bytes(), action, self.pack);
        entry.actor = Some(self.actor);
        entry.on_behalf_of = self.under().map(|under| under.actor);
        entry.session = self.session.map(|session| session.id);
        entry.institution = self.institution();
        entry.terminal = self.origin.terminal;
        entry.zone = self.origin.zone.clone();
        entry.purpose = self.facts.purpose;
        entry
    }

    /// What a unit that relied on this caller's facts must be guarded on.
    pub(crate) fn guards(&self) -> Vec<Guard> {
        let mut guards = Vec::with_capacity(4);
        if let Some(context) = &self.context {
            guards.push(Guard { key: AccessKey::from(context.actor), version: context.version });
            if let Some(under) = &context.under {
                guards.push(Guard { key: AccessKey::from(under.actor), version: under.version });
            }
        }
        if let Some(session) = &self.session {
            guards.push(Guard { key: AccessKey::from(session.id), version: session.version });
        }
        if let Some(terminal) = self.origin.terminal {
            guards.push(Guard { key: AccessKey::from(terminal), version: self.origin.terminal_version });
        }
        guards
    }

    /// The same caller with an emergency declared until a time.
    pub(crate) fn declare_emergency(&mut self, until: Timestamp) {
        let facts = Arc::make_mut(&mut self.facts);
        facts.break_glass = Some(BreakGlass { reason_given: true, until });
        facts.purpose = Purpose::Emergency;
    }

    /// The same caller doing something for another purpose.
    #[must_use]
    pub(crate) fn for_purpose(&self, purpose: Purpose) -> Self {
        let mut caller = self.clone();
        Arc::make_mut(&mut caller.facts).purpose = purpose;
        caller
    }

    fn under(&self) -> Option<&Under> {
        self.context.as_ref()?.under.as_ref()
    }

    /// What the shared id is called that the caller acts under.
    #[must_use]
    pub fn shared_name(&self) -> Option<&str> {
        self.under().map(|under| under.name.as_str())
    }

    #[must_use]
    pub fn actor_id(&self) -> ActorId {
        self.actor
    }

    /// The name as shown to others.
    #[must_use]
    pub fn name(&self) -> &str {
        self.context.as_ref().map_or("", |context| &context.account.name)
    }

    #[must_use]
    pub fn institution(&self) -> Option<InstitutionId> {
        self.facts.institution
    }

    #[must_use]
    pub fn institution_name(&self) -> Option<&str> {
        self.context.as_ref()?.institution_name.as_deref()
    }

    #[must_use]
    pub fn occupation(&self) -> Option<&OccupationCode> {
        self.facts.occupation.as_ref()
    }

    /// Roles held now.
    #[must_use]
    pub fn roles(&self) -> &[RoleCode] {
        &self.roles
    }

    /// Whether the session was begun by the organisation's identity provider.
    #[must_use]
    pub fn signed_in_by_provider(&self) -> bool {
        self.session.is_some_and(|session| session.shown.by_provider())
    }

    #[must_use]
    pub fn is_staff(&self) -> bool {
        self.facts.kind == CallerKind::Staff
    }

    /// The person a citizen user is.
    #[must_use]
    pub fn own_subject(&self) -> Option<SubjectId> {
        self.context.as_ref()?.account.own_subject
    }

    /// When the session ends if nothing more is done, UTC; `None` without a session.
    #[must_use]
    pub fn session_ends(&self) -> Option<Timestamp> {
        self.session.map(|session| session.ends)
    }
}

/// Reads a scope: a kind or `*`, then `.read`, `.write` or `.*`.
pub(crate) fn scope(text: &str) -> Option<Scope> {
    let (kind, access) = text.rsplit_once('.')?;
    let (read, write) = match access {
        "read" => (true, false),
        "write" => (false, true),
        "*" => (true, true),
        _ => return None,
    };
    let kind = if kind == "*" { None } else { Some(Kind::new(kind).ok()?) };
    Some(Scope { kind, read, write })
}
