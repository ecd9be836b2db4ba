//! When periodic duties come round: RFC 5545 recurrence rules in Japan's time.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeZone as _};
use mimamori_domain::Timestamp;
use rrule::{RRule, RRuleSet, Tz, Unvalidated};

/// A recurrence rule that was checked: `FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=1`.
///
/// Rules are counted from Monday, 1 January 2018, 00:00 in Japan: what a rule leaves open (the month
/// of a yearly one, the weekday of a weekly one, where an interval of two years begins) is that day's.
/// An occurrence is at 00:00 unless the rule says `BYHOUR`.
#[derive(Debug, Clone)]
pub struct Recurrence {
    text: String,
    rule: RRule,
    /// The occurrences that were asked for: each search of a rule begins in 2018 anew.
    found: Arc<Mutex<Option<Found>>>,
}

impl PartialEq for Recurrence {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Recurrence {}

/// All occurrences of a rule within a time, and the next one.
#[derive(Debug)]
struct Found {
    from: Timestamp,
    until: Timestamp,
    times: Vec<Timestamp>,
    next: Option<Timestamp>,
}

/// The parts of RFC 5545, section 3.3.10, that rules use. Nothing an office does comes every hour.
const PARTS: &[&str] = &[
    "FREQ",
    "INTERVAL",
    "BYMONTH",
    "BYMONTHDAY",
    "BYDAY",
    "BYSETPOS",
    "BYHOUR",
    "BYMINUTE",
    "WKST",
    "UNTIL",
];
const FREQUENCIES: &[&str] = &["DAILY", "WEEKLY", "MONTHLY", "YEARLY"];
/// Longer texts are no rules.
const MOST_CHARACTERS: usize = 200;
/// A rule must come round within so many years of any day, or it never does.
const YEARS_AHEAD: i64 = 12;
const YEAR_SECONDS: i64 = 366 * 86_400;
/// Greatest number of occurrences one question answers.
const MOST_OCCURRENCES: usize = 10_000;
/// What is searched beyond the question, so that the next day's question is answered too.
const AHEAD: Duration = Duration::from_secs(400 * 86_400);

impl Recurrence {
    /// Reads a rule.
    ///
    /// # Errors
    /// What is wrong with it, for people; also that it never comes round.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MOST_CHARACTERS {
            return Err(format!("a recurrence rule has at most {MOST_CHARACTERS} characters"));
        }
        for part in text.split(';') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            if !PARTS.contains(&name) {
                return Err(format!(
                    "{name:?} is no part of a recurrence rule here; known are {}",
                    PARTS.join(", ")
                ));
            }
            if value.is_empty() || !value.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-,".contains(&b)) {
                return Err(format!("{value:?} is no value of {name}"));
            }
            if name == "FREQ" && !FREQUENCIES.contains(&value) {
                return Err(format!("FREQ is one of {}", FREQUENCIES.join(", ")));
            }
        }
        let start = start().ok_or("no calendar")?;
        let rule: RRule<Unvalidated> = text.parse().map_err(|e| format!("not a recurrence rule: {e}"))?;
        let rule = rule.validate(start).map_err(|e| format!("not a recurrence rule: {e}"))?;
        if rule.get_interval() == 0 {
            return Err("INTERVAL is at least 1".to_owned());
        }
        let recurrence = Self { text: text.to_owned(), rule, found: Arc::default() };
        let within = Timestamp::from_micros((start.timestamp() + YEARS_AHEAD * YEAR_SECONDS) * 1_000_000);
        // The first occurrence says it: counting them all is what loading a pack spent most time on.
        if recurrence.occurrences().next().is_none_or(|first| first >= within) {
            return Err("the rule never comes round".to_owned());
        }
        Ok(recurrence)
    }

    /// As the pack writes it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The occurrences from `from` (inclusive) to `until` (exclusive), at most 10,000.
    #[must_use]
    pub fn between(&self, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
        if until <= from {
            return Vec::new();
        }
        let kept = self.within(from, until, |found| {
            let place = |time| found.times.partition_point(|at| *at < time);
            found.times.get(place(from)..place(until)).unwrap_or_default().to_vec()
        });
        kept.unwrap_or_else(|| {
            let all = self.occurrences().skip_while(|at| *at < from);
            all.take_while(|at| *at < until).take(MOST_OCCURRENCES).collect()
        })
    }

    /// The first occurrence after a time; none when the rule has ended.
    #[must_use]
    pub fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        let kept = self.within(time, time.plus(Duration::from_micros(1)), |found| {
            let place = found.times.partition_point(|at| *at <= time);
            found.times.get(place).copied().or(found.next)
        });
        kept.unwrap_or_else(|| self.occurrences().find(|at| *at > time))
    }

    /// Answers from what was found, which covers this time by then; `None` where that would be too much to
    /// keep.
    fn within<T>(&self, from: Timestamp, until: Timestamp, answer: impl FnOnce(&Found) -> T) -> Option<T> {
        let mut kept = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept.as_ref().filter(|found| found.from <= from && until <= found.until) {
            return Some(answer(found));
        }
        let (mut from, mut until) = (from, until.plus(AHEAD));
        if let Some(found) = kept.as_ref() {
            (from, until) = (from.min(found.from), until.max(found.until));
        }
        let mut all = self.occurrences().skip_while(|at| *at < from).peekable();
        let mut times = Vec::new();
        while let Some(at) = all.next_if(|at| *at < until) {
            if times.len() == MOST_OCCURRENCES {
                return None;
            }
            times.push(at);
        }
        let found = kept.insert(Found { from, until, times, next: all.next() });
        Some(answer(found))
    }

    fn occurrences(&self) -> impl Iterator<Item = Timestamp> {
        start().into_iter().flat_map(|start| {
            // With the library's limits: a rule that never comes round ends the search.
            let set = RRuleSet::new(start).limit().rrule(self.rule.clone());
            (&set).into_iter().map(|at| Timestamp::from_micros(at.timestamp_micros()))
        })
    }
}

