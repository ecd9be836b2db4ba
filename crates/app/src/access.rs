//! Deciding and settling: the two ends of every use case.
//!
//! [`App::decide`] asks the policies. [`App::settle`] commits the unit that carries the ledger
//! entries; only after it says [`Settled::Done`] may anything leave. When what was relied on has
//! changed meanwhile it says [`Settled::Again`], and the use case starts over from its first read.

use std::borrow::Cow;
use std::sync::atomic::Ordering;

use mimamori_domain::{
    AccessLabel, Action, Authorship, Error, ErrorKind, Kind, ObjectId, Outcome, Purpose, Result, SubjectId,
    Timestamp,
};
use mimamori_ledger::{EntryDraft, Sealed};
use mimamori_policy::{BreakGlass, CallerFacts, Decision, GeneralTarget};
use mimamori_store::{AccessKey, Change, CommitError, Expect, Guard, Unit};
use mimamori_vault::Place;

use crate::caller::Caller;
use crate::context::SubjectContext;
use crate::keys::vault_error;
use crate::{App, sql};

/// How often a use case starts over when what it relied on keeps changing.
pub(crate) const ATTEMPTS: usize = 5;

/// The last use of a session is written down at most this often.
const TOUCH_AFTER: std::time::Duration = std::time::Duration::from_secs(60);

/// How a unit ended.
#[derive(Debug)]
pub(crate) enum Settled {
    Done,
    /// Something changed meanwhile: nothing was done, start over.
    Again,
}

impl App {
    /// Decides about one label of a subject.
    pub(crate) fn decide(
        &self,
        caller: &Caller,
        action: Action,
        context: &SubjectContext,
        label: &AccessLabel,
        authorship: Option<&Authorship>,
        now: Timestamp,
    ) -> Decision {
        let facts = facts_for(caller, context, now);
        self.authorizer.decide(&facts, action, &context.facts, label, authorship, now)
    }

    /// Decides about something outside any notebook.
    pub(crate) fn decide_general(
        &self,
        caller: &Caller,
        action: Action,
        target: &GeneralTarget,
        now: Timestamp,
    ) -> Decision {
        self.authorizer.decide_general(&caller.facts, action, target, now)
    }

    /// Permits something outside any notebook, or records the refusal and fails. What the pack marks
    /// also asks for having shown lately who one is.
    pub(crate) async fn require_general(
        &self,
        caller: &Caller,
        action: Action,
        target: GeneralTarget,
    ) -> Result<Decision> {
        let decision = self.permit_general(caller, action, target.clone()).await?;
        self.lately_for(caller, action, &target)?;
        Ok(decision)
    }

    /// The same, whatever the pack marks: where the use case asks for a proof itself.
    pub(crate) async fn permit_general(
        &self,
        caller: &Caller,
        action: Action,
        target: GeneralTarget,
    ) -> Result<Decision> {
        let decision = self.decide_general(caller, action, &target, self.clock.now());
        if decision.allowed {
            return Ok(decision);
        }
        Err(self.refuse(caller, action, None, Some((target.kind, None)), &decision).await)
    }

    /// Writes a refusal down; gives the error to return. If even that cannot be written, the error
    /// says so instead.
    pub(crate) async fn refuse(
        &self,
        caller: &Caller,
        action: Action,
        subject: Option<SubjectId>,
        resource: Option<(Kind, Option<ObjectId>)>,
        decision: &Decision,
    ) -> Error {
        let unit = Unit::new();
        let mut entry = caller.entry(unit.id, action);
        entry.subject = subject;
        entry.resource = resource;
        entry.outcome = Outcome::Refused;
        entry.count = 0;
        entry.policies = decision.policies.iter().map(ToString::to_string).collect();
        let entry = match self.with_sealed(caller, entry, 0, None) {
            Ok(entry) => entry,
            Err(error) => return error,
        };
        match self.settle(caller, unit.entry(entry)).await {
            Ok(_) => Error::forbidden(),
            Err(error) => error,
        }
    }

    /// Seals into an entry what could identify or describe a person: the address, the operator's
    /// name, and what was asked or stated.
    pub(crate) fn with_sealed(
        &self,
        caller: &Caller,
        mut entry: EntryDraft,
        index: u32,
        stated: Option<&str>,
    ) -> Result<EntryDraft> {
        // What somebody does at work while a privilege is granted to them is marked as done under it.
        let privileges: &[String] =
            if entry.purpose == Purpose::Operations { &caller.privileges } else { &[] };
        let nothing = caller.origin.address.is_none() && caller.remark.is_none() && stated.is_none();
        if nothing && privileges.is_empty() {
            return Ok(entry);
        }
        let mut plain = serde_json::json!({
            "v": 1,
            "address": caller.origin.address.map(|address| address.to_string()),
            "operator": caller.remark,
            "stated": stated,
        });
        if let Some(object) = plain.as_object_mut().filter(|_| !privileges.is_empty()) {
            object.insert("privileges".to_owned(), privileges.into());
        }
        let place = Place::ledger(entry.unit, index, &entry.nonce);
        let bytes = mimamori_vault::seal(&self.keys.ledger_seal, &place, plain.to_string().as_bytes())
            .map_err(vault_error)?;
        entry.sealed = Some(Sealed { key: self.keys.ledger_seal.id(), bytes });
        Ok(entry)
    }

