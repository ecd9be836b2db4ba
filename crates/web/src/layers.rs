//! What surrounds every route: one log line, strict headers, limits, and a clean answer to whatever
//! goes wrong inside.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use mimamori_app::Caller;
use tower_http::csrf::{CsrfLayer, ProtectionError};
use tracing::Instrument;

use crate::error::{Fault, Rendered};
use crate::following::Refused;
use crate::forms::Held;
use crate::layout::Visit;
use crate::routes::Surface;
use crate::settings::Web;
use crate::{carried, fhir, pages, session, terminals};

/// Headers of every response.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data:; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), \
         publickey-credentials-create=(self), publickey-credentials-get=(self), usb=()",
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// Marks an answer whose content somebody sent in: a browser gives it no origin of ours, no script and
/// nothing to load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sandboxed;

/// What such an answer may do in a browser.
const SANDBOX: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox");

/// Two years, as browsers' preload lists ask.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=63072000; includeSubDomains");

/// Puts what surrounds every answer around a surface's routes, its fallbacks included.
pub(crate) fn around(router: Router<Web>, surface: Surface, web: &Web) -> Router {
    let router = match surface {
        // Programs hold tokens, not cookies: nothing rides along with a forged request.
        Surface::Fhir => router,
        Surface::Staff => router.layer(CsrfLayer::new()),
    };
    router.layer(from_fn_with_state((web.clone(), surface), surround)).with_state(web.clone())
}

/// All of them from the outside in, as one layer: each layer of its own clones and boxes, for every
/// request, the service with all that it surrounds, which was a seventh of an audited read.
async fn surround(State((web, surface)): State<(Web, Surface)>, request: Request, next: Next) -> Response {
    log(&web, surface, request, next).await
}

/// One line for each answer: method, the route's pattern (never the path: it names people), status,
/// duration.
async fn log(web: &Web, surface: Surface, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|p| p.as_str().to_owned());
    let route = route.unwrap_or_default();
    let span = tracing::info_span!("request", %method, route);
    async move {
        let response = headers(web, surface, request, next).await;
        let (status, took) = (response.status().as_u16(), begun.elapsed());
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        if response.status().is_server_error() {
            tracing::error!(status, duration_ms, "answered");
        } else {
            tracing::info!(status, duration_ms, "answered");
        }
        response
    }
    .instrument(span)
    .await
}

async fn headers(web: &Web, surface: Surface, mut request: Request, next: Next) -> Response {
    let refused = terminals::recognise(web, &mut request).await;
    let mut response = match surface {
        Surface::Staff => finish_page(web, request, next).await,
        Surface::Fhir => fhir::finish(web, request, next).await,
    };
    let status = response.status();
    let sandboxed = response.extensions().get::<Sandboxed>().is_some();
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if sandboxed {
        headers.insert(header::CONTENT_SECURITY_POLICY, SANDBOX);
    }
    if web.settings.tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
    if refused {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        headers.entry(header::RETRY_AFTER).or_insert(HeaderValue::from_static("30"));
    }
    // What is not said to be public may be personal.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The routes' own answer, whatever happens in them.
pub(crate) async fn answer(web: &Web, request: Request, next: Next) -> Response {
    // Nothing of the request is looked at again after a panic.
    match AssertUnwindSafe(bounded(web, request, next)).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => panicked(panic),
    }
}

/// What may be answered at all, within a bounded time.
async fn bounded(web: &Web, request: Request, next: Next) -> Response {
    if let Some(Refused(fault)) = request.extensions().get::<Refused>() {
        return fault.clone().into_response();
    }
    match tokio::time::timeout(web.settings.answer_timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            tracing::error!("an answer took too long");
            Fault::status(StatusCode::SERVICE_UNAVAILABLE).into_response()
        }
    }
}

/// The panic's own words may hold content: they are not repeated.
fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a handler panicked");
    Fault::status(StatusCode::INTERNAL_SERVER_ERROR).into_response()
}

/// Chooses the language, and turns every failure into a page.
async fn finish_page(web: &Web, mut request: Request, next: Next) -> Response {
    let visit = Visit::of(&request);
    let had_session = session::session_token(request.headers(), web.settings.tls).is_some();
    let read = matches!(*request.method(), Method::GET | Method::HEAD);
    let origin = session::origin(request.extensions());
    request.extensions_mut().insert(visit.clone());
    let held = Held::of(&request);
    request.extensions_mut().insert(held.clone());
    let response = answer(web, request, next).await;
    let status = response.status();
    let failed = status.is_client_error() || status.is_server_error();
    if !failed || response.extensions().get::<Rendered>().is_some() {
        return response;
    }
    let forged = response.extensions().get::<ProtectionError>().is_some();
    if forged {
        web.app.refused_before_sign_in(&origin, "request from another site");
    }
    let fault = response.extensions().get::<Fault>().cloned();
    let fault = fault.unwrap_or_else(|| Fault::status(status));
    if status == StatusCode::UNAUTHORIZED && read {
        let known = response.extensions().get::<carried::Known>().is_some();
        return pages::sign_in::first(web, &visit, had_session && !known);
    }
    if let Some(sealed) = response.extensions().get::<carried::Sealed>() {
        return pages::sign_in::carrying(web, &visit, sealed);
    }
    let caller = response.extensions().get::<Caller>();
    if let Some(caller) = caller.filter(|_| fault.step_up) {
        return pages::step_up::asked(web, &visit, caller, &held).await;
    }
    let allow = response.headers().get(header::ALLOW).cloned();
    let mut page = pages::problem::page(web, &visit, caller, &fault, forged);
    if let Some(allow) = allow {
        page.headers_mut().insert(header::ALLOW, allow);
    }
    page
}
