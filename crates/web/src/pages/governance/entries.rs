//! One entry of a register: added, looked at with its history, amended, struck out, printed.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use mimamori_app::{EntryDetail, EntryVersion};
use mimamori_domain::{ObjectId, RecordState};
use mimamori_policy::model::Register;

use super::asked::download;
use super::inputs::{Control, Filled, controls};
use super::references::References;
use super::registers::way_back;
use super::words::{Line, lines, lines_by_code, translated};
use super::{Crumb, frame};
use crate::dates;
use crate::diff::{self, Piece};
use crate::error::{Answered, Fault};
use crate::forms::{Fields, Query};
use crate::layout::{Ask, Layout, page, page_with, see};
use crate::pages::{form_error, id, shown_again};
use crate::uploads::Form;

/// A register of the pack in force.
pub(super) fn register<'a>(ask: &'a Ask, code: &str) -> Result<&'a Register, Fault> {
    ask.web.app.pack().register(code).ok_or_else(Fault::not_found)
}

#[derive(Template)]
#[template(path = "governance/entry_form.html")]
struct EntryForm {
    l: Layout,
    crumbs: Vec<Crumb>,
    help: Option<String>,
    action: String,
    back: String,
    controls: Vec<Control>,
    lists: Vec<(String, Vec<String>)>,
    /// Of a new entry: the form is good for one.
    once: Option<ObjectId>,
    /// The version that is amended.
    version: Option<u64>,
    reason: String,
    reason_error: Option<String>,
    error: Option<String>,
}

fn entry_form(
    ask: &Ask,
    register: &Register,
    filled: &Filled,
    references: &References,
    amends: Option<(ObjectId, u64)>,
) -> EntryForm {
    let (texts, language) = (ask.texts(), translated(ask.texts()));
    let base = format!("/rules/registers/{}", register.code);
    let (key, here, action, back) = match amends {
        Some((id, _)) => {
            let entry = format!("{base}/entries/{id}");
            ("entry-amend-title", format!("{entry}/amend"), format!("{entry}/amend"), entry)
        }
        None => ("entry-new-title", format!("{base}/new"), format!("{base}/entries"), base.clone()),
    };
    EntryForm {
        l: frame(ask, texts.with(key, "name", register.name(language)), &here),
        crumbs: way_back(ask, register),
        help: register.help(language).map(str::to_owned),
        action,
        back,
        controls: controls(ask, &register.fields, filled, references),
        lists: references.suggestions(),
        once: amends.is_none().then(ObjectId::random),
        version: amends.map(|(_, version)| version),
        reason: String::new(),
        reason_error: None,
        error: None,
    }
}

/// `GET /rules/registers/{register}/new`
pub(crate) async fn new_form(ask: Ask, Path(code): Path<String>) -> Answered {
    let found = register(&ask, &code)?;
    let may = ask.web.app.registers(&ask.caller).await?;
    if !may.iter().any(|one| one.register.code == code && one.rights.adds) {
        return Err(Fault::status(StatusCode::FORBIDDEN));
    }
    let references = References::ask(&ask, &found.fields).await?;
    page(&entry_form(&ask, found, &Filled::default(), &references, None))
}

/// `POST /rules/registers/{register}/entries`
pub(crate) async fn add(ask: Ask, Path(code): Path<String>, form: Form) -> Answered {
    let found = register(&ask, &code)?;
    let once = form.fields.parsed("once").unwrap_or_else(ObjectId::random);
    let references = References::ask(&ask, &found.fields).await?;
    let (mut filled, typed) = Filled::read(&ask, &found.fields, &form, &references).await?;
    if filled.more.is_some() {
        return page(&entry_form(&ask, found, &filled, &references, None));
    }
    let mut error = None;
    if filled.wrong.is_empty() {
        match ask.web.app.add_entry_once(&ask.caller, &code, once, &typed).await {
            Ok(id) => return Ok(see(&format!("/rules/registers/{code}/entries/{id}?done=entry-added"))),
            Err(failure) => error = Some(Fault::from(failure)),
        }
    }
    let (status, told) = blamed(&ask, found, &mut filled, error)?;
    let mut shown = entry_form(&ask, found, &filled, &references, None);
    shown.error = Some(told);
    page_with(status, &shown)
}

