//! What forms hold, in words: names instead of ids, and whether what an id points at exists.

use std::collections::BTreeMap;
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
                        let files = stored.files.into_iter().map(|(path, text)| (path, text.into_bytes()));
                        let pack = Arc::new(Pack::from_files(files.collect()).map_err(|_| unreadable())?);
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

    /// Values in words.
    pub(crate) async fn show_values(&self, pack: &Pack, fields: &[Field], values: &Values) -> Result<Shown> {
        let mut shown = Shown::new();
        for field in fields {
            let Some(value) = values.get(&field.code) else { continue };
            let each = match value {
                Value::Array(many) => many.as_slice(),
                one => std::slice::from_ref(one),
            };
            let mut labels = Vec::with_capacity(each.len());
            for value in each {
                labels.push(self.label(pack, &field.kind, value).await?);
            }
            shown.insert(field.code.clone(), labels);
        }
        Ok(shown)
    }

    async fn label(&self, pack: &Pack, kind: &FieldType, value: &Value) -> Result<Label> {
        let text = value.as_str().unwrap_or_default().to_owned();
        Ok(match kind {
            FieldType::YesNo => Label::YesNo(value.as_bool().unwrap_or_default()),
            FieldType::Choice(choices) => {
                choice_name(pack, choices, &text).map_or(Label::Plain(text), Label::Word)
            }
            FieldType::Date | FieldType::Time | FieldType::DateTime => Label::Moment(text),
            FieldType::Number { unit, .. } => Label::Number(text, unit.clone()),
            FieldType::Derived(_) if text.contains('-') => Label::Moment(text),
            FieldType::Person => match text.parse::<ActorId>() {
                Ok(actor) => Label::Plain(self.name_of(Some(actor)).await?),
                Err(_) => Label::Plain(text),
            },
            FieldType::Institution => match text.parse::<InstitutionId>() {
                Ok(institution) => {
                    Label::Plain(self.institution_name(institution).await?.unwrap_or_default())
                }
                Err(_) => Label::Plain(text),
            },
            FieldType::Subject => Label::Subject(text),
            FieldType::Asset | FieldType::Entry { .. } => match text.parse::<ObjectId>() {
                Ok(id) => match self.governed::<RegisterEntry>(id).await? {
                    Some(entry) => {
                        let register = entry.code.as_str().to_owned();
                        let name = pack
                            .register(&register)
                            .map_or_else(String::new, |found| title(pack, found, &entry.body.values));
                        Label::Entry { register, id, name }
                    }
                    None => Label::Plain(String::new()),
                },
                Err(_) => Label::Plain(text),
            },
            FieldType::File => match text.parse::<ObjectId>() {
                Ok(id) => Label::File { id, name: self.attachment_name(id).await?.unwrap_or_default() },
                Err(_) => Label::Plain(text),
            },
            FieldType::Text { .. } | FieldType::LongText { .. } | FieldType::Derived(_) => Label::Plain(text),
        })
    }

    /// Faults of values that point at nothing.
    pub(crate) async fn missing_references(&self, fields: &[Field], values: &Values) -> Result<Vec<Fault>> {
        let mut faults = Vec::new();
        for field in fields {
            let each = match values.get(&field.code) {
                Some(Value::Array(many)) => many.as_slice(),
                Some(one) => std::slice::from_ref(one),
                None => continue,
            };
            for value in each {
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
            Value::Array(many) => many.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("、"),
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
            _ => text,
        })
    });
    parts.collect::<Vec<_>>().join(" ")
}
