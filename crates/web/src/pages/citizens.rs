//! 市民利用者: their accounts, page by page.

use askama::Template;
use mimamori_domain::ActorId;

use super::accounts::Row;
use crate::error::Answered;
use crate::forms::Query;
use crate::layout::{Ask, Layout, page};

#[derive(Template)]
#[template(path = "citizens.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    pub(super) rows: Vec<Row>,
    /// Where the next page begins.
    pub(super) next: Option<String>,
}

/// `GET /admin/citizens`
pub(crate) async fn list(ask: Ask, Query(query): Query) -> Answered {
    let after: Option<ActorId> = query.parsed("after");
    let (found, next) = ask.web.app.citizen_accounts(&ask.caller, after).await?;
    page(&Page {
        l: ask.layout("citizens-title").current("accounts"),
        rows: found.iter().map(|detail| Row::of(detail, &ask)).collect(),
        next: next.map(|after| format!("/admin/citizens?after={after}")),
    })
}
