//! Registers as tables: taken out as CSV or Excel, and taken in with every fault at once.

use askama::Template;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use mimamori_app::{RegisterQuery, TableFormat};

use super::entries::register;
use super::registers::{query, way_back};
use super::words::translated;
use super::{Crumb, frame};
use crate::dates;
use crate::error::{Answered, Fault, Rendered};
use crate::forms::Fields;
use crate::layout::{Ask, Layout, page, page_with, see};
use crate::messages;
use crate::pages::{form_error, shown_again};
use crate::uploads::Form;

const FORMATS: [TableFormat; 2] = [TableFormat::Csv, TableFormat::Excel];

/// Faults that one page lists.
const FAULTS: usize = 100;

fn format(extension: &str) -> Option<TableFormat> {
    FORMATS.into_iter().find(|format| format.extension() == extension)
}

/// `GET /rules/registers/{register}/export/{format}`: every entry.
pub(crate) async fn export(ask: Ask, Path(which): Path<(String, String)>) -> Answered {
    exported(&ask, which, &RegisterQuery::default()).await
}

/// `POST /rules/registers/{register}/export/{format}`: the entries that the page shows, on all its
/// pages, in its order. What is searched for never stands in an address.
pub(crate) async fn export_found(ask: Ask, Path(which): Path<(String, String)>, fields: Fields) -> Answered {
    let query = query(&ask, &which.0, &fields);
    exported(&ask, which, &query).await
}

async fn exported(ask: &Ask, (code, extension): (String, String), query: &RegisterQuery) -> Answered {
    let format = format(&extension).ok_or_else(Fault::not_found)?;
    let (app, language) = (&ask.web.app, translated(ask.texts()));
    let table = app.export_entries(&ask.caller, &code, query, format, language).await?;
    let day = dates::day_of(ask.web.now());
    let name = format!("attachment; filename=\"{code}-{day}.{extension}\"");
    let headers =
        [(header::CONTENT_TYPE, format.media_type().to_owned()), (header::CONTENT_DISPOSITION, name)];
    let mut response = (headers, table.bytes).into_response();
    response.extensions_mut().insert(Rendered);
    Ok(response)
}

#[derive(Template)]
#[template(path = "governance/import.html")]
struct Import {
    l: Layout,
    crumbs: Vec<Crumb>,
    base: String,
    error: Option<String>,
    /// Place and what is wrong there.
    faults: Vec<(String, String)>,
    /// Faults beyond those listed.
    more: u64,
    has_more: bool,
}

fn form(ask: &Ask, code: &str) -> Result<Import, Fault> {
    let found = register(ask, code)?;
    let base = format!("/rules/registers/{code}");
    let title = ask.texts().with("import-title", "name", found.name(translated(ask.texts())));
    Ok(Import {
        l: frame(ask, title, &format!("{base}/import")),
        crumbs: way_back(ask, found),
        base,
        error: None,
        faults: Vec::new(),
        more: 0,
        has_more: false,
    })
}

/// `GET /rules/registers/{register}/import`
pub(crate) async fn import_form(ask: Ask, Path(code): Path<String>) -> Answered {
    let may = ask.web.app.registers(&ask.caller).await?;
    let shown = form(&ask, &code)?;
    if !may.iter().any(|one| one.register.code == code && one.rights.keeps) {
        return Err(Fault::status(StatusCode::FORBIDDEN));
    }
    page(&shown)
}

/// `POST /rules/registers/{register}/import`: all rows or none.
pub(crate) async fn import(ask: Ask, Path(code): Path<String>, sent: Form) -> Answered {
    let texts = ask.texts();
    let mut shown = form(&ask, &code)?;
    let Some(file) = sent.files.first() else {
        shown.error = Some(texts.get("import-no-file"));
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &shown);
    };
    // Office files are ZIP archives.
    let known = if file.bytes.starts_with(b"PK") { TableFormat::Excel } else { TableFormat::Csv };
    let error = match ask.web.app.import_entries(&ask.caller, &code, &file.bytes, known).await {
        Ok(_) => return Ok(see(&format!("/rules/registers/{code}?done=imported"))),
        Err(error) => error,
    };
    let mut fault = Fault::from(error);
    if !shown_again(&fault) {
        return Err(fault);
    }
    let all = std::mem::take(&mut fault.faults);
    shown.more = all.len().saturating_sub(FAULTS) as u64;
    shown.has_more = shown.more > 0;
    let listed = all.iter().take(FAULTS);
    shown.faults = listed.map(|at| (at.place.clone(), messages::rule(at, texts))).collect();
    shown.error = Some(form_error(&fault, texts));
    page_with(fault.status, &shown)
}
