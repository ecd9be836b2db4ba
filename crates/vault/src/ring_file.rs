//! The ring file: the ring keys, wrapped by the root key, outside the database.
//!
//! ```text
//! mimamori-ring 1
//! root 1b0e...-...           which root key opens it
//! serial 7                   rises with every change
//! retiring 5f...-... 1763683200000000 base64    only while a rotation is under way
//! current  9c...-... 1763683200000001 base64    id, creation in microseconds, wrapped key
//! seal base64                SHA-256 of all lines above, wrapped by the root key
//! ```
//! One text per content: whatever does not read back to exactly the same bytes is refused.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mimamori_domain::{KeyId, Timestamp};

use crate::encoding::join;
use crate::root::{file_error, open_private, sync_directory_of};
use crate::{Result, RootKey, VaultError};

const TITLE: &str = "mimamori-ring 1";
const KEY_CONTEXT: &[u8] = b"mimamori/ring/1/key";
const SEAL_CONTEXT: &[u8] = b"mimamori/ring/1/seal";
/// A ring file has two keys at most; anything longer is not one.
const MAX_SIZE: u64 = 16 * 1024;
const READ_ATTEMPTS: u32 = 16;

/// What the file says, still wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RingFile {
    pub(crate) root: KeyId,
    pub(crate) serial: u64,
    pub(crate) retiring: Option<FileKey>,
    pub(crate) current: FileKey,
}

/// One ring key as the file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileKey {
    pub(crate) id: KeyId,
    pub(crate) created: Timestamp,
    pub(crate) wrapped: Vec<u8>,
}

impl FileKey {
    /// What the root key binds to the wrapped ring key.
    pub(crate) fn associated_data(id: KeyId, created: Timestamp) -> Vec<u8> {
        join(&[KEY_CONTEXT, id.as_bytes(), &created.as_micros().to_be_bytes()])
    }

    fn line(&self, state: &str) -> String {
        format!("{state} {} {} {}\n", self.id, self.created.as_micros(), STANDARD.encode(&self.wrapped))
    }
}

impl RingFile {
    /// Reads and authenticates the file.
    ///
    /// A writer overwrites the old file after putting the new one in its place; whoever opened the
    /// old one just before must read again.
    pub(crate) fn read(path: &Path, root: &dyn RootKey) -> Result<Self> {
        for _ in 0..READ_ATTEMPTS {
            let file = open_private(path)?;
            let opened = file.metadata().map_err(|source| file_error(path, source))?.ino();
            let outcome = Self::read_from(&file, path, root);
            // `file` is still open, so its number cannot have been given to another file.
            let there_now = std::fs::metadata(path).map_err(|source| file_error(path, source))?.ino();
            if outcome.is_ok() || opened == there_now {
                return outcome;
            }
        }
        Err(damaged(path, "it changes all the time"))
    }

    fn read_from(file: &File, path: &Path, root: &dyn RootKey) -> Result<Self> {
        let mut text = String::new();
        file.take(MAX_SIZE).read_to_string(&mut text).map_err(|source| match source.kind() {
            std::io::ErrorKind::InvalidData => damaged(path, "not text"),
            _ => file_error(path, source),
        })?;
        let (file, seal) = parse(&text).ok_or_else(|| damaged(path, "not in the form of a ring file"))?;
        let body = file.body();
        if text != format!("{body}{}", seal_line(&seal)) {
            return Err(damaged(path, "not in the form of a ring file"));
        }
        if file.root != root.id() {
            return Err(VaultError::OtherRootKey { path: path.into(), wanted: file.root, given: root.id() });
        }
        let sealed = root.unwrap(&seal, SEAL_CONTEXT).map_err(|_| damaged(path, "its seal does not open"))?;
        if !crate::constant_time_eq(&sealed, digest_of(&body).as_ref()) {
            return Err(damaged(path, "its seal is of another content"));
        }
        Ok(file)
    }

    /// Replaces the file: written beside it, synced, renamed, directory synced. A crash leaves
    /// either the old or the new file, whole.
    ///
    /// What the old file held is overwritten afterwards, so that a destroyed ring key does not
    /// linger in free blocks of a plain disk (file systems that copy on write, and flash, may keep
    /// it all the same: `docs/vault.md`).
    pub(crate) fn write(&self, path: &Path, root: &dyn RootKey) -> Result<()> {
        let body = self.body();
        let seal = root.wrap(digest_of(&body).as_ref(), SEAL_CONTEXT)?;
        let text = format!("{body}{}", seal_line(&seal));
        replace(path, text.as_bytes()).map_err(|source| file_error(path, source))
    }

    fn body(&self) -> String {
        let mut text = format!("{TITLE}\nroot {}\nserial {}\n", self.root, self.serial);
        if let Some(key) = &self.retiring {
            text.push_str(&key.line("retiring"));
        }
        text.push_str(&self.current.line("current"));
        text
    }
}

/// Holds other processes off while the ring changes; released when dropped.
pub(crate) fn lock(path: &Path) -> Result<File> {
    let lock_path = beside(path, ".lock");
    let failed = |source| file_error(&lock_path, source);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&lock_path)
        .map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

fn parse(text: &str) -> Option<(RingFile, Vec<u8>)> {
    let mut lines = text.split_terminator('\n').peekable();
    if lines.next()? != TITLE {
        return None;
    }
    let root = lines.next()?.strip_prefix("root ")?.parse().ok()?;
    let serial = lines.next()?.strip_prefix("serial ")?.parse().ok()?;
    let retiring = match lines.next_if(|line| line.starts_with("retiring ")) {
        Some(line) => Some(parse_key("retiring ", line)?),
        None => None,
    };
    let current = parse_key("current ", lines.next()?)?;
    let seal = STANDARD.decode(lines.next()?.strip_prefix("seal ")?).ok()?;
    lines.next().is_none().then_some((RingFile { root, serial, retiring, current }, seal))
}

fn parse_key(state: &str, line: &str) -> Option<FileKey> {
    let mut fields = line.strip_prefix(state)?.split(' ');
    let key = FileKey {
        id: fields.next()?.parse().ok()?,
        created: Timestamp::from_micros(fields.next()?.parse().ok()?),
        wrapped: STANDARD.decode(fields.next()?).ok()?,
    };
    fields.next().is_none().then_some(key)
}

fn seal_line(seal: &[u8]) -> String {
    format!("seal {}\n", STANDARD.encode(seal))
}

fn digest_of(body: &str) -> digest::Digest {
    digest::digest(&digest::SHA256, body.as_bytes())
}

fn replace(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let fresh = beside(path, ".new");
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    file.write_all(content)?;
    file.sync_all()?;
    let old = match OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        other => Some(other?),
    };
    std::fs::rename(&fresh, path)?;
    sync_directory_of(path)?;
    if let Some(mut old) = old {
        let length = usize::try_from(old.seek(SeekFrom::End(0))?).unwrap_or_default();
        old.seek(SeekFrom::Start(0))?;
        old.write_all(&vec![0; length])?;
        old.sync_all()?;
    }
    Ok(())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn damaged(path: &Path, reason: &'static str) -> VaultError {
    VaultError::DamagedRing { path: path.into(), reason }
}