/// Puts what is wrong beside its fields; gives the status and what the head of the form says.
fn blamed(
    ask: &Ask,
    register: &Register,
    filled: &mut Filled,
    fault: Option<Fault>,
) -> Result<(StatusCode, String), Fault> {
    let texts = ask.texts();
    let Some(mut fault) = fault else {
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, texts.get("form-has-faults")));
    };
    if !shown_again(&fault) {
        return Err(fault);
    }
    let before = fault.faults.len();
    fault.faults = filled.blame(&register.fields, &fault.faults, texts);
    let beside = before > 0 && fault.faults.is_empty();
    let told = if beside { texts.get("form-has-faults") } else { form_error(&fault, texts) };
    Ok((fault.status, told))
}

#[derive(Template)]
#[template(path = "governance/entry.html")]
struct EntryPage {
    l: Layout,
    crumbs: Vec<Crumb>,
    base: String,
    lines: Vec<Line>,
    state: &'static str,
    versions: Vec<Version>,
    /// The case whose end wrote it.
    case: Option<String>,
    keeps: bool,
}

/// One version in the history.
struct Version {
    version: u64,
    who: String,
    when: String,
    when_machine: String,
    what: &'static str,
    reason: Option<String>,
    changes: Vec<Change>,
}

/// A field whose value became another.
struct Change {
    label: String,
    pieces: Vec<Piece>,
}

/// `GET /rules/registers/{register}/entries/{id}`; `?print` for paper.
pub(crate) async fn show(
    ask: Ask,
    Path((code, entry)): Path<(String, String)>,
    Query(query): Query,
) -> Answered {
    let detail = ask.web.app.entry(&ask.caller, &code, id(&entry)?).await?;
    let found = &detail.register;
    let newest = detail.versions.first().ok_or_else(Fault::not_found)?;
    let (texts, base) = (ask.texts(), format!("/rules/registers/{code}/entries/{}", detail.id));
    let shown = lines(&newest.fields, &newest.shown, texts, &format!("{base}/files"));
    let name = found.name(translated(texts)).to_owned();
    if query.has("print") {
        let mut l = frame(&ask, name, &base);
        l.here = format!("{base}?print");
        return page(&super::paper::Paper {
            l,
            organisation: ask.web.app.pack().organisation(translated(texts)).to_owned(),
            number: None,
            date: dates::date(dates::day_of(newest.recorded), texts),
            to: None,
            from: None,
            stamps: Vec::new(),
            rows: shown.into_iter().map(|line| vec![line]).collect(),
            wording: None,
            written: texts.pairs(
                "print-written",
                &[
                    ("name", &newest.author_name),
                    ("time", &dates::date_time(newest.recorded, texts)),
                    ("version", &newest.version.to_string()),
                ],
            ),
            back: base,
        });
    }
    let title = title(newest, found, texts);
    page(&EntryPage {
        l: frame(&ask, title, &base).done(query.get("done")),
        crumbs: way_back(&ask, found),
        lines: shown,
        state: newest.state.as_str(),
        versions: versions(&detail, texts, &base),
        case: detail.from_case.map(|case| format!("/rules/cases/{case}")),
        keeps: detail.rights.keeps && newest.state != RecordState::Withdrawn,
        base,
    })
}

/// `GET /rules/registers/{register}/entries/{id}/files/{attached}`
pub(crate) async fn file(ask: Ask, Path((code, entry, file)): Path<(String, String, String)>) -> Answered {
    let opened = ask.web.app.entry_file(&ask.caller, &code, id(&entry)?, id(&file)?).await?;
    Ok(download(opened))
}

