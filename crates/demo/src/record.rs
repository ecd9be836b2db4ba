//! Single FHIR R4 resources, as JSON.

use std::sync::LazyLock;

use crate::day::{Day, Moment};
use crate::household::coded;
use crate::json::{Object, tenths};
use crate::table::{Row, rows};
use crate::{ANSWERED, DemoFile, SUBJECT, staff_reference};

static VITALS: LazyLock<Vec<Row>> = LazyLock::new(|| rows(include_str!("../data/vitals.tsv")).collect());
const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";
const LOINC: &str = "http://loinc.org";
const UCUM: &str = "http://unitsofmeasure.org";

fn about() -> Object {
    Object::new().text("reference", SUBJECT)
}

fn shown(display: &str) -> Object {
    Object::new().text("display", display)
}

fn words(text: &str) -> Object {
    Object::new().text("text", text)
}

fn loinc(code: &str, text: &str) -> Object {
    coded(LOINC, code, text)
}

pub(crate) fn quantity(value: &str, unit: &str, code: &str) -> Object {
    Object::new().plain("value", value).text("unit", unit).text("system", UCUM).text("code", code)
}

fn observation(category: &str, code: &Object, when: &str, who: &str) -> Object {
    Object::resource("Observation")
        .text("status", "final")
        .list("category", &[coded(CATEGORY, category, "")])
        .object("code", code)
        .object("subject", &about())
        .text("effectiveDateTime", when)
        .list("performer", &[shown(who)])
}

/// One vital sign by its key in `vitals.tsv`.
pub(crate) fn vital(key: &str, value: i32, when: Moment, who: &str) -> Option<String> {
    let row = VITALS.iter().find(|row| row.text(0) == key)?;
    let number = if row.number(5) == 1 { tenths(value) } else { value.to_string() };
    Some(
        observation("vital-signs", &loinc(row.text(1), row.text(2)), &when.iso(), who)
            .object("valueQuantity", &quantity(&number, row.text(3), row.text(4)))
            .to_string(),
    )
}

pub(crate) fn blood_pressure(systolic: i32, diastolic: i32, when: Moment, who: &str) -> String {
    let part = |code, text, value: i32| {
        Object::new()
            .object("code", &loinc(code, text))
            .object("valueQuantity", &quantity(&value.to_string(), "mmHg", "mm[Hg]"))
    };
    observation("vital-signs", &loinc("85354-9", "血圧"), &when.iso(), who)
        .list("component", &[part("8480-6", "収縮期血圧", systolic), part("8462-4", "拡張期血圧", diastolic)])
        .to_string()
}

/// A value of a check-up (category `exam`); `row` is of `labs.tsv`.
pub(crate) fn laboratory(row: &Row, value: &str, day: Day, who: &str) -> String {
    let range = Object::new().object("low", &limit(row, 6)).object("high", &limit(row, 7));
    observation("exam", &loinc(row.text(1), row.text(2)), &day.iso(), who)
        .object("valueQuantity", &quantity(value, row.text(3), row.text(4)))
        .list("referenceRange", &[range])
        .to_string()
}

fn limit(row: &Row, column: usize) -> Object {
    match row.text(column) {
        "" => Object::new(),
        value => quantity(value, row.text(3), row.text(4)),
    }
}

pub(crate) fn condition(code: &str, name: &str, since: Day, when: Day, who: &str) -> String {
    Object::resource("Condition")
        .object(
            "clinicalStatus",
            &coded("http://terminology.hl7.org/CodeSystem/condition-clinical", "active", ""),
        )
        .object(
            "verificationStatus",
            &coded("http://terminology.hl7.org/CodeSystem/condition-ver-status", "confirmed", ""),
        )
        .list(
            "category",
            &[coded("http://terminology.hl7.org/CodeSystem/condition-category", "problem-list-item", "")],
        )
        .object("code", &coded("http://hl7.org/fhir/sid/icd-10", code, name))
        .object("subject", &about())
        .text("onsetDateTime", &since.iso())
        .text("recordedDate", &when.iso())
        .object("recorder", &shown(who))
        .to_string()
}

fn medicine(name: &str) -> Object {
    coded("http://example.jp/mimamori-demo/medicine", &format!("demo-{}", name_code(name)), name)
}

/// A made-up code that is the same for the same name.
fn name_code(name: &str) -> u32 {
    name.chars().fold(7_u32, |sum, c| sum.wrapping_mul(31).wrapping_add(u32::from(c))) % 1_000_000
}

pub(crate) fn medication_statement(name: &str, dosage: &str, since: Day, when: Day, who: &str) -> String {
    Object::resource("MedicationStatement")
        .text("status", "active")
        .object("medicationCodeableConcept", &medicine(name))
        .object("subject", &about())
        .object("effectivePeriod", &Object::new().text("start", &since.iso()))
        .text("dateAsserted", &when.iso())
        .object("informationSource", &shown(who))
        .list("dosage", &[words(dosage)])
        .to_string()
}

pub(crate) fn medication_request(name: &str, dosage: &str, status: &str, when: Moment, who: &str) -> String {
    Object::resource("MedicationRequest")
        .text("status", status)
        .text("intent", "order")
        .object("medicationCodeableConcept", &medicine(name))
        .object("subject", &about())
        .text("authoredOn", &when.iso())
        .object("requester", &shown(who))
        .list("dosageInstruction", &[words(dosage)])
        .to_string()
}

