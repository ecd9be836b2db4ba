//! The strict JSON reader (RFC 8259) behind [`Index`].

use std::collections::HashSet;

use crate::issue::{Issue, IssueCode};
use crate::json::{Index, Kind, Limits, Node, Piece};

pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    limits: Limits,
    index: Index,
}

/// Up to this many members, names are compared one by one.
const FEW_MEMBERS: usize = 24;

impl<'a> Reader<'a> {
    /// A reader of a text that is valid UTF-8 and no longer than 32-bit positions reach.
    pub(crate) fn new(bytes: &'a [u8], limits: Limits) -> Self {
        // A guess that suits resources of some kilobytes; larger ones grow.
        let nodes = Vec::with_capacity((bytes.len() / 24).min(4096));
        Self { bytes, at: 0, limits, index: Index { nodes, unescaped: String::new() } }
    }

    /// Reads the text to its end.
    pub(crate) fn document(mut self) -> Result<Index, Issue> {
        self.blank();
        self.value(None, 0)?;
        self.blank();
        if self.at < self.bytes.len() {
            return Err(self.wrong("nothing may follow the JSON value"));
        }
        Ok(self.index)
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

    #[expect(clippy::cast_possible_truncation, reason = "the size of the text was checked to fit")]
    fn value(&mut self, key: Option<Piece>, depth: usize) -> Result<(), Issue> {
        if self.index.nodes.len() >= self.limits.elements {
            return Err(self.wrong_at(self.at, IssueCode::TooCostly, "too many elements"));
        }
        let node = self.index.nodes.len();
        let start = self.at as u32;
        let nothing = Piece { start: 0, end: 0, escaped: false };
        self.index.nodes.push(Node { kind: Kind::Null, start, end: start, key, text: nothing, next: 0 });
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
        if !self.bytes.get(self.at..).unwrap_or_default().starts_with(word) {
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
                return Err(self.wrong_at(at, IssueCode::Structure, "the same name twice in one object"));
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
        let from = if piece.escaped { self.index.unescaped.as_bytes() } else { self.bytes };
        from.get(piece.start as usize..piece.end as usize).unwrap_or_default()
    }

    /// Few names are compared one by one, many by a set, so that a hostile object stays cheap.
    fn is_duplicate(&self, key: Piece, first: usize, members: usize, seen: &mut HashSet<String>) -> bool {
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
        if self.at == start { Err(self.wrong("a digit is expected")) } else { Ok(()) }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the size of the text was checked to fit")]
    fn string(&mut self) -> Result<Piece, Issue> {
        let start = self.at + 1;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let Some(plain) = rest.iter().position(|b| *b == b'"' || *b == b'\\' || *b < 0x20) else {
            self.at = self.bytes.len();
            return Err(self.wrong("the string has no end"));
        };
        self.at = start + plain;
        if self.peek() == Some(b'"') {
            let end = self.at;
            self.at += 1;
            return Ok(Piece { start: start as u32, end: end as u32, escaped: false });
        }
        self.escaped_string(start)
    }

    /// The rest of a string in which an escape was met.
    #[expect(clippy::cast_possible_truncation, reason = "unescaped text is never longer than its source")]
    fn escaped_string(&mut self, start: usize) -> Result<Piece, Issue> {
        let from = self.index.unescaped.len();
        let mut run = start;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.keep(run);
                    self.at += 1;
                    let end = self.index.unescaped.len();
                    return Ok(Piece { start: from as u32, end: end as u32, escaped: true });
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
        self.index.unescaped.push_str(std::str::from_utf8(text).unwrap_or_default());
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
                        return Err(self.wrong_at(at, IssueCode::Structure, "half a surrogate pair"));
                    }
                    self.at += 2;
                    let low = self.hex(at)?;
                    if !(0xDC00..0xE000).contains(&low) {
                        return Err(self.wrong_at(at, IssueCode::Structure, "half a surrogate pair"));
                    }
                    0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)
                } else {
                    unit
                };
                char::from_u32(code)
                    .ok_or_else(|| self.wrong_at(at, IssueCode::Structure, "half a surrogate pair"))?
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
            _ => Err(self.wrong_at(at, IssueCode::Structure, "four hexadecimal digits are expected")),
        }
    }
}