/// What the entry is called: its title fields in the language of the page.
fn title(newest: &EntryVersion, register: &Register, texts: &crate::language::Texts) -> String {
    let by_code = lines_by_code(&newest.fields, &newest.shown, texts, "");
    let parts: Vec<String> = register
        .title
        .iter()
        .filter_map(|code| by_code.get(code))
        .map(|line| line.as_text().replace('\n', " "))
        .collect();
    let joined = parts.join(" ");
    if joined.is_empty() { register.name(translated(texts)).to_owned() } else { joined }
}

fn versions(detail: &EntryDetail, texts: &crate::language::Texts, base: &str) -> Vec<Version> {
    let files = format!("{base}/files");
    let older = detail.versions.iter().skip(1).map(Some).chain([None]);
    let version = |(newer, older): (&EntryVersion, Option<&EntryVersion>)| Version {
        version: newer.version,
        who: newer.author_name.clone(),
        when: dates::date_time(newer.recorded, texts),
        when_machine: dates::machine(newer.recorded),
        what: match newer.state {
            RecordState::Withdrawn => "entry-struck",
            _ if older.is_some() => "entry-amended",
            _ => "entry-added",
        },
        reason: newer.reason.clone(),
        changes: older.map(|older| changes(older, newer, texts, &files)).unwrap_or_default(),
    };
    detail.versions.iter().zip(older).map(version).collect()
}

/// The fields whose values differ between two versions.
fn changes(
    older: &EntryVersion,
    newer: &EntryVersion,
    texts: &crate::language::Texts,
    files: &str,
) -> Vec<Change> {
    let before = lines_by_code(&older.fields, &older.shown, texts, files);
    let after = lines_by_code(&newer.fields, &newer.shown, texts, files);
    let gone = older.fields.iter().filter(|field| !newer.fields.iter().any(|one| one.code == field.code));
    let text = |line: Option<&Line>| line.map(Line::as_text).unwrap_or_default();
    let change = |field: &mimamori_policy::model::Field| {
        let (old, new) = (text(before.get(&field.code)), text(after.get(&field.code)));
        (old != new).then(|| Change {
            label: field.name(translated(texts)).to_owned(),
            pieces: diff::pieces(&old, &new),
        })
    };
    newer.fields.iter().chain(gone).filter_map(change).collect()
}

/// The entry that the caller may change, in its newest version.
async fn to_change(ask: &Ask, code: &str, entry: &str) -> Result<EntryDetail, Fault> {
    let detail = ask.web.app.entry(&ask.caller, code, id(entry)?).await?;
    if !detail.rights.keeps {
        return Err(Fault::status(StatusCode::FORBIDDEN));
    }
    match detail.versions.first() {
        Some(newest) if newest.state != RecordState::Withdrawn => Ok(detail),
        _ => Err(Fault::status(StatusCode::CONFLICT)),
    }
}

/// `GET /rules/registers/{register}/entries/{id}/amend`
pub(crate) async fn amend_form(ask: Ask, Path((code, entry)): Path<(String, String)>) -> Answered {
    let detail = to_change(&ask, &code, &entry).await?;
    let found = register(&ask, &code)?;
    let newest = detail.versions.first().ok_or_else(Fault::not_found)?;
    let references = References::ask(&ask, &found.fields).await?;
    let filled = Filled::of(&found.fields, &newest.values, &newest.shown, &references);
    page(&entry_form(&ask, found, &filled, &references, Some((detail.id, newest.version))))
}

