//! Duties (定期業務): what must be done by when, and whether it was.
//!
//! A duty is computed, never stored: its occurrences follow from the pack's rule, and what proves it
//! done is a register entry, a review, a finished procedure, a document, an attestation or a job's
//! result that the system holds. Only a duty that was skipped leaves a mark of its own, with the
//! reason.

use std::sync::Arc;
use std::time::Duration;

use mimamori_domain::{Action, ActorId, Error, Kind, ObjectId, RecordState, Result, Timestamp};
use mimamori_policy::Recurrence;
use mimamori_policy::Text;
use mimamori_policy::model::{Proof, Who};
use mimamori_store::{Question, Row};
use serde::{Deserialize, Serialize};

use super::jobs::{JOB_RESULT, JOBS, JobFailure, JobTroubleBody};
use super::object::{Look, Writing};
use super::purpose;
use super::registers::ENTRY;
use super::told::Told;
use super::who::{Reach, target};
use crate::body::Body;
use crate::caller::Caller;
use crate::record::fault;
use crate::together::each;
use crate::{App, Window, sql};

/// What duties are to the policies.
pub(crate) const THING: Kind = Kind::of("duty");

/// Longest reason for skipping, in characters.
const MOST_REASON: usize = 1_000;
/// Proofs read at a time.
const STRIDE: i64 = 1_000;
const DAY: Duration = Duration::from_secs(86_400);

/// The last day in Japan on which something is in time that is due, exclusive, at a time.
pub(crate) fn last_day(due: Timestamp) -> String {
    super::documents::day(due.minus(Duration::from_micros(1)))
}

/// The kind of a case; see the procedures.
const CASE: Kind = Kind::of("case");

/// An occurrence was skipped.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct DutyMark {
    /// When the occurrence opened, microseconds UTC.
    pub(crate) opened: i64,
    pub(crate) reason: String,
    pub(crate) by: ActorId,
}

impl Body for DutyMark {
    const KIND: Kind = Kind::of("duty-mark");
}

/// How an occurrence stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DutyState {
    /// It opens later.
    Upcoming,
    Due,
    Overdue,
    /// When, UTC, and by which object.
    Done(Timestamp, ObjectId),
    Skipped {
        reason: String,
        by: String,
    },
}

/// Why a duty that a job of the program proves is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobTrouble {
    /// The program has no such job: people do it, and skip it here with the reason.
    Unknown,
    /// When it last ran and failed, UTC, and why.
    Failed(Timestamp, JobFailure),
}

/// What the rules say about a duty, the same for all of its occurrences.
#[derive(Debug)]
pub struct DutyTerms {
    pub code: String,
    pub name: Text,
    pub owner: Vec<Who>,
    pub proof: Proof,
}

/// One occurrence of a duty.
#[derive(Debug, Clone)]
pub struct DutyView {
    pub terms: Arc<DutyTerms>,
    /// UTC.
    pub opens: Timestamp,
    /// Exclusive, UTC: from then on it is overdue.
    pub due: Timestamp,
    pub state: DutyState,
    /// For one that is due or overdue and that a job proves: why it did not.
    pub trouble: Option<JobTrouble>,
    /// The caller is the one to do it.
    pub mine: bool,
}

/// A duty of the pack: a schedule, or a register's review.
pub(crate) struct Duty<'a> {
    pub(crate) terms: Arc<DutyTerms>,
    pub(crate) rule: &'a Recurrence,
    pub(crate) within_days: u32,
    pub(crate) remind_days: &'a [u32],
}

impl Duty<'_> {
    /// From when on an occurrence counts as done: done a little early is done, by as many days as the first
    /// reminder comes before the end.
    fn earliest(&self, opens: Timestamp) -> Timestamp {
        self.remind_days.iter().max().map_or(opens, |days| opens.minus(DAY * *days))
    }
}

/// A deed that proves a duty done, and when it was done, UTC.
type Deed = (Timestamp, ObjectId);

/// The occurrences of a duty that are looked at together.
struct Span {
    /// When they open, from the beginning on.
    all: Vec<Timestamp>,
    /// The place of the first that is told of.
    from: usize,
    /// Since when the rules are counted.
    begin: Timestamp,
    /// Deeds are looked for from then on,
    since: Timestamp,
    /// and before this.
    end: Timestamp,
}

