//! What people of an organisation write into the forms of its rules: texts, dates and numbers that
//! fit a field, from tables. A form's fields are filled with one number, so that they tell one story.

use std::sync::LazyLock;

use crate::random::Stream;
use crate::table::{Row, rows};

static TEXTS: LazyLock<Vec<Row>> = LazyLock::new(|| rows(include_str!("../data/rules/texts.tsv")).collect());
static DATES: LazyLock<Vec<Row>> = LazyLock::new(|| rows(include_str!("../data/rules/dates.tsv")).collect());
static AMOUNTS: LazyLock<Vec<Row>> =
    LazyLock::new(|| rows(include_str!("../data/rules/amounts.tsv")).collect());
static VOLUMES: LazyLock<Vec<Row>> =
    LazyLock::new(|| rows(include_str!("../data/rules/volume.tsv")).collect());
static CASES: LazyLock<Vec<Row>> = LazyLock::new(|| rows(include_str!("../data/rules/cases.tsv")).collect());
static REASONS: LazyLock<Vec<Row>> =
    LazyLock::new(|| rows(include_str!("../data/rules/reasons.tsv")).collect());
const SITE: &str = include_str!("../data/rules/site.tsv");
const DOCUMENT: &str = include_str!("../data/rules/document.tsv");
const PAPER: &str = include_str!("../data/rules/paper.tsv");

/// The parameter that a proposal of new rules changes.
pub const REVISED: &str = "break-glass.review-days";

/// Numbers drawn from a seed, for whoever writes the history: the same seed draws the same.
#[derive(Debug, Clone)]
pub struct Chance(Stream);

impl Chance {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Stream::new(seed).fork("rules", 0))
    }

    /// From `low` to `high`, both included.
    pub fn between(&mut self, low: i32, high: i32) -> i32 {
        self.0.between(low, high)
    }

    /// True `percent` times of a hundred.
    pub fn percent(&mut self, percent: i32) -> bool {
        self.0.chance(percent)
    }

    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        self.0.pick(list)
    }
}

/// What stands in a text field of the object (a register's or procedure's code); `name` is the field's
/// Japanese name, `story` the form's number.
#[must_use]
pub fn text(object: &str, code: &str, name: &str, story: usize) -> String {
    let fits = |row: &&Row| {
        let (of, what) = (row.text(0), row.text(1));
        let object_fits = of == "*" || object.contains(of);
        object_fits
            && (what == "*" || what.strip_prefix('=').map_or(name.contains(what), |exact| exact == code))
    };
    let number = 10 + story.wrapping_mul(37) % 90;
    let listed = TEXTS.iter().find(fits).map_or("", |row| sentence(row.text(2), story));
    listed.replace("{nn}", &number.to_string())
}

/// How many days from the day of the form a date lies, and at what hour.
#[must_use]
pub fn date(code: &str, chance: &mut Chance) -> (i32, i32) {
    match DATES.iter().find(|row| row.text(0).is_empty() || code.contains(row.text(0))) {
        Some(row) => {
            (chance.between(row.number(1), row.number(2)), chance.between(row.number(3), row.number(4)))
        }
        None => (0, 9),
    }
}

/// A number for a field.
#[must_use]
pub fn amount(code: &str, chance: &mut Chance) -> i32 {
    let row = AMOUNTS.iter().find(|row| row.text(0).is_empty() || code.contains(row.text(0)));
    row.map_or(1, |row| chance.between(row.number(1), row.number(2)))
}

/// How many entries a register gets in half a year.
#[must_use]
pub fn volume(register: &str) -> usize {
    let row = VOLUMES.iter().find(|row| row.text(0).is_empty() || register.contains(row.text(0)));
    row.and_then(|row| usize::try_from(row.number(1)).ok()).unwrap_or(1)
}

