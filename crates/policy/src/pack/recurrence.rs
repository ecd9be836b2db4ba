//! When periodic duties come round: RFC 5545 recurrence rules in Japan's time.

use std::fmt;

use chrono::{DateTime, TimeZone as _};
use mimamori_domain::Timestamp;
use rrule::{RRule, RRuleSet, Tz, Unvalidated};

/// A recurrence rule that was checked: `FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=1`.
///
/// Rules are counted from Monday, 1 January 2018, 00:00 in Japan: what a rule leaves open (the month
/// of a yearly one, the weekday of a weekly one, where an interval of two years begins) is that day's.
/// An occurrence is at 00:00 unless the rule says `BYHOUR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recurrence {
    text: String,
    rule: RRule,
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
        let recurrence = Self { text: text.to_owned(), rule };
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
        self.occurrences()
            .skip_while(|at| *at < from)
            .take_while(|at| *at < until)
            .take(MOST_OCCURRENCES)
            .collect()
    }

    /// The first occurrence after a time; none when the rule has ended.
    #[must_use]
    pub fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        self.occurrences().find(|at| *at > time)
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
