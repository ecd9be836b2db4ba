//! YAML as a tree with lines, so that one wrong object hides no other.
//!
//! Stricter than YAML: no anchors, aliases, tags, directives or second documents, which no rules need
//! and which only make files say something else than they show. Every scalar keeps the text it was
//! written with; what reads it decides whether that is a number.

use std::borrow::Cow;
use std::collections::HashSet;

use granit_parser::{Event, Parser, ScalarStyle};

use super::Problems;

/// A word as written: of a file inside the program it is the program's own, and is not copied.
pub(crate) type Word = Cow<'static, str>;

/// One value and the line it begins on.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub line: u64,
    pub value: Value,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Empty,
    Text { text: Word, plain: bool },
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// The key of a mapping's entry.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub text: Word,
    pub line: u64,
}

impl Node {
    /// Whether two values are the same, wherever they stand and however they are quoted. The order of
    /// keys does not matter, that of lists does.
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Empty, Value::Empty) => true,
            (Value::Text { text: one, .. }, Value::Text { text: two, .. }) => one == two,
            (Value::List(one), Value::List(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.same(two))
            }
            (Value::Map(one), Value::Map(two)) => {
                one.len() == two.len()
                    && one.iter().all(|(key, node)| {
                        two.iter().find(|(k, _)| k.text == key.text).is_some_and(|(_, n)| n.same(node))
                    })
            }
            _ => false,
        }
    }

    /// The value under a key of a mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(k, _)| k.text == key).map(|(_, node)| node),
            _ => None,
        }
    }

    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text { text, .. } => Some(text),
            _ => None,
        }
    }
}

/// Deepest nesting, and most values in one file: far above what rules need.
const MOST_DEPTH: usize = 24;
const MOST_VALUES: usize = 200_000;

/// What is being read: a list or a mapping not yet ended.
enum Open {
    List(u64, Vec<Node>),
    /// With the key whose value comes next.
    Map(u64, Entries, Option<Key>),
}

/// The entries of a mapping not yet ended.
#[derive(Default)]
struct Entries {
    entries: Vec<(Key, Node)>,
    /// Their keys, once there are many: a file made to have a hundred thousand is read no slower than
    /// others of its size.
    keys: HashSet<Word>,
}

/// So many keys are looked through one by one.
const FEW: usize = 32;

impl Entries {
    fn has(&self, key: &str) -> bool {
        if self.keys.is_empty() {
            self.entries.iter().any(|(known, _)| known.text == key)
        } else {
            self.keys.contains(key)
        }
    }

    fn push(&mut self, key: Key, node: Node) {
        if !self.keys.is_empty() {
            self.keys.insert(key.text.clone());
        }
        self.entries.push((key, node));
        if self.entries.len() == FEW {
            self.keys = self.entries.iter().map(|(key, _)| key.text.clone()).collect();
        }
    }
}

/// Reads one file. None when it is no YAML at all; its first break is told then.
pub(super) fn read(text: &str, file: &str, problems: &mut Problems) -> Option<Node> {
    let mut reading = Reading { file, problems, open: Vec::new(), done: None, values: 0, documents: 0 };
    let options = granit_parser::options! {
        disallow_directives: true,
        emit_comments: false,
        emit_unresolved_aliases: true,
        flow_nesting_limit: MOST_DEPTH,
        block_nesting_limit: MOST_DEPTH,
    };
    // A byte-order mark is no part of the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for event in Parser::new_from_str_with_options(text, options) {
        match event {
            Ok((event, span)) => reading.event(event, span.start.line() as u64)?,
            Err(error) => {
                reading.problems.add(
                    file,
                    error.marker().line() as u64,
                    format!("not YAML: {}", error.info()),
                );
                return None;
            }
        }
    }
    let empty = Node { line: 0, value: Value::Empty };
    Some(reading.done.unwrap_or(empty))
}

struct Reading<'a> {
    file: &'a str,
    problems: &'a mut Problems,
    open: Vec<Open>,
    done: Option<Node>,
    values: usize,
    documents: usize,
}

impl Reading<'_> {
    /// None: nothing more can be made of the file.
    fn event(&mut self, event: Event<'_>, line: u64) -> Option<()> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.problems.add(self.file, line, "a second document; a file holds one");
                    return None;
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.plain_only(anchor, tag.is_some(), line);
                let plain = style == ScalarStyle::Plain;
                self.scalar(&text, plain, line)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.plain_only(anchor, tag.is_some(), line);
                self.open(Open::List(line, Vec::new()), line)?;
            }
            Event::MappingStart(_, anchor, tag) => {
                self.plain_only(anchor, tag.is_some(), line);
                self.open(Open::Map(line, Entries::default(), None), line)?;
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop()? {
                Open::List(line, nodes) => self.put(Node { line, value: Value::List(nodes) })?,
                Open::Map(line, entries, _) => self.put(Node { line, value: Value::Map(entries.entries) })?,
            },
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.problems.add(self.file, line, "aliases (*name) are not used in packs");
                self.put(Node { line, value: Value::Empty })?;
            }
            _ => {}
        }
        Some(())
    }

    fn plain_only(&mut self, anchor: usize, tag: bool, line: u64) {
        if anchor != 0 || tag {
            self.problems.add(self.file, line, "anchors (&name) and tags (!name) are not used in packs");
        }
    }

    fn open(&mut self, open: Open, line: u64) -> Option<()> {
        if let Some(Open::Map(_, _, None)) = self.open.last() {
            self.problems.add(self.file, line, "a key must be a word, not a list or a mapping");
            return None;
        }
        if self.open.len() >= MOST_DEPTH {
            self.problems.add(self.file, line, format!("nested deeper than {MOST_DEPTH}"));
            return None;
        }
        self.open.push(open);
        Some(())
    }

    fn scalar(&mut self, text: &str, plain: bool, line: u64) -> Option<()> {
        if let Some(Open::Map(_, _, key @ None)) = self.open.last_mut() {
            *key = Some(Key { text: text.to_owned().into(), line });
            return Some(());
        }
        let empty = plain && matches!(text, "" | "~" | "null");
        let value = if empty { Value::Empty } else { Value::Text { text: text.to_owned().into(), plain } };
        self.put(Node { line, value })
    }

    fn put(&mut self, node: Node) -> Option<()> {
        self.values += 1;
        if self.values > MOST_VALUES {
            self.problems.add(self.file, node.line, format!("more than {MOST_VALUES} values"));
            return None;
        }
        match self.open.last_mut() {
            Some(Open::List(_, nodes)) => nodes.push(node),
            Some(Open::Map(_, entries, key)) => {
                let key = key.take()?;
                if entries.has(&key.text) {
                    self.problems.add(self.file, key.line, format!("duplicate key {:?}", key.text));
                } else {
                    entries.push(key, node);
                }
            }
            None => self.done = Some(node),
        }
        Some(())
    }
}
