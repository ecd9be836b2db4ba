//! Files, sealed chunk by chunk, so that neither side ever holds a whole file in memory.
//!
//! ```text
//! header   format 0x02, key version 0x01, key id (16), 24 random bytes
//! chunk    65,536 bytes of plaintext encrypted, 16 bytes of tag; the last one may be shorter
//! ```
//! The file's AES key is derived from the long-lived key and all 24 random bytes. A chunk's nonce
//! is seven zero bytes, its number (32 bits, big-endian, from 0) and 1 for the last chunk or 0
//! (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015). Associated data of
//! each chunk: header and [`Place`]. An empty file is one empty last chunk; no other chunk is empty.

use std::fmt;

use aws_lc_rs::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};
use aws_lc_rs::rand;
use mimamori_domain::KeyId;
use zeroize::Zeroizing;

use crate::aead::{Label, NUMBER, TAG, cipher, derive};
use crate::encoding::join;
use crate::envelope::{CHUNKED_FORMAT, check_header, header};
use crate::{Place, Result, SecretKey, VaultError};

/// Bytes of plaintext in each chunk but the last.
pub const CHUNK_SIZE: usize = 65_536;
/// Length of what stands before the first chunk.
pub const HEADER_SIZE: usize = 2 + 16 + NUMBER;
/// How many bytes longer than its plaintext each chunk is.
pub const ENDING_SIZE: usize = TAG;

/// Seals a file: [`ChunkSealer::header`] first, then whatever `push` returns, then what `finish`
/// returns.
pub struct ChunkSealer {
    stream: Stream,
    header: [u8; HEADER_SIZE],
    /// Plaintext not yet sealed; at most one chunk, kept until it is known whether it is the last.
    pending: Zeroizing<Vec<u8>>,
}

impl ChunkSealer {
    /// Begins a file at `place`.
    ///
    /// # Errors
    /// [`VaultError::WrongUse`] when the key's usage is not one that seals content.
    pub fn new(key: &SecretKey, place: &Place) -> Result<Self> {
        key.require(key.usage().seals(), "seal files")?;
        let mut number = [0; NUMBER];
        rand::fill(&mut number)?;
        Self::numbered(key, place, number)
    }

    pub(crate) fn numbered(key: &SecretKey, place: &Place, number: [u8; NUMBER]) -> Result<Self> {
        let mut whole = [0; HEADER_SIZE];
        let (names, tail) =
            whole.split_first_chunk_mut::<{ HEADER_SIZE - NUMBER }>().ok_or(VaultError::Library)?;
        *names = header(CHUNKED_FORMAT, key.id());
        tail.copy_from_slice(&number);
        let stream = Stream::new(key, place, &whole)?;
        Ok(Self { stream, header: whole, pending: Zeroizing::new(Vec::with_capacity(CHUNK_SIZE)) })
    }

    /// What stands before the first chunk.
    #[must_use]
    pub const fn header(&self) -> &[u8; HEADER_SIZE] {
        &self.header
    }

    /// Takes plaintext and returns the chunks that became whole.
    ///
    /// # Errors
    /// [`VaultError::Chunks`] beyond 2^32 chunks (256 TiB).
    pub fn push(&mut self, mut plain: &[u8]) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(plain.len() / CHUNK_SIZE * (CHUNK_SIZE + TAG));
        while !plain.is_empty() {
            if self.pending.len() == CHUNK_SIZE {
                self.seal_pending(false, &mut out)?;
            }
            let room = CHUNK_SIZE - self.pending.len();
            let (now, later) = plain.split_at(room.min(plain.len()));
            self.pending.extend_from_slice(now);
            plain = later;
        }
        Ok(out)
    }

    /// Ends the file and returns its last chunk.
    ///
    /// # Errors
    /// As [`ChunkSealer::push`].
    pub fn finish(mut self) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(self.pending.len() + TAG);
        self.seal_pending(true, &mut out)?;
        Ok(out)
    }

    fn seal_pending(&mut self, last: bool, out: &mut Vec<u8>) -> Result<()> {
        let nonce = self.stream.next_nonce(last)?;
        let aad = Aad::from(self.stream.aad.as_slice());
        let tag = self.stream.cipher.seal_in_place_separate_tag(nonce, aad, &mut self.pending)?;
        out.extend_from_slice(&self.pending);
        out.extend_from_slice(tag.as_ref());
        self.pending.clear();
        Ok(())
    }
}

