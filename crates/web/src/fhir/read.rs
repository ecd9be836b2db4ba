//! Reading one resource, current or as it was.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use mimamori_app::Stored;

use super::{Answered, Refusal, body, headers, json_response, kind, object, version_headers};
use crate::session::Known;
use crate::settings::Web;

/// `GET /fhir/{type}/{id}`
pub(crate) async fn current(
    State(web): State<Web>,
    Known(caller): Known,
    Path((resource_type, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answered {
    if resource_type == BINARY {
        return binary(&web, &caller, &id).await;
    }
    let stored = web.app.read(&caller, &kind(&resource_type)?, object(&id)?).await?;
    if headers::has_already(&headers, stored.version) {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        version_headers(response.headers_mut(), &stored);
        return Ok(response);
    }
    representation(StatusCode::OK, &stored)
}

/// A file of a record (FHIR R4 "Binary"), as JSON; read as the record that it is part of.
pub(super) const BINARY: &str = "Binary";

async fn binary(web: &Web, caller: &mimamori_app::Caller, id: &str) -> Answered {
    let (kind, record, file) = web.app.binary(caller, object(id)?).await?;
    let resource = serde_json::json!({
        "resourceType": BINARY,
        "id": id,
        "contentType": file.media_type,
        "securityContext": { "reference": format!("{kind}/{record}") },
        "data": base64::engine::general_purpose::STANDARD.encode(&file.bytes),
    });
    Ok(json_response(StatusCode::OK, resource.to_string()))
}

/// `GET /fhir/{type}/{id}/_history/{version}`
pub(crate) async fn version(
    State(web): State<Web>,
    Known(caller): Known,
    Path((resource_type, id, version)): Path<(String, String, String)>,
) -> Answered {
    let not_found = |_| Refusal::status(StatusCode::NOT_FOUND);
    let version: u64 = version.parse().map_err(not_found)?;
    let stored = web.app.vread(&caller, &kind(&resource_type)?, object(&id)?, version).await?;
    representation(StatusCode::OK, &stored)
}

/// A version as an answer.
pub(super) fn representation(status: StatusCode, stored: &Stored) -> Result<Response, Refusal> {
    let mut response = json_response(status, body(stored)?);
    version_headers(response.headers_mut(), stored);
    Ok(response)
}
