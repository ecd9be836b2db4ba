//! `GET /fhir/metadata`: what this installation offers.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use mimamori_fhir::{Capability, TypeCapability, capability_statement, served_types};

use super::read::BINARY;
use super::{base, json_response, offered};
use crate::settings::Web;

const INTERACTIONS: &[&str] = &["read", "vread", "create", "update", "search-type"];

/// Says nothing personal and needs no token.
pub(crate) async fn show(State(web): State<Web>) -> Response {
    let types: Vec<TypeCapability<'_>> = served_types()
        .iter()
        .copied()
        .filter(|t| offered(t))
        .map(|resource_type| TypeCapability { resource_type, interactions: INTERACTIONS })
        .chain([TypeCapability { resource_type: BINARY, interactions: &["read"] }])
        .collect();
    let statement = capability_statement(&Capability {
        software_name: "Mimamori",
        software_version: env!("CARGO_PKG_VERSION"),
        description: &web.settings.name,
        base_url: base(&web),
        date: web.started,
        security: "Bearer tokens (RFC 6750), issued to programs of an institution. Every access is \
                   kept in a ledger that the person concerned can read. An update needs If-Match.",
        types: &types,
        system_interactions: &[],
    });
    let mut response = json_response(StatusCode::OK, statement);
    let cache = HeaderValue::from_static("public, max-age=300");
    response.headers_mut().insert(header::CACHE_CONTROL, cache);
    response
}
