//! The form of primitive values (FHIR R4, "Data Types: Primitive Types").

use crate::date::{Date, is_time};
use crate::json::{Kind, Value};
use crate::narrative;

macro_rules! primitives {
    ($($variant:ident = $name:literal, $json:ident, $check:path, $expected:literal;)*) => {
        /// FHIR's primitive types.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Primitive { $($variant,)* }

        impl Primitive {
            pub(crate) fn named(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }

            /// The JSON kind that carries it.
            pub(crate) const fn json(self) -> Kind {
                match self { $(Self::$variant => Kind::$json,)* }
            }

            /// Whether a text (a string's content, a number's digits) is of its form.
            pub(crate) fn is_valid(self, text: &str) -> bool {
                match self { $(Self::$variant => $check(text),)* }
            }

            /// What is expected, for the person who sent something else.
            pub(crate) const fn expected(self) -> &'static str {
                match self { $(Self::$variant => $expected,)* }
            }
        }
    };
}

primitives! {
    Base64Binary = "base64Binary", String, is_base64, "base64 is expected";
    Boolean = "boolean", Boolean, is_boolean, "true or false is expected";
    Canonical = "canonical", String, is_uri, "a canonical URL without spaces is expected";
    Code = "code", String, is_code, "a code without leading, trailing or double spaces is expected";
    Date = "date", String, is_date, "a date that exists is expected: YYYY, YYYY-MM or YYYY-MM-DD";
    DateTime = "dateTime", String, is_date_time,
        "a date that exists is expected: YYYY, YYYY-MM, YYYY-MM-DD or with a time, seconds and zone";
    Decimal = "decimal", Number, is_decimal, "a decimal number of at most 64 characters is expected";
    Id = "id", String, is_id, "1 to 64 of A-Z, a-z, 0-9, '-' and '.' are expected";
    Instant = "instant", String, is_instant, "a date and time with seconds and zone is expected";
    Integer = "integer", Number, is_integer, "a whole number of 32 bits is expected";
    Markdown = "markdown", String, is_string, "text is expected: not empty, no control characters";
    Oid = "oid", String, is_oid, "urn:oid: and an OID are expected";
    PositiveInt = "positiveInt", Number, is_positive, "a whole number from 1 to 2147483647 is expected";
    Text = "string", String, is_string, "text is expected: not empty, no control characters";
    Time = "time", String, is_time, "a time is expected: hh:mm:ss";
    UnsignedInt = "unsignedInt", Number, is_unsigned, "a whole number from 0 to 2147483647 is expected";
    Uri = "uri", String, is_uri, "a URI without spaces is expected";
    Url = "url", String, is_uri, "a URL without spaces is expected";
    Uuid = "uuid", String, is_uuid, "urn:uuid: and a UUID in lower case are expected";
    Xhtml = "xhtml", String, narrative::is_safe,
        "one XHTML div with formatting only is expected: no scripts, forms, frames or event attributes";
}

impl Primitive {
    /// Whether a JSON value is of its kind and form.
    pub(crate) fn accepts(self, value: Value<'_>) -> bool {
        let kind = value.kind();
        let text = if kind == Kind::String { value.text().unwrap_or_default() } else { value.raw() };
        kind == self.json() && self.is_valid(text)
    }
}

fn is_boolean(text: &str) -> bool {
    text == "true" || text == "false"
}

fn is_string(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b >= 0x20 || matches!(b, b'\t' | b'\n' | b'\r'))
}

fn is_code(text: &str) -> bool {
    !text.split(' ').any(str::is_empty)
        && !text.chars().any(|c| c.is_control() || (c.is_whitespace() && c != ' '))
}

fn is_uri(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

pub(crate) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
}

fn is_oid(text: &str) -> bool {
    let Some(mut arcs) = text.strip_prefix("urn:oid:").map(|oid| oid.split('.')) else {
        return false;
    };
    let first = arcs.next().is_some_and(|arc| matches!(arc, "0" | "1" | "2"));
    let mut rest = arcs.peekable();
    first && rest.peek().is_some() && rest.all(is_plain_number)
}

/// Digits without a leading zero.
fn is_plain_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'))
}

fn is_uuid(text: &str) -> bool {
    let Some(uuid) = text.strip_prefix("urn:uuid:") else {
        return false;
    };
    uuid.len() == 36
        && uuid.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

fn is_base64(text: &str) -> bool {
    let (mut digits, mut padding) = (0usize, 0usize);
    for byte in text.bytes() {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'=' => padding += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => digits += 1,
            _ => return false,
        }
    }
    digits > 0 && padding <= 2 && (digits + padding) % 4 == 0
}

