//! Changing the key of people's search tokens: a new generation is made beside the old one, person
//! by person; searching asks for both until the old one is gone.
//!
//! Sign-in names, source ids and the codes of session rows are made with a key of their own that
//! stays (`InstallationKeys::fixed`): what they are made from is not kept, or must outlive an index.

use std::collections::HashSet;

use mimamori_domain::{Error, ErrorKind, ObjectId, Result, SubjectId};
use mimamori_policy::Decision;
use mimamori_store::{Change, ObjectVersion, Unit, statements::search};
use mimamori_vault::{IndexKey, KeyUse, Parent};
use serde_json::json;

use super::of_generation;
use crate::access::{ATTEMPTS, Settled, kept_changing};
use crate::body::kind;
use crate::caller::Caller;
use crate::context::{object_from_row, open_with};
use crate::import::claim;
use crate::keys::{insert_key, key_from_row, vault_error};
use crate::record::person_token_rows;
use crate::{App, sql};

/// People whose tokens are made anew in one unit.
const STRIDE: i64 = 100;

impl App {
    /// Gives people's search tokens a new key and takes the old tokens and their key away; gives how
    /// many people got new tokens. A change that was interrupted is finished instead. People are
    /// found all the while. Copies of the database keep the old key until the ring key is changed.
    ///
    /// # Errors
    /// Forbidden, busy, unavailable. Called again, it goes on where it stopped.
    pub async fn rotate_index(&self, caller: &Caller) -> Result<u64> {
        let decision = self.may_handle_keys(caller).await?;
        self.renew_indexes().await?;
        if self.keys.index.all().len() == 1 {
            self.begin_generation(caller, &decision).await?;
        }
        let indexes = self.keys.index.all();
        let Some((new, old)) = indexes.split_last() else {
            return Err(Error::unavailable("there is no index key"));
        };
        let mut rebuilt = 0;
        let mut after = ObjectId::from_bytes([0; 16]);
        while let Some((last, count)) = self.rebuild_some(caller, &decision, new, old, after).await? {
            after = last;
            rebuilt += count;
        }
        self.forget_generations(caller, &decision, new).await?;
        Ok(rebuilt)
    }

    /// Keeps a new key beside the one in use. From here on nothing is added under the old one alone.
    async fn begin_generation(&self, caller: &Caller, decision: &Decision) -> Result<()> {
        let old = self.keys.index.newest();
        let usage = KeyUse::Index { generation: old + 1 };
        let (key, row) =
            self.vault.generate(Parent::Ring, usage, None, self.clock.now()).map_err(vault_error)?;
        let unit = Unit::new().bump(of_generation(old)).change(insert_key(&row));
        let stated = json!({ "step": "index-key-made", "generation": old + 1 });
        self.commit_about_keys(caller, decision, unit, key.id(), 0, &stated).await?;
        self.renew_indexes().await
    }

