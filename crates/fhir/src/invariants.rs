//! The invariants of FHIR R4 that are checked, one small function each.
//!
//! The rules are FHIR's, in our words; the ones about formats, references and contained resources
//! are kept by `validate` itself. Only `error` rules stand here, no best practices.

use std::collections::HashSet;

use crate::date::Date;
use crate::json::Value;

/// A rule on a type or on an element that has elements of its own.
#[derive(Debug)]
pub(crate) struct Invariant {
    pub on: &'static str,
    /// FHIR's key, such as `obs-6`.
    pub key: &'static str,
    pub rule: &'static str,
    pub holds: fn(Value<'_>) -> bool,
}

const fn rule(
    on: &'static str,
    key: &'static str,
    rule: &'static str,
    holds: fn(Value<'_>) -> bool,
) -> Invariant {
    Invariant { on, key, rule, holds }
}

const PERIOD: &str = "the start may not be after the end";
const CODE_NEEDS_SYSTEM: &str = "a code for the unit needs its system";

pub(crate) const INVARIANTS: &[Invariant] = &[
    rule("Extension", "ext-1", "either a value or extensions, and not both", |v| {
        has(v, "extension") != has_choice(v, "value")
    }),
    rule("Period", "per-1", PERIOD, |v| !is_after(v.string("start"), v.string("end"))),
    rule("Quantity", "qty-3", CODE_NEEDS_SYSTEM, code_has_system),
    rule("Age", "qty-3", CODE_NEEDS_SYSTEM, code_has_system),
    rule("Count", "qty-3", CODE_NEEDS_SYSTEM, code_has_system),
    rule("Distance", "qty-3", CODE_NEEDS_SYSTEM, code_has_system),
    rule("Duration", "qty-3", CODE_NEEDS_SYSTEM, code_has_system),
    rule("Ratio", "rat-1", "numerator and denominator go together; otherwise an extension is needed", |v| {
        has(v, "numerator") == has(v, "denominator") && (has(v, "numerator") || has(v, "extension"))
    }),
    rule("Attachment", "att-1", "data needs a contentType", |v| !has(v, "data") || has(v, "contentType")),
    rule("ContactPoint", "cpt-2", "a value needs a system", |v| !has(v, "value") || has(v, "system")),
    rule("Timing.repeat", "tim-1", "a duration needs its unit", |v| {
        !has(v, "duration") || has(v, "durationUnit")
    }),
    rule("Timing.repeat", "tim-2", "a period needs its unit", |v| !has(v, "period") || has(v, "periodUnit")),
    rule("Timing.repeat", "tim-4", "a duration is not negative", |v| !is_negative(v, "duration")),
    rule("Timing.repeat", "tim-5", "a period is not negative", |v| !is_negative(v, "period")),
    rule("Timing.repeat", "tim-10", "a time of day excludes a time of an event", |v| {
        !(has(v, "timeOfDay") && has(v, "when"))
    }),
    rule("Observation", "obs-6", "dataAbsentReason is only given where there is no value", |v| {
        !(has(v, "dataAbsentReason") && has_choice(v, "value"))
    }),
    rule("Observation", "obs-7", "with a component of the same code there is no value", |v| {
        !has_choice(v, "value") || {
            let own: HashSet<_> = v.get("code").map(codings).into_iter().flatten().collect();
            let mut inner = v.items("component").filter_map(|c| c.get("code")).flat_map(codings);
            !inner.any(|coding| own.contains(&coding))
        }
    }),
    rule("Observation.referenceRange", "obs-3", "low, high or text is needed", |v| {
        has(v, "low") || has(v, "high") || has(v, "text")
    }),
    rule("Patient.contact", "pat-1", "name, telecom, address or organization is needed", |v| {
        ["name", "telecom", "address", "organization"].iter().any(|n| has(v, n))
    }),
    rule("Organization", "org-1", "an identifier or a name is needed", |v| {
        has(v, "identifier") || has(v, "name")
    }),
    rule("Condition", "con-4", "what has abated is inactive, resolved or in remission", |v| {
        !has_choice(v, "abatement")
            || ["inactive", "resolved", "remission"].iter().any(|code| has_code(v, "clinicalStatus", code))
    }),
    rule("Condition", "con-5", "what was entered in error has no clinicalStatus", |v| {
        !(has_code(v, "verificationStatus", "entered-in-error") && has(v, "clinicalStatus"))
    }),
    rule("AllergyIntolerance", "ait-1", "clinicalStatus is needed unless it was entered in error", |v| {
        has_code(v, "verificationStatus", "entered-in-error") || has(v, "clinicalStatus")
    }),
    rule("AllergyIntolerance", "ait-2", "what was entered in error has no clinicalStatus", |v| {
        !(has_code(v, "verificationStatus", "entered-in-error") && has(v, "clinicalStatus"))
    }),
    rule("CareTeam.participant", "ctm-1", "onBehalfOf is only for a practitioner", |v| {
        let member = v.get("member").and_then(|m| m.string("reference")).unwrap_or_default();
        !has(v, "onBehalfOf") || member.contains("Practitioner/") || !member.contains('/')
    }),
    rule("CarePlan.activity", "cpl-3", "either a detail or a reference, and not both", |v| {
        !(has(v, "detail") && has(v, "reference"))
    }),
    rule("Consent", "ppc-1", "a policy or a policyRule is needed", |v| {
        has(v, "policy") || has(v, "policyRule")
    }),
    rule("Parameters.parameter", "inv-1", "one of value, resource or part", |v| {
        [has_choice(v, "value"), has(v, "resource"), has(v, "part")].iter().filter(|p| **p).count() == 1
    }),
    rule("Bundle", "bdl-1", "a total only in a searchset or a history", |v| {
        !has(v, "total") || bundle_is(v, &["searchset", "history"])
    }),
    rule("Bundle", "bdl-2", "entry.search only in a searchset", |v| {
        bundle_is(v, &["searchset"]) || !entries_have(v, "search")
    }),
    rule("Bundle", "bdl-3", "entry.request is for batch, transaction and history, and needed there", |v| {
        let wanted = bundle_is(v, &["batch", "transaction", "history"]);
        v.items("entry").all(|e| has(e, "request") == wanted)
    }),
    rule("Bundle", "bdl-4", "entry.response is for responses and history, and needed there", |v| {
        let wanted = bundle_is(v, &["batch-response", "transaction-response", "history"]);
        v.items("entry").all(|e| has(e, "response") == wanted)
    }),
    rule("Bundle.entry", "bdl-5", "a resource is needed where there is neither request nor response", |v| {
        has(v, "resource") || has(v, "request") || has(v, "response")
    }),
    rule("Bundle.entry", "bdl-8", "a fullUrl names no version", |v| {
        !v.string("fullUrl").is_some_and(|url| url.contains("/_history/"))
    }),
];

fn has(value: Value<'_>, name: &str) -> bool {
    value.get(name).is_some()
}

/// Whether an element with a choice of types is there in any of them.
fn has_choice(value: Value<'_>, element: &str) -> bool {
    value.children().any(|member| {
        let key = member.key().unwrap_or_default();
        let rest = key.strip_prefix('_').unwrap_or(key).strip_prefix(element).unwrap_or_default();
        rest.starts_with(|c: char| c.is_ascii_uppercase())
    })
}

fn has_code(value: Value<'_>, concept: &str, code: &str) -> bool {
    value.get(concept).is_some_and(|c| c.items("coding").any(|coding| coding.string("code") == Some(code)))
}

fn code_has_system(quantity: Value<'_>) -> bool {
    !has(quantity, "code") || has(quantity, "system")
}

fn codings<'a>(concept: Value<'a>) -> impl Iterator<Item = (Option<&'a str>, &'a str)> {
    concept.items("coding").filter_map(|coding| Some((coding.string("system"), coding.string("code")?)))
}

/// Whether a date certainly lies after another: even its earliest meaning after the other's latest.
fn is_after(start: Option<&str>, end: Option<&str>) -> bool {
    let interval = |text: Option<&str>| Date::read(text?).map(|date| date.interval());
    match (interval(start), interval(end)) {
        (Some((earliest, _)), Some((_, latest))) => earliest >= latest,
        _ => false,
    }
}

fn is_negative(value: Value<'_>, name: &str) -> bool {
    value.get(name).is_some_and(|number| number.raw().starts_with('-'))
}

fn bundle_is(bundle: Value<'_>, kinds: &[&str]) -> bool {
    bundle.string("type").is_some_and(|kind| kinds.contains(&kind))
}

fn entries_have(bundle: Value<'_>, name: &str) -> bool {
    bundle.items("entry").any(|entry| has(entry, name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{Limits, parse, validate};

    /// For each invariant something that breaks it, inside an otherwise readable resource.
    const BROKEN: &[(&str, &str, &str)] = &[
        ("Extension", "ext-1", r#"{"resourceType":"Patient","extension":[{"url":"u"}]}"#),
        ("Period", "per-1", r#"{"resourceType":"Encounter","period":{"start":"2026-02","end":"2026-01"}}"#),
        ("Quantity", "qty-3", r#"{"resourceType":"Observation","valueQuantity":{"value":1,"code":"g"}}"#),
        ("Age", "qty-3", r#"{"resourceType":"Condition","onsetAge":{"value":1,"code":"a"}}"#),
        (
            "Count",
            "qty-3",
            r#"{"resourceType":"Patient","extension":[{"url":"u","valueCount":{"value":1,"code":"1"}}]}"#,
        ),
        (
            "Distance",
            "qty-3",
            r#"{"resourceType":"Patient","extension":[{"url":"u","valueDistance":{"value":1,"code":"m"}}]}"#,
        ),
        ("Duration", "qty-3", r#"{"resourceType":"Encounter","length":{"value":1,"code":"min"}}"#),
        ("Ratio", "rat-1", r#"{"resourceType":"Observation","valueRatio":{"numerator":{"value":1}}}"#),
        ("Attachment", "att-1", r#"{"resourceType":"Patient","photo":[{"data":"YQ=="}]}"#),
        ("ContactPoint", "cpt-2", r#"{"resourceType":"Patient","telecom":[{"value":"1"}]}"#),
        (
            "Timing.repeat",
            "tim-1",
            r#"{"resourceType":"Observation","effectiveTiming":{"repeat":{"duration":1}}}"#,
        ),
        (
            "Timing.repeat",
            "tim-2",
            r#"{"resourceType":"Observation","effectiveTiming":{"repeat":{"period":1}}}"#,
        ),
        (
            "Timing.repeat",
            "tim-4",
            r#"{"resourceType":"Observation","effectiveTiming":{"repeat":{"duration":-1}}}"#,
        ),
        (
            "Timing.repeat",
            "tim-5",
            r#"{"resourceType":"Observation","effectiveTiming":{"repeat":{"period":-1}}}"#,
        ),
        (
            "Timing.repeat",
            "tim-10",
            r#"{"resourceType":"Observation","effectiveTiming":{"repeat":{"timeOfDay":["08:00:00"],"when":["HS"]}}}"#,
        ),
        (
            "Observation",
            "obs-6",
            r#"{"resourceType":"Observation","valueString":"x","dataAbsentReason":{"text":"x"}}"#,
        ),
        (
            "Observation",
            "obs-7",
            r#"{"resourceType":"Observation","valueString":"x","code":{"coding":[{"code":"a"}]},
            "component":[{"code":{"coding":[{"code":"b"},{"code":"a"}]}}]}"#,
        ),
        (
            "Observation.referenceRange",
            "obs-3",
            r#"{"resourceType":"Observation","referenceRange":[{"type":{"text":"x"}}]}"#,
        ),
        ("Patient.contact", "pat-1", r#"{"resourceType":"Patient","contact":[{"gender":"male"}]}"#),
        ("Organization", "org-1", r#"{"resourceType":"Organization","active":true}"#),
        ("Condition", "con-4", r#"{"resourceType":"Condition","abatementDateTime":"2026"}"#),
        (
            "Condition",
            "con-5",
            r#"{"resourceType":"Condition","clinicalStatus":{"text":"x"},
            "verificationStatus":{"coding":[{"code":"entered-in-error"}]}}"#,
        ),
        ("AllergyIntolerance", "ait-1", r#"{"resourceType":"AllergyIntolerance"}"#),
        (
            "AllergyIntolerance",
            "ait-2",
            r#"{"resourceType":"AllergyIntolerance","clinicalStatus":{"text":"x"},
            "verificationStatus":{"coding":[{"code":"entered-in-error"}]}}"#,
        ),
        (
            "CareTeam.participant",
            "ctm-1",
            r#"{"resourceType":"CareTeam","participant":[{"member":{"reference":"Patient/1"},
            "onBehalfOf":{"reference":"Organization/1"}}]}"#,
        ),
        (
            "CarePlan.activity",
            "cpl-3",
            r#"{"resourceType":"CarePlan","activity":[{"detail":{"status":"completed"},"reference":{"reference":"Task/1"}}]}"#,
        ),
        ("Consent", "ppc-1", r#"{"resourceType":"Consent"}"#),
        ("Parameters.parameter", "inv-1", r#"{"resourceType":"Parameters","parameter":[{"name":"x"}]}"#),
        ("Bundle", "bdl-1", r#"{"resourceType":"Bundle","type":"batch","total":1}"#),
        (
            "Bundle",
            "bdl-2",
            r#"{"resourceType":"Bundle","type":"batch","entry":[{"search":{"mode":"match"}}]}"#,
        ),
        ("Bundle", "bdl-3", r#"{"resourceType":"Bundle","type":"batch","entry":[{"fullUrl":"urn:x"}]}"#),
        (
            "Bundle",
            "bdl-4",
            r#"{"resourceType":"Bundle","type":"batch-response","entry":[{"fullUrl":"urn:x"}]}"#,
        ),
        (
            "Bundle.entry",
            "bdl-5",
            r#"{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:x"}]}"#,
        ),
        (
            "Bundle.entry",
            "bdl-8",
            r#"{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"http://x/Patient/1/_history/2"}]}"#,
        ),
    ];

    #[test]
    fn every_invariant_can_be_broken_and_is_told() {
        let tried: BTreeSet<_> = BROKEN.iter().map(|(on, key, _)| (*on, *key)).collect();
        let all: BTreeSet<_> = INVARIANTS.iter().map(|i| (i.on, i.key)).collect();
        assert_eq!(tried, all);
        for (on, key, json) in BROKEN {
            let resource = parse(json.as_bytes(), &Limits::default()).unwrap();
            let told =
                validate(&resource).iter().any(|issue| issue.diagnostics.starts_with(&format!("{key}:")));
            assert!(told, "{key} on {on}");
        }
    }
}
