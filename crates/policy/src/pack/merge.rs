//! The objects of a pack as written, with those of the packs it extends: whose place is taken, what is
//! left out, what is known by which code.

use std::collections::{BTreeMap, BTreeSet};

use mimamori_domain::RoleCode;

use super::chain::Layer;
use super::load::{PACK, POLICIES, SCHEMA, text};
use super::model::ObjectKind;
use super::parameters::REQUIRED;
use super::yaml::{self, Node, Value};
use super::{Problems, embedded};

/// One object as written.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    pub kind: ObjectKind,
    pub code: String,
    /// Path in [`super::Pack::files`].
    pub file: String,
    pub line: u64,
    pub node: Node,
    /// Stands in `site.yaml`.
    pub site: bool,
    /// The parent's object whose place it takes.
    pub replaces: Option<Box<Raw>>,
}

impl Raw {
    /// Its clauses and those of what it replaces, as written.
    pub(crate) fn clauses(&self) -> Vec<&str> {
        let mut all: Vec<&str> = Vec::new();
        let mut raw = Some(self);
        while let Some(this) = raw {
            if let Some(Node { value: Value::List(ids), .. }) = this.node.get("clauses") {
                for id in ids.iter().filter_map(Node::text) {
                    if !all.contains(&id) {
                        all.push(id);
                    }
                }
            }
            raw = this.replaces.as_deref();
        }
        all
    }
}

/// What is known of a role before roles are read.
#[derive(Debug, Clone)]
pub(crate) struct RoleOutline {
    pub code: RoleCode,
    pub outside: bool,
}

/// An object that a child does without.
#[derive(Debug, Clone)]
pub(crate) struct LeftOut {
    pub file: String,
    pub line: u64,
    pub label: String,
    /// Clauses that must be answered elsewhere.
    pub clauses: Vec<String>,
}

/// Every object of a chain of packs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Merged {
    pub objects: Vec<Raw>,
    places: BTreeMap<(ObjectKind, String), usize>,
    pub roles: BTreeMap<String, RoleOutline>,
    /// Every clause, and the file and line where it stands.
    pub clause_ids: BTreeMap<String, (String, u64)>,
    pub left_out: Vec<LeftOut>,
    /// `pack.yaml` of the pack itself.
    pub head: Option<Node>,
    /// Codes of the catalogues, the parents' first.
    pub catalogues: Vec<String>,
    /// Content of the nearest `access.cedar` and `access.cedarschema`, with their paths.
    pub policies: Option<(String, String)>,
    pub schema: Option<(String, String)>,
    /// A file could not be read at all: what the others say of its objects cannot be told right from wrong.
    pub unread: bool,
}

/// Where a list of objects stands: file or folder, its key, what its objects are, the key of their code.
const SECTIONS: &[(&str, &str, ObjectKind, &str)] = &[
    ("pack", "zones", ObjectKind::Zone, "code"),
    ("pack", "parameters", ObjectKind::Parameter, "key"),
    ("roles", "roles", ObjectKind::Role, "code"),
    ("occupations", "occupations", ObjectKind::Occupation, "code"),
    ("occupations", "groups", ObjectKind::Group, "code"),
    ("classes", "classes", ObjectKind::Class, "code"),
    ("classes", "things", ObjectKind::Thing, "code"),
    ("notes", "templates", ObjectKind::NoteTemplate, "code"),
    ("registers", "registers", ObjectKind::Register, "code"),
    ("procedures", "procedures", ObjectKind::Procedure, "code"),
    ("schedules", "schedules", ObjectKind::Schedule, "code"),
    ("documents", "documents", ObjectKind::Document, "code"),
    ("classification", "classification", ObjectKind::Classification, "code"),
    ("incidents", "levels", ObjectKind::Incident, "code"),
    ("controls", "measures", ObjectKind::Measure, "code"),
    ("controls", "attestations", ObjectKind::Attestation, "code"),
    ("controls", "disclosures", ObjectKind::Disclosure, "code"),
    ("controls", "informative", ObjectKind::Informative, ""),
    ("site", "parameters", ObjectKind::Parameter, "key"),
    ("site", "units", ObjectKind::Unit, "code"),
    ("site", "systems", ObjectKind::System, "code"),
    ("site", "wordings", ObjectKind::Wording, "procedure"),
    ("site", "sign-in-groups", ObjectKind::SignInGroup, "code"),
];
/// Files of one name, and those that may also be folders of files.
const SINGLE: &[&str] =
    &["pack", "roles", "occupations", "classes", "classification", "incidents", "notes", "site"];
