//! What a decision does: once, in one unit with the step that completes it. What this version of
//! the program cannot do becomes a task for somebody, never passed over.

use std::collections::BTreeMap;

use jiff::civil;
use mimamori_domain::{
    Action, Error, InstitutionId, Kind, ObjectId, RecordState, Result, RoleCode, Timestamp,
};
use mimamori_policy::model::{
    Effect, EffectKind, Field, FieldType, Procedure, Records, Register, Source, Step, StepKind, Who,
};
use mimamori_policy::{Decision, Language, Pack, RoleScope};
use mimamori_store::Unit;
use serde_json::Value;

use super::account_effects::Touched;
use super::{ByHandTask, Case, DoneByHand, MOST_TEXT, Mark, Stage};
use crate::App;
use crate::access::{Settled, decided, kept_changing};
use crate::body::{kind, time};
use crate::caller::Caller;
use crate::governance::appointments::{Given, NewAppointment};
use crate::governance::object::{Governed, Writing};
use crate::governance::purpose;
use crate::governance::show::Label;
use crate::governance::values::{self, Values, choice_codes};
use crate::governance::who::{Reach, Whereabouts};
use crate::record::fault;

/// Whose task it is when the pack names nobody closer.
const LAST_RESORT: &str = "system-manager";

/// What is done to accounts.
const OF_ACCOUNTS: [EffectKind; 7] = [
    EffectKind::IssueAccount,
    EffectKind::ChangeAccount,
    EffectKind::StopAccount,
    EffectKind::ResumeAccount,
    EffectKind::DeleteAccount,
    EffectKind::OpenMaintenance,
    EffectKind::CloseMaintenance,
];

/// What an effect came to.
pub(super) enum Did {
    Done,
    ByHand,
}

impl App {
    /// Does what the last approval permits when it is `due`, and writes the register entry once the case
    /// is finished.
    #[expect(clippy::too_many_arguments, reason = "each is one part of one decision")]
    pub(crate) async fn carry_out(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &mut Unit,
        pack: &Pack,
        procedure: &Procedure,
        (id, institution): (ObjectId, Option<InstitutionId>),
        case: &mut Case,
        due: bool,
    ) -> Result<()> {
        if due && !case.settled {
            case.settled = true;
            self.effects(caller, decision, unit, pack, procedure, (id, institution), case).await?;
        }
        self.record_end(caller, decision, unit, procedure, id, case).await
    }

    #[expect(clippy::too_many_arguments, reason = "each is one part of one decision")]
    async fn effects(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &mut Unit,
        pack: &Pack,
        procedure: &Procedure,
        (id, institution): (ObjectId, Option<InstitutionId>),
        case: &mut Case,
    ) -> Result<()> {
        let mut touched = Touched::default();
        for (place, effect) in procedure.effects.iter().enumerate() {
            let arguments = arguments(effect, case);
            let did = if effect.action == EffectKind::AdoptPack {
                let adopted = self.put_adoption(caller, decision, unit, id, case).await?;
                if adopted { Did::Done } else { Did::ByHand }
            } else if let EffectKind::RegisterDevice | EffectKind::RetireDevice = effect.action {
                let done = self.put_device_effect(caller, decision, unit, effect.action, &arguments).await?;
                if done { Did::Done } else { Did::ByHand }
            } else if OF_ACCOUNTS.contains(&effect.action) {
                let (action, touched) = (effect.action, &mut touched);
                let (did, made) =
                    self.account_effect(caller, decision, unit, id, action, &arguments, touched).await?;
                case.made.extend(made);
                did
            } else {
                self.effect(caller, decision, unit, id, effect.action, &arguments).await?
            };
            if let Did::ByHand = did {
                let task = self.by_hand(pack, procedure, place, arguments, id, case);
                let object = self.put_task(caller, decision, unit, procedure, institution, &task).await?;
                case.tasks.push(object);
            }
        }
        Ok(())
    }

