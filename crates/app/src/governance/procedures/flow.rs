//! Where a case goes: which step is next, when the last approval is behind it, how a vote stands.

use mimamori_domain::{ActorId, Timestamp};
use mimamori_policy::model::{Committee, Majority, Procedure, Step, StepKind};
use serde::{Deserialize, Serialize};

use super::{Approval, Case, Event, Stage};
use crate::body::time;
use crate::governance::documents::later;
use crate::governance::values::{Values, holds};

/// What somebody did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// Handed the form in.
    Applied,
    /// Acted first, in an emergency, and reports it.
    ActedFirst,
    /// Handed the form in again after a return.
    Resubmitted,
    Passed,
    Refused,
    Returned,
    /// The work of a step is done.
    Done,
    /// Those concerned were told.
    Told,
    VotedYes,
    VotedNo,
    /// Closed the vote before everybody had voted.
    ClosedVote,
    Withdrawn,
    Commented,
    /// Ended by an administrator, because nobody could act any more.
    Ended,
}

impl Mark {
    /// Whether it is what a step asks its people for: nobody gives it twice.
    #[must_use]
    pub const fn decides(self) -> bool {
        matches!(self, Self::Passed | Self::Done | Self::Told | Self::VotedYes | Self::VotedNo)
    }
}

impl Case {
    /// The values that conditions look at: the form's, and those of the steps by `step.field`.
    pub(crate) fn known(&self) -> Values {
        let mut known = self.values.clone();
        known.extend(self.filled.iter().map(|(name, value)| (name.clone(), value.clone())));
        known
    }

    /// The code of the step it is at.
    pub(crate) fn at(&self) -> Option<&str> {
        match &self.stage {
            Stage::Step(code) => Some(code),
            _ => None,
        }
    }

    /// What was done at a step in this round.
    pub(crate) fn done_at<'a>(&'a self, step: &'a str) -> impl Iterator<Item = &'a Event> {
        self.events.iter().filter(move |event| {
            event.round == self.round && event.mark.decides() && event.step.as_deref() == Some(step)
        })
    }

    /// Whether somebody gave their mark at a step in this round.
    pub(crate) fn has_acted(&self, step: &str, actor: ActorId) -> bool {
        self.done_at(step).any(|event| event.by == actor)
    }

    /// When the step it is at should be done.
    pub(crate) fn deadline(&self, step: &Step) -> Option<Timestamp> {
        later(time(*self.entered.get(&step.code)?), step.deadline?)
    }

    /// When the report of an emergency should be through.
    pub(crate) fn report_due(&self, procedure: &Procedure) -> Option<Timestamp> {
        let emergency = procedure.emergency.as_ref().filter(|_| self.emergency)?;
        later(time(self.submitted?), emergency.report_within)
    }

    /// Whether it is open and something is late: computed, never kept.
    pub(crate) fn overdue(&self, procedure: &Procedure, now: Timestamp) -> bool {
        let step = self.at().and_then(|code| procedure.step(code));
        let open = step.is_some() || self.stage == Stage::Returned;
        let due = step.and_then(|step| self.deadline(step));
        open && [due, self.report_due(procedure)].into_iter().flatten().any(|due| due < now)
    }
}

/// Whether a step's condition holds.
pub(crate) fn applies(step: &Step, known: &Values) -> bool {
    step.when.as_ref().is_none_or(|when| holds(when, known, known))
}

/// The place of the first step, from this place on, whose condition holds.
pub(crate) fn next(procedure: &Procedure, case: &Case, from: usize) -> Option<usize> {
    let known = case.known();
    let steps = procedure.steps.iter().enumerate().skip(from);
    steps.into_iter().find(|(_, step)| applies(step, &known)).map(|(place, _)| place)
}

/// Whether an approval may still come, from this place on: one whose condition looks at what a
/// later step fills in may.
fn approval_ahead(procedure: &Procedure, case: &Case, from: usize) -> bool {
    let known = case.known();
    procedure.steps.iter().skip(from).any(|step| {
        let open = |when: &mimamori_policy::model::Condition| {
            let of = when.field.step.as_deref();
            of.is_some_and(|code| procedure.steps.iter().skip(from).any(|step| step.code == code))
        };
        step.kind == StepKind::Approve && (applies(step, &known) || step.when.as_ref().is_some_and(open))
    })
}

