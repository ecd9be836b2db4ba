//! The tamper-evident ledger (証跡): entries, Merkle tree, tiles, checkpoints, receipts, verifier.
//!
//! No database and no async. Everything is pure, except reading and writing of an exported copy
//! ([`verify_directory`], [`Exporter`]) and of the signer's state ([`SignerState`]).
//!
//! The byte-level formats are in `docs/ledger-format.md`; a verifier can be written from that page
//! alone, and `e2e/verify_ledger.py` is one. Standards followed:
//! - tree hashing and proofs: RFC 9162 section 2.1, with SHA-256
//! - entries: deterministic CBOR, RFC 8949 section 4.2.1
//! - tiles and bundles: C2SP `tlog-tiles`
//! - checkpoints: C2SP `tlog-checkpoint` over `signed-note`, Ed25519 (RFC 8032)
//! - receipts: C2SP `tlog-proof`

mod cbor;
mod checkpoint;
mod directory;
mod entry;
mod export;
mod finding;
mod frontier;
mod hash;
mod note;
mod proof;
mod receipt;
mod signer_state;
mod tile;
mod verify;

pub use checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint, epoch_of, origin};
pub use directory::{DirectoryTiles, Progress, verify_directory};
pub use entry::{
    DecodeError, Entry, EntryDraft, EntryError, EntryHead, MAX_ENTRY_BYTES, Position, PreviousLog, Sealed,
};
pub use export::{ExportError, Exporter, epoch_folder};
pub use finding::{EpochReport, Finding, Findings, Problem, Report, Severity};
pub use frontier::{Frontier, FrontierError};
pub use hash::{Hash, empty_root, leaf_hash, node_hash, sha256};
pub use note::{NoteError, NoteSignature, SignedNote, Signer, VerifierKey};
pub use proof::{
    ProofError, consistency_proof, inclusion_proof, tiles_for_consistency, tiles_for_inclusion,
    verify_consistency, verify_inclusion,
};
pub use receipt::{Receipt, ReceiptError};
pub use signer_state::{Continuity, SignError, SignerState, SignerStateError};
pub use tile::{
    BUNDLE_ENTRIES, BundleError, HashSource, MemoryTiles, SourceError, TILE_WIDTH, Tile, TileCheck, TileId,
    bundle_path, decode_bundle, encode_bundle, first_under, grow, tiles_for_growth, tiles_of,
};
pub use verify::{Reading, TreeVerifier, VerifyOptions};
