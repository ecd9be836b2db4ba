//! What decides who may see a person's record: care team, consents, proxies, protection, and
//! declared emergencies. Every change raises the person's access version.

use std::time::Duration;

use mimamori_domain::{
    AccessLabel, Action, ActorId, Authorship, ClassCode, Error, InstitutionId, Kind, ObjectId, RecordState,
    Result, SubjectId, Timestamp,
};
use mimamori_policy::{Decision, GeneralTarget};
use mimamori_store::{AccessKey, Change, ObjectVersion, Question, Unit, tables};

use crate::App;
use crate::access::{ATTEMPTS, Settled, decided, kept_changing};
use crate::body::{self, Body, BreakGlass, Consent, Flags, Proxy, kind};
use crate::caller::Caller;
use crate::context::{SubjectContext, deciding_question, object_from_row, open_with};
use crate::record::{NewVersion, fault, label_of, put_version, stated_reason};

/// A change to one deciding object of a subject: the version it follows and its new body.
struct Deciding {
    object: ObjectId,
    /// `None` for a new object.
    previous: Option<ObjectVersion>,
    kind: Kind,
    class: &'static str,
    bytes: Vec<u8>,
}

impl App {
    /// Adds somebody, or an institution's staff, to a person's care team.
    ///
    /// # Errors
    /// Invalid unless exactly one is named; forbidden; unavailable.
    pub async fn add_team_member(
        &self,
        caller: &Caller,
        subject: SubjectId,
        actor: Option<ActorId>,
        institution: Option<InstitutionId>,
    ) -> Result<()> {
        let member = member_reference(actor, institution)?;
        self.change_team(caller, subject, |team, now| {
            let participants = participants(team)?;
            participants.push(serde_json::json!({
                "member": {"reference": member}, "period": {"start": now.to_string()},
            }));
            Ok(())
        })
        .await
    }

    /// Ends a membership in a person's care team.
    ///
    /// # Errors
    /// Not found when there is no such membership.
    pub async fn end_team_member(
        &self,
        caller: &Caller,
        subject: SubjectId,
        actor: Option<ActorId>,
        institution: Option<InstitutionId>,
    ) -> Result<()> {
        let member = member_reference(actor, institution)?;
        self.change_team(caller, subject, |team, now| {
            let mut ended = false;
            for participant in participants(team)? {
                let is_member =
                    participant.pointer("/member/reference").is_some_and(|text| *text == member.as_str());
                let open = participant.pointer("/period/end").is_none();
                if is_member && open {
                    let start = participant.pointer("/period/start").cloned();
                    let period = serde_json::json!({"start": start, "end": now.to_string()});
                    if let Some(participant) = participant.as_object_mut() {
                        participant.insert("period".to_owned(), period);
                        ended = true;
                    }
                }
            }
            if ended { Ok(()) } else { Err(Error::not_found()) }
        })
        .await
    }

    async fn change_team(
        &self,
        caller: &Caller,
        subject: SubjectId,
        change: impl Fn(&mut serde_json::Value, Timestamp) -> Result<()>,
    ) -> Result<()> {
        self.change_deciding(caller, subject, Action::Update, None, |app, context| {
            let now = app.clock.now();
            let previous = context.iter().find(|(version, _)| version.kind == kind::CARE_TEAM);
            let mut team = match previous {
                Some((_, plain)) => serde_json::from_slice(plain).map_err(Error::internal)?,
                None => serde_json::json!({
                    "resourceType": "CareTeam", "status": "active",
                    "subject": {"reference": format!("Patient/{subject}")},
                }),
            };
            change(&mut team, now)?;
            Ok(Deciding {
                object: previous.map_or_else(ObjectId::in_order, |(version, _)| version.object),
                previous: previous.map(|(version, _)| version.clone()),
                kind: kind::CARE_TEAM,
                class: "team",
                bytes: serde_json::to_vec(&team).map_err(Error::internal)?,
            })
        })
        .await
        .map(|_| ())
    }

