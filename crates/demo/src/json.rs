//! Writes JSON with its members in the order given, so that the bytes never depend on a map.

use std::fmt::{Display, Write};

/// A JSON object being written. Empty texts, lists and objects are left out: FHIR has none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Object(String);

impl Object {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// An object that begins with its `resourceType`.
    pub(crate) fn resource(kind: &str) -> Self {
        Self::new().text("resourceType", kind)
    }

    pub(crate) fn text(mut self, key: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.key(key);
            quote(&mut self.0, value);
        }
        self
    }

    /// A number or a truth value, as its own text.
    pub(crate) fn plain(mut self, key: &str, value: impl Display) -> Self {
        self.key(key);
        let _ = write!(self.0, "{value}");
        self
    }

    pub(crate) fn object(mut self, key: &str, value: &Self) -> Self {
        if !value.0.is_empty() {
            self.key(key);
            self.0.push_str(&value.to_string());
        }
        self
    }

    pub(crate) fn list(self, key: &str, values: &[Self]) -> Self {
        self.raw_list(key, values.iter().filter(|v| !v.0.is_empty()).map(Self::to_string))
    }

    pub(crate) fn texts(self, key: &str, values: &[&str]) -> Self {
        self.raw_list(
            key,
            values.iter().filter(|v| !v.is_empty()).map(|value| {
                let mut text = String::new();
                quote(&mut text, value);
                text
            }),
        )
    }

    fn raw_list(mut self, key: &str, values: impl Iterator<Item = String>) -> Self {
        let joined = values.collect::<Vec<_>>().join(",");
        if !joined.is_empty() {
            self.key(key);
            let _ = write!(self.0, "[{joined}]");
        }
        self
    }

    fn key(&mut self, key: &str) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        quote(&mut self.0, key);
        self.0.push(':');
    }
}

impl Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{{{}}}", self.0)
    }
}

/// A number with one decimal, from its tenths: 365 is `36.5`.
pub(crate) fn tenths(value: i32) -> String {
    format!("{}{}.{}", if value < 0 { "-" } else { "" }, value.abs() / 10, value.abs() % 10)
}

/// A JSON string (RFC 8259 section 7).
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_as_what_was_written() {
        let text = "a \"quoted\" \\ line\nwith 𠮷\u{1}";
        let written = Object::resource("Basic")
            .text("t", text)
            .text("none", "")
            .plain("n", tenths(-365))
            .object("o", &Object::new().plain("b", true))
            .object("empty", &Object::new())
            .list("l", &[Object::new(), Object::new().text("x", "y")])
            .texts("s", &["p", "", "q"])
            .to_string();
        let read: serde_json::Value = serde_json::from_str(&written).unwrap();
        assert_eq!(
            read,
            serde_json::json!({"resourceType": "Basic", "t": text, "n": -36.5, "o": {"b": true},
                "l": [{"x": "y"}], "s": ["p", "q"]})
        );
        assert!(written.starts_with("{\"resourceType\":\"Basic\",\"t\":"));
    }
}
