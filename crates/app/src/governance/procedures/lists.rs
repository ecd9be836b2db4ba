//! Procedures and cases as lists: what somebody may begin, what waits for them, what there was.

use std::collections::HashMap;
use std::sync::Arc;

use mimamori_domain::{Action, ActorId, ObjectId, RecordState, Result, Timestamp};
use mimamori_policy::Text;
use mimamori_policy::model::{FieldType, Procedure, Who};
use tokio::sync::OnceCell;

use super::people::Standing;
use super::view::{Opened, rights, stage};
use super::{ByHandTask, ByHandView, Case, CaseRights, CaseStage, THING};
use crate::App;
use crate::body::time;
use crate::caller::{ActorContext, Caller};
use crate::governance::object::Look;
use crate::governance::purpose;
use crate::governance::show::{Label, Shown};
use crate::governance::who::{Reach, target};

/// A procedure in the list of procedures.
#[derive(Debug, Clone)]
pub struct ProcedureSummary<'a> {
    pub procedure: &'a Procedure,
    pub may_begin: bool,
    /// The caller may act first in an emergency and report it.
    pub may_act_first: bool,
    /// The caller acts at one of its steps somewhere.
    pub takes_part: bool,
}

/// A case in a list.
#[derive(Clone)]
pub struct CaseRow {
    pub id: ObjectId,
    pub version: u64,
    /// The procedure's code.
    pub procedure: String,
    pub name: Text,
    /// The form's first fields, in words.
    pub summary: Vec<Label>,
    pub applicant: (ActorId, String),
    pub stage: CaseStage,
    /// The step it is at.
    pub step: Option<Text>,
    pub emergency: bool,
    /// All times UTC.
    pub begun: Timestamp,
    pub submitted: Option<Timestamp>,
    pub finished: Option<Timestamp>,
    /// When its step should be done.
    pub deadline: Option<Timestamp>,
    pub overdue: bool,
    pub may: CaseRights,
}

/// Content stays out of debug output (invariant 9).
impl std::fmt::Debug for CaseRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CaseRow").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What concerns the caller now.
#[derive(Debug, Clone, Default)]
pub struct Inbox {
    /// Open cases that wait for the caller, the most urgent first.
    pub waiting: Vec<CaseRow>,
    /// Open cases that the caller applied for.
    pub applied: Vec<CaseRow>,
    /// Open cases among both that are late.
    pub overdue: Vec<CaseRow>,
    /// The caller's own drafts.
    pub drafts: Vec<CaseRow>,
    /// Tasks that the caller is to carry out by hand.
    pub by_hand: Vec<ByHandView>,
    /// Open cases at whose step nobody can act: for who may end them, or appoint somebody.
    pub stuck: Vec<CaseRow>,
}

/// Which cases are wanted.
#[derive(Debug, Clone, Default)]
pub struct CaseFilter {
    /// A procedure's code.
    pub procedure: Option<String>,
    pub stage: Option<CaseStage>,
    /// Only those that the caller applied for.
    pub mine: bool,
    pub overdue: bool,
    /// From 1.
    pub page: usize,
}

/// One page of cases.
#[derive(Debug, Clone)]
pub struct CasePage {
    /// Newest first: by when they finished, else by when they were handed in.
    pub rows: Vec<CaseRow>,
    /// On all pages.
    pub total: usize,
    pub page: usize,
    pub pages: usize,
    /// There are more cases than one list reads; older ones are left out.
    pub truncated: bool,
}

/// Cases, opened for everybody who asks at the same time.
#[derive(Default)]
pub(crate) struct Cases {
    found: Vec<ListedCase>,
    /// There are more than one list reads.
    truncated: bool,
}

struct ListedCase {
    opened: Opened,
    /// What a row says of it, once somebody is shown it.
    told: OnceCell<ToldCase>,
}

struct ToldCase {
    summary: Vec<Label>,
    applicant: String,
}