const SPLIT: &[&str] = &["registers", "procedures", "schedules", "documents", "controls"];
/// Keys of `pack.yaml` besides its lists of objects.
const HEAD: &[&str] = &[
    "id",
    "extends",
    "ja",
    "en",
    "organisation-ja",
    "organisation-en",
    "languages",
    "catalogues",
    "leaves-out",
];
/// Greatest number of objects in a chain.
const MOST_OBJECTS: usize = 20_000;

impl Merged {
    pub(super) fn of(layers: &[Layer], problems: &mut Problems) -> Self {
        let mut merged = Self::default();
        for layer in layers {
            merged.layer(layer, problems);
        }
        merged.outline();
        merged
    }

    /// Takes parameters that the program reads and no pack of the chain has from the base pack inside
    /// the program; returns their keys. Which clauses they answer is said by rules that name them.
    pub(super) fn complete(&mut self) -> Vec<&'static str> {
        let missing: Vec<_> = REQUIRED
            .iter()
            .map(|(key, _)| *key)
            .filter(|key| !self.has(ObjectKind::Parameter, key))
            .collect();
        if missing.is_empty() {
            return missing;
        }
        let base = embedded::files("base").and_then(|files| embedded::tree(PACK, files.get(PACK)?));
        let Some(Node { value: Value::List(parameters), .. }) =
            base.as_ref().and_then(|b| b.get("parameters"))
        else {
            return Vec::new();
        };
        let named = |node: &Node| {
            let code = node.get("key")?.text()?;
            missing.iter().copied().find(|key| *key == code)
        };
        let mut taken = Vec::new();
        for (key, node) in parameters.iter().filter_map(|node| Some((named(node)?, node))) {
            let mut node = node.clone();
            if let Value::Map(entries) = &mut node.value {
                entries.retain(|(name, _)| name.text != "clauses");
            }
            let (kind, code, file) = (ObjectKind::Parameter, key.to_owned(), PACK.to_owned());
            self.put(Raw { kind, code, file, line: 0, node, site: false, replaces: None });
            taken.push(key);
        }
        taken
    }

    /// The object of a kind with a code.
    pub(crate) fn raw(&self, kind: ObjectKind, code: &str) -> Option<&Raw> {
        self.objects.get(*self.places.get(&(kind, code.to_owned()))?)
    }

    pub(crate) fn has(&self, kind: ObjectKind, code: &str) -> bool {
        self.places.contains_key(&(kind, code.to_owned()))
    }

    pub(crate) fn of_kind(&self, kind: ObjectKind) -> impl Iterator<Item = &Raw> {
        self.objects.iter().filter(move |raw| raw.kind == kind)
    }

    pub(crate) fn role(&self, code: &str) -> Option<&RoleOutline> {
        self.roles.get(code)
    }

    fn layer(&mut self, layer: &Layer, problems: &mut Problems) {
        let mut own = BTreeSet::new();
        let mut requirements = BTreeMap::new();
        let mut left_out = None;
        let mut catalogues = Vec::new();
        for path in layer.files.keys() {
            let full = format!("{}{path}", layer.prefix);
            let Some(area) = area(path) else {
                problems.add(&full, 0, unknown_file());
                continue;
            };
            let Some(content) = text(&layer.files, path, &full, problems) else {
                self.unread = true;
                continue;
            };
            match path.as_str() {
                POLICIES => self.policies = Some((full, content.to_owned())),
                SCHEMA => self.schema = Some((full, content.to_owned())),
                _ => {
                    let known = embedded::tree(path, content.as_bytes());
                    let Some(node) = known.or_else(|| yaml::read(content, &full, problems)) else {
                        self.unread = true;
                        continue;
                    };
                    if !matches!(node.value, Value::Map(_)) {
                        problems.add(&full, node.line, "keys and values are needed here");
                        continue;
                    }
                    if area == "requirements" {
                        requirements.insert(full, node);
                        continue;
                    }
                    if path == PACK {
                        left_out = node.get("leaves-out").cloned();
                        catalogues = words(node.get("catalogues"));
                        self.head = Some(node.clone());
                    }
                    self.sections(area, &full, node, &mut own, problems);
                }
            }
        }
        if !layer.files.contains_key(PACK) {
            self.head = None;
            problems.add(&format!("{}{PACK}", layer.prefix), 0, "missing; every pack needs it");
        }
        self.requirements(requirements, &catalogues, &layer.prefix, &mut own, problems);
        if let Some(list) = left_out {
            self.leave_out(&list, &format!("{}{PACK}", layer.prefix), &own, problems);
        }
    }

    /// The lists of objects in one file.
    fn sections(
        &mut self,
        area: &str,
        file: &str,
        node: Node,
        own: &mut BTreeSet<(ObjectKind, String, bool)>,
        problems: &mut Problems,
    ) {
        let Value::Map(entries) = node.value else {
            return;
        };
        for (key, node) in entries {
            let section = SECTIONS.iter().find(|row| row.0 == area && row.1 == key.text);
            let Some((_, _, kind, code_key)) = section else {
                if !(area == "pack" && HEAD.contains(&key.text.as_ref())) {
                    let known = SECTIONS.iter().filter(|row| row.0 == area).map(|row| row.1);
                    let head: &[&str] = if area == "pack" { HEAD } else { &[] };
                    let known: Vec<_> = head.iter().copied().chain(known).collect();
                    problems.add(
                        file,
                        key.line,
                        format!("no key {:?} here; known are {}", key.text, known.join(", ")),
                    );
                }
                continue;
            };
            match node.value {
                Value::List(nodes) => {
                    for node in nodes {
                        self.object(*kind, code_key, area == "site", file, node, own, problems);
                    }
                }
                Value::Empty => {}
                _ => problems.add(file, node.line, format!("{} is a list", key.text)),
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one place reads them all")]
    fn object(
        &mut self,
        kind: ObjectKind,
        code_key: &str,
        site: bool,
        file: &str,
        node: Node,
        own: &mut BTreeSet<(ObjectKind, String, bool)>,
        problems: &mut Problems,
    ) {
        if self.objects.len() >= MOST_OBJECTS {
            return problems.add(file, node.line, format!("more than {MOST_OBJECTS} objects"));
        }
        let line = node.get(code_key).map_or(node.line, |code| code.line);
        let code = match (kind, node.get("clauses")) {
            (ObjectKind::Informative, Some(Node { value: Value::List(ids), .. })) => {
                ids.first().and_then(Node::text)
            }
            _ => node.get(code_key).and_then(Node::text),
        };
        let Some(code) = code.map(str::trim).filter(|code| !code.is_empty()) else {
            let key = if kind == ObjectKind::Informative { "clauses" } else { code_key };
            return problems.add(file, line, format!("{kind}: {key} is missing"));
        };
        let code = code.to_owned();
        if !own.insert((kind, code.clone(), site)) {
            return problems.add(file, line, format!("{kind} {code} stands twice"));
        }
        self.put(Raw { kind, code, file: file.to_owned(), line, node, site, replaces: None });
    }

    fn put(&mut self, mut raw: Raw) {
        let key = (raw.kind, raw.code.clone());
        match self.places.get(&key).and_then(|place| self.objects.get_mut(*place)) {
            Some(place) => {
                std::mem::swap(place, &mut raw);
                place.replaces = Some(Box::new(raw));
            }
            None => {
                self.places.insert(key, self.objects.len());
                self.objects.push(raw);
            }
        }
    }

    /// The catalogues that `pack.yaml` names; each is a file of its own.
    fn requirements(
        &mut self,
        files: BTreeMap<String, Node>,
        named: &[String],
        prefix: &str,
        own: &mut BTreeSet<(ObjectKind, String, bool)>,
        problems: &mut Problems,
    ) {
        let mut found = BTreeSet::new();
        for (file, node) in files {
            let Some(code) = node.get("catalogue").and_then(Node::text).map(str::to_owned) else {
                problems.add(&file, node.line, "catalogue is missing");
                continue;
            };
            if !named.contains(&code) {
                problems.add(
                    &file,
                    node.line,
                    format!("catalogue {code} is not among the catalogues of pack.yaml"),
                );
            }
            if !own.insert((ObjectKind::Catalogue, code.clone(), false)) {
                problems.add(&file, node.line, format!("catalogue {code} stands twice"));
                continue;
            }
            found.insert(code.clone());
            self.put(Raw {
                kind: ObjectKind::Catalogue,
                code,
                line: node.line,
                file,
                node,
                site: false,
                replaces: None,
            });
        }
        for code in named {
            if !found.contains(code) {
                let file = format!("{prefix}{PACK}");
                problems.add(
                    &file,
                    0,
                    format!("catalogues: no file of requirements/ holds catalogue {code:?}"),
                );
            }
            if !self.catalogues.contains(code) {
                self.catalogues.push(code.clone());
            }
        }
    }

    fn leave_out(
        &mut self,
        list: &Node,
        file: &str,
        own: &BTreeSet<(ObjectKind, String, bool)>,
        problems: &mut Problems,
    ) {
        let rows = match &list.value {
            Value::List(rows) => rows.as_slice(),
            Value::Empty => &[],
            _ => return problems.add(file, list.line, "leaves-out is a list"),
        };
        let mut left = false;
        for row in rows {
            let Value::Map(entries) = &row.value else {
                problems.add(file, row.line, "leaves-out: a kind with a code, ja and en are needed");
                continue;
            };
            for tag in ["ja", "en"] {
                if row.get(tag).and_then(Node::text).is_none_or(|text| text.trim().is_empty()) {
                    problems.add(file, row.line, format!("leaves-out: the reason in {tag} is missing"));
                }
            }
            let named: Vec<_> =
                entries.iter().filter(|(key, _)| !["ja", "en"].contains(&key.text.as_ref())).collect();
            let [(key, code)] = named.as_slice() else {
                problems.add(file, row.line, "leaves-out: exactly one object is named in each row");
                continue;
            };
            let (Some(kind), Some(code)) = (ObjectKind::named(&key.text), code.text()) else {
                problems.add(file, key.line, format!("leaves-out: {:?} is no kind of object", key.text));
                continue;
            };
            let label = format!("{kind} {code}");
            if own.contains(&(kind, code.to_owned(), false)) || !self.has(kind, code) {
                problems.add(file, row.line, format!("leaves-out: no {label} of the pack it extends"));
                continue;
            }
            let clauses = self.raw(kind, code).map(Raw::clauses).unwrap_or_default();
            let clauses = clauses.into_iter().map(str::to_owned).collect();
            self.left_out.push(LeftOut { file: file.to_owned(), line: row.line, label, clauses });
            // Named once more, it is no longer there.
            self.places.remove(&(kind, code.to_owned()));
            left = true;
        }
        if left {
            let places = std::mem::take(&mut self.places);
            self.objects.retain(|raw| places.contains_key(&(raw.kind, raw.code.clone())));
            self.places =
                self.objects.iter().enumerate().map(|(at, raw)| ((raw.kind, raw.code.clone()), at)).collect();
        }
    }

    /// What references are checked against.
    fn outline(&mut self) {
        for raw in &self.objects {
            match raw.kind {
                ObjectKind::Role => {
                    let outside = raw.node.get("outside").and_then(Node::text) == Some("true");
                    if let Ok(code) = RoleCode::new(&raw.code) {
                        self.roles.insert(raw.code.clone(), RoleOutline { code, outside });
                    }
                }
                ObjectKind::Catalogue => {
                    let Some(Node { value: Value::List(rows), .. }) = raw.node.get("clauses") else {
                        continue;
                    };
                    for row in rows {
                        if let Some(id) = row.get("id").and_then(Node::text) {
                            self.clause_ids.entry(id.to_owned()).or_insert((raw.file.clone(), row.line));
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// What a file is for, by its path.
fn area(path: &str) -> Option<&str> {
    if path == POLICIES || path == SCHEMA {
        return Some("access");
    }
    let stem = path.strip_suffix(".yaml")?;
    match stem.split_once('/') {
        None => [SINGLE, SPLIT].concat().into_iter().find(|area| *area == stem),
        Some((folder, name)) => {
            let known = SPLIT.iter().chain(&["requirements"]).find(|area| **area == folder);
            known.filter(|_| !name.contains('/')).copied()
        }
    }
}

fn unknown_file() -> String {
    let single: Vec<String> = SINGLE.iter().map(|name| format!("{name}.yaml")).collect();
    let split: Vec<String> = SPLIT.iter().map(|name| format!("{name}.yaml, {name}/*.yaml")).collect();
    format!(
        "not a file of a pack; known are {}, {}, requirements/*.yaml, {POLICIES}, {SCHEMA}",
        single.join(", "),
        split.join(", ")
    )
}

/// The words of a list, as far as it is one.
fn words(node: Option<&Node>) -> Vec<String> {
    match node {
        Some(Node { value: Value::List(nodes), .. }) => {
            nodes.iter().filter_map(Node::text).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}
