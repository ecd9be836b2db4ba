//! The one authenticated cipher: AES-256-GCM with a key of its own for (nearly) every message.
//!
//! A message carries 24 random bytes. The first 12 go through HKDF-Expand (RFC 5869 section 2.3)
//! with the long-lived key and a label that names the purpose; the result is the AES key. The last
//! 12 are the GCM nonce (NIST SP 800-38D section 8.2.2). Only the same 24 bytes twice under one
//! long-lived key would repeat a nonce: after 2^80 messages the chance is about 2^-33, so no
//! counter of messages per key has to be kept (`docs/vault.md`, "How many messages").

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk};
use aws_lc_rs::rand;
use zeroize::Zeroizing;

use crate::{Result, VaultError};

/// 32 bytes of key, zeroised when dropped.
pub(crate) type KeyBytes = Zeroizing<[u8; 32]>;

/// Length of the random number a message carries.
pub(crate) const NUMBER: usize = 24;
/// Length of GCM's authentication tag.
pub(crate) const TAG: usize = 16;

/// What a derived key is for. Each label gives independent keys from one long-lived key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Label {
    Wrap,
    Seal,
    Chunks,
    Cursor,
    Index,
    Codes,
    RootId,
}

impl Label {
    const fn text(self) -> &'static [u8] {
        match self {
            Self::Wrap => b"mimamori/vault/1/wrap",
            Self::Seal => b"mimamori/vault/1/seal",
            Self::Chunks => b"mimamori/vault/1/chunks",
            Self::Cursor => b"mimamori/vault/1/cursor",
            Self::Index => b"mimamori/vault/1/index",
            Self::Codes => b"mimamori/vault/1/codes",
            Self::RootId => b"mimamori/vault/1/root-id",
        }
    }
}

/// 32 fresh random bytes.
pub(crate) fn random_key() -> Result<KeyBytes> {
    let mut bytes = Zeroizing::new([0; 32]);
    rand::fill(bytes.as_mut_slice())?;
    Ok(bytes)
}

/// HKDF-Expand with SHA-256. The long-lived key is uniformly random, so it serves as the
/// pseudorandom key without an extract step (RFC 5869 section 3.3).
pub(crate) fn derive(key: &[u8; 32], label: Label, context: &[u8]) -> Result<KeyBytes> {
    let prk = Prk::new_less_safe(HKDF_SHA256, key);
    let mut out = Zeroizing::new([0; 32]);
    prk.expand(&[label.text(), &[0], context], HKDF_SHA256)?.fill(out.as_mut_slice())?;
    Ok(out)
}

/// The cipher of one message or file.
pub(crate) fn cipher(key: &KeyBytes) -> Result<LessSafeKey> {
    Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_slice())?))
}

/// Appends number, ciphertext and tag to `out`. What `out` holds already is authenticated together
/// with `aad` (which must be of one unambiguous encoding).
pub(crate) fn seal(key: &[u8; 32], label: Label, aad: &[u8], plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let mut number = [0; NUMBER];
    rand::fill(&mut number)?;
    let (cipher, nonce) = message_cipher(key, label, number)?;
    let bound = bind(out, aad);
    // Reserved before plaintext goes in: growing later would leave a copy of it behind.
    out.reserve_exact(NUMBER + plain.len() + TAG);
    out.extend_from_slice(&number);
    let start = out.len();
    out.extend_from_slice(plain);
    let body = out.get_mut(start..).ok_or(VaultError::Library)?;
    let tag = cipher.seal_in_place_separate_tag(nonce, Aad::from(bound), body)?;
    out.extend_from_slice(tag.as_ref());
    Ok(())
}

/// Opens number, ciphertext and tag; `header` is what stood before them.
pub(crate) fn open(
    key: &[u8; 32],
    label: Label,
    header: &[u8],
    aad: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>> {
    let (number, body) = sealed.split_first_chunk::<NUMBER>().ok_or(VaultError::Malformed)?;
    let plain_len = body.len().checked_sub(TAG).ok_or(VaultError::Malformed)?;
    let (cipher, nonce) = message_cipher(key, label, *number)?;
    let mut plain = Zeroizing::new(body.to_vec());
    cipher.open_in_place(nonce, Aad::from(bind(header, aad)), &mut plain).map_err(|_| VaultError::Refused)?;
    plain.truncate(plain_len);
    Ok(plain)
}

fn message_cipher(key: &[u8; 32], label: Label, number: [u8; NUMBER]) -> Result<(LessSafeKey, Nonce)> {
    let (derivation, nonce) = number.split_first_chunk::<12>().ok_or(VaultError::Library)?;
    let message_key = derive(key, label, derivation)?;
    Ok((cipher(&message_key)?, Nonce::try_assume_unique_for_key(nonce)?))
}

fn bind(header: &[u8], aad: &[u8]) -> Vec<u8> {
    crate::encoding::join(&[header, aad])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_messages_never_look_alike() {
        let key = [7; 32];
        let seal_one = || {
            let mut out = Vec::new();
            seal(&key, Label::Seal, b"", b"same", &mut out).unwrap();
            out
        };
        assert_ne!(seal_one(), seal_one());
    }

    #[test]
    fn a_label_is_part_of_the_key() {
        let key = [7; 32];
        let mut out = Vec::new();
        seal(&key, Label::Seal, b"a", b"text", &mut out).unwrap();
        assert_eq!(open(&key, Label::Seal, b"", b"a", &out).unwrap().as_slice(), b"text");
        assert!(matches!(open(&key, Label::Wrap, b"", b"a", &out), Err(VaultError::Refused)));
    }
}
