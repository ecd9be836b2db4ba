//! Files of a record: a document that was scanned, a photograph beside a note.
//!
//! A file is a part of one record and has no access label of its own: whoever may see a version of the
//! record that names it may open it, and nobody else. It is kept in the same unit as that version,
//! sealed under the same data key, and committed to by the same ledger entry; it never changes. To
//! others it is a FHIR R4 Binary at the address that the record's Attachment gives.

use bytes::Bytes;
use mimamori_domain::{AccessLabel, Action, Error, Kind, ObjectId, RecordState, Result};
use mimamori_store::{Change, ObjectHead, ObjectVersion, Unit, tables};
use mimamori_vault::SecretKey;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::picture;
use super::read::{Wanted, label_of};
use super::version::NewVersion;
use super::write::fault;
use crate::access::{ATTEMPTS, Settled, decided, kept_changing};
use crate::caller::Caller;
use crate::context::{SubjectContext, open_with};
use crate::governance::attachments::OpenedFile;
use crate::{App, Stored};

/// The pack's largest file, in megabytes.
const MOST_MEGABYTES: &str = "records.largest-file-megabytes";

/// Most files of one record.
pub const MOST_FILES: usize = 10;

/// Longest name of a file, in characters.
const MOST_NAME: usize = 200;

/// A file is a FHIR Binary.
const BINARY: Kind = Kind::of("Binary");

/// Where an Attachment says that its file is.
const AT: &str = "Binary/";

/// What files begin with, what they then are, and how they are kept.
type Cleaned = fn(&Bytes) -> std::result::Result<Bytes, picture::Broken>;
const TYPES: &[(&[u8], &str, Cleaned)] = &[
    (b"%PDF-", PDF, pdf),
    (b"\xff\xd8\xff", "image/jpeg", picture::jpeg),
    (b"\x89PNG\r\n\x1a\n", "image/png", picture::png),
    (b"RIFF", "image/webp", picture::webp),
];

const PDF: &str = "application/pdf";
const TEXT: &str = "text/plain";

/// A file that was looked at and may become part of a record.
#[derive(Clone)]
pub struct RecordFile {
    id: ObjectId,
    name: String,
    media_type: &'static str,
    bytes: Bytes,
}

impl std::fmt::Debug for RecordFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordFile")
            .field("id", &self.id)
            .field("media_type", &self.media_type)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

impl RecordFile {
    /// Where an Attachment finds it: `Binary/<id>`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{AT}{}", self.id)
    }

    /// The media type that its content was found to be of.
    #[must_use]
    pub const fn media_type(&self) -> &'static str {
        self.media_type
    }

    /// The FHIR R4 Attachment by which a record names it.
    #[must_use]
    pub fn attachment(&self) -> Value {
        json!({
            "contentType": self.media_type,
            "url": self.url(),
            "size": self.bytes.len(),
            "title": self.name,
        })
    }
}

/// What is told of a file within its own seal; its bytes follow after a line end.
#[derive(Serialize, Deserialize)]
struct Header {
    v: u32,
    /// The record that it is part of.
    kind: String,
    record: ObjectId,
    name: String,
    media_type: String,
}

/// Schema version of the headers written now.
const SCHEMA: u32 = 1;

impl App {
    /// The largest file of a record, in bytes, as the pack in force has it.
    ///
    /// # Errors
    /// Internal when the pack has no such parameter.
    pub fn most_file_bytes(&self) -> Result<usize> {
        let megabytes = self.pack.parameter_u64(MOST_MEGABYTES)?;
        Ok(usize::try_from(megabytes).unwrap_or(usize::MAX).saturating_mul(1 << 20))
    }

