//! Appointments to roles: who holds what, from when to when, where, and who appointed them.

use std::collections::HashMap;
use std::sync::Arc;

use mimamori_domain::{
    AccessLabel, Action, ActorId, ClassCode, Error, InstitutionId, Kind, ObjectId, RecordState, Result,
    RoleCode, Timestamp,
};
use mimamori_policy::model::Who;
use mimamori_policy::{Decision, Role, RoleScope, Text};
use mimamori_store::{AccessKey, Change, ColumnType, Guard, Unit, Value, tables};
use mimamori_vault::SecretKey;

use super::object::Look;
use super::who::{Reach, Whereabouts, target};
use super::{People, purpose};
use crate::access::{ATTEMPTS, Settled, decided, kept_changing};
use crate::body::{self, AccountKind, kind, time};
use crate::caller::{ActorContext, Caller};
use crate::context::open_object;
use crate::record::{NewVersion, fault, put_version};
use crate::{App, sql};

/// What appointments are to the policies.
pub(crate) const THING: Kind = Kind::of("role");

/// Longest reason for ending an appointment, in characters.
const MOST_REASON: usize = 1_000;
/// Accounts read at a time.
const STRIDE: i64 = 500;

/// An appointment to be made.
#[derive(Debug, Clone)]
pub struct NewAppointment {
    pub actor: ActorId,
    pub role: RoleCode,
    /// For a role whose scope is an institution.
    pub institution: Option<InstitutionId>,
    /// For a role whose scope is a unit (部署): its code.
    pub unit: Option<String>,
    /// For a role whose scope is an information system: its code.
    pub system: Option<String>,
    /// UTC.
    pub from: Timestamp,
    /// Exclusive, UTC; `None` without an end.
    pub until: Option<Timestamp>,
    /// 代理: stands in for the holder.
    pub deputy: bool,
}

/// By what somebody is appointed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Given {
    /// Somebody who may appoints them.
    Appointed,
    /// A case grants a privilege for a time.
    Case(ObjectId),
    /// A group of the identity provider, by the code of the pack's mapping.
    Group(String),
}

/// An appointment, as shown.
#[derive(Clone)]
pub struct AppointmentView {
    pub id: ObjectId,
    /// The version seen, for ending it.
    pub version: u64,
    pub actor: ActorId,
    pub name: String,
    pub institution: Option<String>,
    pub unit: Option<String>,
    pub system: Option<String>,
    /// UTC.
    pub from: Timestamp,
    /// Exclusive, UTC.
    pub until: Option<Timestamp>,
    pub deputy: bool,
    /// A group of the identity provider, if one gave it; empty for appointments made at the command line.
    pub appointed_by: String,
    pub in_force: bool,
}

/// Names stay out of debug output (invariant 9).
impl std::fmt::Debug for AppointmentView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppointmentView").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A role with everybody who holds it now, will, or did.
#[derive(Debug, Clone)]
pub struct RoleView {
    pub role: Role,
    /// Newest first.
    pub appointments: Vec<AppointmentView>,
    /// The caller may appoint to it and dismiss.
    pub may_appoint: bool,
    /// The rules in force have the role no more: these appointments are without effect.
    pub vanished: bool,
}

impl RoleView {
    /// Whether somebody holds the role now.
    #[must_use]
    pub fn filled(&self) -> bool {
        self.appointments.iter().any(|appointment| appointment.in_force && !appointment.deputy)
    }
}

