//! 連携プログラム: programs that prove who they are by keys or a terminal of their own; registering, revoking.

use askama::Template;
use axum::extract::Path;
use mimamori_app::{NewProgram, ProgramView};
use mimamori_domain::ActorId;

use super::review::Institution;
use super::{form_error, id, shown_again};
use crate::dates;
use crate::error::{Answered, Fault};
use crate::forms::{Fields, Query};
use crate::layout::{Ask, Layout, page, page_with, see};

const LIST: &str = "/admin/programs";

#[derive(Template)]
#[template(path = "programs.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    pub(super) rows: Vec<Row>,
    pub(super) institutions: Vec<Institution>,
    /// Registered terminals that are in use: id, name, chosen.
    pub(super) terminals: Vec<(String, String, bool)>,
    pub(super) name: String,
    pub(super) scopes: String,
    pub(super) keys: String,
    pub(super) error: Option<String>,
}

/// One program in words.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) institution: String,
    pub(super) scopes: Vec<String>,
    /// What it calls each key, and the key's thumbprint.
    pub(super) keys: Vec<(String, String)>,
    pub(super) terminal: Option<String>,
    pub(super) last: Option<String>,
    pub(super) active: bool,
    pub(super) because: String,
}

async fn rows(ask: &Ask) -> Result<(Vec<Row>, Vec<(String, String, bool)>), Fault> {
    let (app, caller) = (&ask.web.app, &ask.caller);
    let institutions = app.institutions(caller).await?;
    let terminals = app.terminals(caller).await?;
    let row = |view: ProgramView| Row {
        id: view.id.to_string(),
        name: view.name,
        institution: institutions
            .iter()
            .find(|(known, _)| Some(*known) == view.institution)
            .map(|(_, name)| name.clone())
            .unwrap_or_default(),
        scopes: view.scopes,
        keys: view.keys.into_iter().map(|key| (key.id, key.thumbprint)).collect(),
        terminal: view.terminal.map(|id| {
            let known = terminals.iter().find(|terminal| terminal.id == id);
            known.map_or_else(|| id.to_string(), |terminal| terminal.name.clone())
        }),
        last: view.last_token.map(|at| dates::date_time(at, ask.texts())),
        active: view.active,
        because: view
            .revoked_because
            .map(|text| super::account_life::because(&text, ask.texts()))
            .unwrap_or_default(),
    };
    let rows = app.programs(caller).await?.into_iter().map(row).collect();
    let usable = terminals.iter().filter(|terminal| terminal.active);
    Ok((rows, usable.map(|terminal| (terminal.id.to_string(), terminal.name.clone(), false)).collect()))
}

async fn listed(ask: &Ask, fields: &Fields) -> Result<Page, Fault> {
    let (app, caller) = (&ask.web.app, &ask.caller);
    let chosen = fields.parsed("institution").or(caller.institution());
    let (rows, mut terminals) = rows(ask).await?;
    for (id, _, chosen) in &mut terminals {
        *chosen = id == fields.get("terminal");
    }
    let institutions = app.institutions(caller).await?.into_iter();
    Ok(Page {
        l: ask.layout("programs-title").at(LIST).current("accounts").done(fields.get("done")),
        rows,
        institutions: institutions
            .map(|(id, name)| Institution { chosen: chosen == Some(id), id: id.to_string(), name })
            .collect(),
        terminals,
        name: fields.get("name").to_owned(),
        scopes: fields.lines("scopes"),
        keys: fields.lines("keys"),
        error: None,
    })
}

/// `GET /admin/programs`
pub(crate) async fn list(ask: Ask, Query(query): Query) -> Answered {
    page(&listed(&ask, &query).await?)
}

/// `POST /admin/programs`
pub(crate) async fn register(ask: Ask, fields: Fields) -> Answered {
    let Some(institution) = fields.parsed("institution") else {
        return again(&ask, &fields, ask.texts().get("program-institution-missing")).await;
    };
    let new = NewProgram {
        name: fields.get("name").to_owned(),
        institution,
        scopes: fields.lines("scopes").split_whitespace().map(ToOwned::to_owned).collect(),
        jwks: Some(fields.lines("keys")).filter(|keys| !keys.trim().is_empty()),
        terminal: fields.parsed("terminal"),
    };
    match ask.web.app.register_program(&ask.caller, &new).await {
        Ok(_) => Ok(see(&format!("{LIST}?done=program-added"))),
        Err(error) => {
            let fault = Fault::from(error);
            if fault.step_up || !shown_again(&fault) {
                return Err(fault);
            }
            again(&ask, &fields, form_error(&fault, ask.texts())).await
        }
    }
}

async fn again(ask: &Ask, fields: &Fields, told: String) -> Answered {
    let mut form = listed(ask, fields).await?;
    form.error = Some(told);
    page_with(axum::http::StatusCode::UNPROCESSABLE_ENTITY, &form)
}

#[derive(Template)]
#[template(path = "program_revoke.html")]
pub(super) struct Revoke {
    pub(super) l: Layout,
    pub(super) row: Row,
    pub(super) reason: String,
    pub(super) error: Option<String>,
}

async fn asked(ask: &Ask, program: &str) -> Result<(ActorId, Revoke), Fault> {
    let actor: ActorId = id(program)?;
    let (rows, _) = rows(ask).await?;
    let row = rows.into_iter().find(|row| row.id == program).ok_or_else(Fault::not_found)?;
    let at = format!("{LIST}/{program}/revoke");
    let l = ask.layout("program-revoke-title").at(&at).current("accounts");
    Ok((actor, Revoke { l, row, reason: String::new(), error: None }))
}

/// `GET /admin/programs/{id}/revoke`
pub(crate) async fn revoke_form(ask: Ask, Path(program): Path<String>) -> Answered {
    page(&asked(&ask, &program).await?.1)
}

/// `POST /admin/programs/{id}/revoke`
pub(crate) async fn revoke(ask: Ask, Path(program): Path<String>, fields: Fields) -> Answered {
    let (actor, mut form) = asked(&ask, &program).await?;
    form.reason = fields.lines("reason");
    match ask.web.app.revoke_program(&ask.caller, actor, &form.reason).await {
        Ok(()) => Ok(see(&format!("{LIST}?done=program-revoked"))),
        Err(error) => {
            let fault = Fault::from(error);
            if fault.step_up || !shown_again(&fault) {
                return Err(fault);
            }
            form.error = Some(form_error(&fault, ask.texts()));
            page_with(fault.status, &form)
        }
    }
}
