//! Writing a note: draft, edit, last look, confirm; answering another; and amending one's own confirmed
//! note.

use std::convert::Infallible;

use askama::Template;
use axum::Json;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use mimamori_app::{CreateAs, PersonPage, RecordFile, Stored};
use mimamori_domain::{Error, Kind, ObjectId, RecordState, SubjectId};
use serde_json::json;

use super::note_content::{self, Typed};
use super::papers::{Again, looked_at, most_words};
use super::person::{Choice, is_own, member};
use super::{Head, fhir_kind, form_error, id, shown_again};
use crate::assets::Module;
use crate::dates;
use crate::diff::{self, Piece};
use crate::error::{Answered, Fault, Rendered};
use crate::forms::{Fields, Query};
use crate::layout::{Ask, Layout, page, page_with, see};
use crate::present::{self, FileShown, Line, Names};
use crate::uploads;

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
    /// What it is for, unless it is only amended.
    pub(super) sending: Option<Sending>,
    /// The version that is edited or amended.
    pub(super) version: Option<u64>,
    pub(super) amends: bool,
    /// Photographs that the draft has already.
    pub(super) files: Vec<FileShown>,
    /// How large a photograph may be.
    pub(super) most: String,
    pub(super) error: Option<String>,
    pub(super) back: String,
    /// Under which a browser may keep a copy of what is not sent yet.
    pub(super) copy_key: Option<String>,
}

/// What a note's form asks besides the text.
#[derive(Default)]
pub(super) struct Sending {
    /// Ways of writing: address, name, chosen. None once something is written.
    pub(super) templates: Vec<(String, String, bool)>,
    pub(super) template: Option<String>,
    pub(super) priorities: Vec<Choice>,
    pub(super) recipients: Vec<Choice>,
    /// The note that is answered: id, how it is called, what it says.
    pub(super) reply: Option<(String, String, String)>,
}