impl App {
    /// Appoints somebody to a role.
    ///
    /// # Errors
    /// Invalid for an unknown or outside role, a missing scope, or a role that may not be held with
    /// one they hold; forbidden unless a role of the caller appoints to it; unavailable.
    pub async fn appoint(&self, caller: &Caller, new: &NewAppointment) -> Result<ObjectId> {
        let caller = purpose(caller);
        let scope = self.pack.role(&new.role).map(|role| role.scope);
        let place = Whereabouts {
            institution: new.institution.filter(|_| scope == Some(RoleScope::Institution)),
            unit: new.unit.clone().filter(|_| scope == Some(RoleScope::Unit)),
            system: new.system.clone().filter(|_| scope == Some(RoleScope::System)),
        };
        let decision = self.require_power(&caller, Action::Create, &new.role, &place).await?;
        // In a procedure somebody else decides; here nobody would.
        if new.actor == caller.actor {
            return Err(fault("actor", "nobody appoints themself", "business-rule"));
        }
        for _ in 0..ATTEMPTS {
            let mut unit = Unit::new();
            let (object, commitment) =
                self.put_appointment(&caller, &mut unit, new, Given::Appointed).await?;
            let mut entry = decided(caller.entry(unit.id, Action::Administer), &decision);
            entry.resource = Some((kind::ROLE, Some(object)));
            entry.version = Some(1);
            entry.commitments = vec![commitment];
            let entry = self.with_sealed(&caller, entry, 0, None)?;
            if let Settled::Done = self.settle(&caller, unit.entry(entry)).await? {
                return Ok(object);
            }
        }
        Err(kept_changing())
    }

    /// Ends an appointment at a time, or now when that is past; `seen` is the version it was seen at.
    ///
    /// # Errors
    /// Invalid without a reason; conflict; forbidden; unavailable.
    pub async fn end_appointment(
        &self,
        caller: &Caller,
        actor: ActorId,
        appointment: ObjectId,
        seen: u64,
        until: Timestamp,
        reason: &str,
    ) -> Result<()> {
        let caller = purpose(caller);
        let context = self.actor_context_now(actor).await?;
        let (role, version) = held(&context, appointment)?;
        let place = Whereabouts {
            institution: role.institution,
            unit: role.unit.clone(),
            system: role.system.clone(),
        };
        let decision = self.require_power(&caller, Action::Update, &role.role, &place).await?;
        let reason = reason.trim();
        if reason.is_empty() || reason.chars().count() > MOST_REASON {
            return Err(fault("reason", "a reason of 1 to 1,000 characters is needed", "required"));
        }
        if version != seen {
            return Err(Error::conflict(
                "somebody else changed this meanwhile; open it again and repeat your change",
            ));
        }
        let mut unit = Unit::new();
        // Two who end it at once: the second one saw another state than the one it would change.
        unit.guards.push(Guard { key: AccessKey::from(actor), version: context.version });
        let commitment = self.put_end_of_appointment(&caller, &mut unit, actor, appointment, until).await?;
        let mut entry = decided(caller.entry(unit.id, Action::Administer), &decision);
        entry.resource = Some((kind::ROLE, Some(appointment)));
        entry.version = Some(version + 1);
        entry.commitments = vec![commitment];
        let entry = self.with_sealed(&caller, entry, 0, Some(reason))?;
        match self.settle(&caller, unit.entry(entry)).await? {
            Settled::Done => Ok(()),
            Settled::Again => Err(kept_changing()),
        }
    }

    /// Permits somebody to appoint to a role there, or records the refusal and fails. The policies let
    /// some keep appointments in order; to whom a role may be given is for the pack to say.
    async fn require_power(
        &self,
        caller: &Caller,
        action: Action,
        role: &RoleCode,
        place: &Whereabouts,
    ) -> Result<Decision> {
        let named = self.appoints(caller, role, place);
        let mut decision = self.require_general(caller, action, target(THING, named)).await?;
        if named || caller.context.is_none() {
            return Ok(decision);
        }
        decision.policies = std::sync::Arc::new([]);
        Err(self.refuse(caller, action, None, Some((THING, None)), &decision).await)
    }

    /// Permits a new account to begin with these roles, or records the refusal and fails.
    pub(crate) async fn require_appointing(
        &self,
        caller: &Caller,
        roles: &[RoleCode],
        institution: Option<InstitutionId>,
    ) -> Result<()> {
        let caller = purpose(caller);
        for role in roles {
            let scope = self.pack.role(role).map(|role| role.scope);
            let place = Whereabouts {
                institution: institution.filter(|_| scope == Some(RoleScope::Institution)),
                ..Whereabouts::default()
            };
            self.require_power(&caller, Action::Create, role, &place).await?;
        }
        Ok(())
    }