    /// Writes the register entry that a finished procedure leaves, into the unit that finishes it.
    async fn record_end(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &mut Unit,
        procedure: &Procedure,
        id: ObjectId,
        case: &mut Case,
    ) -> Result<()> {
        let Some(records) = procedure.records.as_ref().filter(|_| case.stage == Stage::Finished) else {
            return Ok(());
        };
        // A register that a newer pack has no more is not written to.
        let Some(register) = self.pack.register(&records.register) else { return Ok(()) };
        let values = self.recorded(procedure, register, records, case).await?;
        let entry = ObjectId::random();
        self.put_entry(caller, decision, unit, register, (entry, values), Some(id)).await?;
        case.entry = Some((register.code.clone(), entry));
        Ok(())
    }

    async fn effect(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &mut Unit,
        case: ObjectId,
        action: EffectKind,
        arguments: &BTreeMap<String, Value>,
    ) -> Result<Did> {
        let actor = |name: &str| arguments.get(name).and_then(Value::as_str).and_then(|id| id.parse().ok());
        match action {
            EffectKind::Appoint | EffectKind::GrantPrivilege => {
                let role: Option<RoleCode> =
                    arguments.get("role").and_then(Value::as_str).and_then(|code| code.parse().ok());
                let Some((person, role)) = actor("person").zip(role) else { return Ok(Did::ByHand) };
                // An appointment to one information system names it: that is more than a form holds.
                let scope = self.pack.role(&role).map(|role| role.scope);
                if scope.is_none() || scope == Some(RoleScope::System) {
                    return Ok(Did::ByHand);
                }
                let context = self.actor_context_now(person).await?;
                let appointment = NewAppointment {
                    actor: person,
                    role,
                    institution: context.account.institution,
                    unit: context.account.unit.clone(),
                    system: None,
                    from: arguments
                        .get("from")
                        .and_then(|value| moment(value, false))
                        .unwrap_or_else(|| self.clock.now()),
                    until: arguments.get("until").and_then(|value| moment(value, true)),
                    deputy: false,
                };
                let granted = (action == EffectKind::GrantPrivilege).then_some(case);
                if granted.is_some() && !self.grantable(&appointment)? {
                    return Ok(Did::ByHand);
                }
                let (object, commitment) = self
                    .put_appointment(
                        caller,
                        unit,
                        &appointment,
                        granted.map_or(Given::Appointed, Given::Case),
                    )
                    .await?;
                self.put_administered(caller, decision, unit, kind::ROLE, (object, 1), commitment)?;
                Ok(Did::Done)
            }
            EffectKind::EndAppointment => {
                let role: Option<RoleCode> =
                    arguments.get("role").and_then(Value::as_str).and_then(|code| code.parse().ok());
                let Some((person, role)) = actor("person").zip(role) else { return Ok(Did::ByHand) };
                let until = arguments
                    .get("until")
                    .and_then(|value| moment(value, true))
                    .or_else(|| arguments.get("from").and_then(|value| moment(value, false)));
                let now = self.clock.now();
                let until = until.map_or(now, |until| until.max(now));
                let context = self.actor_context_now(person).await?;
                let held: Vec<_> = context
                    .roles
                    .iter()
                    .zip(&context.role_objects)
                    .filter(|(held, _)| held.role == role && held.until.is_none_or(|end| now < time(end)))
                    .collect();
                if held.is_empty() {
                    return Err(fault("person", "this person does not hold the role", "business-rule"));
                }
                // One that ends by then anyway is left as it is.
                let ending: Vec<(ObjectId, u64)> = held
                    .into_iter()
                    .filter(|(held, _)| held.until.is_none_or(|end| until < time(end)))
                    .map(|(_, at)| *at)
                    .collect();
                for (object, version) in ending {
                    let commitment = self.put_end_of_appointment(caller, unit, person, object, until).await?;
                    let at = (object, version + 1);
                    self.put_administered(caller, decision, unit, kind::ROLE, at, commitment)?;
                }
                Ok(Did::Done)
            }
            _ => Ok(Did::ByHand),
        }
    }