#[derive(Template)]
#[template(path = "note_look.html")]
pub(super) struct Look {
    pub(super) l: Layout,
    pub(super) head: Head,
    pub(super) text: String,
    pub(super) files: Vec<FileShown>,
    /// What goes with it: importance, recipients, what it answers.
    pub(super) lines: Vec<Line>,
    /// Who it will be shared with once it is confirmed.
    pub(super) team: Vec<String>,
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

/// `GET /people/{subject}/notes/new`: with `template` begun so, with `reply` as an answer.
pub(crate) async fn form(ask: Ask, Path(subject): Path<String>, Query(query): Query) -> Answered {
    let (person, head) = writable(&ask, id(&subject)?).await?;
    let mut typed = Typed::of(&query, &ask, &person);
    typed.text = note_content::beginning(&ask, query.get("template"));
    let answered = answered(&ask, &person, query.get("reply"), &mut typed).await?;
    page(&new_form(&ask, &person, head, &typed, answered).await?)
}

/// Whose notebook it is, where the caller may write notes.
async fn writable(ask: &Ask, subject: SubjectId) -> Result<(PersonPage, Head), Fault> {
    let (person, head) = Head::ask(ask, subject).await?;
    if person.may.write_note { Ok((person, head)) } else { Err(Fault::status(StatusCode::FORBIDDEN)) }
}

/// Reads the note of the same person that is answered, so that the answer can name it; gives its text.
async fn answered(
    ask: &Ask,
    person: &PersonPage,
    reply: &str,
    typed: &mut Typed,
) -> Result<Option<String>, Fault> {
    if reply.is_empty() {
        return Ok(None);
    }
    let stored = ask.web.app.read(&ask.caller, &NOTE, id(reply)?).await?;
    let shared = matches!(stored.state, RecordState::Confirmed | RecordState::Amended);
    if stored.subject != Some(person.subject) || !shared {
        return Err(Fault::not_found());
    }
    let names =
        Names::of(&ask.web, &ask.caller, std::slice::from_ref(&stored), &person.told_institutions()).await?;
    typed.reply = Some((stored.id, note_content::called(&stored, &names, ask.texts())));
    Ok(present::item(&stored, &names, ask.texts()).content.note)
}

async fn new_form(
    ask: &Ask,
    person: &PersonPage,
    head: Head,
    typed: &Typed,
    answered: Option<String>,
) -> Result<Form, Fault> {
    let back = head.person.page.clone();
    let reply = typed.reply.as_ref().map(|(id, _)| format!("?reply={id}")).unwrap_or_default();
    let mut sending = sending(ask, person, typed, answered).await?;
    let chosen = typed.template.as_ref().map(|(code, _)| code.as_str());
    sending.templates = note_content::templates(ask, &format!("{back}/notes/new{reply}"), chosen);
    let title = if typed.reply.is_some() { "reply-title" } else { "note-title" };
    Ok(Form {
        l: ask.layout(title).at(format!("{back}/notes/new")).with(Module::Writing),
        copy_key: ask.web.app.copy_key(&ask.caller)?,
        head,
        action: format!("{back}/notes"),
        text: typed.text.clone(),
        sending: Some(sending),
        version: None,
        amends: false,
        files: Vec::new(),
        most: most_words(ask)?,
        error: None,
        back,
    })
}

async fn sending(
    ask: &Ask,
    person: &PersonPage,
    typed: &Typed,
    answered: Option<String>,
) -> Result<Sending, Fault> {
    let names = Names::of(&ask.web, &ask.caller, &[], &person.told_institutions()).await?;
    let recipients = note_content::recipients(person, ask, &names);
    Ok(Sending {
        templates: Vec::new(),
        template: typed.template.as_ref().map(|(code, _)| code.clone()),
        priorities: note_content::priorities(typed, ask.texts()),
        recipients: note_content::boxes(&recipients, typed),
        reply: typed
            .reply
            .as_ref()
            .map(|(id, called)| (id.to_string(), called.clone(), answered.unwrap_or_default())),
    })
}

/// `POST /people/{subject}/notes`: keeps a draft and shows it for a last look.
pub(crate) async fn save(
    ask: Ask,
    small: Small,
    Path(subject): Path<String>,
    form: uploads::Form,
) -> Answered {
    let subject: SubjectId = id(&subject)?;
    let (person, head) = writable(&ask, subject).await?;
    let mut typed = Typed::of(&form.fields, &ask, &person);
    let quoted = answered(&ask, &person, form.fields.get("reply"), &mut typed).await?;
    match draft(&ask, &person, &typed, &form.files).await {
        Ok(stored) if small.0 => Ok(draft_kept(&ask, &stored)),
        Ok(stored) => Ok(see(&look_page(stored.id))),
        Err(problem) => {
            problem.check()?;
            if small.0 {
                return problem.small(ask.texts());
            }
            problem.show(new_form(&ask, &person, head, &typed, quoted).await?, ask.texts())
        }
    }
}

async fn draft(
    ask: &Ask,
    person: &PersonPage,
    typed: &Typed,
    sent: &[uploads::Upload],
) -> Result<Stored, Problem> {
    checked(&typed.text).map_err(Problem::Text)?;
    let files = looked_at(ask, sent)?;
    let names = Names::of(&ask.web, &ask.caller, &[], &person.told_institutions()).await?;
    let recipients = note_content::recipients(person, ask, &names);
    let bytes = typed.communication(person.subject, &recipients, &files, ask.web.now());
    Ok(ask.web.app.create_with_files(&ask.caller, bytes, &files, CreateAs::Draft).await?)
}

pub(super) fn attached(file: &RecordFile) -> serde_json::Value {
    json!({ "contentAttachment": file.attachment() })
}

/// Whether a small answer is asked for: the draft is kept while it is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Small(bool);

impl<S: Sync> FromRequestParts<S> for Small {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let accept = parts.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        Ok(Self(accept == Some("application/json")))
    }
}

