//! One case as shown: its form, its steps, what happened, and what the caller may do now.

use mimamori_domain::{Action, ActorId, Error, ObjectId, RecordState, Result, Timestamp};
use mimamori_policy::Pack;
use mimamori_policy::model::{Field, FieldType, Procedure, Step, StepRule};
use serde_json::Value;
use std::sync::Arc;

use super::act::{refusable, returnable, withdrawable};
use super::flow::{self, Mark, Verdict, tally};
use super::people::{How, Standing};
use super::{ByHandTask, Case, Event, Stage};
use crate::App;
use crate::accounts::HeldItem;
use crate::body::time;
use crate::caller::{ActorContext, Caller};
use crate::governance::adoption::Proposal;
use crate::governance::attachments::OpenedFile;
use crate::governance::object::{Governed, Look};
use crate::governance::purpose;
use crate::governance::registers::ENTRY;
use crate::governance::show::{Label, Shown};
use crate::governance::values::{Typed, Values};
use crate::governance::who::target;

/// Where a case stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaseStage {
    Draft,
    /// At a step.
    Open,
    /// With the applicant, for correction.
    Returned,
    Finished,
    Refused,
    Withdrawn,
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    Done,
    /// It waits for its people.
    Now,
    Ahead,
    /// Its condition does not hold.
    PassedOver,
    /// The case was refused, returned or withdrawn here.
    Stopped,
}

/// Somebody who may act at a step.
#[derive(Clone, PartialEq, Eq)]
pub struct StepPerson {
    pub actor: ActorId,
    pub name: String,
    /// The word of the pack that names them: a role's code, `anyone`, `applicant` or `person`.
    pub word: String,
    pub how: How,
}

/// A step of a case.
#[derive(Clone)]
pub struct CaseStep {
    pub step: Step,
    pub state: StepState,
    /// When it began in this round, UTC.
    pub begun: Option<Timestamp>,
    /// UTC.
    pub deadline: Option<Timestamp>,
    pub overdue: bool,
    /// Who may act, while it waits.
    pub people: Vec<StepPerson>,
    /// What was done at it, in every round.
    pub events: Vec<CaseEvent>,
    /// What it filled in, in words, by the code of the step's field.
    pub shown: Shown,
    /// Votes for and against in this round, at a committee's step.
    pub votes: Option<(usize, usize)>,
}

/// Something that happened.
#[derive(Clone)]
pub struct CaseEvent {
    /// UTC.
    pub at: Timestamp,
    pub by: ActorId,
    pub by_name: String,
    pub mark: Mark,
    /// From 1.
    pub round: u32,
    pub step: Option<String>,
    pub how: Option<How>,
    pub word: Option<String>,
    pub text: Option<String>,
    /// What they filled in, in words.
    pub shown: Shown,
}

/// What the caller may do with a case now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CaseRights {
    pub pass: bool,
    pub refuse: bool,
    pub give_back: bool,
    pub done: bool,
    pub told: bool,
    pub vote: bool,
    pub close_vote: bool,
    pub withdraw: bool,
    pub comment: bool,
    /// Hand a returned form in again.
    pub resubmit: bool,
    /// Change, hand in or throw away a draft.
    pub edit: bool,
    /// End it, because nobody can act at its step any more.
    pub end: bool,
}

impl CaseRights {
    /// Whether the case waits for the caller.
    #[must_use]
    pub const fn waits(self) -> bool {
        self.pass || self.done || self.told || self.vote || self.resubmit
    }
}

/// A task to be carried out by hand.
#[derive(Clone)]
pub struct ByHandView {
    pub id: ObjectId,
    pub version: u64,
    pub case: ObjectId,
    pub procedure: Procedure,
    /// The command's word in packs: `issue-account`.
    pub effect: String,
    /// Its arguments in words, by name.
    pub arguments: Vec<(String, Vec<Label>)>,
    /// Whose task it is: words of the pack.
    pub people: Vec<String>,
    /// UTC.
    pub created: Timestamp,
    /// Who did it, when, and what they noted.
    pub done: Option<(String, Timestamp, String)>,
    /// The caller may mark it as done.
    pub mine: bool,
}

/// An account that a case's approval issued.
#[derive(Clone)]
pub struct IssuedAccount {
    pub actor: ActorId,
    pub login: String,
    pub name: String,
    /// It has had no password yet.
    pub awaits_first: bool,
    /// The caller may issue its first password.
    pub may_issue: bool,
}