    /// Whether a privilege may be granted like this: where nothing else makes a privileged role count, it
    /// has an end and lasts no longer than the pack's hours.
    fn grantable(&self, new: &NewAppointment) -> Result<bool> {
        let privileged = self.pack.role(&new.role).is_some_and(|role| role.privileged);
        if !privileged || !self.pack.parameter_bool("privileges.only-by-grant")? {
            return Ok(true);
        }
        let most = 3_600 * self.pack.parameter_u64("privileges.most-hours")?;
        Ok(new.until.is_some_and(|until| until.since(new.from) <= std::time::Duration::from_secs(most)))
    }

    /// Puts the ledger entry of a changed account or appointment into a unit.
    pub(crate) fn put_administered(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &mut Unit,
        kind: Kind,
        (object, version): (ObjectId, u64),
        commitment: [u8; 32],
    ) -> Result<()> {
        let mut entry = decided(caller.entry(unit.id, Action::Administer), decision);
        entry.resource = Some((kind, Some(object)));
        entry.version = Some(version);
        entry.commitments = vec![commitment];
        let index = u32::try_from(unit.entries.len()).unwrap_or(u32::MAX);
        let entry = self.with_sealed(caller, entry, index, None)?;
        unit.entries.push(entry);
        Ok(())
    }

    fn by_hand(
        &self,
        pack: &Pack,
        procedure: &Procedure,
        place: usize,
        arguments: BTreeMap<String, Value>,
        id: ObjectId,
        case: &Case,
    ) -> ByHandTask {
        let (people, here) = task_people(pack, procedure);
        ByHandTask {
            case: id,
            effect: procedure
                .effects
                .get(place)
                .map_or_else(String::new, |effect| effect.action.as_str().to_owned()),
            place,
            arguments,
            people,
            here,
            unit: case.unit.clone(),
            applicant: case.applicant,
            created: self.clock.now().as_micros(),
            pack: case.pack.clone(),
            done: None,
        }
    }

    async fn put_task(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &mut Unit,
        procedure: &Procedure,
        institution: Option<InstitutionId>,
        task: &ByHandTask,
    ) -> Result<ObjectId> {
        let object = ObjectId::random();
        let writing = Writing {
            object,
            follows: 0,
            code: &procedure.code,
            state: RecordState::AwaitingConfirmation,
            institution,
            sorted: self.clock.now(),
            body: task,
        };
        self.put_task_version(caller, decision, unit, &writing, Action::Create).await?;
        Ok(object)
    }

    async fn put_task_version(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &mut Unit,
        writing: &Writing<'_, ByHandTask>,
        action: Action,
    ) -> Result<()> {
        let commitment = self.write_governed(caller, unit, writing).await?;
        let mut entry = decided(caller.entry(unit.id, action), decision);
        entry.resource = Self::resource_of::<ByHandTask>(writing.object);
        entry.version = Some(writing.follows + 1);
        entry.commitments = vec![commitment];
        let index = u32::try_from(unit.entries.len()).unwrap_or(u32::MAX);
        let entry = self.with_sealed(caller, entry, index, None)?;
        unit.entries.push(entry);
        Ok(())
    }

