//! Periodic duties (定期業務) and documents that must be there and be current.

use super::Who;
use crate::pack::recurrence::Recurrence;
use crate::text::Text;

/// 定期業務: what must be done by when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    pub code: String,
    pub name: Text,
    pub help: Option<Text>,
    /// Ids of the clauses it answers.
    pub clauses: Vec<String>,
    /// Who sees to it; never empty.
    pub owner: Vec<Who>,
    /// When it opens; none while its parameter has no value yet.
    pub rule: Option<Recurrence>,
    /// The parameter that holds the rule, when the pack leaves it open.
    pub rule_parameter: Option<String>,
    /// Due so many days after it opens.
    pub within_days: u32,
    /// Reminders, so many days before it is due.
    pub remind_days: Vec<u32>,
    pub period: PeriodSource,
    pub proof: Proof,
}

super::words! {
    /// Where a period's number comes from.
    PeriodSource {
        /// The rules state it.
        Stated = "stated",
        /// The rules give no number: ours, may be changed.
        Chosen = "chosen",
    }

    /// What a document is.
    DocumentKind {
        Policy = "policy",
        Plan = "plan",
        Rule = "rule",
        Manual = "manual",
        Contract = "contract",
        Diagram = "diagram",
        Form = "form",
        Notice = "notice",
    }
}

/// What shows that a duty was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// A procedure of this code, finished.
    Procedure(String),
    /// A new entry of the register.
    Register(String),
    /// A review of the register.
    Review(String),
    /// A new version of the document, or its review.
    Document(String),
    Attestation(String),
    /// A job of the program that ended well.
    Job(String),
}

/// A policy, plan or rule that must exist, be current and be acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    pub code: String,
    pub name: Text,
    pub help: Option<Text>,
    /// Ids of the clauses it answers.
    pub clauses: Vec<String>,
    pub kind: DocumentKind,
    /// Who keeps it current; never empty.
    pub owner: Vec<Who>,
    /// Months after which it must be looked at again; none: no period.
    pub review_months: Option<u32>,
    /// Who may read it.
    pub posted: Vec<Who>,
    /// Who must say that they read it.
    pub acknowledged_by: Vec<Who>,
    /// Days within which they must.
    pub within_days: Option<u32>,
}
