//! 担当の方: the people somebody cares for; for citizens ご自分・ご家族の記録, their own record and
//! those of whom they speak for.

use askama::Template;

use super::governance::hub;
use super::paging;
use crate::dates;
use crate::error::Answered;
use crate::forms::Query;
use crate::layout::{Ask, Layout, page, see};
use crate::navigation::Navigation;
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
    /// Somebody's own and their family's.
    pub(super) own: bool,
    /// Whether to offer the search for people.
    pub(super) finds: bool,
}

/// `GET /`
pub(crate) async fn show(ask: Ask, Query(query): Query) -> Answered {
    let (own, paging) = (!ask.caller.is_staff(), paging(&query, PEOPLE));
    let list = ask.web.app.my_people(&ask.caller, &paging).await?;
    // Whoever has one record to read is led to it at once.
    if let (true, [only], None, None) = (own, list.items.as_slice(), &paging.cursor, &list.next) {
        return Ok(see(&format!("/people/{}", only.subject)));
    }
    hub::count(&ask).await;
    let (today, texts) = (dates::day_of(ask.web.now()), ask.texts());
    page(&Page {
        l: if own { ask.layout("home-title-own") } else { ask.layout("home-title") }.current("home"),
        own,
        finds: Navigation::of(&ask.web, &ask.caller).search,
        people: list.items.iter().map(|card| Person::of(card.subject, &card.patient, today, texts)).collect(),
        total: list.total,
        next: list.next.map(|cursor| format!("/?cursor={}", encoded(&cursor))),
    })
}

/// A cursor for a query string.
pub(super) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
