//! The root key: what opens the ring, used only at start and when the ring key changes.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use mimamori_domain::KeyId;
use zeroize::Zeroizing;

use crate::aead::{self, KeyBytes, Label};
use crate::{Result, VaultError};

/// Whatever can wrap the few keys of the ring: a file, or a device that never shows its key.
pub trait RootKey: Send + Sync + fmt::Debug {
    /// Encrypts and authenticates `plain` (at most 64 bytes) together with `aad`.
    ///
    /// # Errors
    /// When the key cannot be used.
    fn wrap(&self, plain: &[u8], aad: &[u8]) -> Result<Vec<u8>>;

    /// Opens what [`RootKey::wrap`] made with the same `aad`.
    ///
    /// # Errors
    /// [`VaultError::Refused`] when it was altered or `aad` differs.
    fn unwrap(&self, wrapped: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>>;

    /// Names the key, so that a ring and its root key can be told to belong together. Says nothing
    /// about the key's bytes.
    fn id(&self) -> KeyId;
}

/// A root key in a file of 32 bytes that only its owner may read or write.
pub struct RootKeyFile {
    bytes: KeyBytes,
    id: KeyId,
}

impl RootKeyFile {
    /// Makes a new root key in a new file (mode 0600), durable when this returns.
    ///
    /// # Errors
    /// [`VaultError::Exists`] when the file is there already; [`VaultError::File`] when it cannot
    /// be written.
    pub fn create(path: &Path) -> Result<Self> {
        let bytes = aead::random_key()?;
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|source| {
                match source.kind() {
                    std::io::ErrorKind::AlreadyExists => VaultError::Exists { path: path.into() },
                    _ => file_error(path, source),
                }
            })?;
        file.write_all(bytes.as_slice())
            .and_then(|()| file.sync_all())
            .and_then(|()| sync_directory_of(path))
            .map_err(|source| file_error(path, source))?;
        Self::from_bytes(bytes)
    }

    /// Opens a root key file.
    ///
    /// # Errors
    /// [`VaultError::Permissions`] when group or others may use it; [`VaultError::NotARootKey`]
    /// when it is not a regular file of 32 bytes; [`VaultError::File`] when it cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        let mut file = open_private(path)?;
        let not_a_key = || VaultError::NotARootKey { path: path.into() };
        let metadata = file.metadata().map_err(|source| file_error(path, source))?;
        if !metadata.is_file() || metadata.len() != 32 {
            return Err(not_a_key());
        }
        let mut bytes = KeyBytes::default();
        file.read_exact(bytes.as_mut_slice()).map_err(|_| not_a_key())?;
        Self::from_bytes(bytes)
    }

    fn from_bytes(bytes: KeyBytes) -> Result<Self> {
        let fingerprint = aead::derive(&bytes, Label::RootId, &[])?;
        let id = fingerprint.first_chunk::<16>().ok_or(VaultError::Library)?;
        let id = KeyId::from_bytes(*id);
        Ok(Self { bytes, id })
    }
}

impl RootKey for RootKeyFile {
    fn wrap(&self, plain: &[u8], aad: &[u8]) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        aead::seal(&self.bytes, Label::Wrap, aad, plain, &mut out)?;
        Ok(out)
    }

    fn unwrap(&self, wrapped: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        aead::open(&self.bytes, Label::Wrap, &[], aad, wrapped)
    }

    fn id(&self) -> KeyId {
        self.id
    }
}

impl fmt::Debug for RootKeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootKeyFile").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Opens a file for reading and refuses it when group or others have any right on it. The check is
/// made on the opened file, so nobody can exchange it in between.
pub(crate) fn open_private(path: &Path) -> Result<File> {
    let file = File::open(path).map_err(|source| file_error(path, source))?;
    let mode = file.metadata().map_err(|source| file_error(path, source))?.mode() & 0o7777;
    if mode & 0o077 == 0 { Ok(file) } else { Err(VaultError::Permissions { path: path.into(), mode }) }
}

/// Makes the directory entry of `path` durable.
pub(crate) fn sync_directory_of(path: &Path) -> std::io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)?.sync_all()
}

pub(crate) fn file_error(path: &Path, source: std::io::Error) -> VaultError {
    VaultError::File { path: path.into(), source }
}
