//! 端末: registered terminals and their certificates; registering, renewing, revoking.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mimamori_app::{NewTerminal, TerminalFile, TerminalView};
use mimamori_domain::TerminalId;

use super::review::Institution;
use super::{form_error, id, shown_again};
use crate::dates;
use crate::error::{Answered, Fault, Rendered};
use crate::forms::{Fields, Query};
use crate::layout::{Ask, Layout, page, page_with, see};
use crate::settings::Web;

const LIST: &str = "/admin/terminals";
/// The largest file that is given back for download, in base64: a key and two certificates are 3 kB.
const MOST_FILE: usize = 16 * 1024;

#[derive(Template)]
#[template(path = "terminals.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    pub(super) rows: Vec<Row>,
    pub(super) institutions: Vec<Institution>,
    pub(super) name: String,
    pub(super) place: String,
    pub(super) owner: String,
    pub(super) asset: String,
    pub(super) error: Option<String>,
}

/// One terminal in words.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) place: String,
    pub(super) institution: String,
    pub(super) owner: String,
    /// Its entry in a register of devices.
    pub(super) asset: Option<String>,
    pub(super) active: bool,
    pub(super) because: String,
    pub(super) until: String,
    pub(super) expiring: bool,
}

impl Row {
    fn of(view: TerminalView, ask: &Ask) -> Self {
        Self {
            id: view.id.to_string(),
            name: view.name,
            place: view.place,
            institution: view.institution.map(|(_, name)| name).unwrap_or_default(),
            owner: view.owner.unwrap_or_default(),
            asset: view.asset.map(|(register, entry)| format!("/rules/registers/{register}/entries/{entry}")),
            active: view.active,
            because: view
                .revoked_because
                .map(|text| super::account_life::because(&text, ask.texts()))
                .unwrap_or_default(),
            until: view.until.map(|until| dates::date_time(until, ask.texts())).unwrap_or_default(),
            expiring: view.expiring,
        }
    }
}

async fn listed(ask: &Ask, fields: &Fields) -> Result<Page, Fault> {
    let (app, caller) = (&ask.web.app, &ask.caller);
    let chosen = fields.parsed("institution").or(caller.institution());
    let rows = app.terminals(caller).await?.into_iter().map(|view| Row::of(view, ask)).collect();
    let institutions = app.institutions(caller).await?.into_iter();
    Ok(Page {
        l: ask.layout("terminals-title").at(LIST).current("accounts").done(fields.get("done")),
        rows,
        institutions: institutions
            .map(|(id, name)| Institution { chosen: chosen == Some(id), id: id.to_string(), name })
            .collect(),
        name: fields.get("name").to_owned(),
        place: fields.get("place").to_owned(),
        owner: fields.get("owner").to_owned(),
        asset: fields.get("asset").to_owned(),
        error: None,
    })
}

/// `GET /admin/terminals`
pub(crate) async fn list(ask: Ask, Query(query): Query) -> Answered {
    page(&listed(&ask, &query).await?)
}

/// `POST /admin/terminals`: the only answer that ever holds the passphrase and the key.
pub(crate) async fn register(ask: Ask, fields: Fields) -> Answered {
    let new = NewTerminal {
        name: fields.get("name").to_owned(),
        place: fields.get("place").to_owned(),
        institution: fields.parsed("institution"),
        owner: fields.some("owner"),
        asset: fields.parsed("asset"),
    };
    match ask.web.app.register_terminal(&ask.caller, &new).await {
        Ok(given) => handed_over(&ask, &given),
        Err(error) => {
            let fault = Fault::from(error);
            if !shown_again(&fault) {
                return Err(fault);
            }
            let mut form = listed(&ask, &fields).await?;
            form.error = Some(form_error(&fault, ask.texts()));
            page_with(fault.status, &form)
        }
    }
}

#[derive(Template)]
#[template(path = "terminal_file.html")]
pub(super) struct Given {
    pub(super) l: Layout,
    pub(super) name: String,
    pub(super) passphrase: String,
    pub(super) until: String,
    /// The file in base64: the page hands it back for the download, and nothing is kept here.
    pub(super) file: String,
}

fn handed_over(ask: &Ask, given: &TerminalFile) -> Answered {
    page(&Given {
        l: ask.layout("terminal-file-title").at(LIST).current("accounts"),
        name: given.name.clone(),
        passphrase: given.passphrase.to_string(),
        until: dates::date_time(given.until, ask.texts()),
        file: STANDARD.encode(given.file.as_slice()),
    })
}