impl Span {
    /// `None` when nothing opens before the window ends.
    fn of(duty: &Duty<'_>, begin: Timestamp, window: Window) -> Option<Self> {
        let all = duty.rule.between(begin, window.until);
        let from = all.partition_point(|opens| *opens < window.from);
        let end = duty.rule.next_after(*all.last()?).unwrap_or(Timestamp::from_micros(i64::MAX));
        let mut span = Self { all, from, begin, since: begin, end };
        let first = span.all.get(span.first());
        span.since = first.map_or(begin, |opens| duty.earliest(*opens).max(begin));
        Some(span)
    }

    /// The place of the first that is looked at: the one before the window is too, for its deed is not the
    /// next one's.
    fn first(&self) -> usize {
        self.from.saturating_sub(1)
    }
}

/// The kind and code of the objects whose heads tell of deeds.
fn of_head(proof: &Proof) -> Option<(Kind, &str)> {
    match proof {
        Proof::Procedure(code) => Some((CASE, code)),
        Proof::Register(code) => Some((ENTRY, code)),
        Proof::Job(code) => Some((JOB_RESULT, code)),
        Proof::Document(_) | Proof::Attestation(_) | Proof::Review(_) => None,
    }
}

/// Asks for the first deeds within a time, when heads tell of them.
fn proof_between(proof: &Proof, from: Timestamp, until: Timestamp) -> Option<Question> {
    let (kind, code) = of_head(proof)?;
    let args = vec![
        kind.as_str().to_owned().into(),
        code.to_owned().into(),
        from.into(),
        until.into(),
        STRIDE.into(),
    ];
    Some(Question { statement: &sql::GOVERNED_BETWEEN, args, lists: Vec::new() })
}

