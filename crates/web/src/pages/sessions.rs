//! サインイン中の端末: one's own sessions, and somebody's for those who administer accounts.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use mimamori_app::SessionView;
use mimamori_domain::ActorId;

use super::{form_error, id, shown_again};
use crate::dates;
use crate::error::{Answered, Fault};
use crate::forms::{Fields, Query};
use crate::layout::{Ask, Layout, page_with, see};

/// One session in words.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) this: bool,
    pub(super) began: String,
    pub(super) last_seen: String,
    pub(super) agent: Option<String>,
    pub(super) address: Option<String>,
    pub(super) second: bool,
    pub(super) locked: bool,
}

#[derive(Template)]
#[template(path = "sessions.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    /// Where the forms go.
    pub(super) base: String,
    /// Whose they are, when they are somebody else's.
    pub(super) name: Option<String>,
    pub(super) rows: Vec<Row>,
    pub(super) error: Option<String>,
}

fn rows(ask: &Ask, sessions: Vec<SessionView>) -> Vec<Row> {
    let words = |at| dates::date_time(at, ask.texts());
    let row = |session: SessionView| Row {
        id: session.id.to_string(),
        this: session.this,
        began: words(session.began),
        last_seen: words(session.last_seen),
        agent: session.agent,
        address: session.address,
        second: session.second,
        locked: session.locked,
    };
    sessions.into_iter().map(row).collect()
}

async fn own(ask: &Ask, done: &str, error: Option<String>, status: StatusCode) -> Answered {
    let sessions = ask.web.app.own_sessions(&ask.caller).await?;
    let base = "/account/sessions".to_owned();
    let l = ask.layout("sessions-title").at("/account/sessions").done(done);
    page_with(status, &Page { l, base, name: None, rows: rows(ask, sessions), error })
}

/// `GET /account/sessions`
pub(crate) async fn show(ask: Ask, Query(query): Query) -> Answered {
    own(&ask, query.get("done"), None, StatusCode::OK).await
}

/// `POST /account/sessions/{session}/end`
pub(crate) async fn end(ask: Ask, Path(session): Path<String>, _: Fields) -> Answered {
    match ask.web.app.end_own_sessions(&ask.caller, Some(id(&session)?)).await {
        Ok(()) => Ok(see("/account/sessions?done=session-ended")),
        Err(error) => {
            let fault = Fault::from(error);
            if fault.step_up || !shown_again(&fault) {
                return Err(fault);
            }
            own(&ask, "", Some(form_error(&fault, ask.texts())), fault.status).await
        }
    }
}

/// `POST /account/sessions/end`: all but the present one.
pub(crate) async fn end_others(ask: Ask, _: Fields) -> Answered {
    ask.web.app.end_own_sessions(&ask.caller, None).await?;
    Ok(see("/account/sessions?done=sessions-ended"))
}

/// `GET /admin/accounts/{actor}/sessions`
pub(crate) async fn show_of(ask: Ask, Path(actor): Path<String>, Query(query): Query) -> Answered {
    let actor: ActorId = id(&actor)?;
    let detail = ask.web.app.account(&ask.caller, actor).await?;
    let sessions = ask.web.app.sessions_of(&ask.caller, actor).await?;
    let base = format!("/admin/accounts/{actor}/sessions");
    let l = ask.layout("sessions-title").at(base.clone()).current("accounts").done(query.get("done"));
    let name = Some(detail.account.name);
    page_with(StatusCode::OK, &Page { l, base, name, rows: rows(&ask, sessions), error: None })
}

/// `POST /admin/accounts/{actor}/sessions/{session}/end`
pub(crate) async fn end_of(ask: Ask, Path((actor, session)): Path<(String, String)>, _: Fields) -> Answered {
    let actor: ActorId = id(&actor)?;
    ask.web.app.end_sessions_of(&ask.caller, actor, Some(id(&session)?)).await?;
    Ok(see(&format!("/admin/accounts/{actor}/sessions?done=session-ended")))
}

/// `POST /admin/accounts/{actor}/sessions/end`: all of them.
pub(crate) async fn end_all_of(ask: Ask, Path(actor): Path<String>, _: Fields) -> Answered {
    let actor: ActorId = id(&actor)?;
    ask.web.app.end_sessions_of(&ask.caller, actor, None).await?;
    Ok(see(&format!("/admin/accounts/{actor}/sessions?done=sessions-ended")))
}
