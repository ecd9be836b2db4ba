//! What forms hold, in words: names instead of ids, and whether what an id points at exists.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use mimamori_domain::{ActorId, Error, Fault, InstitutionId, ObjectId, Result};
use mimamori_policy::model::{Choices, Field, FieldType, Register};
use mimamori_policy::{Pack, Text};
use serde_json::Value;

use super::registers::RegisterEntry;
use super::values::Values;
use crate::body::{self, PackBody};
use crate::context::open_object;
use crate::{App, sql};

/// One value in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Label {
    /// The same in both languages.
    Plain(String),
    /// A word of the pack.
    Word(Text),
    YesNo(bool),
    /// A day, time, or day and time in Japan, as `2026-11-21`, `09:30`, `2026-11-21T09:30`.
    Moment(String),
    Number(String, Option<Text>),
    /// An entry of a register: its name, to be shown as a link.
    Entry {
        register: String,
        id: ObjectId,
        name: String,
    },
    /// A person whom records are about. The name stays behind that person's own access rules.
    Subject(String),
    /// An attachment.
    File {
        id: ObjectId,
        name: String,
    },
}

/// Values in words, by the code of their field.
pub type Shown = BTreeMap<String, Vec<Label>>;

/// Names that were looked up for one list: each is asked for once, however many rows hold its id.
#[derive(Default)]
pub(crate) struct Names {
    people: HashMap<ActorId, String>,
    /// By the pack they are told under and the id: the title of an entry is the pack's.
    labels: HashMap<([u8; 32], String), Label>,
}

impl App {
    /// The pack with this hash: the one in force, or one that was.
    pub(crate) async fn pack_at(&self, hash: [u8; 32]) -> Result<Arc<Pack>> {
        if self.pack.hash() == hash {
            return Ok(Arc::clone(&self.pack));
        }
        if let Some(pack) = self.packs.get(&hash) {
            return Ok(pack);
        }
        let unreadable = || Error::unavailable("the pack under which this was recorded cannot be read");
        let mut after = ObjectId::from_bytes([0; 16]);
        loop {
            let args = vec![body::kind::PACK.as_str().to_owned().into(), after.into(), 100_i64.into()];
            let rows = self.store.query(&sql::CURRENT_OF_KIND, args).await?;
            let last = rows.len() < 100;
            for mut row in rows {
                let head = crate::context::object_from_row(&mut row)?;
                after = head.object;
                for mut row in
                    self.store.query(&sql::VERSIONS_OF, vec![head.object.into(), 1_000_i64.into()]).await?
                {
                    let version = crate::context::object_from_row(&mut row)?;
                    let stored: PackBody = body::from_bytes(&open_object(&self.keys.settings, &version)?)?;
                    if stored.hash == hex::encode(hash) {
                        let pack = Arc::new(stored.pack().map_err(|_| unreadable())?);
                        if pack.hash() != hash {
                            return Err(unreadable());
                        }
                        self.packs.insert(hash, Arc::clone(&pack));
                        return Ok(pack);
                    }
                }
            }
            if last {
                return Err(unreadable());
            }
        }
    }

    /// A user's name; empty when there is no such account any more.
    pub(crate) async fn name_of(&self, actor: Option<ActorId>) -> Result<String> {
        match actor {
            Some(actor) => Ok(self.actor_view(actor).await?.map_or_else(String::new, |view| view.name)),
            None => Ok(String::new()),
        }
    }

    /// As [`App::name_of`], asked for once in a list.
    pub(crate) async fn name_among(&self, names: &mut Names, actor: ActorId) -> Result<String> {
        if let Some(name) = names.people.get(&actor) {
            return Ok(name.clone());
        }
        let name = self.name_of(Some(actor)).await?;
        names.people.insert(actor, name.clone());
        Ok(name)
    }

    /// Values in words.
    pub(crate) async fn show_values(&self, pack: &Pack, fields: &[Field], values: &Values) -> Result<Shown> {
        self.show_among(&mut Names::default(), pack, fields, values).await
    }

    /// As [`App::show_values`], for one row of a list.
    pub(crate) async fn show_among(
        &self,
        names: &mut Names,
        pack: &Pack,
        fields: &[Field],
        values: &Values,
    ) -> Result<Shown> {
        let mut shown = Shown::new();
        for field in fields {
            let Some(value) = values.get(&field.code) else { continue };
            shown.insert(field.code.clone(), self.labels(names, pack, &field.kind, value).await?);
        }
        Ok(shown)
    }

    /// One field's values in words.
    pub(crate) async fn labels(
        &self,
        names: &mut Names,
        pack: &Pack,
        kind: &FieldType,
        value: &Value,
    ) -> Result<Vec<Label>> {
        let mut labels = Vec::new();
        for value in each(value) {
            labels.push(match said(pack, kind, value) {
                Some(label) => label,
                None => self.label(names, pack, kind, value.as_str().unwrap_or_default()).await?,
            });
        }
        Ok(labels)
    }

