//! What fields may point at: people, institutions, things and entries, by name.

use std::collections::{BTreeMap, HashMap};

use mimamori_domain::ObjectId;
use mimamori_policy::model::{Field, FieldType};

use crate::error::Fault;
use crate::layout::Ask;

/// Suggestions that one page carries for one list; the server knows them all.
const SUGGESTED: usize = 200;

/// What fields may point at, by list: id and what it is called there.
#[derive(Debug, Clone, Default)]
pub(crate) struct References(BTreeMap<String, Vec<(String, String)>>);

/// What a typed text stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resolved {
    /// An id, or the text itself where the field holds no ids.
    Id(String),
    /// Nothing, or too many things: the text that says so.
    Unknown(&'static str),
}

impl References {
    /// Asks for what these fields may point at. Lists that the caller may not read stay empty.
    pub(crate) async fn ask<'a>(
        ask: &Ask,
        fields: impl IntoIterator<Item = &'a Field>,
    ) -> Result<Self, Fault> {
        let (app, caller) = (&ask.web.app, &ask.caller);
        let mut lists: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
        let mut registers: Option<Vec<String>> = None;
        for field in fields {
            let id = Self::list_id(&field.kind);
            if id.is_empty() || lists.contains_key(&id) {
                continue;
            }
            let found = match &field.kind {
                FieldType::Person if caller.is_staff() => {
                    let people = app.person_choices(caller).await?;
                    let label = |name: String, place: Option<String>| match place {
                        Some(place) => format!("{name}（{place}）"),
                        None => name,
                    };
                    people.into_iter().map(|p| (p.id.to_string(), label(p.name, p.institution))).collect()
                }
                FieldType::Institution => {
                    let found = app.institutions(caller).await?;
                    found.into_iter().map(|(id, name)| (id.to_string(), name)).collect()
                }
                FieldType::Asset | FieldType::Entry { .. } => {
                    if registers.is_none() {
                        let may = app.registers(caller).await?;
                        registers = Some(may.into_iter().map(|found| found.register.code.clone()).collect());
                    }
                    let wanted: Vec<String> = match &field.kind {
                        FieldType::Entry { register } => vec![register.clone()],
                        _ => app.asset_registers().into_iter().map(|found| found.code.clone()).collect(),
                    };
                    let mut found = Vec::new();
                    for register in wanted {
                        // Nobody is led where they would be refused.
                        if registers.as_ref().is_some_and(|may| may.contains(&register)) {
                            let entries = app.entry_choices(caller, &register).await?;
                            found.extend(entries.into_iter().map(|(id, name)| (id.to_string(), name)));
                        }
                    }
                    found
                }
                _ => Vec::new(),
            };
            lists.insert(id, apart(found));
        }
        Ok(Self(lists))
    }

    /// The id of the list that a field of this type is chosen from; empty when there is none.
    pub(crate) fn list_id(kind: &FieldType) -> String {
        match kind {
            FieldType::Person => "list-people".to_owned(),
            FieldType::Institution => "list-institutions".to_owned(),
            FieldType::Asset => "list-assets".to_owned(),
            FieldType::Entry { register } => format!("list-entries-{register}"),
            _ => String::new(),
        }
    }

    /// What a field of this type may point at.
    pub(crate) fn list(&self, kind: &FieldType) -> &[(String, String)] {
        self.0.get(&Self::list_id(kind)).map_or(&[], Vec::as_slice)
    }

    /// The lists of suggestions for a page: id, and what is suggested.
    pub(crate) fn suggestions(&self) -> Vec<(String, Vec<String>)> {
        let suggested = |list: &Vec<(String, String)>| {
            list.iter().take(SUGGESTED).map(|(_, label)| label.clone()).collect()
        };
        self.0.iter().map(|(id, list)| (id.clone(), suggested(list))).collect()
    }

    /// What an id is called; the id itself when it is in no list.
    pub(crate) fn label(&self, kind: &FieldType, id: &str) -> String {
        let found = self.list(kind).iter().find(|(known, _)| known == id);
        found.map_or_else(|| id.to_owned(), |(_, label)| label.clone())
    }

    /// What a typed text stands for: an id, a whole name, or a part of exactly one.
    pub(crate) fn resolve(&self, kind: &FieldType, text: &str) -> Resolved {
        if Self::list_id(kind).is_empty() {
            return Resolved::Id(text.to_owned());
        }
        let list = self.list(kind);
        if text.parse::<ObjectId>().is_ok() {
            return Resolved::Id(text.to_owned());
        }
        if let Some((id, _)) = list.iter().find(|(_, label)| label == text) {
            return Resolved::Id(id.clone());
        }
        let (wanted, mut found) = (plain(text), Vec::new());
        for (id, label) in list {
            if plain(label).contains(&wanted) {
                found.push(id);
            }
        }
        match found.as_slice() {
            [only] => Resolved::Id((*only).clone()),
            [] => Resolved::Unknown("input-unknown"),
            _ => Resolved::Unknown("input-several"),
        }
    }
}

/// For comparing names: without spaces, in lower case.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

/// Sets apart what is called the same, by the end of its id.
fn apart(list: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut times: HashMap<&str, usize> = HashMap::new();
    for (_, label) in &list {
        *times.entry(label).or_default() += 1;
    }
    let alike = |label: &str| label.is_empty() || times.get(label).is_some_and(|n| *n > 1);
    let alike: Vec<bool> = list.iter().map(|(_, label)| alike(label)).collect();
    let rename = |((id, label), alike): ((String, String), bool)| {
        if !alike {
            return (id, label);
        }
        let end: String = id.chars().skip(id.chars().count().saturating_sub(6)).collect();
        let label = format!("{label} #{end}");
        (id, label)
    };
    list.into_iter().zip(alike).map(rename).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_whole_or_by_the_part_that_only_one_has() {
        let (one, two, three) =
            (ObjectId::random().to_string(), ObjectId::random().to_string(), ObjectId::random().to_string());
        let list = vec![
            (one.clone(), "試験 花子（病院）".to_owned()),
            (two.clone(), "試験 太郎（病院）".to_owned()),
            (three.clone(), "試験 花子（薬局）".to_owned()),
        ];
        let references = References(BTreeMap::from([("list-people".to_owned(), apart(list))]));
        let resolve = |text: &str| references.resolve(&FieldType::Person, text);
        assert_eq!(resolve("試験 太郎（病院）"), Resolved::Id(two.clone()));
        assert_eq!(resolve("試験太郎"), Resolved::Id(two.clone()));
        assert_eq!(resolve("花子（薬局"), Resolved::Id(three));
        assert_eq!(resolve("試験 花子"), Resolved::Unknown("input-several"));
        assert_eq!(resolve("次郎"), Resolved::Unknown("input-unknown"));
        assert_eq!(resolve(&one), Resolved::Id(one.clone()));
        assert_eq!(references.label(&FieldType::Person, &two), "試験 太郎（病院）");
        assert_eq!(references.resolve(&FieldType::Date, "x"), Resolved::Id("x".to_owned()));
    }

    #[test]
    fn things_of_one_name_are_set_apart() {
        let list = vec![
            ("aaaaaa111111".to_owned(), "端末".to_owned()),
            ("aaaaaa222222".to_owned(), "端末".to_owned()),
            ("aaaaaa333333".to_owned(), "サーバ".to_owned()),
        ];
        let labels: Vec<String> = apart(list).into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["端末 #111111", "端末 #222222", "サーバ"]);
    }
}