    /// Looks at a file before it becomes part of a record. What it is, its content says: `stated`, what
    /// its sender says, must not contradict it. Pictures lose what they tell beside the picture, such
    /// as where they were taken.
    ///
    /// # Errors
    /// Invalid for a file that is too large, of another type, of another type than stated, cut off, or
    /// without a proper name.
    pub fn looked_at(&self, name: &str, stated: Option<&str>, bytes: &Bytes) -> Result<RecordFile> {
        let name = name.rsplit(['/', '\\']).next().unwrap_or_default().trim();
        if name.is_empty() || name.chars().count() > MOST_NAME || name.chars().any(char::is_control) {
            return Err(fault("file", "a file needs a name of at most 200 characters", "value"));
        }
        if bytes.len() > self.most_file_bytes()? {
            return Err(fault("file", "this file is larger than the rules allow", "too-long"));
        }
        let known = TYPES.iter().find(|(start, ..)| bytes.starts_with(start));
        let (media_type, clean) = match known {
            Some((_, media_type, clean)) => (*media_type, *clean),
            None if is_plain(bytes) => (TEXT, same as Cleaned),
            None => {
                return Err(fault("file", "only PDF, JPEG, PNG, WebP and plain text are taken", "value"));
            }
        };
        if stated.is_some_and(|stated| !agrees(stated, media_type)) {
            return Err(fault("file", "the file is not of the type that it is said to be", "value"));
        }
        let cut_off = |_| fault("file", "the file is damaged or was cut off; send it again", "value");
        Ok(RecordFile {
            id: ObjectId::in_order(),
            name: name.to_owned(),
            media_type,
            bytes: clean(bytes).map_err(cut_off)?,
        })
    }

    /// Keeps a new record with its files: all of them, or none. The record names each by
    /// [`RecordFile::attachment`].
    ///
    /// # Errors
    /// Invalid when it does not name one of them; else as [`App::create`].
    pub async fn create_with_files(
        &self,
        caller: &Caller,
        record: Bytes,
        files: &[RecordFile],
        how: super::CreateAs,
    ) -> Result<Stored> {
        self.create_one(caller, record, files, how).await
    }

    /// Changes a record as [`App::update`] does, and adds files that its new version names.
    ///
    /// # Errors
    /// As [`App::create_with_files`] and [`App::update`].
    pub async fn update_with_files(
        &self,
        caller: &Caller,
        kind: &Kind,
        id: ObjectId,
        bytes: Bytes,
        files: &[RecordFile],
        expected_version: u64,
    ) -> Result<Stored> {
        self.change(caller, kind, id, (bytes, files), expected_version).await
    }

    /// Opens a file of a record for whoever may see a version of the record that names it. What is
    /// recorded is a read of that record.
    ///
    /// # Errors
    /// As [`App::read`]; not found for a file of another record.
    pub async fn record_file(
        &self,
        caller: &Caller,
        kind: &Kind,
        id: ObjectId,
        file: ObjectId,
    ) -> Result<OpenedFile> {
        for _ in 0..ATTEMPTS {
            let (versions, _) = self.versions(id, Wanted::All).await?;
            let labelled = |version: &&ObjectVersion| version.kind == *kind && label_of(version).is_ok();
            let newest = versions.first().filter(labelled);
            let Some((newest, subject)) = newest.and_then(|newest| Some((newest, newest.subject?))) else {
                return Err(self.refuse_unknown(caller, kind, id).await);
            };
            let context = self.subject_context(subject).await?;
            let mut unit = Unit::new();
            unit.guards.push(context.guard());
            let (opened, decision) = self.open_permitted(caller, &context, &versions).await?;
            let named = opened.iter().find(|(stored, _)| names(stored, file));
            let Some((_, commitment)) = named else {
                return Err(self.refuse_unknown(caller, kind, id).await);
            };
            let Some((kept, header, bytes)) = self.binary_of(&context, file).await? else {
                return Err(self.refuse_unknown(caller, kind, id).await);
            };
            // A record may name any address: only what was kept with it is its file.
            if header.record != id || header.kind != kind.as_str() {
                return Err(self.refuse_unknown(caller, kind, id).await);
            }
            let mut entry = decided(caller.entry(unit.id, Action::Read), &decision);
            entry.subject = Some(subject);
            entry.resource = Some((kind.clone(), Some(id)));
            entry.version = Some(newest.version);
            entry.commitments = vec![*commitment, kept.commitment()];
            let entry = self.with_sealed(caller, entry, 0, None)?;
            if let Settled::Done = self.settle(caller, unit.entry(entry)).await? {
                return Ok(OpenedFile { name: header.name, media_type: header.media_type, bytes });
            }
        }
        Err(kept_changing())
    }