/// A case.
#[derive(Clone)]
pub struct CaseView {
    pub id: ObjectId,
    /// To be handed back with the next act.
    pub version: u64,
    /// As the pack had it that the case follows.
    pub procedure: Procedure,
    /// Hash of that pack, in hexadecimal.
    pub pack: String,
    pub stage: CaseStage,
    pub applicant: (ActorId, String),
    pub institution: Option<String>,
    /// The code of the applicant's unit (部署).
    pub unit: Option<String>,
    /// All times UTC.
    pub begun: Timestamp,
    pub submitted: Option<Timestamp>,
    pub finished: Option<Timestamp>,
    pub emergency: bool,
    /// When the report of an emergency should be through.
    pub report_due: Option<Timestamp>,
    pub overdue: bool,
    pub values: Values,
    /// The form in words, by the code of its field.
    pub shown: Shown,
    /// The form as it would be typed, to change a draft or a returned form.
    pub typed: Typed,
    pub steps: Vec<CaseStep>,
    /// Everything that happened, in order.
    pub history: Vec<CaseEvent>,
    pub may: CaseRights,
    pub by_hand: Vec<ByHandView>,
    /// Accounts that its approval issued.
    pub issued: Vec<IssuedAccount>,
    /// What whoever leaves by it has yet to return, for who may see their account.
    pub returns: Vec<HeldItem>,
    /// The register and the entry that its end wrote.
    pub entry: Option<(String, ObjectId)>,
    /// The pack that the case follows: the words of its steps and roles.
    pub rules: Arc<Pack>,
    /// The rules that it would bring into force, or did.
    pub proposal: Option<Proposal>,
    /// The rules in force have its procedure no more: a draft of it cannot be handed in.
    pub gone: bool,
}

/// Content stays out of debug output (invariant 9).
macro_rules! quiet {
    ($($name:ident: $field:ident),* $(,)?) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).field(stringify!($field), &self.$field).finish_non_exhaustive()
            }
        }
    )*};
}
quiet!(StepPerson: actor, CaseStep: state, CaseEvent: mark, ByHandView: id, IssuedAccount: actor, CaseView: id);

/// A case with all that is needed to look at it.
pub(crate) struct Opened {
    pub(crate) current: Governed<Case>,
    pub(crate) pack: Arc<Pack>,
    pub(crate) in_force: Arc<Pack>,
}

impl Opened {
    pub(crate) fn procedure(&self) -> Result<&Procedure> {
        self.pack.procedure(self.current.code.as_str()).ok_or_else(Error::not_found)
    }

    pub(crate) fn standing<'a>(
        &'a self,
        directory: &'a [Arc<ActorContext>],
        now: Timestamp,
    ) -> Result<Standing<'a>> {
        Ok(Standing {
            pack: &self.pack,
            in_force: &self.in_force,
            procedure: self.procedure()?,
            case: &self.current.body,
            institution: self.current.institution,
            directory,
            now,
        })
    }
}