    /// Whether a role that the caller holds appoints to this one there: an appointment of the caller that is
    /// limited to a place gives no power elsewhere. Who operates the machine appoints to every role: the
    /// policies let them, and it is how the first appointments are made.
    fn appoints(&self, caller: &Caller, role: &RoleCode, place: &Whereabouts) -> bool {
        self.appoints_within(caller, role, Reach::Here(place))
    }

    pub(crate) fn appoints_within(&self, caller: &Caller, role: &RoleCode, reach: Reach<'_>) -> bool {
        let words: Vec<Who> = self
            .pack
            .role(role)
            .map(|role| role.appointed_by.iter().cloned().map(Who::Role).collect())
            .unwrap_or_default();
        caller.named(&words, reach, None, self.clock.now()).is_some()
    }

    /// Puts a checked appointment into a unit; gives its id and commitment, for the unit's entry. Who
    /// may appoint is the caller's to have asked.
    pub(crate) async fn put_appointment(
        &self,
        caller: &Caller,
        unit: &mut Unit,
        new: &NewAppointment,
        given: Given,
    ) -> Result<(ObjectId, [u8; 32])> {
        let role = self
            .pack
            .role(&new.role)
            .ok_or_else(|| fault("role", "the policy pack has no such role", "value"))?;
        let context = self.actor_context_now(new.actor).await?;
        self.check_appointment(role, new, &context).await?;
        if role.privileged && !self.is_administrator(&context) {
            self.admit_administrator(unit).await?;
        }
        let now = self.clock.now();
        let key = self.staff_key(new.actor).await?;
        let object = ObjectId::random();
        let bytes = body::to_bytes(&body::Role {
            actor: new.actor,
            role: new.role.clone(),
            institution: new.institution.filter(|_| role.scope == RoleScope::Institution),
            unit: new.unit.clone().filter(|_| role.scope == RoleScope::Unit),
            system: new.system.clone().filter(|_| role.scope == RoleScope::System),
            from: new.from.as_micros(),
            until: new.until.map(Timestamp::as_micros),
            deputy: new.deputy,
            appointed_by: caller.context.as_ref().map(|_| caller.actor),
            granted: if let Given::Case(case) = given { Some(case) } else { None },
            group: if let Given::Group(code) = given { Some(code) } else { None },
            idle: false,
        })?;
        let version = role_version(caller, object, 1, &bytes, now)?.seal(&key, None, unit.id)?;
        let commitment = put_version(unit, version, now);
        let link = vec![object.into(), "appointed".into(), new.actor.into(), Value::Null(ColumnType::Blob)];
        unit.changes.push(Change::insert(&tables::LINK, link));
        unit.guards.push(Guard { key: AccessKey::from(new.actor), version: context.version });
        unit.bumps.push(AccessKey::from(new.actor));
        Ok((object, commitment))
    }

    async fn check_appointment(
        &self,
        role: &Role,
        new: &NewAppointment,
        context: &ActorContext,
    ) -> Result<()> {
        if role.outside {
            return Err(fault(
                "role",
                "this role stands for people outside; nobody is appointed to it",
                "value",
            ));
        }
        if !context.account.active {
            return Err(fault("actor", "this account is stopped", "business-rule"));
        }
        if context.account.kind != AccountKind::Staff {
            return Err(fault("actor", "only staff are appointed", "business-rule"));
        }
        if new.until.is_some_and(|until| until <= new.from) {
            return Err(fault("until", "an appointment ends after it begins", "value"));
        }
        let known_unit = |code: &String| self.pack.unit(code).is_some();
        let known_system = |code: &String| self.pack.system(code).is_some();
        match role.scope {
            RoleScope::Installation => {}
            RoleScope::Institution => {
                let named = match new.institution {
                    Some(institution) => self.institution_name(institution).await?,
                    None => None,
                };
                if named.is_none() {
                    return Err(fault(
                        "institution",
                        "this role is for one institution; choose it",
                        "required",
                    ));
                }
            }
            RoleScope::Unit if !new.unit.as_ref().is_some_and(known_unit) => {
                return Err(fault("unit", "this role is for one unit of the site; choose it", "required"));
            }
            RoleScope::System if !new.system.as_ref().is_some_and(known_system) => {
                return Err(fault(
                    "system",
                    "this role is for one information system; choose it",
                    "required",
                ));
            }
            RoleScope::Unit | RoleScope::System => {}
        }
        let overlaps = |held: &&body::Role| {
            held.until.is_none_or(|until| new.from < time(until))
                && new.until.is_none_or(|until| time(held.from) < until)
        };
        let together: Vec<RoleCode> =
            context.roles.iter().filter(overlaps).map(|held| held.role.clone()).collect();
        if let Some(other) = self.pack.incompatible(&new.role, &together).first() {
            let rule = format!("the roles {} and {other} may not be held together", new.role);
            return Err(fault("role", &rule, "business-rule"));
        }
        Ok(())
    }

