//! アカウントの管理: the accounts of an institution's staff; stopping and resuming one, with a reason.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use mimamori_app::AccountDetail;
use mimamori_domain::{ActorId, InstitutionId};

use super::account_life::because;
use super::review::Institution;
use super::{form_error, id, shown_again};
use crate::dates;
use crate::error::{Answered, Fault};
use crate::forms::{Fields, Query};
use crate::language::Language;
use crate::layout::{Ask, Layout, page, page_with, see};
use crate::navigation::{administers_everywhere, sees_terminals};

#[derive(Template)]
#[template(path = "accounts.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    /// To choose from; empty for whoever administers their own institution only.
    pub(super) institutions: Vec<Institution>,
    /// Of all pages.
    pub(super) count: u64,
    pub(super) page: usize,
    pub(super) pages: usize,
    /// The address of a page, but for `page=` and its number.
    pub(super) more: String,
    pub(super) rows: Vec<Row>,
    pub(super) sees_terminals: bool,
    /// Many accounts may be made from a table.
    pub(super) may_import: bool,
    /// How many nobody used lately, and after how many days they are stopped; 0: never.
    pub(super) unused: u64,
    pub(super) stop_days: u64,
    /// Whether anything may be done with one of them.
    pub(super) changes: bool,
}

/// One account in words.
pub(super) struct Row {
    pub(super) base: String,
    pub(super) login: String,
    pub(super) name: String,
    pub(super) occupation: String,
    pub(super) roles: String,
    pub(super) active: bool,
    /// The last sign-in, for programs and in words.
    pub(super) last: Option<(String, String)>,
    pub(super) may_stop: bool,
    pub(super) may_resume: bool,
    pub(super) may_change: bool,
    pub(super) may_reissue: bool,
    /// Until when tries to sign in are refused.
    pub(super) locked: Option<String>,
    pub(super) leaked: bool,
    pub(super) unused: bool,
    /// Until when it may be used.
    pub(super) ends: Option<String>,
    /// Why it is stopped, and whether it is closed for good.
    pub(super) because: Option<String>,
    pub(super) closed: bool,
    /// A first password is out, good until then.
    pub(super) first: Option<String>,
}

impl Row {
    pub(super) fn of(detail: &AccountDetail, ask: &Ask) -> Self {
        let (account, texts) = (&detail.account, ask.texts());
        let language = match texts.language {
            Language::Japanese => mimamori_policy::Language::Ja,
            Language::English => mimamori_policy::Language::En,
        };
        let pack = ask.web.app.pack();
        let roles = detail.roles.iter().map(|code| {
            pack.role(code).map_or_else(|| code.to_string(), |role| role.name(language).to_owned())
        });
        let occupation = account.occupation.as_ref();
        Self {
            base: format!("/admin/accounts/{}", account.actor),
            login: account.login.clone(),
            name: account.name.clone(),
            occupation: occupation.map_or_else(|| "–".to_owned(), |o| ask.web.occupations.word(o, texts)),
            roles: if detail.roles.is_empty() {
                "–".to_owned()
            } else {
                roles.collect::<Vec<_>>().join(texts.get("list-comma").as_str())
            },
            active: account.active,
            last: detail.last_sign_in.map(|at| (dates::machine(at), dates::date_time(at, texts))),
            may_stop: detail.may_stop,
            may_resume: detail.may_resume,
            may_change: detail.may_change,
            may_reissue: detail.may_reissue,
            locked: detail.locked_until.map(|until| dates::date_time(until, texts)),
            leaked: detail.leaked,
            unused: detail.unused,
            ends: detail.life.ends.map(|ends| dates::date_time(ends, texts)),
            because: detail.life.stopped_because.as_deref().map(|text| because(text, texts)),
            closed: detail.life.closed.is_some(),
            first: detail.first_until.map(|until| dates::date_time(until, texts)),
        }
    }
}

/// Accounts on one page.
const ROWS: usize = 25;

