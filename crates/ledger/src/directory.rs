//! Verification of an exported copy, offline and without any secret key.
//!
//! Layout: `<dir>/epoch-<n>/` is the prefix of a `tlog-tiles` log (`checkpoint`, `tile/...`); beside
//! it may be `checkpoints`, earlier ones in ascending size.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use mimamori_domain::Timestamp;

use crate::export::{CHECKPOINT_FILE, CHECKPOINTS_FILE, epoch_folder};
use crate::note::MAX_NOTE_BYTES;
use crate::tile::TileBuilder;
use crate::{
    BUNDLE_ENTRIES, Checkpoint, CheckpointError, Entry, EpochReport, Finding, Findings, Frontier, Hash,
    HashSource, PreviousLog, Problem, Report, SignedCheckpoint, SourceError, TILE_WIDTH, Tile, TileId,
    TreeVerifier, VerifierKey, VerifyOptions, bundle_path, decode_bundle, epoch_of, first_under, tiles_of,
};

/// How far a verification has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The epoch being read; epochs come in order.
    pub epoch: u32,
    /// Entries of this epoch seen so far.
    pub entries: u64,
    /// Entries this epoch has, as its checkpoint says.
    pub total: u64,
}

/// Verifies every epoch of a copy: entries, tiles, checkpoints, and that the epochs follow each
/// other. A key named by the log's base name serves for all epochs.
///
/// # Errors
/// Only when the folder itself cannot be listed; everything else is a finding.
pub fn verify_directory(
    dir: &Path,
    keys: &[VerifierKey],
    options: VerifyOptions,
    progress: &mut dyn FnMut(Progress),
) -> io::Result<Report> {
    let found = epochs(dir)?;
    let mut report = Report { epochs: Vec::new(), findings: Findings::up_to(options.most_findings) };
    if found.is_empty() {
        report.findings.add(Finding { epoch: 0, sequence: None, problem: Problem::Empty });
    }
    let (mut expected, mut recorded) = (0, None);
    for epoch in found {
        if epoch != expected {
            report.findings.add(Finding { epoch: expected, sequence: None, problem: Problem::EpochMissing });
        }
        expected = epoch.saturating_add(1);
        let next = epoch.checked_add(1).and_then(|next| named_by_first_entry(&dir.join(epoch_folder(next))));
        let verification = EpochVerification {
            epoch,
            folder: dir.join(epoch_folder(epoch)),
            keys,
            verifier: TreeVerifier::resume(epoch, Frontier::new(), recorded, options),
        };
        let (epoch_report, findings, last_recorded) = verification.run(next.as_ref(), progress);
        recorded = last_recorded;
        report.epochs.push(epoch_report);
        report.findings.merge(findings);
    }
    Ok(report)
}

/// The tiles of one epoch's folder, as a source for proofs.
#[derive(Debug, Clone)]
pub struct DirectoryTiles {
    folder: PathBuf,
}

impl DirectoryTiles {
    /// The tiles below `<dir>/epoch-<n>`.
    #[must_use]
    pub fn new(dir: &Path, epoch: u32) -> Self {
        Self { folder: dir.join(epoch_folder(epoch)) }
    }
}

impl HashSource for DirectoryTiles {
    fn tile(&self, id: TileId) -> Result<Vec<Hash>, SourceError> {
        let mut cause = io::ErrorKind::NotFound;
        // What a smaller tree needs may meanwhile be in any wider state of the tile.
        for width in id.width..=TILE_WIDTH {
            match fs::read(self.folder.join(TileId { width, ..id }.path())) {
                Ok(bytes) => return Tile::from_bytes(id, &bytes).map(|tile| tile.hashes),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => cause = error.kind(),
            }
        }
        match cause {
            io::ErrorKind::NotFound => Err(SourceError::Missing(id)),
            other => Err(SourceError::Unreadable { id, cause: other.to_string() }),
        }
    }
}

struct EpochVerification<'a> {
    epoch: u32,
    folder: PathBuf,
    keys: &'a [VerifierKey],
    verifier: TreeVerifier,
}

