//! What is shown of each resource type: one row of [`VIEWS`] per type.

use mimamori_fhir::{Resource, Value};

use super::element::{As, concept, human_name, select, show};
use super::{Content, Line, kind, vital};
use crate::dates::FhirTime;
use crate::language::Texts;

struct View {
    kind: &'static str,
    /// Where the title stands: the first path that has one.
    title: &'static [&'static str],
    /// When it happened: the first path that says so.
    happened: &'static [&'static str],
    /// Label (a text), path, how.
    lines: &'static [(&'static str, &'static str, As)],
    /// Free text, every path that has some.
    note: &'static [&'static str],
}

use As::{Code, Shape, Time};

static VIEWS: &[View] = &[
    View {
        kind: "Communication",
        title: &["topic"],
        happened: &["sent", "received"],
        lines: &[
            ("label-importance", "priority", Code),
            ("label-recipient", "recipient.display", Shape),
            ("label-reply", "inResponseTo.display", Shape),
            ("label-category", "category", Shape),
        ],
        note: &["payload.contentString", "note.text"],
    },
    View {
        kind: "Observation",
        title: &["code"],
        happened: &["effectiveDateTime", "effectivePeriod", "effectiveInstant"],
        lines: &[
            ("label-interpretation", "interpretation", Shape),
            ("label-method", "method", Shape),
            ("label-body-site", "bodySite", Shape),
            ("label-no-value", "dataAbsentReason", Shape),
        ],
        note: &["note.text"],
    },
    View {
        kind: "AllergyIntolerance",
        title: &["code"],
        happened: &["onsetDateTime", "onsetPeriod", "onsetString", "recordedDate"],
        lines: &[
            ("label-status", "clinicalStatus", Code),
            ("label-certainty", "verificationStatus", Code),
            ("label-criticality", "criticality", Code),
            ("label-reaction", "reaction.manifestation", Shape),
        ],
        note: &["note.text"],
    },
    View {
        kind: "Condition",
        title: &["code"],
        happened: &["onsetDateTime", "onsetPeriod", "onsetString", "recordedDate"],
        lines: &[
            ("label-status", "clinicalStatus", Code),
            ("label-certainty", "verificationStatus", Code),
            ("label-severity", "severity", Shape),
            ("label-body-site", "bodySite", Shape),
            ("label-ended", "abatementDateTime", Time),
        ],
        note: &["note.text"],
    },
    View {
        kind: "MedicationRequest",
        title: &["medicationCodeableConcept", "medicationReference"],
        happened: &["authoredOn"],
        lines: &[
            ("label-status", "status", Code),
            ("label-dosage", "dosageInstruction.text", Shape),
            ("label-dose", "dosageInstruction.doseAndRate.doseQuantity", Shape),
            ("label-timing", "dosageInstruction.timing.code", Shape),
            ("label-amount", "dispenseRequest.quantity", Shape),
            ("label-days", "dispenseRequest.expectedSupplyDuration", Shape),
            ("label-reason", "reasonCode", Shape),
        ],
        note: &["note.text"],
    },
    View {
        kind: "MedicationStatement",
        title: &["medicationCodeableConcept", "medicationReference"],
        happened: &["effectiveDateTime", "effectivePeriod", "dateAsserted"],
        lines: &[
            ("label-status", "status", Code),
            ("label-dosage", "dosage.text", Shape),
            ("label-dose", "dosage.doseAndRate.doseQuantity", Shape),
            ("label-reason", "reasonCode", Shape),
        ],
        note: &["note.text"],
    },
    View {
        kind: "Immunization",
        title: &["vaccineCode"],
        happened: &["occurrenceDateTime", "occurrenceString"],
        lines: &[
            ("label-status", "status", Code),
            ("label-dose", "doseQuantity", Shape),
            ("label-lot", "lotNumber", Shape),
        ],
        note: &["note.text"],
    },
    View {
        kind: "Procedure",
        title: &["code"],
        happened: &["performedDateTime", "performedPeriod", "performedString"],
        lines: &[
            ("label-status", "status", Code),
            ("label-body-site", "bodySite", Shape),
            ("label-outcome", "outcome", Shape),
            ("label-reason", "reasonCode", Shape),
        ],
        note: &["note.text"],
    },
    View {
        kind: "Encounter",
        title: &["type", "class"],
        happened: &["period"],
        lines: &[
            ("label-status", "status", Code),
            ("label-reason", "reasonCode", Shape),
            ("label-place", "location.location", Shape),
        ],
        note: &[],
    },
    View {
        kind: "DiagnosticReport",
        title: &["code"],
        happened: &["effectiveDateTime", "effectivePeriod", "issued"],
        lines: &[
            ("label-status", "status", Code),
            ("label-category", "category", Shape),
            ("label-results", "result", Shape),
        ],
        note: &["conclusion"],
    },
    View {
        kind: "DocumentReference",
        title: &["description", "type", "content.attachment.title"],
        happened: &["date"],
        lines: &[
            ("label-status", "status", Code),
            ("label-type", "type", Shape),
            ("label-file", "content.attachment.title", Shape),
            ("label-format", "content.attachment.contentType", Shape),
        ],
        note: &["context.related.display"],
    },
    View {
        kind: "CarePlan",
        title: &["title", "category"],
        happened: &["period", "created"],
        lines: &[
            ("label-status", "status", Code),
            ("label-activities", "activity.detail.description", Shape),
        ],
        note: &["description", "note.text"],
    },
    View {
        kind: "CareTeam",
        title: &["name", "category"],
        happened: &["period"],
        lines: &[("label-status", "status", Code), ("label-members", "participant.member", Shape)],
        note: &["note.text"],
    },
    View {
        kind: "Consent",
        title: &["category", "scope"],
        happened: &["dateTime"],
        lines: &[
            ("label-status", "status", Code),
            ("label-decision", "provision.type", Code),
            ("label-period", "provision.period", Shape),
        ],
        note: &[],
    },
    View {
        kind: "RelatedPerson",
        title: &["name"],
        happened: &["period"],
        lines: &[("label-relationship", "relationship", Shape), ("label-contact", "telecom.value", Shape)],
        note: &[],
    },
    View {
        kind: "Patient",
        title: &["name"],
        happened: &[],
        lines: &[
            ("label-birth-date", "birthDate", Time),
            ("label-identifier", "identifier.value", Shape),
            ("label-contact", "telecom.value", Shape),
            ("label-address", "address.text", Shape),
        ],
        note: &[],
    },
];

