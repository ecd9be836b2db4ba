//! How errors are told.
//!
//! - [`ErrorKind`] says what sort of failure it is; the edge maps it to a status and a page.
//! - `message` is for the person who asked: what to do next, never what an attacker could use, and
//!   never personal data. It may name the place in what the person sent.
//! - `detail` is for the operator's log: causes and codes, never personal data, never shown.

use std::fmt;

/// What sort of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// What was sent breaks a rule; nothing was changed.
    Invalid,
    /// Nobody is signed in, or the sign-in is over.
    Unauthenticated,
    /// Not permitted. Whether the thing exists is not told.
    Forbidden,
    /// There is no such thing, or its existence may not be told.
    NotFound,
    /// It was there and is no longer (withdrawn, erased).
    Gone,
    /// Somebody else changed it meanwhile, or the stated version is not the current one.
    Conflict,
    /// Too much at once: ask again later.
    Busy,
    /// More than a limit allows.
    TooLarge,
    /// The system cannot answer safely now (ledger, database, disk or key missing): it refuses.
    Unavailable,
    /// A fault of the program.
    Internal,
}

/// A failure, told to the person and to the operator apart.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    detail: Option<String>,
    faults: Vec<Fault>,
}

/// One thing that is wrong in what was sent: where, and which rule it breaks. The rule may be told
/// to the person; it never repeats content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// A FHIRPath expression, a line and column, a field's name.
    pub place: String,
    /// What is wrong there.
    pub rule: String,
    /// The FHIR issue type (`structure`, `required`, `value` ...), where the fault has one.
    pub code: &'static str,
}

/// A result with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), detail: None, faults: Vec::new() }
    }

    /// Adds what the operator's log should know.
    #[must_use]
    pub fn with_detail(mut self, detail: impl fmt::Display) -> Self {
        self.detail = Some(detail.to_string());
        self
    }

    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// What was sent breaks these rules at these places.
    #[must_use]
    pub fn invalid_at(message: impl Into<String>, faults: Vec<Fault>) -> Self {
        Self { faults, ..Self::new(ErrorKind::Invalid, message) }
    }

    /// The places and rules, for [`ErrorKind::Invalid`].
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    #[must_use]
    pub fn forbidden() -> Self {
        Self::new(ErrorKind::Forbidden, "not permitted")
    }

    #[must_use]
    pub fn not_found() -> Self {
        Self::new(ErrorKind::NotFound, "not found")
    }

    #[must_use]
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    #[must_use]
    pub fn unavailable(detail: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Unavailable, "the system cannot answer safely now; please try again shortly")
            .with_detail(detail)
    }

    #[must_use]
    pub fn internal(detail: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Internal, "something went wrong on our side; nothing was changed")
            .with_detail(detail)
    }

    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// For the person who asked.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// For the operator's log.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.detail {
            Some(detail) => write!(f, " ({detail})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