/// `GET /admin/accounts`: of the institution in the address, or the caller's own.
pub(crate) async fn list(ask: Ask, Query(query): Query) -> Answered {
    let (app, caller) = (&ask.web.app, &ask.caller);
    let mut known = Vec::new();
    if administers_everywhere(caller) {
        known = app.institutions(caller).await?;
    }
    let first = known.first().map(|(id, _)| *id);
    let chosen: Option<InstitutionId> = query.parsed("institution").or(caller.institution()).or(first);
    let chosen = chosen.ok_or_else(Fault::not_found)?;
    let found = app.accounts_of(caller, chosen).await?;
    let pages = found.len().div_ceil(ROWS).max(1);
    let number = query.parsed::<usize>("page").unwrap_or(1).clamp(1, pages);
    let shown = found.iter().skip((number - 1) * ROWS).take(ROWS);
    page(&Page {
        l: ask.layout("accounts-title").current("accounts").done(query.get("done")),
        institutions: known
            .into_iter()
            .map(|(id, name)| Institution { chosen: chosen == id, id: id.to_string(), name })
            .collect(),
        changes: found
            .iter()
            .any(|detail| detail.may_stop || detail.may_resume || detail.may_change || detail.may_reissue),
        sees_terminals: sees_terminals(caller),
        may_import: app.may_import_accounts(caller),
        unused: found.iter().filter(|detail| detail.unused).count() as u64,
        stop_days: app.pack().parameter_u64("accounts.unused-stop-days")?,
        count: found.len() as u64,
        page: number,
        pages,
        more: format!("/admin/accounts?institution={chosen}&"),
        rows: shown.map(|detail| Row::of(detail, &ask)).collect(),
    })
}

#[derive(Template)]
#[template(path = "account_change.html")]
pub(super) struct Change {
    pub(super) l: Layout,
    pub(super) row: Row,
    pub(super) text: String,
    pub(super) hint: String,
    pub(super) button: String,
    pub(super) style: &'static str,
    pub(super) action: String,
    pub(super) back: String,
    pub(super) reason: String,
    pub(super) error: Option<String>,
}

/// What may be done with an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    Stop,
    Resume,
    /// For good.
    Close,
}

impl Doing {
    /// Last part of the address, title, explanation, hint of the reason, button, its style, and the word
    /// for having done it.
    pub(super) const fn words(self) -> [&'static str; 7] {
        match self {
            Self::Stop => {
                ["stop", "stop-title", "stop-text", "stop-reason-hint", "stop-button", "danger", "stopped"]
            }
            Self::Resume => [
                "resume",
                "resume-title",
                "resume-text",
                "resume-reason-hint",
                "resume-button",
                "",
                "resumed",
            ],
            Self::Close => [
                "close",
                "close-title",
                "close-text",
                "close-reason-hint",
                "close-button",
                "danger",
                "closed",
            ],
        }
    }
}

/// The page that asks for the reason, which is the confirmation too.
async fn asked(ask: &Ask, actor: &str, doing: Doing) -> Result<(ActorId, Change), Fault> {
    let actor: ActorId = id(actor)?;
    let detail = ask.web.app.account(&ask.caller, actor).await?;
    let [part, title, text, hint, button, style, _] = doing.words();
    let texts = ask.texts();
    let row = Row::of(&detail, ask);
    let action = format!("{}/{part}", row.base);
    let back = back(&detail);
    let change = Change {
        l: ask.layout(title).at(&action).current("accounts"),
        row,
        text: texts.get(text),
        hint: texts.get(hint),
        button: texts.get(button),
        style,
        action,
        back,
        reason: String::new(),
        error: None,
    };
    Ok((actor, change))
}

/// The list that an account is in.
pub(super) fn back(detail: &AccountDetail) -> String {
    match detail.account.institution {
        Some(institution) => format!("/admin/accounts?institution={institution}"),
        None => "/admin/accounts".to_owned(),
    }
}