/// How many cases of a procedure there are in half a year.
#[must_use]
pub fn cases(procedure: &str) -> usize {
    let row = CASES.iter().find(|row| row.text(0).is_empty() || procedure.contains(row.text(0)));
    row.and_then(|row| usize::try_from(row.number(1)).ok()).unwrap_or(1)
}

/// What somebody says with an act (the first column of the table) about a register or procedure. Another
/// `turn` gives another sentence, until all that fit have been said.
#[must_use]
pub fn reason(act: &str, object: &str, turn: usize) -> &'static str {
    let fits = |row: &&Row| row.text(0) == act && (row.text(1) == "*" || object.contains(row.text(1)));
    let all: Vec<&'static str> =
        REASONS.iter().filter(fits).flat_map(|row| row.text(2).split(" | ")).collect();
    all.get(turn % all.len().max(1)).map_or("", |sentence| sentence.trim())
}

/// Example values for parameters that a site must give: key and value.
pub fn site_examples() -> impl Iterator<Item = (&'static str, &'static str)> {
    rows(SITE).map(|row| (row.text(0), row.text(1)))
}

/// The text of a document.
#[must_use]
pub fn document(name: &str, organisation: &str) -> String {
    let lines: Vec<String> = rows(DOCUMENT)
        .map(|row| row.text(0).replace("{name}", name).replace("{organisation}", organisation))
        .collect();
    lines.join("\n")
}

/// The text of a paper that is attached to a form, made on a day as it is written in Japan.
#[must_use]
pub fn paper(name: &str, organisation: &str, day: &str) -> String {
    let put = |row: Row| {
        row.text(0).replace("{name}", name).replace("{organisation}", organisation).replace("{day}", day)
    };
    rows(PAPER).map(put).collect::<Vec<_>>().join("\n")
}

fn sentence(listed: &'static str, story: usize) -> &'static str {
    let count = listed.split(" | ").count();
    listed.split(" | ").nth(story % count.max(1)).unwrap_or("").trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_gets_a_text_and_a_story_stays_one() {
        assert_eq!(text("incident-record", "cause", "原因", 2), "送信前の宛先の読み合わせを省いた。");
        assert_eq!(text("incident-record", "summary", "件名", 2), "誤った宛先へのFAX送信");
        assert!(!text("x", "y", "z", 11).is_empty());
        for row in TEXTS.iter() {
            assert!(row.text(2).split(" | ").all(|sentence| !sentence.trim().is_empty()), "{row:?}");
        }
    }

    #[test]
    fn what_people_say_differs_until_all_was_said() {
        let said: Vec<&str> = (0..8).map(|turn| reason("refuse", "taking-out", turn)).collect();
        let distinct: std::collections::BTreeSet<&&str> = said.iter().collect();
        assert_eq!(distinct.len(), said.len());
        let acts =
            ["refuse", "return", "withdraw", "comment", "ask", "skip", "review", "finding", "statement"];
        let more = ["evidence", "fails", "done", "amend-text", "amend-date", "addition", "strike"];
        for act in acts.iter().chain(&more).chain(&["care-withdraw", "break-glass"]) {
            assert!(!reason(act, "", 0).is_empty(), "{act}");
        }
        assert!(cases("inquiry") > cases("audit"));
    }

    #[test]
    fn the_end_of_something_lies_after_its_beginning() {
        let mut chance = Chance::new(1);
        for _ in 0..100 {
            assert!(date("planned-from", &mut chance).0 < date("planned-until", &mut chance).0 + 8);
            assert!(date("from", &mut chance).0 <= date("until", &mut chance).0);
        }
        assert!(!site_examples().collect::<Vec<_>>().is_empty());
        assert!(document("運用管理規程", "ひだまり市").contains("運用管理規程"));
        let paper = paper("契約書", "ひだまり市", "2026年6月1日");
        assert!(["契約書", "ひだまり市", "2026年6月1日"].iter().all(|part| paper.contains(part)), "{paper}");
        assert!(!paper.contains('{'), "{paper}");
    }
}
