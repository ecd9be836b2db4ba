//! What is wrong with what was received, in the words of FHIR's OperationOutcome.
//!
//! `diagnostics` goes back to whoever sent the content. It names the place and the rule and never
//! repeats a value, so that an issue may be logged without personal data.

use std::fmt;

/// How bad an issue is (FHIR R4 value set `issue-severity`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Information,
    Warning,
    Error,
    /// Nothing of the content could be read.
    Fatal,
}

impl Severity {
    /// FHIR's code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Information => "information",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

macro_rules! issue_codes {
    ($($name:ident = $text:literal,)*) => {
        /// What sort of issue (FHIR R4 value set `issue-type`).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum IssueCode { $($name,)* }

        impl IssueCode {
            /// Every code, in FHIR's order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// FHIR's code.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

issue_codes! {
    Invalid = "invalid",
    Structure = "structure",
    Required = "required",
    Value = "value",
    Invariant = "invariant",
    Security = "security",
    Login = "login",
    Unknown = "unknown",
    Expired = "expired",
    Forbidden = "forbidden",
    Suppressed = "suppressed",
    Processing = "processing",
    NotSupported = "not-supported",
    Duplicate = "duplicate",
    MultipleMatches = "multiple-matches",
    NotFound = "not-found",
    Deleted = "deleted",
    TooLong = "too-long",
    CodeInvalid = "code-invalid",
    Extension = "extension",
    TooCostly = "too-costly",
    BusinessRule = "business-rule",
    Conflict = "conflict",
    Transient = "transient",
    LockError = "lock-error",
    NoStore = "no-store",
    Exception = "exception",
    Timeout = "timeout",
    Incomplete = "incomplete",
    Throttled = "throttled",
    Informational = "informational",
}

/// A place in the received bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Bytes before it.
    pub byte: usize,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
}

impl Position {
    /// The position of a byte offset in a text.
    #[must_use]
    pub fn of(bytes: &[u8], byte: usize) -> Self {
        let before = bytes.get(..byte).unwrap_or(bytes);
        let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let in_line = before.get(line_start..).unwrap_or_default();
        // Characters are counted by their first byte (UTF-8 continuation bytes are 10xxxxxx).
        let column = in_line.iter().filter(|b| **b & 0xC0 != 0x80).count() + 1;
        Self { byte, line, column }
    }
}

/// One thing that is wrong, or worth telling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    pub severity: Severity,
    pub code: IssueCode,
    /// Where, as a FHIRPath: `Observation.value.ofType(Quantity).value`, `Patient.name[0].given[1]`.
    pub expression: Option<String>,
    /// What is expected, in English; never a value from the content.
    pub diagnostics: String,
    /// Where in the bytes, for errors of syntax.
    pub position: Option<Position>,
}

impl Issue {
    /// An error that has no place in a resource.
    #[must_use]
    pub fn error(code: IssueCode, diagnostics: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            expression: None,
            diagnostics: diagnostics.into(),
            position: None,
        }
    }

    /// A warning: the request was answered all the same.
    #[must_use]
    pub fn warning(code: IssueCode, diagnostics: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, diagnostics) }
    }

    /// The same issue at a place in a resource.
    #[must_use]
    pub fn at(mut self, expression: impl Into<String>) -> Self {
        self.expression = Some(expression.into());
        self
    }

    /// An error of syntax at a byte.
    pub(crate) fn syntax(bytes: &[u8], byte: usize, code: IssueCode, diagnostics: impl Into<String>) -> Self {
        Self {
            severity: Severity::Fatal,
            position: Some(Position::of(bytes, byte)),
            ..Self::error(code, diagnostics)
        }
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.severity.as_str(), self.code.as_str())?;
        if let Some(expression) = &self.expression {
            write!(f, " at {expression}")?;
        }
        if let Some(position) = &self.position {
            write!(f, " at line {}, column {}", position.line, position.column)?;
        }
        write!(f, ": {}", self.diagnostics)
    }
}

impl std::error::Error for Issue {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters() {
        let text = "{\n \"名\": x".as_bytes();
        let at = text.iter().position(|b| *b == b'x').unwrap();
        assert_eq!(Position::of(text, at), Position { byte: at, line: 2, column: 7 });
        assert_eq!(Position::of(text, 0), Position { byte: 0, line: 1, column: 1 });
        assert_eq!(Position::of(text, 999).line, 2);
    }
}
