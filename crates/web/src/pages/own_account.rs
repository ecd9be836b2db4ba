//! わたしのアカウント: changing one's own password, when one signed in, and a suspected leak. Whoever
//! signed in with a first password sees this page only.

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use mimamori_app::{SharedView, SignIns};

use super::form_error;
use crate::dates;
use crate::error::{Answered, Fault};
use crate::forms::{Fields, Query};
use crate::layout::{Ask, Layout, page_with, see};
use crate::{messages, session};

#[derive(Template)]
#[template(path = "own_account.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    /// Nothing else is answered until the password is changed.
    pub(super) must: bool,
    pub(super) least: u64,
    pub(super) last_in: Option<String>,
    pub(super) last_out: Option<String>,
    pub(super) failed: u64,
    /// What the identity provider is called, if there is one, and whether this account is linked to it.
    pub(super) provider: Option<String>,
    pub(super) linked: bool,
    /// Shared ids that may be taken, and the one that is.
    pub(super) shared: Vec<SharedView>,
    pub(super) under: Option<String>,
    pub(super) error: Option<String>,
}

async fn shown(ask: &Ask, done: &str, error: Option<String>, status: StatusCode) -> Answered {
    let SignIns { last_sign_in, last_sign_out, failed } = ask.web.app.own_sign_ins(&ask.caller).await?;
    let shared = if ask.caller.first().is_none() {
        ask.web.app.own_shared_ids(&ask.caller).await?
    } else {
        Vec::new()
    };
    let words = |at| dates::date_time(at, ask.texts());
    let least = ask.web.app.pack().parameter_u64("password.least-characters")?;
    page_with(
        status,
        &Page {
            l: ask.layout("own-account").at("/account").done(done),
            must: ask.caller.must_change_password(),
            least,
            last_in: last_sign_in.map(words),
            last_out: last_sign_out.map(words),
            failed,
            provider: super::provider::name(&ask.web, ask.texts()).filter(|_| ask.caller.is_staff()),
            linked: ask.web.app.own_link(&ask.caller).is_some(),
            shared,
            under: ask.caller.shared_name().map(ToOwned::to_owned),
            error,
        },
    )
}

/// `GET /account`
pub(crate) async fn show(ask: Ask, Query(query): Query) -> Answered {
    shown(&ask, query.get("done"), None, StatusCode::OK).await
}

/// `POST /account/password`
pub(crate) async fn change(ask: Ask, fields: Fields) -> Answered {
    let (present, password) = (fields.secret("present"), fields.secret("password"));
    if password != fields.secret("again") {
        let error = Some(ask.texts().get("password-differ"));
        return shown(&ask, "", error, StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    match ask.web.app.change_own_password(&ask.caller, present, password).await {
        Ok(()) => Ok(see("/account?done=password-changed")),
        Err(error) => {
            let fault = Fault::from(error);
            let text = match fault.status {
                StatusCode::TOO_MANY_REQUESTS => ask.texts().get("sign-in-wait"),
                // The sentence says what is weak and what to do: nothing else stands beside it.
                StatusCode::UNPROCESSABLE_ENTITY => messages::said(&fault, ask.texts()),
                StatusCode::CONFLICT => form_error(&fault, ask.texts()),
                _ => return Err(fault),
            };
            shown(&ask, "", Some(text), fault.status).await
        }
    }
}

/// `POST /account/leak`: the account is stopped at once.
pub(crate) async fn leak(ask: Ask, fields: Fields) -> Answered {
    if fields.get("sure") != "yes" {
        let error = Some(ask.texts().get("leak-not-sure"));
        return shown(&ask, "", error, StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    ask.web.app.report_own_leak(&ask.caller).await?;
    let mut response: Response = see("/sign-in?stopped=leak").into_response();
    if let Some(cookie) = session::no_cookie(ask.web.settings.tls) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
