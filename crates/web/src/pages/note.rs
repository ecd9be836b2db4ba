//! Writing a note: draft, edit, last look, confirm; and amending one's own confirmed note.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use mimamori_app::{CreateAs, Stored};
use mimamori_domain::{Error, Kind, ObjectId, RecordState, SubjectId, Timestamp};
use serde_json::json;

use super::person::is_own;
use super::{Head, fhir_kind, form_error, id, shown_again};
use crate::dates;
use crate::diff::{self, Piece};
use crate::error::{Answered, Fault};
use crate::forms::Fields;
use crate::layout::{Ask, Layout, page, page_with, see};
use crate::present;

/// A note is a FHIR Communication.
pub(super) const NOTE: Kind = Kind::of("Communication");

/// The longest note, in characters.
const LONGEST: usize = 10_000;

#[derive(Template)]
#[template(path = "note_form.html")]
pub(super) struct Form {
    pub(super) l: Layout,
    pub(super) head: Head,
    pub(super) action: String,
    pub(super) text: String,
    /// The version that is edited or amended.
    pub(super) version: Option<u64>,
    pub(super) amends: bool,
    pub(super) error: Option<String>,
    pub(super) back: String,
}

#[derive(Template)]
#[template(path = "note_look.html")]
pub(super) struct Look {
    pub(super) l: Layout,
    pub(super) head: Head,
    pub(super) text: String,
    /// What an amendment changes; empty for a new note.
    pub(super) pieces: Vec<Piece>,
    /// Where the confirming form posts to.
    pub(super) action: String,
    pub(super) version: u64,
    /// Sent along when it is not stored yet.
    pub(super) carried: bool,
    pub(super) back: String,
    /// Where a draft is thrown away.
    pub(super) discard: String,
}

/// `GET /people/{subject}/notes/new`
pub(crate) async fn form(ask: Ask, Path(subject): Path<String>) -> Answered {
    page(&new_form(&ask, id(&subject)?, String::new()).await?)
}

async fn new_form(ask: &Ask, subject: SubjectId, text: String) -> Result<Form, Fault> {
    let (person, head) = Head::ask(ask, subject).await?;
    if !person.may.write_note {
        return Err(Fault::status(StatusCode::FORBIDDEN));
    }
    let back = head.person.page.clone();
    Ok(Form {
        l: ask.layout("note-title").at(format!("{back}/notes/new")),
        head,
        action: format!("{back}/notes"),
        text,
        version: None,
        amends: false,
        error: None,
        back,
    })
}

/// `POST /people/{subject}/notes`: keeps a draft and shows it for a last look.
pub(crate) async fn save(ask: Ask, Path(subject): Path<String>, fields: Fields) -> Answered {
    let subject: SubjectId = id(&subject)?;
    let text = fields.lines("text");
    let done = match checked(&text) {
        Err(problem) => Err(Problem::Text(problem)),
        Ok(()) => {
            let bytes = communication(subject, &text, ask.web.now());
            let created = ask.web.app.create(&ask.caller, bytes, CreateAs::Draft).await;
            created.map_err(Problem::from)
        }
    };
    match done {
        Ok(stored) => Ok(see(&look_page(stored.id))),
        Err(problem) => {
            problem.check()?;
            problem.show(new_form(&ask, subject, text).await?, ask.texts())
        }
    }
}

/// A FHIR Communication that says `text` about `subject`.
fn communication(subject: SubjectId, text: &str, now: Timestamp) -> Bytes {
    let resource = json!({
        "resourceType": NOTE.as_str(),
        "status": "completed",
        "subject": { "reference": format!("Patient/{subject}") },
        "sent": dates::to_fhir(now),
        "payload": [{ "contentString": text }],
    });
    Bytes::from(resource.to_string())
}

fn look_page(id: ObjectId) -> String {
    format!("/records/{NOTE}/{id}/look")
}

/// Why a form is shown again.
enum Problem {
    /// The text that says so.
    Text(&'static str),
    Fault(Fault),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Fault(Fault::from(error))
    }
}

impl Problem {
    /// Gives up where showing the form again would not help.
    fn check(&self) -> Result<(), Fault> {
        match self {
            Self::Fault(fault) if !shown_again(fault) => Err(fault.clone()),
            _ => Ok(()),
        }
    }

