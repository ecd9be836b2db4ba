//! 仮パスワードの再発行: another first password after the identity was proved, shown once, on paper for a
//! sealed letter; unlocking after failed tries; stopping for a suspected leak.

use askama::Template;
use axum::extract::Path;
use axum::http::{HeaderMap, header};
use mimamori_app::{AccountDetail, IdentityProof, InitialSecret};
use mimamori_domain::ActorId;

use super::{form_error, id, shown_again};
use crate::dates;
use crate::error::{Answered, Fault};
use crate::forms::Fields;
use crate::layout::{Ask, Layout, page, page_with, see};

#[derive(Template)]
#[template(path = "reissue.html")]
pub(super) struct Form {
    pub(super) l: Layout,
    pub(super) base: String,
    pub(super) back: String,
    pub(super) name: String,
    pub(super) login: String,
    pub(super) locked: Option<String>,
    pub(super) leaked: bool,
    /// The pack names a procedure that proves the identity.
    pub(super) asks_case: bool,
    pub(super) reason: String,
    pub(super) how: String,
    pub(super) case: String,
    pub(super) error: Option<String>,
}

#[derive(Template)]
#[template(path = "letter.html")]
pub(super) struct Letters {
    pub(super) l: Layout,
    /// A page of paper each.
    pub(super) letters: Vec<Letter>,
    /// Where to sign in, without the scheme; empty when unknown.
    pub(super) site: String,
    pub(super) back: String,
}

/// A first password for one person.
pub(super) struct Letter {
    pub(super) name: String,
    pub(super) institution: Option<String>,
    pub(super) login: String,
    pub(super) secret: String,
    pub(super) until: String,
}

/// The only answer that ever holds first passwords.
pub(super) fn letters(ask: &Ask, headers: &HeaderMap, issued: &[InitialSecret], back: String) -> Answered {
    let letter = |issued: &InitialSecret| Letter {
        name: issued.name.clone(),
        institution: issued.institution.clone(),
        login: issued.login.clone(),
        secret: issued.secret.to_string(),
        until: dates::date_time(issued.until, ask.texts()),
    };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    page(&Letters {
        l: ask.layout("letter-page").at("/admin/accounts").current("accounts"),
        letters: issued.iter().map(letter).collect(),
        site: host.unwrap_or_default().to_owned(),
        back,
    })
}

fn list_of(detail: &AccountDetail) -> String {
    match detail.account.institution {
        Some(institution) => format!("/admin/accounts?institution={institution}"),
        None => "/admin/accounts".to_owned(),
    }
}

async fn asked(ask: &Ask, actor: &str) -> Result<(ActorId, Form), Fault> {
    let actor: ActorId = id(actor)?;
    let detail = ask.web.app.account(&ask.caller, actor).await?;
    let base = format!("/admin/accounts/{actor}");
    let form = Form {
        l: ask.layout("reissue-title").at(format!("{base}/reissue")).current("accounts"),
        back: list_of(&detail),
        base,
        locked: detail.locked_until.map(|until| dates::date_time(until, ask.texts())),
        leaked: detail.leaked,
        name: detail.account.name,
        login: detail.account.login,
        asks_case: !detail.life.awaits_first && ask.web.app.reissue_procedure().is_some(),
        reason: String::new(),
        how: String::new(),
        case: String::new(),
        error: None,
    };
    Ok((actor, form))
}

fn again(ask: &Ask, mut form: Form, fault: Fault) -> Answered {
    if !shown_again(&fault) {
        return Err(fault);
    }
    form.error = Some(form_error(&fault, ask.texts()));
    page_with(fault.status, &form)
}

/// `GET /admin/accounts/{actor}/reissue`
pub(crate) async fn form(ask: Ask, Path(actor): Path<String>) -> Answered {
    page(&asked(&ask, &actor).await?.1)
}

/// `POST /admin/accounts/{actor}/reissue`
pub(crate) async fn issue(
    ask: Ask,
    Path(actor): Path<String>,
    headers: HeaderMap,
    fields: Fields,
) -> Answered {
    let (actor, mut form) = asked(&ask, &actor).await?;
    (form.reason, form.how) = (fields.lines("reason"), fields.lines("how"));
    form.case = fields.get("case").to_owned();
    let proof =
        IdentityProof { reason: form.reason.clone(), how: form.how.clone(), case: fields.parsed("case") };
    match ask.web.app.reissue_password(&ask.caller, actor, &proof).await {
        Ok(issued) => letters(&ask, &headers, &[issued], form.back),
        Err(error) => again(&ask, form, Fault::from(error)),
    }
}

/// `POST /admin/accounts/{actor}/unlock`
pub(crate) async fn unlock(ask: Ask, Path(actor): Path<String>) -> Answered {
    let (actor, form) = asked(&ask, &actor).await?;
    ask.web.app.unlock_account(&ask.caller, actor).await?;
    Ok(see(&done(&form.back, "unlocked")))
}

/// `POST /admin/accounts/{actor}/leak`
pub(crate) async fn leak(ask: Ask, Path(actor): Path<String>, fields: Fields) -> Answered {
    let (actor, form) = asked(&ask, &actor).await?;
    match ask.web.app.suspect_leak(&ask.caller, actor, &fields.lines("reason")).await {
        Ok(()) => Ok(see(&done(&form.back, "leak-stopped"))),
        Err(error) => again(&ask, form, Fault::from(error)),
    }
}

fn done(back: &str, word: &str) -> String {
    let join = if back.contains('?') { '&' } else { '?' };
    format!("{back}{join}done={word}")
}
