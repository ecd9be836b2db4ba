//! Reading one record, one version, or all versions of one.

use bytes::Bytes;
use futures::future::maybe_done;
use mimamori_domain::{
    AccessLabel, Action, Authorship, Error, Kind, ObjectId, RecordState, Result, SubjectId, UnitId,
};
use mimamori_ledger::{Entry, Hash};
use mimamori_policy::{Decision, GeneralTarget};
use mimamori_store::{ObjectVersion, Unit};
use mimamori_vault::Place;

use crate::access::{ATTEMPTS, Settled, decided, kept_changing};
use crate::caller::Caller;
use crate::context::{SubjectContext, object_from_row, open_object, open_with};
use crate::keys::vault_error;
use crate::{App, Stored, sql};

/// No more versions of one record are shown at once.
const MOST_VERSIONS: i64 = 200;

impl App {
    /// The current version of a record.
    ///
    /// # Errors
    /// Forbidden without saying whether it exists; gone when its key was destroyed; unavailable
    /// when the access could not be recorded.
    pub async fn read(&self, caller: &Caller, kind: &Kind, id: ObjectId) -> Result<Stored> {
        self.read_rows(caller, kind, id, Wanted::Current, alone).await?.0.pop().ok_or_else(Error::not_found)
    }

    /// One version of a record; versions count from 1.
    ///
    /// # Errors
    /// As [`App::read`].
    pub async fn vread(&self, caller: &Caller, kind: &Kind, id: ObjectId, version: u64) -> Result<Stored> {
        let (mut found, ()) = self.read_rows(caller, kind, id, Wanted::Version(version), alone).await?;
        found.pop().ok_or_else(Error::not_found)
    }

    /// All versions of a record, newest first. Versions whose key was destroyed are left out.
    ///
    /// # Errors
    /// As [`App::read`].
    pub async fn history(&self, caller: &Caller, kind: &Kind, id: ObjectId) -> Result<Vec<Stored>> {
        Ok(self.history_and(caller, kind, id, alone).await?.0)
    }

    /// The same, and what else is shown of whom the record belongs to: that is begun once the caller may
    /// see the record, so that what both leave in the ledger is kept by one commit.
    ///
    /// # Errors
    /// As [`App::read`].
    pub async fn history_and<T, F: Future<Output = T>>(
        &self,
        caller: &Caller,
        kind: &Kind,
        id: ObjectId,
        more: impl Fn(Option<SubjectId>) -> F,
    ) -> Result<(Vec<Stored>, T)> {
        self.read_rows(caller, kind, id, Wanted::All, more).await
    }

    async fn read_rows<T, F: Future<Output = T>>(
        &self,
        caller: &Caller,
        kind: &Kind,
        id: ObjectId,
        wanted: Wanted,
        more: impl Fn(Option<SubjectId>) -> F,
    ) -> Result<(Vec<Stored>, T)> {
        let mut begun = None;
        for _ in 0..ATTEMPTS {
            let (versions, access_version) = self.versions(id, wanted).await?;
            // What has no label any more, a discarded draft, is as if it had never been.
            let labelled = |version: &&ObjectVersion| version.kind == *kind && label_of(version).is_ok();
            let Some(newest) = versions.first().filter(labelled) else {
                return Err(self.refuse_unknown(caller, kind, id).await);
            };
            let mut unit = Unit::new();
            let entry = caller.entry(unit.id, Action::Read);
            let (stored, decision) = match newest.subject {
                Some(subject) => {
                    let context = match access_version {
                        Some(version) => self.subject_context_as_of(subject, version).await?,
                        None => self.subject_context(subject).await?,
                    };
                    unit.guards.push(context.guard());
                    let mut opened = self.open_permitted(caller, &context, &versions).await?;
                    self.attend(caller, &context, newest, wanted, &mut opened.0, &mut unit).await?;
                    opened
                }
                None => self.open_master(caller, kind, &versions).await?,
            };
            let mut entry = decided(entry, &decision);
            entry.subject = newest.subject;
            entry.resource = Some((kind.clone(), Some(id)));
            entry.version = Some(newest.version);
            entry.count = stored.len() as u64;
            entry.commitments = stored.iter().map(|(_, commitment)| *commitment).collect();
            let entry = self.with_sealed(caller, entry, 0, None)?;
            // Begun before and found already when this is a further attempt.
            let more = begun.get_or_insert_with(|| Box::pin(maybe_done(more(newest.subject))));
            let (settled, ()) = futures::join!(self.settle(caller, unit.entry(entry)), more.as_mut());
            if let Settled::Done = settled? {
                let found = stored.into_iter().map(|(stored, _)| stored).collect();
                return more.as_mut().take_output().map(|more| (found, more)).ok_or_else(kept_changing);
            }
        }
        Err(kept_changing())
    }

