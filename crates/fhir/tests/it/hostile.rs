//! What an attacker may send: refused quickly, within bounded memory, and nothing ever panics.

use std::time::{Duration, Instant};

use mimamori_fhir::{
    BundleReader, Handling, IssueCode, Limits, SearchQuery, Severity, information_class, ndjson_lines,
    operation_outcome, parse, patient_of, references, rewrite_references, search_values, splice_meta,
    validate,
};
use proptest::prelude::*;

use crate::examples::{GOOD, OBSERVATION, PATIENT};
use crate::out::meta;

/// Everything that takes received bytes.
fn use_all(bytes: &[u8]) {
    let _ = BundleReader::open(bytes, &Limits::bundle()).map(|bundle| bundle.entries().count());
    for line in ndjson_lines(bytes) {
        assert_eq!(&bytes[line.offset..][..line.bytes.len()], line.bytes);
    }
    match parse(bytes, &Limits::default()) {
        Err(issues) => {
            assert_eq!(issues.len(), 1);
            assert!(parse(&operation_outcome(&issues), &Limits::default()).is_ok());
        }
        Ok(resource) => {
            assert_eq!(resource.bytes(), bytes);
            let issues = validate(&resource);
            let outcome = parse(&operation_outcome(&issues), &Limits::default()).unwrap();
            assert_eq!(validate(&outcome), []);
            let found = references(&resource);
            let _ = (search_values(&resource), patient_of(&resource), information_class(&resource));
            assert_eq!(rewrite_references(bytes, &|_| None).unwrap(), bytes);
            let renamed = rewrite_references(bytes, &|_| Some("Patient/other".to_owned())).unwrap();
            let renamed = parse(&renamed, &Limits::default()).unwrap();
            assert!(references(&renamed).len() >= found.len());
            let out = splice_meta(bytes, &meta()).unwrap();
            let again = parse(&out, &Limits::default()).unwrap();
            assert_eq!(again.id(), Some("our-id"));
            assert_eq!(again.root().get("meta").unwrap().string("versionId"), Some("3"));
        }
    }
}

fn refused(bytes: &[u8]) -> IssueCode {
    let begun = Instant::now();
    let issues = parse(bytes, &Limits::default()).unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    issues[0].code
}