    /// The form again, with what was typed.
    fn show(self, mut form: Form, texts: &crate::language::Texts) -> Answered {
        let (status, error) = match self {
            Self::Text(key) => (StatusCode::UNPROCESSABLE_ENTITY, texts.get(key)),
            Self::Fault(fault) => (fault.status, form_error(&fault, texts)),
        };
        form.error = Some(error);
        page_with(status, &form)
    }
}

fn checked(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        Err("note-empty")
    } else if text.chars().count() > LONGEST {
        Err("note-too-long")
    } else {
        Ok(())
    }
}

/// A note of the caller's own in one of `states`, its text and whose it is.
async fn own(
    ask: &Ask,
    kind: &str,
    record: &str,
    states: &[RecordState],
) -> Result<(Stored, String, SubjectId), Fault> {
    let kind = fhir_kind(kind)?;
    let stored = ask.web.app.read(&ask.caller, &kind, id(record)?).await?;
    let text = (kind == NOTE).then(|| editable(&stored)).flatten();
    let (Some(text), Some(subject)) = (text, stored.subject) else {
        return Err(Fault::not_found());
    };
    if !is_own(ask.caller.actor_id(), &stored) {
        return Err(Fault::status(StatusCode::FORBIDDEN));
    }
    if !states.contains(&stored.state) {
        return Err(Fault::status(StatusCode::CONFLICT));
    }
    Ok((stored, text, subject))
}

/// The text of a note that consists of one; other Communications are not edited here.
pub(super) fn editable(stored: &Stored) -> Option<String> {
    let resource = present::read(stored)?;
    let mut payloads = resource.root().items("payload");
    let text = payloads.next()?.string("contentString")?.to_owned();
    payloads.next().is_none().then_some(text)
}

/// The record's bytes with another text; everything else stays as it was received.
fn with_text(stored: &Stored, text: &str) -> Option<Bytes> {
    let resource = present::read(stored)?;
    let span = resource.root().items("payload").next()?.get("contentString")?.span();
    let mut bytes = stored.bytes.get(..span.start)?.to_vec();
    bytes.extend_from_slice(json!(text).to_string().as_bytes());
    bytes.extend_from_slice(stored.bytes.get(span.end..)?);
    Some(Bytes::from(bytes))
}

/// `GET /records/{kind}/{id}/look`: the last look before a draft is confirmed.
pub(crate) async fn look(ask: Ask, Path((kind, record)): Path<(String, String)>) -> Answered {
    let (stored, text, subject) = own(&ask, &kind, &record, &[RecordState::Draft]).await?;
    let (_, head) = Head::ask(&ask, subject).await?;
    let base = format!("/records/{NOTE}/{}", stored.id);
    page(&Look {
        l: ask.layout("look-title"),
        head,
        text,
        pieces: Vec::new(),
        action: format!("{base}/confirm"),
        version: stored.version,
        carried: false,
        back: format!("{base}/edit"),
        discard: format!("{base}/discard"),
    })
}

/// `GET /records/{kind}/{id}/edit`
pub(crate) async fn edit_form(ask: Ask, Path((kind, record)): Path<(String, String)>) -> Answered {
    let (stored, text, subject) = own(&ask, &kind, &record, &[RecordState::Draft]).await?;
    page(&form_over(&ask, &stored, subject, text, false).await?)
}

async fn form_over(
    ask: &Ask,
    stored: &Stored,
    subject: SubjectId,
    text: String,
    amends: bool,
) -> Result<Form, Fault> {
    let (_, head) = Head::ask(ask, subject).await?;
    let base = format!("/records/{NOTE}/{}", stored.id);
    let (title, here, action) =
        if amends { ("amend-title", "amend", "amend/look") } else { ("note-title", "edit", "edit") };
    Ok(Form {
        l: ask.layout(title).at(format!("{base}/{here}")),
        back: if amends { base.clone() } else { head.person.page.clone() },
        head,
        action: format!("{base}/{action}"),
        text,
        version: Some(stored.version),
        amends,
        error: None,
    })
}

/// `POST /records/{kind}/{id}/edit`
pub(crate) async fn edit(ask: Ask, Path((kind, record)): Path<(String, String)>, fields: Fields) -> Answered {
    let (stored, _, subject) = own(&ask, &kind, &record, &[RecordState::Draft]).await?;
    let text = fields.lines("text");
    match change(&ask, &stored, &text, version(&fields)?).await {
        Ok(changed) => Ok(see(&look_page(changed.id))),
        Err(problem) => {
            problem.check()?;
            problem.show(form_over(&ask, &stored, subject, text, false).await?, ask.texts())
        }
    }
}