/// Cases on a page.
const ON_PAGE: usize = 50;
/// How many fields of a form a list shows.
const SUMMARY: usize = 3;

impl App {
    /// The procedures that the caller may begin, acts in or oversees, in the pack's order.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn procedures(&self, caller: &Caller) -> Result<Vec<ProcedureSummary<'_>>> {
        let caller = purpose(caller);
        let now = self.clock.now();
        let oversees = self.decide_general(&caller, Action::Search, &target(THING, false), now).allowed;
        let named = |words: &[Who]| caller.named(words, Reach::Anywhere, None, now).is_some();
        let summary = |procedure| ProcedureSummary {
            procedure,
            may_begin: self.may_begin(&caller, procedure, false),
            may_act_first: self.may_begin(&caller, procedure, true),
            takes_part: procedure.steps.iter().any(|step| named(&step.by) || named(&step.delegates)),
        };
        let all = self.pack.procedures().iter().map(summary);
        Ok(all
            .filter(|found| oversees || found.may_begin || found.may_act_first || found.takes_part)
            .collect())
    }

    /// What waits for the caller, what they applied for, their drafts, and their tasks.
    ///
    /// # Errors
    /// Forbidden, unavailable.
    pub async fn inbox(&self, caller: &Caller) -> Result<Inbox> {
        let caller = purpose(caller);
        let decision = self.require_case(&caller, Action::Search, caller.context.is_some()).await?;
        let directory = self.directory().await?;
        let now = self.clock.now();
        let mut inbox = Inbox::default();
        for listed in &self.cases_in(None, &[RecordState::AwaitingConfirmation]).await?.found {
            let standing = listed.opened.standing(&directory, now)?;
            let may = rights(&caller, &standing);
            let may = CaseRights { end: self.may_end(&caller, &standing), ..may };
            let mine = standing.case.applicant == caller.actor;
            if !mine && !may.waits() && !may.end {
                continue;
            }
            let row = self.case_row(listed, &standing, may).await?;
            if may.end {
                inbox.stuck.push(row);
                continue;
            }
            if row.overdue {
                inbox.overdue.push(row.clone());
            }
            if mine {
                inbox.applied.push(row.clone());
            }
            if may.waits() {
                inbox.waiting.push(row);
            }
        }
        inbox.waiting.sort_by_key(|row| (row.deadline.is_none(), row.deadline, row.submitted));
        let drafts = self.cases_in(None, &[RecordState::Draft]).await?;
        for listed in drafts.found.iter().filter(|one| one.opened.current.body.applicant == caller.actor) {
            let standing = listed.opened.standing(&directory, now)?;
            let may = rights(&caller, &standing);
            inbox.drafts.push(self.case_row(listed, &standing, may).await?);
        }
        inbox.by_hand = self.open_tasks(&caller, false).await?;
        self.note_look(
            &caller,
            &decision,
            Look::at(Action::Search, THING).count(
                inbox.waiting.len()
                    + inbox.applied.len()
                    + inbox.drafts.len()
                    + inbox.by_hand.len()
                    + inbox.stuck.len(),
            ),
        )
        .await?;
        Ok(inbox)
    }

    /// A page of cases: those that concern the caller, or all for those who oversee them.
    ///
    /// # Errors
    /// Forbidden, unavailable.
    pub async fn cases(&self, caller: &Caller, filter: &CaseFilter) -> Result<CasePage> {
        let caller = purpose(caller);
        let now = self.clock.now();
        let oversees = self.decide_general(&caller, Action::Search, &target(THING, false), now).allowed;
        let named = caller.context.is_some() && !oversees;
        let decision = self.require_case(&caller, Action::Search, named).await?;
        let directory = self.directory().await?;
        let stored = self.cases_stored(filter).await?;
        let truncated = stored.truncated;
        let mut kept: Vec<(i64, &ListedCase)> = Vec::new();
        for listed in &stored.found {
            let current = &listed.opened.current;
            let mine = current.body.applicant == caller.actor;
            let drafted = stage(&current.body) == CaseStage::Draft;
            if (filter.mine || drafted) && !mine
                || filter.stage.is_some_and(|wanted| wanted != stage(&current.body))
                || filter.procedure.as_ref().is_some_and(|code| current.code.as_str() != code)
            {
                continue;
            }
            let standing = listed.opened.standing(&directory, now)?;
            let concerned = || caller.context.as_deref().is_some_and(|context| standing.concerns(context));
            let late = !filter.overdue || standing.case.overdue(standing.procedure, now);
            if late && (oversees || mine || concerned()) {
                let case = &current.body;
                let at = case.finished.or(case.submitted).unwrap_or(case.begun);
                kept.push((at, listed));
            }
        }
        kept.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let total = kept.len();
        let pages = total.div_ceil(ON_PAGE).max(1);
        let page = filter.page.clamp(1, pages);
        let mut rows = Vec::new();
        for (_, listed) in kept.into_iter().skip((page - 1) * ON_PAGE).take(ON_PAGE) {
            let standing = listed.opened.standing(&directory, now)?;
            let may = rights(&caller, &standing);
            rows.push(self.case_row(listed, &standing, may).await?);
        }
        let look = Look::at(Action::Search, THING).count(rows.len()).stated(filter.procedure.as_deref());
        self.note_look(&caller, &decision, look).await?;
        Ok(CasePage { rows, total, page, pages, truncated })
    }

    async fn cases_stored(&self, filter: &CaseFilter) -> Result<Arc<Cases>> {
        if let Some(code) = &filter.procedure {
            return self.cases_in(Some(code), &[]).await;
        }
        let states: &'static [RecordState] = match filter.stage {
            Some(CaseStage::Draft) => &[RecordState::Draft],
            Some(CaseStage::Open | CaseStage::Returned) => &[RecordState::AwaitingConfirmation],
            Some(CaseStage::Finished) => &[RecordState::Confirmed],
            Some(CaseStage::Refused | CaseStage::Withdrawn) => &[RecordState::Withdrawn],
            None => &[
                RecordState::Draft,
                RecordState::AwaitingConfirmation,
                RecordState::Confirmed,
                RecordState::Withdrawn,
            ],
        };
        self.cases_in(None, states).await
    }

    /// The cases of a procedure, or those in some states.
    async fn cases_in(&self, procedure: Option<&str>, states: &'static [RecordState]) -> Result<Arc<Cases>> {
        let found = Box::pin(async { self.all_cases(procedure, states).await.map(Arc::new) });
        self.asked.cases.ask((self.pack.hash(), procedure.map(str::to_owned), states), found).await
    }

    async fn all_cases(&self, procedure: Option<&str>, states: &[RecordState]) -> Result<Cases> {
        let mut parts = Vec::new();
        match procedure {
            Some(code) => parts.push(self.governed_list::<Case>(code).await?),
            None => {
                for state in states {
                    parts.push(self.governed_in_state::<Case>(*state).await?);
                }
            }
        }
        let mut cases = Cases::default();
        for (some, truncated) in parts {
            cases.truncated |= truncated;
            for current in some {
                cases.found.push(ListedCase { opened: self.opened(current).await?, told: OnceCell::new() });
            }
        }
        Ok(cases)
    }

    /// Tasks to be carried out by hand that are open: the caller's, or all for those who oversee them.
    ///
    /// # Errors
    /// Forbidden, unavailable.
    pub async fn by_hand_tasks(&self, caller: &Caller) -> Result<Vec<ByHandView>> {
        let caller = purpose(caller);
        let now = self.clock.now();
        let oversees = self.decide_general(&caller, Action::Search, &target(THING, false), now).allowed;
        let named = caller.is_staff() && !oversees;
        let decision = self.require_case(&caller, Action::Search, named).await?;
        let tasks = self.open_tasks(&caller, oversees).await?;
        self.note_look(&caller, &decision, Look::at(Action::Search, super::TASK).count(tasks.len())).await?;
        Ok(tasks)
    }

    async fn open_tasks(&self, caller: &Caller, all: bool) -> Result<Vec<ByHandView>> {
        let mut tasks = Vec::new();
        for task in self.governed_in_state::<ByHandTask>(RecordState::AwaitingConfirmation).await?.0 {
            if all || self.has_task(caller, &task) {
                tasks.push(self.task_view(caller, task).await?);
            }
        }
        Ok(tasks)
    }

    /// How many procedures and tasks wait for each of some people.
    pub(crate) async fn waiting_of(&self, people: &[Arc<ActorContext>]) -> Result<HashMap<ActorId, u64>> {
        let (directory, now) = (self.directory().await?, self.clock.now());
        let callers: Vec<Caller> =
            people.iter().map(|context| Caller::considered(Arc::clone(context), self.pack.hash())).collect();
        let mut counts = HashMap::new();
        for listed in &self.cases_in(None, &[RecordState::AwaitingConfirmation]).await?.found {
            let standing = listed.opened.standing(&directory, now)?;
            for caller in callers.iter().filter(|caller| rights(caller, &standing).waits()) {
                *counts.entry(caller.actor).or_insert(0) += 1;
            }
        }
        for task in self.governed_in_state::<ByHandTask>(RecordState::AwaitingConfirmation).await?.0 {
            for caller in callers.iter().filter(|caller| self.has_task(caller, &task)) {
                *counts.entry(caller.actor).or_insert(0) += 1;
            }
        }
        Ok(counts)
    }

    async fn case_row(
        &self,
        listed: &ListedCase,
        standing: &Standing<'_>,
        may: CaseRights,
    ) -> Result<CaseRow> {
        let (case, procedure, opened) = (standing.case, standing.procedure, &listed.opened);
        let told = listed.told.get_or_try_init(|| self.row_told(opened, standing)).await?;
        let step = case.at().and_then(|code| procedure.step(code));
        Ok(CaseRow {
            id: opened.current.object,
            version: opened.current.version,
            procedure: procedure.code.clone(),
            name: procedure.name.clone(),
            summary: told.summary.clone(),
            applicant: (case.applicant, told.applicant.clone()),
            stage: stage(case),
            step: step.map(|step| step.name.clone()),
            emergency: case.emergency,
            begun: time(case.begun),
            submitted: case.submitted.map(time),
            finished: case.finished.map(time),
            deadline: step.and_then(|step| case.deadline(step)),
            overdue: case.overdue(procedure, standing.now),
            may,
        })
    }

    async fn row_told(&self, opened: &Opened, standing: &Standing<'_>) -> Result<ToldCase> {
        let (case, procedure) = (standing.case, standing.procedure);
        let telling = |kind: &FieldType| {
            !matches!(kind, FieldType::LongText { .. } | FieldType::File | FieldType::Derived(_))
        };
        let fields = procedure.fields.iter().filter(|field| telling(&field.kind));
        let filled = fields.filter(|field| case.values.contains_key(&field.code));
        let first: Vec<_> = filled.take(SUMMARY).cloned().collect();
        let mut shown: Shown = self.show_values(&opened.pack, &first, &case.values).await?;
        let summary = first.iter().filter_map(|field| shown.remove(&field.code)).flatten().collect();
        Ok(ToldCase { summary, applicant: self.name_of(Some(case.applicant)).await? })
    }

    /// The procedure of each open case that is late: for the state of the clauses.
    pub(crate) async fn overdue_cases(&self) -> Result<Vec<String>> {
        let now = self.clock.now();
        let mut late = Vec::new();
        for ListedCase { opened, .. } in
            &self.cases_in(None, &[RecordState::AwaitingConfirmation]).await?.found
        {
            if opened.current.body.overdue(opened.procedure()?, now) {
                late.push(opened.current.code.as_str().to_owned());
            }
        }
        Ok(late)
    }
}