    /// The versions wanted; with the current one comes the subject's access version of the same state.
    pub(super) async fn versions(
        &self,
        id: ObjectId,
        wanted: Wanted,
    ) -> Result<(Vec<ObjectVersion>, Option<i64>)> {
        let mut access_version = None;
        let mut rows = match wanted {
            Wanted::Current => {
                let rows = self.store.query(&sql::CURRENT_GUARDED, vec![id.into()]).await?;
                access_version = rows
                    .first()
                    .map(|row| row.int(sql::SORT_TIME_AFTER_VERSION))
                    .transpose()
                    .map_err(Error::unavailable)?;
                rows
            }
            Wanted::Version(version) => {
                self.store.query(&sql::VERSION_OF, vec![id.into(), version.into()]).await?
            }
            Wanted::All => self.store.query(&sql::VERSIONS_OF, vec![id.into(), MOST_VERSIONS.into()]).await?,
        };
        let versions = rows.iter_mut().map(object_from_row).collect::<Result<_>>()?;
        Ok((versions, access_version))
    }

    /// Decides per version, since versions may differ in label; opens what is permitted.
    pub(super) async fn open_permitted(
        &self,
        caller: &Caller,
        context: &SubjectContext,
        versions: &[ObjectVersion],
    ) -> Result<(Vec<(Stored, Hash)>, Decision)> {
        let now = self.clock.now();
        let mut opened = Vec::with_capacity(versions.len());
        let mut first = None;
        let mut refused = None;
        for version in versions {
            let label = label_of(version)?;
            let decision =
                self.decide(caller, Action::Read, context, &label, authorship_of(version).as_ref(), now);
            if !decision.allowed || !caller.facts.scopes_cover(&version.kind, false) {
                refused = Some(decision);
                continue;
            }
            match open_with(&context.keys, version) {
                Ok(plain) => {
                    let mut shown = stored(version, label, &plain);
                    if shown.state == RecordState::Withdrawn {
                        shown.withdrawn_because = self.stated_in(context.subject, version.unit).await?;
                    }
                    opened.push((shown, version.commitment()));
                }
                // Of several versions, those whose key was destroyed are passed over.
                Err(error) if error.kind() == mimamori_domain::ErrorKind::Gone && versions.len() > 1 => {}
                Err(error) => return Err(error),
            }
            first.get_or_insert(decision);
        }
        match (first, refused, versions.first()) {
            (Some(decision), _, _) => Ok((opened, decision)),
            (None, Some(decision), Some(version)) => {
                let resource = Some((version.kind.clone(), Some(version.object)));
                Err(self.refuse(caller, Action::Read, Some(context.subject), resource, &decision).await)
            }
            _ => Err(Error::not_found()),
        }
    }

    /// Notes that the current version was shown, and tells of a history to whom it was shown before.
    async fn attend(
        &self,
        caller: &Caller,
        context: &SubjectContext,
        newest: &ObjectVersion,
        wanted: Wanted,
        opened: &mut [(Stored, Hash)],
        unit: &mut Unit,
    ) -> Result<()> {
        let now = self.clock.now();
        let current = |(stored, _): &&(Stored, Hash)| stored.version == newest.version;
        let finished = !matches!(newest.state, Some(RecordState::Draft | RecordState::AwaitingConfirmation));
        if caller.keeps_seen()
            && finished
            && !matches!(wanted, Wanted::Version(_))
            && newest.author != Some(caller.actor)
            && let Some((shown, _)) = opened.iter().find(current)
        {
            let shown = [(shown.id, shown.version)];
            unit.changes.extend(crate::seen::changes(caller.actor, context.subject, shown, now));
        }
        if matches!(wanted, Wanted::All) {
            let permitted = self.permitted(caller, Action::Read, context, now);
            if self.may_see_team(caller, context, &permitted, now) {
                let mut told: Vec<Stored> = opened.iter().map(|(stored, _)| stored.clone()).collect();
                self.tell_readers(context.subject, &mut told).await?;
                for ((stored, _), told) in opened.iter_mut().zip(told) {
                    stored.attention = told.attention;
                }
            }
        }
        Ok(())
    }

