//! Recording vital signs: fields as at the bedside, one FHIR Observation for each measurement.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use bytes::Bytes;
use mimamori_app::CreateAs;
use mimamori_domain::{SubjectId, Timestamp};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::{Head, form_error, id, shown_again};
use crate::dates;
use crate::error::{Answered, Fault};
use crate::forms::Fields;
use crate::language::Texts;
use crate::layout::{Ask, Layout, page, page_with, see};
use crate::present::vital::{self, BLOOD_PRESSURE, Entry, LOINC, UCUM, VITALS, Vital, Wrong};

/// How far a clock at the bedside may be ahead.
const AHEAD: std::time::Duration = std::time::Duration::from_secs(5 * 60);

#[derive(Template)]
#[template(path = "vital_signs_form.html")]
pub(super) struct Form {
    pub(super) l: Layout,
    pub(super) head: Head,
    pub(super) action: String,
    pub(super) inputs: Vec<Input>,
    /// When measured, for the field.
    pub(super) at: String,
    pub(super) at_error: Option<String>,
    pub(super) error: Option<String>,
    pub(super) back: String,
}

/// A field with what was typed.
pub(super) struct Input {
    pub(super) field: &'static str,
    pub(super) label: String,
    pub(super) unit: String,
    pub(super) typed: String,
    pub(super) error: Option<String>,
    /// Whether a decimal point is to be had on a phone's keyboard.
    pub(super) decimal: bool,
}

#[derive(Template)]
#[template(path = "vital_signs_look.html")]
pub(super) struct Look {
    pub(super) l: Layout,
    pub(super) head: Head,
    pub(super) action: String,
    pub(super) at: String,
    pub(super) at_words: String,
    pub(super) inputs: Vec<Input>,
    pub(super) back: String,
}

/// What was measured, read from the form.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Measured {
    at: Timestamp,
    /// LOINC code and the number as it goes into the record.
    values: Vec<(&'static str, String)>,
}

fn entries() -> impl Iterator<Item = (&'static Vital, &'static Entry)> {
    VITALS.iter().filter_map(|v| Some((v, v.entry.as_ref()?)))
}

/// `GET /people/{subject}/vital-signs/new`
pub(crate) async fn form(ask: Ask, Path(subject): Path<String>) -> Answered {
    let mut form = blank(&ask, id(&subject)?, &Fields::default()).await?;
    form.at = dates::to_local(ask.web.now());
    page(&form)
}

async fn blank(ask: &Ask, subject: SubjectId, fields: &Fields) -> Result<Form, Fault> {
    let (person, head) = Head::ask(ask, subject).await?;
    if !person.may.write_vital_signs {
        return Err(Fault::status(StatusCode::FORBIDDEN));
    }
    let back = head.person.page.clone();
    Ok(Form {
        l: ask.layout("vitals-title").at(format!("{back}/vital-signs/new")),
        head,
        action: format!("{back}/vital-signs/look"),
        inputs: inputs(fields, ask.texts()),
        at: fields.get("at").to_owned(),
        at_error: None,
        error: None,
        back,
    })
}

pub(super) fn inputs(fields: &Fields, texts: &Texts) -> Vec<Input> {
    entries()
        .map(|(vital, entry)| Input {
            field: entry.field,
            label: texts.get(vital.word),
            unit: vital::unit_word(Some(vital.unit), texts).unwrap_or_else(|| vital.unit.to_owned()),
            typed: fields.get(entry.field).to_owned(),
            error: None,
            decimal: entry.decimals > 0,
        })
        .collect()
}

/// Reads the form; on error it says at each field what is expected there.
fn measured(form: &mut Form, now: Timestamp, texts: &Texts) -> Option<Measured> {
    let at = dates::from_local(&form.at);
    form.at_error = match at {
        None => Some(texts.get("vitals-time-form")),
        Some(at) if at > now.plus(AHEAD) => Some(texts.get("vitals-time-future")),
        Some(_) => None,
    };
    let mut values = Vec::new();
    for ((vital, entry), input) in entries().zip(&mut form.inputs) {
        if input.typed.is_empty() {
            continue;
        }
        match entry.read(&input.typed) {
            Ok(number) => {
                input.typed.clone_from(&number);
                values.push((vital.code, number));
            }
            Err(wrong) => input.error = Some(explain(wrong, entry, texts)),
        }
    }
    let failed = form.at_error.is_some() || form.inputs.iter().any(|i| i.error.is_some());
    form.error = match (failed, values.is_empty()) {
        (true, _) => Some(texts.get("vitals-check")),
        (false, true) => Some(texts.get("vitals-nothing")),
        (false, false) => pressure_problem(&values).map(|key| texts.get(key)),
    };
    if form.error.is_some() { None } else { at.map(|at| Measured { at, values }) }
}

