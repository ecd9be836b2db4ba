//! What goes out: ids, meta and references spliced into received bytes.

use mimamori_domain::Timestamp;
use mimamori_fhir::{
    Coding, Limits, Meta, RefKind, ReferenceText, parse, references, rewrite_references, splice_meta,
    validate,
};
use proptest::prelude::*;

use crate::examples::{GOOD, OBSERVATION};
use crate::read;

pub fn meta() -> Meta {
    Meta {
        id: "our-id".to_owned(),
        version_id: "3".to_owned(),
        last_updated: Timestamp::from_micros(1_795_222_800_000_001),
        security: Vec::new(),
        tags: Vec::new(),
    }
}

fn spliced(json: &str, meta: &Meta) -> String {
    String::from_utf8(splice_meta(json.as_bytes(), meta).unwrap()).unwrap()
}

const OURS: &str = r#""versionId":"3","lastUpdated":"2026-11-21T01:00:00.000001Z""#;

#[test]
fn id_and_meta_are_put_in_and_nothing_else_changes() {
    assert_eq!(
        spliced("{ \"resourceType\" : \"Observation\" ,\n \"valueDecimal\": 1.50 }", &meta()),
        format!(
            "{{ \"resourceType\" : \"Observation\",\"id\":\"our-id\",\"meta\":{{{OURS}}} ,\n \"valueDecimal\": 1.50 }}"
        ),
    );
    assert_eq!(
        spliced(r#"{"meta":{},"id":"theirs","resourceType":"Patient"}"#, &meta()),
        format!(r#"{{"meta":{{{OURS}}},"id":"our-id","resourceType":"Patient"}}"#),
    );
    assert_eq!(
        spliced(r#"{"id":"theirs","x":"\u3042","resourceType":"Patient"}"#, &meta()),
        format!(r#"{{"id":"our-id","x":"\u3042","resourceType":"Patient","meta":{{{OURS}}}}}"#),
    );
}

#[test]
fn what_the_sender_says_in_meta_is_kept_but_for_version_and_time() {
    let label = |code: &str| Coding { system: "urn:s".to_owned(), code: code.to_owned(), display: None };
    let meta = Meta { security: vec![label("R"), label("V")], tags: vec![label("t")], ..meta() };
    let json = r#"{"resourceType":"Patient","meta":{"versionId":"9","_versionId":{"id":"x"},"profile":["http://p"],
        "security":[{"system":"urn:s", "code":"R"}],"lastUpdated":"2000-01-01T00:00:00Z","source":"urn:a"}}"#;
    let out = spliced(json, &meta);
    assert_eq!(
        out,
        format!(
            r#"{{"resourceType":"Patient","id":"our-id","meta":{{{OURS},"security":[{{"system":"urn:s", "code":"R"}},{{"system":"urn:s","code":"V"}}],"tag":[{{"system":"urn:s","code":"t"}}],"profile":["http://p"],"source":"urn:a"}}}}"#
        )
    );
    assert_eq!(validate(&read(&out)), []);
}

#[test]
fn every_example_stays_valid_with_our_meta() {
    for json in GOOD {
        assert_eq!(validate(&read(&spliced(json, &meta()))), []);
    }
}

#[test]
fn forms_of_references() {
    let kind = |text| ReferenceText::parse(text).map(|found| found.kind);
    assert_eq!(kind("Patient/1"), Some(RefKind::Relative));
    assert_eq!(kind("https://example.jp/fhir/Patient/1/_history/2"), Some(RefKind::Absolute));
    assert_eq!(kind("https://example.jp/other"), Some(RefKind::Absolute));
    assert_eq!(kind("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"), Some(RefKind::Urn));
    assert_eq!(kind("#p1"), Some(RefKind::Contained));
    assert_eq!(kind("Patient?identifier=a|b"), Some(RefKind::Conditional));
    assert_eq!(kind("Patient?identifier=http://example.jp/id|b"), Some(RefKind::Conditional));
    for bad in [
        "",
        "Patient",
        "Patient/",
        "Pat/1",
        "Patient/1/2",
        "x/Patient/1",
        "Patient/1/_history",
        "Patient/a b",
        "ftp://x/Patient/1",
        "urn:x",
        "#a b",
        "Patient/1?x=y/..",
        "../Patient/1",
        "/Patient/1",
    ] {
        assert_eq!(ReferenceText::parse(bad), None, "{bad}");
    }
    let parsed = ReferenceText::parse("Observation/o.1/_history/7").unwrap();
    assert_eq!(
        (parsed.resource_type, parsed.id, parsed.version),
        (Some("Observation"), Some("o.1"), Some("7"))
    );
}

#[test]
fn references_are_found_everywhere() {
    let json = r##"{"resourceType":"Observation","status":"final","code":{"text":"x","_text":{"extension":[{"url":"u",
        "valueReference":{"reference":"Practitioner/2"}}]}},"contained":[{"resourceType":"Patient","id":"p",
        "generalPractitioner":[{"reference":"Organization/9"}]}],"subject":{"reference":"#p"},
        "performer":[{"identifier":{"system":"urn:s","value":"7"},"type":"Practitioner"}],
        "extension":[{"url":"reference","valueString":"Patient/5"}]}"##;
    let resource = read(json);
    assert_eq!(validate(&resource), []);
    let found: Vec<_> = references(&resource).into_iter().map(|r| (r.path, r.text, r.kind)).collect();
    let expected = [
        ("Observation.code.text.extension[0].value.ofType(Reference)", "Practitioner/2", RefKind::Relative),
        ("Observation.contained[0].generalPractitioner[0]", "Organization/9", RefKind::Relative),
        ("Observation.subject", "#p", RefKind::Contained),
        ("Observation.performer[0]", "urn:s|7", RefKind::Identifier),
    ];
    let expected: Vec<_> = expected.map(|(p, t, k)| (p.to_owned(), t.to_owned(), k)).into();
    assert_eq!(found, expected);
}

