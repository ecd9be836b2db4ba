//! Every clause of the organisation's catalogues, what answers it, and how it stands now.
//!
//! Nothing here is stored: each state is worked out from what the running system holds. A clause
//! stands no better than the worst of its answers, and no clause counts as answered without an object
//! of the pack behind it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use mimamori_domain::{Action, Result, Timestamp};
use mimamori_policy::model::{Answer, ObjectKind, Procedure, Proof, StepKind, Who};
use mimamori_policy::{Pack, Text};

use super::checks::{Finding, Looked};
use super::controls::THING;
use super::documents::{DocumentBody, Standing, day};
use super::duties::{DutyState, DutyView, last_day};
use super::object::{Governed, Look};
use super::purpose;
use super::registers::RegisterEntry;
use super::told::Told;
use super::who::{Reach, in_force, named, target};
use crate::body::time;
use crate::caller::Caller;
use crate::together::each;
use crate::{App, Window};

/// How a clause, or what answers it, stands; from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It asks for nothing.
    Informative,
    Kept,
    /// Somebody has stated it; good until then, UTC.
    Attested(Timestamp),
    /// Open now, and in time.
    Due,
    /// It cannot be told from inside the system now.
    Unknown,
    /// Nothing shows it yet.
    NeverDone,
    Overdue,
    /// A check saw that it is not so, or somebody stated that it is not.
    NotKept,
    /// Nothing in the pack answers it.
    NotAnswered,
}

impl State {
    /// The states by name, without their times.
    pub const NAMES: [&'static str; 9] = [
        "informative",
        "kept",
        "attested",
        "due",
        "unknown",
        "never-done",
        "overdue",
        "not-kept",
        "not-answered",
    ];

    /// A stable word for scripts and addresses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Informative => "informative",
            Self::Kept => "kept",
            Self::Attested(_) => "attested",
            Self::Due => "due",
            Self::Unknown => "unknown",
            Self::NeverDone => "never-done",
            Self::Overdue => "overdue",
            Self::NotKept => "not-kept",
            Self::NotAnswered => "not-answered",
        }
    }

    /// How bad it is: the places of [`State::NAMES`].
    fn rank(self) -> usize {
        Self::NAMES.iter().position(|name| *name == self.as_str()).unwrap_or(usize::MAX)
    }

    /// The worse of two; of two statements the one that ends first.
    fn worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::Attested(one), Self::Attested(two)) => Self::Attested(one.min(two)),
            _ if other.rank() > self.rank() => other,
            _ => self,
        }
    }
}

/// What answers a clause, and how that stands.
#[derive(Debug, Clone)]
pub struct AnswerState {
    pub answer: Answer,
    pub state: State,
    /// Why, in words.
    pub seen: Text,
}

/// A clause, and how it stands.
#[derive(Debug, Clone)]
pub struct ClauseState {
    pub id: String,
    pub answers: Vec<AnswerState>,
    pub state: State,
}

/// What all answers are looked at with.
struct Looking<'a> {
    now: Timestamp,
    looked: Looked,
    told: Told,
    documents: HashMap<&'a str, Governed<DocumentBody>>,
    /// By code, the occurrences of every duty.
    duties: HashMap<String, Vec<DutyView>>,
    /// How many entries each register has.
    entries: HashMap<String, u64>,
    /// Codes of the procedures that have an open case which is late, once for each case.
    late: Vec<String>,
}

/// How far back occurrences of duties are looked at: two years and some time to spare.
const BACK: Duration = Duration::from_secs(800 * 86_400);

