//! One account: what it is, until when it lives and what is planned; saying when it ends and what it is for,
//! and closing it for good.

use askama::Template;
use axum::extract::Path;
use mimamori_app::{AccountDetail, AccountSort, LinkView};
use mimamori_domain::{ActorId, Timestamp};

use super::accounts::{Row, back};
use super::{form_error, id, shown_again};
use crate::dates;
use crate::error::{Answered, Fault};
use crate::forms::{Fields, Query};
use crate::language::Texts;
use crate::layout::{Ask, Layout, page, page_with, see};

#[derive(Template)]
#[template(path = "account.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    pub(super) row: Row,
    pub(super) institution: Option<String>,
    /// What it is for, in words; and all that it may be, with their words.
    pub(super) sort: String,
    pub(super) sorts: Vec<(&'static str, String, bool)>,
    /// Until when it may be used, and why.
    pub(super) ends: Option<String>,
    pub(super) ends_because: Option<String>,
    pub(super) closes: bool,
    pub(super) stopped_because: Option<String>,
    pub(super) closed: Option<String>,
    /// What changes later: when, and what.
    pub(super) planned: Vec<(String, String)>,
    /// When it is open for maintenance.
    pub(super) windows: Vec<(String, String)>,
    /// It is an emergency account that the caller may seal.
    pub(super) seals: bool,
    /// What they must return: register and name.
    pub(super) held: Vec<(String, String)>,
    pub(super) may_end: bool,
    pub(super) may_close: bool,
    /// As whom the identity provider knows them, and since when that is linked.
    pub(super) link: Option<LinkView>,
    pub(super) since: String,
    pub(super) may_link: bool,
    /// It is a shared id: who may take it, one sign-in name on each line.
    pub(super) shared: bool,
    pub(super) people: String,
    /// The form of the link as typed.
    pub(super) subject: String,
    /// The form of the end as typed.
    pub(super) at: String,
    pub(super) reason: String,
    pub(super) back: String,
    pub(super) error: Option<String>,
}

/// Why an account is stopped: the program's own words are translated, a person's are told as they are.
pub(super) fn because(text: &str, texts: &Texts) -> String {
    text.strip_prefix('=').map_or_else(|| text.to_owned(), |word| texts.get(&format!("because-{word}")))
}

impl Page {
    fn of(detail: &AccountDetail, institution: Option<String>, ask: &Ask) -> Self {
        let texts = ask.texts();
        let when = |at: Timestamp| dates::date_time(at, texts);
        let life = &detail.life;
        let row = Row::of(detail, ask);
        let word = |sort: AccountSort| texts.get(&format!("sort-{}", sort.as_str()));
        let planned = |(at, what): &(Timestamp, Vec<&'static str>)| {
            let words: Vec<String> = what.iter().map(|what| texts.get(&format!("planned-{what}"))).collect();
            (when(*at), words.join(texts.get("list-comma").as_str()))
        };
        Self {
            l: ask.layout("account-title").at(&row.base).current("accounts"),
            institution,
            sort: word(life.sort),
            sorts: AccountSort::ALL
                .into_iter()
                .map(|sort| (sort.as_str(), word(sort), sort == life.sort))
                .collect(),
            ends: life.ends.map(when),
            ends_because: life.ends_because.as_deref().map(|text| because(text, texts)),
            closes: life.closes,
            stopped_because: life.stopped_because.as_deref().map(|text| because(text, texts)),
            closed: life.closed.map(when),
            planned: life.planned.iter().map(planned).collect(),
            windows: life.windows.iter().map(|(from, until)| (when(*from), when(*until))).collect(),
            seals: detail.may_close && life.sort == AccountSort::Emergency,
            held: Vec::new(),
            may_end: detail.may_end,
            may_close: detail.may_close,
            since: detail.link.as_ref().map(|link| when(link.since)).unwrap_or_default(),
            link: detail.link.clone(),
            may_link: detail.may_link,
            shared: life.sort == AccountSort::Shared,
            people: String::new(),
            subject: String::new(),
            at: life.ends.map(dates::to_local).unwrap_or_default(),
            reason: String::new(),
            back: back(detail),
            error: None,
            row,
        }
    }
}

