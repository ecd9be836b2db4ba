//! 手続: what somebody may begin, its form, and a last look before it is handed in.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use mimamori_app::{CaseStage, CaseView, ProcedureSummary};
use mimamori_domain::ObjectId;
use mimamori_policy::model::{Field, FieldType, Procedure};

use super::inputs::{Control, Filled, controls};
use super::references::References;
use super::words::{Line, translated};
use super::{Crumb, crumbs, frame};
use crate::error::{Answered, Fault};
use crate::forms::{Fields, Query};
use crate::layout::{Ask, Layout, page, page_with, see};
use crate::pages::{form_error, id, shown_again};
use crate::uploads::Form;

#[derive(Template)]
#[template(path = "governance/procedures.html")]
struct List {
    l: Layout,
    crumbs: Vec<Crumb>,
    begin: Vec<Item>,
    others: Vec<Item>,
}

/// A procedure in the list.
struct Item {
    code: String,
    name: String,
    help: Option<String>,
    begins: bool,
    acts_first: bool,
}

/// `GET /rules/procedures`
pub(crate) async fn list(ask: Ask) -> Answered {
    let found = ask.web.app.procedures(&ask.caller).await?;
    let language = translated(ask.texts());
    let item = |summary: ProcedureSummary<'_>| Item {
        name: summary.procedure.name(language).to_owned(),
        help: summary.procedure.help(language).map(str::to_owned),
        begins: summary.may_begin,
        acts_first: summary.may_act_first,
        code: summary.procedure.code.clone(),
    };
    let items = found.into_iter().map(item);
    let (begin, others) = items.partition(|item: &Item| item.begins || item.acts_first);
    page(&List {
        l: ask.layout("procedures-title").current("rules"),
        crumbs: crumbs(&ask, &[]),
        begin,
        others,
    })
}

#[derive(Template)]
#[template(path = "governance/case_form.html")]
struct CaseForm {
    l: Layout,
    crumbs: Vec<Crumb>,
    help: Option<String>,
    action: String,
    /// Where a draft is thrown away.
    discard: String,
    back: String,
    controls: Vec<Control>,
    lists: Vec<(String, Vec<String>)>,
    /// The version of the draft or returned form that is changed.
    version: Option<u64>,
    /// Given back for correction: handed in again without a draft.
    returned: bool,
    emergency: bool,
    report_within: Option<String>,
    error: Option<String>,
}

/// Which form it is.
enum At<'a> {
    New { emergency: bool },
    Case(&'a CaseView),
}

fn form(ask: &Ask, procedure: &Procedure, at: &At<'_>, filled: &Filled, references: &References) -> CaseForm {
    let (texts, language) = (ask.texts(), translated(ask.texts()));
    let (action, back, version, returned, emergency) = match at {
        At::New { emergency } => {
            let action = format!("/rules/procedures/{}/new", procedure.code);
            (action, "/rules/procedures".to_owned(), None, false, *emergency)
        }
        At::Case(view) => {
            let returned = view.stage == CaseStage::Returned;
            let back = if returned { format!("/rules/cases/{}", view.id) } else { "/rules".to_owned() };
            (format!("/rules/cases/{}/edit", view.id), back, Some(view.version), returned, view.emergency)
        }
    };
    let within = procedure.emergency.as_ref().filter(|_| emergency);
    CaseForm {
        l: frame(ask, procedure.name(language).to_owned(), &action),
        crumbs: crumbs(ask, &[("/rules/procedures", &texts.get("procedures-title"))]),
        help: procedure.help(language).map(str::to_owned),
        discard: action.replace("/edit", "/discard"),
        action,
        back,
        controls: controls(ask, &procedure.fields, filled, references),
        lists: references.suggestions(),
        version,
        returned,
        emergency,
        report_within: within.map(|found| super::words::period(found.report_within, texts)),
        error: None,
    }
}

fn procedure<'a>(ask: &'a Ask, code: &str) -> Result<&'a Procedure, Fault> {
    ask.web.app.pack().procedure(code).ok_or_else(Fault::not_found)
}

/// `GET /rules/procedures/{procedure}/new`; `?emergency` for acting first.
pub(crate) async fn new_form(ask: Ask, Path(code): Path<String>, Query(query): Query) -> Answered {
    let (found, emergency) = (procedure(&ask, &code)?, query.has("emergency"));
    let may = ask.web.app.procedures(&ask.caller).await?;
    let begins = |one: &ProcedureSummary<'_>| if emergency { one.may_act_first } else { one.may_begin };
    if !may.iter().any(|one| one.procedure.code == code && begins(one)) {
        return Err(Fault::status(StatusCode::FORBIDDEN));
    }
    let references = References::ask(&ask, &found.fields).await?;
    page(&form(&ask, found, &At::New { emergency }, &Filled::default(), &references))
}