fn start() -> Option<DateTime<Tz>> {
    Tz::Asia__Tokyo.with_ymd_and_hms(2018, 1, 1, 0, 0, 0).single()
}

impl fmt::Display for Recurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is kept between questions changes no answer, in whatever order they come.
    #[test]
    fn answers_are_those_of_a_new_search() {
        let day = |n: i64| Timestamp::from_micros((1_514_732_400 + n * 86_400) * 1_000_000);
        let rules = [
            "FREQ=DAILY",
            "FREQ=WEEKLY;BYDAY=MO,TH",
            "FREQ=MONTHLY;BYMONTHDAY=-1",
            "FREQ=YEARLY;INTERVAL=2;BYMONTH=4;BYMONTHDAY=1",
            "FREQ=MONTHLY;UNTIL=20240331T000000Z",
            "FREQ=DAILY;BYHOUR=0,3,6,9,12,15,18,21",
        ];
        let spans = [(3000, 3031), (2900, 3031), (3000, 3000), (3600, 3900), (0, 4000), (3001, 3002), (9, 2)];
        for text in rules {
            let kept = Recurrence::parse(text).unwrap();
            for (from, until) in spans.map(|(from, until)| (day(from), day(until))) {
                let anew = Recurrence::parse(text).unwrap();
                let slow: Vec<_> = anew
                    .occurrences()
                    .filter(|at| from <= *at && *at < until)
                    .take(MOST_OCCURRENCES)
                    .collect();
                assert_eq!(kept.between(from, until), slow, "{text}");
                for time in [from, until, slow.first().copied().unwrap_or(from)] {
                    assert_eq!(kept.next_after(time), anew.occurrences().find(|at| *at > time), "{text}");
                }
            }
        }
    }
}
