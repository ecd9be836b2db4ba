//! Resources this server writes about itself: OperationOutcome and CapabilityStatement.

use mimamori_domain::Timestamp;

use crate::issue::Issue;
use crate::query::served_parameters;
use crate::write::Json;

/// An OperationOutcome of the issues; without any it says that all is well.
#[must_use]
pub fn operation_outcome(issues: &[Issue]) -> Vec<u8> {
    let mut json = Json::object();
    json.string("resourceType", "OperationOutcome").open_array("issue");
    for issue in issues {
        json.item().string("severity", issue.severity.as_str()).string("code", issue.code.as_str());
        let place = issue.position.map(|p| format!(" (line {}, column {})", p.line, p.column));
        json.string("diagnostics", &format!("{}{}", issue.diagnostics, place.unwrap_or_default()));
        if let Some(expression) = &issue.expression {
            json.open_array("expression").string_item(expression).close_array();
        }
        json.close();
    }
    if issues.is_empty() {
        json.item().string("severity", "information").string("code", "informational");
        json.string("diagnostics", "all is well").close();
    }
    json.close_array();
    json.finish()
}

/// What this installation says of itself.
#[derive(Debug, Clone)]
pub struct Capability<'a> {
    pub software_name: &'a str,
    pub software_version: &'a str,
    /// What this installation is, for people.
    pub description: &'a str,
    /// The base URL of the FHIR interface.
    pub base_url: &'a str,
    /// When this description last changed.
    pub date: Timestamp,
    /// How to sign in, for people.
    pub security: &'a str,
    /// Resource types in their order.
    pub types: &'a [TypeCapability<'a>],
    /// FHIR's codes: `batch`, `transaction`, `search-system`, `history-system`.
    pub system_interactions: &'a [&'a str],
}

/// What is offered for one resource type.
#[derive(Debug, Clone)]
pub struct TypeCapability<'a> {
    pub resource_type: &'a str,
    /// FHIR's codes: `read`, `vread`, `create`, `update`, `search-type`, `history-instance` ...
    /// With `search-type`, the served search parameters are listed.
    pub interactions: &'a [&'a str],
}

/// The CapabilityStatement of this installation.
#[must_use]
pub fn capability_statement(capability: &Capability<'_>) -> Vec<u8> {
    let mut json = Json::object();
    json.string("resourceType", "CapabilityStatement").string("status", "active");
    json.string("date", &capability.date.to_string()).string("kind", "instance");
    json.open("software").string("name", capability.software_name);
    json.string("version", capability.software_version).close();
    json.open("implementation").string("description", capability.description);
    json.string("url", capability.base_url).close();
    json.string("fhirVersion", "4.0.1");
    json.open_array("format").string_item("application/fhir+json").string_item("json").close_array();
    json.open_array("rest").item().string("mode", "server");
    json.open("security").string("description", capability.security).close();
    if !capability.types.is_empty() {
        json.open_array("resource");
        for kind in capability.types {
            type_capability(&mut json, kind);
        }
        json.close_array();
    }
    interactions(&mut json, capability.system_interactions);
    json.close().close_array();
    json.finish()
}

fn type_capability(json: &mut Json, kind: &TypeCapability<'_>) {
    json.item().string("type", kind.resource_type);
    interactions(json, kind.interactions);
    json.string("versioning", "versioned");
    json.open_array("referencePolicy").string_item("literal").string_item("logical").close_array();
    if kind.interactions.contains(&"search-type") {
        json.open_array("searchParam");
        for (name, value) in served_parameters(kind.resource_type) {
            json.item().string("name", name).string("type", value).close();
        }
        json.close_array();
    }
    json.close();
}

fn interactions(json: &mut Json, codes: &[&str]) {
    if codes.is_empty() {
        return;
    }
    json.open_array("interaction");
    for code in codes {
        json.item().string("code", code).close();
    }
    json.close_array();
}
