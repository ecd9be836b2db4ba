//! Who asks: the session cookie for people, the bearer token for programs (RFC 6750 section 2.1).

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use mimamori_app::{Caller, First, Origin};
use mimamori_domain::ErrorKind;

use crate::error::Fault;
use crate::forms::local_path;
use crate::layout::see;
use crate::settings::Web;
use crate::{carried, pages};

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

/// The cookie of a sign-in that waits for its second factor.
fn pending_name(tls: bool) -> &'static str {
    if tls { "__Host-pending" } else { "pending" }
}

/// `Set-Cookie` for a sign-in that waits for its second factor: no longer than the server waits.
pub(crate) fn pending_cookie(token: &str, tls: bool) -> Option<HeaderValue> {
    let secure = if tls { "; Secure" } else { "" };
    let name = pending_name(tls);
    let text = format!("{name}={token}; Path=/{secure}; HttpOnly; SameSite=Strict; Max-Age=300");
    HeaderValue::from_str(&text).ok().map(|mut value| {
        value.set_sensitive(true);
        value
    })
}

/// The secret of a sign-in that waits for its second factor.
pub(crate) fn pending_token(headers: &HeaderMap, tls: bool) -> Option<&str> {
    cookie_value(headers, pending_name(tls)).filter(|t| !t.is_empty())
}

/// The cookie of a sign-in that the identity provider is asked about. It alone comes along when another site
/// leads here (`Lax`), and is worth nothing without the provider's answer.
fn provider_name(tls: bool) -> &'static str {
    if tls { "__Host-provider" } else { "provider" }
}

/// `Set-Cookie` for a sign-in that the provider is asked about: no longer than the server waits.
pub(crate) fn provider_cookie(token: &str, tls: bool) -> Option<HeaderValue> {
    set_provider_cookie(token, tls, 600)
}

/// `Set-Cookie` that removes it: it is good once.
pub(crate) fn no_provider_cookie(tls: bool) -> Option<HeaderValue> {
    set_provider_cookie("", tls, 0)
}

fn set_provider_cookie(token: &str, tls: bool, seconds: u32) -> Option<HeaderValue> {
    let secure = if tls { "; Secure" } else { "" };
    let name = provider_name(tls);
    let text = format!("{name}={token}; Path=/{secure}; HttpOnly; SameSite=Lax; Max-Age={seconds}");
    HeaderValue::from_str(&text).ok().map(|mut value| {
        value.set_sensitive(true);
        value
    })
}

/// What was begun with the provider, as the browser sent it.
pub(crate) fn provider_token(headers: &HeaderMap, tls: bool) -> Option<&str> {
    cookie_value(headers, provider_name(tls)).filter(|t| !t.is_empty())
}

