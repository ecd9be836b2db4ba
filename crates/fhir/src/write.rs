//! JSON that this program writes itself, and edits in texts it received.

use std::ops::Range;

/// Appends a JSON string with its quotes.
pub(crate) fn push_quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut buffer = [0; 4];
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            control if (control as u32) < 0x20 => {
                out.extend_from_slice(format!("\\u{:04x}", control as u32).as_bytes());
            }
            other => out.extend_from_slice(other.encode_utf8(&mut buffer).as_bytes()),
        }
    }
    out.push(b'"');
}

/// A JSON string with its quotes.
pub(crate) fn quoted(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    push_quoted(&mut out, text);
    out
}

/// Replaces ranges of a text that don't overlap.
pub(crate) fn splice(bytes: &[u8], mut edits: Vec<(Range<usize>, Vec<u8>)>) -> Vec<u8> {
    edits.sort_by_key(|(range, _)| range.start);
    let more: usize = edits.iter().map(|(_, text)| text.len()).sum();
    let mut out = Vec::with_capacity(bytes.len() + more);
    let mut done = 0;
    for (range, text) in edits {
        out.extend_from_slice(bytes.get(done..range.start).unwrap_or_default());
        out.extend_from_slice(&text);
        done = range.end;
    }
    out.extend_from_slice(bytes.get(done..).unwrap_or_default());
    out
}

/// Writes objects and arrays with their commas.
#[derive(Debug, Default)]
pub(crate) struct Json {
    out: Vec<u8>,
    /// Whether the next member or item is the first of its container.
    first: bool,
}

impl Json {
    pub(crate) fn object() -> Self {
        Self { out: vec![b'{'], first: true }
    }

    fn comma(&mut self) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
    }

    fn key(&mut self, name: &str) {
        self.comma();
        push_quoted(&mut self.out, name);
        self.out.push(b':');
    }

    pub(crate) fn string(&mut self, name: &str, text: &str) -> &mut Self {
        self.key(name);
        push_quoted(&mut self.out, text);
        self
    }

    /// A member only when there is something to say.
    pub(crate) fn optional(&mut self, name: &str, text: Option<&str>) -> &mut Self {
        if let Some(text) = text {
            self.string(name, text);
        }
        self
    }

    /// A member whose JSON is ready: a number, a word, a resource.
    pub(crate) fn raw(&mut self, name: &str, json: &[u8]) -> &mut Self {
        self.key(name);
        self.out.extend_from_slice(json);
        self
    }

    pub(crate) fn open(&mut self, name: &str) -> &mut Self {
        self.raw(name, b"{").first = true;
        self
    }

    pub(crate) fn open_array(&mut self, name: &str) -> &mut Self {
        self.raw(name, b"[").first = true;
        self
    }

    /// An item of an array that is an object.
    pub(crate) fn item(&mut self) -> &mut Self {
        self.comma();
        self.out.push(b'{');
        self.first = true;
        self
    }

    pub(crate) fn string_item(&mut self, text: &str) -> &mut Self {
        self.comma();
        push_quoted(&mut self.out, text);
        self
    }

    pub(crate) fn close(&mut self) -> &mut Self {
        self.out.push(b'}');
        self.first = false;
        self
    }

    pub(crate) fn close_array(&mut self) -> &mut Self {
        self.out.push(b']');
        self.first = false;
        self
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.out.push(b'}');
        self.out
    }
}
