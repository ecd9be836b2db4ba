//! One record with all its versions and what changed between them; confirming and withdrawing it.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use mimamori_app::Stored;
use mimamori_domain::{ActorId, RecordState, SubjectId};

use super::note::{NOTE, editable, version};
use super::person::{is_own, reply_page};
use super::{Head, fhir_kind, form_error, id, shown_again};
use crate::diff::{self, Piece};
use crate::error::{Answered, Fault};
use crate::forms::{Fields, Query};
use crate::layout::{Ask, Layout, page, page_with, see};
use crate::present::{self, Item, Names};

#[derive(Template)]
#[template(path = "record.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    pub(super) head: Option<Head>,
    pub(super) kind: String,
    /// Newest first.
    pub(super) versions: Vec<Version>,
    pub(super) steps: Steps,
}

pub(super) struct Version {
    pub(super) item: Item,
    /// What changed since the version before; empty for the first.
    pub(super) pieces: Vec<Piece>,
}

/// What the caller can do next with the record.
#[derive(Debug, Default)]
pub(super) struct Steps {
    pub(super) base: String,
    pub(super) version: u64,
    pub(super) go_on: bool,
    pub(super) confirm: bool,
    pub(super) amend: bool,
    pub(super) withdraw: bool,
    pub(super) discard: bool,
    /// Where a note is answered.
    pub(super) reply: Option<String>,
}

impl Steps {
    fn of(newest: &Stored, ask: &Ask) -> Self {
        use RecordState as S;
        let me = ask.caller.actor_id();
        let own = is_own(me, newest);
        let note = newest.kind == NOTE && editable(newest).is_some();
        let finished = matches!(newest.state, S::Confirmed | S::Amended);
        Self {
            base: format!("/records/{}/{}", newest.kind, newest.id),
            version: newest.version,
            go_on: newest.state == S::Draft && own && note,
            confirm: newest.state == S::AwaitingConfirmation && newest.on_behalf_of == Some(me),
            amend: finished && own && note,
            withdraw: finished && own,
            discard: discardable(newest, me),
            reply: None,
        }
    }
}

/// What was never confirmed is thrown away by its author alone.
fn discardable(newest: &Stored, me: ActorId) -> bool {
    matches!(newest.state, RecordState::Draft | RecordState::AwaitingConfirmation)
        && newest.author == Some(me)
}

/// `GET /records/{kind}/{id}`
pub(crate) async fn show(
    ask: Ask,
    Path((kind, record)): Path<(String, String)>,
    Query(query): Query,
) -> Answered {
    let (app, caller, texts) = (&ask.web.app, &ask.caller, ask.texts());
    let of = async |subject| match subject {
        Some(subject) => Head::ask(&ask, subject).await.map(Some),
        None => Ok(None),
    };
    let (versions, told) = app.history_and(caller, &fhir_kind(&kind)?, id(&record)?, of).await?;
    let newest = versions.first().ok_or_else(Fault::not_found)?;
    let (reply, head) = match told? {
        Some((person, head)) => (reply_page(newest, person.may), Some(head)),
        None => (None, None),
    };
    let names = Names::of(&ask.web, caller, &versions, &[]).await?;
    let items: Vec<Item> = versions.iter().map(|v| present::item(v, &names, texts)).collect();
    let before = items.iter().skip(1).map(|i| Some(i.content.as_text())).chain([None]);
    let pieces: Vec<Vec<Piece>> = items
        .iter()
        .zip(before)
        .map(|(item, before)| match before {
            Some(before) => diff::pieces(&before, &item.content.as_text()),
            None => Vec::new(),
        })
        .collect();
    page(&Page {
        l: ask.layout("record-title").done(query.get("done")),
        head,
        kind: present::kind(&kind, texts),
        steps: Steps { reply, ..Steps::of(newest, &ask) },
        versions: items.into_iter().zip(pieces).map(|(item, pieces)| Version { item, pieces }).collect(),
    })
}

/// `POST /records/{kind}/{id}/confirm`
pub(crate) async fn confirm(
    ask: Ask,
    Path((kind, record)): Path<(String, String)>,
    fields: Fields,
) -> Answered {
    let (kind, record) = (fhir_kind(&kind)?, id(&record)?);
    let expected = version(&fields)?;
    let confirmed = ask.web.app.confirm(&ask.caller, &kind, record, expected).await?;
    Ok(match confirmed.subject {
        Some(subject) => see(&format!("/people/{subject}?done=confirmed")),
        None => see(&format!("/records/{kind}/{record}?done=confirmed")),
    })
}

