//! What people do with a case: pass, refuse, return, mark as done, vote, withdraw, comment.

use mimamori_domain::{Action, Error, ObjectId, Result};
use mimamori_policy::model::{Field, Step, StepKind, StepRule};
use mimamori_store::Unit;

use super::begin::{changed_meanwhile, happened, state_of};
use super::flow::{self, Verdict, tally};
use super::people::{Capacity, Standing};
use super::{Case, MOST_TEXT, Mark, Stage};
use crate::App;
use crate::access::{ATTEMPTS, Settled, kept_changing};
use crate::caller::Caller;
use crate::governance::attachments::files_in;
use crate::governance::object::Governed;
use crate::governance::purpose;
use crate::governance::values::{Typed, Values};
use crate::governance::who::target;
use crate::record::fault;

/// What somebody does with a case.
#[derive(Clone, PartialEq, Eq)]
pub enum Act {
    /// A review or an approval passes the form.
    Pass,
    /// A review or an approval refuses it for good.
    Refuse {
        reason: String,
    },
    /// A review or an approval gives it back for correction.
    Return {
        reason: String,
    },
    /// The work of a carry-out or report step is done.
    Done,
    /// Those concerned were told.
    Told,
    /// A member of a committee votes.
    Vote {
        yes: bool,
    },
    /// A member of a committee closes a vote before all have voted.
    CloseVote,
    /// The applicant takes it back.
    Withdraw {
        reason: String,
    },
    Comment {
        text: String,
    },
    /// An administrator ends what nobody can act at any more.
    End {
        reason: String,
    },
}

/// Reasons and comments stay out of debug output (invariant 9).
impl std::fmt::Debug for Act {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pass => "Pass",
            Self::Refuse { .. } => "Refuse",
            Self::Return { .. } => "Return",
            Self::Done => "Done",
            Self::Told => "Told",
            Self::Vote { .. } => "Vote",
            Self::CloseVote => "CloseVote",
            Self::Withdraw { .. } => "Withdraw",
            Self::Comment { .. } => "Comment",
            Self::End { .. } => "End",
        })
    }
}

/// Which acts a step knows, by its kind and whether a committee resolves.
pub(crate) fn fits(act: &Act, step: &Step) -> bool {
    let committee = matches!(step.rule, StepRule::Committee(_));
    match act {
        Act::Pass | Act::Refuse { .. } => step.decides() && !committee,
        Act::Return { .. } => step.decides(),
        Act::Done => matches!(step.kind, StepKind::CarryOut | StepKind::Report) && !committee,
        Act::Told => step.kind == StepKind::Inform && !committee,
        Act::Vote { .. } | Act::CloseVote => committee,
        Act::Withdraw { .. } | Act::Comment { .. } | Act::End { .. } => true,
    }
}

/// Whether a form may still be given back: what was approved and done is not changed any more,
/// except the report about an emergency.
pub(crate) fn returnable(case: &Case) -> bool {
    !case.settled || case.emergency
}

/// Whether a form may still be refused: once the last approval is behind it, what it does is done, and
/// whoever comes after may pass it or leave it open. A report about an emergency may be refused: that
/// it was done is on record either way.
pub(crate) fn refusable(case: &Case) -> bool {
    !case.settled || case.emergency
}

/// Whether the applicant may take it back: until the last approval, and never what an emergency did.
pub(crate) fn withdrawable(case: &Case) -> bool {
    !case.settled && !case.emergency
}

impl App {
    /// Does something with a case. `seen` is the version that the act was decided on; `typed` is what
    /// the step asks to be filled in.
    ///
    /// # Errors
    /// Not found; forbidden, also for whoever applied and would decide; conflict when somebody acted
    /// meanwhile or the case is closed; invalid for an act that the step does not know, a missing
    /// reason, or with the code of each field that is wrong as place; unavailable.
    pub async fn act_on_case(
        &self,
        caller: &Caller,
        case: ObjectId,
        seen: u64,
        act: &Act,
        typed: &Typed,
    ) -> Result<()> {
        self.act_on_case_saying(caller, case, seen, act, typed, "").await
    }