    /// Makes the tokens of the next people; gives the last one looked at and how many got new ones.
    async fn rebuild_some(
        &self,
        caller: &Caller,
        decision: &Decision,
        new: &IndexKey,
        old: &[IndexKey],
        after: ObjectId,
    ) -> Result<Option<(ObjectId, u64)>> {
        for _ in 0..ATTEMPTS {
            let people = self.patients_after(after).await?;
            let Some(last) = people.last().map(|version| version.object) else { return Ok(None) };
            let list = people.iter().map(|version| version.object.into()).collect();
            let rows =
                self.store.query_many(&sql::WITH_GENERATION, vec![new.generation().into()], list).await?;
            let done: HashSet<ObjectId> =
                rows.iter().map(|row| row.id_of(0)).collect::<Result<_, _>>().map_err(Error::unavailable)?;
            let mut unit = Unit::new();
            let mut count = 0;
            for version in people.iter().filter(|version| !done.contains(&version.object)) {
                if self.rebuild_person(version, new, old, &mut unit).await? {
                    count += 1;
                }
            }
            if count == 0 {
                return Ok(Some((last, 0)));
            }
            let stated = json!({ "step": "index-rebuilt", "generation": new.generation() });
            let entry = self.key_entry(caller, decision, &unit, None, count, &stated)?;
            match self.settle(caller, unit.entry(entry)).await {
                Ok(Settled::Done) => return Ok(Some((last, count))),
                // Somebody was changed meanwhile: read again.
                Ok(Settled::Again) => {}
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        Err(kept_changing())
    }

    /// Adds a person's new tokens to a unit; nothing when their record was erased.
    async fn rebuild_person(
        &self,
        version: &ObjectVersion,
        new: &IndexKey,
        old: &[IndexKey],
        unit: &mut Unit,
    ) -> Result<bool> {
        let subject = SubjectId::from(version.object);
        let context = self.subject_context(subject).await?;
        let plain = match open_with(&context.keys, version) {
            Ok(plain) => plain,
            Err(error) if error.kind() == ErrorKind::Gone => return Ok(false),
            Err(error) => return Err(error),
        };
        let values = crate::people::values_of(&plain)?;
        unit.guards.push(context.guard());
        unit.changes.push(Change::one(&sql::STILL_AT, vec![version.object.into(), version.version.into()]));
        unit.changes.push(person_token_rows(std::slice::from_ref(new), subject, &values));
        for (system, value) in &values.identifiers {
            let identifier = format!("{system}|{value}");
            for index in old {
                let token = claim(index, &identifier, version.institution).to_vec();
                unit.changes.push(Change::any(&sql::FORGET_SOURCE, vec![token.into()]));
            }
            let token = claim(new, &identifier, version.institution).to_vec();
            unit.changes.push(Change::any(&sql::KEEP_SOURCE, vec![token.into(), version.object.into()]));
        }
        Ok(true)
    }

    /// Takes the tokens of earlier generations away, then their keys.
    async fn forget_generations(&self, caller: &Caller, decision: &Decision, new: &IndexKey) -> Result<()> {
        let generation = new.generation();
        let mut after = ObjectId::from_bytes([0; 16]);
        loop {
            let people = self.patients_after(after).await?;
            let Some(last) = people.last() else { break };
            after = last.object;
            let mut unit = Unit::new();
            for version in &people {
                let args = vec![version.object.into(), generation.into()];
                unit.changes.push(Change::any(&search::FORGET_OLD_TOKENS, args));
            }
            let stated = json!({ "step": "index-forgotten", "before": generation });
            let entry = self.key_entry(caller, decision, &unit, None, people.len() as u64, &stated)?;
            if let Settled::Again = self.settle(caller, unit.entry(entry)).await? {
                return Err(kept_changing());
            }
        }
        let mut rows = self.store.query(&sql::KEYS_OF_NOBODY, Vec::new()).await?;
        let rows = rows.iter_mut().map(key_from_row).collect::<Result<Vec<_>>>()?;
        let mut unit = Unit::new();
        unit.changes.push(Change::any(&sql::SWEEP_TOKENS, vec![generation.into()]));
        let old = rows.iter().filter(
            |row| matches!(row.usage, KeyUse::Index { generation: other } if other > 0 && other < generation),
        );
        let mut count = 0;
        for row in old {
            unit.changes.push(Change::one(&sql::DELETE_KEY, vec![row.id.into()]));
            self.vault.evict(row.id);
            count += 1;
        }
        let stated = json!({ "step": "index-key-destroyed", "before": generation });
        let entry = self.key_entry(caller, decision, &unit, None, count, &stated)?;
        if let Settled::Again = self.settle(caller, unit.entry(entry)).await? {
            return Err(kept_changing());
        }
        self.renew_indexes().await
    }

    async fn patients_after(&self, after: ObjectId) -> Result<Vec<ObjectVersion>> {
        let args = vec![kind::PATIENT.as_str().to_owned().into(), after.into(), STRIDE.into()];
        let mut rows = self.store.query(&sql::CURRENT_OF_KIND, args).await?;
        rows.iter_mut().map(object_from_row).collect()
    }
}