    /// Commits a unit, guarded on the caller's own facts too.
    pub(crate) async fn settle(&self, caller: &Caller, mut unit: Unit) -> Result<Settled> {
        if self.halted.load(Ordering::SeqCst) {
            return Err(Error::unavailable("the ledger is not the continuation of what was signed"));
        }
        // A caller of an earlier request: their roles were weighed under other rules.
        if caller.pack != self.pack.hash() {
            return Err(rules_changed());
        }
        unit.guards.push(Guard { key: AccessKey::PACK, version: self.pack_version });
        unit.guards.extend(caller.guards());
        // An account, a window or an appointment that ends by itself ends here too.
        unit.holds_until = caller.holds_until.map(|until| (AccessKey::from(caller.actor), until));
        unit.guards.extend(crate::key_admin::guards_of_keys(&unit.changes));
        let touched = self.touch(caller, &mut unit);
        let bumps = unit.bumps.clone();
        let outcome = self.store.commit(unit).await;
        match &outcome {
            Ok(_) => self.not_committing.store(false, Ordering::SeqCst),
            Err(CommitError::Unavailable { .. } | CommitError::Unknown { .. }) => {
                self.not_committing.store(true, Ordering::SeqCst);
            }
            // The database answered: what was asked did not fit.
            Err(_) => {}
        }
        match outcome {
            Ok(_) => {
                crate::in_force::note_commit();
                for key in bumps {
                    self.forget(key);
                }
                if let Some((hash, now)) = touched {
                    self.sessions.seen(&hash, now);
                }
                Ok(Settled::Done)
            }
            Err(CommitError::GuardFailed { key, .. }) => {
                self.forget(key);
                if key == AccessKey::PACK {
                    return Err(rules_changed());
                }
                if crate::key_admin::is_of_keys(key) {
                    return Err(self.keys_changed().await);
                }
                // The caller's own facts changed: no further attempt with what this request
                // carries. Asked again, the request is met with the facts as they are then.
                if caller.guards().iter().any(|guard| guard.key == key) {
                    return Err(Error::new(
                        ErrorKind::Busy,
                        "what you may do was changed just now; please try again",
                    ));
                }
                Ok(Settled::Again)
            }
            Err(error) => Err(commit_error(error)),
        }
    }

    /// Adds the note of a session's last use to the unit, at most once a minute.
    fn touch(&self, caller: &Caller, unit: &mut Unit) -> Option<([u8; 32], Timestamp)> {
        let session = caller.session.filter(|session| !session.bearer)?;
        let now = self.clock.now();
        if now.since(session.last_seen) < TOUCH_AFTER {
            return None;
        }
        unit.changes.push(Change::Execute {
            statement: &sql::TOUCH_SESSION,
            args: vec![session.token_hash.into(), now.into()],
            expect: Expect::Any,
        });
        Some((session.token_hash, now))
    }
}

/// The caller's facts for one subject: with the emergency that the caller declared for them.
fn facts_for<'a>(caller: &'a Caller, context: &SubjectContext, now: Timestamp) -> Cow<'a, CallerFacts> {
    let until = context
        .emergencies
        .iter()
        .filter(|(actor, until)| *actor == caller.actor && now < *until)
        .map(|(_, until)| *until)
        .max();
    match until {
        None => Cow::Borrowed(&*caller.facts),
        Some(until) => {
            let mut facts = (*caller.facts).clone();
            facts.break_glass = Some(BreakGlass { reason_given: true, until });
            facts.purpose = Purpose::Emergency;
            Cow::Owned(facts)
        }
    }
}

/// What a decision puts into the entry of what it permitted.
pub(crate) fn decided(mut entry: EntryDraft, decision: &Decision) -> EntryDraft {
    entry.policies = decision.policies.iter().map(ToString::to_string).collect();
    entry.legal_basis = decision.basis;
    if decision.basis == mimamori_domain::LegalBasis::DangerToLife {
        entry.purpose = Purpose::Emergency;
    }
    entry
}

/// After so many changes meanwhile, the person may try again.
pub(crate) fn kept_changing() -> Error {
    Error::new(ErrorKind::Busy, "this record is being changed by others; please try again")
}

/// Decided under rules that are in force no more: the request is to be decided anew.
pub(crate) fn rules_changed() -> Error {
    Error::new(ErrorKind::Busy, "the rules were changed just now; please try again")
}

/// What a failed commit means to the person who asked.
pub(crate) fn commit_error(error: CommitError) -> Error {
    match error {
        CommitError::Conflict { .. } | CommitError::UniqueViolation { .. } => {
            Error::conflict("somebody else changed this meanwhile; open it again and repeat your change")
                .with_detail(error)
        }
        CommitError::Full => Error::new(ErrorKind::Busy, "too much at once; please try again shortly"),
        CommitError::Unavailable { .. } | CommitError::Unknown { .. } => Error::unavailable(error),
        CommitError::GuardFailed { .. } => kept_changing(),
        CommitError::Refused { .. } | CommitError::Invalid(_) => Error::internal(error),
    }
}
