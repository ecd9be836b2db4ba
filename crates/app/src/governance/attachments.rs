//! Attachments of forms: sealed like everything else, opened only with what refers to them.

use mimamori_domain::{Action, Error, Kind, ObjectId, RecordState, Result};
use serde::{Deserialize, Serialize};

use super::object::Writing;
use super::purpose;
use super::who::target;
use crate::App;
use crate::body::Body;
use crate::caller::Caller;
use crate::record::fault;

/// Largest attachment of a form, in bytes: they stay in the database.
pub const MOST_ATTACHMENT_BYTES: usize = 8 << 20;

/// Longest name of a file, in characters.
const MOST_NAME: usize = 200;

/// File types that forms take, by how they begin.
const TYPES: &[(&[u8], &str)] = &[
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    // Office files are ZIP archives.
    (b"PK\x03\x04", "application/octet-stream"),
];

/// A file, as kept.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct AttachmentBody {
    pub(crate) name: String,
    pub(crate) media_type: String,
    /// Base 64: bodies are JSON.
    pub(crate) data: String,
    pub(crate) by: mimamori_domain::ActorId,
}

impl Body for AttachmentBody {
    const KIND: Kind = Kind::of("attachment");
}

/// The code that attachments are kept under.
const CODE: &str = "attachment";

/// A file, opened.
#[derive(Clone)]
pub struct OpenedFile {
    pub name: String,
    pub media_type: String,
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for OpenedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenedFile").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

impl App {
    /// Keeps a file for a form; gives the id that the form's field is to hold.
    ///
    /// # Errors
    /// Invalid for a file that is too large or of a type that forms do not take; forbidden.
    pub async fn attach_file(&self, caller: &Caller, name: &str, bytes: &[u8]) -> Result<ObjectId> {
        let caller = purpose(caller);
        let named = caller.is_staff();
        let decision = self.require_general(&caller, Action::Create, target(Kind::of("case"), named)).await?;
        let name = name.rsplit(['/', '\\']).next().unwrap_or_default().trim();
        if name.is_empty() || name.chars().count() > MOST_NAME || name.chars().any(char::is_control) {
            return Err(fault("file", "a file needs a name of at most 200 characters", "value"));
        }
        if bytes.len() > MOST_ATTACHMENT_BYTES {
            return Err(fault("file", "a file may have at most 8 MB", "too-long"));
        }
        let known = TYPES.iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, kind)| *kind);
        let text =
            || std::str::from_utf8(bytes).is_ok_and(|text| !text.contains('\0')).then_some("text/plain");
        let Some(media_type) = known.or_else(text) else {
            return Err(fault("file", "only PDF, PNG, JPEG, office and plain text files are taken", "value"));
        };
        let now = self.clock.now();
        let body = AttachmentBody {
            name: name.to_owned(),
            media_type: media_type.to_owned(),
            data: base64(bytes),
            by: caller.actor,
        };
        let object = ObjectId::random();
        let writing = Writing {
            object,
            follows: 0,
            code: CODE,
            state: RecordState::Confirmed,
            institution: None,
            sorted: now,
            body: &body,
        };
        self.keep_governed(&caller, &decision, Action::Create, &writing, None).await?;
        Ok(object)
    }

    /// The name of an attachment; `None` when there is none of this id.
    pub(crate) async fn attachment_name(&self, id: ObjectId) -> Result<Option<String>> {
        Ok(self.governed::<AttachmentBody>(id).await?.map(|file| file.body.name))
    }

    /// Who attached a file; `None` when there is none of this id.
    pub(crate) async fn attached_by(&self, id: ObjectId) -> Result<Option<mimamori_domain::ActorId>> {
        Ok(self.governed::<AttachmentBody>(id).await?.map(|file| file.body.by))
    }

    /// Opens a file for somebody who was just permitted to see what refers to it.
    pub(crate) async fn attachment(&self, id: ObjectId) -> Result<OpenedFile> {
        let file = self.governed::<AttachmentBody>(id).await?.ok_or_else(Error::not_found)?.body;
        Ok(OpenedFile { bytes: unbase64(&file.data)?, name: file.name, media_type: file.media_type })
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn unbase64(text: &str) -> Result<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .map_err(|_| Error::unavailable("an attachment is unreadable"))
}
