//! Signing in by the organisation's identity provider, linking it to one's account, and showing there again
//! who one is.
//!
//! The provider leads the browser back from another site. What holds a session is not sent along then
//! (`SameSite=Strict`), and need not be: the cookie of what was begun is (`Lax`), and the answer is a page of
//! this site that goes on by itself, with a link for whoever's browser does not.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use mimamori_app::{First, ProviderAnswer, ProviderEnd, ProviderFailure, ProviderStart, SignedIn};
use mimamori_domain::{ActorId, ErrorKind};

use super::{id, sign_in};
use crate::error::{Answered, Fault};
use crate::forms::{Fields, Query, local_path};
use crate::language::{Language, Texts};
use crate::layout::{Ask, Layout, Visit, page, page_with, see};
use crate::session;
use crate::settings::Web;

#[derive(Template)]
#[template(path = "provider_go.html")]
pub(super) struct Go {
    pub(super) l: Layout,
    pub(super) to: String,
}

#[derive(Template)]
#[template(path = "provider_confirm.html")]
pub(super) struct Confirm {
    pub(super) l: Layout,
    /// An account is to be linked; else somebody showed again who they are.
    pub(super) linking: bool,
    pub(super) name: String,
    pub(super) token: String,
    pub(super) to: String,
}

/// What people call the provider, in the language of the page.
pub(super) fn name(web: &Web, texts: &Texts) -> Option<String> {
    let (ja, en) = web.app.provider_names()?;
    Some(if texts.language == Language::Japanese { ja } else { en }.to_owned())
}

fn tag(texts: &Texts) -> &'static str {
    if texts.language == Language::Japanese { "ja" } else { "en" }
}

/// `GET /sign-in/provider`: on to the provider. Who was signed in in this browser is signed out: on a shared
/// terminal the one before is not left behind.
pub(crate) async fn begin(
    State(web): State<Web>,
    visit: Visit,
    headers: HeaderMap,
    extensions: Extensions,
    Query(query): Query,
) -> Answered {
    if web.app.provider_names().is_none() {
        return Err(Fault::status(StatusCode::NOT_FOUND));
    }
    let to = local_path(query.get("return")).unwrap_or("/");
    let start = match web.app.begin_provider_sign_in(to, tag(visit.texts)).await {
        Ok(start) => start,
        Err(failure) => return refused(&web, &visit, &query, failure),
    };
    if let Some(before) = session::session_token(&headers, web.settings.tls)
        && let Ok(before) = web.app.caller(before, &session::origin_with_agent(&extensions, &headers)).await
    {
        web.app.sign_out(&before).await?;
    }
    away(&web, &start)
}

