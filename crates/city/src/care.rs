//! The course of care: when what was written about people after each visit is written, what of it still
//! lies as a draft, who reads, and the few times when somebody had to see a record in an emergency.
//! [`crate::sitting`] writes.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use mimamori_app::{Paging, ReviewQuery, TimelineFilter, Window};
use mimamori_demo::{DemoFile, DemoResource};
use mimamori_domain::{ClassCode, Error, ErrorKind, ObjectId, SubjectId, Timestamp};

use crate::history::{DAY, History, Job};

/// What is written within so long of each other was written down together.
const TOGETHER: Duration = Duration::from_secs(45 * 60);
/// So many records are written down together at most.
const MOST: usize = 40;
/// Notes of the last days are not all confirmed yet.
const FRESH: Duration = Duration::from_secs(2 * 86_400);
const DRAFT_PERCENT: i32 = 22;
/// Of a hundred visits, after so many what others wrote is read, too.
const READ_PERCENT: i32 = 20;
/// The same of what is long ago.
const READ_BEFORE_PERCENT: i32 = 6;
/// Of a thousand visits so many were entered for the wrong person, and withdrawn.
const WRONG_PER_THOUSAND: i32 = 4;
/// So many citizens look at their own record every four weeks.
const CITIZENS_LOOKING: usize = 24;
/// What was written longer ago was written down at the end of half a day: one sitting for many visits.
const AT_ONCE: Duration = Duration::from_secs(7 * 86_400);
/// What was written longer ago still was written down at the end of the day.
const BY_DAY: Duration = Duration::from_secs(60 * 86_400);
/// Ends of the parts of a day in Japan, in minutes: noon, the end of work, the evening.
const PARTS: [u64; 3] = [12 * 60 + 20, 17 * 60 + 20, 21 * 60];
const DAYS: [u64; 2] = [17 * 60 + 20, 21 * 60];
/// Occupations that look after people whose notes others write: they look in.
const LOOKING: &[&str] = &["doctor", "nurse", "pharmacist", "therapist", "public-health-nurse", "dentist"];
/// Each of them does so every so many days.
const LOOKED_AROUND: u32 = 21;
/// Every so many people refuses a class of information for a while.
const REFUSING: usize = 14;
/// What is refused then.
const REFUSED: &str = "laboratory";
/// Emergency accesses, in days before the end of the history.
const EMERGENCIES: [u32; 4] = [131, 84, 37, 3];
/// Occupations of the base pack that an emergency calls.
const CALLED: &[&str] = &["doctor", "nurse"];

/// What one person wrote about one visit.
#[derive(Debug, Clone)]
pub struct Visit {
    pub at: Timestamp,
    /// Place of the author among the cast.
    pub author: usize,
    pub about: SubjectId,
    pub records: Vec<Written>,
    pub left_as_draft: bool,
    /// What others wrote is read, too.
    pub reads: bool,
    /// It was entered for the wrong person: why it is withdrawn.
    pub withdrawn: Option<String>,
}

/// One record of a visit, and the files it names.
#[derive(Debug, Clone)]
pub struct Written {
    pub(crate) fhir: Bytes,
    pub(crate) files: Vec<DemoFile>,
    /// Of a note: its number, and that of the note it answers.
    pub(crate) note: Option<u32>,
    pub(crate) answers: Option<u32>,
}

/// The visits of one person. `author` tells the place of a staff member by their key.
pub fn visits(
    resources: &[DemoResource],
    subject: SubjectId,
    author: impl Fn(&str) -> Option<usize>,
    about: impl Fn(&str) -> String,
) -> Vec<Visit> {
    let mut visits: Vec<Visit> = Vec::new();
    for resource in resources {
        let Some(author) = author(&resource.author) else { continue };
        let record = Written {
            fhir: Bytes::from(about(&resource.fhir)),
            files: resource.files.clone(),
            note: resource.note,
            answers: resource.answers,
        };
        let same = visits.iter_mut().rev().take(4).find(|visit| {
            visit.author == author && resource.at.since(visit.at) <= TOGETHER && visit.records.len() < MOST
        });
        match same {
            Some(visit) => {
                visit.at = visit.at.max(resource.at);
                visit.records.push(record);
            }
            None => {
                visits.push(Visit {
                    at: resource.at,
                    author,
                    about: subject,
                    records: vec![record],
                    left_as_draft: false,
                    reads: false,
                    withdrawn: None,
                });
            }
        }
    }
    visits
}