/// Back to that list, which says what was done.
fn back_saying(back: &str, done: &str) -> Answered {
    let join = if back.contains('?') { '&' } else { '?' };
    Ok(see(&format!("{back}{join}done={done}")))
}

async fn form(ask: Ask, actor: &str, doing: Doing) -> Answered {
    page(&asked(&ask, actor, doing).await?.1)
}

async fn carried_out(ask: Ask, actor: &str, fields: &Fields, doing: Doing) -> Answered {
    let (actor, mut form) = asked(&ask, actor, doing).await?;
    form.reason = fields.lines("reason");
    if form.reason.is_empty() {
        form.error = Some(ask.texts().get("reason-missing"));
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &form);
    }
    let (app, caller) = (&ask.web.app, &ask.caller);
    let done = match doing {
        Doing::Stop => app.stop_actor(caller, actor, &form.reason).await,
        Doing::Resume => app.resume_actor(caller, actor, &form.reason).await,
        Doing::Close => app.close_account(caller, actor, &form.reason).await,
    };
    let [.., word] = doing.words();
    match done {
        Ok(()) => back_saying(&form.back, word),
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

/// `GET /admin/accounts/{actor}/stop`
pub(crate) async fn stop_form(ask: Ask, Path(actor): Path<String>) -> Answered {
    form(ask, &actor, Doing::Stop).await
}

/// `POST /admin/accounts/{actor}/stop`
pub(crate) async fn stop(ask: Ask, Path(actor): Path<String>, fields: Fields) -> Answered {
    carried_out(ask, &actor, &fields, Doing::Stop).await
}

/// `GET /admin/accounts/{actor}/resume`
pub(crate) async fn resume_form(ask: Ask, Path(actor): Path<String>) -> Answered {
    form(ask, &actor, Doing::Resume).await
}

/// `POST /admin/accounts/{actor}/resume`
pub(crate) async fn resume(ask: Ask, Path(actor): Path<String>, fields: Fields) -> Answered {
    carried_out(ask, &actor, &fields, Doing::Resume).await
}

/// `GET /admin/accounts/{actor}/close`
pub(crate) async fn close_form(ask: Ask, Path(actor): Path<String>) -> Answered {
    form(ask, &actor, Doing::Close).await
}

/// `POST /admin/accounts/{actor}/close`
pub(crate) async fn close(ask: Ask, Path(actor): Path<String>, fields: Fields) -> Answered {
    carried_out(ask, &actor, &fields, Doing::Close).await
}

#[derive(Template)]
#[template(path = "account_mail.html")]
pub(super) struct Mail {
    pub(super) l: Layout,
    pub(super) row: Row,
    pub(super) mail: String,
    pub(super) back: String,
    pub(super) error: Option<String>,
}

async fn mail_page(ask: &Ask, actor: ActorId) -> Result<Mail, Fault> {
    let detail = ask.web.app.account(&ask.caller, actor).await?;
    let row = Row::of(&detail, ask);
    Ok(Mail {
        l: ask.layout("account-mail-title").at(format!("{}/mail", row.base)).current("accounts"),
        row,
        mail: detail.mail.clone().unwrap_or_default(),
        back: back(&detail),
        error: None,
    })
}

/// `GET /admin/accounts/{actor}/mail`
pub(crate) async fn mail_form(ask: Ask, Path(actor): Path<String>) -> Answered {
    page(&mail_page(&ask, id(&actor)?).await?)
}

/// `POST /admin/accounts/{actor}/mail`
pub(crate) async fn mail(ask: Ask, Path(actor): Path<String>, fields: Fields) -> Answered {
    let actor = id(&actor)?;
    let mut form = mail_page(&ask, actor).await?;
    fields.get("mail").clone_into(&mut form.mail);
    match ask.web.app.set_mail(&ask.caller, actor, &form.mail).await {
        Ok(()) => back_saying(&form.back, if form.mail.is_empty() { "mail-removed" } else { "mail-saved" }),
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