/// `POST /rules/procedures/{procedure}/new`: kept as a draft, to be gone on with or looked at.
pub(crate) async fn begin(ask: Ask, Path(code): Path<String>, sent: Form) -> Answered {
    let found = procedure(&ask, &code)?;
    let emergency = sent.fields.get("emergency") == "yes";
    let references = References::ask(&ask, &found.fields).await?;
    let (mut filled, typed) = Filled::read(&ask, &found.fields, &sent, &references).await?;
    let checks = sent.fields.get("step") == "check";
    if checks {
        missing(&ask, &found.fields, &mut filled);
    }
    let mut error = None;
    if filled.more.is_none() && filled.wrong.is_empty() {
        match ask.web.app.save_draft(&ask.caller, &code, None, &typed).await {
            Ok((id, _)) => return Ok(see(&onwards(id, checks, emergency))),
            Err(failure) => error = Some(Fault::from(failure)),
        }
    }
    let (status, told) = blamed(&ask, &found.fields, &mut filled, error)?;
    let mut shown = form(&ask, found, &At::New { emergency }, &filled, &references);
    shown.error = told;
    page_with(status, &shown)
}

fn onwards(id: ObjectId, checks: bool, emergency: bool) -> String {
    match (checks, emergency) {
        (true, true) => format!("/rules/cases/{id}/send?emergency"),
        (true, false) => format!("/rules/cases/{id}/send"),
        (false, _) => format!("/rules/cases/{id}/edit?done=draft-saved"),
    }
}

/// Marks what must be filled in and is not, as far as that depends on nothing else.
pub(super) fn missing(ask: &Ask, fields: &[Field], filled: &mut Filled) {
    for field in fields.iter().filter(|field| field.required && field.when.is_none()) {
        let empty = filled.typed.get(&field.code).is_none_or(Vec::is_empty);
        if empty && !matches!(field.kind, FieldType::Derived(_)) {
            filled.wrong.entry(field.code.clone()).or_insert_with(|| ask.texts().get("input-missing"));
        }
    }
}

/// Puts what is wrong beside its fields; gives the status and what the head of the form says, or
/// gives up where the person may not go on.
pub(super) fn blamed(
    ask: &Ask,
    fields: &[Field],
    filled: &mut Filled,
    fault: Option<Fault>,
) -> Result<(StatusCode, Option<String>), Fault> {
    let texts = ask.texts();
    let Some(mut fault) = fault else {
        if filled.wrong.is_empty() {
            return Ok((StatusCode::OK, None));
        }
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, Some(texts.get("form-has-faults"))));
    };
    if !shown_again(&fault) {
        return Err(fault);
    }
    let before = fault.faults.len();
    fault.faults = filled.blame(fields, &fault.faults, texts);
    let beside = before > 0 && fault.faults.is_empty();
    let told = if beside { texts.get("form-has-faults") } else { form_error(&fault, texts) };
    Ok((fault.status, Some(told)))
}

/// What was typed into a case's form, as its inputs show it.
fn filled(view: &CaseView, references: &References) -> Filled {
    let mut filled = Filled::default();
    for field in &view.procedure.fields {
        let Some(typed) = view.typed.get(&field.code) else { continue };
        let texts = typed.iter().map(|text| references.label(&field.kind, text));
        filled.typed.insert(field.code.clone(), texts.collect());
        if matches!(field.kind, FieldType::File) {
            let unnamed = typed.iter().map(|id| (id.clone(), "–".to_owned()));
            filled.files.extend(unnamed);
        }
    }
    for label in view.shown.values().flatten() {
        if let mimamori_app::Label::File { id, name } = label {
            filled.files.insert(id.to_string(), name.clone());
        }
    }
    filled
}

/// A draft or returned form of the caller's own.
async fn own(ask: &Ask, case: &str) -> Result<CaseView, Fault> {
    let view = ask.web.app.case(&ask.caller, id(case)?).await?;
    if view.may.edit || view.may.resubmit {
        return Ok(view);
    }
    Err(Fault::status(if view.applicant.0 == ask.caller.actor_id() {
        StatusCode::CONFLICT
    } else {
        StatusCode::FORBIDDEN
    }))
}

/// Whether it is a draft that cannot be handed in, because the rules have its procedure no more: its
/// page says so and offers to throw it away.
fn gone(view: &CaseView) -> bool {
    view.gone && view.may.edit
}

/// `GET /rules/cases/{id}/edit`
pub(crate) async fn edit_form(ask: Ask, Path(case): Path<String>, Query(query): Query) -> Answered {
    let view = own(&ask, &case).await?;
    if gone(&view) {
        return Ok(see(&format!("/rules/cases/{}", view.id)));
    }
    let references = References::ask(&ask, &view.procedure.fields).await?;
    let filled = filled(&view, &references);
    let mut shown = form(&ask, &view.procedure, &At::Case(&view), &filled, &references);
    shown.l = shown.l.done(query.get("done"));
    page(&shown)
}