/// Puts the visits and the emergencies into the queue.
pub fn plan(history: &mut History<'_>) {
    let mut drafted = vec![];
    let mut sittings: BTreeMap<(Timestamp, usize), Vec<usize>> = BTreeMap::new();
    for number in 0..history.visits.len() {
        let wrong = history.chance.between(0, 999) < WRONG_PER_THOUSAND;
        let Some(visit) = history.visits.get(number) else { continue };
        let lately = history.until.since(visit.at) < BY_DAY;
        let reads = history.chance.percent(if lately { READ_PERCENT } else { READ_BEFORE_PERCENT });
        let (at, author) = (visit.at.max(history.begun), visit.author);
        let fresh = history.until.since(at) < FRESH;
        // Those of a first look have one each.
        let shown = history.cast.typical.contains(&author)
            && !drafted.contains(&author)
            && history.until.since(at) < FRESH * 4;
        let left_as_draft = shown || (fresh && history.chance.percent(DRAFT_PERCENT));
        if left_as_draft {
            drafted.push(author);
        }
        let withdrawn = (wrong && !left_as_draft).then(|| history.say("care-withdraw", ""));
        if let Some(visit) = history.visits.get_mut(number) {
            (visit.left_as_draft, visit.reads, visit.withdrawn) = (left_as_draft, reads, withdrawn);
        }
        let written = match history.until.since(at) {
            ago if ago < AT_ONCE => at,
            ago if ago < BY_DAY => end_of_part(at, &PARTS),
            _ => end_of_part(at, &DAYS),
        };
        sittings.entry((written, author)).or_default().push(number);
    }
    for ((at, author), visits) in sittings {
        history.at(at, Job::Sitting(author, visits));
    }
    plan_looks(history);
    plan_emergencies(history);
}

/// When the part of the day that a time in Japan lies in is over.
fn end_of_part(at: Timestamp, parts: &[u64]) -> Timestamp {
    let midnight = crate::plan::midnight_in_japan(at);
    let ends = parts.iter().map(|minutes| midnight.plus(Duration::from_secs(60 * minutes)));
    ends.into_iter().find(|end| *end >= at).unwrap_or(at)
}

/// Who looks in and at whom without writing; and who refuses something for a while.
fn plan_looks(history: &mut History<'_>) {
    // Before the rules were kept here, people looked in now and then; those cared for still do.
    let early = history.from.since(history.begun);
    for (number, member) in (0..history.cast.members.len()).enumerate() {
        let (first, every) = (u32::try_from(number % 60).unwrap_or(0), 60);
        let mut at = history.begun.plus(DAY * first);
        while at < history.begun.plus(early) {
            history.at(at, Job::LookIn(member));
            at = at.plus(DAY * every);
        }
    }
    for (number, member) in history.cast.citizens().into_iter().take(CITIZENS_LOOKING).enumerate() {
        let first = u32::try_from(number % 28).unwrap_or(0);
        let mut at = history.work_time(history.from, (i32::try_from(first).unwrap_or(0) + 1, 0));
        while at < history.until {
            history.at(at, Job::LookAtOwn(member));
            at = at.plus(DAY * 28);
        }
    }
    let writing: std::collections::BTreeSet<usize> =
        history.visits.iter().map(|visit| visit.author).collect();
    for (number, member) in history.cast.of_occupations(LOOKING).into_iter().enumerate() {
        if writing.contains(&member) {
            continue;
        }
        let first = i32::try_from(number % 20).unwrap_or(0);
        let mut at = history.work_time(history.from, (first, first));
        while at < history.until {
            history.at(at, Job::LookAround(member));
            at = at.plus(DAY * LOOKED_AROUND);
        }
    }
    for subject in history.known.subjects.clone().into_iter().skip(5).step_by(REFUSING) {
        let at = history.work_time(history.from, (5, 120));
        history.at(at, Job::Refuse(subject));
    }
}

