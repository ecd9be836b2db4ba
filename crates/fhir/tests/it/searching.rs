use mimamori_fhir::{
    Handling, IssueCode, NamePart, Prefix, RefKind, Representation, SearchQuery, Sort, date_interval,
    information_class, is_in_compartment, patient_of, search_values, served_parameters, served_types,
};

use crate::examples::{GOOD, OBSERVATION, PATIENT};
use crate::read;

fn good(kind: &str) -> &'static str {
    GOOD.iter().find(|json| json.contains(&format!(r#"{{"resourceType":"{kind}""#))).unwrap()
}

#[test]
fn a_patients_names_identifiers_and_birth_date_are_extracted() {
    let values = search_values(&read(PATIENT));
    let identifier = ("urn:oid:1.2.392.100495.20.3.51.11310000001".to_owned(), "0000001".to_owned());
    assert_eq!(values.identifiers, [identifier]);
    assert_eq!(values.birth_date.as_deref(), Some("1950-04-01"));
    assert_eq!(values.gender.as_deref(), Some("female"));
    assert_eq!(values.names[0].family.as_deref(), Some("見本"));
    assert_eq!(values.names[0].given, ["花子"]);
    assert_eq!(values.names[0].usage.as_deref(), Some("official"));
    assert_eq!(values.names[0].representation, Some(Representation::Ideographic));
    assert_eq!(values.names[1].family.as_deref(), Some("ミホン"));
    assert_eq!(values.names[1].representation, Some(Representation::Syllabic));
}

#[test]
fn clinical_types_have_their_own_date_code_and_status() {
    let values = search_values(&read(OBSERVATION));
    assert_eq!(values.codes, [("http://loinc.org".to_owned(), "85354-9".to_owned())]);
    assert_eq!(values.categories[0].1, "vital-signs");
    assert_eq!(values.status.as_deref(), Some("final"));
    assert_eq!(values.date, date_interval("2026-11-20T23:30:00Z"));
    let day = |text| date_interval(text).unwrap();
    let dates = [
        ("Condition", Some(day("2019-05"))),
        ("Communication", Some(day("2026-11-21T00:00:00Z"))),
        ("AllergyIntolerance", Some(day("2026-01-05"))),
        ("MedicationRequest", Some(day("2026-11-01"))),
        ("MedicationStatement", Some((day("2026-01-01").0, day("2026-02").1))),
        ("Encounter", Some((day("2026-11-20T01:00:00Z").0, day("2026-11-20T01:45:00Z").1))),
        ("Procedure", Some(day("2026-11-20"))),
        ("Immunization", Some(day("2026-10-15"))),
        ("DiagnosticReport", Some(day("2026-11-09T23:00:00Z"))),
        ("CarePlan", Some((day("2026-04-01").0, day("2027-03-31").1))),
        ("CareTeam", Some((day("2026-04-01").0, i64::MAX))),
        ("DocumentReference", Some(day("2026-11-01T00:00:00Z"))),
        ("Consent", Some(day("2026-04-01"))),
        ("Patient", None),
    ];
    for (kind, date) in dates {
        assert_eq!(search_values(&read(good(kind))).date, date, "{kind}");
    }
    let recorded = good("Condition").replace(r#""onsetDateTime":"2019-05""#, r#""recordedDate":"2020""#);
    assert_eq!(search_values(&read(&recorded)).date, date_interval("2020"));
    let timing = OBSERVATION.replace(
        r#""effectiveDateTime":"2026-11-21T08:30:00+09:00""#,
        r#""effectiveTiming":{"event":["2026-11-03","2026-11-01"]}"#,
    );
    assert_eq!(search_values(&read(&timing)).date, Some((day("2026-11-01").0, day("2026-11-03").1)));
    assert_eq!(search_values(&read(good("Condition"))).status.as_deref(), Some("active"));
    assert_eq!(
        search_values(&read(good("Organization"))).names[0].text.as_deref(),
        Some("見本訪問看護ステーション")
    );
}

#[test]
fn every_clinical_example_says_whose_it_is() {
    let mut inside = Vec::new();
    for json in GOOD {
        let resource = read(json);
        let patient = patient_of(&resource);
        assert_eq!(patient.is_some(), is_in_compartment(resource.resource_type()), "{json}");
        if let Some(patient) = patient {
            assert_eq!(patient.id.as_deref(), Some("p1"), "{json}");
            inside.push(resource.resource_type());
        }
    }
    assert_eq!(inside.len(), 16, "{inside:?}");
    let by_identifier = OBSERVATION.replace(
        r#"{"reference":"Patient/p1"}"#,
        r#"{"type":"Patient","identifier":{"system":"urn:s","value":"7"}}"#,
    );
    let found = patient_of(&read(&by_identifier)).unwrap();
    assert_eq!(
        (found.kind, found.text.as_str(), found.path.as_str()),
        (RefKind::Identifier, "urn:s|7", "Observation.subject")
    );
    let of_a_device = OBSERVATION.replace("Patient/p1", "Device/d1");
    assert_eq!(patient_of(&read(&of_a_device)), None);
}

#[test]
fn information_classes_follow_the_table() {
    for (kind, class) in [
        ("Patient", "basic"),
        ("RelatedPerson", "basic"),
        ("CareTeam", "basic"),
        ("Communication", "note"),
        ("Observation", "vital-signs"),
        ("MedicationRequest", "medication"),
        ("MedicationStatement", "medication"),
        ("AllergyIntolerance", "allergy"),
        ("Condition", "condition"),
        ("Encounter", "visit"),
        ("Procedure", "procedure"),
        ("Immunization", "immunization"),
        ("DiagnosticReport", "report"),
        ("CarePlan", "plan"),
        ("DocumentReference", "document"),
    ] {
        assert_eq!(information_class(&read(good(kind))).as_str(), class, "{kind}");
    }
    let with =
        |from: &str, to: &str| information_class(&read(&OBSERVATION.replace(from, to))).as_str().to_owned();
    assert_eq!(with(r#""code":"vital-signs""#, r#""code":"laboratory""#), "laboratory");
    assert_eq!(with(r#""code":"vital-signs""#, r#""code":"unheard-of""#), "vital-signs", "by its LOINC code");
    let unknown = OBSERVATION.replace("85354-9", "0-0").replace(r#""code":"vital-signs""#, r#""code":"x""#);
    assert_eq!(information_class(&read(&unknown)).as_str(), "laboratory");
}

fn query(kind: &str, params: &[(&str, &str)]) -> Result<SearchQuery, Vec<IssueCode>> {
    let params: Vec<_> = params.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    SearchQuery::parse(kind, &params, Handling::Strict).map_err(|i| i.into_iter().map(|i| i.code).collect())
}

#[test]
fn searches_for_patients() {
    let found = query(
        "Patient",
        &[
            ("identifier", r"urn:a|1,2,|3,urn:b|,urn:c\|d|e\,f"),
            ("name", "みほん,山"),
            ("family", "見本"),
            ("birthdate", "ge1950"),
            ("birthdate", "lt1960-01"),
            ("gender", "female"),
            ("_id", "a,b,a"),
            ("_count", "1000"),
            ("_sort", "-_lastUpdated"),
            ("_cursor", "x"),
        ],
    )
    .unwrap();
    let tokens: Vec<_> =
        found.identifiers[0].iter().map(|t| (t.system.as_deref(), t.code.as_deref())).collect();
    assert_eq!(
        tokens,
        [
            (Some("urn:a"), Some("1")),
            (None, Some("2")),
            (Some(""), Some("3")),
            (Some("urn:b"), None),
            (Some("urn:c|d"), Some("e,f")),
        ]
    );
    assert_eq!(found.names[0].beginnings, ["みほん", "山"]);
    assert_eq!(found.names[1].part, NamePart::Family);
    assert_eq!(
        found.birth_dates.iter().map(|d| d.prefix).collect::<Vec<_>>(),
        [Prefix::GreaterOrEqual, Prefix::Less]
    );
    assert_eq!(found.ids, ["a", "b"]);
    assert_eq!(
        (found.count, found.sort, found.cursor.as_deref()),
        (200, Some(Sort::UpdatedDescending), Some("x"))
    );
}

#[test]
fn clinical_searches_name_their_patients() {
    let found = query(
        "Observation",
        &[("subject", "Patient/a,b"), ("code", "http://loinc.org|8310-5"), ("date", "2026-11-21")],
    )
    .unwrap();
    assert_eq!(found.patients, ["a", "b"]);
    let day = 86_400_000_000;
    assert_eq!(found.dates[0].end - found.dates[0].start, day);
    assert_eq!(Some((found.dates[0].start, found.dates[0].end)), date_interval("2026-11-21"));
    assert_eq!(query("Observation", &[("code", "x")]).unwrap_err(), [IssueCode::Required]);
    let many: Vec<_> = (0..51).map(|n| n.to_string()).collect();
    assert_eq!(query("Observation", &[("patient", &many.join(","))]).unwrap_err(), [IssueCode::TooCostly]);
    assert_eq!(query("Observation", &[("patient", &many[..50].join(","))]).unwrap().patients.len(), 50);
    assert_eq!(
        query("Observation", &[("patient", "a"), ("subject", "b")]).unwrap_err(),
        [IssueCode::NotSupported]
    );
    assert_eq!(query("AllergyIntolerance", &[("subject", "a")]).unwrap_err(), [IssueCode::NotSupported]);
    assert!(query("Practitioner", &[("name", "a")]).is_ok(), "no clinical type");
    assert!(query("Condition", &[("patient", "a"), ("date", "2020"), ("onset-date", "2020")]).is_ok());
    assert!(query("Immunization", &[("patient", "a"), ("vaccine-code", "x")]).is_ok());
}

#[test]
fn what_is_not_served_is_refused_or_listed() {
    for (name, value, code) in [
        ("name:exact", "a", IssueCode::NotSupported),
        ("organization.name", "a", IssueCode::NotSupported),
        ("favourite", "a", IssueCode::NotSupported),
        ("birthdate", "1950-02-30", IssueCode::Value),
        ("birthdate", "xx1950", IssueCode::Value),
        ("birthdate", "1950,1951", IssueCode::Value),
        ("identifier", "|", IssueCode::Value),
        ("identifier", "a,,b", IssueCode::Value),
        ("name", "", IssueCode::Value),
        ("_count", "0", IssueCode::Value),
        ("_count", "-1", IssueCode::Value),
        ("_sort", "name", IssueCode::NotSupported),
        ("_sort", "date", IssueCode::NotSupported),
        ("_id", "a_b", IssueCode::Value),
    ] {
        assert_eq!(query("Patient", &[(name, value)]).unwrap_err(), [code], "{name}={value}");
    }
    let params = [("favourite<b>".to_owned(), "a".to_owned()), ("_format".to_owned(), "json".to_owned())];
    let lenient = SearchQuery::parse("Patient", &params, Handling::Lenient).unwrap();
    assert_eq!(lenient.ignored, ["favouriteb"]);
    let modified = [("name:exact".to_owned(), "a".to_owned())];
    assert!(
        SearchQuery::parse("Patient", &modified, Handling::Lenient).is_err(),
        "a modifier may not be ignored"
    );
    assert_eq!(query("Medication", &[]).unwrap_err(), [IssueCode::NotSupported]);
}

#[test]
fn date_prefixes_compare_ranges() {
    let filter = |text: &str| query("Observation", &[("patient", "a"), ("date", text)]).unwrap().dates[0];
    let target = |text| date_interval(text).unwrap();
    for (search, resource, expected) in [
        ("2026-11", "2026-11-21", true),
        ("2026-11-21", "2026-11", false),
        ("ne2026-11", "2026-11-21", false),
        ("gt2026-11-20", "2026-11-21", true),
        ("gt2026-11-21", "2026-11-21T10:00:00+09:00", false),
        ("gt2026-11-21", "2026-11", true),
        ("lt2026-11-21", "2026-11", true),
        ("sa2026-11-21", "2026-11", false),
        ("ge2026-11-21", "2026-11-21", true),
        ("ge2026-11-22", "2026-11-21", false),
        ("le2026-11-21", "2026-11-21", true),
        ("le2026-11-20", "2026-11-21", false),
        ("eb2026-11-21", "2026-11-20", true),
        ("eb2026-11-21", "2026-11", false),
        ("eq2026-11-21T10:00", "2026-11-21T01:00:30Z", true),
        ("2026-11-21T00:00:00Z", "2026-11-21T09:00:00+09:00", true),
    ] {
        let (filter, target) = (filter(search), target(resource));
        assert_eq!(filter.matches(target), expected, "{search} {resource}");
        let (start, end) = filter.reach();
        assert!(!expected || target.0 < end && start < target.1, "{search} reaches {resource}");
    }
}

#[test]
fn a_query_decides_on_extracted_values() {
    let values = search_values(&read(OBSERVATION));
    for (params, expected) in [
        (vec![("code", "85354-9")], true),
        (vec![("code", "http://loinc.org|85354-9"), ("status", "final,amended")], true),
        (vec![("code", "x,85354-9")], true),
        (vec![("code", "urn:x|85354-9")], false),
        (vec![("code", "|85354-9")], false),
        (vec![("category", "laboratory")], false),
        (vec![("date", "2026-11-21")], true),
        (vec![("date", "ge2026-11-21"), ("date", "lt2026-11-22")], true),
        (vec![("date", "lt2026-11-21")], false),
        (vec![("code", "85354-9"), ("code", "x")], false),
    ] {
        let mut params = params;
        params.push(("patient", "p1"));
        assert_eq!(query("Observation", &params).unwrap().matches(&values), expected, "{params:?}");
    }
    let patient = search_values(&read(PATIENT));
    assert!(
        query("Patient", &[("birthdate", "1950"), ("gender", "female"), ("identifier", "0000001")])
            .unwrap()
            .matches(&patient)
    );
    assert!(!query("Patient", &[("birthdate", "gt1950")]).unwrap().matches(&patient));
}

#[test]
fn every_parameter_that_is_told_is_served() {
    for kind in served_types() {
        for (name, value) in served_parameters(kind) {
            let text = if value == "date" { "2026" } else { "a" };
            let mut params = vec![(name, text)];
            if name != "patient"
                && name != "subject"
                && served_parameters(kind).iter().any(|(n, _)| *n == "patient")
            {
                params.push(("patient", "p"));
            }
            assert!(query(kind, &params).is_ok(), "{kind} {name}");
        }
    }
}