/// The place of a step in its procedure.
pub(crate) fn place(procedure: &Procedure, code: &str) -> Option<usize> {
    procedure.steps.iter().position(|step| step.code == code)
}

/// Puts a case at its first step.
pub(crate) fn start(procedure: &Procedure, case: &mut Case, now: Timestamp) -> bool {
    case.entered.clear();
    case.filled.clear();
    case.approved = None;
    enter(procedure, case, 0, now)
}

/// Takes a case from a step that is done to the next one; says whether what the decision does is due.
pub(crate) fn complete(
    procedure: &Procedure,
    case: &mut Case,
    step: &Step,
    by: ActorId,
    now: Timestamp,
) -> bool {
    if step.kind == StepKind::Approve {
        case.approved = Some(Approval { by, at: now.as_micros() });
    }
    let after = place(procedure, &step.code).map_or(procedure.steps.len(), |place| place + 1);
    enter(procedure, case, after, now)
}

/// Puts a case at the next step from a place on, or to its end.
fn enter(procedure: &Procedure, case: &mut Case, from: usize, now: Timestamp) -> bool {
    let next = next(procedure, case, from);
    match next.and_then(|place| procedure.steps.get(place)) {
        Some(step) => {
            case.stage = Stage::Step(step.code.clone());
            case.entered.insert(step.code.clone(), now.as_micros());
        }
        None => {
            case.stage = Stage::Finished;
            case.finished = Some(now.as_micros());
        }
    }
    let ahead = next.is_some_and(|place| approval_ahead(procedure, case, place));
    !case.settled && (next.is_none() || (case.approved.is_some() && !ahead))
}

/// How a vote stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Open,
    /// As many have voted as must: it may be closed, and would pass or not.
    MayClose(bool),
    Passed,
    Refused,
}

/// Counts a committee's vote. `members` may vote; it ends by itself once all have or nothing can
/// change the result any more.
pub(crate) fn tally(committee: Committee, yes: usize, no: usize, members: usize) -> Verdict {
    let agrees = |yes: usize, votes: usize| match committee.majority {
        Majority::Half => 2 * yes > votes,
        Majority::TwoThirds => 3 * yes >= 2 * votes && yes > 0,
        Majority::All => yes == votes && yes > 0,
    };
    let votes = yes + no;
    let waiting = members.saturating_sub(votes);
    if votes < committee.least as usize {
        return Verdict::Open;
    }
    if agrees(yes, votes + waiting) {
        return Verdict::Passed;
    }
    if !agrees(yes + waiting, votes + waiting) {
        return Verdict::Refused;
    }
    if waiting == 0 { Verdict::Refused } else { Verdict::MayClose(agrees(yes, votes)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vote_ends_when_nothing_can_change_it() {
        let half = Committee { least: 3, majority: Majority::Half };
        assert_eq!(tally(half, 2, 0, 5), Verdict::Open);
        assert_eq!(tally(half, 3, 0, 5), Verdict::Passed);
        assert_eq!(tally(half, 2, 1, 5), Verdict::MayClose(true));
        assert_eq!(tally(half, 1, 2, 5), Verdict::MayClose(false));
        assert_eq!(tally(half, 0, 3, 5), Verdict::Refused);
        assert_eq!(tally(half, 2, 2, 4), Verdict::Refused);
        let thirds = Committee { least: 2, majority: Majority::TwoThirds };
        assert_eq!(tally(thirds, 2, 1, 3), Verdict::Passed);
        assert_eq!(tally(thirds, 1, 1, 3), Verdict::MayClose(false));
        let all = Committee { least: 2, majority: Majority::All };
        assert_eq!(tally(all, 1, 1, 5), Verdict::Refused);
        assert_eq!(tally(all, 5, 0, 5), Verdict::Passed);
        assert_eq!(tally(all, 2, 0, 5), Verdict::MayClose(true));
    }
}