fn plan_emergencies(history: &mut History<'_>) {
    for before in EMERGENCIES {
        let subjects = history.known.subjects.clone();
        let Some(subject) = history.chance.pick(&subjects).copied() else { continue };
        let minutes = u64::try_from(history.chance.between(0, 1439)).unwrap_or(0);
        let at = history.until.minus(DAY * before).plus(Duration::from_secs(60 * minutes));
        if at < history.from {
            continue;
        }
        history.at(at, Job::BreakGlass(subject));
        if before > 14 {
            let seen = history.work_time(at, (1, 4));
            history.at(seen, Job::LookThrough(subject));
        }
    }
}

/// Somebody looks who is cared for, and what is new about some of them.
pub async fn look_around(history: &mut History<'_>, member: usize) -> Result<(), Error> {
    let caller = history.cast.caller(history.app, member).await?;
    let mine = history.app.my_people(&caller, &Paging::default()).await?;
    let subjects: Vec<SubjectId> = mine.cards().map(|card| card.subject).collect();
    for _ in 0..2 {
        let Some(subject) = history.chance.pick(&subjects).copied() else { break };
        history.app.person(&caller, subject).await?;
        history.app.timeline(&caller, subject, &TimelineFilter::default(), &Paging::default()).await?;
    }
    Ok(())
}

/// Somebody says that one class of what is known about them is not to be shared, and some weeks later that
/// it may be again.
pub async fn refuse(history: &mut History<'_>, subject: SubjectId) -> Result<(), Error> {
    let Some(registrar) = history.known.registrars.get(&subject).copied() else { return Ok(()) };
    let caller = history.cast.caller(history.app, registrar).await?;
    let class = ClassCode::new(REFUSED).map_err(Error::internal)?;
    let consent = history.app.add_consent(&caller, subject, false, Some(class), None).await?;
    let at = history.work_time(history.now(), (21, 60));
    history.at(at, Job::Permit(subject, consent));
    Ok(())
}

/// Takes back what somebody refused.
pub async fn permit(history: &mut History<'_>, subject: SubjectId, consent: ObjectId) -> Result<(), Error> {
    let Some(registrar) = history.known.registrars.get(&subject).copied() else { return Ok(()) };
    let caller = history.cast.caller(history.app, registrar).await?;
    history.app.withdraw_consent(&caller, subject, consent).await
}

/// A citizen looks at their own record, or at that of whom they speak for.
pub async fn look_at_own(history: &mut History<'_>, member: usize) -> Result<(), Error> {
    let caller = history.cast.caller(history.app, member).await?;
    let mine = history.app.my_people(&caller, &Paging::default()).await?;
    for card in mine.cards() {
        history.app.person(&caller, card.subject).await?;
        history.app.timeline(&caller, card.subject, &TimelineFilter::default(), &Paging::default()).await?;
    }
    Ok(())
}

/// Somebody must know what a person takes and suffers from, now.
pub async fn break_glass(history: &mut History<'_>, subject: SubjectId) -> Result<(), Error> {
    let called = history.cast.of_occupations(CALLED);
    let Some(member) = history.chance.pick(&called).copied() else { return Ok(()) };
    let caller = history.cast.caller(history.app, member).await?;
    let reason = history.say("break-glass", "");
    history.app.break_glass(&caller, subject, &reason).await.map(drop)
}

/// Whoever looks after the ledger looks through what was done in an emergency.
pub async fn look_through(history: &mut History<'_>, subject: SubjectId) -> Result<(), Error> {
    let window = Window { from: history.now().minus(DAY * 14), until: history.now() };
    let query = ReviewQuery { subject: Some(subject), actor: None, institution: None, window };
    for member in history.cast.reviewers() {
        let caller = history.cast.caller(history.app, member).await?;
        match history.app.review(&caller, &query, &Paging::default()).await {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Forbidden => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