impl EpochVerification<'_> {
    fn run(
        mut self,
        next: Option<&PreviousLog>,
        progress: &mut dyn FnMut(Progress),
    ) -> (EpochReport, Findings, Option<Timestamp>) {
        if let Some(checkpoint) = self.last_checkpoint() {
            self.expect_named(next, &checkpoint);
            self.entries(&checkpoint, progress);
        }
        let recorded = self.verifier.last_recorded();
        let (report, findings) = self.verifier.finish();
        (report, findings, recorded)
    }

    /// The last checkpoint. One whose signature is refused is a finding, but still tells how many
    /// entries to look at, so that what else is wrong is found too.
    fn last_checkpoint(&mut self) -> Option<Checkpoint> {
        let text = match fs::read_to_string(self.folder.join(CHECKPOINT_FILE)) {
            Ok(text) => text,
            Err(error) => {
                self.unreadable(None, CHECKPOINT_FILE.to_owned(), &error);
                return None;
            }
        };
        let signed = match SignedCheckpoint::parse(&text) {
            Ok(signed) => signed,
            Err(error) => {
                self.verifier.found(None, Problem::Checkpoint(error));
                return None;
            }
        };
        let checkpoint = signed.unverified().clone();
        if self.is_ours(&signed) {
            self.verifier.expect_root(checkpoint.size, checkpoint.root);
        }
        Some(checkpoint)
    }

    /// Whether a key of the log signed it for this epoch; what is wrong becomes a finding.
    fn is_ours(&mut self, signed: &SignedCheckpoint) -> bool {
        let checkpoint = signed.unverified();
        if epoch_of(&checkpoint.origin) != Some(self.epoch) {
            self.verifier.found(None, Problem::Origin(checkpoint.origin.clone()));
            return false;
        }
        let mut problem = Problem::NoKey(checkpoint.origin.clone());
        for key in self.keys {
            match signed.verify(key) {
                Ok(_) => return true,
                Err(CheckpointError::OtherLog) => {}
                Err(error) => problem = Problem::Checkpoint(error),
            }
        }
        self.verifier.found(None, problem);
        false
    }

    /// What the next epoch's first entry says of this one.
    fn expect_named(&mut self, next: Option<&PreviousLog>, here: &Checkpoint) {
        match next {
            None => {}
            Some(named) if named.origin != here.origin => self.verifier.found(None, Problem::PreviousLog),
            Some(named) if named.size > here.size => {
                self.verifier.found(Some(here.size), Problem::Lost { named: named.size, present: here.size })
            }
            Some(named) => self.verifier.expect_root(named.size, named.root),
        }
    }

    fn entries(&mut self, checkpoint: &Checkpoint, progress: &mut dyn FnMut(Progress)) {
        let total = checkpoint.size;
        let mut tiles = TileBuilder::default();
        let mut log = CheckpointLog::open(&self.folder).unwrap_or_else(|error| {
            self.unreadable(None, CHECKPOINTS_FILE.to_owned(), &error);
            CheckpointLog(None)
        });
        let mut ahead = self.next_earlier(&mut log);
        for (index, width) in bundles(total) {
            let until = self.verifier.size() + u64::from(width);
            while let Some(earlier) = ahead.take_if(|earlier| earlier.size <= until) {
                self.verifier.expect_root(earlier.size, earlier.root);
                ahead = self.next_earlier(&mut log);
            }
            if !self.bundle(index, width, &mut tiles) {
                return;
            }
            progress(Progress { epoch: self.epoch, entries: self.verifier.size(), total });
        }
        for tile in tiles.finish() {
            self.compare_tile(&tile);
        }
        while let Some(earlier) = ahead {
            self.verifier.expect_root(earlier.size, earlier.root);
            ahead = self.next_earlier(&mut log);
        }
    }

    /// The next earlier checkpoint that is signed by the log.
    fn next_earlier(&mut self, log: &mut CheckpointLog) -> Option<Checkpoint> {
        loop {
            match log.next()? {
                Ok(signed) if self.is_ours(&signed) => return Some(signed.unverified().clone()),
                Ok(_) => {}
                Err(LogError::Refused(error)) => self.verifier.found(None, Problem::Checkpoint(error)),
                Err(LogError::Io(error)) => self.unreadable(None, CHECKPOINTS_FILE.to_owned(), &error),
            }
        }
    }

    /// One bundle with its level-0 tile; `false` when neither can be had, so that nothing after it
    /// can be verified.
    fn bundle(&mut self, index: u64, width: u16, tiles: &mut TileBuilder) -> bool {
        let id = TileId { level: 0, index, width };
        let stored = self.read_tile(id);
        let path = bundle_path(index, width);
        let first = self.verifier.size();
        let bytes = match read_either(&self.folder, &path, &bundle_path(index, BUNDLE_ENTRIES)) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.unreadable(Some(first), path, &error);
                return self.go_on_from_tile(stored, tiles);
            }
        };
        let entries = match decode_bundle(&bytes) {
            Ok(entries) if entries.len() >= usize::from(width) => entries,
            other => {
                let cause = other.err().unwrap_or(crate::BundleError::Count);
                self.verifier.found(Some(first), Problem::Bundle { path, cause });
                return self.go_on_from_tile(stored, tiles);
            }
        };
        let mut hashes = stored.as_ref().map(|tile| tile.hashes.iter());
        let mut full = Vec::new();
        for entry in entries.into_iter().take(usize::from(width)) {
            let sequence = self.verifier.size();
            let leaf = self.verifier.push_and_see(entry, |height, _, hash| {
                full.extend(tiles.subtree(height, *hash));
            });
            if hashes.as_mut().and_then(Iterator::next).is_some_and(|hash| *hash != leaf) {
                self.verifier.found(Some(sequence), Problem::LeafDiffers);
            }
        }
        full.iter().for_each(|tile| self.compare_tile(tile));
        true
    }

    /// Takes the leaf hashes from the tile where the entries cannot be had.
    fn go_on_from_tile(&mut self, stored: Option<Tile>, tiles: &mut TileBuilder) -> bool {
        let Some(stored) = stored else { return false };
        let mut full = Vec::new();
        for leaf in stored.hashes {
            self.verifier.push_leaf(leaf, |height, _, hash| full.extend(tiles.subtree(height, *hash)));
        }
        full.iter().for_each(|tile| self.compare_tile(tile));
        true
    }

    fn compare_tile(&mut self, computed: &Tile) {
        if let Some(stored) = self.read_tile(computed.id)
            && stored.hashes != computed.hashes
        {
            self.verifier.found(first_under(computed.id), Problem::TileDiffers(computed.id));
        }
    }

    fn read_tile(&mut self, id: TileId) -> Option<Tile> {
        let full = TileId { width: TILE_WIDTH, ..id };
        match read_either(&self.folder, &id.path(), &full.path()) {
            Ok(bytes) => match Tile::from_bytes(id, &bytes) {
                Ok(tile) => Some(tile),
                Err(_) => {
                    self.verifier.found(first_under(id), Problem::TileDiffers(id));
                    None
                }
            },
            Err(error) => {
                self.unreadable(first_under(id), id.path(), &error);
                None
            }
        }
    }

    fn unreadable(&mut self, sequence: Option<u64>, path: String, error: &io::Error) {
        self.verifier.found(sequence, Problem::File { path, cause: error.kind() });
    }
}

