//! Registers (台帳).

use std::collections::BTreeMap;

use super::{Field, Source, Who};
use crate::pack::recurrence::Recurrence;
use crate::text::Text;

/// 台帳: a list that the rules demand be kept. Entries are never overwritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    pub code: String,
    pub name: Text,
    pub help: Option<Text>,
    /// Ids of the clauses it answers.
    pub clauses: Vec<String>,
    /// Answers for it: adds, amends, reviews.
    pub keeper: Vec<Who>,
    /// May add entries besides the keeper.
    pub writers: Vec<Who>,
    /// May read besides the keeper; writers read what they wrote.
    pub readers: Vec<Who>,
    /// Whose entries a scoped role sees.
    pub per: Per,
    /// How long an entry is kept; none: for as long as the installation lives.
    pub retention: Option<Retention>,
    /// Its entries are what an `asset` field chooses from.
    pub assets: bool,
    /// Code of the `person` field that says who has what an entry is about: what somebody who leaves must
    /// return.
    pub held_by: Option<String>,
    /// Code of the field that holds something once it was returned.
    pub returned: Option<String>,
    /// Codes of the `date` fields that say from and until which day an entry stands on the first page of
    /// everybody who reads the register.
    pub shown: Option<(String, String)>,
    /// Codes of the fields that make an entry's name in lists.
    pub title: Vec<String>,
    pub review: Option<Review>,
    pub fields: Vec<Field>,
}

impl Register {
    /// The field with this code.
    #[must_use]
    pub fn field(&self, code: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.code == code)
    }
}

super::words! {
    /// Whose entries a scoped role sees.
    Per {
        Installation = "installation",
        Institution = "institution",
        Unit = "unit",
    }
}

/// How long something is kept; [`crate::Pack::retention_years`] tells the number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retention {
    Years(u64),
    /// The whole number of years that this parameter holds.
    Parameter(String),
}

/// A periodic look at a whole register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// When it opens.
    pub rule: Recurrence,
    /// Who reviews; never empty.
    pub by: Vec<Who>,
    /// Due so many days after it opens.
    pub within_days: u32,
}

/// The register entry that a finished procedure writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    pub register: String,
    /// Field of the register, and where its value comes from.
    pub fields: BTreeMap<String, Source>,
}
