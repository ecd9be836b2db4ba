//! The keys that seal what belongs to the organisation: one for each register, procedure, duty or
//! document and month of creation, the unit of disposal.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use mimamori_domain::{ClassCode, Error, ErrorKind, KeyId, Result, Timestamp};
use mimamori_vault::{KeyUse, Month, Parent, SecretKey, key_id_of};
use zeroize::Zeroizing;

use crate::context::open_object;
use crate::keys::{insert_key, key_from_row, unwrap, vault_error};
use crate::{App, sql};
use mimamori_store::{Change, ObjectVersion, Row, Unit, Value, tables};

/// The opened keys, filled as they are met.
#[derive(Default)]
pub(crate) struct RegisterKeys(RwLock<Opened>);

#[derive(Default)]
struct Opened {
    keys: HashMap<KeyId, SecretKey>,
    newest: HashMap<(ClassCode, Month), KeyId>,
}

impl RegisterKeys {
    fn add(&self, key: &SecretKey) {
        let mut opened = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let KeyUse::Register { code, month } = key.usage() {
            opened.newest.insert((code.clone(), *month), key.id());
        }
        opened.keys.insert(key.id(), key.clone());
    }

    fn find(&self, id: KeyId) -> Option<SecretKey> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).keys.get(&id).cloned()
    }

    fn newest(&self, code: &ClassCode, month: Month) -> Option<SecretKey> {
        let opened = self.0.read().unwrap_or_else(PoisonError::into_inner);
        opened.newest.get(&(code.clone(), month)).and_then(|id| opened.keys.get(id)).cloned()
    }

    /// Forgets every opened key, after keys were destroyed or wrapped anew.
    pub(crate) fn forget(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Opened::default();
    }
}

impl App {
    /// The key that seals something new of this code now. Where there is none yet, one is made, and
    /// the unit gets its row: it commits with what it seals.
    pub(crate) async fn register_key(
        &self,
        unit: &mut Unit,
        code: &ClassCode,
        now: Timestamp,
    ) -> Result<SecretKey> {
        let month = Month::of(now);
        if let Some(key) = self.register_keys.newest(code, month) {
            return Ok(key);
        }
        let usage = KeyUse::Register { code: code.clone(), month };
        if let Some(mut row) = row_within(unit, &usage.to_string()) {
            return unwrap(&self.vault, &key_from_row(&mut row)?, Parent::Ring);
        }
        let rows = self.store.query(&sql::KEYS_OF_USAGE, vec![usage.to_string().into()]).await?;
        if let Some(mut row) = rows.into_iter().next() {
            let key = unwrap(&self.vault, &key_from_row(&mut row)?, Parent::Ring)?;
            self.register_keys.add(&key);
            return Ok(key);
        }
        // It is remembered once it is met in the database: this unit may still fail.
        let (key, row) = self.vault.generate(Parent::Ring, usage, None, now).map_err(vault_error)?;
        unit.changes.push(insert_key(&row));
        Ok(key)
    }

    /// Opens a body that belongs to the organisation.
    pub(crate) async fn open_register_body(&self, version: &ObjectVersion) -> Result<Zeroizing<Vec<u8>>> {
        let id = key_id_of(&version.body).map_err(vault_error)?;
        if let Some(key) = self.register_keys.find(id) {
            return open_object(&key, version);
        }
        let row = self.store.query_one(&sql::KEY, vec![id.into()]).await?;
        let Some(mut row) = row else {
            return Err(Error::new(ErrorKind::Gone, "this content was erased; it cannot be read any more"));
        };
        let key = unwrap(&self.vault, &key_from_row(&mut row)?, Parent::Ring)?;
        self.register_keys.add(&key);
        open_object(&key, version)
    }
}

/// The row of a key that comes with this unit.
fn row_within(unit: &Unit, usage: &str) -> Option<Row> {
    let rows = unit.changes.iter().filter_map(|change| match change {
        Change::Insert { table, rows } if table.name == tables::WRAPPED_KEY.name => Some(rows),
        _ => None,
    });
    rows.flatten()
        .find(|row| matches!(row.get(2), Some(Value::Text(text)) if text == usage))
        .map(|row| Row::new(row.clone()))
}
