//! What clients ask for in headers: media types, versions, how to answer.

use axum::http::{HeaderMap, StatusCode, header};
use mimamori_fhir::{Handling, IssueCode};

use super::Refusal;
use crate::forms::{Fields, media_type};

/// Media types that mean FHIR JSON.
const JSON: [&str; 3] = ["application/fhir+json", "application/json", "text/json"];

/// Whether the answer may be JSON: by `_format`, which wins (FHIR R4 "General Parameters"), or by
/// Accept. A stated fhirVersion must be R4's.
pub(crate) fn json(headers: &HeaderMap, query: Option<&str>) -> bool {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    if let Some(format) = fields.some("_format") {
        // A plus sign that was not escaped reads as a space.
        let format = format.to_ascii_lowercase().replace(' ', "+");
        let format = format.split(';').next().unwrap_or_default().trim().to_owned();
        return format == "json" || JSON.contains(&format.as_str());
    }
    let mut ranges = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .map(|r| r.trim().to_ascii_lowercase())
        .filter(|r| !r.is_empty())
        .peekable();
    ranges.peek().is_none() || ranges.any(|range| acceptable(&range))
}

fn acceptable(range: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let wanted = JSON.contains(&kind) || matches!(kind, "*/*" | "application/*");
    wanted
        && parts.all(|p| match p.split_once('=') {
            Some(("fhirversion", version)) => version.trim_matches('"').starts_with("4.0"),
            Some(("q", weight)) => weight.parse::<f32>().is_ok_and(|q| q > 0.0),
            _ => true,
        })
}

/// Whether a body is FHIR JSON.
///
/// # Errors
/// 415.
pub(super) fn content_is_json(headers: &HeaderMap) -> Result<(), Refusal> {
    if JSON.contains(&media_type(headers).as_str()) {
        Ok(())
    } else {
        Err(Refusal::status(StatusCode::UNSUPPORTED_MEDIA_TYPE))
    }
}

/// What a write gives back (FHIR R4 "Prefer").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Return {
    Minimal,
    Representation,
    OperationOutcome,
}

/// `Prefer` of a request (RFC 7240).
fn preference(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all("prefer").iter().filter_map(|v| v.to_str().ok());
    values.flat_map(|v| v.split([',', ';'])).find_map(|p| {
        let (n, value) = p.split_once('=')?;
        (n.trim().eq_ignore_ascii_case(name)).then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// What the client wants back; the resource unless it says otherwise.
pub(super) fn wanted(headers: &HeaderMap) -> Return {
    match preference(headers, "return").as_deref() {
        Some("minimal") => Return::Minimal,
        Some("OperationOutcome") => Return::OperationOutcome,
        _ => Return::Representation,
    }
}

/// What to do with unknown search parameters.
pub(super) fn handling(headers: &HeaderMap) -> Handling {
    match preference(headers, "handling").as_deref() {
        Some("strict") => Handling::Strict,
        _ => Handling::Lenient,
    }
}

/// The version of an If-Match: one entity tag, weak or not.
///
/// # Errors
/// 428 without the header, 400 when it is no version of ours.
pub(super) fn if_match(headers: &HeaderMap) -> Result<u64, Refusal> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        return Err(Refusal::status(StatusCode::PRECONDITION_REQUIRED));
    };
    let version = value.to_str().ok().and_then(version);
    version.ok_or_else(|| {
        let said = "If-Match must be one version: W/\"1\"";
        Refusal::issue(StatusCode::BAD_REQUEST, IssueCode::Value, said)
    })
}

fn version(tag: &str) -> Option<u64> {
    let tag = tag.trim();
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

/// Whether the client has this version already (RFC 9110 section 13.1.2).
pub(super) fn has_already(headers: &HeaderMap, current: u64) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|v| v.to_str().ok());
    values.flat_map(|v| v.split(',')).any(|tag| tag.trim() == "*" || version(tag) == Some(current))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    #[test]
    fn json_is_served_to_whoever_takes_it() {
        let accepts = |value| json(&headers("accept", value), None);
        for good in [
            "application/fhir+json",
            "application/json",
            "*/*",
            "application/*;q=0.5",
            "text/html, application/fhir+json; fhirVersion=4.0",
            "APPLICATION/JSON",
        ] {
            assert!(accepts(good), "{good}");
        }
        for bad in [
            "application/fhir+xml",
            "text/html",
            "application/fhir+json;fhirVersion=5.0",
            "application/json;q=0",
        ] {
            assert!(!accepts(bad), "{bad}");
        }
        assert!(json(&HeaderMap::new(), None));
        assert!(json(&headers("accept", "text/html"), Some("_format=json")));
        assert!(json(&HeaderMap::new(), Some("_format=application/fhir+json")));
        assert!(!json(&headers("accept", "application/json"), Some("_format=xml")));
    }

    #[test]
    fn preferences_are_read() {
        assert_eq!(wanted(&HeaderMap::new()), Return::Representation);
        assert_eq!(wanted(&headers("prefer", "return=minimal")), Return::Minimal);
        assert_eq!(
            wanted(&headers("prefer", "handling=strict; return=OperationOutcome")),
            Return::OperationOutcome
        );
        assert_eq!(handling(&headers("prefer", "return=minimal, handling=strict")), Handling::Strict);
        assert_eq!(handling(&HeaderMap::new()), Handling::Lenient);
    }

    #[test]
    fn versions_are_read_from_tags() {
        let refused = |h: &HeaderMap| if_match(h).unwrap_err().status.as_u16();
        assert_eq!(if_match(&headers("if-match", "W/\"3\"")).ok(), Some(3));
        assert_eq!(if_match(&headers("if-match", "\"3\"")).ok(), Some(3));
        assert_eq!(refused(&HeaderMap::new()), 428);
        for bad in ["*", "3", "W/\"x\"", "W/\"1\", W/\"2\""] {
            assert_eq!(refused(&headers("if-match", bad)), 400, "{bad}");
        }
        assert!(has_already(&headers("if-none-match", "W/\"1\", W/\"2\""), 2));
        assert!(!has_already(&headers("if-none-match", "W/\"1\""), 2));
    }
}
