//! Searching one person's notebook for words. The words come by POST, so that they stand in no address.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use mimamori_app::TimelineFilter;
use mimamori_domain::{ErrorKind, SubjectId};

use super::person::{RECORDS, entry};
use super::{Head, form_error, id, paging};
use crate::dates;
use crate::error::{Answered, Fault};
use crate::forms::Fields;
use crate::layout::{Ask, Layout, page, page_with};
use crate::present::{Item, Names};

#[derive(Template)]
#[template(path = "found.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    pub(super) head: Head,
    pub(super) words: String,
    pub(super) error: Option<String>,
    pub(super) found: Option<Found>,
}

pub(super) struct Found {
    pub(super) items: Vec<Item>,
    /// Back to when was searched, where more is left.
    pub(super) reached: Option<String>,
    pub(super) next: Option<String>,
}

/// `POST /people/{subject}/find`
pub(crate) async fn show(ask: Ask, Path(subject): Path<String>, fields: Fields) -> Answered {
    let subject: SubjectId = id(&subject)?;
    let (app, caller, texts) = (&ask.web.app, &ask.caller, ask.texts());
    let (person, head) = Head::ask(&ask, subject).await?;
    let words = fields.get("words").trim().to_owned();
    let l = ask.layout("find-title").at(head.person.page.clone());
    let paging = paging(&fields, RECORDS);
    let found = app.find_in_timeline(caller, subject, &words, &TimelineFilter::default(), &paging).await;
    let found = match found {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::Invalid => {
            let error = Some(form_error(&Fault::from(error), texts));
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return page_with(status, &Page { l, head, words, error, found: None });
        }
        Err(error) => return Err(error.into()),
    };
    let names = Names::of(&ask.web, caller, &found.page.items, &person.told_institutions()).await?;
    page(&Page {
        l,
        head,
        words,
        error: None,
        found: Some(Found {
            items: found.page.items.iter().map(|stored| entry(&ask, stored, person.may, &names)).collect(),
            reached: found.reached.map(|at| dates::date_time(at, texts)),
            next: found.page.next,
        }),
    })
}
