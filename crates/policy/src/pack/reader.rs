//! Reading an object out of its tree, with every problem told and none of them final.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt::Display;
use std::str::FromStr;

use super::Problems;
use super::merge::Merged;
use super::model::{ObjectKind, Who};
use super::yaml::{Node, Value};
use crate::text::Text;

/// What everything is read against.
pub(super) struct Context<'a> {
    pub merged: &'a Merged,
    pub problems: &'a RefCell<Problems>,
}

impl Context<'_> {
    pub(super) fn problem(&self, file: &str, line: u64, message: impl Into<String>) {
        self.problems.borrow_mut().add(file, line, message);
    }
}

/// An enumeration that packs write as one word.
pub(super) trait Word: Copy + 'static {
    fn of(word: &str) -> Option<Self>;
    fn words() -> &'static [&'static str];
}

/// One mapping that is being read.
pub(super) struct Object<'a> {
    pub cx: &'a Context<'a>,
    pub file: &'a str,
    pub line: u64,
    /// What messages call it: `register visitors`.
    pub label: String,
    node: &'a Node,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Object<'a> {
    pub(super) fn new(cx: &'a Context<'a>, file: &'a str, label: impl Into<String>, node: &'a Node) -> Self {
        let object = Self { cx, file, line: node.line, label: label.into(), node, asked: RefCell::default() };
        if !matches!(node.value, Value::Map(_)) {
            object.problem("keys and values are needed here");
        }
        object
    }

    /// Tells a problem of the object as a whole.
    pub(super) fn problem(&self, message: impl Display) {
        self.problem_at(self.line, message);
    }

    pub(super) fn problem_at(&self, line: u64, message: impl Display) {
        self.cx.problem(self.file, line, format!("{}: {message}", self.label));
    }

    /// The value under a key, unless it is missing or empty.
    pub(super) fn get(&self, key: &'static str) -> Option<&'a Node> {
        self.asked.borrow_mut().push(key);
        self.node.get(key).filter(|node| !matches!(node.value, Value::Empty))
    }

    pub(super) fn has(&self, key: &'static str) -> bool {
        self.get(key).is_some()
    }

    /// Tells of a missing key.
    fn missing<T>(&self, key: &str, found: Option<T>) -> Option<T> {
        if found.is_none() && self.node.get(key).is_none_or(|n| matches!(n.value, Value::Empty)) {
            self.problem(format!("{key} is missing"));
        }
        found
    }

    pub(super) fn text(&self, key: &'static str) -> Option<&'a str> {
        let node = self.get(key)?;
        match &node.value {
            Value::Text { text, .. } => Some(text.trim()),
            _ => {
                self.problem_at(node.line, format!("{key} is one text"));
                None
            }
        }
    }

    pub(super) fn need_text(&self, key: &'static str) -> Option<&'a str> {
        self.missing(key, self.text(key))
    }

    /// A text that has a form of its own.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&self, key: &'static str) -> Option<T> {
        let text = self.text(key)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem_at(self.line_of(key), format!("{key}: {error}, not {text:?}"));
                None
            }
        }
    }

    pub(super) fn need_parsed<T: FromStr<Err: Display>>(&self, key: &'static str) -> Option<T> {
        self.missing(key, self.parsed(key))
    }

    /// A whole number within bounds.
    pub(super) fn number<T>(&self, key: &'static str, least: T, most: T) -> Option<T>
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        let node = self.get(key)?;
        let number = match &node.value {
            Value::Text { text, plain: true } => text.parse().ok(),
            _ => None,
        };
        let number = number.filter(|n| *n >= least && *n <= most);
        if number.is_none() {
            self.problem_at(node.line, format!("{key} is a whole number from {least} to {most}"));
        }
        number
    }

    pub(super) fn need_number<T>(&self, key: &'static str, least: T, most: T) -> Option<T>
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        self.missing(key, self.number(key, least, most))
    }

    /// `true` or `false`; false when it is missing.
    pub(super) fn flag(&self, key: &'static str) -> bool {
        self.maybe_flag(key).unwrap_or_default()
    }

    pub(super) fn maybe_flag(&self, key: &'static str) -> Option<bool> {
        let node = self.get(key)?;
        match node.text() {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => {
                self.problem_at(node.line, format!("{key} is true or false"));
                None
            }
        }
    }

    /// One word of an enumeration.
    pub(super) fn word<T: Word>(&self, key: &'static str) -> Option<T> {
        let text = self.text(key)?;
        let word = T::of(text);
        if word.is_none() {
            self.problem_at(
                self.line_of(key),
                format!("{key} {text:?} is unknown; it is one of {}", T::words().join(", ")),
            );
        }
        word
    }

    pub(super) fn need_word<T: Word>(&self, key: &'static str) -> Option<T> {
        self.missing(key, self.word(key))
    }

    /// The nodes of a list; none when it is missing.
    pub(super) fn list(&self, key: &'static str) -> &'a [Node] {
        match self.get(key) {
            Some(Node { value: Value::List(nodes), .. }) => nodes,
            Some(node) => {
                self.problem_at(node.line, format!("{key} is a list"));
                &[]
            }
            None => &[],
        }
    }

    /// A list of words, each with its line.
    pub(super) fn texts(&self, key: &'static str) -> Vec<(&'a str, u64)> {
        let mut texts: Vec<(&str, u64)> = Vec::new();
        let mut seen = HashSet::new();
        for node in self.list(key) {
            match node.text() {
                Some(text) if !seen.insert(text) => {
                    self.problem_at(node.line, format!("{key}: {text} stands twice"));
                }
                Some(text) => texts.push((text, node.line)),
                None => self.problem_at(node.line, format!("{key} is a list of words")),
            }
        }
        texts
    }

    /// The mapping under a key.
    pub(super) fn object(&self, key: &'static str) -> Option<Object<'a>> {
        let node = self.get(key)?;
        Some(Object::new(self.cx, self.file, format!("{}, {key}", self.label), node))
    }

    /// The mappings of a list.
    pub(super) fn objects(&self, key: &'static str, what: &str) -> Vec<Object<'a>> {
        self.list(key)
            .iter()
            .map(|node| {
                let code = node.get("code").and_then(Node::text).unwrap_or("?");
                Object::new(self.cx, self.file, format!("{}, {what} {code}", self.label), node)
            })
            .collect()
    }

    /// The object's `code`: lower-case letters, digits and `-`.
    pub(super) fn code(&self) -> Option<String> {
        let code = self.need_text("code")?;
        if !is_code(code) {
            self.problem_at(
                self.line_of("code"),
                format!("{code:?} is not a code of a-z, 0-9 and '-', at most 64"),
            );
            return None;
        }
        Some(code.to_owned())
    }

    /// The name in both languages.
    pub(super) fn name(&self) -> Text {
        self.pair("ja", "en", true).unwrap_or_default()
    }

    /// Help in both languages or in none.
    pub(super) fn help(&self) -> Option<Text> {
        self.pair("help-ja", "help-en", false)
    }

    /// A text in both languages: a screen must never lack one.
    pub(super) fn pair(&self, ja: &'static str, en: &'static str, needed: bool) -> Option<Text> {
        let read = |key| self.text(key).filter(|text| !text.is_empty());
        let (found_ja, found_en) = (read(ja), read(en));
        if found_ja.is_none() && found_en.is_none() && !needed {
            return None;
        }
        for (key, found) in [(ja, found_ja), (en, found_en)] {
            if found.is_none() {
                self.problem(format!("text in {key} is missing"));
            }
        }
        Some(Text::new(found_ja.unwrap_or_default(), found_en.unwrap_or_default()))
    }

    /// The clauses it answers: its own, each in a catalogue of the pack.
    pub(super) fn clauses(&self) -> Vec<String> {
        let texts = self.texts("clauses");
        texts
            .into_iter()
            .filter_map(|(id, line)| {
                let known = self.cx.merged.clause_ids.contains_key(id);
                if !known {
                    self.problem_at(line, format!("clauses: {id:?} stands in no catalogue of this pack"));
                }
                known.then(|| id.to_owned())
            })
            .collect()
    }

    /// People that a list names. What is allowed besides roles stands in `who`.
    pub(super) fn who(&self, key: &'static str, allowed: Allowed) -> Vec<Who> {
        let mut people = Vec::new();
        for (text, line) in self.texts(key) {
            let special = match text {
                "anyone" => Some((Who::Anyone, allowed.anyone)),
                "citizen" => Some((Who::Citizen, allowed.citizen)),
                "applicant" => Some((Who::Applicant, allowed.applicant)),
                _ => None,
            };
            match special {
                Some((who, true)) => people.push(who),
                Some((_, false)) => self.problem_at(line, format!("{key}: {text} cannot stand here")),
                None => match self.cx.merged.role(text) {
                    None => self.problem_at(line, format!("{key}: no role {text:?}")),
                    Some(role) if role.outside && !allowed.outside => {
                        self.problem_at(
                            line,
                            format!("{key}: {text} is outside and is only told, never acting"),
                        );
                    }
                    Some(role) => people.push(Who::Role(role.code.clone())),
                },
            }
        }
        people
    }

    /// As [`Object::who`], and somebody must be named.
    pub(super) fn need_who(&self, key: &'static str, allowed: Allowed) -> Vec<Who> {
        let people = self.who(key, allowed);
        if people.is_empty() && self.list(key).is_empty() {
            self.problem(format!("{key} is missing: somebody must be named"));
        }
        people
    }

    /// The code of another object, which must exist.
    pub(super) fn reference(&self, key: &'static str, kind: ObjectKind) -> Option<String> {
        let code = self.text(key)?;
        if self.cx.merged.has(kind, code) {
            return Some(code.to_owned());
        }
        self.problem_at(self.line_of(key), format!("{key}: no {kind} {code:?}"));
        None
    }

    pub(super) fn need_reference(&self, key: &'static str, kind: ObjectKind) -> Option<String> {
        self.missing(key, self.reference(key, kind))
    }

    /// The line of a key's value, or the object's.
    pub(super) fn line_of(&self, key: &str) -> u64 {
        self.node.get(key).map_or(self.line, |node| node.line)
    }

    /// Every entry of a mapping whose keys are not fixed.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, &'a Node)> {
        match &self.node.value {
            Value::Map(entries) => entries.as_slice(),
            _ => &[],
        }
        .iter()
        .map(|(key, node)| (key.text.as_ref(), node))
    }

    /// Tells of keys that nobody asked for.
    pub(super) fn finish(&self) {
        let Value::Map(entries) = &self.node.value else {
            return;
        };
        let asked = self.asked.borrow();
        for (key, _) in entries.iter().filter(|(key, _)| !asked.contains(&key.text.as_ref())) {
            let mut asked = asked.clone();
            asked.sort_unstable();
            asked.dedup();
            self.problem_at(key.line, format!("no key {:?} here; known are {}", key.text, asked.join(", ")));
        }
    }
}

/// Who may stand in a list of roles.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Allowed {
    pub anyone: bool,
    pub citizen: bool,
    pub applicant: bool,
    pub outside: bool,
}

impl Allowed {
    /// Roles of people who use the system.
    pub(super) const ROLES: Self = Self { anyone: false, citizen: false, applicant: false, outside: false };
    /// Also every staff member.
    pub(super) const STAFF: Self = Self { anyone: true, ..Self::ROLES };
    /// Also every citizen.
    pub(super) const USERS: Self = Self { citizen: true, ..Self::STAFF };
    /// Those who act in a procedure.
    pub(super) const ACTING: Self = Self { applicant: true, ..Self::USERS };
    /// Those who are told: everybody, outside too.
    pub(super) const TOLD: Self = Self { outside: true, ..Self::ACTING };
}

/// Lower-case letters, digits and `-`, at most 64, beginning and ending with a letter or digit.
pub(super) fn is_code(text: &str) -> bool {
    mimamori_domain::RoleCode::new(text).is_ok()
}
