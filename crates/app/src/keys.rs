//! The keys of the installation and of people, as rows and as opened keys.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use mimamori_domain::{ActorId, ClassCode, Error, KeyId, Result, SubjectId, Timestamp};
use mimamori_ledger::Signer;
use mimamori_store::{Change, Row, Value, tables};
use mimamori_vault::{
    CursorKey, IndexField, IndexKey, KeyUse, Month, Parent, SecretKey, Vault, VaultError, WrappedKey,
    hash_token,
};

/// Every failure of the vault is a refusal: nothing personal leaves without its key.
pub(crate) fn vault_error(error: VaultError) -> Error {
    Error::unavailable(error)
}

/// The keys that belong to the installation as a whole, opened once at start.
pub(crate) struct InstallationKeys {
    pub(crate) settings: SecretKey,
    pub(crate) ledger_seal: SecretKey,
    /// Makes the search tokens of people.
    pub(crate) index: Indexes,
    /// Makes the tokens of what is kept only as a token or outlives an index: sign-in names, source
    /// ids of imports, codes of session rows. It is generation 0 and is never replaced.
    pub(crate) fixed: IndexKey,
    pub(crate) cursor: CursorKey,
    pub(crate) signer_seed: SecretKey,
}

impl InstallationKeys {
    /// Makes the keys of a new installation; returns the rows to store.
    pub(crate) fn create(vault: &Vault, now: Timestamp) -> Result<Vec<WrappedKey>> {
        [
            KeyUse::Settings,
            KeyUse::LedgerSeal,
            KeyUse::Index { generation: FIXED },
            KeyUse::Index { generation: FIXED + 1 },
            KeyUse::Cursor,
            KeyUse::CheckpointSigner,
        ]
        .into_iter()
        .map(|usage| vault.generate(Parent::Ring, usage, None, now).map(|(_, row)| row).map_err(vault_error))
        .collect()
    }

    /// Opens the keys from their rows.
    pub(crate) fn open(vault: &Vault, rows: &[WrappedKey]) -> Result<Self> {
        let find = |wanted: fn(&KeyUse) -> Option<u32>| {
            rows.iter()
                .filter_map(|row| wanted(&row.usage).map(|rank| (rank, row)))
                .max_by_key(|(rank, _)| *rank)
                .ok_or_else(|| Error::unavailable("a key of the installation is missing from wrapped_key"))
                .and_then(|(rank, row)| {
                    vault.unwrap(row, Parent::Ring).map(|key| (rank, key)).map_err(vault_error)
                })
        };
        let (_, settings) = find(|usage| (*usage == KeyUse::Settings).then_some(0))?;
        let (_, ledger_seal) = find(|usage| (*usage == KeyUse::LedgerSeal).then_some(0))?;
        let (_, cursor) = find(|usage| (*usage == KeyUse::Cursor).then_some(0))?;
        let (_, signer_seed) = find(|usage| (*usage == KeyUse::CheckpointSigner).then_some(0))?;
        let (_, fixed) = find(|usage| (*usage == KeyUse::Index { generation: FIXED }).then_some(0))?;
        Ok(Self {
            settings,
            ledger_seal,
            index: Indexes::open(vault, rows)?,
            fixed: IndexKey::new(&fixed).map_err(vault_error)?,
            cursor: CursorKey::new(&cursor).map_err(vault_error)?,
            signer_seed,
        })
    }

    /// What address hashes are made with: the same in every program of the installation.
    pub(crate) fn address_salt(&self) -> [u8; 32] {
        let token = self.fixed.token(IndexField::Identifier, "mimamori:address-salt|");
        hash_token(token.as_bytes())
    }

    /// The signer of checkpoints with this origin.
    pub(crate) fn signer(&self, origin: &str) -> Result<Signer> {
        let seed = self.signer_seed.expose_seed().map_err(vault_error)?;
        Signer::from_seed(origin, &seed).map_err(Error::unavailable)
    }
}

/// The generation of the index key that is never replaced.
const FIXED: u32 = 0;

/// The keys of people's search tokens, by rising generation: one, or two while the index is made
/// anew. What is written gets tokens of each; what is searched for is asked for with each.
pub(crate) struct Indexes(RwLock<Arc<[IndexKey]>>);

impl Indexes {
    fn open(vault: &Vault, rows: &[WrappedKey]) -> Result<Self> {
        Ok(Self(RwLock::new(Self::keys(vault, rows)?)))
    }

