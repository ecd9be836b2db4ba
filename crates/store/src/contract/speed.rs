//! What the databases' speed examples share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mimamori_domain::{Action, ActorId, ClassCode, InstitutionId, Kind, SubjectId};

use super::{draft, entries};
use crate::statements::ledger;
use crate::{Change, ObjectHead, ObjectVersion, Store, Unit, sequence_at, tables};

/// What one run found.
#[derive(Debug)]
pub struct Speed {
    pub entries: u64,
    pub elapsed: Duration,
    /// Time until durable, of the slowest of a hundred.
    pub slow: Duration,
    pub middle: Duration,
}

impl std::fmt::Display for Speed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rate = self.entries as f64 / self.elapsed.as_secs_f64();
        write!(f, "{rate:>8.0} /s  median {:?}  99 % within {:?}", self.middle, self.slow)
    }
}

/// So many writers, each one unit after the other, for so long.
pub async fn append(store: &Arc<dyn Store>, writers: usize, entries_each: usize, time: Duration) -> Speed {
    let begin = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..writers {
        let store = Arc::clone(store);
        tasks.spawn(async move {
            let mut times = Vec::new();
            let institution = InstitutionId::random();
            while begin.elapsed() < time {
                let mut unit = Unit::new();
                for _ in 0..entries_each {
                    let entry = looked(&unit, institution);
                    unit = unit.entry(entry);
                }
                let sent = Instant::now();
                store.commit(unit).await.unwrap();
                times.push(sent.elapsed());
            }
            times
        });
    }
    summed(tasks.join_all().await.concat(), entries_each, begin.elapsed())
}

/// So many writers that each write records of 2 KiB with head and entry.
pub async fn write_records(store: &Arc<dyn Store>, writers: usize, time: Duration) -> Speed {
    let begin = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..writers {
        let store = Arc::clone(store);
        tasks.spawn(async move {
            let mut times = Vec::new();
            while begin.elapsed() < time {
                let unit = Unit::new();
                let mut version = ObjectVersion::sample(unit.id);
                version.body = vec![7; 2048];
                version.class = Some(ClassCode::new("note").unwrap());
                let mut entry = looked(&unit, InstitutionId::random());
                entry.commitments = vec![version.commitment()];
                let head = ObjectHead::of(&version);
                let unit = unit
                    .change(Change::insert(&tables::OBJECT_HEAD, head.into_row()))
                    .change(Change::object_version(version))
                    .entry(entry);
                let sent = Instant::now();
                store.commit(unit).await.unwrap();
                times.push(sent.elapsed());
            }
            times
        });
    }
    summed(tasks.join_all().await.concat(), 1, begin.elapsed())
}

/// Counts per subject in a day of `day` entries at the end of the ledger, with the search of the
/// day's first sequence by its time.
pub async fn count_day(store: &Arc<dyn Store>, day: u64) -> (usize, Duration) {
    let head = store.head().await.unwrap().unwrap();
    let from = head.size.saturating_sub(day);
    let row =
        store.query_one(&ledger::RECORDED_AT, vec![head.epoch.into(), from.into()]).await.unwrap().unwrap();
    let time = row.time(0).unwrap();
    let begin = Instant::now();
    let first = sequence_at(store.as_ref(), head.epoch, head.size, time).await.unwrap();
    let args = vec![head.epoch.into(), first.into(), head.size.into(), (head.size - first).into()];
    let counted = store.query(&ledger::COUNT_PER_SUBJECT, args).await.unwrap();
    (counted.len(), begin.elapsed())
}

/// Reads and checks the ledger from the beginning.
pub async fn read_all(store: &Arc<dyn Store>) -> usize {
    entries(store.as_ref(), 0).await.len()
}

/// An entry like that of a look at a record: about 400 bytes, one of 5,000 subjects.
fn looked(unit: &Unit, institution: InstitutionId) -> mimamori_ledger::EntryDraft {
    let mut entry = draft(unit, Action::Read);
    let mut subject = *unit.id.as_bytes();
    subject[2..].fill(9);
    subject[0] %= 20;
    let mut actor = subject;
    actor[0] = 1;
    entry.actor = Some(ActorId::from_bytes(actor));
    entry.subject = Some(SubjectId::from_bytes(subject));
    entry.institution = Some(institution);
    entry.resource = Some((Kind::of("Observation"), None));
    entry.policies = vec!["care-team-reads-notes".to_owned(), "consent-of-class".to_owned()];
    entry
}

fn summed(mut times: Vec<Duration>, entries_each: usize, elapsed: Duration) -> Speed {
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
    Speed { entries: (times.len() * entries_each) as u64, elapsed, slow: at(99), middle: at(50) }
}