impl App {
    /// The pack with this hash in hexadecimal.
    pub(crate) async fn pack_named(&self, hash: &str) -> Result<Arc<Pack>> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(hash, &mut bytes).map_err(Error::unavailable)?;
        self.pack_at(bytes).await
    }

    pub(crate) async fn opened(&self, current: Governed<Case>) -> Result<Opened> {
        let pack = self.pack_named(&current.body.pack).await?;
        Ok(Opened { current, pack, in_force: Arc::clone(&self.pack) })
    }

    /// One case: for whoever applied, acts at one of its steps or is told of it, and for those who
    /// oversee everything.
    ///
    /// # Errors
    /// Not found, forbidden, unavailable.
    pub async fn case(&self, caller: &Caller, id: ObjectId) -> Result<CaseView> {
        let caller = purpose(caller);
        let current = self.governed::<Case>(id).await?.ok_or_else(Error::not_found)?;
        // Nobody sees somebody else's unfinished form.
        if current.state == RecordState::Draft && current.body.applicant != caller.actor {
            return Err(Error::not_found());
        }
        let opened = self.opened(current).await?;
        let directory = self.directory().await?;
        let now = self.clock.now();
        let standing = opened.standing(&directory, now)?;
        let named = caller.context.as_deref().is_some_and(|context| standing.concerns(context));
        let tasks = self.tasks_of(&opened.current.body).await?;
        let named = named
            || tasks.iter().any(|task| self.has_task(&caller, task))
            || self.may_end(&caller, &standing);
        let decision = self.require_case(&caller, Action::Read, named).await?;
        let mut view = self.case_view(&caller, &opened, &standing, tasks).await?;
        if let Some((told, returns)) =
            self.returns_of(&caller, standing.procedure, &opened.current.body).await?
            && !returns.is_empty()
        {
            let look = Look::at(Action::Read, ENTRY).count(returns.len()).stated("what somebody must return");
            self.note_look(&caller, &told, look).await?;
            view.returns = returns;
        }
        self.note_look(
            &caller,
            &decision,
            Look::at(Action::Read, super::THING).object(id).version(opened.current.version),
        )
        .await?;
        Ok(view)
    }

    /// Whether the caller may see a case that is no draft; nothing is shown of it.
    pub(crate) async fn sees_case(&self, caller: &Caller, id: ObjectId) -> Result<bool> {
        let caller = purpose(caller);
        let Some(current) = self.governed::<Case>(id).await? else { return Ok(false) };
        let now = self.clock.now();
        if self.decide_general(&caller, Action::Read, &target(super::THING, false), now).allowed {
            return Ok(true);
        }
        let opened = self.opened(current).await?;
        let directory = self.directory().await?;
        let standing = opened.standing(&directory, now)?;
        Ok(caller.context.as_deref().is_some_and(|context| standing.concerns(context)))
    }

    /// Opens a file that a case refers to, for somebody who may see the case.
    ///
    /// # Errors
    /// Not found when the case does not refer to it; forbidden; unavailable.
    pub async fn case_file(&self, caller: &Caller, case: ObjectId, file: ObjectId) -> Result<OpenedFile> {
        let view = self.case(caller, case).await?;
        let steps = view.steps.iter().map(|step| &step.shown);
        let events = view.history.iter().map(|event| &event.shown);
        let mut labels = std::iter::once(&view.shown)
            .chain(steps)
            .chain(events)
            .flat_map(|shown| shown.values().flatten());
        if !labels.any(|label| matches!(label, Label::File { id, .. } if *id == file)) {
            return Err(Error::not_found());
        }
        self.attachment(file).await
    }

    async fn tasks_of(&self, case: &Case) -> Result<Vec<Governed<ByHandTask>>> {
        let mut tasks = Vec::new();
        for id in &case.tasks {
            tasks.extend(self.governed::<ByHandTask>(*id).await?);
        }
        Ok(tasks)
    }

    async fn case_view(
        &self,
        caller: &Caller,
        opened: &Opened,
        standing: &Standing<'_>,
        tasks: Vec<Governed<ByHandTask>>,
    ) -> Result<CaseView> {
        let (current, procedure) = (&opened.current, standing.procedure);
        let case = &current.body;
        let mut steps = Vec::new();
        for step in &procedure.steps {
            steps.push(self.step_view(opened, standing, step).await?);
        }
        let mut history = Vec::new();
        for event in &case.events {
            history.push(self.event_view(&opened.pack, procedure, event).await?);
        }
        let mut by_hand = Vec::new();
        for task in tasks {
            by_hand.push(self.task_view(caller, task).await?);
        }
        let mut issued = Vec::new();
        for actor in &case.made {
            issued.push(self.issued_account(caller, *actor, standing.now).await?);
        }
        let draft = case.stage == Stage::Draft;
        Ok(CaseView {
            id: current.object,
            version: current.version,
            procedure: procedure.clone(),
            pack: case.pack.clone(),
            stage: stage(case),
            applicant: (case.applicant, self.name_of(Some(case.applicant)).await?),
            institution: match current.institution {
                Some(institution) => self.institution_name(institution).await?,
                None => None,
            },
            unit: case.unit.clone(),
            begun: time(case.begun),
            submitted: case.submitted.map(time),
            finished: case.finished.map(time),
            emergency: case.emergency,
            report_due: case.report_due(procedure),
            overdue: case.overdue(procedure, standing.now),
            shown: match draft {
                // What was typed is not read yet; files are there already, by their names.
                true => {
                    let files = typed_files(&procedure.fields, &case.typed);
                    self.show_values(&opened.pack, &procedure.fields, &files).await?
                }
                false => self.show_values(&opened.pack, &procedure.fields, &case.values).await?,
            },
            typed: if draft { case.typed.clone() } else { typed(&procedure.fields, &case.values) },
            values: case.values.clone(),
            steps,
            history,
            may: CaseRights { end: self.may_end(caller, standing), ..rights(caller, standing) },
            by_hand,
            issued,
            returns: Vec::new(),
            entry: case.entry.clone(),
            rules: Arc::clone(&opened.pack),
            proposal: self.proposal(case).await?,
            gone: self.pack.procedure(&procedure.code).is_none(),
        })
    }

    async fn issued_account(&self, caller: &Caller, actor: ActorId, now: Timestamp) -> Result<IssuedAccount> {
        let context = self.actor_context_now(actor).await?;
        let target = crate::administration::target_of(&context);
        let awaits_first = context.account.awaits_first();
        Ok(IssuedAccount {
            actor,
            login: context.account.login.clone(),
            name: context.account.name.clone(),
            awaits_first,
            may_issue: awaits_first
                && actor != caller.actor
                && self.decide_general(caller, Action::Update, &target, now).allowed,
        })
    }

    async fn step_view(&self, opened: &Opened, standing: &Standing<'_>, step: &Step) -> Result<CaseStep> {
        let case = standing.case;
        let here = case.at() == Some(step.code.as_str());
        let mut people = Vec::new();
        if here {
            people.extend(standing.able(step).map(|(context, capacity)| StepPerson {
                actor: context.actor,
                name: context.account.name.clone(),
                word: capacity.word,
                how: capacity.how,
            }));
        }
        let mut events = Vec::new();
        for event in case.events.iter().filter(|event| event.step.as_deref() == Some(&step.code)) {
            events.push(self.event_view(&opened.pack, standing.procedure, event).await?);
        }
        let own = |values: &Values| -> Values {
            let of =
                |name: &String| name.strip_prefix(step.code.as_str())?.strip_prefix('.').map(str::to_owned);
            values.iter().filter_map(|(name, value)| Some((of(name)?, value.clone()))).collect()
        };
        let deadline = case.deadline(step);
        let count = |mark: Mark| case.done_at(&step.code).filter(|event| event.mark == mark).count();
        let committee = matches!(step.rule, StepRule::Committee(_));
        Ok(CaseStep {
            state: step_state(standing, step),
            begun: case.entered.get(&step.code).copied().map(time),
            deadline,
            overdue: here && deadline.is_some_and(|due| due < standing.now),
            people,
            events,
            shown: self.show_values(&opened.pack, &step.fields, &own(&case.filled)).await?,
            votes: committee.then(|| (count(Mark::VotedYes), count(Mark::VotedNo))),
            step: step.clone(),
        })
    }

    async fn event_view(&self, pack: &Pack, procedure: &Procedure, event: &Event) -> Result<CaseEvent> {
        let step = event.step.as_deref().and_then(|code| procedure.step(code));
        let fields = step.map_or(&[][..], |step| &step.fields);
        Ok(CaseEvent {
            at: time(event.at),
            by: event.by,
            by_name: self.name_of(Some(event.by)).await?,
            mark: event.mark,
            round: event.round,
            step: event.step.clone(),
            how: event.how,
            word: event.word.clone(),
            text: event.text.clone(),
            shown: self.show_values(pack, fields, &event.values).await?,
        })
    }

    pub(crate) async fn task_view(&self, caller: &Caller, task: Governed<ByHandTask>) -> Result<ByHandView> {
        let pack = self.pack_named(&task.body.pack).await?;
        let procedure = pack.procedure(task.code.as_str()).ok_or_else(Error::not_found)?;
        let effect = procedure.effects.get(task.body.place);
        let mut arguments = Vec::new();
        for (name, value) in &task.body.arguments {
            let from = effect.and_then(|effect| match effect.with.get(name)? {
                mimamori_policy::model::Source::Field(reference) => procedure.field_at(reference),
                _ => None,
            });
            let labels = match (from, value) {
                (Some(field), value) => {
                    let values = Values::from([(field.code.clone(), value.clone())]);
                    let shown = self.show_values(&pack, std::slice::from_ref(field), &values).await?;
                    shown.into_values().flatten().collect()
                }
                (None, Value::String(text)) => match text.parse::<ActorId>() {
                    Ok(actor) => vec![Label::Plain(self.name_of(Some(actor)).await?)],
                    Err(_) => vec![Label::Plain(text.clone())],
                },
                (None, _) => Vec::new(),
            };
            arguments.push((name.clone(), labels));
        }
        let done = match &task.body.done {
            Some(done) => Some((self.name_of(Some(done.by)).await?, time(done.at), done.note.clone())),
            None => None,
        };
        Ok(ByHandView {
            id: task.object,
            version: task.version,
            case: task.body.case,
            effect: task.body.effect.clone(),
            arguments,
            people: task.body.people.clone(),
            created: time(task.body.created),
            mine: done.is_none() && self.has_task(caller, &task),
            done,
            procedure: procedure.clone(),
        })
    }
}

