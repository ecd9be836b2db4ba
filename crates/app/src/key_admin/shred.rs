//! Shredding (暗号消去): the data key of a subject's class and month is destroyed, so that nothing it
//! sealed can be read again anywhere. First a plan, then its steps (`docs/vault.md`).

use std::collections::BTreeSet;
use std::fmt;

use mimamori_domain::{
    ClassCode, Error, ErrorKind, KeyId, ObjectId, RecordState, Result, SubjectId, Timestamp,
};
use mimamori_policy::Decision;
use mimamori_store::{AccessKey, Change, Expect, ObjectVersion, Unit};
use mimamori_vault::{KeyUse, Month, Parent, RootKey, ShredPlan, SubjectIndex, WrappedKey};
use serde_json::json;

use super::of_key;
use crate::access::{ATTEMPTS, Settled, kept_changing};
use crate::body::kind;
use crate::caller::Caller;
use crate::context::{DECIDING, object_from_row, open_with};
use crate::keys::{SubjectKeys, insert_key, key_from_row, vault_error};
use crate::record::{clinical_rows, fault};
use crate::{App, sql};

/// Objects read at a time.
const STRIDE: i64 = 500;

/// What is to be made unreadable, and why.
#[derive(Debug, Clone)]
pub struct Disposal {
    pub subject: SubjectId,
    pub class: ClassCode,
    /// The month in which it was recorded, `YYYY-MM` in Asia/Tokyo.
    pub month: String,
    /// Goes sealed into the ledger.
    pub reason: String,
}

/// What a disposal destroys, or has destroyed: the erasure certificate.
#[derive(Debug, Clone)]
pub struct ShredReport {
    /// Whether it was done; else it is a plan.
    pub applied: bool,
    pub subject: SubjectId,
    pub class: ClassCode,
    pub month: String,
    /// The data keys that are destroyed.
    pub keys: Vec<KeyId>,
    /// Versions of records that become unreadable.
    pub versions: u64,
    /// The subject's other data keys, which are wrapped anew.
    pub kept_keys: u64,
    /// Ring keys destroyed with them, once applied.
    pub rings_destroyed: Vec<KeyId>,
    /// When the last of them was destroyed, UTC, once applied.
    pub destroyed: Option<Timestamp>,
    /// When the last key backup that holds any of them expires; `None`: no backup of keys is known to
    /// the program.
    pub unreadable_everywhere_from: Option<Timestamp>,
}

impl fmt::Display for ShredReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = if self.applied { "was made" } else { "will be made" };
        writeln!(f, "Subject {}, class {}, month {}:", self.subject, self.class, self.month)?;
        writeln!(f, "{} versions of records {done} unreadable for ever.", self.versions)?;
        for key in &self.keys {
            writeln!(f, "Data key destroyed: {key}")?;
        }
        for ring in &self.rings_destroyed {
            writeln!(f, "Ring key destroyed: {ring}")?;
        }
        if let Some(at) = self.destroyed {
            writeln!(f, "Destroyed at {at}")?;
        }
        write!(f, "The subject's {} other data keys stay readable.", self.kept_keys)?;
        match (self.applied, self.unreadable_everywhere_from) {
            (true, Some(from)) => write!(f, "\nNo copy anywhere can be read from {from}."),
            (true, None) => write!(f, "\nCopies of the ring file made before must be destroyed too."),
            (false, _) => Ok(()),
        }
    }
}

impl App {
    /// Destroys the data keys of a subject's class and month when `apply` is set, else tells what
    /// that would destroy. The ring key is changed with it. If it is interrupted after the data keys
    /// are gone, [`App::rotate_ring`] finishes it.
    ///
    /// # Errors
    /// Not found when there is no such key; conflict when what is still in force about access to the
    /// record is sealed by it; invalid for a month of another form or without a reason; forbidden;
    /// unavailable.
    pub async fn shred(
        &self,
        caller: &Caller,
        root: &dyn RootKey,
        disposal: &Disposal,
        apply: bool,
    ) -> Result<ShredReport> {
        let decision = self.may_handle_keys(caller).await?;
        let month = month_of(&disposal.month).ok_or_else(|| fault("month", "a month is YYYY-MM", "value"))?;
        let reason = disposal.reason.trim();
        if reason.is_empty() || reason.chars().count() > 1000 {
            return Err(fault("reason", "a reason of 1 to 1,000 characters is needed", "required"));
        }
        let family = self.family(disposal, month).await?;
        self.refuse_deciding(&family).await?;
        let mut report = self.planned(disposal, &family).await?;
        let key = family.doomed.first().copied().unwrap_or(family.subject.id);
        if !apply {
            let mut unit = Unit::new();
            let stated = json!({ "step": "shred-planned", "reason": reason });
            let mut entry = self.key_entry(caller, &decision, &unit, Some(key), 0, &stated)?;
            entry.subject = Some(disposal.subject);
            unit.entries.push(entry);
            return self.told(caller, unit, report).await;
        }
        // A rotation that was under way may have wrapped the doomed keys anew already: this one has
        // to begin before they go and end after it.
        self.finish_earlier_ring(caller, &decision, root).await?;
        let rotation = self.vault.begin_rotation(root, self.clock.now()).map_err(vault_error)?;
        self.destroy(caller, &decision, disposal, month).await?;
        self.finish_ring(caller, &decision, root, rotation).await?;
        report.applied = true;
        report.rings_destroyed = vec![rotation.old];
        report.destroyed = Some(self.clock.now());
        let mut unit = Unit::new();
        let stated = json!({ "step": "shredded", "certificate": report.to_string(), "reason": reason });
        let mut entry = self.key_entry(caller, &decision, &unit, Some(key), report.versions, &stated)?;
        entry.subject = Some(disposal.subject);
        unit.entries.push(entry);
        self.told(caller, unit, report).await
    }