/// A partial file, or the full one that may have taken its place (`tlog-tiles`, "Merkle Tree").
fn read_either(folder: &Path, path: &str, full: &str) -> io::Result<Vec<u8>> {
    match fs::read(folder.join(path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && path != full => fs::read(folder.join(full)),
        read => read,
    }
}

fn bundles(size: u64) -> impl Iterator<Item = (u64, u16)> {
    tiles_of(size).take_while(|id| id.level == 0).map(|id| (id.index, id.width))
}

fn epochs(dir: &Path) -> io::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let epoch = name.to_str().and_then(|name| name.strip_prefix("epoch-")?.parse().ok());
        found.extend(epoch.filter(|epoch| *epoch_folder(*epoch) == name));
    }
    found.sort_unstable();
    Ok(found)
}

/// The previous log as an epoch's first entry names it. Anything wrong with that entry is found
/// when its own epoch is verified.
fn named_by_first_entry(folder: &Path) -> Option<PreviousLog> {
    let mut widths = (1..=BUNDLE_ENTRIES).rev();
    let bytes = widths.find_map(|width| fs::read(folder.join(bundle_path(0, width))).ok())?;
    let entries = decode_bundle(&bytes).ok()?;
    Entry::decode(entries.first()?).ok()?.draft.previous
}

enum LogError {
    Refused(CheckpointError),
    Io(io::Error),
}

/// Reads the file of earlier checkpoints one at a time: it may be long.
struct CheckpointLog(Option<BufReader<File>>);

impl CheckpointLog {
    /// Without that file there are none.
    fn open(folder: &Path) -> io::Result<Self> {
        match File::open(folder.join(CHECKPOINTS_FILE)) {
            Ok(file) => Ok(Self(Some(BufReader::new(file)))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self(None)),
            Err(error) => Err(error),
        }
    }

    /// The next checkpoint. After a failure nothing more is read. An empty file is not one without
    /// checkpoints: that would be absent.
    fn next(&mut self) -> Option<Result<SignedCheckpoint, LogError>> {
        let file = self.0.as_mut()?;
        let (read, at_end) = match next_note(file) {
            Ok((text, at_end)) => (SignedCheckpoint::parse(&text).map_err(LogError::Refused), at_end),
            Err(error) => (Err(LogError::Io(error)), true),
        };
        if read.is_err() || at_end {
            self.0 = None;
        }
        Some(read)
    }
}

/// The text of one note, and whether it was the last: text, an empty line, signature lines. Another
/// empty line parts it from the next, which must then be there: an end after it is left in the text
/// and makes the note malformed.
fn next_note(file: &mut BufReader<File>) -> io::Result<(String, bool)> {
    let (mut text, mut empty_lines) = (String::new(), 0);
    while empty_lines < 2 {
        // One byte more than a note may have is enough to have it refused.
        let left = (MAX_NOTE_BYTES + 1).saturating_sub(text.len()) as u64;
        match file.by_ref().take(left).read_line(&mut text)? {
            0 => break,
            1 if text.ends_with('\n') => empty_lines += 1,
            _ => {}
        }
    }
    let at_end = file.fill_buf()?.is_empty();
    if empty_lines == 2 && !at_end {
        text.pop();
    }
    Ok((text, at_end))
}