async fn change(ask: &Ask, stored: &Stored, text: &str, expected: u64) -> Result<Stored, Problem> {
    checked(text).map_err(Problem::Text)?;
    let bytes = with_text(stored, text).ok_or(Problem::Text("note-empty"))?;
    Ok(ask.web.app.update(&ask.caller, &NOTE, stored.id, bytes, expected).await?)
}

/// The version a form was made from.
pub(super) fn version(fields: &Fields) -> Result<u64, Fault> {
    fields.parsed("version").ok_or_else(|| Fault::status(StatusCode::BAD_REQUEST))
}

const CONFIRMED: &[RecordState] = &[RecordState::Confirmed, RecordState::Amended];

/// `GET /records/{kind}/{id}/amend`
pub(crate) async fn amend_form(ask: Ask, Path((kind, record)): Path<(String, String)>) -> Answered {
    let (stored, text, subject) = own(&ask, &kind, &record, CONFIRMED).await?;
    page(&form_over(&ask, &stored, subject, text, true).await?)
}

/// `POST /records/{kind}/{id}/amend/look`: shows what the amendment changes.
pub(crate) async fn amend_look(
    ask: Ask,
    Path((kind, record)): Path<(String, String)>,
    fields: Fields,
) -> Answered {
    let (stored, old, subject) = own(&ask, &kind, &record, CONFIRMED).await?;
    let (text, version) = (fields.lines("text"), version(&fields)?);
    let same = if text == old { Err("amend-same") } else { Ok(()) };
    if let Err(key) = checked(&text).and(same) {
        let form = form_over(&ask, &stored, subject, text, true).await?;
        return Problem::Text(key).show(form, ask.texts());
    }
    let (_, head) = Head::ask(&ask, subject).await?;
    let base = format!("/records/{NOTE}/{}", stored.id);
    page(&Look {
        l: ask.layout("amend-look-title").at(format!("{base}/amend")),
        head,
        pieces: diff::pieces(&old, &text),
        text,
        action: format!("{base}/amend"),
        version,
        carried: true,
        back: format!("{base}/amend"),
        discard: String::new(),
    })
}

/// `POST /records/{kind}/{id}/amend`
pub(crate) async fn amend(
    ask: Ask,
    Path((kind, record)): Path<(String, String)>,
    fields: Fields,
) -> Answered {
    let (stored, _, subject) = own(&ask, &kind, &record, CONFIRMED).await?;
    let text = fields.lines("text");
    match change(&ask, &stored, &text, version(&fields)?).await {
        Ok(amended) => Ok(done(&amended)),
        Err(problem) => {
            problem.check()?;
            problem.show(form_over(&ask, &stored, subject, text, true).await?, ask.texts())
        }
    }
}

fn done(amended: &Stored) -> Response {
    see(&format!("/records/{NOTE}/{}?done=amended", amended.id))
}

#[cfg(test)]
mod tests {
    use mimamori_fhir::{Limits, parse, validate};

    use super::*;

    #[test]
    fn a_note_is_a_valid_communication_with_its_text_unchanged() {
        let text = "夕食 8割\n「足が痛い」\t\"左\"\\";
        let bytes = communication(SubjectId::random(), text, Timestamp::from_micros(0));
        let resource = parse(&bytes, &Limits::default()).unwrap();
        assert_eq!(validate(&resource), []);
        let payload = resource.root().items("payload").next().unwrap();
        assert_eq!(payload.string("contentString"), Some(text));
    }

    #[test]
    fn editing_changes_the_text_alone() {
        let note = r#"{ "resourceType":"Communication", "payload":[{"contentString":"旧"}],"x":1.50}"#;
        let stored = crate::present::sample("Communication", note);
        assert_eq!(editable(&stored).as_deref(), Some("旧"));
        let changed = with_text(&stored, "新\n\"").unwrap();
        let text = r#"{ "resourceType":"Communication", "payload":[{"contentString":"新\n\""}],"x":1.50}"#;
        assert_eq!(std::str::from_utf8(&changed).unwrap(), text);
        let two =
            r#"{"resourceType":"Communication","payload":[{"contentString":"1"},{"contentString":"2"}]}"#;
        assert_eq!(editable(&crate::present::sample("Communication", two)), None);
    }
}