/// The reader has already checked the grammar of numbers.
fn is_decimal(text: &str) -> bool {
    text.len() <= 64
}

fn is_integer(text: &str) -> bool {
    text.parse::<i32>().is_ok() && text != "-0"
}

fn is_unsigned(text: &str) -> bool {
    is_integer(text) && !text.starts_with('-')
}

fn is_positive(text: &str) -> bool {
    is_unsigned(text) && text != "0"
}

fn is_date(text: &str) -> bool {
    Date::read(text).is_some_and(|date| !date.has_time())
}

fn is_date_time(text: &str) -> bool {
    Date::read(text).is_some_and(|date| !date.has_time() || date.is_exact())
}

fn is_instant(text: &str) -> bool {
    Date::read(text).is_some_and(|date| date.is_exact())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let cases: &[(Primitive, &[&str], &[&str])] = &[
            (Primitive::Base64Binary, &["YQ==", "YWJj\nYWJj"], &["", "YQ=", "YQ==YQ==", "Y!==", "===="]),
            (Primitive::Code, &["a", "a b", "<="], &["", " a", "a ", "a  b", "a\tb"]),
            (Primitive::Id, &["a.B-9", &"a".repeat(64)], &["", "a_b", &"a".repeat(65), "ア"]),
            (
                Primitive::Oid,
                &["urn:oid:1.2.392.100495.20.3.51"],
                &["1.2.3", "urn:oid:1", "urn:oid:3.1", "urn:oid:1.02"],
            ),
            (
                Primitive::Uuid,
                &["urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"],
                &["0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "urn:uuid:0C3151BD-1cbf-4d64-b04d-cd9187a4c6e0"],
            ),
            (Primitive::Integer, &["0", "-5", "2147483647"], &["2147483648", "1.0", "1e3", "-0"]),
            (Primitive::PositiveInt, &["1"], &["0", "-1"]),
            (Primitive::UnsignedInt, &["0"], &["-1"]),
            (Primitive::Date, &["1950", "1950-04", "1950-04-30"], &["1950-04-31", "1950-04-30T00:00:00Z"]),
            (
                Primitive::DateTime,
                &["2026-02", "2026-02-03T04:05:06+09:00"],
                &["2026-02-03T04:05Z", "2026-02-03T04:05:06"],
            ),
            (Primitive::Instant, &["2026-02-03T04:05:06.789Z"], &["2026-02-03"]),
            (Primitive::Uri, &["http://loinc.org", "urn:oid:1.2"], &["", "a b", "a\u{3000}b"]),
            (Primitive::Text, &["全角　空白", "two\nlines"], &["", "bell\u{7}"]),
        ];
        for (primitive, good, bad) in cases {
            for text in *good {
                assert!(primitive.is_valid(text), "{primitive:?} {text}");
            }
            for text in *bad {
                assert!(!primitive.is_valid(text), "{primitive:?} {text}");
            }
        }
    }

    /// FHIR's own regular expressions as the oracle: what they produce is accepted. Base64 and dates
    /// are left out because FHIR's prose is stricter than its expressions (padding, days of a month).
    #[test]
    fn what_fhirs_expressions_allow_is_accepted() {
        use proptest::strategy::{Strategy, ValueTree};
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let table = include_str!("../data/primitives.tsv");
        let mut tried = 0;
        for cells in crate::tables::rows(table) {
            let [name, expression] = cells.as_slice() else { panic!("two cells") };
            if expression.is_empty()
                || expression.contains("\\S")
                || name.contains("ate")
                || *name == "instant"
                || *name == "base64Binary"
                || *name == "code"
            {
                continue;
            }
            tried += 1;
            // Numbers are unbounded in the expressions; FHIR's prose bounds integers to 32 bits.
            let strategy = proptest::string::string_regex(expression).unwrap();
            for _ in 0..200 {
                let text = strategy.new_tree(&mut runner).unwrap().current();
                let bounded = text.len() < 10 || !["integer", "positiveInt", "unsignedInt"].contains(name);
                if bounded && text.len() <= 64 && text != "-0" {
                    assert!(Primitive::named(name).unwrap().is_valid(&text), "{name} {text}");
                }
            }
        }
        assert!(tried >= 8, "{tried}");
    }
}
