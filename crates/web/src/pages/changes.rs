//! Tells an open page that something new came.

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use axum::response::sse::{KeepAlive, Sse};
use std::net::SocketAddr;
use std::time::Duration;

use crate::changes::{Listener, listen};
use crate::error::{Answered, Fault};
use crate::forms::Query;
use crate::layout::Ask;
use crate::session;

/// Something moves on the line this often: whoever went away is noticed, and nothing between takes the line
/// for dead.
const BEAT: Duration = Duration::from_secs(15);

/// `GET /changes`: of the page that the sealed `of` names.
pub(crate) async fn stream(
    ask: Ask,
    headers: HeaderMap,
    extensions: Extensions,
    Query(query): Query,
) -> Answered {
    let page = ask.web.app.followed(&ask.caller, query.get("of"))?;
    let token = session::session_token(&headers, ask.web.settings.tls);
    let token = token.ok_or_else(|| Fault::status(StatusCode::UNAUTHORIZED))?.to_owned();
    let origin = session::origin(&extensions);
    let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip().to_canonical());
    let events = listen(&ask.web, Listener { caller: ask.caller, token, origin, peer, page }).await?;
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(BEAT)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // A proxy in front passes on what comes at once.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}