    /// Takes what the rows say now.
    pub(crate) fn renew(&self, vault: &Vault, rows: &[WrappedKey]) -> Result<()> {
        let keys = Self::keys(vault, rows)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    fn keys(vault: &Vault, rows: &[WrappedKey]) -> Result<Arc<[IndexKey]>> {
        let mut keys = Vec::new();
        for row in rows {
            if matches!(row.usage, KeyUse::Index { generation } if generation != FIXED) {
                let key = unwrap(vault, row, Parent::Ring)?;
                keys.push(IndexKey::new(&key).map_err(vault_error)?);
            }
        }
        if keys.is_empty() {
            return Err(Error::unavailable("the index key is missing from wrapped_key"));
        }
        keys.sort_by_key(IndexKey::generation);
        Ok(keys.into())
    }

    /// Every key in use, by rising generation.
    pub(crate) fn all(&self) -> Arc<[IndexKey]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The generation that is in use, or is being made.
    pub(crate) fn newest(&self) -> u32 {
        self.all().last().map_or(FIXED, IndexKey::generation)
    }
}

/// A subject's keys, opened.
#[derive(Clone)]
pub(crate) struct SubjectKeys {
    pub(crate) subject: SecretKey,
    data: HashMap<KeyId, SecretKey>,
    newest: HashMap<(ClassCode, Month), KeyId>,
}

impl SubjectKeys {
    /// Opens the rows whose owner is the subject.
    pub(crate) fn open(vault: &Vault, rows: &[WrappedKey]) -> Result<Self> {
        let row = rows
            .iter()
            .find(|row| row.usage == KeyUse::Subject)
            .ok_or_else(|| Error::unavailable("a subject has no key"))?;
        let subject = unwrap(vault, row, Parent::Ring)?;
        let mut keys = Self { subject, data: HashMap::new(), newest: HashMap::new() };
        for row in rows.iter().filter(|row| row.usage.under_subject()) {
            let key = unwrap(vault, row, Parent::Key(&keys.subject))?;
            keys.add(key);
        }
        Ok(keys)
    }

    /// A new subject's keys, and the row to store.
    pub(crate) fn create(vault: &Vault, subject: SubjectId, now: Timestamp) -> Result<(Self, WrappedKey)> {
        let (key, row) = vault
            .generate(Parent::Ring, KeyUse::Subject, Some(*subject.as_bytes()), now)
            .map_err(vault_error)?;
        Ok((Self { subject: key, data: HashMap::new(), newest: HashMap::new() }, row))
    }

    /// Takes a key in, for what is sealed or opened next.
    pub(crate) fn add(&mut self, key: SecretKey) {
        if let KeyUse::Data { class, month } = key.usage() {
            self.newest.insert((class.clone(), *month), key.id());
        }
        self.data.insert(key.id(), key);
    }

    /// The data key a ciphertext names; `None` once it was destroyed.
    pub(crate) fn find(&self, id: KeyId) -> Option<&SecretKey> {
        self.data.get(&id)
    }

    /// The data key for a class in this month. A new one is made when there is none yet; its row
    /// comes with it and must commit with what it seals.
    pub(crate) fn for_writing(
        &self,
        vault: &Vault,
        class: &ClassCode,
        now: Timestamp,
    ) -> Result<(SecretKey, Option<WrappedKey>)> {
        let month = Month::of(now);
        if let Some(key) = self.newest.get(&(class.clone(), month)).and_then(|id| self.data.get(id)) {
            return Ok((key.clone(), None));
        }
        let usage = KeyUse::Data { class: class.clone(), month };
        let (key, row) = vault
            .generate(Parent::Key(&self.subject), usage, self.subject.owner(), now)
            .map_err(vault_error)?;
        Ok((key, Some(row)))
    }
}

/// A new key for a member of staff, a citizen user or a program.
pub(crate) fn staff_key(vault: &Vault, actor: ActorId, now: Timestamp) -> Result<(SecretKey, WrappedKey)> {
    vault.generate(Parent::Ring, KeyUse::Staff, Some(*actor.as_bytes()), now).map_err(vault_error)
}

/// Opens a row, or takes the opened key from the vault's cache.
pub(crate) fn unwrap(vault: &Vault, row: &WrappedKey, parent: Parent<'_>) -> Result<SecretKey> {
    vault.unwrap(row, parent).map_err(vault_error)
}

/// The change that stores a wrapped key.
pub(crate) fn insert_key(row: &WrappedKey) -> Change {
    Change::insert(
        &tables::WRAPPED_KEY,
        vec![
            row.id.into(),
            row.parent.into(),
            row.usage.to_string().into(),
            row.owner.map_or(Value::Null(mimamori_store::ColumnType::Blob), Value::from),
            row.created.into(),
            row.bytes.clone().into(),
        ],
    )
}

/// Reads a row of `id, parent, usage, owner, created, bytes`.
pub(crate) fn key_from_row(row: &mut Row) -> Result<WrappedKey> {
    let wrong =
        |e: &dyn std::fmt::Display| Error::unavailable(format!("a row of wrapped_key is unreadable: {e}"));
    Ok(WrappedKey {
        id: row.id_of(0).map_err(|e| wrong(&e))?,
        parent: row.id_of(1).map_err(|e| wrong(&e))?,
        usage: row.text(2).map_err(|e| wrong(&e))?.parse().map_err(|e| wrong(&e))?,
        owner: row
            .opt_blob(3)
            .map_err(|e| wrong(&e))?
            .map(|bytes| <[u8; 16]>::try_from(bytes).map_err(|e| wrong(&e)))
            .transpose()?,
        created: row.time(4).map_err(|e| wrong(&e))?,
        bytes: row.take_blob(5).map_err(|e| wrong(&e))?,
    })
}