    /// Records a consent, or a refusal, for a class and an institution or for all.
    ///
    /// # Errors
    /// Forbidden, unavailable.
    pub async fn add_consent(
        &self,
        caller: &Caller,
        subject: SubjectId,
        permit: bool,
        class: Option<ClassCode>,
        institution: Option<InstitutionId>,
    ) -> Result<ObjectId> {
        self.change_deciding(caller, subject, Action::Create, None, |app, _| {
            let from = app.clock.now().as_micros();
            let consent = Consent { permit, class: class.clone(), institution, from, until: None };
            new_object(&consent, "consent")
        })
        .await
    }

    /// Withdraws a consent. It never hides a record from the institution that answers for it.
    ///
    /// # Errors
    /// Not found when the person has no such consent.
    pub async fn withdraw_consent(
        &self,
        caller: &Caller,
        subject: SubjectId,
        consent: ObjectId,
    ) -> Result<()> {
        self.change_deciding(caller, subject, Action::Update, None, |app, objects| {
            next_object::<Consent>(
                objects,
                |version, _| version.object == consent,
                "consent",
                |consent| {
                    consent.until = Some(app.clock.now().as_micros());
                },
            )
        })
        .await
        .map(|_| ())
    }

    /// Lets a citizen user speak for a person (代諾者), until a time or without end.
    ///
    /// # Errors
    /// Forbidden, unavailable.
    pub async fn add_proxy(
        &self,
        caller: &Caller,
        subject: SubjectId,
        actor: ActorId,
        until: Option<Timestamp>,
    ) -> Result<()> {
        self.change_deciding(caller, subject, Action::Create, Some(("proxy", actor)), |app, _| {
            let from = app.clock.now().as_micros();
            new_object(&Proxy { actor, from, until: until.map(Timestamp::as_micros) }, "proxy")
        })
        .await
        .map(|_| ())
    }

    /// Sets or takes back a person's protection (abuse, domestic violence).
    ///
    /// # Errors
    /// Forbidden, unavailable.
    pub async fn set_protection(&self, caller: &Caller, subject: SubjectId, on: bool) -> Result<()> {
        self.change_flags(caller, subject, None, |flags| flags.protection = on).await
    }

    /// Ties a citizen user's account to the person they are.
    pub(crate) async fn set_own_actor(
        &self,
        caller: &Caller,
        subject: SubjectId,
        actor: ActorId,
    ) -> Result<()> {
        self.change_flags(caller, subject, Some(("self", actor)), |flags| flags.own_actor = Some(actor)).await
    }

    /// Puts the tie of a citizen's account to a person into a unit, with its ledger entry: as the person
    /// themself, or as their proxy until a time. Whoever decided the case has asked for the rights to.
    ///
    /// # Errors
    /// Not found for an unknown person; conflict when the person has an account already.
    pub(crate) async fn put_citizen(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &mut Unit,
        subject: SubjectId,
        actor: ActorId,
        proxy: Option<Option<Timestamp>>,
    ) -> Result<()> {
        let context = self.subject_context(subject).await?;
        let now = self.clock.now();
        let (change, role, action) = match proxy {
            Some(until) => {
                let body = Proxy { actor, from: now.as_micros(), until: until.map(Timestamp::as_micros) };
                (new_object(&body, "proxy")?, "proxy", Action::Create)
            }
            None => {
                let objects = self.deciding_objects(&context).await?;
                let own = |flags: &mut Flags| flags.own_actor = Some(actor);
                (next_object::<Flags>(&objects, |_, _| true, "flags", own)?, "self", Action::Update)
            }
        };
        let (object, kind) = (change.object, change.kind.clone());
        let version = change.previous.as_ref().map_or(1, |previous| previous.version + 1);
        unit.guards.push(context.guard());
        let commitment = self.put_deciding(caller, &context, change, now, unit)?;
        let row = vec![object.into(), role.into(), actor.into(), subject.into()];
        unit.changes.push(Change::insert(&tables::LINK, row));
        let mut entry = decided(caller.entry(unit.id, action), decision);
        entry.subject = Some(subject);
        entry.resource = Some((kind, Some(object)));
        entry.version = Some(version);
        entry.commitments = vec![commitment];
        let index = u32::try_from(unit.entries.len()).unwrap_or(u32::MAX);
        let entry = self.with_sealed(caller, entry, index, None)?;
        unit.entries.push(entry);
        Ok(())
    }

