//! FHIR resources as people read them. What is shown of each type is a table ([`views`]).

pub(crate) mod chart;
mod element;
mod file;
mod person;
mod views;
pub(crate) mod vital;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mimamori_app::{ActorView, App, Caller, Stored};
use mimamori_domain::{ActorId, InstitutionId, OccupationCode, RecordState, Result, Timestamp};
use mimamori_fhir::{Limits, Resource, parse};
use mimamori_policy::Text;

pub(crate) use element::concept;
use file::files_of;
pub(crate) use file::{FileShown, PICTURES, files};
pub(crate) use person::{Allergy, Person, allergies};
pub(crate) use views::{SHOWN, content};

use crate::dates;
use crate::language::{Language, Texts};
use crate::settings::Web;

/// What is stated this soon after it happened was stated at once: writing takes a little.
const TYPING: Duration = Duration::from_secs(5 * 60);

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
    /// The same, where the record says it to the second.
    pub(crate) happened_at: Option<Timestamp>,
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
    /// When it happened as the record says, else when it was stated; in Asia/Tokyo.
    pub(crate) when: String,
    /// The same for programs, where it is a moment.
    pub(crate) when_machine: Option<String>,
    /// When it was stated, in Asia/Tokyo.
    pub(crate) recorded: String,
    /// Whether it was stated at another time than it happened.
    pub(crate) recorded_apart: bool,
    /// The same for programs.
    pub(crate) recorded_machine: String,
    pub(crate) author: Author,
    pub(crate) on_behalf_of: Option<Author>,
    pub(crate) confirmer: Option<Author>,
    pub(crate) files: Vec<FileShown>,
    /// More important than others (FHIR `priority`): in words, and whether it cannot wait.
    pub(crate) importance: Option<(String, bool)>,
    /// Addressed to the reader.
    pub(crate) to_reader: bool,
    /// The page of the note it answers.
    pub(crate) answers: Option<String>,
    /// Where it is answered, for whom may write.
    pub(crate) reply: Option<String>,
    /// Of somebody else, recent, and not shown to the reader before.
    pub(crate) unread: bool,
    /// How many others have seen it, for whom may see the care team.
    pub(crate) seen_by: Option<u64>,
    /// The same one by one, on its own page.
    pub(crate) readers: Vec<Reader>,
    /// Who was told of an urgent note, on its own page.
    pub(crate) told: Vec<TellRow>,
    /// Why it was withdrawn, on its own page.
    pub(crate) withdrawn_because: Option<String>,
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

/// Somebody who was told of an urgent note.
#[derive(Debug, Clone)]
pub(crate) struct TellRow {
    pub(crate) who: Author,
    /// It was passed on to them, because nobody whom it is for had seen it.
    pub(crate) passed_on: bool,
    /// How it was told: by mail and when, or on the first page alone.
    pub(crate) how: String,
    /// When they saw it.
    pub(crate) seen: Option<String>,
}

/// Who was told, with when they saw the version.
fn told(stored: &Stored, names: &Names, texts: &Texts) -> Vec<TellRow> {
    let seen = |actor: ActorId| {
        let found = stored.attention.readers.iter().find(|(reader, _)| *reader == actor);
        found.map(|(_, at)| dates::date_time(*at, texts))
    };
    let how = |mail: Option<(Timestamp, bool)>| match mail {
        Some((at, true)) => texts.with("told-mail", "time", &dates::date_time(at, texts)),
        Some((at, false)) => texts.with("told-refused", "time", &dates::date_time(at, texts)),
        None => texts.get("told-screen"),
    };
    let row = |told: &mimamori_app::Told| TellRow {
        who: names.author(told.actor, None, texts),
        passed_on: !told.addressed,
        how: how(told.mail),
        seen: seen(told.actor),
    };
    stored.attention.told.iter().map(row).collect()
}

/// Who wrote something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Author {
    pub(crate) name: String,
    pub(crate) occupation: Option<String>,
    pub(crate) institution: Option<String>,
}

/// Who saw something, and when they first did.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reader {
    pub(crate) who: Author,
    pub(crate) when: String,
    pub(crate) when_machine: String,
}

/// Occupations in words, as the policy pack has them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Occupations(Arc<HashMap<OccupationCode, Text>>);

impl Occupations {
    pub(crate) fn of(app: &App) -> Self {
        let of_pack = app.pack().occupations().iter().map(|o| (o.code.clone(), o.name.clone()));
        Self(Arc::new(of_pack.collect()))
    }

    /// The word; the code itself for one of an older pack.
    pub(crate) fn word(&self, code: &OccupationCode, texts: &Texts) -> String {
        let language = match texts.language {
            Language::Japanese => mimamori_policy::Language::Ja,
            Language::English => mimamori_policy::Language::En,
        };
        self.0.get(code).map_or_else(|| code.to_string(), |text| text.get(language).to_owned())
    }

