//! The vault: the ring and the keys opened so far, shared by the whole program.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use mimamori_domain::{KeyId, Timestamp};

use crate::cache::Cache;
use crate::{KeyUse, Result, Ring, RootKey, Rotation, SecretKey, VaultError, WrappedKey, aead};

/// How many opened keys are kept in memory unless told otherwise (about 4 MB).
pub const DEFAULT_CACHE_SIZE: NonZeroUsize = NonZeroUsize::new(20_000).unwrap();

/// What a new key is to stand under, or what an old one stands under.
#[derive(Debug, Clone, Copy)]
pub enum Parent<'a> {
    /// The ring: for every usage except data keys.
    Ring,
    /// A subject's key: for data keys.
    Key(&'a SecretKey),
}

/// Opens, makes and caches keys. Cheap to clone; all clones share ring and cache.
///
/// The root key is not kept: it is handed in when the ring is opened or changed.
#[derive(Debug, Clone)]
pub struct Vault(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    ring: RwLock<Arc<Ring>>,
    /// Held while the ring file changes, so that readers wait only for the exchange in memory.
    changing: Mutex<()>,
    cache: Mutex<Cache>,
}

impl Vault {
    /// A vault over an opened ring, with a cache of [`DEFAULT_CACHE_SIZE`] keys.
    #[must_use]
    pub fn new(ring: Ring) -> Self {
        Self::with_cache(ring, DEFAULT_CACHE_SIZE)
    }

    /// A vault that keeps at most `keys` opened keys in memory.
    #[must_use]
    pub fn with_cache(ring: Ring, keys: NonZeroUsize) -> Self {
        Self(Arc::new(Shared {
            ring: RwLock::new(Arc::new(ring)),
            changing: Mutex::new(()),
            cache: Mutex::new(Cache::new(keys)),
        }))
    }

    /// Opens the ring file and makes a vault over it.
    ///
    /// # Errors
    /// As [`Ring::open`].
    pub fn open(path: &Path, root: &dyn RootKey) -> Result<Self> {
        Ring::open(path, root).map(Self::new)
    }

    /// Makes a new random key and its row. The row must be committed before anything sealed under
    /// the key is; the key is not cached before [`Vault::remember`].
    ///
    /// # Errors
    /// [`VaultError::WrongParent`] unless a data key stands under a subject key of the same owner
    /// and every other key under the ring.
    pub fn generate(
        &self,
        parent: Parent<'_>,
        usage: KeyUse,
        owner: Option<[u8; 16]>,
        now: Timestamp,
    ) -> Result<(SecretKey, WrappedKey)> {
        check_parent(parent, &usage, owner)?;
        let key = SecretKey::from_parts(KeyId::in_order(), usage, owner, aead::random_key()?);
        let row = match parent {
            Parent::Ring => self.ring().wrap(&key, now)?,
            Parent::Key(parent) => WrappedKey::wrap(&key, parent.id(), parent.bytes(), now)?,
        };
        Ok((key, row))
    }

    /// Opens a stored key, or takes it from the cache when it was opened before.
    ///
    /// # Errors
    /// [`VaultError::NotInRing`] when its ring key was destroyed or is not known yet (then
    /// [`Vault::reload`] helps); [`VaultError::OtherKey`] when `parent` is not its parent;
    /// [`VaultError::WrongParent`] when such a parent is not for such a key;
    /// [`VaultError::Refused`] when the row was altered.
    pub fn unwrap(&self, row: &WrappedKey, parent: Parent<'_>) -> Result<SecretKey> {
        if let Some(key) = self.cached(row.id)
            && (key.usage(), key.owner()) == (&row.usage, row.owner)
        {
            return Ok(key);
        }
        let key = self.verify(row, parent)?;
        self.remember(&key);
        Ok(key)
    }

