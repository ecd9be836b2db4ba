//! Signing in and out.

use askama::Template;
use axum::extract::State;
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mimamori_app::{First, SignedIn};
use mimamori_domain::ErrorKind;

use super::carried::Shown;
use super::second;
use crate::carried::{Carried, FIELD, Sealed};
use crate::dates;
use crate::error::{Answered, Fault};
use crate::forms::{Fields, Query, local_path};
use crate::language::Language;
use crate::layout::{Ask, Layout, Visit, page, page_with, see};
use crate::session;
use crate::settings::Web;

#[derive(Template)]
#[template(path = "sign_in.html")]
pub(super) struct Form {
    pub(super) l: Layout,
    pub(super) login: String,
    /// Where to go afterwards.
    pub(super) to: String,
    /// The installation's own notice; empty for the built-in one.
    pub(super) installation_notice: String,
    pub(super) error: Option<String>,
    /// Somebody has just had their account stopped, because the password may have leaked.
    pub(super) stopped: bool,
    /// The second half of signing in took too long.
    pub(super) late: bool,
    /// Passkeys may be used here.
    pub(super) passkeys: bool,
    /// The browser asks for what needs a session.
    pub(super) needed: bool,
    /// What the identity provider is called, if people may sign in by it.
    pub(super) provider: Option<String>,
    /// Somebody signed out who had signed in by the provider, where they are signed in still; and where they
    /// sign out there.
    pub(super) still: bool,
    pub(super) provider_out: Option<String>,
    /// What somebody had typed when their session ended, sealed for them.
    pub(super) carried: Option<String>,
}

/// `GET /sign-in`
pub(crate) async fn form(State(web): State<Web>, visit: Visit, Query(query): Query) -> Answered {
    let mut form = blank(&web, &visit, &query);
    form.still = query.get("signed-out") == "provider" && form.provider.is_some();
    if form.still {
        form.provider_out = web.app.provider_sign_out().await;
    }
    page(&form)
}

/// The sign-in form that carries what was typed to the other side.
pub(crate) fn carrying(web: &Web, visit: &Visit, sealed: &Sealed) -> Response {
    let mut form = blank(web, visit, &Fields::default());
    form.carried = Some(sealed.0.clone());
    page_with(StatusCode::UNAUTHORIZED, &form).unwrap_or_else(IntoResponse::into_response)
}