/// Opens a file chunk by chunk. What `push` returns is authentic and stands where it stood, but
/// only `finish` tells that the file is whole: whoever hands chunks on must break off when it fails.
pub struct ChunkOpener {
    stream: Stream,
    /// Ciphertext not yet opened; at most one chunk, kept until it is known whether it is the last.
    pending: Vec<u8>,
}

impl ChunkOpener {
    /// Begins with the file's first [`HEADER_SIZE`] bytes.
    ///
    /// # Errors
    /// [`VaultError::Malformed`] when they are no header; [`VaultError::OtherKey`] when they name
    /// another key; [`VaultError::WrongUse`] as for sealing.
    pub fn new(key: &SecretKey, place: &Place, header: &[u8]) -> Result<Self> {
        key.require(key.usage().seals(), "open files")?;
        let whole: &[u8; HEADER_SIZE] = header.try_into().map_err(|_| VaultError::Malformed)?;
        let names = whole.first_chunk().ok_or(VaultError::Malformed)?;
        check_header(CHUNKED_FORMAT, key.id(), names)?;
        let stream = Stream::new(key, place, whole)?;
        Ok(Self { stream, pending: Vec::with_capacity(CHUNK_SIZE + TAG) })
    }

    /// Takes ciphertext and returns the plaintext of the chunks that became whole.
    ///
    /// # Errors
    /// [`VaultError::Refused`] when a chunk was altered or does not stand where it stood.
    pub fn push(&mut self, mut sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let whole = self.pending.len().saturating_add(sealed.len()) / (CHUNK_SIZE + TAG);
        let mut out = Zeroizing::new(Vec::with_capacity(whole * CHUNK_SIZE));
        while !sealed.is_empty() {
            if self.pending.len() == CHUNK_SIZE + TAG {
                self.open_pending(false, &mut out)?;
            }
            let room = CHUNK_SIZE + TAG - self.pending.len();
            let (now, later) = sealed.split_at(room.min(sealed.len()));
            self.pending.extend_from_slice(now);
            sealed = later;
        }
        Ok(out)
    }

    /// Ends the file and returns the plaintext of its last chunk.
    ///
    /// # Errors
    /// [`VaultError::Refused`] when the file was cut short, continued or altered.
    pub fn finish(mut self) -> Result<Zeroizing<Vec<u8>>> {
        let first = self.stream.next == Some(0);
        let mut out = Zeroizing::new(Vec::with_capacity(self.pending.len()));
        self.open_pending(true, &mut out)?;
        if out.is_empty() && !first { Err(VaultError::Chunks) } else { Ok(out) }
    }

    fn open_pending(&mut self, last: bool, out: &mut Vec<u8>) -> Result<()> {
        let nonce = self.stream.next_nonce(last)?;
        let aad = Aad::from(self.stream.aad.as_slice());
        let plain = self
            .stream
            .cipher
            .open_in_place(nonce, aad, &mut self.pending)
            .map_err(|_| VaultError::Refused)?;
        out.extend_from_slice(plain);
        zeroize::Zeroize::zeroize(plain);
        self.pending.clear();
        Ok(())
    }
}

struct Stream {
    key: KeyId,
    cipher: LessSafeKey,
    aad: Vec<u8>,
    /// The next chunk's number; `None` after the last possible one.
    next: Option<u32>,
}

impl Stream {
    fn new(key: &SecretKey, place: &Place, header: &[u8; HEADER_SIZE]) -> Result<Self> {
        let (_, number) = header.split_last_chunk::<NUMBER>().ok_or(VaultError::Library)?;
        let file_key = derive(key.bytes(), Label::Chunks, number)?;
        let aad = join(&[header, place.as_bytes()]);
        Ok(Self { key: key.id(), cipher: cipher(&file_key)?, aad, next: Some(0) })
    }

    fn next_nonce(&mut self, last: bool) -> Result<Nonce> {
        let number = self.next.ok_or(VaultError::Chunks)?;
        self.next = number.checked_add(1);
        let mut nonce = [0; NONCE_LEN];
        let [_, _, _, _, _, _, _, counter @ .., flag] = &mut nonce;
        counter.copy_from_slice(&number.to_be_bytes());
        *flag = u8::from(last);
        Ok(Nonce::assume_unique_for_key(nonce))
    }
}

impl fmt::Debug for ChunkSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkSealer").field("key", &self.stream.key).finish_non_exhaustive()
    }
}

impl fmt::Debug for ChunkOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkOpener").field("key", &self.stream.key).finish_non_exhaustive()
    }
}