    /// Marks a task as carried out by hand. `seen` is the version that was looked at.
    ///
    /// # Errors
    /// Not found; forbidden to whom the task is not given; conflict when it is done already;
    /// unavailable.
    pub async fn carry_out_by_hand(
        &self,
        caller: &Caller,
        task: ObjectId,
        seen: u64,
        note: &str,
    ) -> Result<()> {
        let caller = purpose(caller);
        let current = self.governed::<ByHandTask>(task).await?.ok_or_else(Error::not_found)?;
        let named = self.has_task(&caller, &current);
        let decision = self.require_own(&caller, Action::Update, named).await?;
        if current.version != seen || current.state != RecordState::AwaitingConfirmation {
            return Err(super::begin::changed_meanwhile());
        }
        let note = note.trim();
        if note.chars().count() > MOST_TEXT {
            return Err(fault("note", "a note has at most 2,000 characters", "too-long"));
        }
        let now = self.clock.now();
        let mut body = current.body;
        body.done = Some(DoneByHand { by: caller.actor, at: now.as_micros(), note: note.to_owned() });
        let writing = Writing {
            object: task,
            follows: current.version,
            code: current.code.as_str(),
            state: RecordState::Confirmed,
            institution: current.institution,
            sorted: now,
            body: &body,
        };
        let mut unit = Unit::new();
        self.put_task_version(&caller, &decision, &mut unit, &writing, Action::Update).await?;
        match self.settle(&caller, unit).await? {
            Settled::Done => Ok(()),
            Settled::Again => Err(kept_changing()),
        }
    }

    /// Whether a task is the caller's.
    pub(crate) fn has_task(&self, caller: &Caller, task: &Governed<ByHandTask>) -> bool {
        let words: Vec<Who> = task.body.people.iter().filter_map(|word| who(word)).collect();
        let place = Whereabouts { institution: task.institution, unit: task.body.unit.clone(), system: None };
        let reach = if task.body.here { Reach::Here(&place) } else { Reach::Anywhere };
        caller.named(&words, reach, Some(task.body.applicant), self.clock.now()).is_some()
    }

    /// What the register's fields hold, as the case says.
    async fn recorded(
        &self,
        procedure: &Procedure,
        register: &Register,
        records: &Records,
        case: &Case,
    ) -> Result<Values> {
        let mut recorded = Values::new();
        for field in &register.fields {
            let Some(source) = records.fields.get(&field.code) else { continue };
            let Some(value) = value_of(source, case) else { continue };
            let from = match source {
                Source::Field(reference) => procedure.field_at(reference),
                _ => None,
            };
            if let Some(value) = self.fitting(field, from, value).await? {
                recorded.insert(field.code.clone(), value);
            }
        }
        values::derive(&register.fields, &mut recorded);
        Ok(recorded)
    }

    /// A value as a field of another form takes it: in words where the field is a text.
    async fn fitting(&self, field: &Field, from: Option<&Field>, value: Value) -> Result<Option<Value>> {
        let texts = matches!(field.kind, FieldType::Text { .. } | FieldType::LongText { .. });
        let foreign =
            from.filter(|from| !matches!(from.kind, FieldType::Text { .. } | FieldType::LongText { .. }));
        let value = match foreign.filter(|_| texts) {
            Some(from) => {
                let values = Values::from([(from.code.clone(), value)]);
                let shown = self.show_values(&self.pack, std::slice::from_ref(from), &values).await?;
                let words: Vec<String> = shown.into_values().flatten().map(words).collect();
                Value::String(words.join("、"))
            }
            None => value,
        };
        let one = |value: Value| -> Option<Value> {
            match &field.kind {
                FieldType::Text { most } | FieldType::LongText { most } => {
                    let line = matches!(field.kind, FieldType::Text { .. });
                    let text: String = value.as_str()?.chars().take(*most as usize).collect();
                    Some(Value::String(if line { text.replace('\n', " ") } else { text }))
                }
                FieldType::Date => Some(Value::String(value.as_str()?.get(..10)?.to_owned())),
                FieldType::DateTime => {
                    let text = value.as_str()?;
                    Some(Value::String(if text.contains('T') {
                        text.to_owned()
                    } else {
                        format!("{text}T00:00")
                    }))
                }
                FieldType::Choice(choices) => {
                    let code = value.as_str()?;
                    choice_codes(&self.pack, choices).any(|known| known == code).then(|| value.clone())
                }
                FieldType::YesNo => match value {
                    Value::Bool(_) => Some(value),
                    Value::String(word) => Some(Value::Bool(word == "yes")),
                    _ => None,
                },
                _ => Some(value),
            }
        };
        Ok(match (value, field.many) {
            (Value::Array(many), true) => Some(Value::Array(many.into_iter().filter_map(one).collect())),
            (Value::Array(many), false) => many.into_iter().next().and_then(one),
            (value, true) => one(value).map(|value| Value::Array(vec![value])),
            (value, false) => one(value),
        })
    }
}