/// Leads to the sign-in form and from there back to the page that was asked for.
///
/// A session that is over is removed from the browser, unless what was typed in another tab may need it to
/// find its writer. Without one sent nothing is removed: a link
/// from another site comes without the cookie (SameSite=Strict) and must not end a good session.
pub(crate) fn first(web: &Web, visit: &Visit, had_session: bool) -> Response {
    let mut response = match local_path(&visit.path) {
        Some("/") | None => see("/sign-in"),
        Some(path) => see(&format!("/sign-in?return={path}")),
    };
    if let Some(cookie) = session::no_cookie(web.settings.tls).filter(|_| had_session) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

pub(super) fn blank(web: &Web, visit: &Visit, fields: &Fields) -> Form {
    Form {
        l: Layout::new(web, visit, None, "sign-in-title").at("/sign-in").passkeys(web.app.offers_passkeys()),
        late: fields.has("late"),
        passkeys: web.app.offers_passkeys(),
        login: fields.get("login").to_owned(),
        to: local_path(fields.get("return")).unwrap_or("/").to_owned(),
        installation_notice: notice(web, visit),
        stopped: fields.get("stopped") == "leak",
        error: None,
        needed: fields.some("return").is_some(),
        provider: super::provider::name(web, visit.texts),
        still: false,
        provider_out: None,
        carried: fields.some(FIELD),
    }
}

/// The installation's notice, else the pack's in the language of the page; empty for the built-in one.
fn notice(web: &Web, visit: &Visit) -> String {
    let key = match visit.texts.language {
        Language::Japanese => "sign-in.notice-ja",
        Language::English => "sign-in.notice-en",
    };
    let own = web.settings.sign_in_notice.clone();
    if own.is_empty() { web.app.pack().parameter_text(key).unwrap_or_default().to_owned() } else { own }
}

#[derive(Template)]
#[template(path = "signed_in.html")]
pub(super) struct Signed {
    pub(super) l: Layout,
    pub(super) failed: u64,
    /// So many older sessions ended, because no more may be open at once.
    pub(super) ended: u64,
    pub(super) last: Option<String>,
    pub(super) to: String,
    /// What they had typed when their session ended.
    pub(super) carried: Option<Shown>,
}

/// `POST /sign-in`. Every failure answers alike, but for "wait": that is told to everybody who
/// tries too often, whether or not the account exists.
pub(crate) async fn enter(
    State(web): State<Web>,
    visit: Visit,
    headers: HeaderMap,
    extensions: Extensions,
    fields: Fields,
) -> Answered {
    let origin = session::origin_with_agent(&extensions, &headers);
    let signed = match web.app.sign_in(fields.get("login"), fields.secret("password"), &origin).await {
        Ok(signed) => signed,
        Err(error) => return refused(&web, &visit, &fields, error),
    };
    if signed.second {
        let to = local_path(fields.get("return")).unwrap_or("/");
        // What was typed goes along in the form: no address could hold it.
        let mut response = match fields.has(FIELD) {
            true => second::asked(&web, &visit, &signed.token, &fields).await?,
            false => see(&format!("/sign-in/code?return={to}")),
        };
        let cookie = session::pending_cookie(&signed.token, web.settings.tls);
        let cookie = cookie.ok_or_else(|| Fault::status(StatusCode::INTERNAL_SERVER_ERROR))?;
        response.headers_mut().append(header::SET_COOKIE, cookie);
        return Ok(response);
    }
    second::entered(&web, &visit, &fields, &signed)
}

/// The form again, with what can be told of a failure.
pub(super) fn refused(web: &Web, visit: &Visit, fields: &Fields, error: mimamori_app::Error) -> Answered {
    let (status, text) = match error.kind() {
        ErrorKind::Busy => (StatusCode::TOO_MANY_REQUESTS, "sign-in-wait"),
        // Told only to whoever knows the password.
        ErrorKind::Gone => (StatusCode::UNAUTHORIZED, "sign-in-over"),
        ErrorKind::Forbidden => (StatusCode::FORBIDDEN, "sign-in-not-from-here"),
        ErrorKind::Unavailable | ErrorKind::Internal => return Err(Fault::from(error)),
        _ => (StatusCode::UNAUTHORIZED, "sign-in-failed"),
    };
    let mut form = blank(web, visit, fields);
    form.error = Some(visit.texts.get(text));
    form.needed = false;
    page_with(status, &form)
}

/// The first page after signing in: what comes first, else what was tried meanwhile, else where the
/// person was going.
pub(super) fn welcome(web: &Web, visit: &Visit, signed: &SignedIn, fields: &Fields, to: &str) -> Answered {
    let sealed = fields.some(FIELD);
    let text = sealed.and_then(|sealed| web.app.carried_past(signed, &sealed));
    let carried = text.and_then(|text| Carried::read(&text)).map(|carried| Shown::of(&carried, visit.texts));
    Ok(match signed.first {
        Some(First::Password) => see("/account"),
        Some(_) => see("/account/factors"),
        None if signed.failed_since == 0 && signed.ended == 0 && carried.is_none() => see(to),
        None => page(&Signed {
            l: Layout::new(
                web,
                visit,
                None,
                if carried.is_some() { "carried-title" } else { "signed-in-title" },
            )
            .at("/"),
            failed: u64::from(signed.failed_since),
            ended: signed.ended,
            last: signed.last_sign_in.map(|t| dates::date_time(t, visit.texts)),
            to: to.to_owned(),
            carried,
        })?,
    })
}

/// `POST /sign-out`. The browser also forgets what it may have kept.
pub(crate) async fn leave(ask: Ask) -> Answered {
    ask.web.app.sign_out(&ask.caller).await?;
    let by_provider = ask.caller.signed_in_by_provider();
    let next = if by_provider { "/sign-in?signed-out=provider" } else { "/sign-in" };
    let mut response = see(next).into_response();
    let headers = response.headers_mut();
    if let Some(cookie) = session::no_cookie(ask.web.settings.tls) {
        headers.append(header::SET_COOKIE, cookie);
    }
    headers.insert(
        HeaderName::from_static("clear-site-data"),
        HeaderValue::from_static("\"cache\", \"storage\""),
    );
    Ok(response)
}