async fn asked(ask: &Ask, actor: &str) -> Result<(ActorId, Page), Fault> {
    let actor: ActorId = id(actor)?;
    let detail = ask.web.app.account(&ask.caller, actor).await?;
    let mut institution = None;
    if let Some(id) = detail.account.institution {
        let known = ask.web.app.institutions(&ask.caller).await?;
        institution = known.into_iter().find(|(known, _)| *known == id).map(|(_, name)| name);
    }
    let mut shown = Page::of(&detail, institution, ask);
    if shown.shared {
        let people = ask.web.app.permitted_people(&ask.caller, actor).await?;
        shown.people = people.into_iter().map(|(login, _)| login).collect::<Vec<_>>().join("\n");
    }
    shown.held = held(ask, actor).await?;
    Ok((actor, shown))
}

/// What somebody must return: register and name.
async fn held(ask: &Ask, actor: ActorId) -> Result<Vec<(String, String)>, Fault> {
    let found = ask.web.app.held_items(&ask.caller, actor).await?;
    let language = super::governance::translated(ask.texts());
    Ok(found.into_iter().map(|item| (item.register_name.get(language).to_owned(), item.title)).collect())
}

#[derive(Template)]
#[template(path = "held.html")]
pub(super) struct Held {
    pub(super) l: Layout,
    pub(super) name: String,
    pub(super) login: String,
    pub(super) held: Vec<(String, String)>,
    pub(super) day: String,
    pub(super) back: String,
}

/// `GET /admin/accounts/{actor}/held`: on paper, to be ticked off.
pub(crate) async fn paper(ask: Ask, Path(actor): Path<String>) -> Answered {
    let actor: ActorId = id(&actor)?;
    let detail = ask.web.app.account(&ask.caller, actor).await?;
    page(&Held {
        l: ask.layout("held-title").current("accounts"),
        held: held(&ask, actor).await?,
        day: dates::date(dates::day_of(ask.web.now()), ask.texts()),
        back: format!("/admin/accounts/{actor}"),
        name: detail.account.name,
        login: detail.account.login,
    })
}

/// `GET /admin/accounts/{actor}`
pub(crate) async fn show(ask: Ask, Path(actor): Path<String>, Query(query): Query) -> Answered {
    let (_, mut shown) = asked(&ask, &actor).await?;
    shown.l = shown.l.done(query.get("done"));
    page(&shown)
}

fn answered(ask: &Ask, mut form: Page, done: Result<(), mimamori_app::Error>, word: &str) -> Answered {
    let Err(error) = done else { return Ok(see(&format!("{}?done={word}", form.row.base))) };
    let fault = Fault::from(error);
    if !shown_again(&fault) {
        return Err(fault);
    }
    form.error = Some(form_error(&fault, ask.texts()));
    page_with(fault.status, &form)
}

/// What became of a change that another page's part of the form asked for.
pub(super) async fn told(
    ask: &Ask,
    actor: &str,
    done: Result<(), mimamori_app::Error>,
    fields: &Fields,
    word: &str,
) -> Answered {
    let (_, mut form) = asked(ask, actor).await?;
    form.subject = fields.get("subject").to_owned();
    answered(ask, form, done, word)
}

/// `POST /admin/accounts/{actor}/ends`: when it ends; an empty time takes the end away.
pub(crate) async fn ends(ask: Ask, Path(actor): Path<String>, fields: Fields) -> Answered {
    let (actor, mut form) = asked(&ask, &actor).await?;
    (form.at, form.reason) = (fields.get("at").to_owned(), fields.lines("reason"));
    let ends = dates::from_local(&form.at);
    if ends.is_none() && !form.at.is_empty() {
        form.error = Some(ask.texts().get("ends-wrong"));
        return page_with(axum::http::StatusCode::UNPROCESSABLE_ENTITY, &form);
    }
    let done = ask.web.app.set_account_end(&ask.caller, actor, ends, &form.reason).await;
    answered(&ask, form, done, "ends-saved")
}

/// `POST /admin/accounts/{actor}/sort`: what it is for.
pub(crate) async fn sort(ask: Ask, Path(actor): Path<String>, fields: Fields) -> Answered {
    let (actor, mut form) = asked(&ask, &actor).await?;
    form.reason = fields.lines("reason");
    let sort = AccountSort::of(fields.get("sort")).ok_or_else(Fault::not_found)?;
    let done = ask.web.app.set_account_sort(&ask.caller, actor, sort, &form.reason).await;
    answered(&ask, form, done, "sort-saved")
}
