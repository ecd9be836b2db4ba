//! What a verification finds, and how it reports.

use std::fmt;

use mimamori_domain::Timestamp;

use crate::{BundleError, CheckpointError, DecodeError, Hash, TileId};

/// Something that is not as it must be, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The epoch concerned.
    pub epoch: u32,
    /// The entry concerned, or the first of several; `None` when it concerns no single place.
    pub sequence: Option<u64>,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("the entry is not well formed: {0}")]
    Entry(DecodeError),
    #[error("the entry says it is of epoch {0}")]
    Epoch(u32),
    #[error("the entry says it is number {0}")]
    Sequence(u64),
    #[error("recorded at {found}, earlier than the entry before ({before})")]
    Time { before: Timestamp, found: Timestamp },
    #[error("the entry is not the one in the hash tile")]
    LeafDiffers,
    #[error("tile {} does not have the hashes it must have", .0.path())]
    TileDiffers(TileId),
    #[error("tile {} is missing", .0.path())]
    TileMissing(TileId),
    #[error("tile {} is there, and the entries it would stand for are not", .0.path())]
    TileBeyondEnd(TileId),
    #[error("{path} does not have the entries it must have: {cause}")]
    Bundle { path: String, cause: BundleError },
    #[error("{path} cannot be read: {cause}")]
    File { path: String, cause: std::io::ErrorKind },
    #[error("a checkpoint is refused: {0}")]
    Checkpoint(CheckpointError),
    #[error("no key is known for {0}")]
    NoKey(String),
    #[error("the checkpoint is of {0}, which does not belong here")]
    Origin(String),
    #[error("the entries up to size {size} do not have the signed root")]
    Root { size: u64 },
    #[error("a checkpoint was signed for {size} entries, more than are here")]
    BeyondEnd { size: u64 },
    #[error("a checkpoint of size {size} comes after a later one")]
    CheckpointOrder { size: u64 },
    #[error("the folder of this epoch is missing")]
    EpochMissing,
    #[error("no epoch is there")]
    Empty,
    #[error("the next epoch names another log as its previous one")]
    PreviousLog,
    /// Not a fault of the copy: a restored older database lacks what came after its backup.
    /// Somebody must be able to name that restore.
    #[error("the next epoch names {named} entries of this one; {present} are here (restored from a backup)")]
    Lost { named: u64, present: u64 },
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The evidence is damaged or was changed.
    Error,
    /// Proven and recorded, to be explained by people.
    Notice,
}

impl Problem {
    /// How much it weighs.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self {
            Self::Lost { .. } => Severity::Notice,
            _ => Severity::Error,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sequence {
            Some(sequence) => write!(f, "epoch {}, entry {sequence}: {}", self.epoch, self.problem),
            None => write!(f, "epoch {}: {}", self.epoch, self.problem),
        }
    }
}

/// Findings up to a number; the rest are only counted, so that a ruined copy cannot fill memory.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    kept: Vec<Finding>,
    most: usize,
    dropped: u64,
    errors: u64,
}

impl Findings {
    /// Keeps at most this many.
    #[must_use]
    pub const fn up_to(most: usize) -> Self {
        Self { kept: Vec::new(), most, dropped: 0, errors: 0 }
    }

    /// Keeps a finding, or counts it when there are enough.
    pub fn add(&mut self, finding: Finding) {
        if finding.problem.severity() == Severity::Error {
            self.errors += 1;
        }
        if self.kept.len() < self.most {
            self.kept.push(finding);
        } else {
            self.dropped += 1;
        }
    }

    /// Takes over what another verification found.
    pub fn merge(&mut self, other: Self) {
        let kept_errors = other.kept.iter().filter(|f| f.problem.severity() == Severity::Error).count();
        self.errors += other.errors.saturating_sub(kept_errors as u64);
        self.dropped += other.dropped;
        other.kept.into_iter().for_each(|finding| self.add(finding));
    }

    /// Those that were kept, in the order found.
    #[must_use]
    pub fn kept(&self) -> &[Finding] {
        &self.kept
    }

    /// How many more there were.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How many were errors, kept or not.
    #[must_use]
    pub const fn errors(&self) -> u64 {
        self.errors
    }
}

/// What was verified of one epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochReport {
    /// Which epoch.
    pub epoch: u32,
    /// The number of entries seen.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// The recorded time of the first and the last entry.
    pub recorded: Option<(Timestamp, Timestamp)>,
    /// How many signed roots the entries were compared with.
    pub roots_compared: u64,
}

/// What a verification says in the end.
#[derive(Debug, Clone)]
pub struct Report {
    /// Each epoch that was there, in order.
    pub epochs: Vec<EpochReport>,
    /// What is not as it must be, and what needs explaining.
    pub findings: Findings,
}

impl Report {
    /// Whether the evidence is whole. Notices may remain.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.findings.errors() == 0
    }

    /// All entries seen.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.epochs.iter().map(|epoch| epoch.size).sum()
    }
}
