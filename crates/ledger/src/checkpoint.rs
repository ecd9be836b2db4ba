//! Checkpoints (C2SP `tlog-checkpoint`, without extension lines): a signed size and root.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::{Hash, NoteError, NoteSignature, SignedNote, Signer, VerifierKey};

/// The origin line of one epoch of a log: `<name>/<epoch>`.
#[must_use]
pub fn origin(name: &str, epoch: u32) -> String {
    format!("{name}/{epoch}")
}

/// The epoch in an origin line of ours, or `None` if it is not of that form.
#[must_use]
pub fn epoch_of(wanted: &str) -> Option<u32> {
    let (name, epoch) = wanted.rsplit_once('/')?;
    let epoch = epoch.parse().ok()?;
    (!name.is_empty() && origin(name, epoch) == wanted).then_some(epoch)
}

/// The state of one epoch's tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// `<name>/<epoch>`.
    pub origin: String,
    /// The number of entries.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// Why a checkpoint is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    #[error("the note is not a checkpoint: origin, size and root are expected, and nothing else")]
    Malformed,
    #[error("the checkpoint is of another log than this key's")]
    OtherLog,
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl Checkpoint {
    /// The state of an epoch of the log with this base name.
    #[must_use]
    pub fn new(name: &str, epoch: u32, size: u64, root: Hash) -> Self {
        Self { origin: origin(name, epoch), size, root }
    }

    /// The epoch its origin names, if the origin is of our form.
    #[must_use]
    pub fn epoch(&self) -> Option<u32> {
        epoch_of(&self.origin)
    }

    /// The note text: three lines, each with its newline.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root))
    }

    /// Signs it, under the origin as the key's name.
    ///
    /// # Errors
    /// [`CheckpointError::OtherLog`] when the origin is not an epoch of the signer's log.
    pub fn sign(&self, signer: &Signer) -> Result<SignedCheckpoint, CheckpointError> {
        let epoch = self
            .epoch()
            .filter(|epoch| origin(signer.name(), *epoch) == self.origin)
            .ok_or(CheckpointError::OtherLog)?;
        let note = signer.sign_text(epoch, self.text())?;
        Ok(SignedCheckpoint { checkpoint: self.clone(), note })
    }

    /// Reads a signed checkpoint and checks it: [`SignedCheckpoint::parse`] and
    /// [`SignedCheckpoint::verify`] in one.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn verify(note: &str, key: &VerifierKey) -> Result<Self, CheckpointError> {
        let signed = SignedCheckpoint::parse(note)?;
        signed.verify(key).cloned()
    }

    pub(crate) fn parse_text(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.split_terminator('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::Malformed);
        };
        let size = size.parse().map_err(|_| CheckpointError::Malformed)?;
        let root = BASE64.decode(root).map_err(|_| CheckpointError::Malformed)?;
        let root = root.try_into().map_err(|_| CheckpointError::Malformed)?;
        let checkpoint = Self { origin: origin.to_owned(), size, root };
        // One text form: no leading zeroes, no sign, no missing origin.
        if checkpoint.text() == text && !origin.is_empty() {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::Malformed)
        }
    }
}

/// A checkpoint with its signatures, by the log and perhaps by witnesses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: SignedNote,
}

impl SignedCheckpoint {
    /// Reads the text form. Nothing is verified yet.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`], or what the note was refused for.
    pub fn parse(note: &str) -> Result<Self, CheckpointError> {
        let note = SignedNote::parse(note)?;
        let checkpoint = Checkpoint::parse_text(note.text())?;
        Ok(Self { checkpoint, note })
    }

    /// The checkpoint, after its signature by this key was checked. The key's name is the
    /// checkpoint's origin, or the base name of the log whose epoch the origin is.
    ///
    /// # Errors
    /// [`CheckpointError::OtherLog`] when the key is not for that origin; [`CheckpointError::Note`].
    pub fn verify(&self, key: &VerifierKey) -> Result<&Checkpoint, CheckpointError> {
        let key = key.for_origin(&self.checkpoint.origin).ok_or(CheckpointError::OtherLog)?;
        self.note.verify(&key)?;
        Ok(&self.checkpoint)
    }

    /// The checkpoint as stated, without any check.
    #[must_use]
    pub const fn unverified(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The signature lines.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        self.note.signatures()
    }

    /// Adds a line, such as a witness's.
    #[must_use]
    pub fn with_signature(self, signature: NoteSignature) -> Self {
        Self { note: self.note.with_signature(signature), ..self }
    }
}

/// The text form, to be stored and published.
impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}
