//! Classification of information assets, and levels of incidents.

use super::{Period, Who};
use crate::text::Text;

/// An axis by which assets are classified: confidentiality, integrity, availability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassificationAxis {
    pub code: String,
    pub name: Text,
    pub help: Option<Text>,
    pub clauses: Vec<String>,
    /// In the pack's order; never empty.
    pub levels: Vec<ClassificationLevel>,
}

/// One level of an axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassificationLevel {
    pub code: String,
    pub name: Text,
    pub help: Option<Text>,
    pub clauses: Vec<String>,
    pub restrictions: Vec<Restriction>,
}

/// A handling restriction (取扱制限).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restriction {
    pub code: String,
    pub name: Text,
    pub clauses: Vec<String>,
}

/// How serious an incident is, and what that demands. Packs list them least serious first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentLevel {
    pub code: String,
    pub name: Text,
    pub help: Option<Text>,
    pub clauses: Vec<String>,
    pub demands: Vec<Text>,
    /// The procedure by which it is reported.
    pub procedure: Option<String>,
    /// Who is told.
    pub tell: Vec<Who>,
    /// How soon they are told.
    pub within: Option<Period>,
}