    async fn change_flags(
        &self,
        caller: &Caller,
        subject: SubjectId,
        link: Option<(&'static str, ActorId)>,
        change: impl Fn(&mut Flags),
    ) -> Result<()> {
        self.change_deciding(caller, subject, Action::Update, link, |_, objects| {
            next_object::<Flags>(objects, |_, _| true, "flags", &change)
        })
        .await
        .map(|_| ())
    }

    /// Declares danger to life: for the hours that the pack names, the caller sees this person's
    /// confirmed records. Gives the time when it ends.
    ///
    /// # Errors
    /// Invalid without a reason; forbidden for occupations that the pack does not name.
    pub async fn break_glass(&self, caller: &Caller, subject: SubjectId, reason: &str) -> Result<Timestamp> {
        let reason = stated_reason(reason)?;
        let hours = self.pack.parameter_u64("break-glass.hours")?;
        for _ in 0..ATTEMPTS {
            let now = self.clock.now();
            let until = now.plus(Duration::from_secs(hours * 60 * 60));
            let context = self.subject_context(subject).await?;
            let mut declared = caller.clone();
            declared.declare_emergency(until);
            let target = GeneralTarget::of(Kind::of("break-glass"));
            let decision = self.require_general(&declared, Action::BreakGlass, target).await?;
            let body =
                BreakGlass { actor: caller.actor, reason: reason.to_owned(), until: until.as_micros() };
            let mut unit = Unit::new();
            unit.guards.push(context.guard());
            let change = new_object(&body, "break-glass")?;
            let object = change.object;
            let commitment = self.put_deciding(caller, &context, change, now, &mut unit)?;
            let mut entry = decided(declared.entry(unit.id, Action::BreakGlass), &decision);
            entry.subject = Some(subject);
            entry.resource = Some((kind::BREAK_GLASS, Some(object)));
            entry.version = Some(1);
            entry.commitments = vec![commitment];
            let entry = self.with_sealed(caller, entry, 0, Some(reason))?;
            if let Settled::Done = self.settle(caller, unit.entry(entry)).await? {
                return Ok(until);
            }
        }
        Err(kept_changing())
    }

    /// Changes one deciding object of a subject. `make` sees the current ones, opened.
    async fn change_deciding(
        &self,
        caller: &Caller,
        subject: SubjectId,
        action: Action,
        link: Option<(&'static str, ActorId)>,
        make: impl Fn(&Self, &[(ObjectVersion, Vec<u8>)]) -> Result<Deciding>,
    ) -> Result<ObjectId> {
        for _ in 0..ATTEMPTS {
            let context = self.subject_context(subject).await?;
            let objects = self.deciding_objects(&context).await?;
            let change = make(self, &objects)?;
            let now = self.clock.now();
            let action = if change.previous.is_none() { Action::Create } else { action };
            let decision = self.decide_deciding(caller, action, &context, &change, now).await?;
            let object = change.object;
            let kind = change.kind.clone();
            let version = change.previous.as_ref().map_or(1, |previous| previous.version + 1);
            let mut unit = Unit::new();
            unit.guards.push(context.guard());
            let commitment = self.put_deciding(caller, &context, change, now, &mut unit)?;
            if let Some((role, actor)) = link {
                let row = vec![object.into(), role.into(), actor.into(), subject.into()];
                unit.changes.push(Change::insert(&tables::LINK, row));
                unit.bumps.push(AccessKey::from(actor));
            }
            let mut entry = decided(caller.entry(unit.id, action), &decision);
            entry.subject = Some(subject);
            entry.resource = Some((kind, Some(object)));
            entry.version = Some(version);
            entry.commitments = vec![commitment];
            let entry = self.with_sealed(caller, entry, 0, None)?;
            if let Settled::Done = self.settle(caller, unit.entry(entry)).await? {
                return Ok(object);
            }
        }
        Err(kept_changing())
    }

    /// Staff and citizens by the rules about the class; the operator of the machine by those about
    /// registering people.
    async fn decide_deciding(
        &self,
        caller: &Caller,
        action: Action,
        context: &SubjectContext,
        change: &Deciding,
        now: Timestamp,
    ) -> Result<Decision> {
        if caller.context.is_none() {
            return self.require_general(caller, action, GeneralTarget::of(Kind::of("subject"))).await;
        }
        let label = match &change.previous {
            Some(previous) => label_of(previous)?,
            None => self.deciding_label(caller, context, change.class)?,
        };
        let authorship = change
            .previous
            .as_ref()
            .and_then(|previous| previous.author)
            .map(|author| Authorship { author, on_behalf_of: None });
        let decision = self.decide(caller, action, context, &label, authorship.as_ref(), now);
        if decision.allowed {
            return Ok(decision);
        }
        let resource = Some((change.kind.clone(), change.previous.as_ref().map(|previous| previous.object)));
        Err(self.refuse(caller, action, Some(context.subject), resource, &decision).await)
    }

    fn deciding_label(&self, caller: &Caller, context: &SubjectContext, class: &str) -> Result<AccessLabel> {
        let institution =
            caller.institution().or(context.facts.registering_institution).ok_or_else(Error::forbidden)?;
        let class = ClassCode::new(class).map_err(Error::internal)?;
        Ok(AccessLabel { class, state: RecordState::Confirmed, institution })
    }

    pub(crate) async fn deciding_objects(
        &self,
        context: &SubjectContext,
    ) -> Result<Vec<(ObjectVersion, Vec<u8>)>> {
        let Question { statement, args, lists } = deciding_question(context.subject);
        let mut rows = self.store.query_lists(statement, args, lists).await?;
        rows.iter_mut()
            .map(|row| {
                let version = object_from_row(row)?;
                let plain = open_with(&context.keys, &version)?.to_vec();
                Ok((version, plain))
            })
            .collect()
    }

    /// Adds the new version of a deciding object to a unit; gives its commitment.
    fn put_deciding(
        &self,
        caller: &Caller,
        context: &SubjectContext,
        change: Deciding,
        now: Timestamp,
        unit: &mut Unit,
    ) -> Result<[u8; 32]> {
        let label = match &change.previous {
            Some(previous) => label_of(previous)?,
            None => self.deciding_label(caller, context, change.class)?,
        };
        let new = NewVersion {
            object: change.object,
            version: change.previous.as_ref().map_or(1, |previous| previous.version + 1),
            kind: change.kind,
            label,
            author: Some(caller.actor),
            on_behalf: None,
            confirmer: Some(caller.actor),
            plain: &change.bytes,
            pack: caller.pack,
            recorded: now,
        };
        let version = self.seal_version(context, new, unit)?;
        if version.kind == kind::CARE_TEAM {
            self.link_team(&version, &change.bytes, context.subject, unit)?;
        }
        unit.bumps.push(AccessKey::from(context.subject));
        Ok(put_version(unit, version, now))
    }
}

fn member_reference(actor: Option<ActorId>, institution: Option<InstitutionId>) -> Result<String> {
    match (actor, institution) {
        (Some(actor), None) => Ok(format!("Practitioner/{actor}")),
        (None, Some(institution)) => Ok(format!("Organization/{institution}")),
        _ => Err(fault("member", "name either a staff member or an institution", "value")),
    }
}

fn participants(team: &mut serde_json::Value) -> Result<&mut Vec<serde_json::Value>> {
    let team = team.as_object_mut().ok_or_else(|| Error::internal("a stored CareTeam is no object"))?;
    team.entry("participant")
        .or_insert_with(|| serde_json::json!([]))
        .as_array_mut()
        .ok_or_else(|| Error::internal("a stored CareTeam's participants are no list"))
}

fn new_object<T: Body>(body: &T, class: &'static str) -> Result<Deciding> {
    Ok(Deciding {
        object: ObjectId::in_order(),
        previous: None,
        kind: T::KIND,
        class,
        bytes: body::to_bytes(body)?,
    })
}

/// The next version of the first object of a kind that `which` accepts.
fn next_object<T: Body>(
    objects: &[(ObjectVersion, Vec<u8>)],
    which: impl Fn(&ObjectVersion, &T) -> bool,
    class: &'static str,
    change: impl Fn(&mut T),
) -> Result<Deciding> {
    for (version, plain) in objects.iter().filter(|(version, _)| version.kind == T::KIND) {
        let mut body: T = body::from_bytes(plain)?;
        if which(version, &body) {
            change(&mut body);
            return Ok(Deciding {
                object: version.object,
                previous: Some(version.clone()),
                kind: T::KIND,
                class,
                bytes: body::to_bytes(&body)?,
            });
        }
    }
    Err(Error::not_found())
}
