//! SMART Backend Services (SMART App Launch 2.2): where programs get their tokens.

use axum::extract::State;
use axum::http::{Extensions, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mimamori_app::ClientCredentials;
use mimamori_domain::{Error, ErrorKind};
use serde_json::{Value, json};

use super::base;
use crate::error::Rendered;
use crate::forms::Fields;
use crate::session;
use crate::settings::Web;

/// RFC 7523, section 2.2.
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The address of the token endpoint: whom an assertion must be for.
fn endpoint(web: &Web) -> String {
    format!("{}/auth/token", base(web))
}

/// `GET /fhir/.well-known/smart-configuration`. Says nothing personal and needs no token.
pub(crate) async fn configuration(State(web): State<Web>) -> Response {
    let body = json!({
        "token_endpoint": endpoint(&web),
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt", "tls_client_auth"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
        "tls_client_certificate_bound_access_tokens": true,
        "scopes_supported": ["system/*.rs", "system/*.cu", "system/*.crus"],
        "capabilities": ["client-confidential-asymmetric", "permission-v2"],
    });
    let mut response = answered(StatusCode::OK, &body);
    let cache = HeaderValue::from_static("public, max-age=300");
    response.headers_mut().insert(header::CACHE_CONTROL, cache);
    response
}

/// `POST /fhir/auth/token` (RFC 6749, section 4.4).
pub(crate) async fn token(State(web): State<Web>, extensions: Extensions, fields: Fields) -> Response {
    if fields.get("grant_type") != "client_credentials" {
        let error =
            if fields.some("grant_type").is_some() { "unsupported_grant_type" } else { "invalid_request" };
        return refused(StatusCode::BAD_REQUEST, error, "grant_type must be client_credentials");
    }
    let assertion = fields.some("client_assertion");
    if assertion.is_some() && fields.get("client_assertion_type") != ASSERTION {
        return refused(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "client_assertion_type must be jwt-bearer",
        );
    }
    let sent = ClientCredentials {
        assertion,
        client: fields.some("client_id"),
        scope: fields.get("scope").to_owned(),
    };
    let origin = session::origin(&extensions);
    match web.app.client_token(&sent, &endpoint(&web), &origin).await {
        Ok(issued) => {
            let body = json!({
                "access_token": issued.token,
                "token_type": "bearer",
                "expires_in": issued.seconds,
                "scope": issued.scope,
            });
            answered(StatusCode::OK, &body)
        }
        Err(error) => failed(&error),
    }
}

/// An error as OAuth has it (RFC 6749, section 5.2).
fn failed(error: &Error) -> Response {
    match error.kind() {
        ErrorKind::Unauthenticated => refused(StatusCode::UNAUTHORIZED, "invalid_client", error.message()),
        ErrorKind::Invalid => refused(StatusCode::BAD_REQUEST, "invalid_scope", error.message()),
        ErrorKind::Forbidden => {
            refused(StatusCode::FORBIDDEN, "unauthorized_client", "not permitted from here")
        }
        ErrorKind::Busy => refused(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable", error.message()),
        _ => {
            tracing::error!(kind = ?error.kind(), detail = error.detail().unwrap_or_default(), "no token issued");
            refused(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "try again shortly")
        }
    }
}

fn refused(status: StatusCode, error: &str, said: &str) -> Response {
    answered(status, &json!({"error": error, "error_description": said}))
}

fn answered(status: StatusCode, body: &Value) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("pragma"), "no-cache"),
    ];
    let mut response = (status, headers, body.to_string()).into_response();
    response.extensions_mut().insert(Rendered);
    response
}
