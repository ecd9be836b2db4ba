//! The steps of a record's life after its first version: changed, confirmed, withdrawn, discarded.
//!
//! Nothing confirmed is ever overwritten (invariant 3): every step adds a version, and the ledger
//! entry of the step commits to it.

use bytes::Bytes;
use mimamori_domain::{
    AccessLabel, Action, ActorId, Amended, Authorship, AwaitingConfirmation, ClassCode, Confirmed, Draft,
    Error, Finished, Kind, ObjectId, RecordState, Result, Stage as _, SubjectId, Withdrawn,
};
use mimamori_fhir::Resource;
use mimamori_store::{AccessKey, Change, ObjectVersion, Unit};

use super::files::RecordFile;
use super::index::sort_time;
use super::read::{authorship_of, label_of, stored, subject_of};
use super::version::{NewVersion, advance};
use super::write::{checked, decides, fault, named_subject, stated_reason};
use crate::access::{ATTEMPTS, Settled, decided, kept_changing};
use crate::body::kind;
use crate::caller::Caller;
use crate::context::open_with;
use crate::{App, Stored, sql};

/// All that the last version of a discarded draft says.
const DISCARDED: &[u8] = br#"{"v":1,"discarded":true}"#;

/// What the entry of a discarded draft states.
const DISCARDED_BY_AUTHOR: &str = "draft discarded by its author";

impl App {
    /// Changes a record: a draft is edited, a confirmed record is amended. `expected_version` is
    /// the version the change was made from.
    ///
    /// # Errors
    /// Conflict when it is no longer the current one; else as [`App::create`].
    pub async fn update(
        &self,
        caller: &Caller,
        kind: &Kind,
        id: ObjectId,
        bytes: Bytes,
        expected_version: u64,
    ) -> Result<Stored> {
        self.change(caller, kind, id, (bytes, &[]), expected_version).await
    }

    pub(super) async fn change(
        &self,
        caller: &Caller,
        kind: &Kind,
        id: ObjectId,
        (bytes, files): (Bytes, &[RecordFile]),
        expected_version: u64,
    ) -> Result<Stored> {
        let resource = checked(&bytes)?;
        if resource.resource_type() != kind.as_str() {
            return Err(fault("resourceType", "the resource is not of the type in the address", "invalid"));
        }
        if !mimamori_fhir::is_in_compartment(kind.as_str()) {
            return self.update_master(caller, kind, id, bytes, expected_version).await;
        }
        let class = mimamori_fhir::information_class(&resource);
        let named = if *kind == kind::PATIENT { SubjectId::from(id) } else { named_subject(&resource)? };
        let step = Step::Change { resource: &resource, bytes: &bytes, files, class, named };
        self.step(caller, kind, id, expected_version, step).await
    }

    /// Confirms a draft, or what was entered on the caller's behalf.
    ///
    /// # Errors
    /// As [`App::update`].
    pub async fn confirm(
        &self,
        caller: &Caller,
        kind: &Kind,
        id: ObjectId,
        expected_version: u64,
    ) -> Result<Stored> {
        self.step(caller, kind, id, expected_version, Step::Confirm).await
    }

    /// Withdraws what was confirmed; its versions stay. The reason goes sealed into the ledger.
    ///
    /// # Errors
    /// Invalid without a reason; conflict for what was never confirmed: its author discards that,
    /// see [`App::discard_record`]; else as [`App::update`].
    pub async fn withdraw(
        &self,
        caller: &Caller,
        kind: &Kind,
        id: ObjectId,
        expected_version: u64,
        reason: &str,
    ) -> Result<Stored> {
        let reason = stated_reason(reason)?;
        self.step(caller, kind, id, expected_version, Step::Withdraw { reason }).await
    }

    /// Throws away what was never confirmed: a draft, or what still awaits confirmation. Only its
    /// author may. The version this adds says no more than that; no institution answers for it, so
    /// it has no access label and nobody lists, finds or reads the record any more. Gives whose
    /// record it was in.
    ///
    /// # Errors
    /// As [`App::update`].
    pub async fn discard_record(
        &self,
        caller: &Caller,
        kind: &Kind,
        id: ObjectId,
        expected_version: u64,
    ) -> Result<SubjectId> {
        let discarded = self.step(caller, kind, id, expected_version, Step::Discard).await?;
        discarded.subject.ok_or_else(Error::not_found)
    }