impl App {
    /// Every clause of the pack in force, in the catalogues' order, with what answers it and how it
    /// stands now.
    ///
    /// # Errors
    /// Forbidden for whom the pack names for no control and who oversees none; unavailable.
    pub async fn clause_states(&self, caller: &Caller) -> Result<Arc<Vec<ClauseState>>> {
        let caller = purpose(caller);
        let now = self.clock.now();
        let named = self
            .pack
            .attestations()
            .iter()
            .any(|attestation| caller.named(&attestation.owner, Reach::Anywhere, None, now).is_some());
        let decision = self.require_general(&caller, Action::Search, target(THING, named)).await?;
        let states = Box::pin(async { self.states_of_clauses().await.map(Arc::new) });
        let states = self.asked.clauses.ask(self.pack.hash(), states).await?;
        self.note_look(&caller, &decision, Look::at(Action::Search, THING).count(states.len())).await?;
        Ok(states)
    }

    async fn states_of_clauses(&self) -> Result<Vec<ClauseState>> {
        let pack = Arc::clone(&self.pack);
        let (now, told) = (self.clock.now(), Told::default());
        let (looked, documents, duties, entries, late) = futures::try_join!(
            self.looked(),
            self.document_heads(),
            self.duties_now(now, &told),
            self.governed_counts::<RegisterEntry>(),
            self.overdue_cases()
        )?;
        let looking = Looking { now, looked, told, documents, duties, entries, late };
        // What answers several clauses is looked at once.
        let mut wanted = BTreeMap::new();
        for answer in pack.clauses().flat_map(|clause| pack.answers(&clause.id)) {
            wanted.entry((answer.kind, answer.code.as_str())).or_insert(answer);
        }
        let look = wanted.iter().map(|(key, answer)| {
            let found = self.answer_state(&pack, &looking, answer);
            async move { Ok((*key, found.await?)) }
        });
        let known: BTreeMap<_, _> = each(look.collect()).await?.into_iter().collect();
        let states = pack.clauses().map(|clause| {
            let answers = pack.answers(&clause.id).iter().map(|answer| {
                let found = known.get(&(answer.kind, answer.code.as_str()));
                let (state, seen) = found.cloned().unwrap_or_else(missing);
                AnswerState { answer: answer.clone(), state, seen }
            });
            let answers: Vec<AnswerState> = answers.collect();
            let state = answers.iter().map(|answer| answer.state).reduce(State::worse);
            ClauseState { id: clause.id.clone(), answers, state: state.unwrap_or(State::NotAnswered) }
        });
        Ok(states.collect())
    }

    async fn answer_state(
        &self,
        pack: &Pack,
        looking: &Looking<'_>,
        answer: &Answer,
    ) -> Result<(State, Text)> {
        let code = answer.code.as_str();
        match answer.kind {
            ObjectKind::Register => Ok(register_state(pack, looking, code)),
            ObjectKind::Procedure => Ok(procedure_state(pack, looking, code)),
            ObjectKind::Schedule => Ok(duty_state(pack, looking, code)),
            ObjectKind::Document => self.document_state(pack, looking, code).await,
            ObjectKind::Disclosure => match pack.disclosure(code) {
                Some(disclosure) => self.document_state(pack, looking, &disclosure.document).await,
                None => Ok(missing()),
            },
            ObjectKind::Attestation => self.attestation_state(looking, code).await,
            ObjectKind::Measure => match pack.measure(code) {
                Some(measure) => {
                    let measured = self.measure(&measure.check, &looking.looked).await?;
                    let state = match measured.finding {
                        Finding::Kept => State::Kept,
                        Finding::NotKept => State::NotKept,
                        Finding::Unknown => State::Unknown,
                    };
                    Ok((state, measured.seen))
                }
                None => Ok(missing()),
            },
            ObjectKind::Role => Ok(role_state(pack, looking, code)),
            ObjectKind::Informative => {
                Ok((State::Informative, Text::new("求めのない条項", "asks for nothing")))
            }
            ObjectKind::Parameter => Ok(match pack.parameter(code).and_then(|found| found.value.as_ref()) {
                Some(_) => (State::Kept, Text::new("値が定められている", "the value is set")),
                None => (State::NeverDone, super::checks::unset(code)),
            }),
            // What is in force as data: zones, classes, levels.
            _ => {
                Ok((State::Kept, Text::new("規程パックで定めて適用している", "in force by the policy pack")))
            }
        }
    }