/// A value in Japanese words, for a text.
pub(crate) fn words(label: Label) -> String {
    match label {
        Label::Plain(text) | Label::Subject(text) => text,
        Label::Moment(text) => text.replace('T', " "),
        Label::Word(word) => word.get(Language::Ja).to_owned(),
        Label::YesNo(yes) => if yes { "はい" } else { "いいえ" }.to_owned(),
        Label::Number(number, unit) => {
            format!("{number}{}", unit.as_ref().map_or("", |unit| unit.get(Language::Ja)))
        }
        Label::Entry { name, .. } | Label::File { name, .. } => name,
    }
}

/// Whose task an effect is that nobody but people can carry out, and whether it belongs to where the
/// applicant does.
fn task_people(pack: &Pack, procedure: &Procedure) -> (Vec<String>, bool) {
    let text = |words: &[Who]| words.iter().map(|who| who.as_str().to_owned()).collect::<Vec<_>>();
    let does = |step: &&Step| step.kind == StepKind::CarryOut && !step.by.is_empty();
    if let Some(step) = procedure.steps.iter().rev().find(does) {
        return (text(&step.by), step.of != mimamori_policy::model::Of::Installation);
    }
    let register = procedure.records.as_ref().and_then(|records| pack.register(&records.register));
    match register.filter(|register| !register.keeper.is_empty()) {
        Some(register) => (text(&register.keeper), false),
        None => (vec![LAST_RESORT.to_owned()], false),
    }
}

/// A word of the pack, read back.
fn who(word: &str) -> Option<Who> {
    match word {
        "anyone" => Some(Who::Anyone),
        "citizen" => Some(Who::Citizen),
        "applicant" => Some(Who::Applicant),
        code => code.parse().ok().map(Who::Role),
    }
}

fn arguments(effect: &Effect, case: &Case) -> BTreeMap<String, Value> {
    effect.with.iter().filter_map(|(name, source)| Some((name.clone(), value_of(source, case)?))).collect()
}

fn value_of(source: &Source, case: &Case) -> Option<Value> {
    let approval = || {
        let last =
            case.events.iter().rev().find(|event| event.mark.decides() || event.mark == Mark::ActedFirst);
        case.approved
            .map(|approval| (approval.by, approval.at))
            .or_else(|| last.map(|event| (event.by, event.at)))
    };
    match source {
        Source::Field(reference) => case.known().get(&reference.to_string()).cloned(),
        Source::Text(text) => Some(Value::String(text.clone())),
        Source::Applicant => Some(Value::String(case.applicant.to_string())),
        Source::DecidedOn => day(approval()?.1).map(Value::String),
        Source::DecidedBy => Some(Value::String(approval()?.0.to_string())),
    }
}

/// The day in Japan.
fn day(micros: i64) -> Option<String> {
    let at = jiff::Timestamp::from_microsecond(micros).ok()?;
    Some(jiff::tz::Offset::constant(9).to_datetime(at).date().to_string())
}

/// A day or time in Japan; as an end, a day counts to its last moment.
pub(super) fn moment(value: &Value, end: bool) -> Option<Timestamp> {
    let text = value.as_str()?;
    let time = match text.parse::<civil::Date>() {
        Ok(date) if !text.contains('T') => (if end { date.tomorrow().ok()? } else { date }).at(0, 0, 0, 0),
        _ => text.parse::<civil::DateTime>().ok()?,
    };
    let at = jiff::tz::Offset::constant(9).to_timestamp(time).ok()?;
    Some(Timestamp::from_micros(at.as_microsecond()))
}
