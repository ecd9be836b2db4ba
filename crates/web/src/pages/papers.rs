//! Documents and photographs of a person: the list, adding one, opening the file of a record.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::TryFutureExt;
use mimamori_app::{CreateAs, MOST_FILES, OpenedFile, RecordFile, TimelineFilter};
use mimamori_domain::{Kind, SubjectId, Timestamp};
use serde_json::json;

use super::home::encoded;
use super::{Head, fhir_kind, form_error, id, paging, shown_again};
use crate::dates;
use crate::error::{Answered, Fault, Rendered};
use crate::forms::{Fields, Query};
use crate::layers::Sandboxed;
use crate::layout::{Ask, Layout, page, page_with, see};
use crate::present::{self, Item, Names, PICTURES};
use crate::uploads::{self, Upload};

/// A document is a FHIR DocumentReference.
const DOCUMENT: Kind = Kind::of("DocumentReference");

/// Documents on one page of the list.
const DOCUMENTS: u32 = 24;

/// Longest name of a document, and longest description, in characters.
const LONGEST_NAME: usize = 100;
const LONGEST_DESCRIPTION: usize = 1_000;

/// Kinds of documents: a code, and the LOINC code by which its information class is known
/// (`crates/fhir/data/classes.tsv`). The words are the texts `document-type-<code>`.
pub(super) const TYPES: [(&str, &str); 9] = [
    ("referral", "57133-1"),
    ("discharge", "18842-5"),
    ("plan", "18776-5"),
    ("nursing", "34746-8"),
    ("laboratory", "11502-2"),
    ("check-up", "53576-5"),
    ("prescription", "57833-6"),
    ("photograph", "72170-4"),
    ("other", ""),
];

#[derive(Template)]
#[template(path = "documents.html")]
pub(super) struct List {
    pub(super) l: Layout,
    pub(super) head: Head,
    pub(super) may_write: bool,
    pub(super) items: Vec<Item>,
    pub(super) later: bool,
    pub(super) next: Option<String>,
}

/// `GET /people/{subject}/documents`
pub(crate) async fn list(ask: Ask, Path(subject): Path<String>, Query(query): Query) -> Answered {
    let subject: SubjectId = id(&subject)?;
    let filter = TimelineFilter { kinds: vec![DOCUMENT], ..TimelineFilter::default() };
    let paging = paging(&query, DOCUMENTS);
    let found = ask.web.app.timeline(&ask.caller, subject, &filter, &paging).map_err(Fault::from);
    let (person, head, found) = Head::with(&ask, subject, found).await?;
    let names = Names::of(&ask.web, &ask.caller, &found.items, &[]).await?;
    let here = format!("{}/documents", head.person.page);
    page(&List {
        l: ask.layout("documents-title").at(here.clone()).done(query.get("done")),
        may_write: person.may.write_document,
        items: found.items.iter().map(|stored| present::item(stored, &names, ask.texts())).collect(),
        later: paging.cursor.is_some(),
        next: found.next.map(|cursor| format!("{here}?cursor={}", encoded(&cursor))),
        head,
    })
}

/// An option of the kind of document.
pub(super) struct TypeChoice {
    pub(super) code: &'static str,
    pub(super) word: String,
    pub(super) chosen: bool,
}

#[derive(Template)]
#[template(path = "document_form.html")]
pub(super) struct Form {
    pub(super) l: Layout,
    pub(super) head: Head,
    pub(super) action: String,
    pub(super) types: Vec<TypeChoice>,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) most: String,
    pub(super) error: Option<String>,
    pub(super) back: String,
}

/// `GET /people/{subject}/documents/new`
pub(crate) async fn form(ask: Ask, Path(subject): Path<String>) -> Answered {
    page(&asked(&ask, id(&subject)?, &Fields::default()).await?)
}

async fn asked(ask: &Ask, subject: SubjectId, typed: &Fields) -> Result<Form, Fault> {
    let (person, head) = Head::ask(ask, subject).await?;
    if !person.may.write_document {
        return Err(Fault::status(StatusCode::FORBIDDEN));
    }
    let texts = ask.texts();
    let back = format!("{}/documents", head.person.page);
    Ok(Form {
        l: ask.layout("document-new-title").at(format!("{back}/new")),
        head,
        action: back.clone(),
        types: TYPES
            .iter()
            .map(|(code, _)| TypeChoice {
                code,
                word: texts.get(&format!("document-type-{code}")),
                chosen: *code == typed.get("type"),
            })
            .collect(),
        name: typed.get("name").to_owned(),
        description: typed.lines("description"),
        most: most_words(ask)?,
        error: None,
        back,
    })
}

/// How large a file may be, in words: what the rules allow, and what one form may bring.
pub(super) fn most_words(ask: &Ask) -> Result<String, Fault> {
    let most = ask.web.app.most_file_bytes()?.min(ask.web.settings.upload_limit);
    Ok(ask.texts().with("file-most", "megabytes", &(most >> 20).to_string()))
}

/// `POST /people/{subject}/documents`: keeps a document; it is shared at once.
pub(crate) async fn save(ask: Ask, Path(subject): Path<String>, form: uploads::Form) -> Answered {
    let subject: SubjectId = id(&subject)?;
    let typed = form.fields;
    let again = match keep(&ask, subject, &typed, &form.files).await {
        Ok(()) => return Ok(see(&format!("/people/{subject}/documents?done=document-kept"))),
        Err(again) => again,
    };
    let (status, told) = match again {
        Again::Text(key) => (StatusCode::UNPROCESSABLE_ENTITY, ask.texts().get(key)),
        Again::Fault(fault) if !shown_again(&fault) => return Err(fault),
        Again::Fault(fault) => (fault.status, form_error(&fault, ask.texts())),
    };
    let mut form = asked(&ask, subject, &typed).await?;
    form.error = Some(told);
    page_with(status, &form)
}

