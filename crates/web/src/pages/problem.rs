//! Pages for what went wrong: what it means, and what to do next.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use mimamori_app::Caller;

use crate::error::Fault;
use crate::layout::{Layout, Visit, page_with};
use crate::messages;
use crate::settings::Web;

/// The texts of a status.
#[derive(Debug)]
pub(crate) struct Told {
    status: StatusCode,
    pub(crate) title: &'static str,
    pub(crate) next: &'static str,
}

macro_rules! told {
    ($($status:ident $title:literal $next:literal;)*) => {
        [$(Told { status: StatusCode::$status, title: $title, next: $next },)*]
    };
}

static TOLD: [Told; 14] = told! {
    BAD_REQUEST "problem-400-title" "problem-400-next";
    UNAUTHORIZED "problem-401-title" "problem-401-next";
    FORBIDDEN "problem-403-title" "problem-403-next";
    NOT_FOUND "problem-404-title" "problem-404-next";
    METHOD_NOT_ALLOWED "problem-405-title" "problem-405-next";
    REQUEST_TIMEOUT "problem-408-title" "problem-408-next";
    CONFLICT "problem-409-title" "problem-409-next";
    GONE "problem-410-title" "problem-410-next";
    PAYLOAD_TOO_LARGE "problem-413-title" "problem-413-next";
    UNSUPPORTED_MEDIA_TYPE "problem-400-title" "problem-400-next";
    UNPROCESSABLE_ENTITY "problem-422-title" "problem-422-next";
    TOO_MANY_REQUESTS "problem-429-title" "problem-429-next";
    INTERNAL_SERVER_ERROR "problem-500-title" "problem-500-next";
    SERVICE_UNAVAILABLE "problem-503-title" "problem-503-next";
};

/// The texts for a status; those of 400 or 500 for one that has none of its own.
pub(crate) fn texts_of(status: StatusCode) -> &'static Told {
    let [bad_request, .., internal, _] = &TOLD;
    let own = TOLD.iter().find(|t| t.status == status);
    own.unwrap_or(if status.is_server_error() { internal } else { bad_request })
}

#[derive(Template)]
#[template(path = "problem.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    pub(super) next: String,
    pub(super) message: String,
    /// Where emergency access may be asked for.
    pub(super) emergency: Option<String>,
    /// The session ended while a form was sent.
    pub(super) sign_in_elsewhere: bool,
}

/// The page for a failure. `forged`: the form came from another site.
pub(crate) fn page(
    web: &Web,
    visit: &Visit,
    caller: Option<&Caller>,
    fault: &Fault,
    forged: bool,
) -> Response {
    let told = texts_of(fault.status);
    let (title, next) =
        if forged { ("problem-forged-title", "problem-forged-next") } else { (told.title, told.next) };
    let of_pack = caller.and_then(Caller::occupation).and_then(|o| web.app.pack().occupation(o));
    let carer = of_pack.is_some_and(|o| o.break_glass);
    let page = Page {
        l: Layout::new(web, visit, caller, title),
        next: visit.texts.get(next),
        message: messages::said(fault, visit.texts),
        emergency: fault.emergency.filter(|_| carer).map(|s| format!("/people/{s}/emergency")),
        sign_in_elsewhere: fault.status == StatusCode::UNAUTHORIZED,
    };
    page_with(fault.status, &page).unwrap_or_else(|_| fault.status.into_response())
}