    /// As [`App::act_on_case`], with a comment beside an act that has no words of its own: both are one
    /// version of the case. Empty: none.
    ///
    /// # Errors
    /// As [`App::act_on_case`].
    pub async fn act_on_case_saying(
        &self,
        caller: &Caller,
        case: ObjectId,
        seen: u64,
        act: &Act,
        typed: &Typed,
        comment: &str,
    ) -> Result<()> {
        for _ in 0..ATTEMPTS {
            if let Settled::Done = self.act_once(caller, (case, seen), act, typed, comment).await? {
                return Ok(());
            }
        }
        Err(kept_changing())
    }

    async fn act_once(
        &self,
        caller: &Caller,
        (case, seen): (ObjectId, u64),
        act: &Act,
        typed: &Typed,
        comment: &str,
    ) -> Result<Settled> {
        let caller = purpose(caller);
        let current = self.governed::<Case>(case).await?.ok_or_else(Error::not_found)?;
        let pack = self.pack_named(&current.body.pack).await?;
        let procedure = pack.procedure(current.code.as_str()).ok_or_else(Error::not_found)?;
        let directory = self.directory().await?;
        let now = self.clock.now();
        let standing = Standing {
            pack: &pack,
            in_force: &self.pack,
            procedure,
            case: &current.body,
            institution: current.institution,
            directory: &directory,
            now,
        };
        let ends = self.may_end(&caller, &standing);
        let concerned = ends || caller.context.as_deref().is_some_and(|context| standing.concerns(context));
        let open = matches!(current.body.stage, Stage::Step(_) | Stage::Returned);
        if concerned && (current.version != seen || !open) {
            return Err(changed_meanwhile());
        }
        let step = current.body.at().and_then(|code| procedure.step(code));
        let capacity = caller
            .context
            .as_deref()
            .zip(step)
            .and_then(|(context, step)| self.capacity_for(&standing, context, step, act));
        let named = match act {
            Act::Withdraw { .. } => current.body.applicant == caller.actor,
            Act::Comment { .. } => concerned,
            Act::End { .. } => ends,
            _ => capacity.is_some(),
        };
        let action = action_of(act, step);
        let decision = self.require_own(&caller, action, named).await?;
        if current.version != seen || !open {
            return Err(changed_meanwhile());
        }
        let approves = matches!(act, Act::Pass | Act::Vote { yes: true } | Act::CloseVote);
        if approves && step.is_some_and(|step| step.kind == StepKind::Approve) {
            self.lately_for_effects(&caller, procedure)?;
        }
        let text = stated(act, comment)?;
        let members = step.map_or(0, |step| standing.members(step));
        let mut body = current.body.clone();
        let mut event = happened(&body, caller.actor, mark_of(act), now);
        event.text = text.map(ToOwned::to_owned);
        if let Some(capacity) = &capacity {
            event.how = Some(capacity.how);
            event.word = Some(capacity.word.clone());
            event.seats.clone_from(&capacity.seats);
        }
        let mut due = false;
        match (act, step) {
            (Act::Comment { .. }, _) => body.events.push(event),
            (Act::Withdraw { .. }, _) => {
                if !withdrawable(&body) {
                    return Err(Error::conflict(
                        "this was approved already and cannot be withdrawn any more",
                    ));
                }
                body.events.push(event);
                close(&mut body, Stage::Withdrawn, now);
            }
            (Act::End { .. }, _) => {
                body.events.push(event);
                close(&mut body, Stage::Withdrawn, now);
            }
            (_, None) => return Err(changed_meanwhile()),
            (_, Some(step)) if !fits(act, step) => {
                return Err(Error::invalid("this step does not know that"));
            }
            (Act::Refuse { .. } | Act::Vote { yes: false }, Some(_)) if !refusable(&body) => {
                return Err(Error::conflict("this was approved already and cannot be refused any more"));
            }
            (Act::Refuse { .. }, _) => {
                body.events.push(event);
                close(&mut body, Stage::Refused, now);
            }
            (Act::Return { .. }, _) => {
                if !returnable(&body) {
                    return Err(Error::conflict("this was approved already and cannot be returned any more"));
                }
                body.events.push(event);
                body.stage = Stage::Returned;
            }
            (Act::Pass | Act::Done | Act::Told, Some(step)) => {
                event.values = self.filled(&pack, &body, step, typed).await?;
                fill(&mut body, step, &event.values);
                body.events.push(event);
                if (Standing { case: &body, ..standing_of(&standing) }).complete(step) {
                    due = flow::complete(procedure, &mut body, step, caller.actor, now);
                }
            }
            (Act::Vote { .. } | Act::CloseVote, Some(step)) => {
                if matches!(act, Act::Vote { yes: true }) {
                    event.values = self.filled(&pack, &body, step, typed).await?;
                    fill(&mut body, step, &event.values);
                }
                body.events.push(event);
                due = self.count_votes(&mut body, procedure, step, act, members, &caller, now)?;
            }
        }
        let mut unit = Unit::new();
        if let Some(step) = step {
            let last = body.events.last().map(|event| event.values.clone()).unwrap_or_default();
            let had: Vec<_> =
                files_in(&step.fields, &filled_before(&current.body, step)).map(|(_, file)| file).collect();
            let files: Vec<_> = files_in(&step.fields, &last).collect();
            self.lend_files(&caller, &decision, &mut unit, case, &files, &had).await?;
        }
        let of = (case, current.institution);
        self.carry_out(&caller, &decision, &mut unit, &pack, procedure, of, &mut body, due).await?;
        self.keep_act(&caller, &decision, unit, procedure, &current, &body, (action, text)).await
    }