/// `POST /admin/terminals/file`: gives the page's own file back as a download.
pub(crate) async fn file(_ask: Ask, fields: Fields) -> Answered {
    let text = fields.secret("file");
    let bytes = STANDARD.decode(text).ok().filter(|_| text.len() <= MOST_FILE && !text.is_empty());
    let bytes = bytes.ok_or_else(|| Fault::status(StatusCode::BAD_REQUEST))?;
    let headers = [
        (header::CONTENT_TYPE, "application/x-pkcs12"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"terminal.p12\""),
    ];
    let mut response = (headers, bytes).into_response();
    response.extensions_mut().insert(Rendered);
    Ok(response)
}

#[derive(Template)]
#[template(path = "terminal_change.html")]
pub(super) struct Change {
    pub(super) l: Layout,
    pub(super) row: Row,
    pub(super) text: String,
    pub(super) button: String,
    pub(super) action: String,
    /// Revoking asks for a reason.
    pub(super) revokes: bool,
    pub(super) reason: String,
    pub(super) error: Option<String>,
}

/// Last part of the address, title, explanation, button.
pub(super) const fn words(revokes: bool) -> [&'static str; 4] {
    if revokes {
        ["revoke", "terminal-revoke-title", "terminal-revoke-text", "terminal-revoke-button"]
    } else {
        ["renew", "terminal-renew-title", "terminal-renew-text", "terminal-renew-button"]
    }
}

async fn asked(ask: &Ask, terminal: &str, revokes: bool) -> Result<(TerminalId, Change), Fault> {
    let terminal: TerminalId = id(terminal)?;
    let found = ask.web.app.terminals(&ask.caller).await?;
    let view = found.into_iter().find(|view| view.id == terminal).ok_or_else(Fault::not_found)?;
    let [part, title, text, button] = words(revokes);
    let action = format!("{LIST}/{terminal}/{part}");
    let texts = ask.texts();
    let change = Change {
        l: ask.layout(title).at(&action).current("accounts"),
        row: Row::of(view, ask),
        text: texts.get(text),
        button: texts.get(button),
        action,
        revokes,
        reason: String::new(),
        error: None,
    };
    Ok((terminal, change))
}

fn again(ask: &Ask, mut form: Change, fault: Fault) -> Answered {
    if !shown_again(&fault) {
        return Err(fault);
    }
    form.error = Some(form_error(&fault, ask.texts()));
    page_with(fault.status, &form)
}

/// `GET /admin/terminals/{terminal}/renew`
pub(crate) async fn renew_form(ask: Ask, Path(terminal): Path<String>) -> Answered {
    page(&asked(&ask, &terminal, false).await?.1)
}

/// `POST /admin/terminals/{terminal}/renew`
pub(crate) async fn renew(ask: Ask, Path(terminal): Path<String>) -> Answered {
    let (terminal, form) = asked(&ask, &terminal, false).await?;
    match ask.web.app.renew_terminal(&ask.caller, terminal).await {
        Ok(given) => handed_over(&ask, &given),
        Err(error) => again(&ask, form, Fault::from(error)),
    }
}

/// `GET /admin/terminals/{terminal}/revoke`
pub(crate) async fn revoke_form(ask: Ask, Path(terminal): Path<String>) -> Answered {
    page(&asked(&ask, &terminal, true).await?.1)
}

/// `POST /admin/terminals/{terminal}/revoke`
pub(crate) async fn revoke(ask: Ask, Path(terminal): Path<String>, fields: Fields) -> Answered {
    let (terminal, mut form) = asked(&ask, &terminal, true).await?;
    form.reason = fields.lines("reason");
    match ask.web.app.revoke_terminal(&ask.caller, terminal, &form.reason).await {
        Ok(()) => Ok(see(&format!("{LIST}?done=terminal-revoked"))),
        Err(error) => again(&ask, form, Fault::from(error)),
    }
}

/// `GET /terminals.crl`: of the authority that issues, or with `?earlier=N` of the Nth before it that is
/// still believed.
pub(crate) async fn revocations(State(web): State<Web>, Query(query): Query) -> Answered {
    let earlier = query.parsed("earlier").unwrap_or(0_usize);
    let list = web.app.terminal_revocations().await?.into_iter().nth(earlier).ok_or_else(Fault::not_found)?;
    let mut response = list.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/pkix-crl"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
    Ok(response)
}
