//! Reading one resource, current or as it was.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
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
    let stored = web.app.read(&caller, &kind(&resource_type)?, object(&id)?).await?;
    if headers::has_already(&headers, stored.version) {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        version_headers(response.headers_mut(), &stored);
        return Ok(response);
    }
    representation(StatusCode::OK, &stored)
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
