//! Reviews of a whole register: who looked at it, when, with what finding.

use mimamori_domain::{Action, ActorId, ObjectId, RecordState, Result, Timestamp};
use mimamori_policy::model::Register;
use mimamori_store::Unit;
use serde::{Deserialize, Serialize};

use super::REVIEW;
use crate::App;
use crate::access::{Settled, decided, kept_changing};
use crate::body::Body;
use crate::caller::Caller;
use crate::governance::object::Writing;
use crate::governance::purpose;
use crate::governance::who::Reach;
use crate::record::fault;

/// Longest finding, in characters.
const MOST_FINDING: usize = 4_000;

/// A review, as kept.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Review {
    pub(crate) by: ActorId,
    /// Microseconds UTC.
    pub(crate) at: i64,
    /// Whether everything was in order.
    pub(crate) in_order: bool,
    pub(crate) finding: String,
    /// How many entries there were.
    pub(crate) entries: u64,
}

impl Body for Review {
    const KIND: mimamori_domain::Kind = REVIEW;
}

/// A review, as shown.
#[derive(Debug, Clone)]
pub struct RegisterReview {
    pub id: ObjectId,
    pub by: String,
    pub at: Timestamp,
    pub in_order: bool,
    pub finding: String,
    /// How many entries there were.
    pub entries: u64,
}

impl App {
    fn may_review(&self, caller: &Caller, register: &Register, now: Timestamp) -> bool {
        let reviewers = register.review.as_ref().map(|review| review.by.as_slice()).unwrap_or_default();
        self.register_rights(caller, register, Reach::Anywhere, now).keeps
            || caller.named(reviewers, Reach::Anywhere, None, now).is_some()
    }

    /// Records that the caller has looked through a register, with what they found.
    ///
    /// # Errors
    /// Invalid when something was not in order and no finding is stated; forbidden; unavailable.
    pub async fn review_register(
        &self,
        caller: &Caller,
        register: &str,
        in_order: bool,
        finding: &str,
    ) -> Result<ObjectId> {
        let caller = purpose(caller);
        let register = self.register_of(register)?;
        let now = self.clock.now();
        let named = self.may_review(&caller, register, now);
        let decision = self.require_register(&caller, Action::Review, named).await?;
        let finding = finding.trim();
        if (finding.is_empty() && !in_order) || finding.chars().count() > MOST_FINDING {
            return Err(fault(
                "finding",
                "say what was not in order, in at most 4,000 characters",
                "required",
            ));
        }
        let (entries, _) = self.governed_list::<super::RegisterEntry>(&register.code).await?;
        let body = Review {
            by: caller.actor,
            at: now.as_micros(),
            in_order,
            finding: finding.to_owned(),
            entries: entries.len() as u64,
        };
        let object = ObjectId::random();
        let writing = Writing {
            object,
            follows: 0,
            code: &register.code,
            state: RecordState::Confirmed,
            institution: None,
            sorted: now,
            body: &body,
        };
        self.keep_governed(&caller, &decision, Action::Review, &writing, None).await?;
        Ok(object)
    }

    /// The reviews of a register, newest first.
    ///
    /// # Errors
    /// Not found, forbidden, unavailable.
    pub async fn register_reviews(&self, caller: &Caller, register: &str) -> Result<Vec<RegisterReview>> {
        let caller = purpose(caller);
        let register = self.register_of(register)?;
        let now = self.clock.now();
        let rights = self.register_rights(&caller, register, Reach::Anywhere, now);
        let named = rights.reads || rights.adds || self.may_review(&caller, register, now);
        let decision = self.require_register(&caller, Action::Read, named).await?;
        let mut reviews = Vec::new();
        for review in self.governed_list::<Review>(&register.code).await?.0 {
            reviews.push(RegisterReview {
                id: review.object,
                by: self.name_of(Some(review.body.by)).await?,
                at: crate::body::time(review.body.at),
                in_order: review.body.in_order,
                finding: review.body.finding,
                entries: review.body.entries,
            });
        }
        let unit = Unit::new();
        let mut line = decided(caller.entry(unit.id, Action::Read), &decision);
        line.resource = Some((REVIEW, None));
        line.count = reviews.len() as u64;
        let line = self.with_sealed(&caller, line, 0, Some(&register.code))?;
        match self.settle(&caller, unit.entry(line)).await? {
            Settled::Done => Ok(reviews),
            Settled::Again => Err(kept_changing()),
        }
    }
}
