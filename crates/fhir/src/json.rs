//! JSON that is indexed where it stands instead of being copied into a tree.
//!
//! Why our own: FHIR's decimals keep their exact text (1.50 is not 1.5), duplicate names must be
//! refused, limits must hold before memory is spent, and edits are spliced into the received bytes.
//! The result is a flat list of nodes in the order of the text; a node knows where it begins and
//! ends in the text and which node follows its last descendant.

use crate::issue::{Issue, IssueCode};
use crate::reader::Reader;

/// What content may cost before it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes.
    pub bytes: usize,
    /// Objects and arrays inside each other; never more than 200.
    pub depth: usize,
    /// JSON values in all.
    pub elements: usize,
}

impl Default for Limits {
    /// For one resource: 2 MB, 64 deep, 50,000 values.
    fn default() -> Self {
        Self { bytes: 2 << 20, depth: 64, elements: 50_000 }
    }
}

impl Limits {
    /// For a batch of resources: 16 MB, 64 deep, 500,000 values.
    #[must_use]
    pub const fn bundle() -> Self {
        Self { bytes: 16 << 20, depth: 64, elements: 500_000 }
    }

    /// For what was accepted before and is read back.
    pub(crate) const fn stored() -> Self {
        Self { bytes: 1 << 30, depth: MAX_DEPTH, elements: 1 << 26 }
    }
}

/// The reader calls itself once per level; this keeps any limit within a thread's stack.
const MAX_DEPTH: usize = 200;

/// The kind of a JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

/// A piece of text: of the source, or of the buffer of strings that had escapes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece {
    pub start: u32,
    pub end: u32,
    pub escaped: bool,
}

/// One JSON value.
#[derive(Debug)]
pub(crate) struct Node {
    pub kind: Kind,
    /// Where the value stands in the source, quotes included.
    pub start: u32,
    pub end: u32,
    /// The member's name, when the value is a member of an object.
    pub key: Option<Piece>,
    /// A string's text.
    pub text: Piece,
    /// The node after this one's last descendant.
    pub next: u32,
}

/// The index of one JSON text.
#[derive(Debug)]
pub(crate) struct Index {
    /// In the order of the text.
    pub nodes: Vec<Node>,
    /// The texts of strings that had escapes.
    pub unescaped: String,
}

impl Index {
    /// Reads a text to its end.
    ///
    /// # Errors
    /// One fatal issue with its position: not UTF-8, not JSON, a duplicate name, or over a limit.
    pub(crate) fn read<'a>(bytes: &'a [u8], limits: &Limits) -> Result<(&'a str, Self), Issue> {
        // Positions are kept in 32 bits.
        let most = limits.bytes.min(i32::MAX as usize);
        if bytes.len() > most {
            return Err(Issue::error(IssueCode::TooLong, format!("more than {most} bytes")));
        }
        let source = std::str::from_utf8(bytes).map_err(|error| {
            Issue::syntax(bytes, error.valid_up_to(), IssueCode::Structure, "not valid UTF-8")
        })?;
        let depth = limits.depth.min(MAX_DEPTH);
        Ok((source, Reader::new(bytes, Limits { depth, ..*limits }).document()?))
    }

    /// The outermost value.
    pub(crate) fn root<'a>(&'a self, source: &'a str) -> Value<'a> {
        Value { source, index: self, node: 0 }
    }
}

/// A value of a JSON text that was read.
#[derive(Debug, Clone, Copy)]
pub struct Value<'a> {
    source: &'a str,
    index: &'a Index,
    node: u32,
}

impl<'a> Value<'a> {
    fn node(self) -> Option<&'a Node> {
        self.index.nodes.get(self.node as usize)
    }

    fn piece(self, piece: Piece) -> &'a str {
        let from = if piece.escaped { self.index.unescaped.as_str() } else { self.source };
        from.get(piece.start as usize..piece.end as usize).unwrap_or_default()
    }

    /// What kind of value it is.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.node().map_or(Kind::Null, |node| node.kind)
    }

    /// The name under which it stands in its object.
    #[must_use]
    pub fn key(self) -> Option<&'a str> {
        self.node()?.key.map(|key| self.piece(key))
    }

    /// A string's text, escapes resolved.
    #[must_use]
    pub fn text(self) -> Option<&'a str> {
        let node = self.node()?;
        (node.kind == Kind::String).then(|| self.piece(node.text))
    }

    /// The value exactly as received (a number's digits, a string with its quotes and escapes).
    #[must_use]
    pub fn raw(self) -> &'a str {
        self.source.get(self.span()).unwrap_or_default()
    }

    /// Where it stands in the received bytes.
    #[must_use]
    pub fn span(self) -> std::ops::Range<usize> {
        self.node().map_or(0..0, |node| node.start as usize..node.end as usize)
    }

    /// An object's members or an array's items, in their order; nothing for other values.
    #[must_use]
    pub fn children(self) -> Children<'a> {
        let end = self.node().map_or(0, |node| node.next);
        Children { value: self, at: self.node + 1, end }
    }

    /// An object's member.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Value<'a>> {
        if self.kind() != Kind::Object {
            return None;
        }
        self.children().find(|child| child.key() == Some(name))
    }

    /// A member that is a string.
    #[must_use]
    pub fn string(self, name: &str) -> Option<&'a str> {
        self.get(name)?.text()
    }

    /// The items of an array; otherwise the value itself, once.
    #[must_use]
    pub fn each(self) -> Children<'a> {
        if self.kind() == Kind::Array {
            self.children()
        } else {
            Children { value: self, at: self.node, end: self.node + 1 }
        }
    }

    /// The items of a member that is an array.
    #[must_use]
    pub fn items(self, name: &str) -> Children<'a> {
        let none = Children { value: self, at: 0, end: 0 };
        self.get(name).filter(|v| v.kind() == Kind::Array).map_or(none, Value::children)
    }

    /// Whether nothing stands inside.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.children().next().is_none()
    }
}

/// The members or items of a value.
#[derive(Debug, Clone)]
pub struct Children<'a> {
    value: Value<'a>,
    at: u32,
    end: u32,
}

impl<'a> Iterator for Children<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        if self.at >= self.end {
            return None;
        }
        let child = Value { node: self.at, ..self.value };
        self.at = child.node()?.next;
        Some(child)
    }
}
