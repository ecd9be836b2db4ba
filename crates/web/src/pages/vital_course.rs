//! The course of a person's vital signs: drawings over weeks or months, and the same numbers as tables.

use askama::Template;
use axum::extract::Path;
use jiff::ToSpan;
use jiff::civil::Date;
use mimamori_app::Stored;
use mimamori_domain::{Error, RecordState, SubjectId, Timestamp};
use mimamori_fhir::{Handling, Resource, SearchQuery, Value};

use super::looked::WINDOWS;
use super::{Head, id};
use crate::dates::{self, FhirTime};
use crate::error::{Answered, Fault};
use crate::forms::Query;
use crate::language::Texts;
use crate::layout::{Ask, Layout, page};
use crate::present::chart::{Chart, Point};
use crate::present::vital::{self, COURSES, Course};

/// Days shown first.
const USUAL_DAYS: i32 = 30;
/// Rows of a table: newest first.
const MOST_ROWS: usize = 60;
/// Rows and dots that a whole page shows at most, so that it stays light however much was measured.
const PAGE_ROWS: usize = 210;
const PAGE_DOTS: usize = 200;
/// Names of days below a drawing.
const NAMED_DAYS: i32 = 3;

#[derive(Template)]
#[template(path = "vital_course.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    pub(super) head: Head,
    pub(super) windows: Vec<super::looked::WindowChoice>,
    pub(super) courses: Vec<Shown>,
    /// Whether there were more records in the window than are read for one page.
    pub(super) more: bool,
    pub(super) may_write: bool,
}

/// One drawing with its table.
pub(super) struct Shown {
    /// For addresses within the page.
    pub(super) id: &'static str,
    pub(super) word: String,
    pub(super) unit: String,
    /// The newest measurement in words, and whether it is beyond the usual range.
    pub(super) newest: String,
    pub(super) newest_at: String,
    pub(super) newest_beyond: bool,
    /// The usual range in words.
    pub(super) usual: Option<String>,
    pub(super) chart: Chart,
    pub(super) rows: Vec<Row>,
    /// How many rows there are beyond those shown.
    pub(super) rows_left: u64,
}

/// What was measured at one moment.
pub(super) struct Row {
    pub(super) at: String,
    pub(super) value: String,
    pub(super) beyond: bool,
}

/// One number of an Observation.
#[derive(Debug, Clone, PartialEq)]
struct Measured {
    /// Which of the records it comes from.
    record: usize,
    code: String,
    at: Timestamp,
    value: f64,
    /// As it was received.
    written: String,
}

/// `GET /people/{subject}/vital-signs`
pub(crate) async fn show(ask: Ask, Path(subject): Path<String>, Query(query): Query) -> Answered {
    let subject: SubjectId = id(&subject)?;
    let (texts, today) = (ask.texts(), dates::day_of(ask.web.now()));
    let chosen = WINDOWS.into_iter().find(|(days, _)| days.to_string() == query.get("days"));
    let length = chosen.map_or(USUAL_DAYS, |(days, _)| days);
    let first = today.checked_sub((length - 1).days()).unwrap_or(today);
    let found = observations(&ask, subject, "vital-signs", first);
    let (person, head, (records, more)) = Head::with(&ask, subject, found).await?;
    let counted = records.iter().filter(|(stored, _)| counts(stored)).enumerate();
    let measured: Vec<Measured> =
        counted.flat_map(|(record, (_, resource))| measured(record, resource)).collect();
    let base = format!("/people/{subject}/vital-signs");
    page(&Page {
        l: ask.layout("vital-course-title"),
        head,
        windows: WINDOWS
            .into_iter()
            .map(|(days, key)| super::looked::WindowChoice {
                word: texts.get(key),
                link: format!("{base}?days={days}"),
                chosen: days == length,
            })
            .collect(),
        courses: light(
            COURSES.iter().filter_map(|course| shown(course, &measured, first, today, texts)).collect(),
        ),
        more,
        may_write: person.may.write_vital_signs,
    })
}

/// The Observations of a category since a day, newest first, and whether there were more than are read.
pub(super) async fn observations(
    ask: &Ask,
    subject: SubjectId,
    category: &str,
    first: Date,
) -> Result<(Vec<(Stored, Resource)>, bool), Fault> {
    let parameters =
        [("patient", subject.to_string()), ("category", category.to_owned()), ("date", format!("ge{first}"))]
            .map(|(name, value)| (name.to_owned(), value));
    let query = SearchQuery::parse("Observation", &parameters, Handling::Strict)
        .map_err(|_| Error::internal("the question for observations"))?;
    Ok(ask.web.app.search_newest(&ask.caller, &query).await?)
}

/// Drafts and what was withdrawn are no measurements.
fn counts(stored: &Stored) -> bool {
    matches!(stored.state, RecordState::Confirmed | RecordState::Amended)
}

/// The numbers an Observation states: its own, and those of its components.
fn measured(record: usize, resource: &Resource) -> Vec<Measured> {
    let whole = resource.root();
    let Some(FhirTime::Instant(at)) = whole.string("effectiveDateTime").and_then(FhirTime::parse) else {
        return Vec::new();
    };
    if !matches!(whole.string("status"), Some("final" | "amended" | "corrected" | "preliminary")) {
        return Vec::new();
    }
    std::iter::once(whole)
        .chain(whole.items("component"))
        .filter_map(|part| number(record, part, at))
        .collect()
}