    /// Lets a unit make one more administrator, as long as the pack's limit is not reached. They are
    /// counted under a guard: of two units that add the last one, the second is decided again.
    pub(crate) async fn admit_administrator(&self, unit: &mut Unit) -> Result<()> {
        let most = self.pack.parameter_u64("accounts.most-administrators")?;
        let key = AccessKey::ADMINISTRATORS;
        // Before the counting: who comes in between is noticed.
        let version = self.access_version(key).await?;
        let admitted = unit.bumps.iter().filter(|bumped| **bumped == key).count() as u64;
        if self.administrators().await? + admitted >= most {
            let rule = format!("at most {most} people may hold a role with privileges");
            return Err(fault("role", &rule, "business-rule"));
        }
        unit.guards.push(Guard { key, version });
        unit.bumps.push(key);
        Ok(())
    }

    /// As [`App::admit_administrator`], for somebody whose stopped account is used again.
    pub(crate) async fn admit_again(&self, unit: &mut Unit, actor: ActorId) -> Result<()> {
        let context = self.actor_context_now(actor).await?;
        if self.holds_privileges(&context) { self.admit_administrator(unit).await } else { Ok(()) }
    }

    /// Whether somebody whose account may be used holds a privileged role now or later.
    pub(crate) fn is_administrator(&self, context: &ActorContext) -> bool {
        context.account.active && self.holds_privileges(context)
    }

    fn holds_privileges(&self, context: &ActorContext) -> bool {
        let now = self.clock.now();
        context.roles.iter().any(|held| {
            held.until.is_none_or(|until| now < time(until))
                && self.pack.role(&held.role).is_some_and(|role| role.privileged)
        })
    }

    /// How many active people hold a privileged role now or later, as every program of the
    /// installation has left it.
    pub(crate) async fn administrators(&self) -> Result<u64> {
        let mut count = 0;
        for context in self.everybody().await?.iter() {
            count += u64::from(self.is_administrator(context));
        }
        Ok(count)
    }

    /// Puts the end of an appointment into a unit; gives the commitment for the unit's entry.
    pub(crate) async fn put_end_of_appointment(
        &self,
        caller: &Caller,
        unit: &mut Unit,
        actor: ActorId,
        appointment: ObjectId,
        until: Timestamp,
    ) -> Result<[u8; 32]> {
        let key = self.staff_key(actor).await?;
        let (role, _) = self.opened_role(&key, actor, appointment).await?;
        if role.until.is_some_and(|end| time(end) <= until.max(self.clock.now())) {
            return Err(Error::conflict("this appointment ends no later already"));
        }
        self.put_until(caller, unit, actor, appointment, until).await
    }

    async fn opened_role(
        &self,
        key: &SecretKey,
        actor: ActorId,
        appointment: ObjectId,
    ) -> Result<(body::Role, u64)> {
        let current = self.current(appointment).await?.filter(|version| version.kind == kind::ROLE);
        let current = current.ok_or_else(Error::not_found)?;
        let role: body::Role = body::from_bytes(&open_object(key, &current)?)?;
        if role.actor == actor { Ok((role, current.version)) } else { Err(Error::not_found()) }
    }

