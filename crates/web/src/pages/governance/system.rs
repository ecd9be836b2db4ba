//! システムの状態: database, disk, ledger and jobs, as they are now.

use askama::Template;
use mimamori_app::{JobRuns, Room, Space, SystemStatus};

use super::{Crumb, crumbs};
use crate::dates;
use crate::error::Answered;
use crate::language::Texts;
use crate::layout::{Ask, Layout, page};

const GIB: u64 = 1 << 30;

#[derive(Template)]
#[template(path = "governance/system.html")]
pub(in crate::pages) struct Page {
    pub(in crate::pages) l: Layout,
    pub(in crate::pages) crumbs: Vec<Crumb>,
    pub(in crate::pages) at: String,
    /// What needs somebody's hand, in words; empty when all is well.
    pub(in crate::pages) troubles: Vec<String>,
    pub(in crate::pages) facts: Vec<(String, String)>,
    pub(in crate::pages) jobs: Vec<Job>,
    /// Whether the caller is led on to the measures.
    pub(in crate::pages) measures: bool,
}

/// One of the program's jobs.
pub(in crate::pages) struct Job {
    pub(in crate::pages) name: String,
    pub(in crate::pages) style: &'static str,
    pub(in crate::pages) word: String,
    pub(in crate::pages) well: Option<String>,
    pub(in crate::pages) badly: Option<(String, String)>,
}

impl Job {
    fn of(runs: &JobRuns, texts: &Texts) -> Self {
        let (style, key) = match (runs.failing(), runs.well) {
            (Some(_), _) => ("late", "system-job-failed"),
            (None, Some(_)) => ("good", "system-job-well"),
            (None, None) => ("plain", "system-job-never"),
        };
        Self {
            name: texts.get(&format!("job-{}", runs.job)),
            style,
            word: texts.get(key),
            well: runs.well.map(|at| dates::date_time(at, texts)),
            badly: runs.badly.map(|(at, failure)| {
                let why = format!("job-failure-{}", failure.as_str());
                (dates::date_time(at, texts), texts.count(&why, failure.count()))
            }),
        }
    }
}

/// `GET /rules/system`
pub(crate) async fn show(ask: Ask) -> Answered {
    let texts = ask.texts();
    let status = ask.web.app.system_status(&ask.caller).await?;
    page(&Page {
        l: ask.layout("system-title").current("rules"),
        crumbs: crumbs(&ask, &[]),
        at: dates::date_time(ask.web.now(), texts),
        troubles: troubles(&status, texts),
        facts: facts(&status, texts),
        jobs: status.jobs.iter().map(|runs| Job::of(runs, texts)).collect(),
        measures: ask.web.app.rule_parts(&ask.caller).controls,
    })
}

/// What needs somebody's hand.
fn troubles(status: &SystemStatus, texts: &Texts) -> Vec<String> {
    let room = status.space.map_or(Room::Enough, Space::room);
    let failing = status.jobs.iter().filter(|runs| runs.failing().is_some()).count() as u64;
    [
        status.halted.then(|| texts.get("system-halted")),
        (room == Room::TooLittle).then(|| texts.get("system-room-none")),
        (room == Room::Low).then(|| texts.get("system-room-low")),
        (failing > 0).then(|| texts.count("system-jobs-failing", failing)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn facts(status: &SystemStatus, texts: &Texts) -> Vec<(String, String)> {
    let space = status.space.map_or_else(
        || texts.get("system-space-unknown"),
        |space| {
            let (free, percent) = ((space.free / GIB).to_string(), space.percent().to_string());
            texts.pairs("system-space-free", &[("free", &free), ("percent", &percent)])
        },
    );
    let ledger = texts.pairs(
        "system-ledger-size",
        &[("entries", &grouped(status.entries)), ("epoch", &(u64::from(status.epoch) + 1).to_string())],
    );
    [
        ("system-version", env!("CARGO_PKG_VERSION").to_owned()),
        ("system-database", texts.get(&format!("database-{}", status.database))),
        ("system-space", space),
        ("system-ledger", ledger),
        ("system-recorded", dates::date_time(status.recorded, texts)),
    ]
    .into_iter()
    .map(|(key, value)| (texts.get(key), value))
    .collect()
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use mimamori_app::JobFailure;
    use mimamori_domain::Timestamp;

    use super::*;
    use crate::language::Language;

    fn status(space: Option<Space>, halted: bool, badly: Option<JobFailure>) -> SystemStatus {
        let at = Timestamp::from_micros(1_790_000_000_000_000);
        let job = JobRuns { job: "clock", well: None, badly: badly.map(|failure| (at, failure)) };
        SystemStatus {
            database: "sqlite",
            space,
            epoch: 0,
            entries: 1_234_567,
            recorded: at,
            halted,
            jobs: vec![job],
        }
    }

    #[test]
    fn what_needs_a_hand_is_said_and_nothing_else() {
        for language in Language::ALL {
            let texts = language.texts();
            let enough = Space { free: 90 * GIB, all: 100 * GIB };
            assert!(troubles(&status(Some(enough), false, None), texts).is_empty());
            assert!(troubles(&status(None, false, None), texts).is_empty());
            let low = Space { free: 5 * GIB, all: 100 * GIB };
            let full = Space { free: 1, all: 100 * GIB };
            let low = troubles(&status(Some(low), false, None), texts);
            let full = troubles(&status(Some(full), false, None), texts);
            assert!(low.len() == 1 && full.len() == 1 && low != full);
            let all = troubles(
                &status(Some(Space { free: 1, all: GIB }), true, Some(JobFailure::ClockNotMeasured)),
                texts,
            );
            assert_eq!(all.len(), 3, "{all:?}");
            assert!(facts(&status(None, false, None), texts).iter().any(|(_, v)| v.contains("1,234,567")));
        }
        let postgres = SystemStatus { database: "postgres", ..status(None, false, None) };
        let told = facts(&postgres, Language::Japanese.texts());
        assert!(told.iter().any(|(_, value)| value == "PostgreSQL"), "{told:?}");
        assert_eq!([0, 999, 1_000, 10_000_000].map(grouped), ["0", "999", "1,000", "10,000,000"]);
    }
}
