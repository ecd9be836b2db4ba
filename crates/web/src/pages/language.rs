//! The language switch.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;

use crate::forms::{Fields, local_path};
use crate::language::{self, Language};
use crate::layout::see;
use crate::settings::Web;

/// `POST /language`: keeps the choice for a year and leads back.
pub(crate) async fn change(State(web): State<Web>, fields: Fields) -> Response {
    let language = Language::from_tag(fields.get("lang")).unwrap_or(Language::Japanese);
    let mut response = see(local_path(fields.get("return")).unwrap_or("/"));
    let secure = if web.settings.tls { "; Secure" } else { "" };
    let cookie = format!(
        "{}={}; Path=/{secure}; HttpOnly; SameSite=Lax; Max-Age=31536000",
        language::COOKIE,
        language.tag()
    );
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
