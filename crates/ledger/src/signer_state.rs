//! What the signer remembers outside the database, so that a rolled-back or exchanged database
//! is noticed before anything inconsistent is signed.
//!
//! Every signature is preceded by an fsync of what it says: after a crash the state may name a
//! checkpoint that was never published, but never miss one that was.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::{
    Checkpoint, CheckpointError, DecodeError, Entry, Hash, PreviousLog, ProofError, SignedCheckpoint, Signer,
    leaf_hash, origin, sha256, verify_consistency, verify_inclusion,
};

const FIRST_LINE: &str = "mimamori-signer-state/1";
/// Stands for the checkpoint before anything was signed.
const NOTHING: &str = "none\n";
/// Origin, size, root and checksum fit well.
const MAX_FILE_BYTES: u64 = 4096;

/// The last signed state of a log, kept in a file. One process at a time can hold it.
#[derive(Debug)]
pub struct SignerState {
    path: PathBuf,
    last: Option<Checkpoint>,
    /// Holds the lock for as long as this lives.
    lock: File,
}

/// Why the state cannot be opened, read or kept.
#[derive(Debug, thiserror::Error)]
pub enum SignerStateError {
    /// Creating is for a new log; losing the file is an incident to be looked into.
    #[error("the signer's state {} is missing", .0.display())]
    Missing(PathBuf),
    #[error("the signer's state {} is there already", .0.display())]
    Exists(PathBuf),
    #[error("the signer's state {} is in use by another process", .0.display())]
    InUse(PathBuf),
    #[error("the signer's state {} is damaged", .0.display())]
    Damaged(PathBuf),
    #[error("the signer's state {}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// How a checkpoint to be signed follows from the last signed one.
#[derive(Debug, Clone, Copy)]
pub enum Continuity<'a> {
    /// The same epoch's tree, perhaps grown: the proof from the last signed size to the new one.
    /// Empty for the very first checkpoint, from size 0, and when nothing has grown.
    Grown(&'a [Hash]),
    /// The first checkpoint of the next epoch, whose first entry names the last signed checkpoint.
    NewEpoch {
        /// The exact bytes of the entry at index 0.
        first_entry: &'a [u8],
        /// The proof that it is at index 0 of the tree to be signed.
        inclusion: &'a [Hash],
    },
}

/// Why a checkpoint is not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The database has fewer entries than were already signed: it was rolled back.
    #[error("rolled back: {signed} entries were signed, only {found} are there")]
    Rollback { signed: u64, found: u64 },
    /// Entries that were already signed have changed.
    #[error("forked from the last signed checkpoint of size {signed}: {cause}")]
    Fork { signed: u64, cause: ProofError },
    /// The epoch is neither the last signed one nor a properly started next one.
    #[error("not the continuation of the last signed log")]
    OtherLog,
    #[error("the first entry of the new epoch cannot be read: {0}")]
    FirstEntry(#[from] DecodeError),
    #[error("the first entry of the new epoch is not in its tree: {0}")]
    FirstEntryNotIncluded(#[source] ProofError),
    #[error("the first entry of the new epoch does not name the last signed checkpoint")]
    PreviousNotNamed,
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    State(#[from] SignerStateError),
}

impl SignerState {
    /// The state of a log that never signed anything. Its first checkpoint is signed as it comes.
    ///
    /// # Errors
    /// [`SignerStateError::Exists`] when there is a state already; [`SignerStateError::Io`].
    pub fn create(path: &Path) -> Result<Self, SignerStateError> {
        let lock = lock(path)?;
        let exists = path.try_exists().map_err(|source| io_error(path, source))?;
        if exists {
            return Err(SignerStateError::Exists(path.to_owned()));
        }
        let state = Self { path: path.to_owned(), last: None, lock };
        state.write(None)?;
        Ok(state)
    }

    /// Opens the state of a log that has one.
    ///
    /// # Errors
    /// [`SignerStateError`].
    pub fn open(path: &Path) -> Result<Self, SignerStateError> {
        let lock = lock(path)?;
        Ok(Self { path: path.to_owned(), last: read(path)?, lock })
    }

    /// What was signed last, whoever holds the state: for checking, not for signing. The file is always
    /// replaced as a whole, so what is read is one state, the present one or the one before.
    ///
    /// # Errors
    /// [`SignerStateError`], but never [`SignerStateError::InUse`].
    pub fn peek(path: &Path) -> Result<Option<Checkpoint>, SignerStateError> {
        read(path)
    }

    /// A name for the lock that this holds: equal for all processes that ever hold it one after the
    /// other while the machine runs, and another one for a copy of the folder or on another machine.
    /// Who finds that a process held a lock of this name knows that it lets nothing be signed any more.
    /// `None` where the system does not tell.
    #[must_use]
    pub fn lock_name(&self) -> Option<String> {
        lock_name(&self.lock)
    }

    /// The last checkpoint that was signed, or may have been when the process ended.
    #[must_use]
    pub const fn last(&self) -> Option<&Checkpoint> {
        self.last.as_ref()
    }

    /// Signs `next` if it continues what was signed last, after writing it down durably.
    ///
    /// # Errors
    /// [`SignError`]; nothing was signed then.
    pub fn sign_next(
        &mut self,
        signer: &Signer,
        next: &Checkpoint,
        continuity: Continuity<'_>,
    ) -> Result<SignedCheckpoint, SignError> {
        if let Some(last) = &self.last {
            follows(last, next, continuity)?;
        }
        let signed = next.sign(signer)?;
        if self.last.as_ref() != Some(next) {
            self.write(Some(next))?;
            self.last = Some(next.clone());
        }
        Ok(signed)
    }

    fn write(&self, last: Option<&Checkpoint>) -> Result<(), SignerStateError> {
        replace_durably(&self.path, text(last).as_bytes()).map_err(|source| io_error(&self.path, source))
    }
}

fn read(path: &Path) -> Result<Option<Checkpoint>, SignerStateError> {
    let length = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(SignerStateError::Missing(path.to_owned()));
        }
        Err(source) => return Err(io_error(path, source)),
    };
    let bytes = if length > MAX_FILE_BYTES {
        Vec::new()
    } else {
        fs::read(path).map_err(|source| io_error(path, source))?
    };
    parse(&bytes).ok_or_else(|| SignerStateError::Damaged(path.to_owned()))
}

fn follows(last: &Checkpoint, next: &Checkpoint, continuity: Continuity<'_>) -> Result<(), SignError> {
    match continuity {
        Continuity::Grown(proof) => {
            if next.origin != last.origin {
                return Err(SignError::OtherLog);
            }
            if next.size < last.size {
                return Err(SignError::Rollback { signed: last.size, found: next.size });
            }
            verify_consistency(last.size, &last.root, next.size, &next.root, proof)
                .map_err(|cause| SignError::Fork { signed: last.size, cause })
        }
        Continuity::NewEpoch { first_entry, inclusion } => {
            if next_origin(last).as_ref() != Some(&next.origin) {
                return Err(SignError::OtherLog);
            }
            let entry = Entry::decode(first_entry)?;
            verify_inclusion(&leaf_hash(first_entry), 0, next.size, inclusion, &next.root)
                .map_err(SignError::FirstEntryNotIncluded)?;
            let Checkpoint { origin, size, root } = last.clone();
            let named = entry.draft.previous == Some(PreviousLog { origin, size, root });
            if named && Some(entry.position.epoch) == next.epoch() {
                Ok(())
            } else {
                Err(SignError::PreviousNotNamed)
            }
        }
    }
}

fn next_origin(last: &Checkpoint) -> Option<String> {
    let (name, _) = last.origin.rsplit_once('/')?;
    Some(origin(name, last.epoch()?.checked_add(1)?))
}

fn text(last: Option<&Checkpoint>) -> String {
    let body = format!("{FIRST_LINE}\n{}", last.map_or_else(|| NOTHING.to_owned(), Checkpoint::text));
    let checksum: String = sha256(body.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{body}{checksum}\n")
}

/// `None` when the file is not exactly what would be written for what it says.
fn parse(bytes: &[u8]) -> Option<Option<Checkpoint>> {
    let content = std::str::from_utf8(bytes).ok()?;
    let body = content.strip_prefix(FIRST_LINE)?.strip_prefix('\n')?;
    let (body, _checksum) = body.strip_suffix('\n')?.rsplit_once('\n')?;
    let body = format!("{body}\n");
    let last = if body == NOTHING { None } else { Some(Checkpoint::parse_text(&body).ok()?) };
    (text(last.as_ref()) == content).then_some(last)
}

/// Either the old or the new content is there after a crash, and the new one once this returns.
fn replace_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    let fresh = beside(path, "new");
    let mut file = File::create(&fresh)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn lock(path: &Path) -> Result<File, SignerStateError> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(beside(path, "lock"))
        .map_err(|source| io_error(path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(SignerStateError::InUse(path.to_owned())),
        Err(fs::TryLockError::Error(source)) => Err(io_error(path, source)),
    }
}

/// The kernel that keeps the lock, until it starts anew (proc(5), `boot_id`), and the file it is on: no
/// other file has its number while it exists.
#[cfg(target_os = "linux")]
fn lock_name(lock: &File) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let file = lock.metadata().ok()?;
    Some(format!("{} {} {}", boot.trim(), file.dev(), file.ino()))
}

#[cfg(not(target_os = "linux"))]
const fn lock_name(_: &File) -> Option<String> {
    None
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

fn io_error(path: &Path, source: io::Error) -> SignerStateError {
    SignerStateError::Io { path: path.to_owned(), source }
}
