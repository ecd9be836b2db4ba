//! Forms that may bring files: `multipart/form-data` (RFC 7578) as well as plain ones.

use std::convert::Infallible;
use std::fmt;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use futures::stream;

use crate::error::Fault;
use crate::forms::{Fields, media_type, whole};
use crate::settings::Web;

/// Most parts of one form.
const MOST_PARTS: usize = 2_000;

/// A file as it was sent.
#[derive(Clone)]
pub(crate) struct Upload {
    /// The field of the form.
    pub(crate) field: String,
    /// What its owner calls it.
    pub(crate) name: String,
    /// What its sender says it is, such as `image/jpeg`.
    pub(crate) media_type: Option<String>,
    pub(crate) bytes: Bytes,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// A form with its files. Fields left empty for a file bring none.
#[derive(Debug, Default)]
pub(crate) struct Form {
    pub(crate) fields: Fields,
    pub(crate) files: Vec<Upload>,
}

impl FromRequest<Web> for Form {
    type Rejection = Fault;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Fault> {
        if media_type(request.headers()) != "multipart/form-data" {
            let fields = Fields::from_request(request, web).await?;
            return Ok(Self { fields, files: Vec::new() });
        }
        let unreadable = || Fault::status(StatusCode::BAD_REQUEST);
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let boundary = multer::parse_boundary(kind.unwrap_or_default()).map_err(|_| unreadable())?;
        let body = whole(request.into_body(), web).await?;
        read(body, boundary).await.ok_or_else(unreadable)
    }
}

async fn read(body: Bytes, boundary: String) -> Option<Form> {
    let body = stream::iter([Ok::<_, Infallible>(body)]);
    let mut parts = multer::Multipart::new(body, boundary);
    let (mut pairs, mut files) = (Vec::new(), Vec::new());
    while let Some(part) = parts.next_field().await.ok()? {
        if pairs.len() + files.len() >= MOST_PARTS {
            return None;
        }
        let field = part.name()?.to_owned();
        match part.file_name().map(str::to_owned) {
            Some(name) => {
                let media_type = part.content_type().map(ToString::to_string);
                let bytes = part.bytes().await.ok()?;
                if !name.is_empty() && !bytes.is_empty() {
                    files.push(Upload { field, name, media_type, bytes });
                }
            }
            None => pairs.push((field, part.text_with_charset("utf-8").await.ok()?)),
        }
    }
    Some(Form { fields: Fields::from_pairs(pairs), files })
}

/// `Content-Disposition` for a file of any name (RFC 6266 section 4.3 with the encoding of RFC 8187).
pub(crate) fn disposition(how: &str, name: &str) -> String {
    let safe = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let name: String =
        name.bytes().map(|b| if safe(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect();
    format!("{how}; filename*=UTF-8''{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn fields_and_files_are_told_apart() {
        let body = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n行\r\n\
                    --x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"図.txt\"\r\n\
                    Content-Type: text/plain\r\n\r\nabc\r\n\
                    --x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"\"\r\n\r\n\r\n--x--\r\n";
        let form = read(Bytes::from_static(body.as_bytes()), "x".to_owned()).await.unwrap();
        assert_eq!(form.fields.get("a"), "行");
        assert_eq!(form.files.len(), 1);
        assert_eq!(form.files[0].media_type.as_deref(), Some("text/plain"));
        assert_eq!((form.files[0].name.as_str(), &form.files[0].bytes[..]), ("図.txt", &b"abc"[..]));
        assert!(read(Bytes::from_static(b"--x\r\nno"), "x".to_owned()).await.is_none());
    }
}
