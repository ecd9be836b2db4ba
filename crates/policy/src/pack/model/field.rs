//! Fields of registers, forms and steps.

use super::Period;
use crate::text::Text;

/// A field of a register, of a procedure's form or of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub code: String,
    pub name: Text,
    pub help: Option<Text>,
    pub kind: FieldType,
    /// Must be filled in, when it is asked for at all.
    pub required: bool,
    /// Holds a list.
    pub many: bool,
    /// Asked for and required only when another field of the same form holds one of these.
    pub when: Option<Condition>,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldType {
    /// One line of at most so many characters.
    Text {
        most: u32,
    },
    /// Several lines of at most so many characters in all.
    LongText {
        most: u32,
    },
    /// A decimal number.
    Number {
        /// Bounds, both inclusive.
        least: Option<i64>,
        most: Option<i64>,
        /// Greatest number of digits after the point, 0 to 6; 0: whole numbers only.
        decimals: u8,
        unit: Option<Text>,
    },
    /// A day in Japan.
    Date,
    /// A time of day in Japan.
    Time,
    /// A day and time in Japan.
    DateTime,
    /// One of some choices; [`crate::Pack::choices`] tells them.
    Choice(Choices),
    YesNo,
    /// A user of the system.
    Person,
    Institution,
    /// A person whom records are about.
    Subject,
    /// An entry of any register with `assets`.
    Asset,
    /// An entry of the register with this code.
    Entry {
        register: String,
    },
    /// An attachment.
    File,
    /// Computed from other fields of the same form, never typed.
    Derived(Derivation),
}

impl FieldType {
    /// The word that packs write for it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::LongText { .. } => "long-text",
            Self::Number { .. } => "number",
            Self::Date => "date",
            Self::Time => "time",
            Self::DateTime => "date-time",
            Self::Choice(_) => "choice",
            Self::YesNo => "yes-no",
            Self::Person => "person",
            Self::Institution => "institution",
            Self::Subject => "subject",
            Self::Asset => "asset",
            Self::Entry { .. } => "entry",
            Self::File => "file",
            Self::Derived(_) => "derived",
        }
    }
}

/// Where a field's choices come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choices {
    Listed(Vec<Choice>),
    /// The levels of the classification axis with this code.
    Classification(String),
    /// The levels of incidents.
    Incidents,
    /// The roles of the pack that are not outside.
    Roles,
}

/// One of a field's choices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub code: String,
    pub name: Text,
}

/// How a `derived` field is computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Derivation {
    /// A date or time field, a period later.
    Add { from: String, period: Period },
    /// Whole days from one date or time field to another.
    Days { from: String, until: String },
}

/// Holds when a field has one of these values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// A `choice` or `yes-no` field: of the register or form (`step` is none), or of a step. What a
    /// step's field depends on in its own step names that step.
    pub field: super::FieldReference,
    /// Codes of choices; `yes` or `no` for a `yes-no` field. Never empty.
    pub is: Vec<String>,
}