    /// By code, the occurrences of every duty of the pack that have opened.
    async fn duties_now(&self, now: Timestamp, told: &Told) -> Result<HashMap<String, Vec<DutyView>>> {
        let window = Window { from: now.minus(BACK), until: now.plus(Duration::from_secs(1)) };
        let duties = self.duties_of_pack();
        let found = self.occurrences_of_each(&duties.iter().collect::<Vec<_>>(), window, now, told).await?;
        Ok(duties.into_iter().map(|duty| duty.terms.code.clone()).zip(found).collect())
    }

    async fn document_state(&self, pack: &Pack, looking: &Looking<'_>, code: &str) -> Result<(State, Text)> {
        let Some(document) = pack.document(code) else { return Ok(missing()) };
        Ok(match self.standing_of(document, looking.documents.get(code), looking.now).await? {
            Standing::Missing => (State::NeverDone, Text::new("まだ定められていない", "not published yet")),
            Standing::Coming { effective } => (
                State::NeverDone,
                Text::new(format!("{effective}から適用される"), format!("comes into force on {effective}")),
            ),
            Standing::InForce { review: Some(next) } if next <= looking.now => {
                let day = day(next);
                (
                    State::Overdue,
                    Text::new(
                        format!("{day}の見直しが済んでいない"),
                        format!("its review of {day} is missing"),
                    ),
                )
            }
            Standing::InForce { .. } => (State::Kept, Text::new("定められている", "published")),
        })
    }

    async fn attestation_state(&self, looking: &Looking<'_>, code: &str) -> Result<(State, Text)> {
        Ok(match looking.told.statements(self, code).await?.first() {
            None => (State::NeverDone, Text::new("申告がない", "nobody has stated it")),
            Some(found) if !found.body.holds => {
                (State::NotKept, Text::new("満たさないと申告された", "stated not to hold"))
            }
            Some(found) => {
                let until = time(found.body.until);
                let day = day(until);
                if until <= looking.now {
                    (
                        State::Overdue,
                        Text::new(format!("申告が{day}に切れた"), format!("the statement ended on {day}")),
                    )
                } else {
                    (
                        State::Attested(until),
                        Text::new(format!("{day}まで申告されている"), format!("stated until {day}")),
                    )
                }
            }
        })
    }
}

fn missing() -> (State, Text) {
    (State::NotAnswered, Text::new("規程パックにない", "not in the pack"))
}

fn register_state(pack: &Pack, looking: &Looking<'_>, code: &str) -> (State, Text) {
    let Some(register) = pack.register(code) else { return missing() };
    if register.review.is_some() {
        let review = format!("review-{code}");
        let scheduled = pack.schedules().iter().find(|row| row.proof == Proof::Review(code.to_owned()));
        let duty = scheduled.map_or(review.as_str(), |schedule| schedule.code.as_str());
        let (state, seen) = duty_state(pack, looking, duty);
        if state != State::Unknown {
            return (state, seen);
        }
    }
    match looking.entries.get(code) {
        None => (State::NeverDone, Text::new("まだ記載がない", "no entry yet")),
        Some(count) => (State::Kept, Text::new(format!("{count}件の記載がある"), format!("{count} entries"))),
    }
}