fn number(record: usize, part: Value<'_>, at: Timestamp) -> Option<Measured> {
    let vital = vital::of(part)?;
    let quantity = part.get("valueQuantity")?;
    // Another unit is another scale: it stays in the record and out of the drawing.
    let fits = quantity.string("code").is_none_or(|code| code == vital.unit);
    // "Below 90" is no number to draw.
    let plain = quantity.get("comparator").is_none();
    let written = quantity.get("value")?.raw().to_owned();
    let value = written.parse().ok().filter(|value: &f64| value.is_finite() && fits && plain)?;
    Some(Measured { record, code: vital.code.to_owned(), at, value, written })
}

/// A drawing with its table; `None` when nothing of it was measured.
fn shown(course: &Course, measured: &[Measured], first: Date, today: Date, texts: &Texts) -> Option<Shown> {
    let unit = course.lines.iter().copied().flatten().find_map(|code| vital::with_code(code))?.unit;
    let unit = vital::unit_word(Some(unit), texts).unwrap_or_else(|| unit.to_owned());
    let mut series: Vec<Vec<Point>> = Vec::new();
    for (codes, usual) in course.lines.iter().zip(course.usual) {
        let mut points: Vec<Point> = measured
            .iter()
            .filter(|one| codes.contains(&one.code.as_str()))
            .map(|one| Point {
                at: one.at,
                value: one.value,
                words: format!("{} {}", dates::date_time(one.at, texts), one.written),
                beyond: usual.is_some_and(|range| is_beyond(one.value, range)),
            })
            .collect();
        points.sort_by_key(|point| point.at);
        series.push(points);
    }
    let (rows, rows_left) = rows(course, measured, texts);
    let newest = rows.first()?;
    let usual: Vec<(f64, f64)> = course.usual.iter().flatten().map(|range| bounds(*range)).collect();
    let from = dates::start_of(first)?;
    let until = dates::start_of(today.checked_add(1.day()).ok()?)?;
    let length = first.until(today).ok()?.get_days();
    let days = (0..NAMED_DAYS).filter_map(|n| {
        let day = first.checked_add((length * n / (NAMED_DAYS - 1)).days()).ok()?;
        Some((dates::start_of(day)?, dates::short(day)))
    });
    let days: Vec<(Timestamp, String)> = days.collect();
    Some(Shown {
        id: course.word,
        word: texts.get(course.word),
        newest: newest.value.clone(),
        newest_at: newest.at.clone(),
        newest_beyond: newest.beyond,
        usual: (!usual.is_empty()).then(|| {
            let ranges: Vec<String> = usual.iter().map(|(low, high)| format!("{low}–{high}")).collect();
            ranges.join(" / ")
        }),
        chart: Chart::draw(from, until, &usual, &series, &days, 1.0 / 3.0),
        rows,
        rows_left,
        unit,
    })
}

/// Leaves no more rows and dots than one page bears, the same for each drawing and line.
fn light(mut courses: Vec<Shown>) -> Vec<Shown> {
    let rows = PAGE_ROWS / courses.len().max(1);
    let lines = || courses.iter().flat_map(|course| &course.chart.series);
    let dots: usize = lines().map(|line| line.points.len()).sum();
    let each = PAGE_DOTS / lines().count().max(1);
    for course in &mut courses {
        course.rows_left += course.rows.len().saturating_sub(rows) as u64;
        course.rows.truncate(rows);
        if dots > PAGE_DOTS {
            course.chart.series.iter_mut().for_each(|line| line.thin(each));
        }
    }
    courses
}

/// What was measured last, newest first, and how many more rows there are; lines that were measured at the
/// same moment stand together.
fn rows(course: &Course, measured: &[Measured], texts: &Texts) -> (Vec<Row>, u64) {
    let codes: Vec<&str> = course.lines.iter().copied().flatten().copied().collect();
    let mut of_course: Vec<&Measured> =
        measured.iter().filter(|one| codes.contains(&one.code.as_str())).collect();
    let place = |one: &Measured| codes.iter().position(|code| *code == one.code);
    of_course.sort_by_key(|one| (std::cmp::Reverse(one.at), one.record, place(one)));
    // Upper and lower pressure are one line, whether one record states both or each has its own.
    let mut moments = of_course.chunk_by(|a, b| a.at == b.at && place(a) < place(b));
    let row = |together: &[&Measured]| {
        let values: Vec<&str> = together.iter().map(|one| one.written.as_str()).collect();
        Some(Row {
            at: dates::date_time(together.first()?.at, texts),
            value: values.join(" / "),
            beyond: together
                .iter()
                .any(|one| usual_of(course, &one.code).is_some_and(|range| is_beyond(one.value, range))),
        })
    };
    let rows = moments.by_ref().take(MOST_ROWS).filter_map(row).collect();
    (rows, moments.count() as u64)
}

fn usual_of(course: &Course, code: &str) -> Option<(u32, u32)> {
    course
        .lines
        .iter()
        .zip(course.usual)
        .find(|(codes, _)| codes.contains(&code))
        .and_then(|(_, usual)| *usual)
}

fn bounds((low, high): (u32, u32)) -> (f64, f64) {
    (f64::from(low) / 1000.0, f64::from(high) / 1000.0)
}

fn is_beyond(value: f64, range: (u32, u32)) -> bool {
    let (low, high) = bounds(range);
    value < low || value > high
}
