//! Who may act at a step: its people, their deputies and delegates, and who decides where only the
//! applicant could.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use mimamori_domain::{ActorId, InstitutionId, Result, Timestamp};
use mimamori_policy::Pack;
use mimamori_policy::model::{Of, Procedure, ProcedureKind, Step, StepKind, StepRule, Who};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Case, Mark, flow};
use crate::App;
use crate::body::AccountKind;
use crate::caller::ActorContext;
use crate::governance::who::{Named, Reach, Whereabouts, named};

/// As what somebody acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// The pack names them.
    Holder,
    /// Stands in for the holder (代理).
    Deputy,
    /// The step's rule lets them act instead.
    Delegate,
    /// Only the applicant could decide, so it passed to them.
    PassedTo,
}

/// One place of a step that somebody must fill: all of its people together, or one of each role.
struct Seat<'a> {
    code: Cow<'a, str>,
    words: &'a [Who],
    persons: Vec<ActorId>,
    /// To whom it falls where its own people may not act or are nobody, once that was asked: it is the same
    /// for everybody, and takes a look at everybody.
    heirs: OnceCell<Option<Vec<Who>>>,
}

impl<'a> Seat<'a> {
    fn new(code: impl Into<Cow<'a, str>>, words: &'a [Who], persons: Vec<ActorId>) -> Self {
        Self { code: code.into(), words, persons, heirs: OnceCell::new() }
    }
}

/// A step of a case: its places, and where its people must be appointed; none: anywhere.
struct Post<'a> {
    step: &'a Step,
    place: Option<Whereabouts>,
    seats: Vec<Seat<'a>>,
}

/// How somebody is named for a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Capacity {
    pub(crate) how: How,
    pub(crate) word: String,
    /// The places they would fill.
    pub(crate) seats: Vec<String>,
}

/// A case among the people of the installation.
pub(crate) struct Standing<'a> {
    /// The pack that the case follows.
    pub(crate) pack: &'a Pack,
    /// The pack in force: roles that it has no more name nobody.
    pub(crate) in_force: &'a Pack,
    pub(crate) procedure: &'a Procedure,
    pub(crate) case: &'a Case,
    pub(crate) institution: Option<InstitutionId>,
    /// Every active staff member.
    pub(crate) directory: &'a [Arc<ActorContext>],
    pub(crate) now: Timestamp,
}

/// The place of a step whose people fill one together.
const TOGETHER: &str = "together";

