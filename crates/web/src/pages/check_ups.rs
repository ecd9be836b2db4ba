//! Check-up results over the years: each item with its newest value, a drawing, and the same numbers as a
//! table.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::Path;
use jiff::ToSpan;
use mimamori_app::Stored;
use mimamori_domain::{RecordState, SubjectId, Timestamp};
use mimamori_fhir::Resource;

use super::vital_course::observations;
use super::{Head, id};
use crate::dates::{self, FhirTime};
use crate::error::Answered;
use crate::language::Texts;
use crate::layout::{Ask, Layout, page};
use crate::present::chart::{Chart, Point};
use crate::present::{self, Content};

/// So many years back.
const YEARS: i16 = 10;

#[derive(Template)]
#[template(path = "check_ups.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    pub(super) head: Head,
    pub(super) items: Vec<Shown>,
    /// There were more results than are read for one page.
    pub(super) more: bool,
}

/// One item of the check-ups.
#[derive(Default)]
pub(super) struct Shown {
    /// For addresses within the page.
    pub(super) id: String,
    pub(super) word: String,
    pub(super) newest: String,
    pub(super) newest_at: String,
    pub(super) chart: Option<Chart>,
    /// Day and value, newest first.
    pub(super) rows: Vec<(String, String)>,
}

/// One result.
struct Measured {
    at: Timestamp,
    when: String,
    value: String,
    number: Option<f64>,
}

/// `GET /people/{subject}/check-ups`
pub(crate) async fn show(ask: Ask, Path(subject): Path<String>) -> Answered {
    let subject: SubjectId = id(&subject)?;
    let (texts, today) = (ask.texts(), dates::day_of(ask.web.now()));
    let first = today.checked_sub(YEARS.years()).unwrap_or(today);
    let found = observations(&ask, subject, "exam", first);
    let (_, head, (records, more)) = Head::with(&ask, subject, found).await?;
    page(&Page { l: ask.layout("check-ups-title"), head, items: items(&records, texts), more })
}

/// Results by item, in the order of their names.
fn items(records: &[(Stored, Resource)], texts: &Texts) -> Vec<Shown> {
    let mut by_name: BTreeMap<String, Vec<Measured>> = BTreeMap::new();
    let finished = |stored: &Stored| matches!(stored.state, RecordState::Confirmed | RecordState::Amended);
    for (stored, resource) in records.iter().filter(|(stored, _)| finished(stored)) {
        for (name, result) in results(stored, resource, texts) {
            by_name.entry(name).or_default().push(result);
        }
    }
    let shown = by_name.into_iter().enumerate().filter_map(|(n, (word, mut results))| {
        results.sort_by_key(|result| std::cmp::Reverse(result.at));
        let newest = results.first()?;
        Some(Shown {
            id: format!("item-{n}"),
            newest: newest.value.clone(),
            newest_at: newest.when.clone(),
            chart: drawn(&results),
            rows: results.iter().map(|result| (result.when.clone(), result.value.clone())).collect(),
            word,
        })
    });
    shown.collect()
}

/// What one Observation states: its own value, and those of its components.
fn results(stored: &Stored, resource: &Resource, texts: &Texts) -> Vec<(String, Measured)> {
    let root = resource.root();
    let at = match root.string("effectiveDateTime").and_then(FhirTime::parse) {
        Some(FhirTime::Instant(at)) => at,
        Some(FhirTime::Day(day)) => dates::start_of(day).unwrap_or(stored.recorded),
        _ => stored.recorded,
    };
    let Content { title, lines, happened, .. } = present::content(resource, texts);
    let when = happened.unwrap_or_else(|| dates::date_time(stored.recorded, texts));
    let number = root
        .get("valueQuantity")
        .filter(|quantity| quantity.get("comparator").is_none())
        .and_then(|quantity| quantity.get("value")?.raw().parse().ok());
    let parts = root.items("component").count();
    let own = lines.len().min(if root.get("component").is_some() { parts } else { 1 });
    let own_value = texts.get("label-value");
    lines
        .into_iter()
        .take(own.max(1))
        .map(|line| {
            let is_own = line.label == own_value;
            let name = if is_own { title.clone() } else { format!("{title} {}", line.label) };
            let number = if is_own { number } else { None };
            (name, Measured { at, when: when.clone(), value: line.value, number })
        })
        .collect()
}

/// A drawing, where there are at least two numbers.
fn drawn(results: &[Measured]) -> Option<Chart> {
    let mut points: Vec<Point> = results
        .iter()
        .filter_map(|result| {
            let words = format!("{} {}", result.when, result.value);
            Some(Point { at: result.at, value: result.number?, words, beyond: false })
        })
        .collect();
    points.sort_by_key(|point| point.at);
    let (first, last) = (points.first()?.at, points.last()?.at);
    if first >= last {
        return None;
    }
    let named = |at: Timestamp| {
        let day = dates::day_of(at);
        (at, format!("{}/{}", day.year(), day.month()))
    };
    let days = [named(first), named(last)];
    // From year to year: nothing between two check-ups is a gap.
    Some(Chart::draw(first, last, &[], &[points], &days, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;
    use crate::present::sample;

    #[test]
    fn results_of_several_years_stand_together_newest_first() {
        let result = |year: i32, value: &str| {
            let json = format!(
                r#"{{"resourceType":"Observation","status":"final","code":{{"text":"HbA1c"}},
                "effectiveDateTime":"{year}-06-01","valueQuantity":{{"value":{value},"unit":"%","code":"%"}}}}"#
            );
            let stored = sample("Observation", &json);
            let resource = present::read(&stored).unwrap();
            (stored, resource)
        };
        let texts = Language::Japanese.texts();
        let shown = items(&[result(2024, "6.2"), result(2026, "5.8"), result(2025, "6.0")], texts);
        assert_eq!(shown.len(), 1);
        assert_eq!((shown[0].word.as_str(), shown[0].newest.as_str()), ("HbA1c", "5.8%"));
        let values: Vec<&str> = shown[0].rows.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["5.8%", "6.0%", "6.2%"]);
        assert_eq!(shown[0].chart.as_ref().unwrap().series[0].points.len(), 3);
        assert!(items(&[result(2026, "5.8")], texts)[0].chart.is_none(), "one value is no course");
    }
}