    /// Puts into a unit until when an appointment holds, later or sooner than it did.
    pub(crate) async fn put_until(
        &self,
        caller: &Caller,
        unit: &mut Unit,
        actor: ActorId,
        appointment: ObjectId,
        until: Timestamp,
    ) -> Result<[u8; 32]> {
        let key = self.staff_key(actor).await?;
        let (mut role, version) = self.opened_role(&key, actor, appointment).await?;
        // What was held until now was held: an end in the past would tell it otherwise.
        let now = self.clock.now();
        role.until = Some(until.max(now).as_micros().max(role.from));
        let bytes = body::to_bytes(&role)?;
        let version =
            role_version(caller, appointment, version + 1, &bytes, now)?.seal(&key, None, unit.id)?;
        let commitment = put_version(unit, version, now);
        unit.bumps.push(AccessKey::from(actor));
        Ok(commitment)
    }

    /// The contexts of every account of staff and citizens.
    pub(crate) async fn everybody(&self) -> Result<People> {
        self.asked
            .people
            .ask(self.pack.hash(), Box::pin(async { self.all_people().await.map(Arc::new) }))
            .await
    }

    async fn all_people(&self) -> Result<Vec<Arc<ActorContext>>> {
        // The access versions come first: what is read with them is guarded on them.
        let versions = self.actor_versions().await?;
        let mut people = Vec::new();
        let mut after = ObjectId::from_bytes([0; 16]);
        loop {
            let args = vec![kind::ACCOUNT.as_str().to_owned().into(), after.into(), STRIDE.into()];
            let rows = self.store.query(&sql::OBJECTS_OF_KIND, args).await?;
            let last = (rows.len() as i64) < STRIDE;
            for row in rows {
                after = row.id_of(0).map_err(Error::unavailable)?;
                let version = versions.get(&after).copied().unwrap_or(0);
                people.push(self.actor_context_as_of(ActorId::from(after), version).await?);
            }
            if last {
                return Ok(people);
            }
        }
    }

    /// By account; one that has none is at 0.
    async fn actor_versions(&self) -> Result<HashMap<ObjectId, i64>> {
        let mut versions = HashMap::new();
        let mut after = ObjectId::from_bytes([0; 16]);
        loop {
            let rows = self.store.query(&sql::ACTOR_VERSIONS, vec![after.into(), STRIDE.into()]).await?;
            for row in &rows {
                after = row.id_of(0).map_err(Error::unavailable)?;
                versions.insert(after, row.int(1).map_err(Error::unavailable)?);
            }
            if (rows.len() as i64) < STRIDE {
                return Ok(versions);
            }
        }
    }

    /// Every role of the pack with who holds it: for staff who may see roles.
    ///
    /// # Errors
    /// Forbidden, unavailable.
    pub async fn roles(&self, caller: &Caller) -> Result<Vec<RoleView>> {
        let caller = purpose(caller);
        let appoints =
            self.pack.roles().iter().any(|role| self.appoints_within(&caller, &role.code, Reach::Anywhere));
        let decision = self.require_general(&caller, Action::Search, target(THING, appoints)).await?;
        let views = self.role_views(&caller).await?;
        let told = views.iter().map(|view| view.appointments.len()).sum();
        self.note_look(&caller, &decision, Look::at(Action::Search, THING).count(told)).await?;
        Ok(views)
    }

    /// 緊急連絡網: the roles that somebody holds now, with their holders and deputies. Every member of
    /// staff may look at it, at any hour.
    ///
    /// # Errors
    /// Forbidden for others than staff; unavailable.
    pub async fn contact_network(&self, caller: &Caller) -> Result<Vec<RoleView>> {
        let caller = purpose(caller);
        let decision = self.require_general(&caller, Action::Read, target(THING, caller.is_staff())).await?;
        let mut views = self.role_views(&caller).await?;
        for view in &mut views {
            view.appointments.retain(|appointment| appointment.in_force);
        }
        views.retain(|view| !view.appointments.is_empty());
        let told = views.iter().map(|view| view.appointments.len()).sum();
        self.note_look(&caller, &decision, Look::at(Action::Read, THING).count(told)).await?;
        Ok(views)
    }

