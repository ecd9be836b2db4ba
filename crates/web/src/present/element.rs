//! FHIR data types in words.

use mimamori_fhir::Value;

use super::vital;
use crate::dates::FhirTime;
use crate::language::Texts;

/// Every value at a path of member names; arrays are walked through.
pub(super) fn select<'a>(root: Value<'a>, path: &str) -> Vec<Value<'a>> {
    let mut found = vec![root];
    for name in path.split('.') {
        found = found.into_iter().filter_map(|value| value.get(name)).flat_map(Value::each).collect();
    }
    found
}

/// How the values at a path are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum As {
    /// By their shape: concept, quantity, period, reference, text, number.
    Shape,
    /// A code of a required binding, whose word is the text `code-<code>`.
    Code,
    /// A FHIR date or dateTime.
    Time,
}

pub(super) fn show(value: Value<'_>, how: As, texts: &Texts) -> Option<String> {
    let text = match how {
        As::Shape => shape(value, texts)?,
        As::Code => code(code_of(value)?, texts),
        As::Time => {
            let text = value.text()?;
            FhirTime::parse(text).map_or_else(|| text.to_owned(), |t| t.show(texts))
        }
    };
    Some(text).filter(|t| !t.trim().is_empty())
}

/// A code alone, or the first code of a concept.
fn code_of(value: Value<'_>) -> Option<&str> {
    value.text().or_else(|| value.items("coding").next()?.string("code"))
}

/// The word for a code of FHIR's own lists; the code itself where we have none.
pub(super) fn code(code: &str, texts: &Texts) -> String {
    texts.find(&format!("code-{code}")).unwrap_or_else(|| code.to_owned())
}

fn shape(value: Value<'_>, texts: &Texts) -> Option<String> {
    use mimamori_fhir::JsonKind as J;
    match value.kind() {
        J::String => value.text().map(str::to_owned),
        J::Number => Some(value.raw().to_owned()),
        J::Boolean => Some(texts.get(if value.raw() == "true" { "word-yes" } else { "word-no" })),
        J::Array => join(value.each().filter_map(|v| shape(v, texts)), texts),
        J::Null => None,
        J::Object => concept(value, texts)
            .or_else(|| quantity(value, texts))
            .or_else(|| ratio(value, texts))
            .or_else(|| period(value, texts))
            .or_else(|| value.string("display").map(str::to_owned))
            .or_else(|| human_name(value)),
    }
}

fn join(parts: impl Iterator<Item = String>, texts: &Texts) -> Option<String> {
    Some(parts.collect::<Vec<_>>().join(&texts.get("list-and"))).filter(|t| !t.is_empty())
}

/// A CodeableConcept: its text, else the first display, else the first code, in words where we have
/// them. A Coding likewise.
pub(crate) fn concept(value: Value<'_>, texts: &Texts) -> Option<String> {
    let text = value.string("text");
    let of_codings = |name| value.items("coding").find_map(|c| c.string(name));
    let word = |found: &str| code(found, texts);
    let displayed = |name: &str| value.get("system").and(value.string(name));
    let is_concept = value.get("coding").is_some() || text.is_some();
    if is_concept {
        let told = text.or_else(|| of_codings("display")).map(str::to_owned);
        told.or_else(|| of_codings("code").map(word))
    } else if value.get("value").is_none() {
        displayed("display").map(str::to_owned).or_else(|| displayed("code").map(word))
    } else {
        None
    }
}

/// A Quantity: its number exactly as received and its unit in words.
pub(super) fn quantity(value: Value<'_>, texts: &Texts) -> Option<String> {
    let number = value.get("value")?.raw();
    let comparator = match value.string("comparator") {
        Some("<") => texts.get("below"),
        Some("<=") => texts.get("at-most"),
        Some(">") => texts.get("above"),
        Some(">=") => texts.get("at-least"),
        _ => String::new(),
    };
    let unit = vital::unit_word(value.string("code"), texts)
        .or_else(|| value.string("unit").or(value.string("code")).map(str::to_owned))
        .unwrap_or_default();
    let gap = if unit.is_ascii() && unit != "%" && !unit.is_empty() { " " } else { "" };
    Some(format!("{comparator}{number}{gap}{unit}"))
}

fn ratio(value: Value<'_>, texts: &Texts) -> Option<String> {
    let (top, bottom) = (value.get("numerator")?, value.get("denominator")?);
    Some(format!("{} / {}", quantity(top, texts)?, quantity(bottom, texts)?))
}

fn period(value: Value<'_>, texts: &Texts) -> Option<String> {
    let end = |name| show(value.get(name)?, As::Time, texts);
    let (start, finish) = (end("start"), end("end"));
    if start.is_none() && finish.is_none() {
        return None;
    }
    Some(format!("{} – {}", start.unwrap_or_default(), finish.unwrap_or_default()).trim().to_owned())
}

/// A HumanName as one text, family name first.
pub(super) fn human_name(value: Value<'_>) -> Option<String> {
    if let Some(text) = value.string("text") {
        return Some(text.to_owned());
    }
    let parts = value.string("family").into_iter().chain(value.items("given").filter_map(Value::text));
    Some(parts.collect::<Vec<_>>().join(" ")).filter(|t| !t.is_empty())
}
