//! Creating and updating.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use mimamori_app::{CreateAs, Stored};
use mimamori_domain::{Error, ErrorKind, Kind};
use mimamori_fhir::{Issue, IssueCode, Limits, Resource, Severity, operation_outcome, parse, validate};

use super::headers::{Return, content_is_json, if_match, wanted};
use super::read::representation;
use super::{Answered, Refusal, base, json_response, kind, object, version_headers};
use crate::forms::whole;
use crate::session::Known;
use crate::settings::Web;

/// `POST /fhir/{type}`
pub(crate) async fn create(
    State(web): State<Web>,
    Known(caller): Known,
    Path(resource_type): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answered {
    let kind = kind(&resource_type)?;
    content_is_json(&headers)?;
    if headers.contains_key("if-none-exist") {
        // Passing over it would make the duplicate that the client wants to avoid.
        let said = "conditional create is not offered: search first, then create without If-None-Exist";
        return Err(Refusal::issue(StatusCode::BAD_REQUEST, IssueCode::NotSupported, said));
    }
    let bytes = whole(body, &web).await?;
    checked(&bytes, &kind, &web)?;
    let stored = web.app.create(&caller, bytes, CreateAs::Confirmed).await?;
    answer(&web, StatusCode::CREATED, &stored, &headers)
}

/// `PUT /fhir/{type}/{id}`. Another version than the current one is 412, none at all 428: nobody
/// overwrites what they have not seen.
pub(crate) async fn update(
    State(web): State<Web>,
    Known(caller): Known,
    Path((resource_type, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Answered {
    let (kind, object) = (kind(&resource_type)?, object(&id)?);
    content_is_json(&headers)?;
    let expected = if_match(&headers)?;
    let bytes = whole(body, &web).await?;
    if checked(&bytes, &kind, &web)?.id() != Some(id.as_str()) {
        let issue = Issue::error(IssueCode::Value, "id must be that of the address").at(format!("{kind}.id"));
        return Err(Refusal::issues(vec![issue]).with_status(StatusCode::BAD_REQUEST));
    }
    let updated = web.app.update(&caller, &kind, object, bytes, expected).await;
    let stored = updated.map_err(|e: Error| {
        let overtaken = e.kind() == ErrorKind::Conflict;
        let refusal = Refusal::from(e);
        if overtaken { refusal.with_status(StatusCode::PRECONDITION_FAILED) } else { refusal }
    })?;
    answer(&web, StatusCode::OK, &stored, &headers)
}

/// Reads and validates a body; it must be of the address's type.
fn checked(bytes: &Bytes, kind: &Kind, web: &Web) -> Result<Resource, Refusal> {
    let limits = Limits { bytes: web.settings.fhir_limit, ..Limits::default() };
    let resource = parse(bytes, &limits).map_err(|issues| {
        // What is no resource at all could not be read, whatever else is said of it.
        let refusal = Refusal::issues(issues);
        if refusal.status == StatusCode::UNPROCESSABLE_ENTITY {
            refusal.with_status(StatusCode::BAD_REQUEST)
        } else {
            refusal
        }
    })?;
    if resource.resource_type() != kind.as_str() {
        let issue = Issue::error(IssueCode::Invalid, "resourceType must be that of the address");
        return Err(Refusal::issues(vec![issue]).with_status(StatusCode::BAD_REQUEST));
    }
    let issues = validate(&resource);
    if issues.iter().any(|i| i.severity >= Severity::Error) {
        return Err(Refusal::issues(issues).with_status(StatusCode::UNPROCESSABLE_ENTITY));
    }
    Ok(resource)
}

fn answer(web: &Web, status: StatusCode, stored: &Stored, asked: &HeaderMap) -> Answered {
    let mut response: Response = match wanted(asked) {
        Return::Minimal => status.into_response(),
        Return::OperationOutcome => json_response(status, operation_outcome(&[])),
        Return::Representation => representation(status, stored)?,
    };
    let headers = response.headers_mut();
    version_headers(headers, stored);
    let location = format!("{}/{}/{}/_history/{}", base(web), stored.kind, stored.id, stored.version);
    if status == StatusCode::CREATED
        && let Ok(location) = HeaderValue::from_str(&location)
    {
        headers.insert(header::LOCATION, location);
    }
    Ok(response)
}
