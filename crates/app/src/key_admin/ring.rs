//! Changing the ring key: every key that stands under it is wrapped anew, then it is destroyed.

use mimamori_domain::{Error, ErrorKind, KeyId, Result};
use mimamori_policy::Decision;
use mimamori_store::{Change, Unit};
use mimamori_vault::{RootKey, Rotation};
use serde_json::json;

use super::of_key;
use crate::access::{ATTEMPTS, Settled, kept_changing};
use crate::caller::Caller;
use crate::keys::{key_from_row, vault_error};
use crate::{App, sql};

/// So many keys are wrapped anew in one unit.
const TOGETHER: i64 = 200;

impl App {
    /// Puts every key under a new ring key and destroys the old one; gives how many. A change that
    /// was interrupted is finished instead. Other programs of the installation must be started again
    /// afterwards: until then they refuse what they cannot open.
    ///
    /// # Errors
    /// Forbidden; unavailable when the ring file or the database cannot be written. Called again, it
    /// goes on where it stopped.
    pub async fn rotate_ring(&self, caller: &Caller, root: &dyn RootKey) -> Result<u64> {
        let decision = self.may_handle_keys(caller).await?;
        self.vault.reload(root).map_err(vault_error)?;
        let rotation = match self.vault.rotation() {
            Some(rotation) => rotation,
            None => self.vault.begin_rotation(root, self.clock.now()).map_err(vault_error)?,
        };
        self.finish_ring(caller, &decision, root, rotation).await
    }

    /// Finishes a rotation that was begun before, if there is one.
    pub(super) async fn finish_earlier_ring(
        &self,
        caller: &Caller,
        decision: &Decision,
        root: &dyn RootKey,
    ) -> Result<()> {
        self.vault.reload(root).map_err(vault_error)?;
        if let Some(rotation) = self.vault.rotation() {
            self.finish_ring(caller, decision, root, rotation).await?;
        }
        Ok(())
    }

    /// Wraps anew what stands under the old ring key, then destroys it; gives how many keys.
    pub(super) async fn finish_ring(
        &self,
        caller: &Caller,
        decision: &Decision,
        root: &dyn RootKey,
        rotation: Rotation,
    ) -> Result<u64> {
        let unit = Unit::new().bump(of_key(rotation.old));
        let stated = json!({ "step": "ring-key-retired", "old": rotation.old.to_string() });
        self.commit_about_keys(caller, decision, unit, rotation.new, 0, &stated).await?;
        let (mut done, mut failures) = (0, 0);
        loop {
            match self.rewrap_some(caller, decision, rotation).await {
                Ok(0) => break,
                Ok(count) => {
                    done += count;
                    failures = 0;
                }
                // A key was destroyed or replaced meanwhile: look again.
                Err(error) if error.kind() == ErrorKind::Conflict && failures < ATTEMPTS => failures += 1,
                Err(error) => return Err(error),
            }
        }
        // Nothing can be added under the old key any more, so this count stays right.
        let left = self.keys_under(rotation.old).await?.len() as u64;
        self.vault.finish_rotation(root, rotation.old, left).map_err(vault_error)?;
        // What stands in memory was opened under the key that is gone: it is opened anew.
        self.register_keys.forget();
        let stated =
            json!({ "step": "ring-key-destroyed", "old": rotation.old.to_string(), "rewrapped": done });
        self.commit_about_keys(caller, decision, Unit::new(), rotation.new, done, &stated).await?;
        Ok(done)
    }

    /// Wraps the next keys anew; 0 when none are left.
    async fn rewrap_some(&self, caller: &Caller, decision: &Decision, rotation: Rotation) -> Result<u64> {
        let rows = self.keys_under(rotation.old).await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let mut unit = Unit::new();
        for row in &rows {
            let new = self.vault.rewrap(row).map_err(vault_error)?;
            let args = vec![new.id.into(), new.parent.into(), new.bytes.into(), rotation.old.into()];
            unit.changes.push(Change::one(&sql::REWRAP, args));
        }
        let count = rows.len() as u64;
        let stated = json!({ "step": "rewrapped" });
        self.commit_about_keys(caller, decision, unit, rotation.new, count, &stated).await?;
        Ok(count)
    }

    async fn keys_under(&self, ring: KeyId) -> Result<Vec<mimamori_vault::WrappedKey>> {
        let args = vec![ring.into(), vec![0_u8; 16].into(), TOGETHER.into()];
        self.store.query(&sql::KEYS_UNDER, args).await?.iter_mut().map(key_from_row).collect()
    }

    pub(super) async fn commit_about_keys(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: Unit,
        key: KeyId,
        count: u64,
        stated: &serde_json::Value,
    ) -> Result<()> {
        let entry = self.key_entry(caller, decision, &unit, Some(key), count, stated)?;
        match self.settle(caller, unit.entry(entry)).await? {
            Settled::Done => Ok(()),
            Settled::Again => Err::<(), Error>(kept_changing()),
        }
    }
}
