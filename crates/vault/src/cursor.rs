//! Sealed cursors: positions in a list that a client carries but can neither read nor change.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mimamori_domain::Timestamp;
use zeroize::Zeroizing;

use crate::aead::{self, Label};
use crate::encoding::Reader;
use crate::{KeyUse, Result, SecretKey, VaultError};

const FORMAT: u8 = 0x01;
/// Payloads are filled up to a multiple of this, so that a cursor's length says little about the
/// name or date it stands at.
const STEP: usize = 64;

/// Seals and opens cursors.
#[derive(Clone)]
pub struct CursorKey(SecretKey);

impl CursorKey {
    /// From a key for cursors.
    ///
    /// # Errors
    /// [`VaultError::WrongUse`] for any other key.
    pub fn new(key: &SecretKey) -> Result<Self> {
        key.require(*key.usage() == KeyUse::Cursor, "seal cursors")?;
        Ok(Self(key.clone()))
    }

    /// Seals `payload` until `expires` for whoever and whatever `context` names (caller and query).
    /// The text is base64url without padding and fits into a URL.
    ///
    /// # Errors
    /// [`VaultError::Library`] when no random numbers can be had.
    pub fn seal(&self, context: &[u8], payload: &[u8], expires: Timestamp) -> Result<String> {
        let mut plain = Zeroizing::new(Vec::with_capacity(16 + payload.len() + STEP));
        plain.extend_from_slice(&expires.as_micros().to_be_bytes());
        plain.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        plain.extend_from_slice(payload);
        let filled = plain.len().next_multiple_of(STEP);
        plain.resize(filled, 0);
        let mut out = vec![FORMAT];
        aead::seal(self.0.bytes(), Label::Cursor, context, &plain, &mut out)?;
        Ok(URL_SAFE_NO_PAD.encode(out))
    }

    /// Opens what [`CursorKey::seal`] made for the same context, before its time is over.
    ///
    /// # Errors
    /// [`VaultError::Cursor`], the same for an altered, foreign and expired cursor.
    pub fn open(&self, context: &[u8], text: &str, now: Timestamp) -> Result<Zeroizing<Vec<u8>>> {
        self.try_open(context, text, now).ok_or(VaultError::Cursor)
    }

    fn try_open(&self, context: &[u8], text: &str, now: Timestamp) -> Option<Zeroizing<Vec<u8>>> {
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (header, body) = sealed.split_first_chunk::<1>()?;
        if header != &[FORMAT] {
            return None;
        }
        let plain = aead::open(self.0.bytes(), Label::Cursor, header, context, body).ok()?;
        let mut reader = Reader::new(&plain);
        let expires = Timestamp::from_micros(i64::from_be_bytes(reader.array()?));
        let length = usize::try_from(u64::from_be_bytes(reader.array()?)).ok()?;
        let payload = reader.rest().get(..length)?;
        (now < expires).then(|| Zeroizing::new(payload.to_vec()))
    }
}

impl fmt::Debug for CursorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CursorKey").field(&self.0.id()).finish()
    }
}