    /// What the entry of a withdrawal states, for those who may read the record.
    async fn stated_in(&self, subject: SubjectId, unit: UnitId) -> Result<Option<String>> {
        let row = self.store.query_one(&sql::WITHDRAWAL, vec![subject.into(), unit.into()]).await?;
        let Some(row) = row else { return Ok(None) };
        let entry =
            Entry::decode(row.blob(0).map_err(Error::unavailable)?).map_err(Error::unavailable)?.draft;
        // The only entry of its unit, so its place is the first.
        let Some(sealed) = entry.sealed.filter(|sealed| sealed.key == self.keys.ledger_seal.id()) else {
            return Ok(None);
        };
        let place = Place::ledger(unit, 0, &entry.nonce);
        let plain =
            mimamori_vault::open(&self.keys.ledger_seal, &place, &sealed.bytes).map_err(vault_error)?;
        let stated: serde_json::Value =
            serde_json::from_slice(&plain).map_err(|_| Error::internal("a sealed part is unreadable"))?;
        Ok(stated.get("stated").and_then(serde_json::Value::as_str).map(str::to_owned))
    }

    /// Master data: what belongs to no subject.
    async fn open_master(
        &self,
        caller: &Caller,
        kind: &Kind,
        versions: &[ObjectVersion],
    ) -> Result<(Vec<(Stored, Hash)>, Decision)> {
        let decision = self.require_general(caller, Action::Read, master_target(kind)?).await?;
        if !caller.facts.scopes_cover(kind, false) {
            return Err(self.refuse(caller, Action::Read, None, Some((kind.clone(), None)), &decision).await);
        }
        let mut opened = Vec::with_capacity(versions.len());
        for version in versions {
            let key = self.master_key(version.kind.as_str(), version.object).await?;
            let plain = open_object(&key, version)?;
            opened.push((stored(version, label_of(version)?, &plain), version.commitment()));
        }
        Ok((opened, decision))
    }

    /// Records the try to read what is not there, so that probing shows in the ledger.
    pub(super) async fn refuse_unknown(&self, caller: &Caller, kind: &Kind, id: ObjectId) -> Error {
        let unit = Unit::new();
        let mut entry = caller.entry(unit.id, Action::Read);
        entry.resource = Some((kind.clone(), Some(id)));
        entry.outcome = mimamori_domain::Outcome::Failed;
        entry.count = 0;
        match self.with_sealed(caller, entry, 0, None) {
            Ok(entry) => match self.settle(caller, unit.entry(entry)).await {
                Ok(_) => Error::not_found(),
                Err(error) => error,
            },
            Err(error) => error,
        }
    }
}

/// Nothing more is shown.
fn alone(_: Option<SubjectId>) -> std::future::Ready<()> {
    std::future::ready(())
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted {
    Current,
    Version(u64),
    All,
}

/// Who wrote a version, and for whom.
pub(crate) fn authorship_of(version: &ObjectVersion) -> Option<Authorship> {
    version.author.map(|author| Authorship { author, on_behalf_of: version.on_behalf })
}

/// FHIR types that belong to no subject, and the thing of the pack that decides about them.
pub(crate) const MASTER: [(&str, &str); 3] =
    [("Organization", "institution"), ("Practitioner", "institution"), ("PractitionerRole", "institution")];

/// What decides about master data of a kind. Objects of ours are never read this way.
pub(crate) fn master_target(kind: &Kind) -> Result<GeneralTarget> {
    MASTER
        .iter()
        .find(|(master, _)| *master == kind.as_str())
        .map(|(_, thing)| GeneralTarget::of(Kind::of(thing)))
        .ok_or_else(Error::not_found)
}

/// The label a version stands under.
pub(crate) fn label_of(version: &ObjectVersion) -> Result<AccessLabel> {
    match (&version.class, version.state, version.institution) {
        (Some(class), Some(state), Some(institution)) => {
            Ok(AccessLabel { class: class.clone(), state, institution })
        }
        _ => Err(Error::not_found()),
    }
}

/// An opened version as use cases give it back.
pub(crate) fn stored(version: &ObjectVersion, label: AccessLabel, plain: &[u8]) -> Stored {
    Stored {
        id: version.object,
        kind: version.kind.clone(),
        version: version.version,
        subject: version.subject,
        class: label.class,
        state: label.state,
        institution: label.institution,
        author: version.author,
        on_behalf_of: version.on_behalf,
        confirmer: version.confirmer,
        recorded: version.recorded,
        attention: crate::Attention::default(),
        withdrawn_because: None,
        bytes: Bytes::copy_from_slice(plain),
    }
}

/// The subject a version belongs to.
pub(crate) fn subject_of(version: &ObjectVersion) -> Result<SubjectId> {
    version.subject.ok_or_else(Error::not_found)
}