fn away(web: &Web, start: &ProviderStart) -> Answered {
    let cookie = session::provider_cookie(&start.token, web.settings.tls);
    let cookie = cookie.ok_or_else(|| Fault::status(StatusCode::INTERNAL_SERVER_ERROR))?;
    let mut response = Redirect::to(&start.address).into_response();
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// `GET /sign-in/provider/return`: the provider leads back here.
pub(crate) async fn back(
    State(web): State<Web>,
    visit: Visit,
    headers: HeaderMap,
    extensions: Extensions,
    Query(query): Query,
) -> Answered {
    if web.app.provider_names().is_none() {
        return Err(Fault::status(StatusCode::NOT_FOUND));
    }
    let origin = session::origin_with_agent(&extensions, &headers);
    let answer = ProviderAnswer {
        state: query.get("state").to_owned(),
        code: query.some("code"),
        issuer: query.some("iss"),
        error: query.some("error"),
    };
    let token = session::provider_token(&headers, web.settings.tls).unwrap_or_default();
    let ended = web.app.finish_provider(token, &answer, &origin).await;
    let mut response = match ended {
        Ok(ProviderEnd::SignedIn(signed, to)) => signed_in(&web, &visit, &signed, &to)?,
        Ok(ProviderEnd::Confirm { linking, token, to }) => {
            let title = if linking { "provider-link-title" } else { "step-up-title" };
            let l = Layout::new(&web, &visit, None, title).at("/");
            page(&Confirm { l, linking, name: name(&web, visit.texts).unwrap_or_default(), token, to })?
        }
        Err(failure) => refused(&web, &visit, &Fields::default(), failure)?,
    };
    if let Some(cookie) = session::no_provider_cookie(web.settings.tls) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// The cookie, and a page that goes on from this site.
fn signed_in(web: &Web, visit: &Visit, signed: &SignedIn, to: &str) -> Answered {
    let to = local_path(to).unwrap_or("/");
    let fault = || Fault::status(StatusCode::INTERNAL_SERVER_ERROR);
    if signed.second {
        let mut response = go(web, visit, &format!("/sign-in/code?return={to}"))?;
        let cookie = session::pending_cookie(&signed.token, web.settings.tls).ok_or_else(fault)?;
        response.headers_mut().append(header::SET_COOKIE, cookie);
        return Ok(response);
    }
    let response = match signed.first {
        Some(First::Password) => go(web, visit, "/account")?,
        Some(_) => go(web, visit, "/account/factors")?,
        None if signed.failed_since > 0 => sign_in::welcome(web, visit, signed, &Fields::default(), to)?,
        None => go(web, visit, to)?,
    };
    session::give(response, &signed.token, web.settings.tls)
}

fn go(web: &Web, visit: &Visit, to: &str) -> Answered {
    let l = Layout::new(web, visit, None, "provider-title").at("/");
    let mut response = page(&Go { l, to: to.to_owned() })?;
    let refresh = HeaderValue::from_str(&format!("0;url={to}"));
    let refresh = refresh.map_err(|_| Fault::status(StatusCode::INTERNAL_SERVER_ERROR))?;
    response.headers_mut().insert(header::REFRESH, refresh);
    Ok(response)
}

/// The sign-in form, with what went wrong and what to do. Signing in here goes on working.
fn refused(web: &Web, visit: &Visit, fields: &Fields, failure: ProviderFailure) -> Answered {
    let (status, text) = match &failure {
        ProviderFailure::Late => (StatusCode::GONE, visit.texts.get("provider-late")),
        ProviderFailure::Unreachable => {
            (StatusCode::SERVICE_UNAVAILABLE, visit.texts.get("provider-unreachable"))
        }
        ProviderFailure::Unlinked(subject) => {
            (StatusCode::FORBIDDEN, visit.texts.with("provider-unlinked", "subject", subject))
        }
        ProviderFailure::Other(error) => match error.kind() {
            ErrorKind::Busy => (StatusCode::TOO_MANY_REQUESTS, visit.texts.get("sign-in-wait")),
            ErrorKind::Forbidden => (StatusCode::FORBIDDEN, visit.texts.get("sign-in-not-from-here")),
            _ => {
                let ProviderFailure::Other(error) = failure else { return Err(Fault::not_found()) };
                return Err(Fault::from(error));
            }
        },
        ProviderFailure::Declined => (StatusCode::FORBIDDEN, visit.texts.get("provider-declined")),
        ProviderFailure::Unproven => (StatusCode::FORBIDDEN, visit.texts.get("provider-unproven")),
        ProviderFailure::Closed => (StatusCode::FORBIDDEN, visit.texts.get("provider-closed")),
        ProviderFailure::Group => (StatusCode::FORBIDDEN, visit.texts.get("provider-group")),
    };
    let mut form = sign_in::blank(web, visit, fields);
    form.error = Some(text);
    form.needed = false;
    page_with(status, &form)
}

/// `GET /account/provider/link`: on to the provider, to say as whom it knows the caller.
pub(crate) async fn link(ask: Ask) -> Answered {
    begun(&ask, ask.web.app.begin_own_link(&ask.caller, tag(ask.texts())).await)
}

/// `GET /step-up/provider`: on to the provider, which asks the caller anew.
pub(crate) async fn again(ask: Ask, Query(query): Query) -> Answered {
    let to = local_path(query.get("return")).unwrap_or("/");
    begun(&ask, ask.web.app.begin_provider_again(&ask.caller, to, tag(ask.texts())).await)
}

fn begun(ask: &Ask, start: Result<ProviderStart, ProviderFailure>) -> Answered {
    match start {
        Ok(start) => away(&ask.web, &start),
        Err(ProviderFailure::Other(error)) => Err(Fault::from(error)),
        Err(failure) => refused(&ask.web, &ask.visit, &Fields::default(), failure),
    }
}

/// `POST /account/provider/link`: the provider said who the caller is, and they want it linked.
pub(crate) async fn confirm(ask: Ask, fields: Fields) -> Answered {
    ask.web.app.link_own(&ask.caller, fields.get("token")).await?;
    Ok(see("/account?done=linked"))
}

/// `POST /account/provider/unlink`
pub(crate) async fn unlink(ask: Ask) -> Answered {
    ask.web.app.unlink_own(&ask.caller).await?;
    Ok(see("/account?done=unlinked"))
}

/// `POST /step-up/provider`: the provider said again that it is the caller.
pub(crate) async fn shown_again(ask: Ask, fields: Fields) -> Answered {
    let token = ask.web.app.step_up_by_provider(&ask.caller, fields.get("token")).await?;
    let to: Response = see(local_path(fields.get("return")).unwrap_or("/"));
    session::give(to, &token, ask.web.settings.tls)
}

/// `POST /admin/accounts/{actor}/provider`
pub(crate) async fn link_of(ask: Ask, Path(actor): Path<String>, fields: Fields) -> Answered {
    let who: ActorId = id(&actor)?;
    let done =
        ask.web.app.link_account(&ask.caller, who, fields.get("subject"), &fields.lines("reason")).await;
    super::account_life::told(&ask, &actor, done, &fields, "linked").await
}

/// `POST /admin/accounts/{actor}/provider/unlink`
pub(crate) async fn unlink_of(ask: Ask, Path(actor): Path<String>, fields: Fields) -> Answered {
    let who: ActorId = id(&actor)?;
    let done = ask.web.app.unlink_account(&ask.caller, who, &fields.lines("reason")).await;
    super::account_life::told(&ask, &actor, done, &fields, "unlinked").await
}
