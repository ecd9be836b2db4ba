//! Catalogues of clauses (条項).

use crate::text::{Language, Text};

/// The clauses of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    pub code: String,
    pub name: Text,
    pub chapters: Vec<Chapter>,
    /// In the source's order.
    pub clauses: Vec<Clause>,
}

/// A chapter's title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chapter {
    pub code: String,
    pub name: Text,
}

/// 条項: the smallest numbered piece of a source text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// Catalogue, a dot and the number: `komaki.3-1`.
    pub id: String,
    /// As the source prints it: `第３条`.
    pub reference: String,
    /// What it asks for, in our own words.
    pub text: Text,
    /// What can answer it; never empty.
    pub how: Vec<How>,
    /// Who can make an `enforce` true.
    pub scope: Option<ClauseScope>,
    /// The part of the program it concerns.
    pub module: Option<String>,
}

impl Clause {
    /// The code of its catalogue.
    #[must_use]
    pub fn catalogue(&self) -> &str {
        self.id.split_once('.').map_or("", |(catalogue, _)| catalogue)
    }

    /// The code of its chapter: what stands between the catalogue's name and the first `-`.
    #[must_use]
    pub fn chapter(&self) -> &str {
        let rest = self.id.split_once('.').map_or("", |(_, rest)| rest);
        rest.split('-').next().unwrap_or_default()
    }

    /// What it asks for.
    #[must_use]
    pub fn text(&self, language: Language) -> &str {
        self.text.get(language)
    }
}

super::words! {
    /// What can answer a clause.
    How {
        /// Software or the technical system itself can make it true.
        Enforce = "enforce",
        Register = "register",
        Procedure = "procedure",
        Schedule = "schedule",
        Document = "document",
        /// A fact that somebody attests.
        Attest = "attest",
        /// To be agreed through the disclosure statement.
        Disclose = "disclose",
    }

    /// Who can make it true.
    ClauseScope {
        /// This program, for its own installation.
        Product = "product",
        /// Only other equipment or software.
        OtherSystem = "other_system",
    }
}
