//! Reviews of a whole register: what was found, and looking it through again.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;

use super::entries::register;
use super::registers::way_back;
use super::words::translated;
use super::{Crumb, frame};
use crate::dates;
use crate::error::{Answered, Fault};
use crate::forms::{Fields, Query};
use crate::layout::{Ask, Layout, page, page_with, see};
use crate::pages::{form_error, shown_again};

#[derive(Template)]
#[template(path = "governance/reviews.html")]
struct Reviews {
    l: Layout,
    crumbs: Vec<Crumb>,
    base: String,
    reviews: Vec<Row>,
    may: bool,
    /// None: nobody has chosen yet. Nothing is chosen beforehand: a review is a statement.
    in_order: Option<bool>,
    finding: String,
    error: Option<String>,
}

struct Row {
    when: String,
    when_machine: String,
    by: String,
    in_order: bool,
    whole: bool,
    finding: String,
    entries: u64,
}

async fn reviews(ask: &Ask, code: &str) -> Result<Reviews, Fault> {
    let found = register(ask, code)?;
    let (texts, base) = (ask.texts(), format!("/rules/registers/{code}"));
    let may = ask.web.app.registers(&ask.caller).await?;
    let keeps = may.iter().any(|one| one.register.code == code && one.rights.keeps);
    let by: Vec<&str> = found
        .review
        .iter()
        .flat_map(|review| review.by.iter())
        .map(mimamori_policy::model::Who::as_str)
        .collect();
    let named = ask.caller.roles().iter().any(|role| by.contains(&role.as_str()));
    let reviews = ask.web.app.register_reviews(&ask.caller, code).await?;
    let row = |review: mimamori_app::RegisterReview| Row {
        when: dates::date_time(review.at, texts),
        when_machine: dates::machine(review.at),
        by: review.by,
        in_order: review.in_order,
        whole: review.whole,
        finding: review.finding,
        entries: review.entries,
    };
    let title = texts.with("reviews-title", "name", found.name(translated(texts)));
    Ok(Reviews {
        l: frame(ask, title, &format!("{base}/reviews")),
        crumbs: way_back(ask, found),
        base,
        reviews: reviews.into_iter().map(row).collect(),
        may: keeps || named,
        in_order: None,
        finding: String::new(),
        error: None,
    })
}

/// `GET /rules/registers/{register}/reviews`
pub(crate) async fn show(ask: Ask, Path(code): Path<String>, Query(query): Query) -> Answered {
    let mut shown = reviews(&ask, &code).await?;
    shown.l = shown.l.done(query.get("done"));
    page(&shown)
}

/// `POST /rules/registers/{register}/reviews`
pub(crate) async fn review(ask: Ask, Path(code): Path<String>, fields: Fields) -> Answered {
    let finding = fields.lines("finding");
    let in_order = match fields.get("in-order") {
        "yes" => true,
        "no" => false,
        _ => {
            let mut shown = reviews(&ask, &code).await?;
            shown.finding = finding;
            shown.error = Some(ask.texts().get("review-choose"));
            return page_with(StatusCode::UNPROCESSABLE_ENTITY, &shown);
        }
    };
    match ask.web.app.review_register(&ask.caller, &code, in_order, &finding).await {
        Ok(_) => Ok(see(&format!("/rules/registers/{code}/reviews?done=reviewed"))),
        Err(error) => {
            let fault = Fault::from(error);
            if !shown_again(&fault) {
                return Err(fault);
            }
            let mut shown = reviews(&ask, &code).await?;
            (shown.in_order, shown.finding) = (Some(in_order), finding);
            shown.error = Some(form_error(&fault, ask.texts()));
            page_with(fault.status, &shown)
        }
    }
}
