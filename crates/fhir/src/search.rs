//! What of a resource can be searched for, and whose it is: driven by `data/search.tsv`, which is
//! made from FHIR R4's search parameters.

use crate::date::{Date, Interval};
use crate::json::Value;
use crate::reference::{RefKind, reference_at};
use crate::resource::Resource;
use crate::tables::{SearchRow, tables};

/// What can be searched for in one resource. Every text is personal data: it is indexed sealed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SearchValues {
    /// `(system, value)`; the system is empty when none is given.
    pub identifiers: Vec<(String, String)>,
    pub names: Vec<NameParts>,
    /// As written: `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
    pub birth_date: Option<String>,
    /// FHIR's code: male, female, other, unknown.
    pub gender: Option<String>,
    /// `(system, code)`; the system is empty when none is given.
    pub codes: Vec<(String, String)>,
    pub categories: Vec<(String, String)>,
    /// The type's own date, `[start, end)` in microseconds UTC. An open period reaches to
    /// `i64::MIN` or `i64::MAX`.
    pub date: Option<Interval>,
    pub status: Option<String>,
}

impl std::fmt::Debug for SearchValues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SearchValues(..)")
    }
}

/// One of a person's names.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NameParts {
    pub family: Option<String>,
    pub given: Vec<String>,
    pub text: Option<String>,
    /// FHIR's `HumanName.use`: official, usual, old, maiden ...
    pub usage: Option<String>,
    /// How it is written, when the name says so.
    pub representation: Option<Representation>,
}

impl std::fmt::Debug for NameParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NameParts(..)")
    }
}

/// How a name is written: the extension `iso21090-EN-representation`, which JP Core uses to tell
/// kanji from kana.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Representation {
    /// `IDE`: kanji.
    Ideographic,
    /// `SYL`: kana.
    Syllabic,
    /// `ABC`: Latin letters.
    Alphabetic,
}

const REPRESENTATION: &str = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation";

/// Takes out what can be searched for. Meant for resources that were validated; from others it takes
/// what it understands.
#[must_use]
pub fn search_values(resource: &Resource) -> SearchValues {
    let mut values = SearchValues::default();
    for row in tables().search_rows(resource.resource_type()) {
        match row.role {
            "identifier" => each(resource, row, |v| values.identifiers.extend(token(v))),
            "code" => each(resource, row, |v| tokens(v, &mut values.codes)),
            "category" => each(resource, row, |v| tokens(v, &mut values.categories)),
            "name" => each(resource, row, |v| values.names.extend(name(v))),
            "birthdate" => keep(&mut values.birth_date, || first_text(resource, row)),
            "gender" => keep(&mut values.gender, || first_text(resource, row)),
            "status" => keep(&mut values.status, || first_code(resource, row)),
            "date" => keep(&mut values.date, || first_date(resource, row)),
            _ => {}
        }
    }
    values
}

/// Whose record a resource belongs to.
#[derive(Clone, PartialEq, Eq)]
pub struct PatientRef {
    /// Where it is said: `Observation.subject`; `Patient` for a patient itself.
    pub path: String,
    /// The reference's text; empty for a patient itself.
    pub text: String,
    pub kind: RefKind,
    /// The patient's id, when the reference names one (or the patient itself has one).
    pub id: Option<String>,
}

impl std::fmt::Debug for PatientRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PatientRef({}, {:?})", self.path, self.kind)
    }
}

/// Whose record a resource belongs to, by FHIR R4's Patient compartment: the patient it is about
/// (never those who only took part). `None` when the type is outside the compartment
/// ([`is_in_compartment`]) or the resource names no patient.
#[must_use]
pub fn patient_of(resource: &Resource) -> Option<PatientRef> {
    let kind = resource.resource_type();
    if kind == "Patient" {
        let id = resource.id().map(str::to_owned);
        return Some(PatientRef { path: kind.to_owned(), text: String::new(), kind: RefKind::Relative, id });
    }
    let row = tables().search_rows(kind).iter().find(|row| row.role == "patient")?;
    row.paths.iter().find_map(|path| {
        let shown = format!("{kind}.{}", path.join("."));
        let mut found = None;
        walk(resource.root(), path, &mut |value| {
            let reference = reference_at(value, shown.clone());
            let patient = reference.filter(|r| r.resource_type.as_deref().is_none_or(|t| t == "Patient"));
            found = found.take().or(patient);
        });
        found.map(|r: crate::RefAt| PatientRef { path: r.path, text: r.text, kind: r.kind, id: r.id })
    })
}