    /// Opens a file by its own id, for programs that follow an Attachment's address. Gives the record
    /// it is part of, too.
    ///
    /// # Errors
    /// As [`App::record_file`].
    pub async fn binary(&self, caller: &Caller, file: ObjectId) -> Result<(Kind, ObjectId, OpenedFile)> {
        let of = match self.current(file).await? {
            Some(version) if version.kind == BINARY => match version.subject {
                Some(subject) => {
                    let context = self.subject_context(subject).await?;
                    self.binary_of(&context, file).await?.map(|(_, header, _)| header)
                }
                None => None,
            },
            _ => None,
        };
        let Some(of) = of else { return Err(self.refuse_unknown(caller, &BINARY, file).await) };
        let kind = Kind::new(&of.kind).map_err(Error::internal)?;
        let opened = self.record_file(caller, &kind, of.record, file).await?;
        Ok((kind, of.record, opened))
    }

    /// Opens a file of a subject; nothing leaves from here. `None` when there is none of this id.
    async fn binary_of(
        &self,
        context: &SubjectContext,
        file: ObjectId,
    ) -> Result<Option<(ObjectVersion, Header, Vec<u8>)>> {
        let kept = self.current(file).await?;
        let Some(kept) = kept.filter(|kept| kept.kind == BINARY && kept.subject == Some(context.subject))
        else {
            return Ok(None);
        };
        let plain = open_with(&context.keys, &kept)?;
        let unreadable = || Error::unavailable("a file is unreadable");
        let at = plain.iter().position(|byte| *byte == b'\n').ok_or_else(unreadable)?;
        let header: Header = plain
            .get(..at)
            .and_then(|header| serde_json::from_slice(header).ok())
            .filter(|header: &Header| header.v <= SCHEMA)
            .ok_or_else(unreadable)?;
        let bytes = plain.get(at + 1..).unwrap_or_default().to_vec();
        Ok(Some((kept, header, bytes)))
    }

    /// Puts the files of a record's new version into its unit; gives what its entry commits to.
    pub(super) fn put_files(
        &self,
        context: &SubjectContext,
        record: &Record<'_>,
        files: &[RecordFile],
        key: &SecretKey,
        unit: &mut Unit,
    ) -> Result<Vec<[u8; 32]>> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        if files.len() > MOST_FILES {
            return Err(fault("file", "a record may have at most 10 files", "too-costly"));
        }
        let named = addresses(record.plain);
        let mut commitments = Vec::with_capacity(files.len());
        for file in files {
            if !named.contains(&file.url()) {
                return Err(fault("file", "the record does not name the file that comes with it", "value"));
            }
            let header = Header {
                v: SCHEMA,
                kind: record.kind.to_string(),
                record: record.object,
                name: file.name.clone(),
                media_type: file.media_type.to_owned(),
            };
            let mut plain = serde_json::to_vec(&header).map_err(Error::internal)?;
            plain.push(b'\n');
            plain.extend_from_slice(&file.bytes);
            let version = NewVersion {
                object: file.id,
                version: 1,
                kind: BINARY,
                label: AccessLabel { state: RecordState::Confirmed, ..record.label.clone() },
                author: record.author,
                on_behalf: record.on_behalf,
                confirmer: None,
                plain: &plain,
                pack: record.pack,
                recorded: record.recorded,
            };
            let sealed = version.seal(key, Some(context.subject), unit.id)?;
            // No institution answers for it by itself, so it has no access label: it is listed, found
            // and read with its record alone.
            let version = ObjectVersion { institution: None, sort_time: Some(record.recorded), ..sealed };
            commitments.push(version.commitment());
            unit.changes.push(Change::insert(&tables::OBJECT_HEAD, ObjectHead::of(&version).into_row()));
            unit.changes.push(Change::object_version(version));
        }
        Ok(commitments)
    }
}