/// Gives a response the cookie of a session.
pub(crate) fn give(mut response: Response, token: &str, tls: bool) -> Result<Response, Fault> {
    let cookie = cookie(token, tls).ok_or_else(|| Fault::status(StatusCode::INTERNAL_SERVER_ERROR))?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Systems and browsers as they name themselves in `User-Agent`, the telling ones first, and what to call
/// them.
const SYSTEMS: [(&str, &str); 6] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
];
const BROWSERS: [(&str, &str); 4] =
    [("Edg", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari")];

/// What kind of terminal a request says it comes from, in a few words.
pub(crate) fn agent(headers: &HeaderMap) -> Option<String> {
    let said = headers.get(header::USER_AGENT)?.to_str().ok()?;
    let of = |table: &[(&str, &'static str)]| {
        table.iter().find(|(mark, _)| said.contains(mark)).map(|(_, name)| *name)
    };
    let words: Vec<&str> = [of(&SYSTEMS), of(&BROWSERS)].into_iter().flatten().collect();
    (!words.is_empty()).then(|| words.join(" / "))
}

/// Where a request comes from, with the kind of its terminal: for beginning a session.
pub(crate) fn origin_with_agent(extensions: &axum::http::Extensions, headers: &HeaderMap) -> Origin {
    Origin { agent: agent(headers), ..origin(extensions) }
}

/// What is open before anything else, and where everybody else is led.
struct Before {
    first: First,
    leads: &'static str,
    open: &'static [&'static str],
}

const BEFORE: [Before; 3] = [
    Before {
        first: First::Unlock,
        leads: "/unlock",
        open: &["/unlock", "/unlock/passkey", "/step-up/provider", "/sign-out"],
    },
    Before {
        first: First::Password,
        leads: "/account",
        open: &["/account", "/account/password", "/account/leak", "/lock", "/sign-out"],
    },
    Before {
        first: First::Factor,
        leads: "/account/factors",
        open: &[
            "/account/factors",
            "/account/factors/one-time",
            "/account/factors/one-time/confirm",
            "/account/factors/passkey",
            "/account/factors/passkey/challenge",
            "/step-up",
            "/step-up/passkey",
            "/account/leak",
            "/lock",
            "/sign-out",
        ],
    },
];

/// Where a caller is led instead of `path`, if something else comes first.
fn led(caller: &Caller, path: &str) -> Option<&'static str> {
    let before = BEFORE.iter().find(|before| Some(before.first) == caller.first())?;
    (!before.open.contains(&path)).then_some(before.leads)
}

/// Layer of routes whose authorisation is `session`.
pub(crate) async fn require_session(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let Some(token) = session_token(request.headers(), web.settings.tls) else {
        return signed_out(&web, Fault::status(StatusCode::UNAUTHORIZED), request).await;
    };
    let origin = origin_with_agent(request.extensions(), request.headers());
    match web.app.caller(token, &origin).await {
        Ok(caller) => {
            // Nothing else is answered before a session was unlocked, a first password changed, a second
            // factor enrolled.
            let path = request.uri().path();
            if let Some(leads) = led(&caller, path) {
                let locked = caller.first() == Some(First::Unlock);
                if locked && *request.method() == Method::POST {
                    return pages::step_up::locked_out(&web, caller, request).await;
                }
                let back = matches!(*request.method(), Method::GET | Method::HEAD);
                return match local_path(path).filter(|_| back && caller.first() == Some(First::Unlock)) {
                    Some(path) => see(&format!("{leads}?return={path}")),
                    None => see(leads),
                };
            }
            request.extensions_mut().insert(caller.clone());
            let mut response = next.run(request).await;
            // For the error page's heading.
            response.extensions_mut().insert(caller);
            response
        }
        Err(error) => signed_out(&web, Fault::from(error), request).await,
    }
}

/// The refusal of whoever is not signed in; what they typed goes with it, if it is known who they were.
async fn signed_out(web: &Web, fault: Fault, request: Request) -> Response {
    let mut response = fault.into_response();
    if response.status() != StatusCode::UNAUTHORIZED {
        return response;
    }
    let former = carried::former(web, &request).await;
    if former.is_some() {
        response.extensions_mut().insert(carried::Known);
    }
    let sealed = match former {
        _ if request.uri().path() == carried::OPENS => carried::again(web, request).await,
        Some(former) => carried::of_former(web, former, request).await,
        None => None,
    };
    if let Some(sealed) = sealed {
        response.extensions_mut().insert(sealed);
    }
    response
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
        let provider = provider_cookie("abc", true).unwrap();
        assert_eq!(provider, "__Host-provider=abc; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600");
    }

    #[test]
    fn a_terminal_is_told_in_a_few_words() {
        let told = |said: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::USER_AGENT, HeaderValue::from_static(said));
            agent(&headers).unwrap_or_default()
        };
        let windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0 Safari/537.36 Edg/131.0";
        assert_eq!(told(windows), "Windows / Edge");
        assert_eq!(
            told("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) Version/18.0 Safari/604.1"),
            "iPhone / Safari"
        );
        assert_eq!(told("curl/8"), "");
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