    async fn role_views(&self, caller: &Caller) -> Result<Vec<RoleView>> {
        let now = self.clock.now();
        let people = self.everybody().await?;
        let mut views = self.vanished_roles(&people).await?;
        for role in self.pack.roles() {
            let mut appointments = Vec::new();
            for context in people.iter() {
                for (held, (id, version)) in context.roles.iter().zip(&context.role_objects) {
                    if held.role != role.code {
                        continue;
                    }
                    let institution = match held.institution {
                        Some(institution) => self.institution_name(institution).await?,
                        None => None,
                    };
                    appointments.push(AppointmentView {
                        id: *id,
                        version: *version,
                        actor: context.actor,
                        name: context.account.name.clone(),
                        institution,
                        unit: held.unit.clone(),
                        system: held.system.clone(),
                        from: time(held.from),
                        until: held.until.map(time),
                        deputy: held.deputy,
                        appointed_by: self.given_by(held).await?,
                        in_force: context.account.active && super::who::in_force(held, now),
                    });
                }
            }
            appointments.sort_by_key(|appointment| std::cmp::Reverse(appointment.from));
            views.push(RoleView {
                may_appoint: !role.outside
                    && (self.appoints_within(caller, &role.code, Reach::Anywhere)
                        || caller.context.is_none()),
                role: role.clone(),
                appointments,
                vanished: false,
            });
        }
        Ok(views)
    }

    /// Who appointed, or which group of the identity provider.
    async fn given_by(&self, held: &body::Role) -> Result<String> {
        match &held.group {
            Some(code) => Ok(self.pack.sign_in_group(code).map_or(code, |mapped| &mapped.group).clone()),
            None => self.name_of(held.appointed_by).await,
        }
    }

    /// Roles that the rules in force have no more and that somebody was appointed to until later.
    async fn vanished_roles(&self, people: &[Arc<ActorContext>]) -> Result<Vec<RoleView>> {
        let now = self.clock.now();
        let mut views: Vec<RoleView> = Vec::new();
        for context in people {
            let open = |role: &body::Role| role.until.is_none_or(|until| now < time(until));
            for (held, (id, version)) in context.vanished.iter().filter(|(held, _)| open(held)) {
                let appointment = AppointmentView {
                    id: *id,
                    version: *version,
                    actor: context.actor,
                    name: context.account.name.clone(),
                    institution: match held.institution {
                        Some(institution) => self.institution_name(institution).await?,
                        None => None,
                    },
                    unit: held.unit.clone(),
                    system: held.system.clone(),
                    from: time(held.from),
                    until: held.until.map(time),
                    deputy: held.deputy,
                    appointed_by: self.given_by(held).await?,
                    in_force: false,
                };
                match views.iter_mut().find(|view| view.role.code == held.role) {
                    Some(view) => view.appointments.push(appointment),
                    None => views.push(RoleView {
                        role: Role {
                            code: held.role.clone(),
                            name: Text::new(held.role.as_str(), held.role.as_str()),
                            scope: RoleScope::Installation,
                            appointed_by: Vec::new(),
                            not_with: Vec::new(),
                            privileged: false,
                            outside: false,
                            committee: false,
                            help: None,
                            clauses: Vec::new(),
                        },
                        appointments: vec![appointment],
                        may_appoint: false,
                        vanished: true,
                    }),
                }
            }
        }
        Ok(views)
    }
}

/// One of somebody's appointments, with its version.
fn held(context: &ActorContext, appointment: ObjectId) -> Result<(&body::Role, u64)> {
    context
        .roles
        .iter()
        .zip(&context.role_objects)
        .find(|(_, (id, _))| *id == appointment)
        .map(|(role, (_, version))| (role, *version))
        .ok_or_else(Error::not_found)
}

fn role_version<'a>(
    caller: &Caller,
    object: ObjectId,
    version: u64,
    plain: &'a [u8],
    now: Timestamp,
) -> Result<NewVersion<'a>> {
    Ok(NewVersion {
        object,
        version,
        kind: kind::ROLE,
        label: AccessLabel {
            class: ClassCode::new("role").map_err(Error::internal)?,
            state: RecordState::Confirmed,
            institution: caller.institution().unwrap_or(InstitutionId::from_bytes([0; 16])),
        },
        author: Some(caller.actor),
        on_behalf: None,
        confirmer: None,
        plain,
        pack: caller.pack,
        recorded: now,
    })
}