/// What a file takes over from the record's version that it comes with.
pub(super) struct Record<'a> {
    pub(super) object: ObjectId,
    pub(super) kind: Kind,
    pub(super) label: AccessLabel,
    pub(super) author: Option<mimamori_domain::ActorId>,
    pub(super) on_behalf: Option<mimamori_domain::ActorId>,
    pub(super) plain: &'a [u8],
    pub(super) pack: [u8; 32],
    pub(super) recorded: mimamori_domain::Timestamp,
}

/// Whether a version of a record names a file.
fn names(stored: &Stored, file: ObjectId) -> bool {
    addresses(&stored.bytes).contains(&format!("{AT}{file}"))
}

/// The addresses of files that a record's Attachments name, wherever they stand in it.
fn addresses(record: &[u8]) -> Vec<String> {
    fn walk(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    match member {
                        Value::String(text) if name == "url" && text.starts_with(AT) => {
                            found.push(text.clone());
                        }
                        other => walk(other, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    if let Ok(value) = serde_json::from_slice(record) {
        walk(&value, &mut found);
    }
    found
}

/// Whether a file is text and nothing that a browser might take for a page or a drawing.
fn is_plain(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let told = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\u{c}');
    let markup = text.trim_start_matches('\u{feff}').trim_start().starts_with('<');
    !text.trim().is_empty() && text.chars().all(told) && !markup
}

/// Whether what a sender says of a file may be said of one of this type. Some say nothing by saying
/// that it is bytes; texts are said to be of many kinds.
fn agrees(stated: &str, found: &str) -> bool {
    let stated = stated.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match stated.as_str() {
        "" | "application/octet-stream" => true,
        "image/jpg" | "image/pjpeg" => found == "image/jpeg",
        "application/x-pdf" => found == PDF,
        "text/html" | "text/xml" | "text/javascript" => false,
        other if found == TEXT => other.starts_with("text/"),
        other => other == found,
    }
}

/// A PDF that was not cut off: its end mark is near its end (ISO 32000-2, 7.5.5).
fn pdf(bytes: &Bytes) -> std::result::Result<Bytes, picture::Broken> {
    let tail = bytes.get(bytes.len().saturating_sub(2048)..).unwrap_or_default();
    let ended = tail.windows(5).any(|window| window == b"%%EOF");
    if ended { Ok(bytes.clone()) } else { Err(picture::Broken) }
}

#[expect(clippy::unnecessary_wraps, reason = "one of the ways that files are kept")]
fn same(bytes: &Bytes) -> std::result::Result<Bytes, picture::Broken> {
    Ok(bytes.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stated_must_not_contradict_what_is_found() {
        for (stated, found) in [
            ("application/pdf", PDF),
            ("application/octet-stream", PDF),
            ("image/jpg", "image/jpeg"),
            ("IMAGE/PNG", "image/png"),
            ("text/plain; charset=utf-8", TEXT),
            ("text/csv", TEXT),
        ] {
            assert!(agrees(stated, found), "{stated}");
        }
        for (stated, found) in [
            ("image/png", "image/jpeg"),
            ("application/pdf", TEXT),
            ("text/html", TEXT),
            ("image/svg+xml", TEXT),
            ("image/jpeg", PDF),
        ] {
            assert!(!agrees(stated, found), "{stated}");
        }
    }

    #[test]
    fn text_is_plain_text_alone() {
        assert!(is_plain("夕食 8割\r\n\t水分 200ml".as_bytes()));
        for refused in [
            "",
            " \n",
            "<svg xmlns='x'/>",
            "\u{feff} <!DOCTYPE html>",
            "<?xml version='1.0'?>",
            "a\0b",
            "\u{1b}[2J",
        ] {
            assert!(!is_plain(refused.as_bytes()), "{refused:?}");
        }
        assert!(!is_plain(b"\x82\xa0\xff"));
    }

    #[test]
    fn files_are_named_by_the_addresses_of_attachments() {
        let record = br#"{"url":"https://x","content":[{"attachment":{"url":"Binary/1"}}],
            "payload":[{"contentAttachment":{"url":"Binary/2"}},{"contentString":"Binary/3"}]}"#;
        assert_eq!(addresses(record), ["Binary/1", "Binary/2"]);
    }
}