    /// Adds a version to a record.
    async fn step(
        &self,
        caller: &Caller,
        kind: &Kind,
        id: ObjectId,
        expected_version: u64,
        step: Step<'_>,
    ) -> Result<Stored> {
        for _ in 0..ATTEMPTS {
            let Some(current) = self.current(id).await?.filter(|version| version.kind == *kind) else {
                return Err(Error::not_found());
            };
            let subject = subject_of(&current)?;
            let context = self.subject_context(subject).await?;
            let now = self.clock.now();
            let old_label = label_of(&current)?;
            // That a step is not possible is told to nobody who may not even see the record.
            let (action, next) = match step.next(&current, caller.actor) {
                Ok((action, next)) => (action, Ok(next)),
                Err(error) => (Action::Read, Err(error)),
            };
            let authorship = authorship_of(&current);
            let decision = self.decide(caller, action, &context, &old_label, authorship.as_ref(), now);
            let permitted = decision.allowed && step.is_open_to(&current, caller.actor);
            if !permitted || !caller.facts.scopes_cover(kind, true) {
                let resource = Some((kind.clone(), Some(id)));
                return Err(self.refuse(caller, action, Some(subject), resource, &decision).await);
            }
            let next = next?;
            if current.version != expected_version {
                return Err(Error::conflict(
                    "somebody else changed this meanwhile; open it again and repeat your change",
                ));
            }
            let (plain, class, values) = match &step {
                Step::Change { resource, bytes, class, named, .. } => {
                    if *named != subject {
                        return Err(fault(
                            "subject",
                            "a record cannot move to another person",
                            "business-rule",
                        ));
                    }
                    ((*bytes).clone(), class.clone(), Some(mimamori_fhir::search_values(resource)))
                }
                Step::Confirm | Step::Withdraw { .. } => {
                    let plain = open_with(&context.keys, &current)?;
                    (Bytes::copy_from_slice(&plain), old_label.class.clone(), None)
                }
                Step::Discard => (Bytes::from_static(DISCARDED), old_label.class.clone(), None),
            };
            let label = AccessLabel { class, state: next, institution: old_label.institution };
            let mut unit = Unit::new();
            unit.guards.push(context.guard());
            let confirms = matches!(next, RecordState::Confirmed | RecordState::Amended);
            let version = NewVersion {
                object: id,
                version: current.version + 1,
                kind: kind.clone(),
                label: label.clone(),
                author: current.author,
                on_behalf: current.on_behalf,
                confirmer: if confirms { Some(caller.actor) } else { current.confirmer },
                plain: &plain,
                pack: caller.pack,
                recorded: now,
            };
            let of = version.record();
            let key = self.writing_key(&context, &label, now, &mut unit)?;
            let mut version = version.seal(&key, Some(subject), unit.id)?;
            version.sort_time = Some(values.as_ref().map_or(now, |values| sort_time(values, now)));
            if matches!(step, Step::Discard) {
                version.institution = None;
                unit.changes.push(Change::any(&sql::DELETE_CLINICAL, vec![subject.into(), id.into()]));
                if *kind == kind::CARE_TEAM || *kind == kind::COMMUNICATION {
                    unit.changes.push(Change::any(&sql::DELETE_LINKS, vec![id.into()]));
                }
            }
            let mut commitments = vec![version.commitment()];
            if let Step::Change { files, .. } = &step {
                commitments.extend(self.put_files(&context, &of, files, &key, &mut unit)?);
            }
            let kept = stored(&version, label, &plain);
            // Whoever confirms what somebody else wrote has seen it.
            if caller.keeps_seen() && version.author != Some(caller.actor) {
                unit.changes.extend(crate::seen::changes(caller.actor, subject, [(id, kept.version)], now));
            }
            unit.changes.push(advance(&version, current.version));
            match &values {
                Some(values) => self.index_record(&context, &version, values, &plain, &mut unit)?,
                // A withdrawn team, consent or proxy no longer counts.
                None if decides(kind) => unit.bumps.push(AccessKey::from(subject)),
                None => {}
            }
            unit.changes.push(Change::object_version(version));
            let mut entry = decided(caller.entry(unit.id, action), &decision);
            entry.subject = Some(subject);
            entry.resource = Some((kind.clone(), Some(id)));
            entry.version = Some(kept.version);
            entry.commitments = commitments;
            let stated = match &step {
                Step::Withdraw { reason } => Some(*reason),
                Step::Discard => Some(DISCARDED_BY_AUTHOR),
                Step::Change { .. } | Step::Confirm => None,
            };
            let entry = self.with_sealed(caller, entry, 0, stated)?;
            if let Settled::Done = self.settle(caller, unit.entry(entry)).await? {
                return Ok(kept);
            }
        }
        Err(kept_changing())
    }
}