/// `POST /rules/cases/{id}/edit`: a draft is kept; a returned form is handed in again.
pub(crate) async fn edit(ask: Ask, Path(case): Path<String>, sent: Form) -> Answered {
    let view = own(&ask, &case).await?;
    if gone(&view) {
        return Ok(see(&format!("/rules/cases/{}", view.id)));
    }
    let seen: u64 = sent.fields.parsed("version").ok_or_else(|| Fault::status(StatusCode::BAD_REQUEST))?;
    let fields = &view.procedure.fields;
    let references = References::ask(&ask, fields).await?;
    let (mut filled, typed) = Filled::read(&ask, fields, &sent, &references).await?;
    let checks = sent.fields.get("step") == "check";
    if checks {
        missing(&ask, fields, &mut filled);
    }
    let mut error = None;
    if filled.more.is_none() && filled.wrong.is_empty() {
        let (app, caller) = (&ask.web.app, &ask.caller);
        let done = if view.stage == CaseStage::Returned {
            let done = app.resubmit_case(caller, view.id, seen, &typed).await;
            done.map(|()| format!("/rules/cases/{}?done=case-sent", view.id))
        } else {
            let draft = Some((view.id, seen));
            let done = app.save_draft(caller, &view.procedure.code, draft, &typed).await;
            done.map(|(id, _)| onwards(id, checks, sent.fields.get("emergency") == "yes"))
        };
        match done {
            Ok(address) => return Ok(see(&address)),
            Err(failure) => error = Some(Fault::from(failure)),
        }
    }
    let (status, told) = blamed(&ask, fields, &mut filled, error)?;
    let mut shown = form(&ask, &view.procedure, &At::Case(&view), &filled, &references);
    shown.version = Some(seen);
    shown.error = told;
    page_with(status, &shown)
}

#[derive(Template)]
#[template(path = "governance/case_send.html")]
struct Send {
    l: Layout,
    crumbs: Vec<Crumb>,
    base: String,
    lines: Vec<Line>,
    version: u64,
    emergency: bool,
}

/// `GET /rules/cases/{id}/send`: the last look before a draft is handed in.
pub(crate) async fn look(ask: Ask, Path(case): Path<String>, Query(query): Query) -> Answered {
    let view = own(&ask, &case).await?;
    if !view.may.edit {
        return Err(Fault::status(StatusCode::CONFLICT));
    }
    if gone(&view) {
        return Ok(see(&format!("/rules/cases/{}", view.id)));
    }
    let fields = &view.procedure.fields;
    let references = References::ask(&ask, fields).await?;
    let filled = filled(&view, &references);
    let (texts, base) = (ask.texts(), format!("/rules/cases/{}", view.id));
    let name = view.procedure.name(translated(texts)).to_owned();
    let control = controls(&ask, fields, &filled, &references);
    let lines = control.iter().filter_map(|control| Line::typed(control, &base));
    page(&Send {
        l: frame(&ask, texts.with("case-send-title", "name", &name), &format!("{base}/send")),
        crumbs: crumbs(&ask, &[("/rules/procedures", &texts.get("procedures-title"))]),
        lines: lines.collect(),
        version: view.version,
        emergency: query.has("emergency"),
        base,
    })
}

/// `POST /rules/cases/{id}/send`: handed in; what is wrong leads back to the form.
pub(crate) async fn send(ask: Ask, Path(case): Path<String>, sent: Fields) -> Answered {
    let view = ask.web.app.case(&ask.caller, id(&case)?).await?;
    if gone(&view) {
        return Ok(see(&format!("/rules/cases/{}", view.id)));
    }
    let seen: u64 = sent.parsed("version").ok_or_else(|| Fault::status(StatusCode::BAD_REQUEST))?;
    let emergency = sent.get("emergency") == "yes";
    let done = ask.web.app.submit_case(&ask.caller, view.id, seen, &view.typed, emergency).await;
    let fault = match done {
        Ok(()) => return Ok(see(&format!("/rules/cases/{}?done=case-sent", view.id))),
        Err(failure) => Fault::from(failure),
    };
    if !view.may.edit || fault.status == StatusCode::CONFLICT {
        return Err(fault);
    }
    let fields = &view.procedure.fields;
    let references = References::ask(&ask, fields).await?;
    let mut filled = filled(&view, &references);
    let (status, told) = blamed(&ask, fields, &mut filled, Some(fault))?;
    let mut shown = form(&ask, &view.procedure, &At::Case(&view), &filled, &references);
    shown.emergency = emergency;
    shown.error = told;
    page_with(status, &shown)
}

/// `POST /rules/cases/{id}/discard`
pub(crate) async fn discard(ask: Ask, Path(case): Path<String>, sent: Fields) -> Answered {
    let seen: u64 = sent.parsed("version").ok_or_else(|| Fault::status(StatusCode::BAD_REQUEST))?;
    ask.web.app.discard_draft(&ask.caller, id(&case)?, seen).await?;
    Ok(see("/rules?done=draft-discarded"))
}
