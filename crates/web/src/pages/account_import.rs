//! Many accounts at once: a table is taken in, looked at, and then made into accounts with a letter each.

use askama::Template;
use axum::http::{HeaderMap, StatusCode};
use mimamori_app::{MOST_AT_ONCE, NewAccountRow, TableFormat};

use super::reissue::letters;
use super::{form_error, shown_again};
use crate::dates;
use crate::error::{Answered, Fault};
use crate::forms::Fields;
use crate::layout::{Ask, Layout, page, page_with};
use crate::messages;
use crate::uploads::Form;

const HERE: &str = "/admin/accounts/import";

#[derive(Template)]
#[template(path = "account_import.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    pub(super) most: u64,
    pub(super) error: Option<String>,
    /// Place and what is wrong there.
    pub(super) faults: Vec<(String, String)>,
    /// What would be made: name, user ID, institution, occupation, last day. Empty before the look.
    pub(super) rows: Vec<[String; 5]>,
    /// The table that was looked at.
    pub(super) table: String,
}

fn form(ask: &Ask) -> Result<Page, Fault> {
    if !ask.web.app.may_import_accounts(&ask.caller) {
        return Err(Fault::status(StatusCode::FORBIDDEN));
    }
    Ok(Page {
        l: ask.layout("account-import").at(HERE).current("accounts"),
        most: MOST_AT_ONCE as u64,
        error: None,
        faults: Vec::new(),
        rows: Vec::new(),
        table: String::new(),
    })
}

fn again(ask: &Ask, mut form: Page, error: mimamori_app::Error) -> Answered {
    let mut fault = Fault::from(error);
    if !shown_again(&fault) {
        return Err(fault);
    }
    let all = std::mem::take(&mut fault.faults);
    form.faults = all.iter().map(|at| (at.place.clone(), messages::rule(at, ask.texts()))).collect();
    form.error = Some(form_error(&fault, ask.texts()));
    page_with(fault.status, &form)
}

/// `GET /admin/accounts/import`
pub(crate) async fn show(ask: Ask) -> Answered {
    page(&form(&ask)?)
}

/// `POST /admin/accounts/import`: what the table would make, before anything is done.
pub(crate) async fn look(ask: Ask, sent: Form) -> Answered {
    let mut form = form(&ask)?;
    let Some(file) = sent.files.first() else {
        form.error = Some(ask.texts().get("import-no-file"));
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &form);
    };
    let format = TableFormat::of_bytes(&file.bytes);
    let rows = match ask.web.app.look_at_accounts(&ask.caller, &file.bytes, format).await {
        Ok(rows) => rows,
        Err(error) => return again(&ask, form, error),
    };
    let texts = ask.texts();
    form.table = NewAccountRow::table(&rows)?;
    let cells = |row: &NewAccountRow| {
        let occupation = row.occupation.as_ref();
        [
            row.name.clone(),
            row.login.clone(),
            row.institution.1.clone(),
            occupation.map_or_else(|| "–".to_owned(), |code| ask.web.occupations.word(code, texts)),
            row.ends.map_or_else(|| "–".to_owned(), |ends| dates::date_time(ends, texts)),
        ]
    };
    form.rows = rows.iter().map(cells).collect();
    page(&form)
}

/// `POST /admin/accounts/import/issue`: makes all of them or none; the letters are shown once.
pub(crate) async fn issue(ask: Ask, headers: HeaderMap, fields: Fields) -> Answered {
    let form = form(&ask)?;
    let table = fields.get("table").as_bytes();
    match ask.web.app.import_accounts(&ask.caller, table, TableFormat::Csv).await {
        Ok(issued) => letters(&ask, &headers, &issued, "/admin/accounts".to_owned()),
        Err(error) => again(&ask, form, error),
    }
}
