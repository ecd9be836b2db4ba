//! Procedures (申請・承認・報告).

use super::{Condition, Effect, Field, FieldReference, Period, Records, Retention, Who};
use crate::text::Text;

/// A form with an ordered chain of steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Procedure {
    pub code: String,
    pub name: Text,
    pub help: Option<Text>,
    /// Ids of the clauses it answers.
    pub clauses: Vec<String>,
    pub kind: ProcedureKind,
    /// Who may apply or report; empty for a decision, which the first step's people begin.
    pub applicants: Vec<Who>,
    /// The form.
    pub fields: Vec<Field>,
    /// How the form is printed where the rules give an official one.
    pub print: Option<PrintLayout>,
    /// In order; never empty.
    pub steps: Vec<Step>,
    /// The person field of the form that names who leaves: what they have yet to return is shown.
    pub leaver: Option<String>,
    /// Who may act first and report afterwards.
    pub emergency: Option<Emergency>,
    /// Done once, after the last approval, in one transaction with it.
    pub effects: Vec<Effect>,
    /// The register entry that a finished procedure writes.
    pub records: Option<Records>,
    pub retention: Option<Retention>,
}

impl Procedure {
    /// The form's field with this code.
    #[must_use]
    pub fn field(&self, code: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.code == code)
    }

    /// The step with this code.
    #[must_use]
    pub fn step(&self, code: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.code == code)
    }

    /// A field of the form or of a step.
    #[must_use]
    pub fn field_at(&self, reference: &FieldReference) -> Option<&Field> {
        match &reference.step {
            Some(step) => self.step(step)?.fields.iter().find(|field| field.code == reference.field),
            None => self.field(&reference.field),
        }
    }
}

super::words! {
    /// What a procedure is.
    ProcedureKind {
        Application = "application",
        Report = "report",
        /// Nobody applies: begun by the first step's people.
        Decision = "decision",
    }

    /// What a step's people do.
    StepKind {
        /// May return the form for correction, refuse it or pass it.
        Review = "review",
        /// As a review, and what the effects wait for.
        Approve = "approve",
        /// Work that somebody says is done.
        CarryOut = "carry-out",
        /// A report that somebody says is made.
        Report = "report",
        /// Wants a mark that those in `to` were told.
        Inform = "inform",
    }

    /// Whose holder of a scoped role a step is for.
    Of {
        /// Anybody who holds the role.
        Installation = "installation",
        ApplicantInstitution = "applicant-institution",
        ApplicantUnit = "applicant-unit",
        AssetUnit = "asset-unit",
        /// The owner of the asset in the form.
        AssetOwner = "asset-owner",
    }

    /// How many of a committee must agree.
    Majority {
        /// More than half of those who vote.
        Half = "half",
        TwoThirds = "two-thirds",
        All = "all",
    }
}

/// One step of a procedure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub code: String,
    pub name: Text,
    pub help: Option<Text>,
    pub kind: StepKind,
    /// Who acts. Empty only when `person` names somebody.
    pub by: Vec<Who>,
    /// The person whom this `person` field of the form names acts.
    pub person: Option<FieldReference>,
    pub of: Of,
    pub rule: StepRule,
    /// Who is told when the step is done; outside roles too.
    pub to: Vec<Who>,
    /// Otherwise the step is passed over.
    pub when: Option<Condition>,
    /// From when the step begins.
    pub deadline: Option<Period>,
    /// What this step fills in.
    pub fields: Vec<Field>,
    /// Who decides where only the applicant could; empty: who appoints the role.
    pub passes_to: Vec<Who>,
    /// Who may act instead.
    pub delegates: Vec<Who>,
}

impl Step {
    /// Whether the step decides: nobody takes part in it for what they applied for.
    #[must_use]
    pub const fn decides(&self) -> bool {
        matches!(self.kind, StepKind::Review | StepKind::Approve)
    }
}

/// How many must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepRule {
    One,
    /// One holder of each role named.
    All,
    Committee(Committee),
}

/// A resolution of several people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committee {
    /// Fewest people who must vote; at least 2.
    pub least: u32,
    pub majority: Majority,
}

/// Act first; the steps follow afterwards as a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emergency {
    /// Who may; never empty.
    pub by: Vec<Who>,
    pub report_within: Period,
}

/// An official form's A4 page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrintLayout {
    /// The form's number as its rules print it: `様式第1`.
    pub number: Option<String>,
    /// The heading; the procedure's name when the pack gives none.
    pub title: Text,
    /// Whom it is addressed to.
    pub to: Option<Text>,
    /// Fields side by side, row by row.
    pub rows: Vec<Vec<FieldReference>>,
}
