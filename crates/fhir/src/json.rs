//! A strict JSON reader (RFC 8259) that indexes the received text instead of copying it.
//!
//! Why our own: FHIR's decimals keep their exact text (1.50 is not 1.5), duplicate names must be
//! refused, limits must hold before memory is spent, and edits are spliced into the received bytes.
//! The result is a flat list of nodes in the order of the text; a node knows where it begins and
//! ends in the text and which node follows its last descendant.

use std::collections::HashSet;

use crate::issue::{Issue, IssueCode};

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
        Self {
            bytes: 2 << 20,
            depth: 64,
            elements: 50_000,
        }
    }
}

impl Limits {
    /// For a batch of resources: 16 MB, 64 deep, 500,000 values.
    #[must_use]
    pub const fn bundle() -> Self {
        Self {
            bytes: 16 << 20,
            depth: 64,
            elements: 500_000,
        }
    }

    /// For what was accepted before and is read back.
    pub(crate) const fn stored() -> Self {
        Self {
            bytes: 1 << 30,
            depth: MAX_DEPTH,
            elements: 1 << 26,
        }
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
struct Piece {
    start: u32,
    end: u32,
    escaped: bool,
}

#[derive(Debug)]
struct Node {
    kind: Kind,
    /// Where the value stands in the source, quotes included.
    start: u32,
    end: u32,
    /// The member's name, when the value is a member of an object.
    key: Option<Piece>,
    /// A string's text.
    text: Piece,
    /// The node after this one's last descendant.
    next: u32,
}

/// The index of one JSON text.
#[derive(Debug)]
pub(crate) struct Index {
    nodes: Vec<Node>,
    unescaped: String,
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
            return Err(Issue::error(
                IssueCode::TooLong,
                format!("more than {most} bytes"),
            ));
        }
        let source = std::str::from_utf8(bytes).map_err(|error| {
            Issue::syntax(
                bytes,
                error.valid_up_to(),
                IssueCode::Structure,
                "not valid UTF-8",
            )
        })?;
        let mut reader = Reader {
            bytes,
            at: 0,
            limits: Limits {
                depth: limits.depth.min(MAX_DEPTH),
                ..*limits
            },
            index: Self {
                nodes: Vec::with_capacity((bytes.len() / 24).min(4096)),
                unescaped: String::new(),
            },
        };
        reader.document()?;
        Ok((source, reader.index))
    }

    /// The outermost value.
    pub(crate) fn root<'a>(&'a self, source: &'a str) -> Value<'a> {
        Value {
            source,
            index: self,
            node: 0,
        }
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
        let from = if piece.escaped {
            self.index.unescaped.as_str()
        } else {
            self.source
        };
        from.get(piece.start as usize..piece.end as usize)
            .unwrap_or_default()
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
        self.node()
            .map_or(0..0, |node| node.start as usize..node.end as usize)
    }

    /// An object's members or an array's items, in their order; nothing for other values.
    #[must_use]
    pub fn children(self) -> Children<'a> {
        let end = self.node().map_or(0, |node| node.next);
        Children {
            value: self,
            at: self.node + 1,
            end,
        }
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
            Children {
                value: self,
                at: self.node,
                end: self.node + 1,
            }
        }
    }

    /// The items of a member that is an array.
    #[must_use]
    pub fn items(self, name: &str) -> Children<'a> {
        let none = Children {
            value: self,
            at: 0,
            end: 0,
        };
        self.get(name)
            .filter(|v| v.kind() == Kind::Array)
            .map_or(none, Value::children)
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
        let child = Value {
            node: self.at,
            ..self.value
        };
        self.at = child.node()?.next;
        Some(child)
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    limits: Limits,
    index: Index,
}

