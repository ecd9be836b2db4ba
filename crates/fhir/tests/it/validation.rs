use mimamori_fhir::{IssueCode, Limits, parse, served_types, validate};

use crate::examples::{GOOD, OBSERVATION, PATIENT};

fn issues(json: &str) -> Vec<(String, IssueCode)> {
    match parse(json.as_bytes(), &Limits::default()) {
        Ok(resource) => validate(&resource),
        Err(issues) => issues,
    }
    .into_iter()
    .map(|issue| (issue.expression.unwrap_or_default(), issue.code))
    .collect()
}

#[test]
fn a_good_example_of_every_served_type_is_valid() {
    let mut seen = Vec::new();
    for json in GOOD {
        let resource = parse(json.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(validate(&resource), [], "{json}");
        seen.push(resource.resource_type());
    }
    seen.sort_unstable();
    assert_eq!(seen, served_types());
}

/// Each: what to replace in a good example, by what, and where which issue is expected.
#[test]
fn what_breaks_a_rule_is_told_at_its_place() {
    use IssueCode::*;
    let cases: &[(&str, &str, &str, &str, IssueCode)] = &[
        (PATIENT, r#""active":true"#, r#""active":"true""#, "Patient.active", Structure),
        (PATIENT, r#""active":true"#, r#""aktive":true"#, "Patient.aktive", Structure),
        (PATIENT, r#""active":true"#, r#""active":[true]"#, "Patient.active", Structure),
        (PATIENT, r#""active":true"#, r#""active":null"#, "Patient.active", Structure),
        (PATIENT, "1950-04-01", "1950-02-30", "Patient.birthDate", Value),
        (PATIENT, r#""given":["花子"]"#, r#""given":["花子",""]"#, "Patient.name[0].given[1]", Value),
        (PATIENT, r#""given":["花子"]"#, r#""given":["花子",null]"#, "Patient.name[0].given[1]", Structure),
        (PATIENT, r#""given":["花子"]"#, r#""given":[]"#, "Patient.name[0].given", Structure),
        (PATIENT, r#""given":["花子"]"#, r#""given":"花子""#, "Patient.name[0].given", Structure),
        (
            PATIENT,
            r#""given":["花子"]"#,
            r#""given":["花子"],"_given":[null,null]"#,
            "Patient.name[0].given",
            Structure,
        ),
        (PATIENT, r#""gender":"female""#, r#""gender":"f""#, "Patient.gender", CodeInvalid),
        (PATIENT, r#""gender":"female""#, r#""_gender":{"id":"g"}"#, "Patient.gender", Invariant),
        (PATIENT, r#""gender":"female""#, r#""_gender":{}"#, "Patient.gender", Structure),
        (PATIENT, r#""gender":"female""#, r#""_name":[{"id":"x"}]"#, "Patient._name", Structure),
        (PATIENT, r#"[{"name":{"text":"見本 一郎"}}]"#, r#"[{}]"#, "Patient.contact[0]", Structure),
        (
            PATIENT,
            r#"[{"name":{"text":"見本 一郎"}}]"#,
            r#"[{"gender":"male"}]"#,
            "Patient.contact[0]",
            Invariant,
        ),
        (
            PATIENT,
            r#""valueString":"昭和25年""#,
            r#""valueString":"x","extension":[{"url":"u","valueCode":"a"}]"#,
            "Patient.birthDate.extension[0]",
            Invariant,
        ),
        (
            PATIENT,
            r#""active":true"#,
            r#""modifierExtension":[{"url":"https://example.jp/x","valueBoolean":true}]"#,
            "Patient.modifierExtension[0]",
            Extension,
        ),
        (
            PATIENT,
            r#""active":true"#,
            r#""implicitRules":"https://example.jp/x""#,
            "Patient.implicitRules",
            NotSupported,
        ),
        (
            PATIENT,
            r#""active":true"#,
            r#""deceasedBoolean":false,"deceasedDateTime":"2026""#,
            "Patient.deceased",
            Structure,
        ),
        (
            PATIENT,
            r#""active":true"#,
            r#""managingOrganization":{"reference":"Patient/2"}"#,
            "Patient.managingOrganization",
            Value,
        ),
        (
            PATIENT,
            r#""active":true"#,
            r#""managingOrganization":{"reference":"Orgs/2"}"#,
            "Patient.managingOrganization.reference",
            Value,
        ),
        (
            PATIENT,
            r#""active":true"#,
            r##""managingOrganization":{"reference":"#o"}"##,
            "Patient.managingOrganization",
            Invariant,
        ),
        (
            PATIENT,
            r#""active":true"#,
            r#""managingOrganization":{"reference":"Organization/1","type":"Patient"}"#,
            "Patient.managingOrganization.type",
            Value,
        ),
        (
            PATIENT,
            r#""active":true"#,
            r#""contained":[{"resourceType":"Organization","id":"o","name":"x"}]"#,
            "Patient.contained[0]",
            Invariant,
        ),
        (
            PATIENT,
            r#""active":true"#,
            r#""contained":[{"resourceType":"Medication","id":"o"}]"#,
            "Patient.contained[0]",
            NotSupported,
        ),
        (PATIENT, r#""active":true"#, r#""telecom":[{"value":"000"}]"#, "Patient.telecom[0]", Invariant),
        (PATIENT, r#""active":true"#, r#""photo":[{"data":"YQ=="}]"#, "Patient.photo[0]", Invariant),
        (PATIENT, r#""id":"p1""#, r#""id":"p_1""#, "Patient.id", Value),
        (OBSERVATION, r#""status":"final","#, "", "Observation.status", Required),
        (
            OBSERVATION,
            r#"128.0"#,
            r#""128""#,
            "Observation.component[0].value.ofType(Quantity).value",
            Structure,
        ),
        (
            OBSERVATION,
            "2026-11-21T08:30:00+09:00",
            "2026-11-21T08:30",
            "Observation.effective.ofType(dateTime)",
            Value,
        ),
        (OBSERVATION, "<p>血圧 128/72</p>", "<script>x</script>", "Observation.text.div", Value),
        (
            OBSERVATION,
            r#""subject":{"reference":"Patient/p1"}"#,
            r#""subject":{"reference":"Practitioner/p1"}"#,
            "Observation.subject",
            Value,
        ),
        (
            OBSERVATION,
            r#""effectiveDateTime":"2026-11-21T08:30:00+09:00""#,
            r#""effectivePeriod":{"start":"2026-02","end":"2026-01"}"#,
            "Observation.effective.ofType(Period)",
            Invariant,
        ),
        (
            OBSERVATION,
            r#""effectiveDateTime":"2026-11-21T08:30:00+09:00""#,
            r#""valueInteger":1,"dataAbsentReason":{"text":"x"}"#,
            "Observation",
            Invariant,
        ),
        (
            OBSERVATION,
            r#""component":[{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]}"#,
            r#""valueString":"x","component":[{"code":{"coding":[{"system":"http://loinc.org","code":"85354-9"}]}"#,
            "Observation",
            Invariant,
        ),
    ];
    for (good, from, to, place, code) in cases {
        assert!(good.contains(from), "{from}");
        let found = issues(&good.replacen(from, to, 1));
        assert!(found.contains(&((*place).to_owned(), *code)), "{to}: {found:?}");
    }
}

/// The paths of every value in a JSON tree.
fn places(value: &serde_json::Value, at: String, found: &mut Vec<String>) {
    if !at.is_empty() {
        found.push(at.clone());
    }
    match value {
        serde_json::Value::Object(members) => {
            for (name, member) in members {
                places(member, format!("{at}/{name}"), found);
            }
        }
        serde_json::Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn a_value_of_another_kind_is_refused_wherever_it_stands() {
    let mut tried = 0;
    for json in GOOD {
        let good: serde_json::Value = serde_json::from_str(json).unwrap();
        let mut all = Vec::new();
        places(&good, String::new(), &mut all);
        for place in all {
            for other in
                ["{}", "[]", "[[]]", "null", "\"\"", "\"\\u0000\"", "-1.5e3", "true", "[{}]", "[null]"]
            {
                let mut bad = good.clone();
                let slot = bad.pointer_mut(&place).unwrap();
                let other: serde_json::Value = serde_json::from_str(other).unwrap();
                if slot.is_number() && other.is_number() || slot.is_boolean() && other.is_boolean() {
                    continue;
                }
                *slot = other;
                tried += 1;
                assert_ne!(issues(&bad.to_string()), [], "{place} in {bad}");
            }
        }
    }
    assert!(tried > 3000, "{tried}");
}

#[test]
fn an_unknown_element_is_refused_in_every_object() {
    for json in GOOD {
        let good: serde_json::Value = serde_json::from_str(json).unwrap();
        let mut all = vec![String::new()];
        places(&good, String::new(), &mut all);
        for place in all {
            let mut bad = good.clone();
            let Some(object) = bad.pointer_mut(&place).and_then(|v| v.as_object_mut()) else {
                continue;
            };
            object.insert("mimamori".to_owned(), true.into());
            let found = issues(&bad.to_string());
            assert!(found.iter().any(|(_, code)| *code == IssueCode::Structure), "{place}: {found:?}");
        }
    }
}

#[test]
fn what_is_required_is_missed_in_every_type() {
    let mut missed = std::collections::BTreeSet::new();
    for json in GOOD {
        let good: serde_json::Value = serde_json::from_str(json).unwrap();
        for name in good.as_object().unwrap().keys().filter(|name| *name != "resourceType") {
            let mut bad = good.clone();
            bad.as_object_mut().unwrap().remove(name);
            let kind = good["resourceType"].as_str().unwrap();
            for (place, code) in issues(&bad.to_string()) {
                let whole =
                    ["value", "medication", "occurrence"].iter().any(|choice| name.starts_with(choice));
                let expected = place == format!("{kind}.{name}") || whole || code == IssueCode::Invariant;
                assert!(expected, "{place} for {name}");
                if code == IssueCode::Required {
                    missed.insert(kind.to_owned());
                }
            }
        }
    }
    // These require no element.
    let free = ["Patient", "Practitioner", "PractitionerRole", "Organization", "Parameters", "CareTeam"];
    for kind in served_types() {
        assert_eq!(missed.contains(*kind), !free.contains(kind), "{kind}");
    }
}

#[test]
fn required_bindings_of_concepts_want_the_system_too() {
    let condition = GOOD.iter().find(|json| json.contains(r#""resourceType":"Condition""#)).unwrap();
    for (from, to) in [
        (r#""code":"active""#, r#""code":"aktiv""#),
        ("http://terminology.hl7.org/CodeSystem/condition-clinical", "https://example.jp/other"),
    ] {
        let found = issues(&condition.replacen(from, to, 1));
        assert_eq!(found, [("Condition.clinicalStatus".to_owned(), IssueCode::CodeInvalid)]);
    }
}

#[test]
fn contained_resources_keep_their_rules() {
    let report = |contained: &str, result: &str| {
        issues(&format!(
            r#"{{"resourceType":"DiagnosticReport","status":"final","code":{{"text":"x"}},"contained":[{contained}],
            "result":[{{"reference":"{result}"}}]}}"#
        ))
    };
    let observation = |more: &str| {
        format!(r#"{{"resourceType":"Observation","id":"r1","status":"final","code":{{"text":"x"}}{more}}}"#)
    };
    assert_eq!(report(&observation(""), "#r1"), []);
    let one = |place: &str, code| vec![(place.to_owned(), code)];
    let at = "DiagnosticReport.contained[0]";
    assert_eq!(report(&observation(r#","meta":{"versionId":"1"}"#), "#r1"), one(at, IssueCode::Invariant));
    assert_eq!(
        report(&observation(r#","meta":{"security":[{"code":"R"}]}"#), "#r1"),
        one(at, IssueCode::Invariant)
    );
    assert_eq!(report(&observation(""), "Observation/1"), one(at, IssueCode::Invariant));
    assert_eq!(
        report(&observation("").replace(r#""id":"r1","#, ""), "Observation/1"),
        one(at, IssueCode::Required)
    );
    let twice = format!("{},{}", observation(""), observation(""));
    assert_eq!(report(&twice, "#r1"), one("DiagnosticReport.contained[1]", IssueCode::Duplicate));
    let nested = observation(r#","contained":[{"resourceType":"Patient","id":"p"}],"subject":{"reference":"#);
    let nested = nested.trim_end_matches('}').to_owned() + "\"#\"}}";
    let found = report(&nested, "#r1");
    assert!(found.contains(&(format!("{at}.contained[0]"), IssueCode::Invariant)), "{found:?}");
    // A contained resource that only refers to its container needs no reference to it; a type that
    // the element doesn't allow is refused through the contained id too.
    let back = observation(r##","focus":[{"reference":"#"}]"##);
    assert_eq!(report(&back, "Observation/1"), []);
    let organization = r#"{"resourceType":"Organization","id":"r1","name":"x"}"#;
    assert_eq!(report(organization, "#r1"), one("DiagnosticReport.result[0]", IssueCode::Value));
}

#[test]
fn values_with_extensions_instead_are_valid() {
    for good in [
        r#"{"resourceType":"Patient","name":[{"given":["a",null],"_given":[null,{"extension":[{"url":"u","valueCode":"x"}]}]}]}"#,
        r#"{"resourceType":"Patient","_birthDate":{"extension":[{"url":"u","valueCode":"x"}]}}"#,
        r#"{"resourceType":"Patient","_deceasedDateTime":{"extension":[{"url":"u","valueCode":"x"}]},"deceasedDateTime":"2026"}"#,
        r#"{"resourceType":"Patient","extension":[{"url":"u","extension":[{"url":"v","valueQuantity":{"value":1e-3}}]}]}"#,
    ] {
        assert_eq!(issues(good), [], "{good}");
    }
    for bad in [
        r#"{"resourceType":"Patient","name":[{"given":["a"],"_given":[null,{"id":"x"}]}]}"#,
        r#"{"resourceType":"Patient","name":[{"given":[null],"_given":[null]}]}"#,
        r#"{"resourceType":"Patient","name":[{"_given":[null,{"extension":[{"url":"u","valueCode":"x"}]}]}]}"#,
        r#"{"resourceType":"Patient","_birthDate":[{"id":"x"}]}"#,
        r#"{"resourceType":"Patient","_birthDate":{"value":"x"}}"#,
        r#"{"resourceType":"Patient","_deceasedDateTime":{"extension":[{"url":"u","valueCode":"x"}]},"deceasedBoolean":true}"#,
        r#"{"resourceType":"Patient","_resourceType":{"id":"x"}}"#,
    ] {
        assert_ne!(issues(bad), [], "{bad}");
    }
}

#[test]
fn no_value_is_repeated_in_what_is_told() {
    let secret = "himitsu";
    for json in [
        format!(r#"{{"resourceType":"Patient","gender":"{secret}","birthDate":"{secret}","{secret} 名":1}}"#),
        format!(r#"{{"resourceType":"Patient","managingOrganization":{{"reference":"{secret}"}}}}"#),
        format!(r#"{{"resourceType":"{secret}"}}"#),
        format!(r#"{{"resourceType":"Patient","name":[{{"family":"{secret}"#),
    ] {
        let found = match parse(json.as_bytes(), &Limits::default()) {
            Ok(resource) => validate(&resource),
            Err(issues) => issues,
        };
        assert!(!found.is_empty());
        assert!(!format!("{found:?}").contains(secret), "{found:?}");
    }
}