    #[expect(clippy::too_many_arguments, reason = "each is one part of one version")]
    async fn keep_act(
        &self,
        caller: &Caller,
        decision: &mimamori_policy::Decision,
        mut unit: Unit,
        procedure: &mimamori_policy::model::Procedure,
        current: &Governed<Case>,
        body: &Case,
        (action, text): (Action, Option<&str>),
    ) -> Result<Settled> {
        let at = (current.object, current.version);
        let what = (state_of(body), action, text);
        self.put_case(caller, decision, &mut unit, procedure, at, current.institution, body, what).await?;
        self.settle(caller, unit).await
    }

    /// Whether the caller may end a case that is at a step at which nobody can act: who appoints people
    /// may, since appointing somebody would be the other way out.
    pub(crate) fn may_end(&self, caller: &Caller, standing: &Standing<'_>) -> bool {
        let administers = || {
            let role = target(crate::body::kind::ROLE, false);
            self.decide_general(caller, Action::Administer, &role, standing.now).allowed
        };
        // Whoever applied takes it back, or waits.
        standing.case.applicant != caller.actor && standing.stuck() && administers()
    }

    /// How somebody may do something at a step. A vote is closed by those who may vote or have.
    fn capacity_for(
        &self,
        standing: &Standing<'_>,
        context: &crate::caller::ActorContext,
        step: &Step,
        act: &Act,
    ) -> Option<Capacity> {
        match act {
            Act::CloseVote if !standing.barred(step, context.actor) => {
                standing.named_for(context, step, false)
            }
            Act::CloseVote => None,
            _ => standing.capacity(context, step),
        }
    }

