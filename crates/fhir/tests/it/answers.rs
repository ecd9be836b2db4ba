use mimamori_domain::Timestamp;
use mimamori_fhir::{
    Capability, Issue, IssueCode, Limits, Severity, TypeCapability, capability_statement, operation_outcome,
    parse, served_types, validate,
};

use crate::read;

#[test]
fn an_outcome_of_any_code_is_valid_fhir() {
    let mut issues: Vec<_> =
        IssueCode::ALL.iter().map(|code| Issue::error(*code, "x \"y\"\n").at("Patient.id")).collect();
    issues.push(Issue { severity: Severity::Information, ..Issue::warning(IssueCode::Value, "x") });
    issues.extend(parse(b"{\n  ?", &Limits::default()).unwrap_err());
    let bytes = operation_outcome(&issues);
    let outcome = read(std::str::from_utf8(&bytes).unwrap());
    assert_eq!(validate(&outcome), []);
    let last = outcome.root().items("issue").last().unwrap();
    assert_eq!(last.string("severity"), Some("fatal"));
    assert!(last.string("diagnostics").unwrap().ends_with("(line 2, column 3)"));
    assert_eq!(validate(&read(std::str::from_utf8(&operation_outcome(&[])).unwrap())), []);
}

#[test]
fn the_capability_statement_is_valid_and_lists_what_is_served() {
    let types: Vec<_> = served_types()
        .iter()
        .map(|kind| TypeCapability { resource_type: kind, interactions: &["read", "search-type", "create"] })
        .collect();
    let bytes = capability_statement(&Capability {
        software_name: "Mimamori",
        software_version: "0.1.0",
        description: "見守り",
        base_url: "https://example.jp/fhir",
        date: Timestamp::from_micros(0),
        security: "bearer token",
        types: &types,
        system_interactions: &["batch"],
    });
    let statement = read(std::str::from_utf8(&bytes).unwrap());
    assert_eq!(validate(&statement), []);
    let rest = statement.root().items("rest").next().unwrap();
    let patient = rest.items("resource").find(|r| r.string("type") == Some("Patient")).unwrap();
    let parameters: Vec<_> = patient.items("searchParam").map(|p| p.string("name").unwrap()).collect();
    assert_eq!(parameters, ["_id", "identifier", "name", "family", "given", "birthdate", "gender"]);
}
