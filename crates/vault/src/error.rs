//! What can go wrong in the vault.
//!
//! No variant carries key bytes, plaintext or ciphertext. Paths and key ids may be shown to
//! operators; people who asked for data get the short text of [`mimamori_domain::Error`].

use std::path::PathBuf;

use mimamori_domain::{Error, KeyId};

use crate::KeyUse;

/// A result with this crate's error.
pub type Result<T, E = VaultError> = std::result::Result<T, E>;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// Wrong key, wrong place, or altered since it was sealed. Which of them cannot be told.
    #[error("sealed data could not be opened: it was altered, moved, or belongs to another key")]
    Refused,
    /// Not a sealed message of a format this program knows.
    #[error("sealed data has an unknown format or is cut short")]
    Malformed,
    /// The message was sealed under another key than the one given.
    #[error("sealed data belongs to key {wanted}, not to the key given")]
    OtherKey {
        /// The key the message names.
        wanted: KeyId,
    },
    /// The ring has no such key: destroyed, or added by another process since the ring was read.
    #[error("the ring holds no key {0}: it was destroyed, or the ring must be read again")]
    NotInRing(KeyId),
    /// A key was to be used for something its usage does not allow.
    #[error("a key for {usage} may not be used to {purpose}")]
    WrongUse {
        /// What the key is for.
        usage: KeyUse,
        /// What was tried.
        purpose: &'static str,
    },
    /// A key of this usage cannot stand under that parent.
    #[error("a key for {0} cannot be wrapped by that parent")]
    WrongParent(KeyUse),
    /// A cursor that was altered, is too old, or was made for somebody else or another query.
    #[error("this position in the list is no longer valid: please ask again from the first page")]
    Cursor,
    /// A key file that others than its owner may read or write.
    #[error(
        "{path} may be used by others than its owner (mode {mode:04o}): run `chmod 600 {path}`; \
         if others could have read it, make a new root key"
    )]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not a root key: anything but 32 bytes.
    #[error("{path} is not a root key file: it must be a regular file of exactly 32 bytes")]
    NotARootKey {
        /// The file.
        path: PathBuf,
    },
    /// The ring was wrapped by another root key.
    #[error("the ring {path} was made with root key {wanted}, but root key {given} was given")]
    OtherRootKey {
        /// The ring file.
        path: PathBuf,
        /// The root key the ring names.
        wanted: KeyId,
        /// The root key that was given.
        given: KeyId,
    },
    /// The ring file is not in the form this program writes.
    #[error("the ring file {path} is damaged ({reason}): restore it from the key backup")]
    DamagedRing {
        /// The ring file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A file that must not be overwritten.
    #[error("{path} exists already and is not overwritten")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Reading or writing a file failed.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// A rotation of the ring key is under way and must be finished first.
    #[error("the ring key is being changed already: finish that first")]
    RotationUnderway,
    /// There is no such rotation to finish.
    #[error("no change of the ring key is under way for key {0}")]
    NoRotation(KeyId),
    /// The old ring key still has rows that only it can open.
    #[error("{rows} wrapped keys still need ring key {old}: it is not destroyed")]
    StillNeeded {
        /// The ring key that was to be destroyed.
        old: KeyId,
        /// How many rows name it as parent.
        rows: u64,
    },
    /// A chunked file that goes on after its end, or a push after the end.
    #[error("the sealed file is cut short or continued beyond its end")]
    Chunks,
    /// A disposal plan whose rows do not fit together.
    #[error("the disposal plan does not fit the keys given: {0}")]
    Plan(&'static str),
    /// The random number generator or the cryptographic library failed.
    #[error("the cryptographic library failed")]
    Library,
}

impl From<aws_lc_rs::error::Unspecified> for VaultError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::Library
    }
}

impl From<VaultError> for Error {
    /// A bad cursor is the caller's to mend; everything else means that the system cannot answer
    /// safely now, and the cause goes to the operator's log only.
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Cursor => Self::invalid(VaultError::Cursor.to_string()),
            other => Self::unavailable(other),
        }
    }
}
