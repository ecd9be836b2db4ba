//! Attachments of forms: sealed like everything else, opened only with what refers to them.

use std::collections::BTreeSet;

use mimamori_domain::{Action, ActorId, Error, Kind, ObjectId, RecordState, Result, SessionId};
use mimamori_policy::Decision;
use mimamori_policy::model::{Field, FieldType};
use mimamori_store::Unit;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::object::Writing;
use super::purpose;
use super::values::Values;
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
    pub(crate) by: ActorId,
    /// The session it was attached in; none for commands on the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<SessionId>,
}

impl Body for AttachmentBody {
    const KIND: Kind = Kind::of("attachment");
}

/// What a file became a part of: there is one such object for each file, and it never changes.
#[derive(Clone, Serialize, Deserialize)]
struct LentBody {
    file: ObjectId,
    to: ObjectId,
}

impl Body for LentBody {
    const KIND: Kind = Kind::of("attachment-use");
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
        let named = caller.is_staff() || self.takes_files(&caller);
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
            session: caller.session.map(|session| session.id),
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

    /// Whether the pack opens a procedure to the caller whose form takes files.
    fn takes_files(&self, caller: &Caller) -> bool {
        self.pack.procedures().iter().any(|procedure| {
            procedure.fields.iter().any(|field| field.kind == FieldType::File)
                && (self.may_begin(caller, procedure, false) || self.may_begin(caller, procedure, true))
        })
    }

    /// Makes files a part of the object that a unit writes: whoever may see the object may open them.
    /// A file that is not part of it already must have been attached by the caller, in this session, and
    /// lent to nothing else; `files` are those it is to hold, each with the code of its field, and `had`
    /// those that its earlier version held.
    ///
    /// # Errors
    /// Invalid with the field as place; conflict when the file is lent elsewhere at the same moment.
    pub(crate) async fn lend_files(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &mut Unit,
        to: ObjectId,
        files: &[(&str, ObjectId)],
        had: &[ObjectId],
    ) -> Result<()> {
        let mut seen: BTreeSet<ObjectId> = had.iter().copied().collect();
        for (field, file) in files.iter().copied() {
            if !seen.insert(file) {
                continue;
            }
            let object = self.fixed_object(&format!("attachment|{file}"))?;
            match self.governed::<LentBody>(object).await? {
                Some(lent) if lent.body.to == to => continue,
                Some(_) => {
                    return Err(fault(
                        field,
                        "this file is part of something else; attach it again",
                        "value",
                    ));
                }
                None => {}
            }
            let session = caller.session.map(|session| session.id);
            let attached = self.governed::<AttachmentBody>(file).await?.map(|found| found.body);
            if !attached.is_some_and(|found| found.by == caller.actor && found.session == session) {
                return Err(fault(field, "attach this file yourself", "not-found"));
            }
            let body = LentBody { file, to };
            let writing = Writing {
                object,
                follows: 0,
                code: CODE,
                state: RecordState::Confirmed,
                institution: None,
                sorted: self.clock.now(),
                body: &body,
            };
            let commitment = self.write_governed(caller, unit, &writing).await?;
            self.tell_created::<LentBody>(caller, decision, unit, object, commitment)?;
        }
        Ok(())
    }

    /// Whether two files hold the same under the same name.
    pub(crate) async fn same_file(&self, one: ObjectId, two: ObjectId) -> Result<bool> {
        let open =
            async |id| Ok::<_, Error>(self.governed::<AttachmentBody>(id).await?.map(|file| file.body));
        let (one, two) = (open(one).await?, open(two).await?);
        Ok(one.zip(two).is_some_and(|(one, two)| one.name == two.name && one.data == two.data))
    }

    /// Opens a file for somebody who was just permitted to see what refers to it.
    pub(crate) async fn attachment(&self, id: ObjectId) -> Result<OpenedFile> {
        let file = self.governed::<AttachmentBody>(id).await?.ok_or_else(Error::not_found)?.body;
        Ok(OpenedFile { bytes: unbase64(&file.data)?, name: file.name, media_type: file.media_type })
    }
}

/// The files that values refer to, each with the code of its field.
pub(crate) fn files_in<'a>(
    fields: &'a [Field],
    values: &'a Values,
) -> impl Iterator<Item = (&'a str, ObjectId)> + use<'a> {
    fields.iter().filter(|field| field.kind == FieldType::File).flat_map(|field| {
        let each = match values.get(&field.code) {
            Some(Value::Array(many)) => many.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        each.iter().filter_map(move |value| Some((field.code.as_str(), value.as_str()?.parse().ok()?)))
    })
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
