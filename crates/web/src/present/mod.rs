//! FHIR resources as people read them. What is shown of each type is a table ([`views`]).

mod element;
mod person;
mod views;
pub(crate) mod vital;

use std::collections::{HashMap, HashSet};

use mimamori_app::{ActorView, App, Caller, Stored};
use mimamori_domain::{ActorId, InstitutionId, OccupationCode, RecordState, Result};
use mimamori_fhir::{Limits, Resource, parse};

pub(crate) use person::{Allergy, Person, allergies};
pub(crate) use views::{SHOWN, content};

use crate::dates;
use crate::language::Texts;

/// A label and what stands beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) label: String,
    pub(crate) value: String,
}

/// What a record says, apart from who wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) title: String,
    /// When it happened, if the record says so.
    pub(crate) happened: Option<String>,
    pub(crate) lines: Vec<Line>,
    /// Free text, with its line breaks.
    pub(crate) note: Option<String>,
}

impl Content {
    /// As plain lines, for showing differences.
    pub(crate) fn as_text(&self) -> String {
        let mut text = String::new();
        for part in [Some(&self.title), self.happened.as_ref()].into_iter().flatten() {
            text.push_str(part);
            text.push('\n');
        }
        for line in &self.lines {
            text.push_str(&format!("{}: {}\n", line.label, line.value));
        }
        text.push_str(self.note.as_deref().unwrap_or_default());
        text
    }
}

/// One record in a list.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) kind: String,
    pub(crate) content: Content,
    pub(crate) state: Badge,
    pub(crate) version: u64,
    /// When it was stated, in Asia/Tokyo.
    pub(crate) recorded: String,
    /// The same for programs.
    pub(crate) recorded_machine: String,
    pub(crate) author: Author,
    pub(crate) on_behalf_of: Option<Author>,
    pub(crate) confirmer: Option<Author>,
    /// The page with its versions.
    pub(crate) page: String,
}

/// The state of a record, in words and as a style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Badge {
    pub(crate) style: &'static str,
    pub(crate) word: String,
    /// Confirmed is the ordinary state and needs no badge.
    pub(crate) plain: bool,
}

impl Badge {
    pub(crate) fn of(state: RecordState, texts: &Texts) -> Self {
        Self {
            style: state.as_str(),
            word: texts.get(&format!("state-{}", state.as_str())),
            plain: state == RecordState::Confirmed,
        }
    }
}

/// Who wrote something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Author {
    pub(crate) name: String,
    pub(crate) occupation: Option<String>,
    pub(crate) institution: Option<String>,
}

/// Names behind the ids of a page.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) actors: HashMap<ActorId, ActorView>,
    pub(crate) institutions: HashMap<InstitutionId, String>,
}

impl Names {
    /// Asks for the names of everybody who had to do with `records`.
    pub(crate) async fn of(app: &App, caller: &Caller, records: &[Stored]) -> Result<Self> {
        let ids: HashSet<ActorId> = records
            .iter()
            .flat_map(|r| [r.author, r.on_behalf_of, r.confirmer])
            .flatten()
            .collect();
        let ids: Vec<ActorId> = ids.into_iter().collect();
        let actors = if ids.is_empty() { HashMap::new() } else { app.actors(caller, &ids).await? };
        let institutions = app.institutions(caller).await?.into_iter().collect();
        Ok(Self { actors, institutions })
    }

    fn author(&self, id: ActorId, at: Option<InstitutionId>, texts: &Texts) -> Author {
        let known = self.actors.get(&id);
        let institution = at.or_else(|| known.and_then(|a| a.institution));
        Author {
            name: known.map_or_else(|| texts.get("author-unknown"), |a| a.name.clone()),
            occupation: known.and_then(|a| a.occupation.as_ref()).map(|o| occupation(o, texts)),
            institution: institution.and_then(|i| self.institutions.get(&i).cloned()),
        }
    }
}

/// An occupation in words; its code where the pack has one we have no word for.
pub(crate) fn occupation(code: &OccupationCode, texts: &Texts) -> String {
    texts.find(&format!("occupation-{code}")).unwrap_or_else(|| code.to_string())
}

/// A kind of record in words.
pub(crate) fn kind(kind: &str, texts: &Texts) -> String {
    texts.find(&format!("kind-{kind}")).unwrap_or_else(|| kind.to_owned())
}

/// Reads back what was stored.
pub(crate) fn read(stored: &Stored) -> Option<Resource> {
    parse(&stored.bytes, &Limits::bundle()).ok()
}

/// A record as it stands in lists and on its own page.
pub(crate) fn item(stored: &Stored, names: &Names, texts: &Texts) -> Item {
    let resource = read(stored);
    let content = resource.as_ref().map(|r| content(r, texts)).unwrap_or_default();
    let author = stored.author.map(|a| names.author(a, Some(stored.institution), texts));
    let from = names.institutions.get(&stored.institution).cloned();
    let author = author.unwrap_or_else(|| Author {
        name: texts.get("author-program"),
        occupation: None,
        institution: from,
    });
    let other = |id: Option<ActorId>| {
        id.filter(|id| Some(*id) != stored.author).map(|id| names.author(id, None, texts))
    };
    Item {
        kind: kind(stored.kind.as_str(), texts),
        content,
        state: Badge::of(stored.state, texts),
        version: stored.version,
        recorded: dates::date_time(stored.recorded, texts),
        recorded_machine: dates::machine(stored.recorded),
        author,
        on_behalf_of: other(stored.on_behalf_of),
        confirmer: other(stored.confirmer),
        page: format!("/records/{}/{}", stored.kind, stored.id),
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::sample;
