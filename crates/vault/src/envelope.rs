//! Sealing content: the envelope that every stored ciphertext is.
//!
//! ```text
//! 0        format, 0x01
//! 1        key version, 0x01: how message keys follow from the key's 32 bytes
//! 2..18    key id
//! 18..42   24 random bytes (see `aead`)
//! 42..     AES-256-GCM ciphertext, 16 bytes of tag
//! ```
//! Associated data: format, key version and key id as they stand, and the [`Place`].

use mimamori_domain::KeyId;
use zeroize::Zeroizing;

use crate::aead::{self, Label, NUMBER, TAG};
use crate::encoding::Reader;
use crate::{Place, Result, SecretKey, VaultError};

const FORMAT: u8 = 0x01;
/// Format byte of chunked files (`chunks`), whose header names its key in the same way.
pub(crate) const CHUNKED_FORMAT: u8 = 0x02;
pub(crate) const KEY_VERSION: u8 = 0x01;
const HEADER: usize = 2 + 16;

/// How many bytes longer a ciphertext is than its plaintext.
pub const OVERHEAD: usize = HEADER + NUMBER + TAG;

/// Seals `plain` for `place`.
///
/// # Errors
/// [`VaultError::WrongUse`] when the key's usage is not one that seals content.
pub fn seal(key: &SecretKey, place: &Place, plain: &[u8]) -> Result<Vec<u8>> {
    key.require(key.usage().seals(), "seal content")?;
    let mut out = Vec::with_capacity(OVERHEAD + plain.len());
    out.extend_from_slice(&header(FORMAT, key.id()));
    aead::seal(key.bytes(), Label::Seal, place.as_bytes(), plain, &mut out)?;
    Ok(out)
}

/// Opens what [`seal`] made for the same place.
///
/// # Errors
/// [`VaultError::Refused`] when it was altered or stands elsewhere than it was sealed for;
/// [`VaultError::OtherKey`] when it names another key; [`VaultError::Malformed`] when it is no
/// envelope; [`VaultError::WrongUse`] as for sealing.
pub fn open(key: &SecretKey, place: &Place, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    key.require(key.usage().seals(), "open content")?;
    let (header, body) = sealed.split_first_chunk::<HEADER>().ok_or(VaultError::Malformed)?;
    check_header(FORMAT, key.id(), header)?;
    aead::open(key.bytes(), Label::Seal, header, place.as_bytes(), body)
}

/// Which key a ciphertext (of [`seal`] or a [`crate::ChunkSealer`]) wants. It is not authenticated
/// until the ciphertext is opened.
///
/// # Errors
/// [`VaultError::Malformed`] when it is neither.
pub fn key_id_of(sealed: &[u8]) -> Result<KeyId> {
    let mut reader = Reader::new(sealed);
    match (reader.byte(), reader.byte(), reader.array::<16>()) {
        (Some(FORMAT | CHUNKED_FORMAT), Some(KEY_VERSION), Some(id)) => Ok(KeyId::from_bytes(id)),
        _ => Err(VaultError::Malformed),
    }
}

pub(crate) fn header(format: u8, key: KeyId) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let [first, second, id @ ..] = &mut header;
    *first = format;
    *second = KEY_VERSION;
    id.copy_from_slice(key.as_bytes());
    header
}

pub(crate) fn check_header(format: u8, key: KeyId, header: &[u8; HEADER]) -> Result<()> {
    let [found, _, ..] = header;
    let wanted = key_id_of(header)?;
    if *found != format {
        return Err(VaultError::Malformed);
    }
    if wanted != key { Err(VaultError::OtherKey { wanted }) } else { Ok(()) }
}