    /// Gives the report once what tells of it is durable.
    async fn told(&self, caller: &Caller, unit: Unit, report: ShredReport) -> Result<ShredReport> {
        match self.settle(caller, unit).await? {
            Settled::Done => Ok(report),
            Settled::Again => Err(kept_changing()),
        }
    }

    /// The unit of the disposal: keys go, others are wrapped anew, the clinical index is made anew
    /// under the new subject key, and everybody looks again.
    async fn destroy(
        &self,
        caller: &Caller,
        decision: &Decision,
        disposal: &Disposal,
        month: Month,
    ) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let version = self.access_version(AccessKey::from(disposal.subject)).await?;
            let family = self.family(disposal, month).await?;
            self.refuse_deciding(&family).await?;
            let now = self.clock.now();
            let changes = family.plan.changes(&self.vault, now).map_err(vault_error)?;
            let mut unit = Unit::new().guard(AccessKey::from(disposal.subject), version);
            unit.bumps.extend([AccessKey::from(disposal.subject), of_key(family.subject.id)]);
            unit.changes
                .extend(changes.delete.iter().map(|id| Change::one(&sql::DELETE_KEY, vec![(*id).into()])));
            unit.changes.extend(changes.insert.iter().map(insert_key));
            for row in changes.replace {
                let args = vec![row.id.into(), row.parent.into(), row.bytes.into(), family.subject.id.into()];
                unit.changes.push(Change::one(&sql::REWRAP, args));
            }
            let new =
                changes.insert.first().ok_or_else(|| Error::internal("a shred plan without a new key"))?;
            self.rebuild_codes(&family, new, &mut unit)?;
            let count = self.sealed_by(&family).await?;
            let stated = json!({
                "step": "data-keys-destroyed", "class": disposal.class, "month": disposal.month,
                "reason": disposal.reason.trim(),
            });
            let mut entry =
                self.key_entry(caller, decision, &unit, family.doomed.first().copied(), count, &stated)?;
            entry.subject = Some(disposal.subject);
            match self.settle(caller, unit.entry(entry)).await {
                Ok(Settled::Done) => return Ok(()),
                Ok(Settled::Again) => {}
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        Err(kept_changing())
    }

    /// The rows of the clinical index under the new subject key, for everything that stays readable.
    /// They hold only if nothing of the subject changed meanwhile.
    fn rebuild_codes(&self, family: &Family, new: &WrappedKey, unit: &mut Unit) -> Result<()> {
        let subject = family.of;
        let key = self.vault.verify(new, Parent::Ring).map_err(vault_error)?;
        let index = SubjectIndex::new(&key).map_err(vault_error)?;
        unit.changes.push(Change::Execute {
            statement: &sql::STILL_SO_MANY,
            args: vec![subject.into()],
            expect: Expect::Exactly(family.objects.len() as u64),
        });
        unit.changes.push(Change::any(&sql::DELETE_CLINICAL_OF_SUBJECT, vec![subject.into()]));
        for version in &family.objects {
            unit.changes
                .push(Change::one(&sql::STILL_AT, vec![version.object.into(), version.version.into()]));
        }
        for version in &family.objects {
            let gone = family.is_doomed(version);
            if version.kind == kind::PATIENT {
                if gone {
                    unit.changes.push(Change::any(&sql::DELETE_TOKENS, vec![version.object.into()]));
                }
                continue;
            }
            if gone || !mimamori_fhir::served_types().contains(&version.kind.as_str()) {
                continue;
            }
            let plain = match open_with(&family.keys, version) {
                Ok(plain) => plain,
                // Destroyed by an earlier disposal.
                Err(error) if error.kind() == ErrorKind::Gone => continue,
                Err(error) => return Err(error),
            };
            let values = crate::people::values_of(&plain)?;
            unit.changes.push(clinical_rows(&index, subject, &version.kind, version.object, &values));
        }
        Ok(())
    }

