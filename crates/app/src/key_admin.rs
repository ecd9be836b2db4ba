//! Keys made, changed and destroyed: the ring key, data keys, the key of the search index.
//!
//! Each of these may be interrupted anywhere and is taken up again by calling it once more. What
//! stands under a key that is being replaced must not grow meanwhile: every unit that adds a row
//! under a key, or tokens of an index, is guarded on an access version that belongs to that key, and
//! retiring the key raises it. So a program that has not noticed the change is refused, never lost.

mod index;
mod ring;
mod shred;

use std::collections::BTreeSet;

use mimamori_domain::{Action, Error, ErrorKind, KeyId, Kind, ObjectId, Result};
use mimamori_ledger::EntryDraft;
use mimamori_policy::{Decision, GeneralTarget};
use mimamori_store::{AccessKey, AccessScope, Change, Guard, Unit, Value, tables};

pub use self::shred::{Disposal, ShredReport};
use crate::access::decided;
use crate::caller::Caller;
use crate::keys::key_from_row;
use crate::{App, sql};

/// What entries about keys name as their resource.
const KEY: Kind = Kind::of("key");

/// The access version of a key: raised when nothing may be added under it any more.
fn of_key(key: KeyId) -> AccessKey {
    AccessKey { scope: AccessScope::Pack, id: *key.as_bytes() }
}

/// The access version of a generation of the search index.
fn of_generation(generation: u32) -> AccessKey {
    let mut id = *b"mimamori-idx\0\0\0\0";
    if let Some(number) = id.last_chunk_mut::<4>() {
        *number = generation.to_be_bytes();
    }
    AccessKey { scope: AccessScope::Pack, id }
}

/// Whether an access version belongs to a key rather than to the policy pack.
pub(crate) fn is_of_keys(key: AccessKey) -> bool {
    key.scope == AccessScope::Pack && key != AccessKey::PACK
}

/// The guards that a unit's rows need: that no key above a new key, and no generation of new search
/// tokens, has been retired.
pub(crate) fn guards_of_keys(changes: &[Change]) -> Vec<Guard> {
    let mut keys = BTreeSet::new();
    let mut new = BTreeSet::new();
    let key_of = |value: Option<&Value>| match value {
        Some(Value::Blob(bytes)) => KeyId::from_slice(bytes).ok().map(of_key),
        _ => None,
    };
    for change in changes {
        match change {
            Change::Insert { table, rows } if table.name == tables::WRAPPED_KEY.name => {
                new.extend(rows.iter().filter_map(|row| key_of(row.first())));
                keys.extend(rows.iter().filter_map(|row| key_of(row.get(1))));
            }
            Change::Insert { table, rows } if table.name == tables::SEARCH_TOKEN.name => {
                let generation = rows.iter().filter_map(|row| match row.get(4) {
                    Some(Value::Int(generation)) => u32::try_from(*generation).ok(),
                    _ => None,
                });
                keys.extend(generation.max().map(of_generation));
            }
            Change::Execute { statement, args, .. } if statement.name == sql::REWRAP.name => {
                keys.extend(key_of(args.get(1)));
            }
            Change::Insert { .. } | Change::Execute { .. } => {}
        }
    }
    keys.difference(&new).map(|key| Guard { key: *key, version: 0 }).collect()
}

impl App {
    /// The guard that a search relies on: the newest generation known is not retired.
    pub(crate) fn index_guard(&self) -> Guard {
        Guard { key: of_generation(self.keys.index.newest()), version: 0 }
    }

    /// Called when something was built with a key that has been retired: reads the index keys again,
    /// so that the next attempt goes through.
    pub(crate) async fn keys_changed(&self) -> Error {
        match self.renew_indexes().await {
            Ok(()) => Error::new(ErrorKind::Busy, "keys are being changed just now; please try again"),
            Err(error) => error,
        }
    }

    async fn renew_indexes(&self) -> Result<()> {
        let mut rows = self.store.query(&sql::KEYS_OF_NOBODY, Vec::new()).await?;
        let rows = rows.iter_mut().map(key_from_row).collect::<Result<Vec<_>>>()?;
        self.keys.index.renew(&self.vault, &rows)
    }

    async fn may_handle_keys(&self, caller: &Caller) -> Result<Decision> {
        self.require_general(caller, Action::Key, GeneralTarget::of(KEY)).await
    }

    /// An entry about so many keys, or about what they seal.
    fn key_entry(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &Unit,
        key: Option<KeyId>,
        count: u64,
        stated: &serde_json::Value,
    ) -> Result<EntryDraft> {
        let mut entry = decided(caller.entry(unit.id, Action::Key), decision);
        entry.resource = Some((KEY, key.map(|key| ObjectId::from_bytes(*key.as_bytes()))));
        entry.count = count;
        self.with_sealed(caller, entry, 0, Some(&stated.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_under_a_key_is_guarded_unless_the_key_comes_with_it() {
        let (ring, subject, data) = (KeyId::random(), KeyId::random(), KeyId::random());
        let row =
            |id: KeyId, parent: KeyId| Change::insert(&tables::WRAPPED_KEY, vec![id.into(), parent.into()]);
        let guards = guards_of_keys(&[row(subject, ring), row(data, subject)]);
        assert_eq!(guards, [Guard { key: of_key(ring), version: 0 }]);
        let guards = guards_of_keys(&[row(data, subject)]);
        assert_eq!(guards, [Guard { key: of_key(subject), version: 0 }]);
    }

    #[test]
    fn generations_and_the_pack_are_told_apart() {
        assert_ne!(of_generation(1), of_generation(2));
        assert!(is_of_keys(of_generation(1)) && !is_of_keys(AccessKey::PACK));
    }
}
