//! What forms hold: reading what was typed, field by field, and computing what is derived.
//!
//! A value is JSON: text, decimal, date (`2026-11-21`), time (`09:30`), date and time
//! (`2026-11-21T09:30`, Japan time), the code of a choice and ids are strings; yes/no is a boolean;
//! `many` is an array of such.

use std::collections::BTreeMap;

use jiff::civil;
use mimamori_domain::{Fault, ObjectId};
use mimamori_policy::Pack;
use mimamori_policy::model::{Choices, Condition, Derivation, Field, FieldType, Period};
use serde_json::Value;

/// Values by the code of their field.
pub type Values = BTreeMap<String, Value>;

/// What was typed, by the code of its field: several texts where the field holds many.
pub type Typed = BTreeMap<String, Vec<String>>;

/// Most values of one `many` field.
const MOST_MANY: usize = 200;
/// Most digits of a number.
const MOST_DIGITS: usize = 15;

/// Reads what was typed into these fields. `earlier` are values of the same case that conditions
/// may look at, by `field` or `step.field`.
///
/// # Errors
/// Every fault with the code of its field as place.
pub(crate) fn read(
    pack: &Pack,
    fields: &[Field],
    typed: &Typed,
    earlier: &Values,
) -> Result<Values, Vec<Fault>> {
    let mut faults = Vec::new();
    for key in typed.keys().filter(|key| !fields.iter().any(|field| field.code == **key)) {
        faults.push(fault(key, "there is no such field"));
    }
    let mut values = Values::new();
    for field in fields {
        if matches!(field.kind, FieldType::Derived(_)) {
            if typed.get(&field.code).is_some_and(|texts| texts.iter().any(|text| !text.trim().is_empty())) {
                faults.push(fault(&field.code, "this is computed and cannot be entered"));
            }
            continue;
        }
        let wanted = field.when.as_ref().is_none_or(|when| holds(when, &values, earlier));
        let texts: Vec<&str> = typed
            .get(&field.code)
            .into_iter()
            .flatten()
            .map(|text| text.trim())
            .filter(|text| !text.is_empty())
            .collect();
        if !wanted {
            continue;
        }
        match of_texts(pack, field, &texts) {
            Ok(Some(value)) => drop(values.insert(field.code.clone(), value)),
            Ok(None) if field.required => faults.push(Fault {
                place: field.code.clone(),
                rule: "this is required".to_owned(),
                code: "required",
            }),
            Ok(None) => {}
            Err(rule) => faults.push(fault(&field.code, &rule)),
        }
    }
    if faults.is_empty() {
        derive(fields, &mut values);
        Ok(values)
    } else {
        Err(faults)
    }
}

fn fault(place: &str, rule: &str) -> Fault {
    Fault { place: place.to_owned(), rule: rule.to_owned(), code: "value" }
}

fn of_texts(pack: &Pack, field: &Field, texts: &[&str]) -> Result<Option<Value>, String> {
    if field.many {
        if texts.len() > MOST_MANY {
            return Err(format!("at most {MOST_MANY} values are allowed"));
        }
        let values: Vec<Value> =
            texts.iter().map(|text| of_text(pack, &field.kind, text)).collect::<Result<_, _>>()?;
        return Ok((!values.is_empty()).then_some(Value::Array(values)));
    }
    match texts {
        [] => Ok(None),
        [text] => of_text(pack, &field.kind, text).map(Some),
        _ => Err("only one value is allowed".to_owned()),
    }
}

fn of_text(pack: &Pack, kind: &FieldType, text: &str) -> Result<Value, String> {
    let string = |text: String| Ok(Value::String(text));
    match kind {
        FieldType::Text { most } | FieldType::LongText { most } => {
            if text.chars().count() > *most as usize {
                return Err(format!("at most {most} characters are allowed"));
            }
            let line = matches!(kind, FieldType::Text { .. });
            if text.chars().any(|c| c.is_control() && (line || !matches!(c, '\n' | '\r' | '\t'))) {
                return Err("control characters are not allowed".to_owned());
            }
            string(text.replace("\r\n", "\n"))
        }
        FieldType::Number { least, most, decimals, .. } => string(number(text, *least, *most, *decimals)?),
        FieldType::Date => string(
            text.parse::<civil::Date>()
                .map_err(|_| "a date is written like 2026-11-21".to_owned())?
                .to_string(),
        ),
        FieldType::Time => {
            let time = text.parse::<civil::Time>().map_err(|_| "a time is written like 09:30".to_owned())?;
            string(time.strftime("%H:%M").to_string())
        }
        FieldType::DateTime => {
            let time = text
                .parse::<civil::DateTime>()
                .map_err(|_| "a date and time is written like 2026-11-21T09:30".to_owned())?;
            string(time.strftime("%Y-%m-%dT%H:%M").to_string())
        }
        FieldType::Choice(choices) => {
            if choice_codes(pack, choices).any(|code| code == text) {
                string(text.to_owned())
            } else {
                Err("this is not one of the choices".to_owned())
            }
        }
        FieldType::YesNo => match text {
            "yes" => Ok(Value::Bool(true)),
            "no" => Ok(Value::Bool(false)),
            _ => Err("the answer is yes or no".to_owned()),
        },
        FieldType::Person
        | FieldType::Institution
        | FieldType::Subject
        | FieldType::Asset
        | FieldType::Entry { .. }
        | FieldType::File => {
            let id: ObjectId = text.parse().map_err(|_| "choose one from the list".to_owned())?;
            string(id.to_string())
        }
        FieldType::Derived(_) => Err("this is computed and cannot be entered".to_owned()),
    }
}

