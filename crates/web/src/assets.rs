//! The style sheet: one small file, its name carries a hash of its content so that browsers may
//! keep it for ever.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

const STYLE: &str = include_str!("../assets/style.css");

static STYLE_NAME: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = DefaultHasher::new();
    STYLE.hash(&mut hasher);
    format!("style-{:016x}.css", hasher.finish())
});

/// The style sheet's file name under `/assets/`.
pub(crate) fn style_name() -> &'static str {
    &STYLE_NAME
}

/// `GET /assets/{file}`
pub(crate) async fn show(Path(file): Path<String>) -> Response {
    if file == style_name() {
        let headers = [
            (header::CONTENT_TYPE, "text/css; charset=utf-8"),
            (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        ];
        (headers, STYLE).into_response()
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}
