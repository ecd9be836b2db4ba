//! What a pack's objects are, once checked: read by the engines that run them.
//!
//! `docs/packs.md` is the format they are written in. Every object has a `code`, unique within its
//! kind, a name in both languages, and the ids of the clauses it answers. References between objects
//! (roles, registers, fields ...) were checked when the pack was loaded.

mod catalogue;
mod classification;
mod control;
mod duty;
mod effect;
mod field;
mod note;
mod period;
mod place;
mod procedure;
mod register;

use std::fmt;

use mimamori_domain::RoleCode;

pub use catalogue::{Catalogue, Chapter, Clause, ClauseScope, How};
pub use classification::{ClassificationAxis, ClassificationLevel, IncidentLevel, Restriction};
pub use control::{Attestation, CHECKS, Disclosure, Informative, Measure};
pub use duty::{Document, DocumentKind, PeriodSource, Proof, Schedule};
pub use effect::{Effect, EffectKind, FieldReference, Source};
pub use field::{Choice, Choices, Condition, Derivation, Field, FieldType};
pub use note::NoteTemplate;
pub use period::Period;
pub use place::{SignInGroup, System, Unit, Wording};
pub use procedure::{
    Committee, Emergency, Majority, Of, PrintLayout, Procedure, ProcedureKind, Step, StepKind, StepRule,
};
pub use register::{Per, Records, Register, Retention, Review};

use crate::text::{Language, Text};

/// Somebody a rule speaks of: holders of a role, or people without an appointment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// Whoever holds the role.
    Role(RoleCode),
    /// Every staff member.
    Anyone,
    /// Every citizen user.
    Citizen,
    /// Whoever applied; in procedures only.
    Applicant,
}

impl Who {
    /// As packs write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Role(code) => code.as_str(),
            Self::Anyone => "anyone",
            Self::Citizen => "citizen",
            Self::Applicant => "applicant",
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A kind of object that a pack holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    Parameter,
    Zone,
    Role,
    Occupation,
    Group,
    Class,
    Thing,
    Register,
    Procedure,
    Schedule,
    Document,
    Classification,
    /// One level of a classification; its code is `axis.level`.
    Level,
    Incident,
    Measure,
    Attestation,
    Disclosure,
    /// Clauses that ask for nothing. They have no code of their own: the first clause's id stands for it.
    Informative,
    Catalogue,
    Clause,
    Unit,
    System,
    Wording,
    /// A group of the identity provider.
    SignInGroup,
    /// A way of beginning a note.
    NoteTemplate,
}

/// Kind, and its name in packs, messages and answers of the command line.
const KINDS: &[(ObjectKind, &str)] = &[
    (ObjectKind::Parameter, "parameter"),
    (ObjectKind::Zone, "zone"),
    (ObjectKind::Role, "role"),
    (ObjectKind::Occupation, "occupation"),
    (ObjectKind::Group, "group"),
    (ObjectKind::Class, "class"),
    (ObjectKind::Thing, "thing"),
    (ObjectKind::Register, "register"),
    (ObjectKind::Procedure, "procedure"),
    (ObjectKind::Schedule, "schedule"),
    (ObjectKind::Document, "document"),
    (ObjectKind::Classification, "classification"),
    (ObjectKind::Level, "level"),
    (ObjectKind::Incident, "incident"),
    (ObjectKind::Measure, "measure"),
    (ObjectKind::Attestation, "attestation"),
    (ObjectKind::Disclosure, "disclosure"),
    (ObjectKind::Informative, "informative"),
    (ObjectKind::Catalogue, "catalogue"),
    (ObjectKind::Clause, "clause"),
    (ObjectKind::Unit, "unit"),
    (ObjectKind::System, "system"),
    (ObjectKind::Wording, "wording"),
    (ObjectKind::SignInGroup, "sign-in-group"),
    (ObjectKind::NoteTemplate, "note-template"),
];

impl ObjectKind {
    /// The kind's name, as `leaves-out` writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        KINDS.iter().find(|row| row.0 == self).map_or("", |row| row.1)
    }

    /// The kind with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        KINDS.iter().find(|row| row.1 == name).map(|row| row.0)
    }
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An object that answers a clause.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Answer {
    pub kind: ObjectKind,
    /// The object's code; a parameter's key; `axis.level` for a level of a classification.
    pub code: String,
}

/// Defines enumerations that packs write as one word.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];
            /// The word of each value, in the same order.
            pub const WORDS: &[&str] = &[$($word,)*];

            /// As packs write it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// The value that packs write so.
            #[must_use]
            pub fn named(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == word)
            }
        }

        impl crate::pack::reader::Word for $name {
            fn of(word: &str) -> Option<Self> {
                Self::named(word)
            }

            fn words() -> &'static [&'static str] {
                Self::WORDS
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )*};
}
pub(crate) use words;

macro_rules! named {
    ($($name:ident),* $(,)?) => {$(
        impl $name {
            /// Its name in a language.
            #[must_use]
            pub fn name(&self, language: Language) -> &str {
                self.name.get(language)
            }
        }
    )*};
}
named!(
    Field,
    Choice,
    Register,
    Procedure,
    Step,
    Schedule,
    Document,
    ClassificationAxis,
    ClassificationLevel,
    Restriction,
    IncidentLevel,
    Measure,
    Attestation,
    Disclosure,
    Informative,
    Catalogue,
    Chapter,
    Unit,
    System,
    SignInGroup,
    NoteTemplate,
);

/// A name in one language, as a help where there is one.
#[must_use]
pub(crate) fn help_in(help: Option<&Text>, language: Language) -> Option<&str> {
    help.map(|text| text.get(language))
}

macro_rules! helped {
    ($($name:ident),* $(,)?) => {$(
        impl $name {
            /// Its help in a language, when the pack gives one.
            #[must_use]
            pub fn help(&self, language: Language) -> Option<&str> {
                help_in(self.help.as_ref(), language)
            }
        }
    )*};
}
helped!(
    Field,
    Register,
    Procedure,
    Step,
    Schedule,
    Document,
    ClassificationAxis,
    ClassificationLevel,
    IncidentLevel,
    Measure,
    Attestation,
    Disclosure,
);
