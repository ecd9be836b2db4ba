//! キーボードの操作: which keys do what, and a switch for them (WCAG 2.1.4).

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};

use crate::error::{Answered, Fault};
use crate::forms::Fields;
use crate::layout::{Ask, KEYS_COOKIE, Layout, page, see};

/// Keys as they are pressed, and the text of what they do.
const KEYS: [(&str, &str); 4] =
    [("/", "keys-search"), ("n", "keys-note"), ("g h", "keys-home"), ("?", "keys-help")];

#[derive(Template)]
#[template(path = "keys.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    /// Each key of a row, and what they do.
    pub(super) rows: Vec<(Vec<&'static str>, &'static str)>,
}

pub(super) fn rows() -> Vec<(Vec<&'static str>, &'static str)> {
    KEYS.iter().map(|(keys, does)| (keys.split(' ').collect(), *does)).collect()
}

/// `GET /keys`
pub(crate) async fn show(ask: Ask) -> Answered {
    page(&Page { l: ask.layout("keys-title").at("/keys"), rows: rows() })
}

/// `POST /keys`: kept by the browser, for whoever uses it.
pub(crate) async fn switch(ask: Ask, fields: Fields) -> Answered {
    let secure = if ask.web.settings.tls { "; Secure" } else { "" };
    let value = if fields.get("keys") == "off" { "off; Max-Age=31536000" } else { "; Max-Age=0" };
    let cookie = format!("{KEYS_COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax{secure}");
    let cookie =
        HeaderValue::from_str(&cookie).map_err(|_| Fault::status(StatusCode::INTERNAL_SERVER_ERROR))?;
    let mut response = see("/keys");
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}
