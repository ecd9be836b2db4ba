//! 担当の方: the people somebody cares for.

use askama::Template;

use super::paging;
use crate::dates;
use crate::error::Answered;
use crate::forms::Query;
use crate::layout::{Ask, Layout, page, see};
use crate::present::Person;

/// People on one page of a list.
pub(super) const PEOPLE: u32 = 50;

#[derive(Template)]
#[template(path = "home.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    pub(super) people: Vec<Person>,
    pub(super) total: Option<u64>,
    pub(super) next: Option<String>,
}

/// `GET /`
pub(crate) async fn show(ask: Ask, Query(query): Query) -> Answered {
    if let (false, Some(own)) = (ask.caller.is_staff(), ask.caller.own_subject()) {
        return Ok(see(&format!("/people/{own}")));
    }
    let list = ask.web.app.my_people(&ask.caller, &paging(&query, PEOPLE)).await?;
    let (today, texts) = (dates::day_of(ask.web.now()), ask.texts());
    page(&Page {
        l: ask.layout("home-title").current("home"),
        people: list.items.iter().map(|card| Person::of(card.subject, &card.patient, today, texts)).collect(),
        total: list.total,
        next: list.next.map(|cursor| format!("/?cursor={}", encoded(&cursor))),
    })
}

/// A cursor for a query string.
pub(super) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
