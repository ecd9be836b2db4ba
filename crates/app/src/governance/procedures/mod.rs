//! Procedures (申請・承認・報告): forms that go through the steps the pack gives them.
//!
//! A case is one run of a procedure: an object of the kind `case` whose versions are what happened to
//! it. [`flow`] says where it goes next, [`people`] who may act, [`effects`] what a decision does.

mod account_effects;
mod act;
mod begin;
mod effects;
mod flow;
mod lists;
mod people;
mod returns;
mod view;

use std::collections::BTreeMap;

use mimamori_domain::{ActorId, InstitutionId, Kind, ObjectId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::act::Act;
pub(crate) use self::effects::words;
pub use self::flow::Mark;
pub(crate) use self::lists::Cases;
pub use self::lists::{CaseFilter, CasePage, CaseRow, Inbox, ProcedureSummary};
pub use self::people::How;
pub use self::view::{
    ByHandView, CaseEvent, CaseRights, CaseStage, CaseStep, CaseView, IssuedAccount, StepPerson, StepState,
};
use super::values::{Typed, Values};
use crate::body::Body;
use crate::governance::adoption::Proposed;

/// What procedures are to the policies, and the kind of a case.
pub(crate) const THING: Kind = Kind::of("case");
/// The kind of a task that is to be carried out by hand.
pub(crate) const TASK: Kind = Kind::of("by-hand-task");

/// Longest reason or comment, in characters.
pub(crate) const MOST_TEXT: usize = 2_000;

/// One version of a case, as kept.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Case {
    /// The form.
    pub(crate) values: Values,
    /// What was typed so far, while it is a draft.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) typed: Typed,
    /// Who applied or reported; in a decision, who began it.
    pub(crate) applicant: ActorId,
    /// The applicant's unit (部署) when the form was handed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<String>,
    /// Acted first: the steps are a report.
    #[serde(default)]
    pub(crate) emergency: bool,
    /// Microseconds UTC, as all times here.
    pub(crate) begun: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) submitted: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) finished: Option<i64>,
    /// Hash of the pack whose steps it goes through, in hexadecimal.
    pub(crate) pack: String,
    /// From 1; each handing in again after a return begins another round.
    pub(crate) round: u32,
    pub(crate) stage: Stage,
    /// When each step of this round began.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) entered: BTreeMap<String, i64>,
    /// What the steps of this round filled in, by `step.field`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) filled: Values,
    /// The rules that the form would bring into force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) proposed: Option<Proposed>,
    /// Where the asset in the form belongs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) asset: Option<AssetPlace>,
    /// Everything that happened, in order.
    pub(crate) events: Vec<Event>,
    /// The last approval of this round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) approved: Option<Approval>,
    /// The last approval is behind it, and what it does was done.
    #[serde(default)]
    pub(crate) settled: bool,
    /// Tasks to be carried out by hand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tasks: Vec<ObjectId>,
    /// Accounts that its approval issued.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) made: Vec<ActorId>,
    /// The register and the entry that its end wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) entry: Option<(String, ObjectId)>,
}

impl Body for Case {
    const KIND: Kind = THING;
}

/// Where a case stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Stage {
    Draft,
    /// At the step with this code.
    Step(String),
    /// With the applicant, for correction.
    Returned,
    Finished,
    Refused,
    Withdrawn,
}

/// Where an asset belongs.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct AssetPlace {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) institution: Option<InstitutionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<String>,
    /// Who its register names as its owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) owners: Vec<ActorId>,
}

/// Who decided last.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Approval {
    pub(crate) by: ActorId,
    pub(crate) at: i64,
}

/// Something that happened to a case.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) at: i64,
    pub(crate) by: ActorId,
    pub(crate) mark: Mark,
    pub(crate) round: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) step: Option<String>,
    /// As what they acted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) how: Option<How>,
    /// The word of the pack that names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) word: Option<String>,
    /// The places of the step that the act fills.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) seats: Vec<String>,
    /// Reason or comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    /// What they filled in.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) values: Values,
}

/// An effect that this version of the program cannot carry out: somebody does it and says so.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct ByHandTask {
    pub(crate) case: ObjectId,
    /// The command's word in packs.
    pub(crate) effect: String,
    /// Its place among the procedure's effects.
    pub(crate) place: usize,
    pub(crate) arguments: BTreeMap<String, Value>,
    /// Whose task it is: words of the pack.
    pub(crate) people: Vec<String>,
    /// The task belongs to the applicant's institution and unit.
    #[serde(default)]
    pub(crate) here: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<String>,
    pub(crate) applicant: ActorId,
    pub(crate) created: i64,
    /// Hash of the pack that its case follows, in hexadecimal.
    pub(crate) pack: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) done: Option<DoneByHand>,
}

impl Body for ByHandTask {
    const KIND: Kind = TASK;
}

/// Somebody says that a task is done.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct DoneByHand {
    pub(crate) by: ActorId,
    pub(crate) at: i64,
    pub(crate) note: String,
}