    #[cfg(test)]
    pub(crate) fn sample() -> Self {
        let words = [("nurse", "看護師", "nurse"), ("doctor", "医師", "doctor")];
        let words =
            words.into_iter().map(|(code, ja, en)| (OccupationCode::new(code).unwrap(), Text::new(ja, en)));
        Self(Arc::new(words.collect()))
    }
}

/// Names behind the ids of a page.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) occupations: Occupations,
    pub(crate) actors: HashMap<ActorId, ActorView>,
    pub(crate) institutions: HashMap<InstitutionId, String>,
}

impl Names {
    /// Asks for the names of everybody who had to do with `records`, with where they work, and of the
    /// institutions `also` told of.
    pub(crate) async fn of(
        web: &Web,
        caller: &Caller,
        records: &[Stored],
        also: &[InstitutionId],
    ) -> Result<Self> {
        let app = &web.app;
        let actors = app.actors(caller, records).await?;
        let told = records
            .iter()
            .map(|stored| stored.institution)
            .chain(actors.values().filter_map(|actor| actor.institution))
            .chain(also.iter().copied())
            .collect::<Vec<_>>();
        let institutions = app.institution_names(caller, &told).await?;
        Ok(Self { occupations: web.occupations.clone(), actors, institutions })
    }

    fn author(&self, id: ActorId, at: Option<InstitutionId>, texts: &Texts) -> Author {
        let known = self.actors.get(&id);
        let institution = at.or_else(|| known.and_then(|a| a.institution));
        Author {
            name: known.map_or_else(|| texts.get("author-unknown"), |a| a.name.clone()),
            occupation: known.and_then(|a| a.occupation.as_ref()).map(|o| self.occupations.word(o, texts)),
            institution: institution.and_then(|i| self.institutions.get(&i).cloned()),
        }
    }
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
    item_of(read(stored).as_ref(), stored, names, texts)
}

/// The same of a record that was read already; `None` of one that cannot be read.
pub(crate) fn item_of(resource: Option<&Resource>, stored: &Stored, names: &Names, texts: &Texts) -> Item {
    let content = resource.map(|r| content(r, texts)).unwrap_or_default();
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
    let recorded = dates::date_time(stored.recorded, texts);
    let recorded_machine = dates::machine(stored.recorded);
    let (when, when_machine) = match &content.happened {
        Some(happened) => (happened.clone(), content.happened_at.map(dates::machine)),
        None => (recorded.clone(), Some(recorded_machine.clone())),
    };
    let apart =
        |at: Timestamp| Duration::from_micros(at.as_micros().abs_diff(stored.recorded.as_micros())) > TYPING;
    Item {
        when,
        when_machine,
        recorded_apart: content.happened.is_some() && content.happened_at.is_none_or(apart),
        kind: kind(stored.kind.as_str(), texts),
        content,
        state: Badge::of(stored.state, texts),
        version: stored.version,
        recorded,
        recorded_machine,
        author,
        on_behalf_of: other(stored.on_behalf_of),
        confirmer: other(stored.confirmer),
        files: resource.map(|r| files_of(r, stored, texts)).unwrap_or_default(),
        importance: resource.and_then(|r| importance(r, texts)),
        answers: resource.and_then(answers),
        to_reader: false,
        reply: None,
        unread: stored.attention.unread,
        seen_by: stored.attention.seen_by,
        readers: stored
            .attention
            .readers
            .iter()
            .map(|(reader, at)| Reader {
                who: names.author(*reader, None, texts),
                when: dates::date_time(*at, texts),
                when_machine: dates::machine(*at),
            })
            .collect(),
        told: told(stored, names, texts),
        withdrawn_because: stored.withdrawn_because.clone(),
        page: format!("/records/{}/{}", stored.kind, stored.id),
    }
}

/// How important a note is, where it is more than usual.
fn importance(resource: &Resource, texts: &Texts) -> Option<(String, bool)> {
    let priority = resource.root().string("priority")?;
    match priority {
        "urgent" | "asap" | "stat" => Some((texts.get(&format!("code-{priority}")), priority == "stat")),
        _ => None,
    }
}

/// Whether a record is a note that is addressed to somebody.
pub(crate) fn is_for(resource: &Resource, stored: &Stored, reader: ActorId) -> bool {
    let reader = format!("Practitioner/{reader}");
    stored.kind.as_str() == "Communication"
        && resource.root().items("recipient").any(|to| to.string("reference") == Some(reader.as_str()))
}

/// The page of the note that a note answers.
fn answers(resource: &Resource) -> Option<String> {
    let of = resource.root().items("inResponseTo").next()?;
    let id: mimamori_domain::ObjectId =
        of.string("reference")?.strip_prefix("Communication/")?.parse().ok()?;
    Some(format!("/records/Communication/{id}"))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::sample;
