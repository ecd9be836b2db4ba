//! What a note holds besides its text: how important it is, whom it is for, what it answers, and how it was
//! begun. A note is a FHIR R4 Communication (`priority`, `recipient`, `inResponseTo`, `category`).

use bytes::Bytes;
use mimamori_app::{PersonPage, RecordFile, Stored, TeamMember};
use mimamori_domain::{ObjectId, SubjectId, Timestamp};
use mimamori_fhir::Value as Fhir;
use serde_json::{Value, json};

use super::note::{NOTE, attached};
use super::person::{Choice, member};
use crate::dates;
use crate::forms::Fields;
use crate::language::Texts;
use crate::layout::Ask;
use crate::present::{self, Names};

/// FHIR request priorities that a writer chooses from; the first is the ordinary one and is not stated.
pub(super) const PRIORITIES: [&str; 3] = ["routine", "urgent", "stat"];

/// Which way of writing a note was begun with; its code is that of the pack's `notes.yaml`.
pub(super) const TEMPLATES: &str = "urn:mimamori:note-template";

/// What a form says.
#[derive(Debug, Clone, Default)]
pub(super) struct Typed {
    pub(super) text: String,
    /// One of [`PRIORITIES`].
    pub(super) priority: &'static str,
    /// References of the people and institutions it is for.
    pub(super) to: Vec<String>,
    /// The note it answers, and how that is called.
    pub(super) reply: Option<(ObjectId, String)>,
    /// Code and name of the way it was begun.
    pub(super) template: Option<(String, String)>,
}

impl Typed {
    /// From a form; what is no choice of it is left out.
    pub(super) fn of(fields: &Fields, ask: &Ask, person: &PersonPage) -> Self {
        let known: Vec<String> = team(person, ask).map(|(reference, _)| reference).collect();
        let chosen = |code: &&&str| **code == fields.get("priority");
        Self {
            text: fields.lines("text"),
            priority: PRIORITIES.iter().find(chosen).copied().unwrap_or(PRIORITIES[0]),
            to: fields.all("to").filter(|to| known.iter().any(|k| k == to)).map(str::to_owned).collect(),
            reply: None,
            template: template(ask, fields.get("template")),
        }
    }

    /// From a stored note that holds `text`.
    pub(super) fn stored(stored: &Stored, text: String, texts: &Texts) -> Self {
        let Some(resource) = present::read(stored) else { return Self { text, ..Self::default() } };
        let root = resource.root();
        let priority = root.string("priority");
        let category = root
            .items("category")
            .flat_map(|c| c.items("coding"))
            .find(|coding| coding.string("system") == Some(TEMPLATES));
        Self {
            text,
            priority: PRIORITIES
                .iter()
                .find(|code| Some(**code) == priority)
                .copied()
                .unwrap_or(PRIORITIES[0]),
            to: root.items("recipient").filter_map(|to| to.string("reference").map(str::to_owned)).collect(),
            reply: root.items("inResponseTo").find_map(|of| answered(of, texts)),
            template: category.and_then(|coding| {
                let code = coding.string("code")?;
                Some((code.to_owned(), coding.string("display").unwrap_or(code).to_owned()))
            }),
        }
    }

    /// A new Communication, with photographs.
    pub(super) fn communication(
        &self,
        subject: SubjectId,
        recipients: &[(String, String)],
        files: &[RecordFile],
        now: Timestamp,
    ) -> Bytes {
        let mut payload = vec![json!({ "contentString": self.text })];
        payload.extend(files.iter().map(attached));
        let mut resource = json!({
            "resourceType": NOTE.as_str(),
            "status": "completed",
            "subject": { "reference": format!("Patient/{subject}") },
            "sent": dates::to_fhir(now),
            "payload": payload,
        });
        if let Some((id, display)) = &self.reply {
            let reference = format!("{NOTE}/{id}");
            set(&mut resource, "inResponseTo", json!([{ "reference": reference, "display": display }]));
        }
        if let Some((code, name)) = &self.template {
            let coding = json!([{ "system": TEMPLATES, "code": code, "display": name }]);
            set(&mut resource, "category", json!([{ "coding": coding, "text": name }]));
        }
        self.address(&mut resource, recipients);
        Bytes::from(resource.to_string())
    }

    /// A draft with what the form says; everything else stays.
    pub(super) fn over(&self, draft: &Stored, recipients: &[(String, String)]) -> Option<Bytes> {
        let mut resource: Value = serde_json::from_slice(&draft.bytes).ok()?;
        *resource.pointer_mut("/payload/0/contentString")? = json!(self.text);
        self.address(&mut resource, recipients);
        Some(Bytes::from(resource.to_string()))
    }