pub(crate) fn stage(case: &Case) -> CaseStage {
    match case.stage {
        Stage::Draft => CaseStage::Draft,
        Stage::Step(_) => CaseStage::Open,
        Stage::Returned => CaseStage::Returned,
        Stage::Finished => CaseStage::Finished,
        Stage::Refused => CaseStage::Refused,
        Stage::Withdrawn => CaseStage::Withdrawn,
    }
}

fn step_state(standing: &Standing<'_>, step: &Step) -> StepState {
    let case = standing.case;
    if case.at() == Some(step.code.as_str()) {
        return StepState::Now;
    }
    if case.stage == Stage::Draft {
        return StepState::Ahead;
    }
    let closed = !matches!(case.stage, Stage::Step(_) | Stage::Finished);
    let place = |code: &str| flow::place(standing.procedure, code);
    if case.entered.contains_key(&step.code) {
        let mut entered = case.entered.keys().filter_map(|code| place(code));
        let last = entered.all(|other| Some(other) <= place(&step.code));
        return if closed && last { StepState::Stopped } else { StepState::Done };
    }
    let reached = case.at().map_or(case.stage == Stage::Finished, |at| place(&step.code) < place(at));
    if reached
        || !flow::applies(step, &case.known())
            && step.when.as_ref().is_some_and(|when| when.field.step.is_none())
    {
        StepState::PassedOver
    } else {
        StepState::Ahead
    }
}

