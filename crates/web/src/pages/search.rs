//! Searching for people. Search terms never stand in an address: the form posts.

use askama::Template;
use axum::http::StatusCode;
use mimamori_app::PeopleQuery;

use super::{form_error, paging, shown_again};
use crate::assets::Module;
use crate::dates;
use crate::error::{Answered, Fault};
use crate::forms::Fields;
use crate::layout::{Ask, Layout, page, page_with};
use crate::present::Person;

/// People on one page of those found.
const PEOPLE: u32 = 50;

#[derive(Template)]
#[template(path = "search.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    pub(super) terms: Terms,
    pub(super) error: Option<String>,
    /// `None` before anything was searched for.
    pub(super) found: Option<Found>,
}

pub(super) struct Found {
    pub(super) people: Vec<Person>,
    pub(super) total: Option<u64>,
    pub(super) next: Option<String>,
    /// The page is not full, yet not everybody who may be meant was looked at.
    pub(super) partly: bool,
    /// Nobody was found, and the caller may look further in danger to life.
    pub(super) offers_emergency: bool,
    /// Found in danger to life: no more is shown than what declaring it needs.
    pub(super) in_emergency: bool,
}

/// What was typed.
#[derive(Default, Clone)]
pub(super) struct Terms {
    pub(super) name: String,
    pub(super) kana: String,
    pub(super) birth: String,
    pub(super) identifier: String,
    /// Asked by the module, before anybody pressed the button.
    pub(super) typing: bool,
}

impl Terms {
    fn read(fields: &Fields) -> Self {
        let get = |name| fields.get(name).to_owned();
        Self {
            name: get("name"),
            kana: get("kana"),
            birth: get("birth"),
            identifier: get("identifier"),
            typing: !fields.get("typing").is_empty(),
        }
    }

    fn query(&self) -> PeopleQuery {
        let some = |t: &String| Some(t.clone()).filter(|t| !t.is_empty());
        PeopleQuery {
            name: some(&self.name),
            kana: some(&self.kana),
            birth_date: some(&self.birth),
            identifier: some(&self.identifier),
            typing: self.typing,
            ..PeopleQuery::default()
        }
    }

    fn is_empty(&self) -> bool {
        [&self.name, &self.kana, &self.birth, &self.identifier].iter().all(|t| t.is_empty())
    }
}

fn blank(ask: &Ask, terms: Terms) -> Page {
    let l = ask.layout("search-title").at("/people/search").current("search").with(Module::Search);
    Page { l, terms, error: None, found: None }
}

/// `GET /people/search`
pub(crate) async fn form(ask: Ask) -> Answered {
    page(&blank(&ask, Terms::default()))
}

/// `POST /people/search`
pub(crate) async fn find(ask: Ask, fields: Fields) -> Answered {
    let (today, texts) = (dates::day_of(ask.web.now()), ask.texts());
    let mut shown = blank(&ask, Terms::read(&fields));
    let problem = if shown.terms.is_empty() {
        Some("search-nothing-typed")
    } else if !shown.terms.birth.is_empty() && dates::FhirTime::parse(&shown.terms.birth).is_none() {
        Some("search-birth-form")
    } else {
        None
    };
    if let Some(problem) = problem {
        shown.error = Some(texts.get(problem));
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &shown);
    }
    let paging = paging(&fields, PEOPLE);
    match ask.web.app.search_people(&ask.caller, &shown.terms.query(), &paging).await {
        Ok(list) => {
            let people = list.items.iter();
            let people = people.map(|c| Person::of(c.subject, &c.patient, today, texts)).collect();
            let partly = list.next.is_some() && list.items.len() < PEOPLE as usize;
            let offers_emergency = list.items.is_empty() && list.next.is_none() && may_declare(&ask);
            shown.found = Some(Found {
                people,
                total: list.total,
                next: list.next,
                partly,
                offers_emergency,
                in_emergency: false,
            });
            page(&shown)
        }
        Err(error) => {
            let fault = Fault::from(error);
            if !shown_again(&fault) {
                return Err(fault);
            }
            shown.error = Some(form_error(&fault, texts));
            page_with(fault.status, &shown)
        }
    }
}

/// Whether the rules let the caller's occupation break the glass.
fn may_declare(ask: &Ask) -> bool {
    let occupation = ask.caller.occupation().and_then(|code| ask.web.app.pack().occupation(code));
    occupation.is_some_and(|occupation| occupation.break_glass)
}

/// `POST /people/search/emergency`: leads to declaring an emergency for somebody whom the caller may
/// not see otherwise.
pub(crate) async fn find_in_emergency(ask: Ask, fields: Fields) -> Answered {
    let texts = ask.texts();
    let mut shown = blank(&ask, Terms::read(&fields));
    match ask.web.app.find_in_emergency(&ask.caller, &shown.terms.query()).await {
        Ok(cards) => {
            let people = cards.into_iter().map(|card| Person {
                page: format!("/people/{}/emergency", card.subject),
                name: card.name,
                kana: card.kana,
                birth: card.birth_date.and_then(|birth| dates::birth_date(&birth, texts)),
                ..Person::default()
            });
            shown.found = Some(Found {
                people: people.collect(),
                total: None,
                next: None,
                partly: false,
                offers_emergency: false,
                in_emergency: true,
            });
            page(&shown)
        }
        Err(error) => {
            let fault = Fault::from(error);
            if !shown_again(&fault) {
                return Err(fault);
            }
            shown.error = Some(form_error(&fault, texts));
            page_with(fault.status, &shown)
        }
    }
}
