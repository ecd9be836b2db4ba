//! Master data: institutions, practitioners and their roles. It belongs to no subject.

use bytes::Bytes;
use mimamori_domain::{
    AccessLabel, Action, ActorId, ClassCode, Error, InstitutionId, Kind, ObjectId, RecordState, Result,
    Timestamp,
};
use mimamori_store::Unit;
use mimamori_vault::SecretKey;

use super::read::{label_of, master_target, stored};
use super::version::{NewVersion, put_version};
use crate::access::{ATTEMPTS, Settled, decided, kept_changing};
use crate::body::kind;
use crate::caller::Caller;
use crate::keys::{insert_key, staff_key};
use crate::{App, Stored};

/// The class of master data.
const CLASS: &str = "directory";

impl App {
    /// The key that seals an object of master data: a practitioner's own, else that of settings.
    pub(crate) async fn master_key(&self, kind: &str, object: ObjectId) -> Result<SecretKey> {
        if kind == kind::PRACTITIONER.as_str() {
            self.staff_key(ActorId::from(object)).await
        } else {
            Ok(self.keys.settings.clone())
        }
    }

    pub(super) async fn create_master(&self, caller: &Caller, kind: &Kind, bytes: Bytes) -> Result<Stored> {
        let target = master_target(kind)?;
        let decision = self.require_general(caller, Action::Create, target).await?;
        let mut unit = Unit::new();
        let now = self.clock.now();
        let (kept, commitment) = self.new_master(caller, ObjectId::random(), kind, &bytes, now, &mut unit)?;
        let mut entry = decided(caller.entry(unit.id, Action::Create), &decision);
        entry.resource = Some((kind.clone(), Some(kept.id)));
        entry.version = Some(1);
        entry.commitments = vec![commitment];
        let entry = self.with_sealed(caller, entry, 0, None)?;
        self.settle(caller, unit.entry(entry)).await?;
        Ok(kept)
    }

    /// Adds a new object of master data to a unit. An institution answers for itself.
    pub(crate) fn new_master(
        &self,
        caller: &Caller,
        object: ObjectId,
        kind: &Kind,
        bytes: &[u8],
        now: Timestamp,
        unit: &mut Unit,
    ) -> Result<(Stored, [u8; 32])> {
        let institution = if *kind == kind::ORGANIZATION {
            InstitutionId::from(object)
        } else {
            caller.institution().unwrap_or(InstitutionId::from_bytes([0; 16]))
        };
        let key = if *kind == kind::PRACTITIONER {
            let (key, row) = staff_key(&self.vault, ActorId::from(object), now)?;
            unit.changes.push(insert_key(&row));
            key
        } else {
            self.keys.settings.clone()
        };
        let class = ClassCode::new(CLASS).map_err(Error::internal)?;
        let label = AccessLabel { class, state: RecordState::Confirmed, institution };
        let version = NewVersion {
            object,
            version: 1,
            kind: kind.clone(),
            label: label.clone(),
            author: Some(caller.actor),
            on_behalf: None,
            confirmer: Some(caller.actor),
            plain: bytes,
            pack: caller.pack,
            recorded: now,
        }
        .seal(&key, None, unit.id)?;
        let kept = stored(&version, label, bytes);
        Ok((kept, put_version(unit, version, now)))
    }

    pub(super) async fn update_master(
        &self,
        caller: &Caller,
        kind: &Kind,
        id: ObjectId,
        bytes: Bytes,
        expected_version: u64,
    ) -> Result<Stored> {
        let decision = self.require_general(caller, Action::Update, master_target(kind)?).await?;
        for _ in 0..ATTEMPTS {
            let Some(current) = self.current(id).await?.filter(|version| version.kind == *kind) else {
                return Err(Error::not_found());
            };
            if current.version != expected_version {
                return Err(Error::conflict(
                    "somebody else changed this meanwhile; open it again and repeat your change",
                ));
            }
            let key = self.master_key(kind.as_str(), id).await?;
            let now = self.clock.now();
            let label = label_of(&current)?;
            let mut unit = Unit::new();
            let version = NewVersion {
                object: id,
                version: current.version + 1,
                kind: kind.clone(),
                label: label.clone(),
                author: Some(caller.actor),
                on_behalf: None,
                confirmer: Some(caller.actor),
                plain: &bytes,
                pack: caller.pack,
                recorded: now,
            }
            .seal(&key, None, unit.id)?;
            let kept = stored(&version, label, &bytes);
            let commitment = put_version(&mut unit, version, now);
            let mut entry = decided(caller.entry(unit.id, Action::Update), &decision);
            entry.resource = Some((kind.clone(), Some(id)));
            entry.version = Some(kept.version);
            entry.commitments = vec![commitment];
            let entry = self.with_sealed(caller, entry, 0, None)?;
            if let Settled::Done = self.settle(caller, unit.entry(entry)).await? {
                self.institution_names.remove(&InstitutionId::from(id));
                return Ok(kept);
            }
        }
        Err(kept_changing())
    }
}