fn explain(wrong: Wrong, entry: &Entry, texts: &Texts) -> String {
    match wrong {
        Wrong::NotANumber => texts.get("vitals-not-a-number"),
        Wrong::Decimals if entry.decimals == 0 => texts.get("vitals-whole-number"),
        Wrong::Decimals => texts.count("vitals-decimals", u64::from(entry.decimals)),
        Wrong::Range => texts.with("vitals-range", "range", &entry.range_words()),
    }
}

/// Both pressures are wanted, and the upper one is the higher.
fn pressure_problem(values: &[(&str, String)]) -> Option<&'static str> {
    let of = |field| {
        let code = entries().find(|(_, e)| e.field == field).map(|(v, _)| v.code)?;
        values.iter().find(|(c, _)| *c == code)?.1.parse::<u32>().ok()
    };
    match (of("systolic"), of("diastolic")) {
        (Some(upper), Some(lower)) if upper <= lower => Some("vitals-pressure-order"),
        (Some(_), None) | (None, Some(_)) => Some("vitals-pressure-both"),
        _ => None,
    }
}

/// `POST /people/{subject}/vital-signs/look`: the last look.
pub(crate) async fn look(ask: Ask, Path(subject): Path<String>, fields: Fields) -> Answered {
    let subject: SubjectId = id(&subject)?;
    let mut form = blank(&ask, subject, &fields).await?;
    let Some(measured) = measured(&mut form, ask.web.now(), ask.texts()) else {
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &form);
    };
    page(&Look {
        l: ask.layout("vitals-look-title").at(form.l.here),
        action: format!("{}/vital-signs", form.back),
        head: form.head,
        at: form.at,
        at_words: dates::date_time(measured.at, ask.texts()),
        inputs: form.inputs.into_iter().filter(|i| !i.typed.is_empty()).collect(),
        back: form.back,
    })
}

/// `POST /people/{subject}/vital-signs`
pub(crate) async fn save(ask: Ask, Path(subject): Path<String>, fields: Fields) -> Answered {
    let subject: SubjectId = id(&subject)?;
    let mut form = blank(&ask, subject, &fields).await?;
    let to_change = fields.get("step") == "change";
    let Some(measured) = measured(&mut form, ask.web.now(), ask.texts()) else {
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &form);
    };
    if to_change {
        return page(&form);
    }
    // All of it or nothing: what is shown again is what is not saved.
    let all = observations(subject, &measured);
    if let Err(error) = ask.web.app.create_together(&ask.caller, &all, CreateAs::Confirmed).await {
        let fault = Fault::from(error);
        if !shown_again(&fault) {
            return Err(fault);
        }
        form.error = Some(form_error(&fault, ask.texts()));
        return page_with(fault.status, &form);
    }
    Ok(see(&format!("{}?done=vital-signs", form.back)))
}