    /// Opens a stored key whatever the cache holds, and leaves the cache as it is: proves that the
    /// row, as stored, opens.
    ///
    /// # Errors
    /// As [`Vault::unwrap`].
    pub fn verify(&self, row: &WrappedKey, parent: Parent<'_>) -> Result<SecretKey> {
        check_parent(parent, &row.usage, row.owner)?;
        match parent {
            Parent::Ring => self.ring().unwrap_key(row),
            Parent::Key(parent) if parent.id() == row.parent => row.unwrap_with(parent.bytes()),
            Parent::Key(_) => Err(VaultError::OtherKey { wanted: row.parent }),
        }
    }

    /// A key opened before. It may outlive its row: evict what was shredded, in every process.
    #[must_use]
    pub fn cached(&self, id: KeyId) -> Option<SecretKey> {
        self.cache().get(id)
    }

    /// Caches a key, for instance a new one whose row has been committed.
    pub fn remember(&self, key: &SecretKey) {
        self.cache().put(key.clone());
    }

    /// Drops a key from the cache.
    pub fn evict(&self, id: KeyId) {
        self.cache().evict(id);
    }

    /// Drops all keys of one owner from the cache.
    pub fn evict_owner(&self, owner: [u8; 16]) {
        self.cache().evict_owner(&owner);
    }

    /// Empties the cache.
    pub fn evict_all(&self) {
        self.cache().clear();
    }

    /// How many keys are cached.
    #[must_use]
    pub fn cached_count(&self) -> usize {
        self.cache().len()
    }

    /// The ring key under which new rows go.
    #[must_use]
    pub fn current_ring(&self) -> KeyId {
        self.ring().current()
    }

    /// The change of the ring key under way, if there is one.
    #[must_use]
    pub fn rotation(&self) -> Option<Rotation> {
        self.ring().rotation()
    }

    /// Reads the ring file again, as [`Ring::reload`].
    ///
    /// # Errors
    /// As [`Ring::reload`].
    pub fn reload(&self, root: &dyn RootKey) -> Result<()> {
        self.change(|ring| ring.reload(root))
    }

    /// Begins a change of the ring key, as [`Ring::begin_rotation`].
    ///
    /// # Errors
    /// As [`Ring::begin_rotation`].
    pub fn begin_rotation(&self, root: &dyn RootKey, now: Timestamp) -> Result<Rotation> {
        self.change(|ring| ring.begin_rotation(root, now))
    }

    /// Rewraps a row under the current ring key, as [`Ring::rewrap`].
    ///
    /// # Errors
    /// As [`Ring::rewrap`].
    pub fn rewrap(&self, row: &WrappedKey) -> Result<WrappedKey> {
        self.ring().rewrap(row)
    }

    /// Destroys the old ring key, as [`Ring::finish_rotation`].
    ///
    /// # Errors
    /// As [`Ring::finish_rotation`].
    pub fn finish_rotation(&self, root: &dyn RootKey, old: KeyId, rows_left: u64) -> Result<()> {
        self.change(|ring| ring.finish_rotation(root, old, rows_left))
    }

    /// The ring as it stands. Never kept: it would keep a destroyed ring key alive.
    fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.0.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Files are written on a copy, then the copy takes the ring's place. What was learned from the
    /// file is kept even when the change is refused.
    fn change<T>(&self, change: impl FnOnce(&mut Ring) -> Result<T>) -> Result<T> {
        let _changing = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ring = Ring::clone(&self.ring());
        let outcome = change(&mut ring);
        *self.0.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        outcome
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.0.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check_parent(parent: Parent<'_>, usage: &KeyUse, owner: Option<[u8; 16]>) -> Result<()> {
    let fits = match parent {
        Parent::Ring => !usage.under_subject(),
        Parent::Key(parent) => {
            usage.under_subject() && *parent.usage() == KeyUse::Subject && parent.owner() == owner
        }
    };
    if fits { Ok(()) } else { Err(VaultError::WrongParent(usage.clone())) }
}