impl Standing<'_> {
    /// Where the applicant belongs.
    pub(crate) fn applicant_place(&self) -> Whereabouts {
        Whereabouts { institution: self.institution, unit: self.case.unit.clone(), system: None }
    }

    /// Where a step's people must be appointed; none: anywhere.
    fn place(&self, step: &Step) -> Option<Whereabouts> {
        match step.of {
            Of::Installation => None,
            Of::ApplicantInstitution | Of::ApplicantUnit => Some(self.applicant_place()),
            Of::AssetUnit | Of::AssetOwner => Some(match &self.case.asset {
                Some(asset) => {
                    Whereabouts { institution: asset.institution, unit: asset.unit.clone(), system: None }
                }
                None => self.applicant_place(),
            }),
        }
    }

    fn seats<'s>(&self, step: &'s Step) -> Vec<Seat<'s>> {
        let persons = step.person.as_ref().map_or_else(Vec::new, |field| {
            let (case, name) = (self.case, field.to_string());
            case.filled.get(&name).or_else(|| case.values.get(&name)).map(actors_in).unwrap_or_default()
        });
        if step.rule != StepRule::All {
            return vec![Seat::new(TOGETHER, &step.by, persons)];
        }
        let of_word = |who: &'s Who| Seat::new(who.as_str(), std::slice::from_ref(who), Vec::new());
        let of_person = |actor: ActorId| Seat::new(actor.to_string(), &[], vec![actor]);
        step.by.iter().map(of_word).chain(persons.into_iter().map(of_person)).collect()
    }

    fn post<'s>(&self, step: &'s Step) -> Post<'s> {
        Post { step, place: self.place(step), seats: self.seats(step) }
    }

    /// Whether somebody may not decide at a step whatever they are: they applied. Who began a
    /// decision takes its first step, and no later one that decides.
    pub(crate) fn barred(&self, step: &Step, actor: ActorId) -> bool {
        let first = || {
            let first = flow::next(self.procedure, self.case, 0);
            first.is_some() && first == flow::place(self.procedure, &step.code)
        };
        step.decides()
            && actor == self.case.applicant
            && !(self.procedure.kind == ProcedureKind::Decision && first())
    }

    fn word<'w>(
        &self,
        context: &ActorContext,
        words: &'w [Who],
        place: Option<&Whereabouts>,
    ) -> Option<Named<'w>> {
        let reach = place.map_or(Reach::Anywhere, Reach::Here);
        let applicant = Some(self.case.applicant);
        words
            .iter()
            .filter_map(|who| named(context, std::slice::from_ref(who), reach, applicant, self.now))
            .min_by_key(|named| named.deputy)
    }

    /// How somebody is named for a place, applicant or not.
    fn own<'s>(
        &self,
        context: &ActorContext,
        post: &'s Post<'_>,
        seat: &'s Seat<'_>,
    ) -> Option<(How, &'s str)> {
        if !context.account.active {
            return None;
        }
        if seat.persons.contains(&context.actor) && context.account.kind == AccountKind::Staff {
            return Some((How::Holder, "person"));
        }
        let (step, place) = (post.step, post.place.as_ref());
        let owners =
            self.case.asset.as_ref().filter(|_| step.of == Of::AssetOwner).map(|asset| &asset.owners);
        let named = match owners.filter(|owners| !owners.is_empty()) {
            Some(owners) => {
                owners.contains(&context.actor).then(|| self.word(context, seat.words, None)).flatten()
            }
            None => self.word(context, seat.words, place),
        };
        let own = named.map(|named| (if named.deputy { How::Deputy } else { How::Holder }, named.word));
        own.or_else(|| {
            let delegate = self.word(context, &step.delegates, place)?;
            Some((How::Delegate, delegate.word))
        })
    }

    /// To whom the decision about a place passes because only the applicant could take it.
    fn passed_to(&self, post: &Post<'_>, seat: &Seat<'_>) -> Option<Vec<Who>> {
        let step = post.step;
        if !step.decides() {
            return None;
        }
        let names = |context: &ActorContext| self.own(context, post, seat).is_some();
        // Nobody but the applicant is ever barred, so they are looked at first.
        let applicant = self.directory.iter().find(|context| context.actor == self.case.applicant)?;
        let other = |context: &Arc<ActorContext>| context.actor != applicant.actor && names(context);
        if !self.barred(step, applicant.actor) || !names(applicant) || self.directory.iter().any(other) {
            return None;
        }
        let mut words =
            if step.passes_to.is_empty() { self.appointing(seat.words) } else { step.passes_to.clone() };
        let mut seen = BTreeSet::new();
        while !words.is_empty() && words.iter().any(|who| seen.insert(who.clone())) {
            let decides = |context: &ActorContext| {
                context.account.active
                    && !self.barred(step, context.actor)
                    && self.word(context, &words, post.place.as_ref()).is_some()
            };
            if self.directory.iter().any(|context| decides(context)) {
                return Some(words);
            }
            words = self.appointing(&words);
        }
        None
    }

    /// To whom a place falls whose roles the rules in force have no more, so that the case can still
    /// be finished: those that appointed to them, as the case's own pack has it.
    fn left_to(&self, step: &Step, seat: &Seat<'_>) -> Option<Vec<Who>> {
        let gone = |words: &[Who]| {
            let one = |who: &Who| matches!(who, Who::Role(code) if self.in_force.role(code).is_none());
            !words.is_empty() && words.iter().all(one)
        };
        if !seat.persons.is_empty() || !gone(seat.words) {
            return None;
        }
        let passes = step.passes_to.clone();
        let mut words = if passes.is_empty() { self.appointing(seat.words) } else { passes };
        let mut seen = BTreeSet::new();
        while gone(&words) && words.iter().any(|who| seen.insert(who.clone())) {
            words = self.appointing(&words);
        }
        Some(words).filter(|words| !words.is_empty())
    }

    /// The roles that appoint to these.
    fn appointing(&self, words: &[Who]) -> Vec<Who> {
        let mut found: Vec<Who> = Vec::new();
        for who in words {
            let Who::Role(code) = who else { continue };
            for above in self.pack.role(code).into_iter().flat_map(|role| &role.appointed_by) {
                let above = Who::Role(above.clone());
                if !found.contains(&above) {
                    found.push(above);
                }
            }
        }
        found
    }

    /// How somebody may act at a step as it stands; none when they may not, or did already.
    pub(crate) fn capacity(&self, context: &ActorContext, step: &Step) -> Option<Capacity> {
        self.capacity_at(context, &self.post(step))
    }

    /// Everybody who may act at a step as it stands, and how.
    pub(crate) fn able<'s>(&'s self, step: &'s Step) -> impl Iterator<Item = (&'s ActorContext, Capacity)> {
        let post = self.post(step);
        self.directory.iter().filter_map(move |one| Some((&**one, self.capacity_at(one, &post)?)))
    }

    /// How somebody is named for a step; `open`: only for places that nobody has filled yet.
    pub(crate) fn named_for(&self, context: &ActorContext, step: &Step, open: bool) -> Option<Capacity> {
        self.named_at(context, &self.post(step), open)
    }

    fn capacity_at(&self, context: &ActorContext, post: &Post<'_>) -> Option<Capacity> {
        if self.barred(post.step, context.actor) || self.case.has_acted(&post.step.code, context.actor) {
            return None;
        }
        self.named_at(context, post, true)
    }

    fn named_at(&self, context: &ActorContext, post: &Post<'_>, open: bool) -> Option<Capacity> {
        let step = post.step;
        let mut found: Option<Capacity> = None;
        for seat in &post.seats {
            if open && step.rule == StepRule::All && self.is_filled(step, seat) {
                continue;
            }
            let capacity = self.own(context, post, seat).or_else(|| {
                let find = || self.passed_to(post, seat).or_else(|| self.left_to(step, seat));
                let words = seat.heirs.get_or_init(find).as_ref()?;
                let named = self.word(context, words, post.place.as_ref())?;
                Some((How::PassedTo, named.word))
            });
            let Some((how, word)) = capacity else { continue };
            let seat = seat.code.to_string();
            match &mut found {
                Some(found) => {
                    found.seats.push(seat);
                    if how < found.how {
                        (found.how, found.word) = (how, word.to_owned());
                    }
                }
                None => found = Some(Capacity { how, word: word.to_owned(), seats: vec![seat] }),
            }
        }
        found
    }

    /// Whether the case is at a step at which nobody can act: its roles are held by nobody, and the vote,
    /// where there is one, cannot be closed either.
    pub(crate) fn stuck(&self) -> bool {
        let Some(step) = self.case.at().and_then(|code| self.procedure.step(code)) else { return false };
        let closes = match step.rule {
            StepRule::Committee(committee) => {
                let votes =
                    |mark: Mark| self.case.done_at(&step.code).filter(|event| event.mark == mark).count();
                let (yes, no) = (votes(Mark::VotedYes), votes(Mark::VotedNo));
                !matches!(flow::tally(committee, yes, no, self.members(step)), flow::Verdict::Open)
            }
            StepRule::One | StepRule::All => false,
        };
        !closes && self.able(step).next().is_none()
    }

    /// Whether every place of a step is filled.
    pub(crate) fn complete(&self, step: &Step) -> bool {
        match step.rule {
            StepRule::All => self.seats(step).iter().all(|seat| self.is_filled(step, seat)),
            StepRule::One | StepRule::Committee(_) => {
                self.case.done_at(&step.code).any(|event| !event.seats.is_empty())
            }
        }
    }

    fn is_filled(&self, step: &Step, seat: &Seat<'_>) -> bool {
        self.case.done_at(&step.code).any(|event| event.seats.iter().any(|code| *code == seat.code))
    }

    /// How many may vote at a step: its people, without whoever may not decide.
    pub(crate) fn members(&self, step: &Step) -> usize {
        let post = self.post(step);
        let votes = |context: &&Arc<ActorContext>| {
            !self.barred(step, context.actor) && self.named_at(context, &post, false).is_some()
        };
        self.directory.iter().filter(votes).count()
    }

    /// Whether the pack gives somebody anything to do with the case, or they had it already. Those who
    /// are told see it once their step is done.
    pub(crate) fn concerns(&self, context: &ActorContext) -> bool {
        let actor = context.actor;
        // Citizens see what they applied for, and nothing else.
        if context.account.kind == AccountKind::Citizen {
            return actor == self.case.applicant;
        }
        let told = |step: &Step| {
            let done = self.case.done_at(&step.code).next().is_some();
            // Everybody is told of what is posted; the form itself is not for everybody.
            let words: Vec<Who> =
                step.to.iter().filter(|who| matches!(who, Who::Role(_) | Who::Applicant)).cloned().collect();
            done && self.word(context, &words, self.place(step).as_ref()).is_some()
        };
        actor == self.case.applicant
            || self.case.events.iter().any(|event| event.by == actor)
            || self.procedure.steps.iter().any(|step| {
                let reached = step.kind != StepKind::Inform || !step.by.contains(&Who::Anyone);
                (reached && self.named_for(context, step, false).is_some()) || told(step)
            })
    }
}

/// The people that a field holds.
pub(crate) fn actors_in(value: &Value) -> Vec<ActorId> {
    let each = match value {
        Value::Array(many) => many.as_slice(),
        one => std::slice::from_ref(one),
    };
    each.iter().filter_map(|value| value.as_str()?.parse().ok()).collect()
}

impl App {
    /// Every active staff member with their appointments.
    pub(crate) async fn directory(&self) -> Result<Vec<Arc<ActorContext>>> {
        let people = self.everybody().await?;
        let staff = people.iter().filter(|one| one.account.active && one.account.kind == AccountKind::Staff);
        Ok(staff.cloned().collect())
    }
}