/// Kinds that a timeline can be narrowed to, the most used first.
pub(crate) const SHOWN: [&str; 11] = [
    "Communication",
    "Observation",
    "Condition",
    "MedicationRequest",
    "MedicationStatement",
    "AllergyIntolerance",
    "Immunization",
    "DiagnosticReport",
    "DocumentReference",
    "CarePlan",
    "Encounter",
];

/// What a resource says. Types without a row show their name alone.
pub(crate) fn content(resource: &Resource, texts: &Texts) -> Content {
    let (root, name) = (resource.root(), resource.resource_type());
    let Some(view) = VIEWS.iter().find(|v| v.kind == name) else {
        return Content { title: kind(name, texts), ..Content::default() };
    };
    let vital = vital::of(root);
    let found = view.title.iter().flat_map(|path| select(root, path)).find_map(|v| title(v, texts));
    let title = vital.map(|v| texts.get(v.word)).or(found);
    let mut lines = if name == "Observation" { values(root, texts) } else { Vec::new() };
    lines.extend(view.lines.iter().filter_map(|(label, path, how)| {
        let values: Vec<String> =
            select(root, path).into_iter().filter_map(|v| show(v, *how, texts)).collect();
        let value = values.join(&texts.get("list-and"));
        // What the title says already is not said again.
        let new = !value.is_empty() && Some(&value) != title.as_ref();
        new.then(|| Line { label: texts.get(label), value })
    }));
    let note: Vec<&str> =
        view.note.iter().flat_map(|path| select(root, path)).filter_map(Value::text).collect();
    let happened = view.happened.iter().flat_map(|path| select(root, path)).find_map(|value| {
        let how = if value.text().is_some() { Time } else { Shape };
        Some((show(value, how, texts)?, value.text().and_then(FhirTime::parse)))
    });
    Content {
        title: title.unwrap_or_else(|| kind(name, texts)),
        happened_at: match happened {
            Some((_, Some(FhirTime::Instant(at)))) => Some(at),
            _ => None,
        },
        happened: happened.map(|(shown, _)| shown),
        lines,
        note: Some(note.join("\n\n")).filter(|n| !n.is_empty()),
    }
}

fn title(value: Value<'_>, texts: &Texts) -> Option<String> {
    let text = value.text().map(str::to_owned);
    text.or_else(|| concept(value, texts))
        .or_else(|| value.string("display").map(str::to_owned))
        .or_else(|| human_name(value))
}

/// The forms an Observation's value takes.
const VALUES: [&str; 8] = [
    "valueQuantity",
    "valueCodeableConcept",
    "valueString",
    "valueBoolean",
    "valueInteger",
    "valueRange",
    "valueRatio",
    "valuePeriod",
];

/// An Observation's value and those of its components.
fn values(root: Value<'_>, texts: &Texts) -> Vec<Line> {
    let value = |of: Value<'_>| {
        let time = of.get("valueDateTime").and_then(|v| show(v, Time, texts));
        VALUES.iter().find_map(|name| show(of.get(name)?, Shape, texts)).or(time)
    };
    let own = value(root).map(|value| Line { label: texts.get("label-value"), value });
    let components = root.items("component").filter_map(|component| {
        let label = vital::of(component).map(|v| texts.get(v.word));
        let label = label.or_else(|| component.get("code").and_then(|c| concept(c, texts)))?;
        Some(Line { label, value: value(component)? })
    });
    own.into_iter().chain(components).collect()
}

#[cfg(test)]
pub(super) fn label_keys() -> impl Iterator<Item = &'static str> {
    VIEWS.iter().flat_map(|v| v.lines.iter().map(|(label, ..)| *label))
}

#[cfg(test)]
pub(super) fn kinds() -> impl Iterator<Item = &'static str> {
    VIEWS.iter().map(|v| v.kind)
}
