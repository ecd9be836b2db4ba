//! The ring: the key above all stored keys, and its change (rotation).
//!
//! Rotation, each step durable before the next:
//! 1. [`Ring::begin_rotation`]: a new ring key stands beside the old one; new rows go under it.
//! 2. [`Ring::rewrap`] for every row whose parent is the old key, in as many units as needed.
//! 3. [`Ring::finish_rotation`] when no such row is left: the old key is destroyed, and with it
//!    every older copy of the rows.
//!
//! After a crash the file tells whether a rotation is under way ([`Ring::rotation`]); step 2 is
//! repeated for the rows that are left.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mimamori_domain::{KeyId, Timestamp};

use crate::aead::{self, KeyBytes};
use crate::ring_file::{FileKey, RingFile, lock};
use crate::{Result, RootKey, SecretKey, VaultError, WrappedKey};

/// The opened ring file. A copy in memory of what the file said when it was read or written.
#[derive(Clone)]
pub struct Ring {
    path: PathBuf,
    root: KeyId,
    serial: u64,
    retiring: Option<RingKey>,
    current: RingKey,
}

#[derive(Clone)]
struct RingKey {
    stored: FileKey,
    bytes: Arc<KeyBytes>,
}

/// A change of the ring key that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// The key that is to be destroyed.
    pub old: KeyId,
    /// The key that takes its place.
    pub new: KeyId,
}

impl Ring {
    /// Makes a ring with one new key, in a new file (mode 0600).
    ///
    /// # Errors
    /// [`VaultError::Exists`] when there is a file already; [`VaultError::File`] when it cannot be
    /// written.
    pub fn create(path: &Path, root: &dyn RootKey, now: Timestamp) -> Result<Self> {
        let _lock = lock(path)?;
        if std::fs::symlink_metadata(path).is_ok() {
            return Err(VaultError::Exists { path: path.into() });
        }
        let current = RingKey::generate(root, now)?;
        let ring = Self { path: path.into(), root: root.id(), serial: 1, retiring: None, current };
        ring.to_file().write(path, root)?;
        Ok(ring)
    }

    /// Opens a ring file.
    ///
    /// # Errors
    /// [`VaultError::Permissions`], [`VaultError::OtherRootKey`], [`VaultError::DamagedRing`] or
    /// [`VaultError::File`], each saying what to do.
    pub fn open(path: &Path, root: &dyn RootKey) -> Result<Self> {
        let file = RingFile::read(path, root)?;
        Ok(Self {
            path: path.into(),
            root: file.root,
            serial: file.serial,
            retiring: file.retiring.map(|key| RingKey::unwrap_with(key, root)).transpose()?,
            current: RingKey::unwrap_with(file.current, root)?,
        })
    }

    /// Reads the file again: another process may have changed the ring.
    ///
    /// # Errors
    /// As for opening; [`VaultError::DamagedRing`] when the file is older than what is known, which
    /// means that somebody put an old copy back.
    pub fn reload(&mut self, root: &dyn RootKey) -> Result<()> {
        let fresh = Self::open(&self.path, root)?;
        if fresh.serial < self.serial {
            return Err(VaultError::DamagedRing {
                path: self.path.clone(),
                reason: "an older copy was put in its place",
            });
        }
        *self = fresh;
        Ok(())
    }

    /// The key under which new rows go.
    #[must_use]
    pub const fn current(&self) -> KeyId {
        self.current.stored.id
    }

    /// When the current key was made.
    #[must_use]
    pub const fn current_since(&self) -> Timestamp {
        self.current.stored.created
    }

    /// How often the file was changed; backups of the ring are told apart by it.
    #[must_use]
    pub const fn serial(&self) -> u64 {
        self.serial
    }

    /// The rotation under way, if there is one.
    #[must_use]
    pub fn rotation(&self) -> Option<Rotation> {
        self.retiring.as_ref().map(|old| Rotation { old: old.stored.id, new: self.current() })
    }

