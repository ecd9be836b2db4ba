//! The second half of signing in, and signing in by a passkey alone.

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::http::{Extensions, HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use mimamori_app::{Challenge, Means, Proof, Result as Done, SignedIn};
use mimamori_domain::ErrorKind;

use super::sign_in;
use crate::carried::FIELD;
use crate::error::{Answered, Fault};
use crate::forms::{Fields, local_path};
use crate::layout::{Layout, Visit, page_with, see};
use crate::session;
use crate::settings::Web;

/// What a form says that somebody shows: a passkey's answer, a password, or a code.
pub(super) fn proof(fields: &Fields) -> Proof {
    if let Some(answer) = fields.some("answer") {
        return Proof::Passkey { challenge: fields.get("challenge").to_owned(), answer };
    }
    match fields.secret("password") {
        "" => Proof::Code(fields.get("code").to_owned()),
        password => Proof::Password(password.to_owned()),
    }
}

/// A challenge, for the script.
pub(super) fn challenge(made: Done<Challenge>) -> Answered {
    let Challenge { token, options } = made?;
    let options: serde_json::Value =
        serde_json::from_str(&options).map_err(|_| Fault::status(StatusCode::INTERNAL_SERVER_ERROR))?;
    Ok(Json(serde_json::json!({ "token": token, "options": options })).into_response())
}

#[derive(Template)]
#[template(path = "second.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    pub(super) means: Means,
    pub(super) to: String,
    pub(super) error: Option<String>,
    /// What somebody had typed when their session ended, sealed for them.
    pub(super) carried: Option<String>,
}

/// `GET /sign-in/code`
pub(crate) async fn form(
    State(web): State<Web>,
    visit: Visit,
    headers: HeaderMap,
    crate::forms::Query(query): crate::forms::Query,
) -> Answered {
    shown(&web, &visit, &headers, &query, None, StatusCode::OK).await
}

async fn shown(
    web: &Web,
    visit: &Visit,
    headers: &HeaderMap,
    fields: &Fields,
    error: Option<String>,
    status: StatusCode,
) -> Answered {
    let Some(token) = session::pending_token(headers, web.settings.tls) else { return Ok(see("/sign-in")) };
    page_of(web, visit, token, fields, error, status).await
}

/// The second half of a sign-in that has just begun, with what was typed before it.
pub(super) async fn asked(web: &Web, visit: &Visit, token: &str, fields: &Fields) -> Answered {
    page_of(web, visit, token, fields, None, StatusCode::OK).await
}

async fn page_of(
    web: &Web,
    visit: &Visit,
    token: &str,
    fields: &Fields,
    error: Option<String>,
    status: StatusCode,
) -> Answered {
    let means = match web.app.second_means(token).await {
        Ok(means) => means,
        Err(error) if error.kind() == ErrorKind::Gone => return Ok(see("/sign-in?late=1")),
        Err(error) => return Err(error.into()),
    };
    let to = local_path(fields.get("return")).unwrap_or("/").to_owned();
    let l = Layout::new(web, visit, None, "second-title").at("/sign-in").passkeys(means.passkey);
    page_with(status, &Page { l, means, to, error, carried: fields.some(FIELD) })
}

/// `POST /sign-in/code`
pub(crate) async fn enter(
    State(web): State<Web>,
    visit: Visit,
    headers: HeaderMap,
    extensions: Extensions,
    fields: Fields,
) -> Answered {
    let Some(token) = session::pending_token(&headers, web.settings.tls) else { return Ok(see("/sign-in")) };
    let origin = session::origin_with_agent(&extensions, &headers);
    match web.app.finish_sign_in(token, &proof(&fields), &origin).await {
        Ok(signed) => entered(&web, &visit, &fields, &signed),
        Err(error) => {
            let (status, text) = match error.kind() {
                ErrorKind::Busy => (StatusCode::TOO_MANY_REQUESTS, "sign-in-wait"),
                ErrorKind::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "second-wrong"),
                ErrorKind::Gone => return Ok(see("/sign-in?late=1")),
                ErrorKind::Forbidden => (StatusCode::FORBIDDEN, "sign-in-not-from-here"),
                _ => return Err(Fault::from(error)),
            };
            shown(&web, &visit, &headers, &fields, Some(visit.texts.get(text)), status).await
        }
    }
}

/// `POST /sign-in/code/passkey`: a challenge for the passkeys of whoever knows the password.
pub(crate) async fn ask(State(web): State<Web>, headers: HeaderMap) -> Answered {
    let token = session::pending_token(&headers, web.settings.tls);
    challenge(web.app.ask_second_passkey(token.unwrap_or_default()).await)
}

/// `POST /sign-in/passkey/challenge`: a challenge for anybody's passkey.
pub(crate) async fn ask_any(State(web): State<Web>) -> Answered {
    challenge(web.app.ask_any_passkey().await)
}

/// `POST /sign-in/passkey`
pub(crate) async fn by_passkey(
    State(web): State<Web>,
    visit: Visit,
    headers: HeaderMap,
    extensions: Extensions,
    fields: Fields,
) -> Answered {
    let origin = session::origin_with_agent(&extensions, &headers);
    let (token, answer) = (fields.get("challenge"), fields.get("answer"));
    match web.app.sign_in_by_passkey(token, answer, &origin).await {
        Ok(signed) => {
            // On a shared terminal the one before is not left behind.
            if let Some(before) = session::session_token(&headers, web.settings.tls)
                && let Ok(before) = web.app.caller(before, &origin).await
            {
                web.app.sign_out(&before).await?;
            }
            entered(&web, &visit, &fields, &signed)
        }
        Err(error) => sign_in::refused(&web, &visit, &fields, error),
    }
}

/// Signed in: the cookie, and on to where the person was going.
pub(super) fn entered(web: &Web, visit: &Visit, fields: &Fields, signed: &SignedIn) -> Answered {
    let to = local_path(fields.get("return")).unwrap_or("/");
    let response: Response = sign_in::welcome(web, visit, signed, fields, to)?;
    session::give(response, &signed.token, web.settings.tls)
}