    /// Counts a committee's vote; says whether what the decision does is due.
    #[expect(clippy::too_many_arguments, reason = "each is one part of one vote")]
    fn count_votes(
        &self,
        case: &mut Case,
        procedure: &mimamori_policy::model::Procedure,
        step: &Step,
        act: &Act,
        members: usize,
        caller: &Caller,
        now: mimamori_domain::Timestamp,
    ) -> Result<bool> {
        let StepRule::Committee(committee) = step.rule else {
            return Err(Error::invalid("this step does not know that"));
        };
        let votes = |mark: Mark| case.done_at(&step.code).filter(|event| event.mark == mark).count();
        let verdict = tally(committee, votes(Mark::VotedYes), votes(Mark::VotedNo), members);
        let passes = match (verdict, act) {
            (Verdict::Passed, _) => true,
            (Verdict::Refused, _) => false,
            (Verdict::MayClose(passes), Act::CloseVote) => passes,
            (Verdict::Open, Act::CloseVote) => {
                return Err(Error::conflict("too few have voted to close the vote"));
            }
            (Verdict::Open | Verdict::MayClose(_), _) => return Ok(false),
        };
        if passes {
            return Ok(flow::complete(procedure, case, step, caller.actor, now));
        }
        close(case, Stage::Refused, now);
        Ok(false)
    }

    /// Reads what a step asks to be filled in. Where several act, the first one fills it in and the
    /// others may leave it.
    async fn filled(
        &self,
        pack: &mimamori_policy::Pack,
        case: &Case,
        step: &Step,
        typed: &Typed,
    ) -> Result<Values> {
        let blank = typed.values().flatten().all(|text| text.trim().is_empty());
        if blank && case.done_at(&step.code).any(|event| event.mark != Mark::VotedNo) {
            return Ok(Values::new());
        }
        self.typed_values(pack, &step.fields, typed, &case.known()).await
    }
}

/// The same people around another version of the case.
fn standing_of<'a>(standing: &Standing<'a>) -> Standing<'a> {
    Standing { ..*standing }
}

fn fill(case: &mut Case, step: &Step, values: &Values) {
    for (code, value) in values {
        case.filled.insert(format!("{}.{code}", step.code), value.clone());
    }
}

/// What was filled in at a step, by the code of its field.
fn filled_before(case: &Case, step: &Step) -> Values {
    let of = |field: &Field| {
        Some((field.code.clone(), case.filled.get(&format!("{}.{}", step.code, field.code))?.clone()))
    };
    step.fields.iter().filter_map(of).collect()
}

fn close(case: &mut Case, stage: Stage, now: mimamori_domain::Timestamp) {
    case.stage = stage;
    case.finished = Some(now.as_micros());
}

/// The reason or comment of an act, when it has one: its own, or what is said beside it.
fn stated<'a>(act: &'a Act, beside: &'a str) -> Result<Option<&'a str>> {
    let text = match act {
        Act::Refuse { reason } | Act::Return { reason } | Act::Withdraw { reason } | Act::End { reason } => {
            reason
        }
        Act::Comment { text } => text,
        _ if beside.trim().is_empty() => return Ok(None),
        _ => beside,
    };
    let text = text.trim();
    if text.is_empty() || text.chars().count() > MOST_TEXT {
        return Err(fault("reason", "a reason or comment of 1 to 2,000 characters is needed", "required"));
    }
    Ok(Some(text))
}

fn mark_of(act: &Act) -> Mark {
    match act {
        Act::Pass => Mark::Passed,
        Act::Refuse { .. } => Mark::Refused,
        Act::Return { .. } => Mark::Returned,
        Act::Done => Mark::Done,
        Act::Told => Mark::Told,
        Act::Vote { yes: true } => Mark::VotedYes,
        Act::Vote { yes: false } => Mark::VotedNo,
        Act::CloseVote => Mark::ClosedVote,
        Act::Withdraw { .. } => Mark::Withdrawn,
        Act::Comment { .. } => Mark::Commented,
        Act::End { .. } => Mark::Ended,
    }
}

/// The action that the ledger and the policies know an act by.
fn action_of(act: &Act, step: Option<&Step>) -> Action {
    match (act, step.map(|step| step.kind)) {
        (Act::Withdraw { .. } | Act::End { .. }, _) => Action::Withdraw,
        (Act::Comment { .. }, _) => Action::Update,
        (_, Some(StepKind::Approve)) => Action::Confirm,
        (_, Some(StepKind::Review)) => Action::Review,
        _ => Action::Update,
    }
}
