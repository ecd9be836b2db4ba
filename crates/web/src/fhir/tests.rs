use mimamori_fhir::{Limits, parse, validate};

use super::*;
use crate::present::sample;

#[test]
fn what_goes_out_carries_our_id_version_class_and_state() {
    let mut stored = sample("Observation", r#"{"resourceType":"Observation","status":"final","x":1.50}"#);
    stored.version = 3;
    stored.state = RecordState::Amended;
    let body = body(&stored).unwrap();
    let text = std::str::from_utf8(&body).unwrap();
    assert!(text.contains("1.50"), "bytes stay as received");
    let resource = parse(&body, &Limits::default()).unwrap();
    assert_eq!(resource.id(), Some(stored.id.to_string().as_str()));
    let meta = resource.root().get("meta").unwrap();
    assert_eq!(meta.string("versionId"), Some("3"));
    assert_eq!(meta.items("tag").next().unwrap().string("code"), Some("amended"));
    assert_eq!(meta.items("security").next().unwrap().string("code"), Some("notes"));
}

#[test]
fn versions_are_told_in_headers() {
    let mut headers = HeaderMap::new();
    version_headers(&mut headers, &sample("Patient", "{}"));
    assert_eq!(headers.get(header::ETAG).unwrap(), "W/\"1\"");
    assert_eq!(headers.get(header::LAST_MODIFIED).unwrap(), "Sat, 21 Nov 2026 01:23:00 GMT");
}

#[test]
fn content_that_cannot_be_read_is_400_and_what_breaks_a_rule_422() {
    let status = |issues| Refusal::issues(issues).status.as_u16();
    assert_eq!(status(parse(b"{\"resourceType\":", &Limits::default()).unwrap_err()), 400);
    let small = Limits { bytes: 4, ..Limits::default() };
    assert_eq!(status(parse(b"{      }", &small).unwrap_err()), 413);
    let resource = parse(br#"{"resourceType":"Observation"}"#, &Limits::default()).unwrap();
    assert_eq!(status(validate(&resource)), 422);
}

#[test]
fn malformed_json_is_answered_with_its_place() {
    let issues = parse(b"{\n  \"resourceType\": Patient }", &Limits::default()).unwrap_err();
    let outcome = operation_outcome(&Refusal::issues(issues).issues);
    assert!(String::from_utf8(outcome).unwrap().contains("line 2, column"));
}

#[test]
fn faults_of_the_application_become_issues_with_their_places() {
    let fault = mimamori_domain::Fault {
        place: "Observation.status".to_owned(),
        rule: "this element is required".to_owned(),
        code: "required",
    };
    let refusal = Refusal::from(Error::invalid_at("correct it", vec![fault]));
    assert_eq!(refusal.status, StatusCode::UNPROCESSABLE_ENTITY);
    let issue = &refusal.issues[0];
    assert_eq!((issue.code, issue.expression.as_deref()), (IssueCode::Required, Some("Observation.status")));
    let told = Refusal::from(Error::conflict("version 3 is current"));
    assert_eq!(told.issues[0].diagnostics, "version 3 is current");
    let hidden = Refusal::from(Error::internal("the disk said no"));
    assert!(!hidden.issues[0].diagnostics.contains("disk"));
}

#[test]
fn only_records_are_served() {
    assert!(kind("Observation").is_ok());
    for other in ["Bundle", "OperationOutcome", "Nonsense", "observation", "account"] {
        assert_eq!(kind(other).unwrap_err().status, StatusCode::NOT_FOUND, "{other}");
    }
    assert!(object("1").is_err());
}
