//! Who asks: the session cookie for people, the bearer token for programs (RFC 6750 section 2.1).

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use mimamori_app::{Caller, Origin};
use mimamori_domain::ErrorKind;

use crate::error::Fault;
use crate::layout::see;
use crate::settings::Web;

/// Over TLS the prefix makes browsers refuse the cookie from anywhere but this host by TLS; plain
/// HTTP on the loopback cannot have it.
fn cookie_name(tls: bool) -> &'static str {
    if tls { "__Host-session" } else { "session" }
}

/// `Set-Cookie` for a new session. It ends with the browser; its idle time ends it at the server.
pub(crate) fn cookie(token: &str, tls: bool) -> Option<HeaderValue> {
    set_cookie(token, tls, "")
}

/// `Set-Cookie` that removes the session.
pub(crate) fn no_cookie(tls: bool) -> Option<HeaderValue> {
    set_cookie("", tls, "; Max-Age=0")
}

fn set_cookie(value: &str, tls: bool, more: &str) -> Option<HeaderValue> {
    let (name, secure) = (cookie_name(tls), if tls { "; Secure" } else { "" });
    let text = format!("{name}={value}; Path=/{secure}; HttpOnly; SameSite=Strict{more}");
    HeaderValue::from_str(&text).ok().map(|mut v| {
        v.set_sensitive(true);
        v
    })
}

/// A cookie's value (RFC 6265 section 4.2).
pub(crate) fn cookie_value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(n, _)| *n == name)
        .map(|(_, value)| value)
}

/// The session's secret, as the browser sent it.
pub(crate) fn session_token(headers: &HeaderMap, tls: bool) -> Option<&str> {
    cookie_value(headers, cookie_name(tls)).filter(|t| !t.is_empty())
}

/// Where a request comes from, as far as the listener knows: what it says itself, or else the other
/// end of the connection.
pub(crate) fn origin(extensions: &axum::http::Extensions) -> Origin {
    if let Some(origin) = extensions.get::<Origin>() {
        return origin.clone();
    }
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    // An IPv4 client on a dual-stack socket is the same client.
    Origin { address: peer.map(|ConnectInfo(peer)| peer.ip().to_canonical()), ..Origin::default() }
}

/// What is open to whoever must choose another password first.
const MAY_COME_FIRST: [&str; 4] = ["/account", "/account/password", "/account/leak", "/sign-out"];

/// Layer of routes whose authorisation is `session`.
pub(crate) async fn require_session(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let Some(token) = session_token(request.headers(), web.settings.tls) else {
        return Fault::status(StatusCode::UNAUTHORIZED).into_response();
    };
    match web.app.caller(token, &origin(request.extensions())).await {
        // Nothing else is answered before a first password was changed.
        Ok(caller) if caller.must_change_password() && !MAY_COME_FIRST.contains(&request.uri().path()) => {
            see("/account")
        }
        Ok(caller) => {
            request.extensions_mut().insert(caller.clone());
            let mut response = next.run(request).await;
            // For the error page's heading.
            response.extensions_mut().insert(caller);
            response
        }
        Err(error) => Fault::from(error).into_response(),
    }
}

/// Who is signed in, where a request comes to no route; nothing is decided by it.
pub(crate) async fn of_request(web: &Web, parts: &Parts) -> Option<Caller> {
    let token = session_token(&parts.headers, web.settings.tls)?;
    web.app.caller(token, &origin(&parts.extensions)).await.ok()
}

/// Layer of routes whose purpose is operations, inside that of their session: the handler gets the
/// caller as somebody who does operating work, or is not reached.
pub(crate) async fn for_operations(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let Some(caller) = request.extensions_mut().remove::<Caller>() else {
        return Fault::status(StatusCode::UNAUTHORIZED).into_response();
    };
    match web.app.for_operations(&caller).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => Fault::from(error).into_response(),
    }
}

/// Layer of routes whose authorisation is `bearer`.
pub(crate) async fn require_bearer(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let origin = origin(request.extensions());
    let Some(token) = bearer_token(request.headers()) else {
        web.app.refused_before_sign_in(&origin, "no bearer token");
        return Fault::status(StatusCode::UNAUTHORIZED).into_response();
    };
    match web.app.caller_from_bearer(token, &origin).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => {
            if error.kind() == ErrorKind::Unauthenticated {
                web.app.refused_before_sign_in(&origin, "bearer token not valid");
            }
            Fault::from(error).into_response()
        }
    }
}

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim()).filter(|t| !t.is_empty())
}

/// The caller whom the route's layer established.
#[derive(Debug)]
pub(crate) struct Known(pub(crate) Caller);

impl<S: Sync> FromRequestParts<S> for Known {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        let caller = parts.extensions.get::<Caller>().cloned();
        caller.map(Self).ok_or_else(|| Fault::status(StatusCode::UNAUTHORIZED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_for_this_host_only() {
        let value = cookie("abc", true).unwrap();
        assert!(value.is_sensitive());
        assert_eq!(value, "__Host-session=abc; Path=/; Secure; HttpOnly; SameSite=Strict");
        assert_eq!(no_cookie(false).unwrap(), "session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
        assert_eq!(cookie("a\nb", true), None);
    }

    #[test]
    fn tokens_are_read_from_their_headers() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("lang=ja; session=t1"));
        assert_eq!(session_token(&headers, false), Some("t1"));
        assert_eq!(session_token(&headers, true), None);
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("bearer t2"));
        assert_eq!(bearer_token(&headers), Some("t2"));
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Basic t2"));
        assert_eq!(bearer_token(&headers), None);
    }
}