    /// The name of what an id points at.
    async fn label(&self, names: &mut Names, pack: &Pack, kind: &FieldType, id: &str) -> Result<Label> {
        if let (FieldType::Person, Ok(actor)) = (kind, id.parse()) {
            return Ok(Label::Plain(self.name_among(names, actor).await?));
        }
        let key = (pack.hash(), id.to_owned());
        if let Some(known) = names.labels.get(&key) {
            return Ok(known.clone());
        }
        let label = match (kind, id.parse::<ObjectId>()) {
            (FieldType::Institution, Ok(id)) => {
                Label::Plain(self.institution_name(InstitutionId::from(id)).await?.unwrap_or_default())
            }
            (FieldType::Asset | FieldType::Entry { .. }, Ok(id)) => {
                match self.governed::<RegisterEntry>(id).await? {
                    Some(entry) => {
                        let register = entry.code.as_str().to_owned();
                        let name = pack
                            .register(&register)
                            .map_or_else(String::new, |found| title(pack, found, &entry.body.values));
                        Label::Entry { register, id, name }
                    }
                    None => Label::Plain(String::new()),
                }
            }
            (FieldType::File, Ok(id)) => {
                Label::File { id, name: self.attachment_name(id).await?.unwrap_or_default() }
            }
            _ => Label::Plain(id.to_owned()),
        };
        names.labels.insert(key, label.clone());
        Ok(label)
    }

    /// Faults of values that point at nothing.
    pub(crate) async fn missing_references(&self, fields: &[Field], values: &Values) -> Result<Vec<Fault>> {
        let mut faults = Vec::new();
        for field in fields {
            for value in values.get(&field.code).map(each).unwrap_or_default() {
                let Some(id) = value.as_str().and_then(|text| text.parse::<ObjectId>().ok()) else {
                    continue;
                };
                let exists = match &field.kind {
                    FieldType::Person => self.actor_view(ActorId::from(id)).await?.is_some(),
                    FieldType::Institution => self.institution_name(InstitutionId::from(id)).await?.is_some(),
                    FieldType::Subject => {
                        self.current(id).await?.is_some_and(|found| found.kind == body::kind::PATIENT)
                    }
                    FieldType::Entry { register } => self
                        .governed::<RegisterEntry>(id)
                        .await?
                        .is_some_and(|entry| entry.code.as_str() == register),
                    FieldType::Asset => self.governed::<RegisterEntry>(id).await?.is_some_and(|entry| {
                        self.pack.register(entry.code.as_str()).is_some_and(|register| register.assets)
                    }),
                    FieldType::File => self.attachment_name(id).await?.is_some(),
                    _ => true,
                };
                if !exists {
                    faults.push(Fault {
                        place: field.code.clone(),
                        rule: "this does not exist; choose one from the list".to_owned(),
                        code: "not-found",
                    });
                }
            }
        }
        Ok(faults)
    }
}

/// The single values of a field.
pub(crate) fn each(value: &Value) -> &[Value] {
    match value {
        Value::Array(many) => many.as_slice(),
        one => std::slice::from_ref(one),
    }
}

/// Whether a field's values are ids of something that has a name elsewhere.
pub(crate) const fn points(kind: &FieldType) -> bool {
    matches!(
        kind,
        FieldType::Person
            | FieldType::Institution
            | FieldType::Asset
            | FieldType::Entry { .. }
            | FieldType::File
    )
}

/// A value in words, where the value and the pack say everything; none where it points at something.
pub(crate) fn said(pack: &Pack, kind: &FieldType, value: &Value) -> Option<Label> {
    if points(kind) {
        return None;
    }
    let text = value.as_str().unwrap_or_default().to_owned();
    Some(match kind {
        FieldType::YesNo => Label::YesNo(value.as_bool().unwrap_or_default()),
        FieldType::Choice(choices) => {
            choice_name(pack, choices, &text).map_or(Label::Plain(text), Label::Word)
        }
        FieldType::Date | FieldType::Time | FieldType::DateTime => Label::Moment(text),
        FieldType::Number { unit, .. } => Label::Number(text, unit.clone()),
        FieldType::Derived(_) if text.contains('-') => Label::Moment(text),
        FieldType::Subject => Label::Subject(text),
        _ => Label::Plain(text),
    })
}

/// The name of a choice under a pack.
fn choice_name(pack: &Pack, choices: &Choices, code: &str) -> Option<Text> {
    match choices {
        Choices::Listed(listed) => {
            listed.iter().find(|choice| choice.code == code).map(|choice| choice.name.clone())
        }
        Choices::Classification(axis) => pack
            .classification()
            .iter()
            .filter(|row| row.code == *axis)
            .flat_map(|row| row.levels.iter())
            .find(|level| level.code == code)
            .map(|level| level.name.clone()),
        Choices::Incidents => {
            pack.incident_levels().iter().find(|level| level.code == code).map(|level| level.name.clone())
        }
        Choices::Roles => {
            pack.roles().iter().find(|role| role.code.as_str() == code).map(|role| role.name.clone())
        }
    }
}

/// What an entry is called in lists: its title fields, in Japanese where the pack has words.
pub(crate) fn title(pack: &Pack, register: &Register, values: &Values) -> String {
    let parts = register.title.iter().filter_map(|code| {
        let field = register.field(code)?;
        let text = match values.get(code)? {
            Value::String(text) => text.clone(),
            Value::Array(many) => many.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" / "),
            _ => return None,
        };
        Some(match &field.kind {
            FieldType::Choice(choices) => choice_name(pack, choices, &text)
                .map_or(text, |name| name.get(mimamori_policy::Language::Ja).to_owned()),
            FieldType::Person
            | FieldType::Institution
            | FieldType::Subject
            | FieldType::Asset
            | FieldType::Entry { .. }
            | FieldType::File => return None,
            // Derived moments, too.
            FieldType::DateTime | FieldType::Derived(_) => text.replace('T', " "),
            _ => text,
        })
    });
    parts.collect::<Vec<_>>().join(" ")
}
