//! 非常時アカウント: uses that wait for a review, and sealing one in an envelope.

use askama::Template;
use axum::extract::Path;
use mimamori_app::EmergencyNotice;
use mimamori_domain::ObjectId;

use super::{form_error, id, shown_again};
use crate::dates;
use crate::error::{Answered, Fault};
use crate::forms::{Fields, Query};
use crate::layout::{Ask, Layout, page, page_with, see};

const HERE: &str = "/admin/emergency";

#[derive(Template)]
#[template(path = "emergency_accounts.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    pub(super) rows: Vec<Row>,
    pub(super) error: Option<String>,
}

/// One use.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) version: u64,
    pub(super) login: String,
    pub(super) account: String,
    pub(super) opened: String,
    pub(super) open_until: Option<String>,
}

async fn shown(ask: &Ask) -> Result<Page, Fault> {
    let found = ask.web.app.emergency_notices(&ask.caller).await?;
    let row = |notice: EmergencyNotice| Row {
        id: notice.id.to_string(),
        version: notice.version,
        account: format!("/admin/accounts/{}", notice.actor),
        opened: dates::date_time(notice.opened, ask.texts()),
        open_until: notice.open_until.map(|until| dates::date_time(until, ask.texts())),
        login: notice.login,
    };
    Ok(Page {
        l: ask.layout("emergency-uses").at(HERE).current("accounts"),
        rows: found.into_iter().map(row).collect(),
        error: None,
    })
}

/// `GET /admin/emergency`
pub(crate) async fn show(ask: Ask, Query(query): Query) -> Answered {
    let mut shown = shown(&ask).await?;
    shown.l = shown.l.done(query.get("done"));
    page(&shown)
}

/// `POST /admin/emergency/{id}/review`
pub(crate) async fn review(ask: Ask, Path(used): Path<String>, fields: Fields) -> Answered {
    let used: ObjectId = id(&used)?;
    let seen = fields.parsed("version").unwrap_or(0);
    match ask.web.app.review_emergency_use(&ask.caller, used, seen, &fields.lines("finding")).await {
        Ok(()) => Ok(see("/admin/emergency?done=emergency-reviewed")),
        Err(error) => {
            let fault = Fault::from(error);
            if !shown_again(&fault) {
                return Err(fault);
            }
            let mut form = shown(&ask).await?;
            form.error = Some(form_error(&fault, ask.texts()));
            page_with(fault.status, &form)
        }
    }
}

#[derive(Template)]
#[template(path = "sealed.html")]
pub(super) struct Sealed {
    pub(super) l: Layout,
    pub(super) name: String,
    pub(super) login: String,
    pub(super) secret: String,
    pub(super) day: String,
    pub(super) hours: u64,
    pub(super) back: String,
}

/// `POST /admin/accounts/{actor}/seal`: the only answer that holds the secret.
pub(crate) async fn seal(ask: Ask, Path(actor): Path<String>, fields: Fields) -> Answered {
    let back = format!("/admin/accounts/{actor}");
    let app = &ask.web.app;
    let sealed = app.seal_emergency_account(&ask.caller, id(&actor)?, &fields.lines("reason")).await?;
    page(&Sealed {
        l: ask.layout("sealed-title").at(&back).current("accounts"),
        name: sealed.name.clone(),
        login: sealed.login.clone(),
        secret: sealed.secret.to_string(),
        day: dates::date(dates::day_of(ask.web.now()), ask.texts()),
        hours: app.pack().parameter_u64("accounts.emergency-hours")?,
        back,
    })
}