#[test]
fn references_are_rewritten_and_only_they() {
    let json = OBSERVATION.replace("血圧 128", "Patient/p1 128");
    let renamed = rewrite_references(json.as_bytes(), &|text| {
        text.strip_prefix("Patient/").map(|old| format!("Patient/new-\"{old}"))
    });
    let renamed = String::from_utf8(renamed.unwrap()).unwrap();
    let expected = json.replace(r#"{"reference":"Patient/p1"}"#, r#"{"reference":"Patient/new-\"p1"}"#);
    assert_ne!(expected, json);
    assert_eq!(renamed, expected);
}

#[test]
fn a_reference_inside_another_is_rewritten_too() {
    let json = r#"{"resourceType":"Patient","managingOrganization":{"identifier":{"assigner":{"reference":"Organization/1"}},"reference":"Organization/2"}}"#;
    let renamed = rewrite_references(json.as_bytes(), &|text| Some(format!("{text}00"))).unwrap();
    let expected =
        json.replace("Organization/1", "Organization/100").replace("Organization/2", "Organization/200");
    assert_eq!(String::from_utf8(renamed).unwrap(), expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// However the members are ordered and spaced, taking our two members out again gives the
    /// received values, each with the very bytes it came with.
    #[test]
    fn splicing_preserves_every_other_member(
        order in Just(vec![
            r#""resourceType":"Observation""#, r#""id" : "x""#, r#""meta": {"source":"a", "tag":[] }"#,
            r#""status":"fi\u006eal""#, r#""valueDecimal": 1.500e-0"#, r#""名":[ 1.0,2 ]"#,
        ]).prop_shuffle(),
        without_id in any::<bool>(), without_meta in any::<bool>(), space in "[ \n\t\r]{0,3}",
    ) {
        let members: Vec<_> = order.into_iter()
            .filter(|m| !(without_id && m.starts_with("\"id\"") || without_meta && m.starts_with("\"meta\"")))
            .collect();
        let json = format!("{space}{{{space}{}{space}}}{space}", members.join(&format!("{space},{space}")));
        let out = spliced(&json, &meta());
        let (before, after) = (read(&json), parse(out.as_bytes(), &Limits::default()).unwrap());
        let others = |resource: &mimamori_fhir::Resource| -> Vec<(String, String)> {
            resource.root().children()
                .filter(|m| !["id", "meta"].contains(&m.key().unwrap()))
                .map(|m| (m.key().unwrap().to_owned(), m.raw().to_owned())).collect()
        };
        prop_assert_eq!(others(&before), others(&after));
        prop_assert_eq!(after.id(), Some("our-id"));
        prop_assert!(out.contains("1.500e-0") && out.contains("fi\\u006eal"));
    }
}