/// One Observation for each measurement; both pressures make one.
fn observations(subject: SubjectId, measured: &Measured) -> Vec<Bytes> {
    let known = |code: &str| entries().find(|(v, _)| v.code == code);
    let mut out = Vec::new();
    let mut pressures: Vec<(&'static Vital, &str)> = Vec::new();
    for (code, number) in &measured.values {
        let Some((vital, entry)) = known(code) else { continue };
        if entry.panel.is_some() {
            pressures.push((vital, number));
        } else if let Some(body) =
            Observation::new(subject, measured.at, vital).with_value(vital, number).bytes()
        {
            out.push(body);
        }
    }
    if let Some(panel) = vital::with_code(BLOOD_PRESSURE).filter(|_| !pressures.is_empty()) {
        let mut observation = Observation::new(subject, measured.at, panel);
        observation.component = pressures
            .iter()
            .map(|(vital, number)| Component {
                code: coded(vital),
                value_quantity: Quantity::of(vital, number),
            })
            .collect();
        out.extend(observation.bytes());
    }
    out
}

/// A FHIR Observation of the vital signs profile.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Observation {
    resource_type: &'static str,
    status: &'static str,
    category: serde_json::Value,
    code: serde_json::Value,
    subject: serde_json::Value,
    effective_date_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_quantity: Option<Quantity>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    component: Vec<Component>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Component {
    code: serde_json::Value,
    value_quantity: Option<Quantity>,
}

/// The number stands in the record exactly as it was typed: 37.0 stays 37.0.
#[derive(Serialize)]
struct Quantity {
    value: Box<RawValue>,
    unit: &'static str,
    system: &'static str,
    code: &'static str,
}

impl Quantity {
    fn of(vital: &'static Vital, number: &str) -> Option<Self> {
        let value = RawValue::from_string(number.to_owned()).ok()?;
        Some(Self { value, unit: vital.unit, system: UCUM, code: vital.unit })
    }
}

fn coded(vital: &Vital) -> serde_json::Value {
    json!({ "coding": [{ "system": LOINC, "code": vital.code, "display": vital.display }] })
}

impl Observation {
    fn new(subject: SubjectId, at: Timestamp, vital: &Vital) -> Self {
        let category = "http://terminology.hl7.org/CodeSystem/observation-category";
        Self {
            resource_type: "Observation",
            status: "final",
            category: json!([{ "coding": [{ "system": category, "code": "vital-signs" }] }]),
            code: coded(vital),
            subject: json!({ "reference": format!("Patient/{subject}") }),
            effective_date_time: dates::to_fhir(at),
            value_quantity: None,
            component: Vec::new(),
        }
    }

    fn with_value(mut self, vital: &'static Vital, number: &str) -> Self {
        self.value_quantity = Quantity::of(vital, number);
        self
    }

    fn bytes(&self) -> Option<Bytes> {
        serde_json::to_vec(self).ok().map(Bytes::from)
    }
}

#[cfg(test)]
mod tests {
    use mimamori_fhir::{Limits, parse, validate};

    use super::*;
    use crate::language::Language;
    use crate::present;

    fn filled(pairs: &[(&str, &str)]) -> Form {
        let (texts, fields) = (Language::Japanese.texts(), Fields::of(pairs));
        Form {
            l: Layout::sample(texts, "vitals-title"),
            head: Head::default(),
            action: String::new(),
            inputs: inputs(&fields, texts),
            at: fields.get("at").to_owned(),
            at_error: None,
            error: None,
            back: String::new(),
        }
    }

    fn read(pairs: &[(&str, &str)]) -> (Option<Measured>, Form) {
        let mut form = filled(pairs);
        let now = dates::from_local("2026-11-21T10:00").unwrap();
        (measured(&mut form, now, Language::Japanese.texts()), form)
    }

    const AT: (&str, &str) = ("at", "2026-11-21T09:30");

    #[test]
    fn measurements_become_valid_observations_with_the_digits_as_typed() {
        let (measured, _) = read(&[
            AT,
            ("temperature", "３７．０"),
            ("systolic", "128"),
            ("diastolic", "76"),
            ("oxygen", "97"),
        ]);
        let made = observations(SubjectId::random(), &measured.unwrap());
        assert_eq!(made.len(), 3);
        let texts = Language::Japanese.texts();
        let mut shown = Vec::new();
        for bytes in &made {
            let resource = parse(bytes, &Limits::default()).unwrap();
            assert_eq!(validate(&resource), []);
            let content = present::content(&resource, texts);
            assert_eq!(content.happened.as_deref(), Some("2026年11月21日（土）09:30"));
            shown.push(content.as_text());
        }
        let shown = shown.join("");
        assert!(shown.contains("37.0"), "{shown}");
        assert!(shown.contains("128mmHg") || shown.contains("128 mmHg"), "{shown}");
    }

    #[test]
    fn what_cannot_be_is_asked_about_at_its_field() {
        for (pairs, field) in [
            (&[AT, ("temperature", "365")][..], Some("temperature")),
            (&[AT, ("pulse", "速い")], Some("pulse")),
            (&[AT, ("systolic", "128")], None),
            (&[AT, ("systolic", "70"), ("diastolic", "120")], None),
            (&[AT], None),
            (&[("at", "2026-11-21T10:30"), ("pulse", "70")], None),
            (&[("at", ""), ("pulse", "70")], None),
        ] {
            let (measured, form) = read(pairs);
            assert_eq!(measured, None);
            assert!(form.error.is_some());
            let marked: Vec<_> = form.inputs.iter().filter(|i| i.error.is_some()).map(|i| i.field).collect();
            assert_eq!(marked, field.into_iter().collect::<Vec<_>>());
        }
    }
}
