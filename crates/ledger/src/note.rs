//! Signed notes (C2SP `signed-note`) and the keys that sign and check them. Ed25519 only.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::{origin, sha256};

/// The signature type byte of plain Ed25519 in `signed-note`.
const ED25519_TYPE: u8 = 0x01;
/// What begins every signature line: an em dash and a space.
const SIGNATURE_MARK: &str = "\u{2014} ";
/// The greatest length of a note. `signed-note` wants 16 signatures of up to about 5 kB accepted.
pub(crate) const MAX_NOTE_BYTES: usize = 256 * 1024;
const MAX_SIGNATURES: usize = 64;
const MAX_NAME_BYTES: usize = 255;

/// Why a note or a key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    #[error("not a signed note")]
    Malformed,
    #[error("the note is too long or has too many signatures")]
    TooLong,
    #[error("a key name is 1 to {MAX_NAME_BYTES} bytes without spaces, '+' or control characters")]
    BadName,
    #[error("not a verifier key: name+hash+base64 is expected")]
    BadKey,
    #[error("no signature by a known key")]
    Unsigned,
    #[error("a signature by a known key does not fit the text")]
    BadSignature,
}

/// A text with signatures. The text must not be used before [`SignedNote::verify`] has passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// The key's name.
    pub name: String,
    /// The key's id.
    pub key_id: [u8; 4],
    /// The signature itself, in the form of its algorithm.
    pub signature: Vec<u8>,
}

impl SignedNote {
    /// Reads a note. Nothing is verified yet.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] or [`NoteError::TooLong`].
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong);
        }
        if note.chars().any(|c| c < ' ' && c != '\n') {
            return Err(NoteError::Malformed);
        }
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::Malformed)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Malformed)?;
        let signatures = lines.split('\n').map(NoteSignature::parse).collect::<Result<Vec<_>, _>>()?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(NoteError::TooLong);
        }
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// The text, with its last newline. Trust it only after [`verify`](Self::verify).
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its signature lines, of whatever keys.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a line, such as a witness's.
    #[must_use]
    pub fn with_signature(mut self, signature: NoteSignature) -> Self {
        self.signatures.push(signature);
        self
    }

    /// Checks the signature of this key. Lines of other keys are ignored, as `signed-note` demands.
    ///
    /// # Errors
    /// [`NoteError::Unsigned`] when the key signed nothing, [`NoteError::BadSignature`] when a line
    /// that claims to be by it does not fit.
    pub fn verify(&self, key: &VerifierKey) -> Result<(), NoteError> {
        let mut signed = false;
        for line in self.signatures.iter().filter(|line| line.name == key.name && line.key_id == key.id) {
            UnparsedPublicKey::new(&ED25519, &key.public)
                .verify(self.text.as_bytes(), &line.signature)
                .map_err(|_| NoteError::BadSignature)?;
            signed = true;
        }
        if signed { Ok(()) } else { Err(NoteError::Unsigned) }
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl NoteSignature {
    fn parse(line: &str) -> Result<Self, NoteError> {
        let (name, encoded) = line
            .strip_prefix(SIGNATURE_MARK)
            .and_then(|rest| rest.split_once(' '))
            .ok_or(NoteError::Malformed)?;
        let bytes = BASE64.decode(encoded).map_err(|_| NoteError::Malformed)?;
        match bytes.split_first_chunk() {
            Some((key_id, signature)) if is_key_name(name) && !signature.is_empty() => {
                Ok(Self { name: name.to_owned(), key_id: *key_id, signature: signature.to_vec() })
            }
            _ => Err(NoteError::Malformed),
        }
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = BASE64.encode([&self.key_id[..], &self.signature].concat());
        write!(f, "{SIGNATURE_MARK}{} {encoded}", self.name)
    }
}

/// A public key under a name. Its text form, to be published, is `name+hash+base64`: the key id in
/// hexadecimal, and the base64 of the type byte (1) and the 32 bytes of the key.
///
/// A key whose name is a log's base name stands for all its epochs: see
/// [`for_origin`](Self::for_origin).
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    public: [u8; 32],
}

impl VerifierKey {
    /// A public key (32 bytes, RFC 8032) under a name.
    ///
    /// # Errors
    /// [`NoteError::BadName`].
    pub fn new(name: &str, public: [u8; 32]) -> Result<Self, NoteError> {
        if !is_key_name(name) {
            return Err(NoteError::BadName);
        }
        let hashed = [name.as_bytes(), &[b'\n', ED25519_TYPE], &public].concat();
        let [a, b, c, d, ..] = sha256(&hashed);
        Ok(Self { name: name.to_owned(), id: [a, b, c, d], public })
    }

    /// The name it signs under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key id: the first four bytes of a hash over name, type and key.
    #[must_use]
    pub const fn id(&self) -> [u8; 4] {
        self.id
    }

    /// This key under the name by which it signs checkpoints of `origin`: itself if it has that
    /// very name; renamed if `origin` is one of its epochs; otherwise `None`.
    #[must_use]
    pub fn for_origin(&self, wanted: &str) -> Option<Self> {
        if self.name == wanted {
            return Some(self.clone());
        }
        let epoch = wanted.strip_prefix(&self.name)?.strip_prefix('/')?.parse().ok()?;
        // Only the one way to write the number counts.
        if origin(&self.name, epoch) == wanted { Self::new(wanted, self.public).ok() } else { None }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = BASE64.encode([&[ED25519_TYPE][..], &self.public].concat());
        write!(f, "{}+{:08x}+{encoded}", self.name, u32::from_be_bytes(self.id))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(_), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::BadKey);
        };
        let bytes = BASE64.decode(encoded).map_err(|_| NoteError::BadKey)?;
        let public = match bytes.split_first() {
            Some((&ED25519_TYPE, public)) => public.try_into().map_err(|_| NoteError::BadKey)?,
            _ => return Err(NoteError::BadKey),
        };
        let key = Self::new(name, public)?;
        // One text form: this also compares the stated hash with the computed one.
        if key.to_string() == text { Ok(key) } else { Err(NoteError::BadKey) }
    }
}

/// A private key under a log's base name.
pub struct Signer {
    pair: Ed25519KeyPair,
    key: VerifierKey,
}

impl Signer {
    /// Makes the key from its 32-byte seed (the private key of RFC 8032 section 5.1.5). The caller
    /// keeps and clears the seed.
    ///
    /// # Errors
    /// [`NoteError::BadName`]; [`NoteError::BadKey`] when the library refuses the seed.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, NoteError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| NoteError::BadKey)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| NoteError::BadKey)?;
        Ok(Self { key: VerifierKey::new(name, public)?, pair })
    }

    /// The log's base name, to which `/<epoch>` is added for an origin.
    #[must_use]
    pub fn name(&self) -> &str {
        self.key.name()
    }

    /// The public key under the base name, to be published: it stands for all epochs.
    #[must_use]
    pub const fn verifier_key(&self) -> &VerifierKey {
        &self.key
    }

    /// Signs a text under the name of one epoch.
    pub(crate) fn sign_text(&self, epoch: u32, text: String) -> Result<SignedNote, NoteError> {
        let key = VerifierKey::new(&origin(self.name(), epoch), self.key.public)?;
        let signature = self.pair.sign(text.as_bytes()).as_ref().to_vec();
        let line = NoteSignature { name: key.name, key_id: key.id, signature };
        Ok(SignedNote { text, signatures: vec![line] })
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.name())
    }
}

fn is_key_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len())
        && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}