/// `POST /rules/registers/{register}/entries/{id}/amend`
pub(crate) async fn amend(ask: Ask, Path((code, entry)): Path<(String, String)>, form: Form) -> Answered {
    let (found, object) = (register(&ask, &code)?, id::<ObjectId>(&entry)?);
    let seen: u64 = form.fields.parsed("version").ok_or_else(|| Fault::status(StatusCode::BAD_REQUEST))?;
    let reason = form.fields.lines("reason");
    let references = References::ask(&ask, &found.fields).await?;
    let (mut filled, typed) = Filled::read(&ask, &found.fields, &form, &references).await?;
    let mut error = None;
    if filled.more.is_none() && filled.wrong.is_empty() && !reason.is_empty() {
        match ask.web.app.amend_entry(&ask.caller, &code, object, seen, &typed, &reason).await {
            Ok(()) => {
                return Ok(see(&format!("/rules/registers/{code}/entries/{object}?done=entry-amended")));
            }
            Err(failure) => error = Some(Fault::from(failure)),
        }
    }
    let amends = Some((object, seen));
    if filled.more.is_some() {
        let mut shown = entry_form(&ask, found, &filled, &references, amends);
        shown.reason = reason;
        return page(&shown);
    }
    let (status, told) = blamed(&ask, found, &mut filled, error)?;
    let mut shown = entry_form(&ask, found, &filled, &references, amends);
    shown.reason_error = reason.is_empty().then(|| ask.texts().get("reason-missing"));
    shown.reason = reason;
    shown.error = Some(told);
    page_with(status, &shown)
}

#[derive(Template)]
#[template(path = "governance/strike.html")]
struct Strike {
    l: Layout,
    crumbs: Vec<Crumb>,
    base: String,
    lines: Vec<Line>,
    version: u64,
    reason: String,
    error: Option<String>,
    /// The last look: the reason is shown, not asked.
    last: bool,
}

async fn strike_page(ask: &Ask, code: &str, entry: &str) -> Result<Strike, Fault> {
    let detail = to_change(ask, code, entry).await?;
    let found = register(ask, code)?;
    let newest = detail.versions.first().ok_or_else(Fault::not_found)?;
    let base = format!("/rules/registers/{code}/entries/{}", detail.id);
    Ok(Strike {
        l: frame(ask, ask.texts().get("entry-strike-title"), &format!("{base}/strike")),
        crumbs: way_back(ask, found),
        lines: lines(&newest.fields, &newest.shown, ask.texts(), &format!("{base}/files")),
        base,
        version: newest.version,
        reason: String::new(),
        error: None,
        last: false,
    })
}

/// `GET /rules/registers/{register}/entries/{id}/strike`
pub(crate) async fn strike_form(ask: Ask, Path((code, entry)): Path<(String, String)>) -> Answered {
    page(&strike_page(&ask, &code, &entry).await?)
}

/// `POST /rules/registers/{register}/entries/{id}/strike`: first a last look, then struck out.
pub(crate) async fn strike(
    ask: Ask,
    Path((code, entry)): Path<(String, String)>,
    fields: Fields,
) -> Answered {
    let (object, reason) = (id::<ObjectId>(&entry)?, fields.lines("reason"));
    let seen: u64 = fields.parsed("version").ok_or_else(|| Fault::status(StatusCode::BAD_REQUEST))?;
    let mut fault = None;
    if fields.get("sure") == "yes" && !reason.is_empty() {
        match ask.web.app.strike_entry(&ask.caller, &code, object, seen, &reason).await {
            Ok(()) => return Ok(see(&format!("/rules/registers/{code}/entries/{object}?done=entry-struck"))),
            Err(error) => fault = Some(Fault::from(error)),
        }
    }
    if let Some(fault) = fault.as_ref().filter(|fault| !shown_again(fault)) {
        return Err(fault.clone());
    }
    let mut shown = strike_page(&ask, &code, &entry).await?;
    shown.version = seen;
    if reason.is_empty() {
        shown.error = Some(ask.texts().get("reason-missing"));
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &shown);
    }
    shown.reason = reason;
    match fault {
        Some(fault) => {
            shown.error = Some(form_error(&fault, ask.texts()));
            page_with(fault.status, &shown)
        }
        None => {
            shown.last = true;
            page(&shown)
        }
    }
}