    async fn planned(&self, disposal: &Disposal, family: &Family) -> Result<ShredReport> {
        Ok(ShredReport {
            applied: false,
            subject: disposal.subject,
            class: disposal.class.clone(),
            month: disposal.month.clone(),
            keys: family.doomed.iter().copied().collect(),
            versions: self.sealed_by(family).await?,
            kept_keys: family.kept,
            rings_destroyed: Vec::new(),
            destroyed: None,
            unreadable_everywhere_from: None,
        })
    }

    /// How many versions the doomed keys seal.
    async fn sealed_by(&self, family: &Family) -> Result<u64> {
        let mut count = 0;
        for key in &family.doomed {
            let args = vec![family.of.into(), (*key).into()];
            if let Some(row) = self.store.query_one(&sql::SEALED_BY, args).await? {
                count += row.unsigned(0).map_err(Error::unavailable)?;
            }
        }
        Ok(count)
    }

    /// Team, consents, proxies and flags that hold decide who may see the record: without them
    /// everything or nothing would be permitted. They are withdrawn first, or kept.
    async fn refuse_deciding(&self, family: &Family) -> Result<()> {
        let in_force = |version: &&ObjectVersion| {
            DECIDING.contains(&version.kind.as_str())
                && version.state != Some(RecordState::Withdrawn)
                && family.is_doomed(version)
        };
        match family.objects.iter().find(in_force) {
            None => Ok(()),
            Some(version) => Err(Error::conflict(format!(
                "this key also seals what decides about access to the record ({}) and is in force; withdraw that first",
                version.kind
            ))),
        }
    }

    /// A subject's keys and objects, and which of the keys are to go.
    async fn family(&self, disposal: &Disposal, month: Month) -> Result<Family> {
        let of = disposal.subject;
        let mut rows = self.store.query(&sql::KEYS_OF, vec![of.into()]).await?;
        let rows = rows.iter_mut().map(key_from_row).collect::<Result<Vec<_>>>()?;
        let subject =
            rows.iter().find(|row| row.usage == KeyUse::Subject).cloned().ok_or_else(Error::not_found)?;
        let data: Vec<WrappedKey> = rows.iter().filter(|row| row.usage.under_subject()).cloned().collect();
        let usage = KeyUse::Data { class: disposal.class.clone(), month };
        let doomed: BTreeSet<KeyId> =
            data.iter().filter(|row| row.usage == usage).map(|row| row.id).collect();
        if doomed.is_empty() {
            return Err(Error::new(
                ErrorKind::NotFound,
                "there is no data key of this class and month; if destroying it was interrupted, rotate the ring key",
            ));
        }
        let plan = ShredPlan::data_keys(&subject, &data, &doomed).map_err(vault_error)?;
        let mut objects = Vec::new();
        let mut after = ObjectId::from_bytes([0; 16]);
        loop {
            let rows =
                self.store.query(&sql::ALL_OF_SUBJECT, vec![of.into(), after.into(), STRIDE.into()]).await?;
            let last = (rows.len() as i64) < STRIDE;
            for mut row in rows {
                let version = object_from_row(&mut row)?;
                after = version.object;
                objects.push(version);
            }
            if last {
                break;
            }
        }
        let kept = (data.len() - doomed.len()) as u64;
        let keys = SubjectKeys::open(&self.vault, &rows)?;
        Ok(Family { of, subject, plan, doomed, kept, keys, objects })
    }
}

/// A subject as a disposal sees it.
struct Family {
    of: SubjectId,
    subject: WrappedKey,
    plan: ShredPlan,
    doomed: BTreeSet<KeyId>,
    /// How many data keys stay.
    kept: u64,
    keys: SubjectKeys,
    /// Current versions of all of the subject's objects.
    objects: Vec<ObjectVersion>,
}

impl Family {
    fn is_doomed(&self, version: &ObjectVersion) -> bool {
        version.key.is_some_and(|key| self.doomed.contains(&key))
    }
}

fn month_of(text: &str) -> Option<Month> {
    let (year, month) = text.split_once('-')?;
    let month = Month::new(year.parse().ok()?, month.parse().ok()?)?;
    (month.to_string() == text).then_some(month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_has_one_form() {
        assert_eq!(month_of("2026-11"), Month::new(2026, 11));
        for wrong in ["2026-1", "2026-13", "26-11", "2026/11", "2026-11-01", ""] {
            assert_eq!(month_of(wrong), None, "{wrong}");
        }
    }
}