/// One step in a record's life.
enum Step<'a> {
    Change {
        resource: &'a Resource,
        bytes: &'a Bytes,
        files: &'a [RecordFile],
        class: ClassCode,
        named: SubjectId,
    },
    Confirm,
    Withdraw {
        reason: &'a str,
    },
    Discard,
}

impl Step<'_> {
    /// Whether the step is one's own to take, beyond what policies say: a draft is discarded by its
    /// author alone, not by the person it was entered for.
    fn is_open_to(&self, current: &ObjectVersion, actor: ActorId) -> bool {
        !matches!(self, Self::Discard) || current.author == Some(actor)
    }

    /// What the step is called where the record stands now, and where it leads. The stages' own
    /// types say which steps there are.
    fn next(&self, current: &ObjectVersion, actor: ActorId) -> Result<(Action, RecordState)> {
        let Authorship { author, on_behalf_of } =
            authorship_of(current).unwrap_or(Authorship { author: actor, on_behalf_of: None });
        let not_possible =
            || Error::conflict("this cannot be done with the record as it is now; open it again");
        let state = current.state.ok_or_else(not_possible)?;
        match (self, state) {
            (Self::Change { .. }, RecordState::Draft) => Ok((Action::Update, Draft::STATE)),
            (Self::Change { .. }, RecordState::Confirmed | RecordState::Amended) => {
                let amended: Amended = Confirmed::new(author, on_behalf_of).amend();
                Ok((Action::Amend, state_of(&amended)))
            }
            (Self::Confirm, RecordState::Draft) => match Draft::new(author, on_behalf_of).finish() {
                Finished::Confirmed(_) => Ok((Action::Confirm, Confirmed::STATE)),
                Finished::Awaiting(_) => Ok((Action::Confirm, AwaitingConfirmation::STATE)),
            },
            (Self::Confirm, RecordState::AwaitingConfirmation) => {
                let principal = on_behalf_of.ok_or_else(not_possible)?;
                AwaitingConfirmation::new(author, principal)
                    .confirm(actor)
                    .map_err(|_| Error::forbidden())?;
                Ok((Action::Confirm, Confirmed::STATE))
            }
            (Self::Withdraw { .. }, RecordState::Confirmed | RecordState::Amended)
            | (Self::Discard, RecordState::Draft | RecordState::AwaitingConfirmation) => {
                Ok((Action::Withdraw, Withdrawn::STATE))
            }
            // Withdrawn content may be read like confirmed content: what nobody confirmed never becomes that.
            (Self::Withdraw { .. }, RecordState::Draft | RecordState::AwaitingConfirmation) => {
                Err(Error::conflict("this was never confirmed; its author discards it instead"))
            }
            (Self::Change { .. }, RecordState::AwaitingConfirmation | RecordState::Withdrawn)
            | (Self::Confirm | Self::Withdraw { .. } | Self::Discard, _) => Err(not_possible()),
        }
    }
}

fn state_of<S: mimamori_domain::Stage>(_stage: &S) -> RecordState {
    S::STATE
}
