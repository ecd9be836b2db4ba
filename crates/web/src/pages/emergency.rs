//! 緊急時アクセス: break-glass, with a stated reason, loudly recorded.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use mimamori_domain::SubjectId;

use super::{form_error, id, shown_again};
use crate::error::{Answered, Fault};
use crate::forms::Fields;
use crate::layout::{Ask, Layout, page, page_with, see};

#[derive(Template)]
#[template(path = "emergency.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    pub(super) action: String,
    pub(super) reason: String,
    pub(super) error: Option<String>,
}

fn blank(ask: &Ask, subject: SubjectId, reason: String) -> Page {
    let action = format!("/people/{subject}/emergency");
    Page { l: ask.layout("emergency-title").at(&action), action, reason, error: None }
}

/// `GET /people/{subject}/emergency`. Says nothing about the person: the caller may not know them.
pub(crate) async fn form(ask: Ask, Path(subject): Path<String>) -> Answered {
    page(&blank(&ask, id(&subject)?, String::new()))
}

/// `POST /people/{subject}/emergency`
pub(crate) async fn declare(ask: Ask, Path(subject): Path<String>, fields: Fields) -> Answered {
    let subject: SubjectId = id(&subject)?;
    let mut form = blank(&ask, subject, fields.lines("reason"));
    if form.reason.is_empty() {
        form.error = Some(ask.texts().get("reason-missing"));
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &form);
    }
    match ask.web.app.break_glass(&ask.caller, subject, &form.reason).await {
        Ok(_until) => Ok(see(&format!("/people/{subject}?done=emergency"))),
        Err(error) => {
            let fault = Fault::from(error);
            if !shown_again(&fault) {
                return Err(fault);
            }
            form.error = Some(form_error(&fault, ask.texts()));
            page_with(fault.status, &form)
        }
    }
}
