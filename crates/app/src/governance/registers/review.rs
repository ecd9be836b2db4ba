//! Reviews of a whole register: who looked at it, when, with what finding.

use std::collections::BTreeSet;

use mimamori_domain::{Action, ActorId, InstitutionId, ObjectId, RecordState, Result, Timestamp};
use mimamori_policy::model::{Per, Register};
use serde::{Deserialize, Serialize};

use super::{REVIEW, place_of};
use crate::App;
use crate::body::Body;
use crate::caller::Caller;
use crate::governance::object::{Look, Writing};
use crate::governance::purpose;
use crate::governance::told::Told;
use crate::governance::who::{Reach, Whereabouts};
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
    /// The places whose entries were looked at, by somebody whose appointment reaches no further; none:
    /// the whole register.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) part: Option<BTreeSet<Part>>,
}

/// Where entries belong that somebody looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Part {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) institution: Option<InstitutionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<String>,
}

impl Part {
    fn of(place: Whereabouts) -> Self {
        Self { institution: place.institution, unit: place.unit }
    }

    fn place(&self) -> Whereabouts {
        Whereabouts { institution: self.institution, unit: self.unit.clone(), system: None }
    }
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
    /// All entries were looked at, rather than those of the reviewer's own institution or unit.
    pub whole: bool,
}

impl App {
    /// Whether the pack names the caller to review what belongs there.
    fn may_review(&self, caller: &Caller, register: &Register, reach: Reach<'_>, now: Timestamp) -> bool {
        let reviewers = register.review.as_ref().map(|review| review.by.as_slice()).unwrap_or_default();
        let reach = if register.per == Per::Installation { Reach::Anywhere } else { reach };
        self.register_rights(caller, register, reach, now).keeps
            || caller.named(reviewers, reach, None, now).is_some()
    }

    /// Records that the caller has looked through a register, with what they found. Somebody whose
    /// appointment is for an institution or a unit has looked through that part of it.
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
        let named = self.may_review(&caller, register, Reach::Anywhere, now);
        let decision = self.require_register(&caller, Action::Review, named).await?;
        let finding = finding.trim();
        if (finding.is_empty() && !in_order) || finding.chars().count() > MOST_FINDING {
            return Err(fault(
                "finding",
                "say what was not in order, in at most 4,000 characters",
                "required",
            ));
        }
        let (mut entries, _) = self.governed_list::<super::RegisterEntry>(&register.code).await?;
        let here = |place: &Whereabouts| self.may_review(&caller, register, Reach::Here(place), now);
        // Nowhere is where only an appointment without a scope reaches.
        let part = if here(&Whereabouts::default()) {
            None
        } else {
            entries.retain(|entry| here(&place_of(entry)));
            let own = Some(caller.whereabouts()).filter(&here);
            Some(entries.iter().map(place_of).chain(own).map(Part::of).collect())
        };
        let body = Review {
            by: caller.actor,
            at: now.as_micros(),
            in_order,
            finding: finding.to_owned(),
            entries: entries.len() as u64,
            part,
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

    /// The reviews of a register that the caller may know, newest first: of what they may read or review.
    /// Who only adds entries does not see what was found.
    ///
    /// # Errors
    /// Not found, forbidden, unavailable.
    pub async fn register_reviews(&self, caller: &Caller, register: &str) -> Result<Vec<RegisterReview>> {
        let caller = purpose(caller);
        let register = self.register_of(register)?;
        let now = self.clock.now();
        let knows = |reach: Reach<'_>| {
            self.register_rights(&caller, register, reach, now).reads
                || self.may_review(&caller, register, reach, now)
        };
        let decision = self.require_register(&caller, Action::Read, knows(Reach::Anywhere)).await?;
        let all = self.oversees(&caller, Action::Read, now) || knows(Reach::Here(&Whereabouts::default()));
        let mut reviews = Vec::new();
        for review in self.governed_list::<Review>(&register.code).await?.0 {
            let part = review.body.part.as_ref();
            let within = part.is_some_and(|part| part.iter().all(|part| knows(Reach::Here(&part.place()))));
            if !(all || within || review.body.by == caller.actor) {
                continue;
            }
            reviews.push(RegisterReview {
                id: review.object,
                by: self.name_of(Some(review.body.by)).await?,
                at: crate::body::time(review.body.at),
                in_order: review.body.in_order,
                finding: review.body.finding,
                entries: review.body.entries,
                whole: part.is_none(),
            });
        }
        self.note_look(
            &caller,
            &decision,
            Look::at(Action::Read, REVIEW).count(reviews.len()).stated(register.code.as_str()),
        )
        .await?;
        Ok(reviews)
    }

    /// When, within a window, a register had been looked through, earliest first: as a whole, or in
    /// parts that together hold every entry there was when that round began.
    pub(crate) async fn reviewed_between(
        &self,
        told: &Told,
        code: &str,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<(Timestamp, ObjectId)>> {
        let newest_first = told.reviews(self, code).await?;
        let mut done = Vec::new();
        let mut round = from;
        let mut missing: Option<BTreeSet<Part>> = None;
        for review in newest_first.iter().rev() {
            let at = crate::body::time(review.body.at);
            if at < from || until <= at {
                continue;
            }
            if let Some(part) = &review.body.part {
                let mut left = match missing.take() {
                    Some(left) => left,
                    None => self.parts_of(code, round).await?,
                };
                left.retain(|place| !part.contains(place));
                if !left.is_empty() {
                    missing = Some(left);
                    continue;
                }
            }
            missing = None;
            round = at;
            done.push((at, review.object));
        }
        Ok(done)
    }

    /// The places that a register's entries belong to, of those entered before a time.
    async fn parts_of(&self, code: &str, before: Timestamp) -> Result<BTreeSet<Part>> {
        let (entries, _) = self.governed_list::<super::RegisterEntry>(code).await?;
        let old = entries.iter().filter(|entry| entry.body.entered_at < before.as_micros());
        Ok(old.map(|entry| Part::of(place_of(entry))).collect())
    }
}