    fn address(&self, resource: &mut Value, recipients: &[(String, String)]) {
        let ordinary = self.priority == PRIORITIES[0];
        set(resource, "priority", if ordinary { Value::Null } else { json!(self.priority) });
        let to: Vec<Value> = self
            .to
            .iter()
            .map(|reference| match recipients.iter().find(|(known, _)| known == reference) {
                Some((_, name)) => json!({ "reference": reference, "display": name }),
                None => json!({ "reference": reference }),
            })
            .collect();
        set(resource, "recipient", if to.is_empty() { Value::Null } else { Value::Array(to) });
    }
}

/// Sets a member, or takes it away.
fn set(resource: &mut Value, name: &str, value: Value) {
    if let Some(fields) = resource.as_object_mut() {
        if value.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.to_owned(), value);
        }
    }
}

/// The note that a reference names, and how it is called.
fn answered(reference: Fhir<'_>, texts: &Texts) -> Option<(ObjectId, String)> {
    let id = reference.string("reference")?.strip_prefix("Communication/")?.parse().ok()?;
    let display = reference.string("display").map_or_else(|| texts.get("reply-unnamed"), str::to_owned);
    Some((id, display))
}

/// How a note is called where it is answered: who wrote it, and when.
pub(super) fn called(stored: &Stored, names: &Names, texts: &Texts) -> String {
    let item = present::item(stored, names, texts);
    texts.pairs("reply-called", &[("name", &item.author.name), ("time", &item.when)])
}

/// A way of writing, by its code: with its name as the pack has it.
fn template(ask: &Ask, code: &str) -> Option<(String, String)> {
    let template = ask.web.app.pack().note_template(code)?;
    Some((code.to_owned(), template.name.get(language(ask.texts())).to_owned()))
}

/// What a note begins with.
pub(super) fn beginning(ask: &Ask, code: &str) -> String {
    let template = ask.web.app.pack().note_template(code);
    template.map(|template| template.text.get(language(ask.texts())).to_owned()).unwrap_or_default()
}

/// The ways of writing, as links; `base` is the form's address.
pub(super) fn templates(ask: &Ask, base: &str, chosen: Option<&str>) -> Vec<(String, String, bool)> {
    let texts = ask.texts();
    let free = (base.to_owned(), texts.get("template-free"), chosen.is_none());
    let all = ask.web.app.pack().note_templates().iter().map(|template| {
        let sign = if base.contains('?') { '&' } else { '?' };
        let name = template.name.get(language(texts)).to_owned();
        (format!("{base}{sign}template={}", template.code), name, chosen == Some(template.code.as_str()))
    });
    std::iter::once(free).chain(all).collect()
}

fn language(texts: &Texts) -> mimamori_policy::Language {
    match texts.language {
        crate::language::Language::Japanese => mimamori_policy::Language::Ja,
        crate::language::Language::English => mimamori_policy::Language::En,
    }
}

/// The care team but for the writer: reference and how each is shown.
fn team<'a>(person: &'a PersonPage, ask: &'a Ask) -> impl Iterator<Item = (String, &'a TeamMember)> {
    let me = ask.caller.actor_id();
    person.team.iter().filter_map(move |one| match one {
        TeamMember::Person(actor) if actor.id == me => None,
        TeamMember::Person(actor) => Some((format!("Practitioner/{}", actor.id), one)),
        TeamMember::Institution { id, .. } => Some((format!("Organization/{id}"), one)),
    })
}

/// Reference and name of everybody a note can be addressed to.
pub(super) fn recipients(person: &PersonPage, ask: &Ask, names: &Names) -> Vec<(String, String)> {
    team(person, ask).map(|(reference, one)| (reference, member(one, names, ask.texts()))).collect()
}

/// The same as boxes to tick.
pub(super) fn boxes(recipients: &[(String, String)], typed: &Typed) -> Vec<Choice> {
    recipients
        .iter()
        .map(|(reference, name)| Choice {
            code: reference.clone(),
            word: name.clone(),
            chosen: typed.to.contains(reference),
        })
        .collect()
}

/// The degrees of importance.
pub(super) fn priorities(typed: &Typed, texts: &Texts) -> Vec<Choice> {
    PRIORITIES
        .iter()
        .map(|code| Choice {
            code: (*code).to_owned(),
            word: texts.get(&format!("priority-{code}")),
            chosen: typed.priority == *code,
        })
        .collect()
}
