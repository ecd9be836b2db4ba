//! Half a year of care: what was written about people after each visit, at its time and in its
//! author's name; what still lies as a draft; and the few times when somebody had to see a record in
//! an emergency.

use std::time::Duration;

use bytes::Bytes;
use mimamori_app::{CreateAs, Paging, ReviewQuery, Window};
use mimamori_demo::DemoResource;
use mimamori_domain::{Error, ErrorKind, SubjectId, Timestamp};

use super::fill::leave_out;
use super::history::{DAY, History, Job};

/// What is written within so long of each other was written down together.
const TOGETHER: Duration = Duration::from_secs(45 * 60);
/// Notes of the last days are not all confirmed yet.
const FRESH: Duration = Duration::from_secs(2 * 86_400);
const DRAFT_PERCENT: i32 = 22;
/// Of a thousand visits so many were entered for the wrong person, and withdrawn.
const WRONG_PER_THOUSAND: i32 = 4;
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
    pub records: Vec<Bytes>,
    pub left_as_draft: bool,
}

/// The visits of one person. `author` tells the place of a staff member by their key.
pub fn visits(
    resources: &[DemoResource],
    author: impl Fn(&str) -> Option<usize>,
    about: impl Fn(&str) -> String,
) -> Vec<Visit> {
    let mut visits: Vec<Visit> = Vec::new();
    for resource in resources {
        let Some(author) = author(&resource.author) else { continue };
        let record = Bytes::from(about(&resource.fhir));
        let same = visits.iter_mut().rev().take(4).find(|visit| {
            visit.author == author && resource.at.since(visit.at) <= TOGETHER && visit.records.len() < 20
        });
        match same {
            Some(visit) => {
                visit.at = visit.at.max(resource.at);
                visit.records.push(record);
            }
            None => {
                visits.push(Visit { at: resource.at, author, records: vec![record], left_as_draft: false })
            }
        }
    }
    visits
}

/// Puts the visits and the emergencies into the queue.
pub fn plan(history: &mut History<'_>) {
    let mut drafted = vec![];
    for number in 0..history.visits.len() {
        let Some(visit) = history.visits.get(number) else { continue };
        let (at, author) = (visit.at.max(history.from), visit.author);
        let fresh = history.until.since(at) < FRESH;
        // Those of a first look have one each.
        let shown = history.cast.typical.contains(&author)
            && !drafted.contains(&author)
            && history.until.since(at) < FRESH * 4;
        if shown || (fresh && history.chance.percent(DRAFT_PERCENT)) {
            drafted.push(author);
            if let Some(visit) = history.visits.get_mut(number) {
                visit.left_as_draft = true;
            }
        }
        history.at(at, Job::Visit(number));
    }
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

/// Writes one visit down.
pub async fn write(history: &mut History<'_>, number: usize) -> Result<(), Error> {
    let Some(visit) = history.visits.get(number).cloned() else { return Ok(()) };
    let caller = history.cast.caller(history.app, visit.author).await?;
    let how = if visit.left_as_draft { CreateAs::Draft } else { CreateAs::Confirmed };
    let wrong = history.chance.between(0, 999) < WRONG_PER_THOUSAND;
    match history.app.create_together(&caller, &visit.records, how).await {
        Ok(kept) => {
            if let Some(first) = kept.first().filter(|_| wrong && !visit.left_as_draft) {
                let reason = history.say("care-withdraw", "");
                history.app.withdraw(&caller, &first.kind, first.id, first.version, &reason).await?;
            }
            Ok(())
        }
        Err(error) if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::NotFound) => {
            // What may be shared is written nevertheless.
            for record in visit.records {
                let caller = history.cast.caller(history.app, visit.author).await?;
                if let Err(error) = history.app.create(&caller, record, how).await {
                    leave_out(&error, "record", &mut history.left_out).ok_or(error)?;
                }
            }
            Ok(())
        }
        Err(error) => Err(error),
    }
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
