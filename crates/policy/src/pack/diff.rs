//! What a new version of a pack changes, as data.

use std::collections::BTreeMap;

use super::Pack;
use super::merge::{Merged, Raw};
use super::model::ObjectKind;
use super::yaml::{Node, Value};
use crate::text::Language;

/// What differs between two packs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PackDiff {
    /// In order of kind and code.
    pub changes: Vec<Change>,
    /// The text of `access.cedar` is another.
    pub access: bool,
    /// The text of `access.cedarschema` is another.
    pub schema: bool,
}

impl PackDiff {
    /// Whether the packs say the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && !self.access && !self.schema
    }
}

/// One object that differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    pub kind: ObjectKind,
    /// The object's code; a parameter's key; a clause's id.
    pub code: String,
    pub what: ChangeKind,
}

/// How an object differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    Added,
    Removed,
    /// The keys whose values differ, in order of key; never empty.
    Changed(Vec<KeyChange>),
}

/// A key whose value differs. Values are told in YAML's short form; none: the key is not there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyChange {
    pub key: String,
    pub old: Option<String>,
    pub new: Option<String>,
}

/// What one object is compared by: its keys' values.
type Keys<'a> = Vec<(&'a str, &'a Node)>;

impl Pack {
    /// What `new` changes. Each pack is taken as a whole, with what it extends.
    #[must_use]
    pub fn diff(&self, new: &Self) -> PackDiff {
        let (old_objects, new_objects) = (objects(&self.merged), objects(&new.merged));
        let mut changes: Vec<Change> = Vec::new();
        let mut add = |(kind, code): (ObjectKind, &str), what| {
            changes.push(Change { kind, code: code.to_owned(), what });
        };
        for (name, (keys, clauses)) in &old_objects {
            match new_objects.get(name) {
                None => add(*name, ChangeKind::Removed),
                Some((new_keys, new_clauses)) => {
                    if let Some(what) = changed(keys, clauses, new_keys, new_clauses) {
                        add(*name, what);
                    }
                }
            }
        }
        for name in new_objects.keys().filter(|name| !old_objects.contains_key(name)) {
            add(*name, ChangeKind::Added);
        }
        changes.sort();
        let text = |found: &Option<(String, String)>| found.as_ref().map(|(_, text)| text.clone());
        PackDiff {
            changes,
            access: text(&self.merged.policies) != text(&new.merged.policies),
            schema: text(&self.merged.schema) != text(&new.merged.schema),
        }
    }

    /// The name of an object in a language: for showing a [`Change`].
    #[must_use]
    pub fn object_name(&self, kind: ObjectKind, code: &str, language: Language) -> Option<&str> {
        if kind == ObjectKind::Clause {
            return self.clause(code).map(|clause| clause.text(language));
        }
        self.merged.raw(kind, code)?.node.get(language.tag())?.text()
    }
}

/// Every object, and every clause as one of its own.
fn objects(merged: &Merged) -> BTreeMap<(ObjectKind, &str), (Keys<'_>, Vec<&str>)> {
    let mut all = BTreeMap::new();
    for raw in &merged.objects {
        let catalogue = raw.kind == ObjectKind::Catalogue;
        let keys = keys(&raw.node, if catalogue { &["clauses"] } else { &["code", "clauses"] });
        let clauses = if catalogue { Vec::new() } else { sorted(raw.clauses()) };
        all.insert((raw.kind, raw.code.as_str()), (whole(raw, keys), clauses));
        if let (true, Some(Node { value: Value::List(rows), .. })) = (catalogue, raw.node.get("clauses")) {
            for row in rows {
                if let Some(id) = row.get("id").and_then(Node::text) {
                    all.insert((ObjectKind::Clause, id), (self::keys(row, &["id"]), Vec::new()));
                }
            }
        }
    }
    all
}

/// A parameter says only what it changes: what it leaves unsaid is its parent's.
fn whole<'a>(raw: &'a Raw, mut found: Keys<'a>) -> Keys<'a> {
    let mut parent = raw.replaces.as_deref().filter(|_| raw.kind == ObjectKind::Parameter);
    while let Some(raw) = parent {
        for (key, node) in keys(&raw.node, &["clauses"]) {
            if !found.iter().any(|(k, _)| *k == key) {
                found.push((key, node));
            }
        }
        parent = raw.replaces.as_deref();
    }
    found
}

fn keys<'a>(node: &'a Node, without: &[&str]) -> Keys<'a> {
    match &node.value {
        Value::Map(entries) => entries
            .iter()
            .map(|(key, node)| (key.text.as_ref(), node))
            .filter(|(key, _)| !without.contains(key))
            .collect(),
        _ => Vec::new(),
    }
}

fn sorted(mut clauses: Vec<&str>) -> Vec<&str> {
    clauses.sort_unstable();
    clauses
}

fn changed(old: &Keys<'_>, old_clauses: &[&str], new: &Keys<'_>, new_clauses: &[&str]) -> Option<ChangeKind> {
    let find =
        |keys: &Keys<'_>, key: &str| keys.iter().find(|(k, _)| *k == key).map(|(_, node)| (*node).clone());
    let mut names: Vec<&str> = old.iter().chain(new).map(|(key, _)| *key).collect();
    names.sort_unstable();
    names.dedup();
    let mut changes = Vec::new();
    for key in names {
        let (before, after) = (find(old, key), find(new, key));
        let same = match (&before, &after) {
            (Some(before), Some(after)) => before.same(after),
            (before, after) => before.is_none() && after.is_none(),
        };
        if !same {
            let old = before.as_ref().map(short);
            changes.push(KeyChange { key: key.to_owned(), old, new: after.as_ref().map(short) });
        }
    }
    if old_clauses != new_clauses {
        let list = |clauses: &[&str]| Some(format!("[{}]", clauses.join(", ")));
        changes.push(KeyChange { key: "clauses".to_owned(), old: list(old_clauses), new: list(new_clauses) });
        changes.sort();
    }
    (!changes.is_empty()).then_some(ChangeKind::Changed(changes))
}

/// A value in YAML's short form.
fn short(node: &Node) -> String {
    match &node.value {
        Value::Empty => "~".to_owned(),
        Value::Text { text, .. } => text.clone().into_owned(),
        Value::List(nodes) => format!("[{}]", nodes.iter().map(short).collect::<Vec<_>>().join(", ")),
        Value::Map(entries) => {
            let entries: Vec<_> =
                entries.iter().map(|(key, node)| format!("{}: {}", key.text, short(node))).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}