/// The codes a `choice` field may hold under this pack.
pub(crate) fn choice_codes<'a>(
    pack: &'a Pack,
    choices: &'a Choices,
) -> Box<dyn Iterator<Item = &'a str> + 'a> {
    match choices {
        Choices::Listed(listed) => Box::new(listed.iter().map(|choice| choice.code.as_str())),
        Choices::Classification(axis) => Box::new(
            pack.classification()
                .iter()
                .filter(move |row| row.code == *axis)
                .flat_map(|row| row.levels.iter().map(|level| level.code.as_str())),
        ),
        Choices::Incidents => Box::new(pack.incident_levels().iter().map(|level| level.code.as_str())),
        Choices::Roles => {
            Box::new(pack.roles().iter().filter(|role| !role.outside).map(|role| role.code.as_str()))
        }
    }
}

/// Reads a decimal and gives it in one way of writing.
fn number(text: &str, least: Option<i64>, most: Option<i64>, decimals: u8) -> Result<String, String> {
    let text: String = text.chars().filter(|c| !matches!(c, ',' | '，')).map(narrow).collect();
    let value: f64 = text.parse().map_err(|_| "a number is expected".to_owned())?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text.as_str(), ""));
    let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    let unsigned = whole.strip_prefix('-').unwrap_or(whole);
    if unsigned.is_empty() || !digits(unsigned) || !digits(fraction) || text.len() > MOST_DIGITS {
        return Err("a number is expected".to_owned());
    }
    if fraction.len() > usize::from(decimals) {
        return Err(if decimals == 0 {
            "a whole number is expected".to_owned()
        } else {
            format!("at most {decimals} decimal places are allowed")
        });
    }
    let beyond =
        |bound: Option<i64>, order| bound.and_then(|bound| value.partial_cmp(&(bound as f64))) == Some(order);
    if beyond(least, std::cmp::Ordering::Less) || beyond(most, std::cmp::Ordering::Greater) {
        let word = |bound: Option<i64>| bound.map_or_else(|| "-".to_owned(), |bound| bound.to_string());
        return Err(format!("the number must lie between {} and {}", word(least), word(most)));
    }
    Ok(text)
}

/// Full-width digits and signs, as Japanese keyboards give them, become plain ones.
fn narrow(c: char) -> char {
    match c {
        '０'..='９' => char::from_u32(u32::from(c) - u32::from('０') + u32::from('0')).unwrap_or(c),
        '．' => '.',
        'ー' | '－' | '−' => '-',
        other => other,
    }
}

/// Whether a condition holds, looking at values of the same form and of what came before.
pub(crate) fn holds(when: &Condition, values: &Values, earlier: &Values) -> bool {
    let name = when.field.to_string();
    let value = values.get(&name).or_else(|| earlier.get(&name));
    let is = |value: &Value| match value {
        Value::Bool(yes) => when.is.iter().any(|word| word == if *yes { "yes" } else { "no" }),
        Value::String(code) => when.is.contains(code),
        _ => false,
    };
    match value {
        Some(Value::Array(many)) => many.iter().any(is),
        Some(value) => is(value),
        None => false,
    }
}

/// Computes the derived fields whose sources are there.
pub(crate) fn derive(fields: &[Field], values: &mut Values) {
    for field in fields {
        let FieldType::Derived(derivation) = &field.kind else { continue };
        let text = |code: &str| values.get(code).and_then(Value::as_str).map(ToOwned::to_owned);
        let value = match derivation {
            Derivation::Add { from, period } => text(from).and_then(|text| later(&text, *period)),
            Derivation::Days { from, until } => {
                text(from).zip(text(until)).and_then(|(from, until)| days(&from, &until))
            }
        };
        match value {
            Some(value) => drop(values.insert(field.code.clone(), Value::String(value))),
            None => drop(values.remove(&field.code)),
        }
    }
}

fn later(text: &str, period: Period) -> Option<String> {
    let span = jiff::Span::new()
        .try_years(i64::from(period.years))
        .and_then(|span| span.try_months(i64::from(period.months)))
        .and_then(|span| span.try_days(i64::from(period.days)))
        .and_then(|span| span.try_hours(i64::from(period.hours)))
        .and_then(|span| span.try_minutes(i64::from(period.minutes)))
        .ok()?;
    match text.parse::<civil::Date>() {
        Ok(date) if !text.contains('T') => date.checked_add(span).ok().map(|date| date.to_string()),
        _ => {
            let time = text.parse::<civil::DateTime>().ok()?.checked_add(span).ok()?;
            Some(time.strftime("%Y-%m-%dT%H:%M").to_string())
        }
    }
}

fn days(from: &str, until: &str) -> Option<String> {
    let date = |text: &str| text.get(..10)?.parse::<civil::Date>().ok();
    Some(date(from)?.until(date(until)?).ok()?.get_days().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_type_them() {
        assert_eq!(number("１，２００", None, None, 0).unwrap(), "1200");
        assert_eq!(number("１２００", Some(0), Some(2000), 0).unwrap(), "1200");
        assert_eq!(number("1,200", None, None, 0).unwrap(), "1200");
        assert_eq!(number("36.5", None, None, 1).unwrap(), "36.5");
        assert!(number("36.55", None, None, 1).is_err());
        assert!(number("1e5", None, None, 0).is_err());
        assert!(number("NaN", None, None, 0).is_err());
        assert!(number("5", Some(6), None, 0).is_err());
    }

    #[test]
    fn what_is_derived_follows_the_calendar() {
        let year = Period { years: 1, ..Period::default() };
        assert_eq!(later("2024-02-29", year).unwrap(), "2025-02-28");
        assert_eq!(later("2026-11-21T09:30", year).unwrap(), "2027-11-21T09:30");
        assert_eq!(days("2026-11-21", "2026-12-01").unwrap(), "10");
    }
}