/// `row` is of `allergies.tsv`.
pub(crate) fn allergy(row: &Row, when: Day, who: &str) -> String {
    Object::resource("AllergyIntolerance")
        .object(
            "clinicalStatus",
            &coded("http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "active", ""),
        )
        .object(
            "verificationStatus",
            &coded("http://terminology.hl7.org/CodeSystem/allergyintolerance-verification", "confirmed", ""),
        )
        .texts("category", &[row.text(1)])
        .text("criticality", row.text(4))
        .object("code", &words(row.text(2)))
        .object("patient", &about())
        .text("recordedDate", &when.iso())
        .object("recorder", &shown(who))
        .list("reaction", &[Object::new().list("manifestation", &[words(row.text(3))])])
        .to_string()
}

pub(crate) fn immunization(vaccine: &str, day: Day, place: &str, who: &str) -> String {
    Object::resource("Immunization")
        .text("status", "completed")
        .object("vaccineCode", &words(vaccine))
        .object("patient", &about())
        .text("occurrenceDateTime", &day.iso())
        .plain("primarySource", true)
        .object("location", &shown(place))
        .list("performer", &[Object::new().object("actor", &shown(who))])
        .to_string()
}

/// `class` is of HL7 v3 ActCode: HH at home, AMB at the clinic; the time is its beginning and minutes.
pub(crate) fn encounter(
    (status, class): (&str, &str),
    reason: &str,
    (from, minutes): (Moment, i64),
    who: &str,
    place: &str,
) -> String {
    Object::resource("Encounter")
        .text("status", status)
        .object(
            "class",
            &Object::new()
                .text("system", "http://terminology.hl7.org/CodeSystem/v3-ActCode")
                .text("code", class),
        )
        .object("subject", &about())
        .list("participant", &[Object::new().object("individual", &shown(who))])
        .object("period", &Object::new().text("start", &from.iso()).text("end", &from.later(minutes).iso()))
        .list("reasonCode", &[words(reason)])
        .object("serviceProvider", &shown(place))
        .to_string()
}

/// A laboratory's report (LOINC 11502-2) says so by its category, which decides its class.
pub(crate) fn report(code: &str, name: &str, conclusion: &str, when: Moment, who: &str) -> String {
    let category = match code {
        "11502-2" => coded("http://terminology.hl7.org/CodeSystem/v2-0074", "LAB", ""),
        _ => Object::new(),
    };
    Object::resource("DiagnosticReport")
        .text("status", "final")
        .list("category", &[category])
        .object("code", &loinc(code, name))
        .object("subject", &about())
        .text("effectiveDateTime", &when.iso())
        .text("issued", &when.later(40).iso())
        .list("performer", &[shown(who)])
        .text("conclusion", conclusion)
        .to_string()
}

pub(crate) fn care_plan(
    title: &str,
    description: &str,
    activities: &[String],
    from: Day,
    to: Day,
    who: &str,
) -> String {
    let activities: Vec<Object> = activities
        .iter()
        .map(|text| {
            Object::new()
                .object("detail", &Object::new().text("status", "in-progress").text("description", text))
        })
        .collect();
    Object::resource("CarePlan")
        .text("status", "active")
        .text("intent", "plan")
        .text("title", title)
        .text("description", description)
        .object("subject", &about())
        .object("period", &Object::new().text("start", &from.iso()).text("end", &to.iso()))
        .text("created", &from.iso())
        .object("author", &shown(who))
        .list("activity", &activities)
        .to_string()
}

/// Attachments of files, in order.
fn attachments(files: &[DemoFile]) -> Vec<Object> {
    files
        .iter()
        .enumerate()
        .map(|(number, file)| {
            Object::new()
                .text("contentType", file.media_type())
                .text("url", &format!("Binary/{{file-{number}}}"))
                .text("title", &file.name)
        })
        .collect()
}

/// A document; `code` is the LOINC code of its kind, or empty.
pub(crate) fn document(
    (code, title): (&str, &str),
    description: &str,
    files: &[DemoFile],
    when: Moment,
    who: &str,
) -> String {
    let content: Vec<Object> =
        attachments(files).iter().map(|file| Object::new().object("attachment", file)).collect();
    Object::resource("DocumentReference")
        .text("status", "current")
        .text("docStatus", "final")
        .object("type", &if code.is_empty() { words(title) } else { loinc(code, title) })
        .object("subject", &about())
        .text("date", &when.iso())
        .list("author", &[shown(who)])
        .text("description", description)
        .list("content", &content)
        .to_string()
}

/// A note of the notebook.
#[derive(Debug)]
pub(crate) struct Note<'a> {
    pub(crate) topic: &'a str,
    pub(crate) text: &'a str,
    pub(crate) sent: Moment,
    /// As it is shown.
    pub(crate) author: &'a str,
    /// Of FHIR's request-priority: `urgent`, `stat`, or empty.
    pub(crate) priority: &'static str,
    /// Keys of staff, and how they are shown.
    pub(crate) to: Vec<(String, String)>,
    /// How the note that this one answers is called.
    pub(crate) answered: Option<String>,
}

/// The note, with its photographs.
pub(crate) fn note(note: &Note<'_>, files: &[DemoFile]) -> String {
    let mut payload = vec![Object::new().text("contentString", note.text)];
    let to: Vec<Object> = note
        .to
        .iter()
        .map(|(key, shown)| Object::new().text("reference", &staff_reference(key)).text("display", shown))
        .collect();
    let answered: Vec<Object> = note
        .answered
        .iter()
        .map(|called| Object::new().text("reference", ANSWERED).text("display", called))
        .collect();
    payload.extend(attachments(files).iter().map(|file| Object::new().object("contentAttachment", file)));
    Object::resource("Communication")
        .list("inResponseTo", &answered)
        .text("status", "completed")
        .list("category", &[words(note.topic)])
        .text("priority", note.priority)
        .object("subject", &about())
        .text("sent", &note.sent.iso())
        .list("recipient", &to)
        .object("sender", &shown(note.author))
        .list("payload", &payload)
        .to_string()
}