/// How a duty stands: overdue as long as one occurrence was neither done nor skipped with a reason,
/// otherwise as its newest one; `Unknown` when there is no such duty.
fn duty_state(pack: &Pack, looking: &Looking<'_>, code: &str) -> (State, Text) {
    let Some(found) = looking.duties.get(code) else {
        let parameter = pack.schedule(code).and_then(|schedule| schedule.rule_parameter.as_deref());
        let none = || Text::new("時期が定められていない", "no time is set");
        return (State::Unknown, parameter.map_or_else(none, super::checks::unset));
    };
    if let Some(late) = found.iter().find(|view| view.state == DutyState::Overdue) {
        let day = last_day(late.due);
        return (State::Overdue, Text::new(format!("{day}の期限を過ぎている"), format!("was due on {day}")));
    }
    match found.last() {
        None => (State::Due, Text::new("最初の時期がまだ来ていない", "its first time has not come yet")),
        Some(view) => match &view.state {
            DutyState::Done(at, _) => {
                let day = day(*at);
                (State::Kept, Text::new(format!("{day}に実施"), format!("done on {day}")))
            }
            DutyState::Skipped { .. } => {
                (State::Kept, Text::new("理由を記して見送った", "skipped, with the reason"))
            }
            DutyState::Due | DutyState::Upcoming | DutyState::Overdue => {
                let day = last_day(view.due);
                (State::Due, Text::new(format!("{day}まで"), format!("due by {day}")))
            }
        },
    }
}

fn procedure_state(pack: &Pack, looking: &Looking<'_>, code: &str) -> (State, Text) {
    let Some(procedure) = pack.procedure(code) else { return missing() };
    let late = looking.late.iter().filter(|late| *late == code).count();
    if late > 0 {
        return (
            State::Overdue,
            Text::new(format!("期限を過ぎた案件が{late}件ある"), format!("{late} cases are overdue")),
        );
    }
    if let Some(empty) = unfilled(procedure, looking) {
        let role = pack.roles().iter().find(|role| role.code.as_str() == empty);
        let name = |language| role.map_or(empty.as_str(), |role| role.name.get(language)).to_owned();
        return (
            State::NeverDone,
            Text::new(
                format!("担当する人がいない：{}", name(mimamori_policy::Language::Ja)),
                format!("nobody is appointed: {}", name(mimamori_policy::Language::En)),
            ),
        );
    }
    (State::Kept, Text::new("いつでも行える", "ready to run"))
}

fn role_state(pack: &Pack, looking: &Looking<'_>, code: &str) -> (State, Text) {
    let outside = pack.roles().iter().any(|role| role.code.as_str() == code && role.outside);
    if outside {
        return (State::Kept, Text::new("外部の相手として定めている", "named as somebody outside"));
    }
    let held = looking.looked.people.iter().any(|context| {
        context.account.active
            && context.roles.iter().any(|role| role.role.as_str() == code && in_force(role, looking.now))
    });
    if held {
        (State::Kept, Text::new("任命されている", "somebody is appointed"))
    } else {
        (State::NeverDone, Text::new("任命されていない", "nobody is appointed"))
    }
}

/// The first word of a step for which nobody stands ready.
fn unfilled(procedure: &Procedure, looking: &Looking<'_>) -> Option<String> {
    let acts = procedure.steps.iter().filter(|step| step.kind != StepKind::Inform || !step.by.is_empty());
    acts.filter(|step| step.person.is_none()).find_map(|step| {
        let applicant = step.by.contains(&Who::Applicant);
        let ready = applicant
            || looking.looked.people.iter().any(|context| {
                context.account.active
                    && named(context, &step.by, Reach::Anywhere, None, looking.now).is_some()
            });
        (!ready).then(|| step.by.first().map_or_else(String::new, |who| who.as_str().to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clause_stands_no_better_than_its_worst_answer() {
        let soon = Timestamp::from_micros(5);
        let later = Timestamp::from_micros(9);
        assert_eq!(State::Kept.worse(State::Overdue), State::Overdue);
        assert_eq!(State::Overdue.worse(State::Kept), State::Overdue);
        assert_eq!(State::Attested(later).worse(State::Attested(soon)), State::Attested(soon));
        assert_eq!(State::Kept.worse(State::Attested(soon)), State::Attested(soon));
        assert_eq!(State::Informative.worse(State::Kept), State::Kept);
    }
}