#[test]
fn too_much_is_refused_quickly() {
    assert_eq!(refused(&vec![b'['; 20 << 20]), IssueCode::TooLong);
    assert_eq!(refused(&vec![b'['; 1 << 20]), IssueCode::TooCostly);
    let deep = format!("{}{}", r#"{"a":"#.repeat(70), "1".to_owned() + &"}".repeat(70));
    assert_eq!(refused(deep.as_bytes()), IssueCode::TooCostly);
    let many = format!("[{}1]", "1,".repeat(900_000));
    assert_eq!(refused(many.as_bytes()), IssueCode::TooCostly);
    let long = format!(r#"{{"resourceType":"Patient","id":"{}"}}"#, "a".repeat(20 << 20));
    assert_eq!(refused(long.as_bytes()), IssueCode::TooLong);
}

#[test]
fn what_fits_the_limits_is_still_cheap() {
    let members: String = (0..40_000).map(|n| format!(r#","m{n}":1"#)).collect();
    let nulls = "null,".repeat(20_000) + "null";
    let contained: String =
        (0..9_000).map(|n| format!(r#"{{"resourceType":"Patient","id":"c{n}"}},"#)).collect();
    let links: String = (0..6_000).map(|_| r##"{"reference":"#c8999"},"##).collect();
    let codings: String = (0..6_000).map(|n| format!(r#"{{"code":"c{n}"}},"#)).collect();
    for json in [
        format!(r#"{{"resourceType":"Patient"{members}}}"#),
        format!(r#"{{"resourceType":"Patient","name":[{{"given":[{nulls}],"_given":[{nulls}]}}]}}"#),
        format!(
            r#"{{"resourceType":"Observation","contained":[{}],"focus":[{}]}}"#,
            contained.trim_end_matches(','),
            links.trim_end_matches(',')
        ),
        format!(
            r#"{{"resourceType":"Observation","valueString":"x","code":{{"coding":[{0}]}},"component":[{{"code":{{"coding":[{0}]}}}}]}}"#,
            codings.trim_end_matches(',')
        ),
    ] {
        let begun = Instant::now();
        let resource = parse(json.as_bytes(), &Limits::default()).unwrap();
        let found = validate(&resource);
        assert!(!found.is_empty() && found.len() <= 100);
        assert!(references(&resource).len() <= 50_000);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}

#[test]
fn what_is_no_json_is_told_with_its_position() {
    for (bytes, byte) in [
        (b"".as_slice(), 0),
        (b"\xEF\xBB\xBF{}", 0),
        (b"{\"a\":\"\xFF\"}", 6),
        (b"{\"a\":\"\xED\xA0\x80\"}", 6),
        (b"{\"a\":1,\"a\":2}", 7),
        (b"{\"a\":1,\"\\u0061\":2}", 7),
        (b"{\"a\":01}", 6),
        (b"{\"a\":1.}", 7),
        (b"{\"a\":+1}", 5),
        (b"{\"a\":.5}", 5),
        (b"{\"a\":1e}", 7),
        (b"{\"a\":NaN}", 5),
        (b"{\"a\":tru}", 5),
        (b"{\"a\":1,}", 7),
        (b"{a:1}", 1),
        (b"{'a':1}", 1),
        (b"[1,]", 3),
        (b"{\"a\":1} x", 8),
        (b"{\"a\":\"\\x\"}", 6),
        (b"{\"a\":\"\\ud800\"}", 6),
        (b"{\"a\":\"\\udc00\"}", 6),
        (b"{\"a\":\"\\u12G4\"}", 6),
        (b"{\"a\":\"\t\"}", 6),
        (b"{\"a\":\"b", 7),
        (b"{\"a\":1 /* x */}", 7),
    ] {
        let issues = parse(bytes, &Limits::default()).unwrap_err();
        assert_eq!(issues[0].severity, Severity::Fatal, "{bytes:?}");
        assert_eq!(issues[0].position.unwrap().byte, byte, "{:?}", String::from_utf8_lossy(bytes));
    }
    for bytes in [b"[]".as_slice(), b"1", b"{}", b"{\"resourceType\":1}", b"{\"resourceType\":\"Pat\"}"] {
        assert_eq!(parse(bytes, &Limits::default()).unwrap_err()[0].position, None);
    }
}

/// JSON with FHIR's names in places where they may or may not belong.
fn some_json() -> impl Strategy<Value = String> {
    let names = proptest::sample::select(vec![
        "resourceType",
        "id",
        "meta",
        "contained",
        "extension",
        "modifierExtension",
        "url",
        "valueString",
        "valueReference",
        "reference",
        "identifier",
        "system",
        "value",
        "name",
        "given",
        "_given",
        "family",
        "text",
        "div",
        "status",
        "code",
        "coding",
        "subject",
        "patient",
        "birthDate",
        "_birthDate",
        "effectiveDateTime",
        "effectivePeriod",
        "effectiveTiming",
        "repeat",
        "start",
        "end",
        "component",
        "valueQuantity",
        "entry",
        "resource",
        "security",
        "tag",
        "category",
        "type",
        "event",
        "名前",
        "",
    ]);
    let texts = proptest::sample::select(vec![
        "Patient",
        "Observation",
        "Bundle",
        "Patient/1",
        "#a",
        "#",
        "urn:uuid:x",
        "2026-11-21",
        "2026",
        "http://example.jp/fhir/Patient/1/_history/2",
        "final",
        "a",
        "",
        "\\u0000",
        "\\ud83d\\ude00",
        "漢字",
        "1.50",
    ]);
    let leaf = prop_oneof![
        3 => texts.clone().prop_map(|text| format!("\"{text}\"")),
        1 => proptest::sample::select(vec!["1", "1.50", "-0", "1e99999", "null", "true", "{}", "[]"]).prop_map(str::to_owned),
    ];
    let tree = leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            proptest::collection::btree_map(names.clone(), inner.clone(), 0..6).prop_map(|members| {
                let members: Vec<_> = members.iter().map(|(n, v)| format!("\"{n}\": {v}")).collect();
                format!("{{ {} }}", members.join(" ,"))
            }),
            proptest::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
        ]
    });
    let kinds = proptest::sample::select(mimamori_fhir::served_types());
    let members = proptest::collection::btree_map(
        proptest::sample::select(vec![
            "id",
            "meta",
            "contained",
            "extension",
            "name",
            "status",
            "code",
            "subject",
            "patient",
            "text",
            "entry",
            "effectivePeriod",
            "component",
            "category",
            "identifier",
            "birthDate",
            "_birthDate",
            "parameter",
        ]),
        tree,
        0..8,
    );
    (kinds, members).prop_map(|(kind, members)| {
        let members: String = members.iter().map(|(name, value)| format!(",\n\"{name}\" :{value}")).collect();
        format!("{{\"resourceType\":\"{kind}\"{members}}}")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        use_all(&bytes);
    }

    #[test]
    fn arbitrary_json_does_no_harm(json in some_json()) {
        use_all(json.as_bytes());
    }

    #[test]
    fn damaged_resources_do_no_harm(which in 0..GOOD.len(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = GOOD[which].as_bytes().to_vec();
        let at = at.index(bytes.len());
        if cut { bytes.remove(at); } else { bytes[at] = byte; }
        use_all(&bytes);
    }

    /// Our JSON reader accepts exactly what serde_json does, but for what is stricter on purpose:
    /// names given twice.
    #[test]
    fn the_reader_agrees_with_another_one(which in 0..2usize, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = [PATIENT, OBSERVATION][which].as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let theirs = serde_json::from_slice::<serde_json::Value>(&bytes);
        match parse(&bytes, &Limits::default()) {
            Ok(_) => prop_assert!(theirs.is_ok()),
            Err(issues) if issues[0].severity == Severity::Fatal => {
                let twice = issues[0].diagnostics.contains("twice");
                prop_assert!(theirs.is_err() || twice, "{}", issues[0]);
            }
            Err(_) => {}
        }
    }

    #[test]
    fn arbitrary_searches_do_no_harm(name in "[a-z_:.]{0,12}", value in "\\PC{0,40}") {
        for kind in ["Patient", "Observation", "Condition"] {
            for name in [name.as_str(), "identifier", "birthdate", "code", "date", "patient", "_count", "_sort", "_id"] {
                let params = [(name.to_owned(), value.clone())];
                let _ = SearchQuery::parse(kind, &params, Handling::Strict);
                let _ = SearchQuery::parse(kind, &params, Handling::Lenient);
            }
        }
    }
}