impl App {
    /// Every duty of the pack in force whose rule is known.
    pub(crate) fn duties_of_pack(&self) -> Vec<Duty<'_>> {
        let scheduled = self.pack.schedules().iter().filter_map(|schedule| {
            Some(Duty {
                rule: schedule.rule.as_ref()?,
                terms: Arc::new(DutyTerms {
                    code: schedule.code.clone(),
                    name: schedule.name.clone(),
                    owner: schedule.owner.clone(),
                    proof: schedule.proof.clone(),
                }),
                within_days: schedule.within_days,
                remind_days: &schedule.remind_days,
            })
        });
        let reviewed = self.pack.registers().iter().filter_map(|register| {
            let review = register.review.as_ref()?;
            // A schedule that asks for the same review takes its place.
            let asked = |proof: &Proof| *proof == Proof::Review(register.code.clone());
            if self.pack.schedules().iter().any(|schedule| asked(&schedule.proof)) {
                return None;
            }
            let owner = if review.by.is_empty() { &register.keeper } else { &review.by };
            Some(Duty {
                terms: Arc::new(DutyTerms {
                    code: format!("review-{}", register.code),
                    name: register.name.clone(),
                    owner: owner.clone(),
                    proof: Proof::Review(register.code.clone()),
                }),
                rule: &review.rule,
                within_days: review.within_days,
                remind_days: &[],
            })
        });
        scheduled.chain(reviewed).collect()
    }

    /// Since when the rules are counted here: when the installation began, UTC. What opened before
    /// that, nobody here could have done.
    pub(crate) async fn rules_begin(&self) -> Result<Timestamp> {
        if let Some(began) = self.began.get() {
            return Ok(*began);
        }
        let rows = self.store.query(&sql::FIRST_EPOCH, Vec::new()).await?;
        let started = rows.first().ok_or_else(|| Error::unavailable("the ledger has no epoch"))?;
        let began = started.time(0).map_err(Error::unavailable)?;
        Ok(*self.began.get_or_init(|| began))
    }

    /// The occurrences of one duty that open within a window, with their state.
    async fn occurrences(
        &self,
        duty: &Duty<'_>,
        window: Window,
        now: Timestamp,
        told: &Told,
    ) -> Result<Vec<DutyView>> {
        Ok(self.occurrences_of_each(&[duty], window, now, told).await?.pop().unwrap_or_default())
    }

    /// The same of several duties, for each its own.
    pub(crate) async fn occurrences_of_each(
        &self,
        duties: &[&Duty<'_>],
        window: Window,
        now: Timestamp,
        told: &Told,
    ) -> Result<Vec<Vec<DutyView>>> {
        let begin = self.rules_begin().await?;
        let spans: Vec<Option<Span>> = duties.iter().map(|duty| Span::of(duty, begin, window)).collect();
        let asked =
            duties.iter().zip(&spans).map(|(duty, span)| (&duty.terms.proof, span.as_ref())).collect();
        let proofs = self.proofs_of_each(asked, told).await?;
        let views = duties.iter().zip(&spans).zip(&proofs).map(|((duty, span), proofs)| async move {
            match span {
                Some(span) => self.views_of(duty, span, proofs, now, told).await,
                None => Ok(Vec::new()),
            }
        });
        each(views.collect()).await
    }

    /// How the occurrences of a duty stand, as its proofs tell.
    async fn views_of(
        &self,
        duty: &Duty<'_>,
        span: &Span,
        proofs: &[Deed],
        now: Timestamp,
        told: &Told,
    ) -> Result<Vec<DutyView>> {
        let Span { all, from, end, begin, .. } = span;
        let nexts = all.iter().skip(1).chain(std::iter::once(end));
        let mut views = Vec::with_capacity(all.len().saturating_sub(*from));
        // One deed proves one occurrence: what proves an occurrence late is not the next one, early.
        let mut used = *begin;
        for (at, (opens, next)) in all.iter().copied().zip(nexts).enumerate().skip(span.first()) {
            let due = opens.plus(DAY * duty.within_days.max(1));
            let earliest = duty.earliest(opens).max(used);
            let place = proofs.partition_point(|(done, _)| *done < earliest);
            let proof = proofs.get(place).copied().filter(|(done, _)| done < next);
            if let Some((done, _)) = proof {
                used = done.plus(Duration::from_micros(1));
            }
            if at < *from {
                continue;
            }
            let state = match proof {
                Some((at, object)) => DutyState::Done(at, object),
                None if opens > now => DutyState::Upcoming,
                None => {
                    let mut marks = told.marks(self, &duty.terms.code).await?.iter();
                    let mark = marks.find(|mark| mark.body.opened == opens.as_micros());
                    match mark {
                        Some(mark) => DutyState::Skipped {
                            reason: mark.body.reason.clone(),
                            by: told.name(self, mark.body.by).await?,
                        },
                        None if now < due => DutyState::Due,
                        None => DutyState::Overdue,
                    }
                }
            };
            let open = matches!(state, DutyState::Due | DutyState::Overdue);
            views.push(DutyView {
                trouble: if open { self.trouble(&duty.terms.proof, earliest, *next).await? } else { None },
                terms: Arc::clone(&duty.terms),
                opens,
                due,
                state,
                mine: false,
            });
        }
        Ok(views)
    }

    /// The same of several duties, in the order in which they are due.
    async fn occurrences_of_all(&self, duties: &[Duty<'_>], window: Window) -> Result<Vec<DutyView>> {
        let duties: Vec<_> = duties.iter().collect();
        let found = self.occurrences_of_each(&duties, window, self.clock.now(), &Told::default()).await?;
        let mut views: Vec<DutyView> = found.into_iter().flatten().collect();
        views.sort_by_key(|view| (view.due, view.opens));
        Ok(views)
    }

    /// Why no job proved a duty within a window.
    async fn trouble(&self, proof: &Proof, from: Timestamp, until: Timestamp) -> Result<Option<JobTrouble>> {
        let Proof::Job(code) = proof else { return Ok(None) };
        if !JOBS.contains(&code.as_str()) {
            return Ok(Some(JobTrouble::Unknown));
        }
        let newest = self.newest_governed::<JobTroubleBody>(code, until).await?;
        let failed = newest.map(|found| (Timestamp::from_micros(found.body.ended), found.body.failure));
        Ok(failed.filter(|(at, _)| *at >= from).map(|(at, why)| JobTrouble::Failed(at, why)))
    }

    /// What proves each of some duties done within its span, earliest first.
    async fn proofs_of_each(
        &self,
        asked: Vec<(&Proof, Option<&Span>)>,
        told: &Told,
    ) -> Result<Vec<Vec<Deed>>> {
        let questions = asked.iter().filter_map(|(proof, span)| {
            let span = (*span)?;
            proof_between(proof, span.since, span.end)
        });
        let mut rows = self.store.query_together(questions.collect()).await?.into_iter();
        let parts = asked.into_iter().map(|(proof, span)| {
            let rows = span.and_then(|_| of_head(proof)).and_then(|_| rows.next()).unwrap_or_default();
            async move {
                let Some(span) = span else { return Ok(Vec::new()) };
                let (from, until) = (span.since, span.end);
                match proof {
                    // All versions of a document are one object: its head tells of the newest one only.
                    Proof::Document(code) => self.published_between(code, from, until).await,
                    Proof::Attestation(code) => self.stated_between(told, code, from, until).await,
                    Proof::Review(code) => self.reviewed_between(told, code, from, until).await,
                    Proof::Procedure(_) | Proof::Register(_) | Proof::Job(_) => {
                        self.deeds(proof, rows, until).await
                    }
                }
            }
        });
        each(parts.collect()).await
    }

    /// The deeds of rows that were found first, and those after them.
    async fn deeds(&self, proof: &Proof, mut rows: Vec<Row>, until: Timestamp) -> Result<Vec<Deed>> {
        let mut deeds: Vec<Deed> = Vec::new();
        loop {
            for row in &rows {
                let at = row.time(1).map_err(Error::unavailable)?;
                deeds.push((at, row.id_of(0).map_err(Error::unavailable)?));
            }
            // What happened at the very same time proves nothing more.
            let after = deeds.last().filter(|_| rows.len() as i64 == STRIDE);
            let after = after.map(|(last, _)| last.plus(Duration::from_micros(1)));
            let next = after.and_then(|from| proof_between(proof, from, until));
            let Some(Question { statement, args, .. }) = next else { return Ok(deeds) };
            rows = self.store.query(statement, args).await?;
        }
    }

    /// The occurrences that open within a window: the caller's own, and all for who oversees them.
    ///
    /// # Errors
    /// Forbidden, unavailable.
    pub async fn duties(&self, caller: &Caller, window: Window) -> Result<Vec<DutyView>> {
        let caller = purpose(caller);
        let now = self.clock.now();
        let oversees = self.decide_general(&caller, Action::Search, &target(THING, false), now).allowed;
        let mine = |duty: &Duty<'_>| caller.named(&duty.terms.owner, Reach::Anywhere, None, now).is_some();
        let mut duties = self.duties_of_pack();
        let own: Vec<String> =
            duties.iter().filter(|duty| mine(duty)).map(|duty| duty.terms.code.clone()).collect();
        let decision = self.require_general(&caller, Action::Search, target(THING, !own.is_empty())).await?;
        duties.retain(|duty| oversees || own.contains(&duty.terms.code));
        let codes = duties.iter().map(|duty| duty.terms.code.clone()).collect();
        let found = Box::pin(async { self.occurrences_of_all(&duties, window).await.map(Arc::new) });
        let found = self.asked.duties.ask((self.pack.hash(), codes, window), found).await?;
        let mut views = found.as_ref().clone();
        views.iter_mut().for_each(|view| view.mine = own.contains(&view.terms.code));
        self.note_look(&caller, &decision, Look::at(Action::Search, THING).count(views.len())).await?;
        Ok(views)
    }

    /// Skips one occurrence of a duty, with the reason. It cannot be undone: doing the duty after all
    /// is what takes the mark's place.
    ///
    /// # Errors
    /// Invalid without a reason; conflict when it is done or skipped already; not found; forbidden.
    pub async fn skip_duty(&self, caller: &Caller, code: &str, opens: Timestamp, reason: &str) -> Result<()> {
        let caller = purpose(caller);
        let now = self.clock.now();
        let duties = self.duties_of_pack();
        let duty = duties.iter().find(|duty| duty.terms.code == code).ok_or_else(Error::not_found)?;
        let mine = caller.named(&duty.terms.owner, Reach::Anywhere, None, now).is_some();
        let decision = self.require_general(&caller, Action::Update, target(THING, mine)).await?;
        let reason = reason.trim();
        if reason.is_empty() || reason.chars().count() > MOST_REASON {
            return Err(fault("reason", "a reason of 1 to 1,000 characters is needed", "required"));
        }
        let window = Window { from: opens, until: opens.plus(Duration::from_micros(1)) };
        let found = self.occurrences(duty, window, now, &Told::default()).await?;
        let found = found.into_iter().next().ok_or_else(Error::not_found)?;
        if !matches!(found.state, DutyState::Due | DutyState::Overdue) {
            return Err(Error::conflict("this duty is not waiting to be done"));
        }
        let body = DutyMark { opened: opens.as_micros(), reason: reason.to_owned(), by: caller.actor };
        let object = ObjectId::random();
        let writing = Writing {
            object,
            follows: 0,
            code,
            state: RecordState::Confirmed,
            institution: None,
            sorted: now,
            body: &body,
        };
        self.keep_governed(&caller, &decision, Action::Update, &writing, Some(reason)).await
    }
}