/// What somebody may do with a case now.
pub(crate) fn rights(caller: &Caller, standing: &Standing<'_>) -> CaseRights {
    use super::act::{Act, fits};
    let case = standing.case;
    let Some(context) = caller.context.as_deref() else { return CaseRights::default() };
    let applicant = case.applicant == caller.actor;
    let open = matches!(case.stage, Stage::Step(_) | Stage::Returned);
    let mut may = CaseRights {
        withdraw: applicant && open && withdrawable(case),
        comment: open && standing.concerns(context),
        resubmit: applicant && case.stage == Stage::Returned,
        edit: applicant && case.stage == Stage::Draft,
        ..CaseRights::default()
    };
    let Some(step) = case.at().and_then(|code| standing.procedure.step(code)) else { return may };
    if standing.capacity(context, step).is_some() {
        let reason = String::new;
        may.pass = fits(&Act::Pass, step);
        may.refuse = fits(&Act::Refuse { reason: reason() }, step) && refusable(case);
        may.give_back = fits(&Act::Return { reason: reason() }, step) && returnable(case);
        may.done = fits(&Act::Done, step);
        may.told = fits(&Act::Told, step);
        may.vote = fits(&Act::Vote { yes: true }, step);
    }
    if let StepRule::Committee(committee) = step.rule {
        let votes = |mark: Mark| case.done_at(&step.code).filter(|event| event.mark == mark).count();
        let member =
            !standing.barred(step, caller.actor) && standing.named_for(context, step, false).is_some();
        may.close_vote = member
            && matches!(
                tally(committee, votes(Mark::VotedYes), votes(Mark::VotedNo), standing.members(step)),
                Verdict::MayClose(_)
            );
    }
    may
}

/// The files of a form that was not handed in yet, as its values will name them.
fn typed_files(fields: &[Field], typed: &Typed) -> Values {
    let files = fields.iter().filter(|field| field.kind == FieldType::File);
    let of = |field: &Field| {
        let ids = typed.get(&field.code)?.iter().map(|id| Value::String(id.trim().to_owned()));
        Some((field.code.clone(), Value::Array(ids.collect())))
    };
    files.filter_map(of).collect()
}

/// Values as they would be typed.
fn typed(fields: &[Field], values: &Values) -> Typed {
    let text = |value: &Value| match value {
        Value::Bool(yes) => Some(if *yes { "yes" } else { "no" }.to_owned()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    };
    let of = |field: &Field| -> Option<(String, Vec<String>)> {
        let texts = match values.get(&field.code)? {
            Value::Array(many) => many.iter().filter_map(text).collect(),
            one => text(one).into_iter().collect(),
        };
        (!matches!(field.kind, FieldType::Derived(_))).then(|| (field.code.clone(), texts))
    };
    fields.iter().filter_map(of).collect()
}
