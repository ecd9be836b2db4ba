//! HTML forms and query strings as plain names and values.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError};

use crate::error::Fault;
use crate::settings::Web;

/// Names and values of a form, in the order sent. Values hold what people typed: not in debug output.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Fields(Vec<(String, String)>);

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Fields {
    /// Reads `application/x-www-form-urlencoded` (URL standard section 5.1).
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// From names and values in the order sent.
    pub(crate) fn from_pairs(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// Every value of a field, in the order sent.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Whether a field was sent at all.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(n, _)| n == name)
    }

    /// Every name and value, in the order sent.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The first value of a field, without surrounding space; empty when it is missing.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.trim())
    }

    /// The same, `None` when empty.
    pub(crate) fn some(&self, name: &str) -> Option<String> {
        Some(self.get(name)).filter(|v| !v.is_empty()).map(str::to_owned)
    }

    /// The value as `T`; `None` when empty or not of its form.
    pub(crate) fn parsed<T: FromStr>(&self, name: &str) -> Option<T> {
        self.get(name).parse().ok()
    }

    /// What somebody wrote over several lines: line ends as `\n`, no other control characters.
    pub(crate) fn lines(&self, name: &str) -> String {
        let text = self.get(name).replace("\r\n", "\n").replace('\r', "\n");
        text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
    }

    /// A password: exactly as typed.
    pub(crate) fn secret(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    #[cfg(test)]
    pub(crate) fn of(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
    }
}

impl FromRequest<Web> for Fields {
    type Rejection = Fault;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Fault> {
        if media_type(request.headers()) != "application/x-www-form-urlencoded" {
            return Err(Fault::status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        let held = request.extensions().get::<Held>().cloned();
        let fields = Self::parse(&whole(request.into_body(), web).await?);
        if let Some(held) = held {
            held.keep(&fields);
        }
        Ok(fields)
    }
}

/// A form that was sent, until its answer is known: if its sender must show again who they are, it goes
/// on afterwards with nothing lost.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    /// Where it was sent; nothing for what was only asked for.
    pub(crate) path: Option<String>,
    fields: Arc<Mutex<Option<Fields>>>,
}

/// Never written into a page.
const SECRET: [&str; 6] = ["password", "present", "again", "code", "challenge", "answer"];

impl Held {
    pub(crate) fn of(request: &Request) -> Self {
        let sent = *request.method() == Method::POST;
        let path = local_path(request.uri().path()).filter(|_| sent).map(str::to_owned);
        Self { path, fields: Arc::default() }
    }

    fn keep(&self, fields: &Fields) {
        *self.fields.lock().unwrap_or_else(PoisonError::into_inner) = Some(Fields(open_fields(fields)));
    }

    /// What was sent; nothing for a form that brought files.
    pub(crate) fn taken(&self) -> Option<Fields> {
        self.fields.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Names and values but for what is never written into a page.
pub(crate) fn open_fields(fields: &Fields) -> Vec<(String, String)> {
    fields.0.iter().filter(|(name, _)| !SECRET.contains(&name.as_str())).cloned().collect()
}

/// The query string of a page's address.
#[derive(Debug, Default)]
pub(crate) struct Query(pub(crate) Fields);

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(Fields::parse(parts.uri.query().unwrap_or_default().as_bytes())))
    }
}

/// The media type of a body without its parameters, in lower case.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// A whole body, if it arrives in time and within the surface's limit (set as a layer).
pub(crate) async fn whole(body: Body, web: &Web) -> Result<Bytes, Fault> {
    let arrived = tokio::time::timeout(web.settings.body_timeout, body.collect()).await;
    match arrived {
        Err(_) => Err(Fault::status(StatusCode::REQUEST_TIMEOUT)),
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if over_limit(&error) => Err(Fault::status(StatusCode::PAYLOAD_TOO_LARGE)),
        Ok(Err(_)) => Err(Fault::status(StatusCode::BAD_REQUEST)),
    }
}

fn over_limit(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |e| e.source()).any(|e| e.is::<LengthLimitError>())
}

/// Whether a path from a form may be redirected to: on this site, and nothing a browser would read
/// as another host.
pub(crate) fn local_path(path: &str) -> Option<&str> {
    let inside = path.starts_with('/') && !path.starts_with("//") && path.len() <= 512;
    let plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.?=&".contains(&b));
    (inside && plain).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_trimmed_and_control_characters_dropped() {
        let fields = Fields::parse("a=+1+&text=%E8%A1%8C%0D%0A2%00&p=%20x".as_bytes());
        assert_eq!(fields.get("a"), "1");
        assert_eq!(fields.lines("text"), "行\n2");
        assert_eq!(fields.secret("p"), " x");
        assert_eq!(fields.some("none"), None);
        assert!(!format!("{fields:?}").contains('行'));
    }

    #[test]
    fn only_paths_of_this_site_are_returned_to() {
        assert_eq!(local_path("/people/1?a=b"), Some("/people/1?a=b"));
        for bad in ["//evil.example", "https://evil.example", "/\\evil", "", "people", "/a\nb", "/a:b"] {
            assert_eq!(local_path(bad), None, "{bad}");
        }
    }
}