/// Whether resources of a type belong to a patient's record.
#[must_use]
pub fn is_in_compartment(resource_type: &str) -> bool {
    resource_type == "Patient" || tables().search_rows(resource_type).iter().any(|row| row.role == "patient")
}

/// Reads a FHIR date or date-time as the interval it means; see [`SearchValues::date`].
#[must_use]
pub fn date_interval(text: &str) -> Option<Interval> {
    Date::read(text).map(|date| date.interval())
}

fn keep<T>(slot: &mut Option<T>, make: impl FnOnce() -> Option<T>) {
    if slot.is_none() {
        *slot = make();
    }
}

/// Calls `visit` with every value at a row's paths.
fn each<'a>(resource: &'a Resource, row: &SearchRow, mut visit: impl FnMut(Value<'a>)) {
    for path in &row.paths {
        walk(resource.root(), path, &mut visit);
    }
}

/// Follows member names, through arrays.
pub(crate) fn walk<'a>(value: Value<'a>, path: &[&str], visit: &mut impl FnMut(Value<'a>)) {
    let Some((name, rest)) = path.split_first() else {
        visit(value);
        return;
    };
    for item in value.get(name).into_iter().flat_map(Value::each) {
        walk(item, rest, visit);
    }
}

fn first_text(resource: &Resource, row: &SearchRow) -> Option<String> {
    let mut found = None;
    each(resource, row, |value| keep(&mut found, || value.text().map(str::to_owned)));
    found
}

fn first_code(resource: &Resource, row: &SearchRow) -> Option<String> {
    let mut found = Vec::new();
    each(resource, row, |value| tokens(value, &mut found));
    found.into_iter().next().map(|(_, code)| code)
}

fn first_date(resource: &Resource, row: &SearchRow) -> Option<Interval> {
    let mut found = None;
    each(resource, row, |value| keep(&mut found, || interval(value)));
    found
}

/// A code, Coding, CodeableConcept or Identifier as `(system, code)` pairs.
pub(crate) fn tokens(value: Value<'_>, found: &mut Vec<(String, String)>) {
    if value.get("coding").is_some() {
        found.extend(value.items("coding").filter_map(token));
    } else {
        found.extend(token(value));
    }
}

fn token(value: Value<'_>) -> Option<(String, String)> {
    if let Some(code) = value.text() {
        return Some((String::new(), code.to_owned()));
    }
    let system = value.string("system").unwrap_or_default();
    let code = value.string("code").or_else(|| value.string("value"))?;
    Some((system.to_owned(), code.to_owned()))
}

/// A HumanName, or the plain name of an organisation.
fn name(value: Value<'_>) -> Option<NameParts> {
    if let Some(text) = value.text() {
        return Some(NameParts { text: Some(text.to_owned()), ..NameParts::default() });
    }
    let text = |name| value.string(name).map(str::to_owned);
    let given = value.items("given").filter_map(|g| g.text().map(str::to_owned)).collect();
    let extension = value.items("extension").find(|e| e.string("url") == Some(REPRESENTATION));
    let representation = match extension.and_then(|e| e.string("valueCode")) {
        Some("IDE") => Some(Representation::Ideographic),
        Some("SYL") => Some(Representation::Syllabic),
        Some("ABC") => Some(Representation::Alphabetic),
        _ => None,
    };
    Some(NameParts { family: text("family"), given, text: text("text"), usage: text("use"), representation })
}

/// A date, dateTime or instant, a Period, or a Timing (all its events, or its bounds).
fn interval(value: Value<'_>) -> Option<Interval> {
    if let Some(text) = value.text() {
        return date_interval(text);
    }
    if let Some(events) = value.get("event") {
        let all = events.children().filter_map(|e| date_interval(e.text()?));
        return all.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    }
    let period = value.get("repeat").and_then(|r| r.get("boundsPeriod")).unwrap_or(value);
    let edge = |name| period.string(name).and_then(date_interval);
    match (edge("start"), edge("end")) {
        (None, None) => None,
        (start, end) => Some((start.map_or(i64::MIN, |s| s.0), end.map_or(i64::MAX, |e| e.1))),
    }
}