/// Up to this many members, names are compared one by one.
const FEW_MEMBERS: usize = 24;

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<(), Issue> {
        self.blank();
        self.value(None, 0)?;
        self.blank();
        if self.at < self.bytes.len() {
            return Err(self.wrong("nothing may follow the JSON value"));
        }
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn wrong(&self, diagnostics: &str) -> Issue {
        self.wrong_at(self.at, IssueCode::Structure, diagnostics)
    }

    fn wrong_at(&self, at: usize, code: IssueCode, diagnostics: &str) -> Issue {
        Issue::syntax(self.bytes, at, code, diagnostics)
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the size of the text was checked to fit"
    )]
    fn value(&mut self, key: Option<Piece>, depth: usize) -> Result<(), Issue> {
        if self.index.nodes.len() >= self.limits.elements {
            return Err(self.wrong_at(self.at, IssueCode::TooCostly, "too many elements"));
        }
        let node = self.index.nodes.len();
        let start = self.at as u32;
        let nothing = Piece {
            start: 0,
            end: 0,
            escaped: false,
        };
        self.index.nodes.push(Node {
            kind: Kind::Null,
            start,
            end: start,
            key,
            text: nothing,
            next: 0,
        });
        let mut text = nothing;
        let kind = match self.peek() {
            Some(b'{') => {
                self.object(depth + 1)?;
                Kind::Object
            }
            Some(b'[') => {
                self.array(depth + 1)?;
                Kind::Array
            }
            Some(b'"') => {
                text = self.string()?;
                Kind::String
            }
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                Kind::Number
            }
            Some(b't') => self.word(b"true", Kind::Boolean)?,
            Some(b'f') => self.word(b"false", Kind::Boolean)?,
            Some(b'n') => self.word(b"null", Kind::Null)?,
            _ => return Err(self.wrong("a JSON value is expected")),
        };
        let (end, next) = (self.at as u32, self.index.nodes.len() as u32);
        if let Some(node) = self.index.nodes.get_mut(node) {
            node.kind = kind;
            node.end = end;
            node.text = text;
            node.next = next;
        }
        Ok(())
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Result<Kind, Issue> {
        if !self
            .bytes
            .get(self.at..)
            .unwrap_or_default()
            .starts_with(word)
        {
            return Err(self.wrong("a JSON value is expected"));
        }
        self.at += word.len();
        Ok(kind)
    }

    fn enter(&mut self, depth: usize) -> Result<(), Issue> {
        if depth > self.limits.depth {
            return Err(self.wrong_at(self.at, IssueCode::TooCostly, "nested too deeply"));
        }
        self.at += 1;
        self.blank();
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<(), Issue> {
        self.enter(depth)?;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(None, depth)?;
            self.blank();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.wrong("',' or ']' is expected")),
            }
            self.blank();
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), Issue> {
        self.enter(depth)?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        let first = self.index.nodes.len();
        let mut members = 0;
        let mut seen: HashSet<String> = HashSet::new();
        loop {
            let at = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.wrong("a member's name is expected"));
            }
            let key = self.string()?;
            if self.is_duplicate(key, first, members, &mut seen) {
                return Err(self.wrong_at(
                    at,
                    IssueCode::Structure,
                    "the same name twice in one object",
                ));
            }
            members += 1;
            self.blank();
            if self.peek() != Some(b':') {
                return Err(self.wrong("':' is expected"));
            }
            self.at += 1;
            self.blank();
            self.value(Some(key), depth)?;
            self.blank();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.wrong("',' or '}' is expected")),
            }
            self.blank();
        }
    }

    fn piece(&self, piece: Piece) -> &[u8] {
        let from = if piece.escaped {
            self.index.unescaped.as_bytes()
        } else {
            self.bytes
        };
        from.get(piece.start as usize..piece.end as usize)
            .unwrap_or_default()
    }

    /// Few names are compared one by one, many by a set, so that a hostile object stays cheap.
    fn is_duplicate(
        &self,
        key: Piece,
        first: usize,
        members: usize,
        seen: &mut HashSet<String>,
    ) -> bool {
        let name = self.piece(key);
        let mut node = first;
        if members < FEW_MEMBERS {
            for _ in 0..members {
                let Some(member) = self.index.nodes.get(node) else {
                    break;
                };
                if member.key.is_some_and(|other| self.piece(other) == name) {
                    return true;
                }
                node = member.next as usize;
            }
            return false;
        }
        if seen.is_empty() {
            for _ in 0..members {
                let Some(member) = self.index.nodes.get(node) else {
                    break;
                };
                if let Some(other) = member.key {
                    seen.insert(String::from_utf8_lossy(self.piece(other)).into_owned());
                }
                node = member.next as usize;
            }
        }
        !seen.insert(String::from_utf8_lossy(name).into_owned())
    }

    fn number(&mut self) -> Result<(), Issue> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Issue> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            Err(self.wrong("a digit is expected"))
        } else {
            Ok(())
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the size of the text was checked to fit"
    )]
    fn string(&mut self) -> Result<Piece, Issue> {
        let start = self.at + 1;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let Some(plain) = rest
            .iter()
            .position(|b| *b == b'"' || *b == b'\\' || *b < 0x20)
        else {
            self.at = self.bytes.len();
            return Err(self.wrong("the string has no end"));
        };
        self.at = start + plain;
        if self.peek() == Some(b'"') {
            let end = self.at;
            self.at += 1;
            return Ok(Piece {
                start: start as u32,
                end: end as u32,
                escaped: false,
            });
        }
        self.escaped_string(start)
    }

    /// The rest of a string in which an escape was met.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "unescaped text is never longer than its source"
    )]
    fn escaped_string(&mut self, start: usize) -> Result<Piece, Issue> {
        let from = self.index.unescaped.len();
        let mut run = start;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.keep(run);
                    self.at += 1;
                    let end = self.index.unescaped.len();
                    return Ok(Piece {
                        start: from as u32,
                        end: end as u32,
                        escaped: true,
                    });
                }
                Some(b'\\') => {
                    self.keep(run);
                    let character = self.escape()?;
                    self.index.unescaped.push(character);
                    run = self.at;
                }
                Some(0..0x20) => return Err(self.wrong("a control character must be escaped")),
                Some(_) => self.at += 1,
                None => return Err(self.wrong("the string has no end")),
            }
        }
    }

    /// Copies what stood between two escapes.
    fn keep(&mut self, run: usize) {
        let text = self.bytes.get(run..self.at).unwrap_or_default();
        // It begins and ends at ASCII characters of a valid UTF-8 text, so it is valid itself.
        self.index
            .unescaped
            .push_str(std::str::from_utf8(text).unwrap_or_default());
    }

    fn escape(&mut self) -> Result<char, Issue> {
        let at = self.at;
        self.at += 1;
        let letter = self.peek();
        self.at += 1;
        Ok(match letter {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let unit = self.hex(at)?;
                let code = if (0xD800..0xDC00).contains(&unit) {
                    if self.bytes.get(self.at..self.at + 2) != Some(b"\\u".as_slice()) {
                        return Err(self.wrong_at(
                            at,
                            IssueCode::Structure,
                            "half a surrogate pair",
                        ));
                    }
                    self.at += 2;
                    let low = self.hex(at)?;
                    if !(0xDC00..0xE000).contains(&low) {
                        return Err(self.wrong_at(
                            at,
                            IssueCode::Structure,
                            "half a surrogate pair",
                        ));
                    }
                    0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)
                } else {
                    unit
                };
                char::from_u32(code).ok_or_else(|| {
                    self.wrong_at(at, IssueCode::Structure, "half a surrogate pair")
                })?
            }
            _ => return Err(self.wrong_at(at, IssueCode::Structure, "no such escape in JSON")),
        })
    }

    fn hex(&mut self, at: usize) -> Result<u32, Issue> {
        let digits = self.bytes.get(self.at..self.at + 4).unwrap_or_default();
        let valid = digits.len() == 4 && digits.iter().all(u8::is_ascii_hexdigit);
        let text = std::str::from_utf8(digits).unwrap_or_default();
        match u32::from_str_radix(text, 16) {
            Ok(unit) if valid => {
                self.at += 4;
                Ok(unit)
            }
            _ => Err(self.wrong_at(
                at,
                IssueCode::Structure,
                "four hexadecimal digits are expected",
            )),
        }
    }
}
