//! 証跡の点検: the ledger in a window, by person, staff member or institution, and counted.

use askama::Template;
use axum::http::StatusCode;
use mimamori_app::ReviewQuery;
use mimamori_domain::{ActorId, InstitutionId, SubjectId};

use super::home::encoded;
use super::looked::{ROWS, WindowChoice, windows};
use super::{Access, Days, numbered, paging};
use crate::dates;
use crate::error::Answered;
use crate::forms::{Fields, Query};
use crate::layout::{Ask, Layout, page, page_with};
use crate::navigation::reviews_everywhere;
use crate::present::chart::Columns;

#[derive(Template)]
#[template(path = "review.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    pub(super) days: Days,
    pub(super) subject: String,
    pub(super) actor: String,
    pub(super) institutions: Vec<Institution>,
    /// Whether they review the whole installation, whose people are counted too.
    pub(super) everywhere: bool,
    pub(super) error: Option<String>,
    /// `None` before anything was asked.
    pub(super) found: Option<Found>,
}

pub(super) struct Found {
    pub(super) rows: Vec<Access>,
    pub(super) total: Option<u64>,
    pub(super) next: Option<String>,
}

pub(super) struct Institution {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) chosen: bool,
}

/// `GET /review`. Identifiers are random and may stand in an address.
pub(crate) async fn show(ask: Ask, Query(query): Query) -> Answered {
    let (texts, today) = (ask.texts(), dates::day_of(ask.web.now()));
    let (app, caller) = (&ask.web.app, &ask.caller);
    let institution: Option<InstitutionId> = query.parsed("institution");
    let institutions = app.institutions(caller).await?;
    let mut shown = Page {
        l: ask.layout("review-title").current("review"),
        days: Days::read(&query, today, 7),
        subject: query.get("subject").to_owned(),
        actor: query.get("actor").to_owned(),
        institutions: institutions
            .into_iter()
            .map(|(id, name)| Institution { chosen: institution == Some(id), id: id.to_string(), name })
            .collect(),
        everywhere: reviews_everywhere(caller),
        error: None,
        found: None,
    };
    if query.get("from").is_empty() && query.get("subject").is_empty() && query.get("actor").is_empty() {
        return page(&shown);
    }
    if bad_id::<SubjectId>(&query, "subject") || bad_id::<ActorId>(&query, "actor") {
        shown.error = Some(texts.get("review-bad-id"));
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &shown);
    }
    let asked = ReviewQuery {
        subject: query.parsed("subject"),
        actor: query.parsed("actor"),
        institution,
        window: shown.days.window()?,
    };
    let found = app.review(caller, &asked, &paging(&query, ROWS)).await?;
    shown.found = Some(Found {
        rows: found.items.iter().map(|row| Access::of(row, &ask.web.occupations, texts)).collect(),
        total: found.total,
        next: found.next.map(|cursor| {
            format!(
                "/review?from={}&until={}&subject={}&actor={}&institution={}&cursor={}",
                shown.days.from,
                shown.days.until,
                encoded(&shown.subject),
                encoded(&shown.actor),
                institution.map(|i| i.to_string()).unwrap_or_default(),
                encoded(&cursor)
            )
        }),
    });
    page(&shown)
}

fn bad_id<T: std::str::FromStr>(query: &Fields, name: &str) -> bool {
    !query.get(name).is_empty() && query.parsed::<T>(name).is_none()
}

#[derive(Template)]
#[template(path = "counts.html")]
pub(super) struct Counts {
    pub(super) l: Layout,
    pub(super) days: Days,
    pub(super) windows: Vec<WindowChoice>,
    /// By day, or by longer stretches where there are many days.
    pub(super) course: Columns,
    pub(super) stretches: Vec<Stretch>,
    /// The people of this page.
    pub(super) rows: Vec<Count>,
    /// How many people there are in all.
    pub(super) people: u64,
    pub(super) next: Option<String>,
}

/// How many accesses a day or several had.
pub(super) struct Stretch {
    pub(super) word: String,
    pub(super) count: u64,
    pub(super) link: String,
}

/// Stretches that are counted one by one, at most.
const STRETCHES: i32 = 62;

/// How often one person's record was accessed.
pub(super) struct Count {
    pub(super) name: String,
    pub(super) count: u64,
    /// The accesses themselves.
    pub(super) link: String,
}

/// `GET /review/counts`
pub(crate) async fn counts(ask: Ask, Query(query): Query) -> Answered {
    let today = dates::day_of(ask.web.now());
    let days = Days::read(&query, today, 7);
    let texts = ask.texts();
    let stretches = days.split(STRETCHES);
    let windows_of = stretches.iter().map(Days::window).collect::<Result<Vec<_>, _>>()?;
    let counts = ask.web.app.review_counts(&ask.caller, &windows_of, &paging(&query, ROWS)).await?;
    let people = counts.people.total.unwrap_or_default();
    let next = counts.people.next.map(|cursor| {
        format!("/review/counts?from={}&until={}&cursor={}#people", days.from, days.until, encoded(&cursor))
    });
    let rows = counts.people.items.into_iter().map(|c| Count {
        name: if c.name.is_empty() { numbered(c.subject, texts) } else { c.name },
        count: c.count,
        link: format!("/review?from={}&until={}&subject={}", days.from, days.until, c.subject),
    });
    let stretch = |(days, count): (&Days, u64)| Stretch {
        word: days.word(texts),
        count,
        link: format!("/review?from={}&until={}", days.from, days.until),
    };
    let counted = counts.windows.iter().copied();
    let drawn: Vec<_> = stretches
        .iter()
        .zip(counted.clone())
        .map(|(days, count)| {
            let told = texts.count("accesses-count", count);
            (count, dates::short(days.from), format!("{} {told}", days.word(texts)))
        })
        .collect();
    page(&Counts {
        l: ask.layout("counts-title").current("review"),
        windows: windows("/review/counts", today, &days, texts),
        course: Columns::draw(&drawn, |n| texts.short(n)),
        stretches: stretches.iter().zip(counted).map(stretch).collect(),
        rows: rows.collect(),
        people,
        next,
        days,
    })
}
