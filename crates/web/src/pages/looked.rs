//! だれがこの記録を見たか: who looked at a person's record.

use askama::Template;
use axum::extract::Path;
use jiff::ToSpan;
use jiff::civil::Date;
use mimamori_domain::SubjectId;

use super::home::encoded;
use super::{Access, Days, Head, id, paging};
use crate::dates;
use crate::error::Answered;
use crate::forms::Query;
use crate::layout::{Ask, Layout, page};

/// Accesses on one page.
pub(super) const ROWS: u32 = 40;

/// Windows offered by one touch: days, text.
pub(super) const WINDOWS: [(i32, &str); 4] =
    [(7, "window-week"), (30, "window-month"), (90, "window-quarter"), (365, "window-year")];

#[derive(Template)]
#[template(path = "looked.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    pub(super) head: Head,
    pub(super) days: Days,
    pub(super) windows: Vec<WindowChoice>,
    pub(super) rows: Vec<Access>,
    pub(super) total: Option<u64>,
    pub(super) next: Option<String>,
}

pub(super) struct WindowChoice {
    pub(super) word: String,
    pub(super) link: String,
    pub(super) chosen: bool,
}

/// The offered windows up to `today`.
pub(super) fn windows(
    base: &str,
    today: Date,
    days: &Days,
    texts: &crate::language::Texts,
) -> Vec<WindowChoice> {
    WINDOWS
        .into_iter()
        .map(|(length, key)| {
            let from = today.checked_sub((length - 1).days()).unwrap_or(today);
            WindowChoice {
                word: texts.get(key),
                link: format!("{base}?from={from}&until={today}"),
                chosen: days.from == from && days.until == today,
            }
        })
        .collect()
}

/// `GET /people/{subject}/looked`
pub(crate) async fn show(ask: Ask, Path(subject): Path<String>, Query(query): Query) -> Answered {
    let subject: SubjectId = id(&subject)?;
    let (texts, today) = (ask.texts(), dates::day_of(ask.web.now()));
    let days = Days::read(&query, today, 30);
    let (_, head) = Head::ask(&ask, subject).await?;
    let paging = paging(&query, ROWS);
    let rows = ask.web.app.who_looked(&ask.caller, subject, days.window()?, &paging).await?;
    let base = format!("/people/{subject}/looked");
    page(&Page {
        l: ask.layout("looked-title"),
        head,
        windows: windows(&base, today, &days, texts),
        rows: rows.items.iter().map(|row| Access::of(row, &ask.web.occupations, texts)).collect(),
        total: rows.total,
        next: rows.next.map(|cursor| {
            format!("{base}?from={}&until={}&cursor={}", days.from, days.until, encoded(&cursor))
        }),
        days,
    })
}
