//! Receipts (証跡証明): C2SP `tlog-proof` files that anyone can check.
//!
//! The `extra` line carries the entry's exact bytes, so that the file alone tells what was logged.
//! Tools that know only `tlog-proof` take those bytes as the record.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::{
    CheckpointError, DecodeError, Entry, Hash, ProofError, SignedCheckpoint, VerifierKey, leaf_hash,
    verify_inclusion,
};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// An entry, 64 hashes and the longest note fit well.
const MAX_RECEIPT_BYTES: usize = 512 * 1024;
/// No tree is higher.
const MAX_HASHES: usize = 64;

/// An entry with the proof that it is in a checkpointed tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    entry: Vec<u8>,
    index: u64,
    proof: Vec<Hash>,
    checkpoint: SignedCheckpoint,
}

/// Why a receipt is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    #[error("not a receipt of this form")]
    Malformed,
    #[error("the checkpoint is refused: {0}")]
    Checkpoint(#[from] CheckpointError),
    #[error("the entry is not shown to be in the log: {0}")]
    Proof(#[from] ProofError),
    #[error("the entry cannot be read: {0}")]
    Entry(#[from] DecodeError),
    /// The log contains these bytes there, but they claim to be another entry.
    #[error("the entry names another place in the ledger")]
    OtherPlace,
}

impl Receipt {
    /// Puts the parts together; see [`inclusion_proof`](crate::inclusion_proof). Nothing is checked.
    #[must_use]
    pub const fn new(entry: Vec<u8>, index: u64, proof: Vec<Hash>, checkpoint: SignedCheckpoint) -> Self {
        Self { entry, index, proof, checkpoint }
    }

    /// Checks everything: signature, inclusion, and that the entry says it is where it is.
    ///
    /// # Errors
    /// [`ReceiptError`].
    pub fn verify(&self, key: &VerifierKey) -> Result<Entry, ReceiptError> {
        let checkpoint = self.checkpoint.verify(key)?;
        let leaf = leaf_hash(&self.entry);
        verify_inclusion(&leaf, self.index, checkpoint.size, &self.proof, &checkpoint.root)?;
        let entry = Entry::decode(&self.entry)?;
        let stated = (Some(entry.position.epoch), entry.position.sequence);
        if stated == (checkpoint.epoch(), self.index) { Ok(entry) } else { Err(ReceiptError::OtherPlace) }
    }

    /// The entry's exact bytes. Trust them only after [`verify`](Self::verify).
    #[must_use]
    pub fn entry_bytes(&self) -> &[u8] {
        &self.entry
    }

    /// The index of the entry in its epoch's tree.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The checkpoint, not verified.
    #[must_use]
    pub const fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }
}

/// The text form, for a file ending in `.tlog-proof`.
impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        writeln!(f, "extra {}", BASE64.encode(&self.entry))?;
        writeln!(f, "index {}", self.index)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{}", BASE64.encode(hash)))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for Receipt {
    type Err = ReceiptError;

    fn from_str(text: &str) -> Result<Self, ReceiptError> {
        if text.len() > MAX_RECEIPT_BYTES {
            return Err(ReceiptError::Malformed);
        }
        // The proof has no empty line, so the first one ends it.
        let (head, checkpoint) = text.split_once("\n\n").ok_or(ReceiptError::Malformed)?;
        let checkpoint = SignedCheckpoint::parse(checkpoint)?;
        let mut lines = head.split('\n');
        if lines.next() != Some(FIRST_LINE) {
            return Err(ReceiptError::Malformed);
        }
        let entry = after(lines.next(), "extra ")?;
        let entry = BASE64.decode(entry).map_err(|_| ReceiptError::Malformed)?;
        let index = after(lines.next(), "index ")?.parse().map_err(|_| ReceiptError::Malformed)?;
        let proof = lines.map(hash).collect::<Result<Vec<_>, _>>()?;
        let receipt = Self { entry, index, proof, checkpoint };
        // One text form, as for the index: no sign, no leading zeroes.
        if receipt.proof.len() <= MAX_HASHES && receipt.to_string() == text {
            Ok(receipt)
        } else {
            Err(ReceiptError::Malformed)
        }
    }
}

fn after<'a>(line: Option<&'a str>, word: &str) -> Result<&'a str, ReceiptError> {
    line.and_then(|line| line.strip_prefix(word)).ok_or(ReceiptError::Malformed)
}

fn hash(line: &str) -> Result<Hash, ReceiptError> {
    let bytes = BASE64.decode(line).map_err(|_| ReceiptError::Malformed)?;
    bytes.try_into().map_err(|_| ReceiptError::Malformed)
}
