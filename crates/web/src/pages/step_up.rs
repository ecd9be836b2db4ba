//! Showing again who one is: before what the rules mark, and back at a locked session.

use askama::Template;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use mimamori_app::{Caller, First, Former, Means};
use mimamori_domain::ErrorKind;

use super::second::{challenge, proof};
use crate::carried::{self, FIELD, Sealed};
use crate::error::{Answered, Fault};
use crate::forms::{Fields, Held, Query, local_path};
use crate::layout::{Ask, Layout, Visit, page, page_with, see};
use crate::session;
use crate::settings::Web;

/// What a held form's fields are called on the way.
const HELD: &str = "h.";

#[derive(Template)]
#[template(path = "step_up.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    pub(super) means: Means,
    /// Where to go afterwards.
    pub(super) to: String,
    /// A form waits to be sent there.
    pub(super) sends: bool,
    /// It brought files, which are chosen again.
    pub(super) lost: bool,
    pub(super) held: Vec<(String, String)>,
    pub(super) error: Option<String>,
}

#[derive(Template)]
#[template(path = "go_on.html")]
pub(super) struct GoOn {
    pub(super) l: Layout,
    pub(super) to: String,
    pub(super) held: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "unlock.html")]
pub(super) struct Unlock {
    pub(super) l: Layout,
    pub(super) name: String,
    pub(super) means: Means,
    /// Somebody else may go on here with their passkey.
    pub(super) others: bool,
    pub(super) to: String,
    pub(super) error: Option<String>,
    /// What somebody had typed when their session was locked, sealed for them.
    pub(super) carried: Option<String>,
}

/// In place of a refusal that ends once its caller has shown again who they are. What they sent waits.
pub(crate) async fn asked(web: &Web, visit: &Visit, caller: &Caller, held: &Held) -> Response {
    let fields = held.taken();
    let page = async {
        let means = web.app.own_means(caller).await?;
        page_with(
            StatusCode::FORBIDDEN,
            &Page {
                l: Layout::new(web, visit, Some(caller), "step-up-title").passkeys(means.passkey),
                means,
                to: held.path.clone().unwrap_or_else(|| visit.path.clone()),
                sends: fields.is_some() && held.path.is_some(),
                lost: fields.is_none() && held.path.is_some(),
                held: fields.iter().flat_map(Fields::pairs).map(owned).collect(),
                error: None,
            },
        )
    };
    page.await.unwrap_or_else(IntoResponse::into_response)
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// The held form's fields, as they came along.
fn held(fields: &Fields) -> Vec<(String, String)> {
    let pairs = fields.pairs();
    pairs.filter_map(|(name, value)| Some(owned((name.strip_prefix(HELD)?, value)))).collect()
}

/// `GET /step-up`
pub(crate) async fn form(ask: Ask, Query(query): Query) -> Answered {
    shown(&ask, &query, None, StatusCode::OK).await
}

async fn shown(ask: &Ask, fields: &Fields, error: Option<String>, status: StatusCode) -> Answered {
    let means = ask.web.app.own_means(&ask.caller).await?;
    let to = local_path(fields.get("return")).unwrap_or("/").to_owned();
    let sends = fields.get("sends") == "yes";
    let l = ask.layout("step-up-title").at("/step-up").passkeys(means.passkey);
    page_with(status, &Page { l, means, to, sends, lost: false, held: held(fields), error })
}

/// `POST /step-up`
pub(crate) async fn show_again(ask: Ask, fields: Fields) -> Answered {
    let token = match ask.web.app.step_up(&ask.caller, &proof(&fields)).await {
        Ok(token) => token,
        Err(error) => {
            let (status, text) = wrong(Fault::from(error), &ask)?;
            return shown(&ask, &fields, Some(text), status).await;
        }
    };
    let to = local_path(fields.get("return")).unwrap_or("/").to_owned();
    let response = if fields.get("sends") == "yes" {
        page(&GoOn { l: ask.layout("go-on-title").at(to.clone()), to, held: held(&fields) })?
    } else {
        see(&to)
    };
    session::give(response, &token, ask.web.settings.tls)
}

/// What a form that asks who somebody is says of a failure.
fn wrong(fault: Fault, ask: &Ask) -> Result<(StatusCode, String), Fault> {
    let text = match fault.status {
        StatusCode::TOO_MANY_REQUESTS => "sign-in-wait",
        StatusCode::UNPROCESSABLE_ENTITY => "shown-wrong",
        StatusCode::GONE => "shown-late",
        _ => return Err(fault),
    };
    Ok((fault.status, ask.texts().get(text)))
}

/// `POST /step-up/passkey`, `POST /unlock/passkey`: a challenge for one's own passkeys.
pub(crate) async fn ask_passkey(ask: Ask) -> Answered {
    challenge(ask.web.app.ask_own_passkey(&ask.caller).await)
}

/// `POST /lock`
pub(crate) async fn lock(ask: Ask, fields: Fields) -> Answered {
    ask.web.app.lock(&ask.caller).await?;
    Ok(match local_path(fields.get("return")) {
        Some(path) => see(&format!("/unlock?return={path}")),
        None => see("/unlock"),
    })
}

/// `GET /unlock`
pub(crate) async fn unlock_form(ask: Ask, Query(query): Query) -> Answered {
    if ask.caller.first() != Some(First::Unlock) {
        return Ok(see(local_path(query.get("return")).unwrap_or("/")));
    }
    locked(&ask, &query, None, StatusCode::OK).await
}

async fn locked(ask: &Ask, fields: &Fields, error: Option<String>, status: StatusCode) -> Answered {
    let means = ask.web.app.own_means(&ask.caller).await?;
    page_with(
        status,
        &Unlock {
            l: ask.layout("unlock-title").at("/unlock").passkeys(ask.web.app.offers_passkeys()),
            name: ask.caller.name().to_owned(),
            means,
            others: ask.web.app.offers_passkeys(),
            to: local_path(fields.get("return")).unwrap_or("/").to_owned(),
            error,
            carried: fields.some(FIELD),
        },
    )
}

/// In place of the answer to a form that a locked session sent: what was typed waits for its owner.
pub(crate) async fn locked_out(web: &Web, caller: Caller, request: Request) -> Response {
    let visit = request.extensions().get::<Visit>().cloned();
    let sealed = carried::of_former(web, Former::of(&caller), request).await;
    let (Some(visit), Some(Sealed(sealed))) = (visit, sealed) else { return see("/unlock") };
    let ask = Ask { web: web.clone(), caller, visit, alarms: 0 };
    let fields = Fields::from_pairs(vec![(FIELD.to_owned(), sealed)]);
    let page = locked(&ask, &fields, None, StatusCode::UNAUTHORIZED).await;
    page.unwrap_or_else(IntoResponse::into_response)
}

/// `POST /unlock`
pub(crate) async fn unlock(ask: Ask, fields: Fields) -> Answered {
    match ask.web.app.unlock(&ask.caller, &proof(&fields)).await {
        Ok(token) => {
            let to = super::carried::back(&ask, &fields, local_path(fields.get("return")).unwrap_or("/"))?;
            session::give(to, &token, ask.web.settings.tls)
        }
        Err(error) if error.kind() == ErrorKind::Conflict => Ok(see("/")),
        Err(error) => {
            let (status, text) = wrong(Fault::from(error), &ask)?;
            locked(&ask, &fields, Some(text), status).await
        }
    }
}
