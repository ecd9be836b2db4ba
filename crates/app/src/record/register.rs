//! Registering a person: a new subject with keys of their own.

use mimamori_domain::{
    AccessLabel, Action, ClassCode, Error, InstitutionId, Kind, ObjectId, RecordState, Result, SubjectId,
    Timestamp,
};
use mimamori_fhir::Resource;
use mimamori_policy::{Decision, GeneralTarget};
use mimamori_store::{AccessKey, Change, Unit, tables};

use super::index::person_token_rows;
use super::read::stored;
use super::version::{NewVersion, put_version};
use crate::access::decided;
use crate::body::{self, Flags, kind};
use crate::caller::Caller;
use crate::keys::{SubjectKeys, insert_key};
use crate::{App, Stored};

/// The role of the link between a subject and the institution that registered them.
pub(crate) const REGISTERED_BY: &str = "registered-by";

impl App {
    /// Registers a person from a FHIR Patient.
    pub(super) async fn register(&self, caller: &Caller, patient: &Resource) -> Result<Stored> {
        let institution = caller.institution().ok_or_else(Error::forbidden)?;
        let target = GeneralTarget::of(Kind::of("subject")).at(institution);
        let decision = self.require_general(caller, Action::Create, target).await?;
        let now = self.clock.now();
        let mut unit = Unit::new();
        let subject = SubjectId::random();
        let (kept, commitments, _) =
            self.new_subject(caller, institution, subject, patient, now, &mut unit)?;
        let entry = self.registered(caller, &unit, &kept, commitments, &decision)?;
        self.settle(caller, unit.entry(entry)).await?;
        Ok(kept)
    }

    fn registered(
        &self,
        caller: &Caller,
        unit: &Unit,
        kept: &Stored,
        commitments: Vec<[u8; 32]>,
        decision: &Decision,
    ) -> Result<mimamori_ledger::EntryDraft> {
        let mut entry = decided(caller.entry(unit.id, Action::Create), decision);
        entry.subject = kept.subject;
        entry.resource = Some((kind::PATIENT, Some(kept.id)));
        entry.version = Some(1);
        entry.commitments = commitments;
        self.with_sealed(caller, entry, 0, None)
    }

    /// Adds a new subject to a unit: keys, Patient, flags, search tokens. Gives the Patient, the
    /// commitments of what was added, and the keys.
    pub(crate) fn new_subject(
        &self,
        caller: &Caller,
        institution: InstitutionId,
        subject: SubjectId,
        patient: &Resource,
        now: Timestamp,
        unit: &mut Unit,
    ) -> Result<(Stored, Vec<[u8; 32]>, SubjectKeys)> {
        let (mut keys, row) = SubjectKeys::create(&self.vault, subject, now)?;
        unit.changes.push(insert_key(&row));
        let values = mimamori_fhir::search_values(patient);
        let label = AccessLabel {
            class: mimamori_fhir::information_class(patient),
            state: RecordState::Confirmed,
            institution,
        };
        let (data, row) = keys.for_writing(&self.vault, &label.class, now)?;
        unit.changes.extend(row.as_ref().map(insert_key));
        let version = |object, kind, label: &AccessLabel, plain| NewVersion {
            object,
            version: 1,
            kind,
            label: label.clone(),
            author: Some(caller.actor),
            on_behalf: None,
            confirmer: Some(caller.actor),
            plain,
            pack: caller.pack,
            recorded: now,
        };
        let sealed = version(ObjectId::from(subject), kind::PATIENT, &label, patient.bytes()).seal(
            &data,
            Some(subject),
            unit.id,
        )?;
        keys.add(data);
        let kept = stored(&sealed, label, patient.bytes());
        let mut commitments = vec![put_version(unit, sealed, now)];

        let flags = body::to_bytes(&Flags { registered_by: Some(institution), ..Flags::default() })?;
        let class = ClassCode::new("flags").map_err(Error::internal)?;
        let label = AccessLabel { class, state: RecordState::Confirmed, institution };
        let (data, row) = keys.for_writing(&self.vault, &label.class, now)?;
        unit.changes.extend(row.as_ref().map(insert_key));
        let object = ObjectId::in_order();
        let sealed = version(object, kind::FLAGS, &label, &flags).seal(&data, Some(subject), unit.id)?;
        commitments.push(put_version(unit, sealed, now));
        keys.add(data);

        unit.changes.push(person_token_rows(&self.keys.index.all(), subject, &values));
        unit.changes.push(Change::insert(
            &tables::LINK,
            vec![object.into(), REGISTERED_BY.into(), institution.into(), subject.into()],
        ));
        unit.bumps.push(AccessKey::from(subject));
        Ok((kept, commitments, keys))
    }
}
