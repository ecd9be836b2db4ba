//! The vault: key hierarchy, envelope encryption, blind indexes, sealed cursors and shredding.
//!
//! `docs/vault.md` describes the formats, the hierarchy and what search tokens leak.
//!
//! Invariants of this crate:
//! - no database and no async; the only files are the root key and the ring;
//! - key bytes are zeroised when dropped and never shown by `Debug`;
//! - every random number comes from the generator of aws-lc, which the operating system seeds;
//! - what was altered, or stands in another place than it was sealed for, is refused, never guessed.

mod aead;
mod cache;
mod chunks;
mod cursor;
mod encoding;
mod envelope;
mod error;
mod index;
mod key;
#[cfg(test)]
mod known_answers;
mod names;
mod normalise;
mod place;
mod ring;
mod ring_file;
mod root;
mod shred;
mod token;
mod vault;

pub use chunks::{CHUNK_SIZE, ChunkOpener, ChunkSealer, ENDING_SIZE, HEADER_SIZE};
pub use cursor::CursorKey;
pub use envelope::{OVERHEAD, key_id_of, open, seal};
pub use error::{Result, VaultError};
pub use index::{IndexField, IndexKey, SubjectIndex, Token};
pub use key::{KeyUse, KeyUseError, Month, SecretKey, WrappedKey, WrappedKeyError};
pub use names::{BirthDate, PREFIX_LENGTH, PersonName, Script};
pub use normalise::{normalise_identifier, normalise_name};
pub use place::Place;
pub use ring::{Ring, Rotation};
pub use root::{RootKey, RootKeyFile};
pub use shred::{Certificate, Remains, ShredChanges, ShredPlan, ShredStep, Shredded};
pub use token::{constant_time_eq, hash_token, random_token};
pub use vault::{DEFAULT_CACHE_SIZE, Parent, Vault};