    /// Begins a rotation: when this returns, the file holds the old and a new key.
    ///
    /// # Errors
    /// [`VaultError::RotationUnderway`] when one was begun before: resume it with
    /// [`Ring::rotation`]. What a shredding needs is a rotation of its own (see [`crate::ShredPlan`]).
    pub fn begin_rotation(&mut self, root: &dyn RootKey, now: Timestamp) -> Result<Rotation> {
        let _lock = lock(&self.path)?;
        self.reload(root)?;
        if self.retiring.is_some() {
            return Err(VaultError::RotationUnderway);
        }
        let mut next = self.clone();
        next.retiring = Some(std::mem::replace(&mut next.current, RingKey::generate(root, now)?));
        next.serial = next.serial.saturating_add(1);
        let rotation = next.rotation().ok_or(VaultError::RotationUnderway)?;
        next.to_file().write(&self.path, root)?;
        *self = next;
        Ok(rotation)
    }

    /// The same key, wrapped by the current ring key. Rows that are under it already come back
    /// unchanged, so repeating after a crash is harmless.
    ///
    /// # Errors
    /// [`VaultError::NotInRing`] when the row's parent is no ring key; [`VaultError::Refused`] when
    /// the row was altered.
    pub fn rewrap(&self, row: &WrappedKey) -> Result<WrappedKey> {
        if row.parent == self.current() {
            return Ok(row.clone());
        }
        self.wrap(&self.unwrap_key(row)?, row.created)
    }

    /// Ends a rotation: the old key is removed from the file and from memory. `rows_left` is how
    /// many stored rows still name it as parent, counted after the last rewrapping committed.
    ///
    /// # Errors
    /// [`VaultError::StillNeeded`] unless `rows_left` is 0; [`VaultError::NoRotation`] when `old` is
    /// not being retired.
    pub fn finish_rotation(&mut self, root: &dyn RootKey, old: KeyId, rows_left: u64) -> Result<()> {
        if rows_left > 0 {
            return Err(VaultError::StillNeeded { old, rows: rows_left });
        }
        let _lock = lock(&self.path)?;
        self.reload(root)?;
        if self.retiring.as_ref().is_none_or(|key| key.stored.id != old) {
            return Err(VaultError::NoRotation(old));
        }
        let mut next = self.clone();
        next.retiring = None;
        next.serial = next.serial.saturating_add(1);
        next.to_file().write(&self.path, root)?;
        *self = next;
        Ok(())
    }

    pub(crate) fn wrap(&self, key: &SecretKey, created: Timestamp) -> Result<WrappedKey> {
        WrappedKey::wrap(key, self.current(), &self.current.bytes, created)
    }

    pub(crate) fn unwrap_key(&self, row: &WrappedKey) -> Result<SecretKey> {
        let parent = std::iter::once(&self.current)
            .chain(&self.retiring)
            .find(|key| key.stored.id == row.parent)
            .ok_or(VaultError::NotInRing(row.parent))?;
        row.unwrap_with(&parent.bytes)
    }

    fn to_file(&self) -> RingFile {
        RingFile {
            root: self.root,
            serial: self.serial,
            retiring: self.retiring.as_ref().map(|key| key.stored.clone()),
            current: self.current.stored.clone(),
        }
    }
}

impl RingKey {
    fn generate(root: &dyn RootKey, created: Timestamp) -> Result<Self> {
        let id = KeyId::random();
        let bytes = aead::random_key()?;
        let wrapped = root.wrap(bytes.as_slice(), &FileKey::associated_data(id, created))?;
        Ok(Self { stored: FileKey { id, created, wrapped }, bytes: Arc::new(bytes) })
    }

    fn unwrap_with(stored: FileKey, root: &dyn RootKey) -> Result<Self> {
        let plain = root.unwrap(&stored.wrapped, &FileKey::associated_data(stored.id, stored.created))?;
        let mut bytes = KeyBytes::default();
        if plain.len() != bytes.len() {
            return Err(VaultError::Malformed);
        }
        bytes.copy_from_slice(&plain);
        Ok(Self { stored, bytes: Arc::new(bytes) })
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring")
            .field("path", &self.path)
            .field("serial", &self.serial)
            .field("current", &self.current())
            .field("rotation", &self.rotation())
            .finish_non_exhaustive()
    }
}
