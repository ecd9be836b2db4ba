//! FHIR R4 REST (FHIR R4 "RESTful API"), JSON only. Every failure is an OperationOutcome.

pub(crate) mod headers;
pub(crate) mod metadata;
pub(crate) mod read;
pub(crate) mod search;
pub(crate) mod smart;
pub(crate) mod write;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use mimamori_app::Stored;
use mimamori_domain::{Error, Kind, ObjectId, RecordState};
use mimamori_fhir::{Coding, Issue, IssueCode, Meta, Severity, operation_outcome, splice_meta};

use crate::error::{self, Fault, Rendered};
use crate::layers;
use crate::settings::Web;

/// Tags a version with the state of its record.
const STATE: &str = "urn:mimamori:record-state";
/// Labels a version with its information class.
const CLASS: &str = "urn:mimamori:information-class";

/// A refusal on its way to [`finish`].
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    status: StatusCode,
    issues: Vec<Issue>,
}

/// A handler's answer.
pub(crate) type Answered = Result<Response, Refusal>;

impl Refusal {
    pub(crate) fn status(status: StatusCode) -> Self {
        Self { status, issues: vec![error::issue(status)] }
    }

    pub(crate) fn issue(status: StatusCode, code: IssueCode, said: &str) -> Self {
        Self { status, issues: vec![Issue::error(code, said)] }
    }

    /// Content that was read and found wanting: 422; content that could not be read: 400.
    pub(crate) fn issues(issues: Vec<Issue>) -> Self {
        let unreadable = issues.iter().any(|i| i.severity == Severity::Fatal || i.position.is_some());
        let too_long = issues.iter().any(|i| i.code == IssueCode::TooLong);
        let status = if too_long {
            StatusCode::PAYLOAD_TOO_LARGE
        } else if unreadable {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::UNPROCESSABLE_ENTITY
        };
        Self { status, issues }
    }

    /// The same with another status.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let mut issue = error::issue(fault.status);
        if !fault.message.is_empty() {
            issue.diagnostics = fault.message;
        }
        Self { status: fault.status, issues: vec![issue] }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let issues: Vec<Issue> = error.faults().iter().map(issue_of).collect();
        let refusal = Self::from(Fault::from(error));
        if issues.is_empty() { refusal } else { Self { issues, ..refusal } }
    }
}

/// One thing that is wrong in what was sent, as the application found it.
fn issue_of(fault: &mimamori_domain::Fault) -> Issue {
    let code = IssueCode::ALL.iter().find(|c| c.as_str() == fault.code);
    let issue = Issue::error(code.copied().unwrap_or(IssueCode::Invalid), fault.rule.as_str());
    if fault.place.is_empty() { issue } else { issue.at(fault.place.as_str()) }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Asks for a media type we have, and turns every failure into an OperationOutcome.
pub(crate) async fn finish(web: &Web, request: Request, next: Next) -> Response {
    let had_token = request.headers().contains_key(header::AUTHORIZATION);
    let json = headers::json(request.headers(), request.uri().query());
    let head = request.method() == Method::HEAD;
    let response = if json {
        layers::answer(web, request, next).await
    } else {
        Refusal::status(StatusCode::NOT_ACCEPTABLE).into_response()
    };
    let status = response.status();
    let failed = status.is_client_error() || status.is_server_error();
    if !failed || response.extensions().get::<Rendered>().is_some() {
        return response;
    }
    let extensions = response.extensions();
    let refusal = match (extensions.get::<Refusal>(), extensions.get::<Fault>()) {
        (Some(refusal), _) => refusal.clone(),
        (None, Some(fault)) => fault.clone().into(),
        (None, None) => Refusal::status(status),
    };
    let allow = response.headers().get(header::ALLOW).cloned();
    let body = if head { Vec::new() } else { operation_outcome(&refusal.issues) };
    let mut answer = json_response(refusal.status, body);
    if let Some(allow) = allow {
        answer.headers_mut().insert(header::ALLOW, allow);
    }
    if status == StatusCode::UNAUTHORIZED {
        // RFC 6750 section 3: no error code when no token was sent.
        let challenge = if had_token {
            "Bearer realm=\"mimamori\", error=\"invalid_token\""
        } else {
            "Bearer realm=\"mimamori\""
        };
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    answer
}

pub(crate) fn json_response(status: StatusCode, body: impl Into<Bytes>) -> Response {
    let mut response = (status, body.into()).into_response();
    let kind = HeaderValue::from_static("application/fhir+json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response.extensions_mut().insert(Rendered);
    response
}

/// A served resource type from an address.
fn kind(text: &str) -> Result<Kind, Refusal> {
    let known = mimamori_fhir::served_types().iter().find(|t| **t == text);
    known.filter(|t| offered(t)).map(|t| Kind::of(t)).ok_or_else(|| {
        Refusal::issue(
            StatusCode::NOT_FOUND,
            IssueCode::NotSupported,
            "this type of resource is not served here; see /fhir/metadata",
        )
    })
}

/// Types that frame an exchange and are nobody's record.
fn offered(kind: &str) -> bool {
    !["Bundle", "CapabilityStatement", "OperationOutcome", "Parameters"].contains(&kind)
}

/// A logical id from an address. Ours are all of one form; any other names nothing.
fn object(text: &str) -> Result<ObjectId, Refusal> {
    text.parse().map_err(|_| Refusal::status(StatusCode::NOT_FOUND))
}

/// A version as it goes out: the received bytes with our id and meta.
fn body(stored: &Stored) -> Result<Vec<u8>, Refusal> {
    let code =
        |system: &str, code: &str| Coding { system: system.to_owned(), code: code.to_owned(), display: None };
    let meta = Meta {
        id: stored.id.to_string(),
        version_id: stored.version.to_string(),
        last_updated: stored.recorded,
        security: vec![code(CLASS, stored.class.as_str())],
        tags: match stored.state {
            RecordState::Confirmed => Vec::new(),
            other => vec![code(STATE, other.as_str())],
        },
    };
    splice_meta(&stored.bytes, &meta).map_err(|issues| {
        let detail = issues.first().map(|i| i.code.as_str()).unwrap_or_default();
        tracing::error!(detail, "a stored resource could not be read back");
        Refusal::status(StatusCode::INTERNAL_SERVER_ERROR)
    })
}

/// `W/"3"` (FHIR R4 "Managing Resource Contention").
fn etag(version: u64) -> String {
    format!("W/\"{version}\"")
}

/// ETag and Last-Modified of a version.
fn version_headers(headers: &mut HeaderMap, stored: &Stored) {
    let modified = jiff::Timestamp::from(stored.recorded);
    let texts = [
        (header::ETAG, etag(stored.version)),
        (header::LAST_MODIFIED, modified.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()),
    ];
    for (name, text) in texts {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
}

/// The base of links and locations.
fn base(web: &Web) -> &str {
    match web.settings.fhir_base.as_str() {
        "" => "/fhir",
        base => base,
    }
}

#[cfg(test)]
mod tests;