/// Where the draft is edited from now on, which version it has, and when it was kept.
fn draft_kept(ask: &Ask, stored: &Stored) -> Response {
    let edit = format!("/records/{NOTE}/{}/edit", stored.id);
    let time = dates::time_of_day(ask.web.now());
    Json(json!({ "edit": edit, "version": stored.version, "time": time })).into_response()
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

impl From<Again> for Problem {
    fn from(again: Again) -> Self {
        match again {
            Again::Text(key) => Self::Text(key),
            Again::Fault(fault) => Self::Fault(fault),
        }
    }
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

    /// The same without the form.
    fn small(self, texts: &crate::language::Texts) -> Answered {
        let (status, error) = self.told(texts);
        let mut response = (status, Json(json!({ "error": error }))).into_response();
        // No page takes its place.
        response.extensions_mut().insert(Rendered);
        Ok(response)
    }

    fn told(self, texts: &crate::language::Texts) -> (StatusCode, String) {
        match self {
            Self::Text(key) => (StatusCode::UNPROCESSABLE_ENTITY, texts.get(key)),
            Self::Fault(fault) => (fault.status, form_error(&fault, texts)),
        }
    }

    /// The form again, with what was typed.
    fn show(self, mut form: Form, texts: &crate::language::Texts) -> Answered {
        let (status, error) = self.told(texts);
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

/// The text of a note that consists of one, with or without photographs; other Communications are not
/// edited here.
pub(super) fn editable(stored: &Stored) -> Option<String> {
    let resource = present::read(stored)?;
    let mut payloads = resource.root().items("payload");
    let text = payloads.next()?.string("contentString")?.to_owned();
    payloads.all(|payload| payload.get("contentAttachment").is_some()).then_some(text)
}

/// The record's bytes without the photographs at `dropped` and with new ones behind the others;
/// everything else stays as it was received.
fn with_files(stored: &Stored, bytes: &Bytes, dropped: &[&str], added: &[RecordFile]) -> Option<Bytes> {
    let resource = present::read(&Stored { bytes: bytes.clone(), ..stored.clone() })?;
    let mut made = Vec::with_capacity(bytes.len());
    let (mut from, mut end) = (0, 0);
    for payload in resource.root().items("payload") {
        let span = payload.span();
        let url = payload.get("contentAttachment").and_then(|file| file.string("url"));
        if url.is_some_and(|url| dropped.contains(&url)) {
            // With the comma before it: what comes first is the text.
            made.extend_from_slice(bytes.get(from..end)?);
            from = span.end;
        }
        end = span.end;
    }
    made.extend_from_slice(bytes.get(from..end)?);
    for file in added {
        made.push(b',');
        made.extend_from_slice(attached(file).to_string().as_bytes());
    }
    made.extend_from_slice(bytes.get(end..)?);
    Some(Bytes::from(made))
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
    let (person, head) = Head::ask(&ask, subject).await?;
    let names =
        Names::of(&ask.web, &ask.caller, std::slice::from_ref(&stored), &person.told_institutions()).await?;
    let base = format!("/records/{NOTE}/{}", stored.id);
    page(&Look {
        l: ask.layout("look-title"),
        head,
        text,
        files: present::files(&stored, ask.texts()),
        lines: present::item(&stored, &names, ask.texts()).content.lines,
        team: person.team.iter().map(|one| member(one, &names, ask.texts())).collect(),
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
    let typed = Typed::stored(&stored, text, ask.texts());
    page(&form_over(&ask, &stored, subject, &typed, false).await?)
}

async fn form_over(
    ask: &Ask,
    stored: &Stored,
    subject: SubjectId,
    typed: &Typed,
    amends: bool,
) -> Result<Form, Fault> {
    let (person, head) = Head::ask(ask, subject).await?;
    let base = format!("/records/{NOTE}/{}", stored.id);
    let (title, here, action) =
        if amends { ("amend-title", "amend", "amend/look") } else { ("note-title", "edit", "edit") };
    Ok(Form {
        l: ask.layout(title).at(format!("{base}/{here}")).with(Module::Writing),
        copy_key: ask.web.app.copy_key(&ask.caller)?,
        back: if amends { base.clone() } else { head.person.page.clone() },
        sending: if amends { None } else { Some(sending(ask, &person, typed, None).await?) },
        head,
        action: format!("{base}/{action}"),
        text: typed.text.clone(),
        version: Some(stored.version),
        amends,
        files: present::files(stored, ask.texts()),
        most: most_words(ask)?,
        error: None,
    })
}

/// `POST /records/{kind}/{id}/edit`
pub(crate) async fn edit(
    ask: Ask,
    small: Small,
    Path((kind, record)): Path<(String, String)>,
    form: uploads::Form,
) -> Answered {
    let (stored, text, subject) = own(&ask, &kind, &record, &[RecordState::Draft]).await?;
    let (person, _) = Head::ask(&ask, subject).await?;
    let kept = Typed::stored(&stored, text, ask.texts());
    let asked = Typed::of(&form.fields, &ask, &person);
    let typed = Typed { reply: kept.reply, template: kept.template, ..asked };
    let names = Names::of(&ask.web, &ask.caller, &[], &person.told_institutions()).await?;
    let bytes = typed.over(&stored, &note_content::recipients(&person, &ask, &names));
    match change(&ask, &stored, (&typed.text, bytes), &form, version(&form.fields)?).await {
        Ok(changed) if small.0 => Ok(draft_kept(&ask, &changed)),
        Ok(changed) => Ok(see(&look_page(changed.id))),
        Err(problem) => {
            problem.check()?;
            if small.0 {
                return problem.small(ask.texts());
            }
            problem.show(form_over(&ask, &stored, subject, &typed, false).await?, ask.texts())
        }
    }
}

/// Keeps a note with another text and what else `bytes` changes; the form's photographs come to it and go.
async fn change(
    ask: &Ask,
    stored: &Stored,
    (text, bytes): (&str, Option<Bytes>),
    form: &uploads::Form,
    expected: u64,
) -> Result<Stored, Problem> {
    checked(text).map_err(Problem::Text)?;
    let files = looked_at(ask, &form.files)?;
    let bytes = bytes.ok_or(Problem::Text("note-empty"))?;
    let dropped: Vec<&str> = form.fields.all("drop").collect();
    let bytes = with_files(stored, &bytes, &dropped, &files).ok_or(Problem::Text("note-empty"))?;
    Ok(ask.web.app.update_with_files(&ask.caller, &NOTE, stored.id, bytes, &files, expected).await?)
}

/// The version a form was made from.
pub(super) fn version(fields: &Fields) -> Result<u64, Fault> {
    fields.parsed("version").ok_or_else(|| Fault::status(StatusCode::BAD_REQUEST))
}

const CONFIRMED: &[RecordState] = &[RecordState::Confirmed, RecordState::Amended];

/// `GET /records/{kind}/{id}/amend`
pub(crate) async fn amend_form(ask: Ask, Path((kind, record)): Path<(String, String)>) -> Answered {
    let (stored, text, subject) = own(&ask, &kind, &record, CONFIRMED).await?;
    let typed = Typed { text, ..Typed::default() };
    page(&form_over(&ask, &stored, subject, &typed, true).await?)
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
        let form = form_over(&ask, &stored, subject, &Typed { text, ..Typed::default() }, true).await?;
        return Problem::Text(key).show(form, ask.texts());
    }
    let (_, head) = Head::ask(&ask, subject).await?;
    let base = format!("/records/{NOTE}/{}", stored.id);
    page(&Look {
        l: ask.layout("amend-look-title").at(format!("{base}/amend")),
        head,
        pieces: diff::pieces(&old, &text),
        lines: Vec::new(),
        team: Vec::new(),
        text,
        files: present::files(&stored, ask.texts()),
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
    let (version, form) = (version(&fields)?, uploads::Form::default());
    match change(&ask, &stored, (&text, with_text(&stored, &text)), &form, version).await {
        Ok(amended) => Ok(done(&amended)),
        Err(problem) => {
            problem.check()?;
            let typed = Typed { text, ..Typed::default() };
            problem.show(form_over(&ask, &stored, subject, &typed, true).await?, ask.texts())
        }
    }
}

fn done(amended: &Stored) -> Response {
    see(&format!("/records/{NOTE}/{}?done=amended", amended.id))
}

#[cfg(test)]
mod tests {
    use mimamori_fhir::{Limits, parse, validate};

    use mimamori_domain::Timestamp;

    use super::*;

    #[test]
    fn a_note_is_a_valid_communication_with_its_text_unchanged() {
        let text = "夕食 8割\n「足が痛い」\t\"左\"\\";
        let answers = (ObjectId::random(), "試験 看護子の記録".to_owned());
        let to = ("Organization/1".to_owned(), "みほん病院".to_owned());
        let typed = Typed {
            text: text.to_owned(),
            priority: "stat",
            to: vec![to.0.clone()],
            reply: Some(answers.clone()),
            template: Some(("soap".to_owned(), "SOAP".to_owned())),
        };
        let bytes = typed.communication(
            SubjectId::random(),
            std::slice::from_ref(&to),
            &[],
            Timestamp::from_micros(0),
        );
        let resource = parse(&bytes, &Limits::default()).unwrap();
        assert_eq!(validate(&resource), []);
        let payload = resource.root().items("payload").next().unwrap();
        assert_eq!(payload.string("contentString"), Some(text));
        // What was chosen is read back, and taking it back takes it out.
        let texts = crate::language::Language::Japanese.texts();
        let json = std::str::from_utf8(&bytes).unwrap();
        let stored = crate::present::sample("Communication", json);
        let read = Typed::stored(&stored, text.to_owned(), texts);
        assert_eq!((read.priority, &read.to, &read.reply), ("stat", &typed.to, &Some(answers)));
        assert_eq!(read.template, typed.template);
        let plain = Typed { priority: "routine", to: Vec::new(), ..read };
        let json = plain.over(&stored, &[to]).unwrap();
        let resource = parse(&json, &Limits::default()).unwrap();
        assert_eq!(validate(&resource), []);
        assert!(resource.root().get("priority").is_none() && resource.root().get("recipient").is_none());
        assert!(resource.root().get("inResponseTo").is_some());
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

    #[test]
    fn dropping_a_photograph_leaves_everything_else_as_it_was() {
        let photo = |n: u8| format!(r#"{{"contentAttachment":{{"url":"Binary/{n}"}}}}"#);
        let whole = format!(
            r#"{{"payload":[{{"contentString":"傷"}} , {}, {} ,{} ],"x":1.50,"resourceType":"Communication"}}"#,
            photo(1),
            photo(2),
            photo(3)
        );
        let stored = crate::present::sample("Communication", &whole);
        assert_eq!(editable(&stored).as_deref(), Some("傷"));
        let without = |dropped: &[&str]| {
            let made = with_files(&stored, &stored.bytes, dropped, &[]).unwrap();
            String::from_utf8(made.to_vec()).unwrap()
        };
        assert_eq!(without(&[]), whole);
        assert_eq!(without(&["Binary/2"]), whole.replace(&format!(", {} ", photo(2)), " "));
        for dropped in [&["Binary/1", "Binary/3"][..], &["Binary/1", "Binary/2", "Binary/3"], &["Binary/9"]] {
            let made = without(dropped);
            let urls = [1, 2, 3].map(|n| made.contains(&format!("Binary/{n}")));
            assert_eq!(urls, [1, 2, 3].map(|n| !dropped.contains(&format!("Binary/{n}").as_str())));
            assert!(serde_json::from_str::<serde_json::Value>(&made).is_ok(), "{made}");
        }
    }
}