/// Why a form is shown again.
pub(super) enum Again {
    /// The text that says so.
    Text(&'static str),
    Fault(Fault),
}

impl From<mimamori_domain::Error> for Again {
    fn from(error: mimamori_domain::Error) -> Self {
        Self::Fault(Fault::from(error))
    }
}

async fn keep(ask: &Ask, subject: SubjectId, typed: &Fields, sent: &[Upload]) -> Result<(), Again> {
    let (name, description) = (typed.get("name"), typed.lines("description"));
    let Some((_, loinc)) = TYPES.iter().find(|(code, _)| *code == typed.get("type")) else {
        return Err(Again::Text("document-type-missing"));
    };
    if name.is_empty() {
        return Err(Again::Text("document-name-missing"));
    }
    if name.chars().count() > LONGEST_NAME || description.chars().count() > LONGEST_DESCRIPTION {
        return Err(Again::Text("document-too-long"));
    }
    let files = looked_at(ask, sent)?;
    if files.is_empty() {
        return Err(Again::Text("file-missing"));
    }
    let word = ask.texts().get(&format!("document-type-{}", typed.get("type")));
    let bytes = document(subject, (loinc, &word), (name, &description), &files, ask.web.now());
    ask.web.app.create_with_files(&ask.caller, bytes, &files, CreateAs::Confirmed).await?;
    Ok(())
}

/// Looks at the files that came with a form.
pub(super) fn looked_at(ask: &Ask, sent: &[Upload]) -> Result<Vec<RecordFile>, Again> {
    if sent.len() > MOST_FILES {
        return Err(Again::Text("files-too-many"));
    }
    let look =
        |upload: &Upload| ask.web.app.looked_at(&upload.name, upload.media_type.as_deref(), &upload.bytes);
    Ok(sent.iter().map(look).collect::<Result<_, _>>()?)
}

/// A FHIR DocumentReference with its files.
fn document(
    subject: SubjectId,
    (loinc, word): (&str, &str),
    (name, description): (&str, &str),
    files: &[RecordFile],
    now: Timestamp,
) -> Bytes {
    let kind = match loinc {
        "" => json!({ "text": word }),
        code => json!({ "text": word, "coding": [{ "system": "http://loinc.org", "code": code }] }),
    };
    let content: Vec<_> = files.iter().map(|file| json!({ "attachment": file.attachment() })).collect();
    let mut resource = serde_json::Map::new();
    let mut put = |name: &str, value: serde_json::Value| resource.insert(name.to_owned(), value);
    put("resourceType", json!(DOCUMENT.as_str()));
    put("status", json!("current"));
    put("docStatus", json!("final"));
    put("type", kind);
    put("subject", json!({ "reference": format!("Patient/{subject}") }));
    put("date", json!(dates::to_fhir(now)));
    put("description", json!(name));
    put("content", json!(content));
    if !description.is_empty() {
        put("context", json!({ "related": [{ "display": description }] }));
    }
    Bytes::from(serde_json::Value::Object(resource).to_string())
}

/// `GET /records/{kind}/{id}/files/{attached}`: a picture is shown, anything else is saved.
pub(crate) async fn open(
    ask: Ask,
    Path((kind, record, file)): Path<(String, String, String)>,
    Query(query): Query,
) -> Answered {
    let (kind, record) = (fhir_kind(&kind)?, id(&record)?);
    let opened = ask.web.app.record_file(&ask.caller, &kind, record, id(&file)?).await?;
    Ok(answer(opened, query.get("as") == "file"))
}

/// A file as an answer that a browser neither runs nor takes for a page of this site.
fn answer(file: OpenedFile, saved: bool) -> Response {
    let picture = PICTURES.contains(&file.media_type.as_str());
    let how = if picture && !saved { "inline" } else { "attachment" };
    let kind = match file.media_type.as_str() {
        "text/plain" => "text/plain; charset=utf-8".to_owned(),
        _ => file.media_type,
    };
    let disposition = uploads::disposition(how, &file.name);
    let mut response =
        ([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, disposition)], file.bytes).into_response();
    response.extensions_mut().insert(Rendered);
    response.extensions_mut().insert(Sandboxed);
    response
}

#[cfg(test)]
mod tests {
    use mimamori_fhir::{Limits, information_class, parse, validate};

    use super::*;
    use crate::language::Language;

    #[test]
    fn every_kind_of_document_is_valid_has_its_words_and_its_class() {
        let classes: Vec<String> = TYPES
            .iter()
            .map(|(code, loinc)| {
                for language in [Language::Japanese, Language::English] {
                    assert!(language.texts().find(&format!("document-type-{code}")).is_some(), "{code}");
                }
                let name = ("退院サマリー", "備考");
                let bytes =
                    document(SubjectId::random(), (loinc, "種類"), name, &[], Timestamp::from_micros(0));
                let text = std::str::from_utf8(&bytes).unwrap();
                let named =
                    r#""content":[{"attachment":{"contentType":"application/pdf","url":"Binary/1"}}]"#;
                let bytes = Bytes::from(text.replace(r#""content":[]"#, named));
                let resource = parse(&bytes, &Limits::default()).unwrap();
                assert_eq!(validate(&resource), [], "{code}");
                information_class(&resource).to_string()
            })
            .collect();
        assert_eq!(
            classes,
            [
                "document",
                "document",
                "plan",
                "document",
                "laboratory",
                "check-up",
                "medication",
                "document",
                "document"
            ]
        );
    }
}