#[derive(Template)]
#[template(path = "withdraw.html")]
pub(super) struct Withdraw {
    pub(super) l: Layout,
    pub(super) head: Head,
    pub(super) item: Item,
    pub(super) base: String,
    pub(super) version: u64,
    pub(super) reason: String,
    pub(super) error: Option<String>,
    /// The last look: the reason is shown, not asked.
    pub(super) last: bool,
}

async fn withdrawal(ask: &Ask, kind: &str, record: &str) -> Result<Withdraw, Fault> {
    let (app, caller) = (&ask.web.app, &ask.caller);
    let stored = app.read(caller, &fhir_kind(kind)?, id(record)?).await?;
    if !is_own(caller.actor_id(), &stored) {
        return Err(Fault::status(StatusCode::FORBIDDEN));
    }
    if !matches!(stored.state, RecordState::Confirmed | RecordState::Amended) {
        return Err(Fault::status(StatusCode::CONFLICT));
    }
    let subject: SubjectId = stored.subject.ok_or_else(Fault::not_found)?;
    let (_, head) = Head::ask(ask, subject).await?;
    let names = Names::of(&ask.web, caller, std::slice::from_ref(&stored), &[]).await?;
    let base = format!("/records/{}/{}", stored.kind, stored.id);
    Ok(Withdraw {
        l: ask.layout("withdraw-title").at(format!("{base}/withdraw")),
        head,
        item: present::item(&stored, &names, ask.texts()),
        base,
        version: stored.version,
        reason: String::new(),
        error: None,
        last: false,
    })
}

/// `GET /records/{kind}/{id}/withdraw`
pub(crate) async fn withdraw_form(ask: Ask, Path((kind, record)): Path<(String, String)>) -> Answered {
    page(&withdrawal(&ask, &kind, &record).await?)
}

/// `POST /records/{kind}/{id}/withdraw/look`
pub(crate) async fn withdraw_look(
    ask: Ask,
    Path((kind, record)): Path<(String, String)>,
    fields: Fields,
) -> Answered {
    let mut form = withdrawal(&ask, &kind, &record).await?;
    form.reason = fields.lines("reason");
    form.version = version(&fields)?;
    if form.reason.is_empty() {
        form.error = Some(ask.texts().get("reason-missing"));
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &form);
    }
    form.last = true;
    page(&form)
}

/// `POST /records/{kind}/{id}/withdraw`
pub(crate) async fn withdraw(
    ask: Ask,
    Path((kind, record)): Path<(String, String)>,
    fields: Fields,
) -> Answered {
    let (known, object) = (fhir_kind(&kind)?, id(&record)?);
    let (reason, expected) = (fields.lines("reason"), version(&fields)?);
    let done = ask.web.app.withdraw(&ask.caller, &known, object, expected, &reason).await;
    match done {
        Ok(_) => Ok(see(&format!("/records/{kind}/{record}?done=withdrawn"))),
        Err(error) => {
            let fault = Fault::from(error);
            if !shown_again(&fault) {
                return Err(fault);
            }
            let mut form = withdrawal(&ask, &kind, &record).await?;
            form.reason = reason;
            form.error = Some(form_error(&fault, ask.texts()));
            page_with(fault.status, &form)
        }
    }
}

#[derive(Template)]
#[template(path = "discard.html")]
pub(super) struct Discard {
    pub(super) l: Layout,
    pub(super) head: Head,
    pub(super) item: Item,
    pub(super) base: String,
    pub(super) version: u64,
}

/// `GET /records/{kind}/{id}/discard`: asks once more before a draft is thrown away.
pub(crate) async fn discard_form(ask: Ask, Path((kind, record)): Path<(String, String)>) -> Answered {
    let (app, caller) = (&ask.web.app, &ask.caller);
    let stored = app.read(caller, &fhir_kind(&kind)?, id(&record)?).await?;
    if !discardable(&stored, caller.actor_id()) {
        return Err(Fault::status(StatusCode::CONFLICT));
    }
    let subject: SubjectId = stored.subject.ok_or_else(Fault::not_found)?;
    let (_, head) = Head::ask(&ask, subject).await?;
    let names = Names::of(&ask.web, caller, std::slice::from_ref(&stored), &[]).await?;
    let base = format!("/records/{}/{}", stored.kind, stored.id);
    page(&Discard {
        l: ask.layout("discard-title").at(format!("{base}/discard")),
        head,
        item: present::item(&stored, &names, ask.texts()),
        base,
        version: stored.version,
    })
}

/// `POST /records/{kind}/{id}/discard`
pub(crate) async fn discard(
    ask: Ask,
    Path((kind, record)): Path<(String, String)>,
    fields: Fields,
) -> Answered {
    let (known, object) = (fhir_kind(&kind)?, id(&record)?);
    let subject = ask.web.app.discard_record(&ask.caller, &known, object, version(&fields)?).await?;
    Ok(see(&format!("/people/{subject}?done=discarded")))
}
