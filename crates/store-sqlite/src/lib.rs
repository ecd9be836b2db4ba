//! The embedded default: one SQLite file in WAL mode, with data and ledger together.
//!
//! The commit queue owns the one connection that writes; reads have a pool of their own. Several
//! programs may open the file (a command line beside the server); one server per file is supported.

mod connection;
mod dialect;
mod error;
mod folding;
mod readers;
mod statements;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use mimamori_store::driver::{Connection, Driver, DriverError, Reading};
use mimamori_store::schema::{self, Dialect};
use mimamori_store::{Engine, EngineOptions, OpenError};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection as _, Row as _};

use crate::connection::{PageLimit, Session};
pub use crate::dialect::DIALECT;
use crate::error::driver_error;
use crate::folding::{Fold, Folding, OnFatal};
use crate::readers::Readers;
use crate::statements::Opening;

/// The oldest SQLite without the WAL-reset bug (sqlite.org/wal.html, section "The WAL-Reset Bug").
const OLDEST: (u32, u32, u32) = (3, 51, 3);
/// SQLite's own greatest number of pages (sqlite.org/limits.html, 14).
const NO_PAGE_LIMIT: u32 = 4_294_967_294;
/// Kept statements per connection; more than there are.
const STATEMENT_CACHE: usize = 512;
/// Page size of a new file, in bytes.
const PAGE_BYTES: u32 = 4096;

/// What is said to each connection that only reads; up to 64 MiB of pages each.
const READING: &str = "PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON; \
     PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536";

/// A store on SQLite.
pub type SqliteStore = Engine<SqliteDriver>;

/// How to open a file.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    pub engine: EngineOptions,
    /// Connections for reading.
    pub readers: u32,
    /// Makes the file if there is none.
    pub create: bool,
    /// How long to wait for another program's lock, and for a free reading connection.
    pub patience: Duration,
}

impl SqliteOptions {
    #[must_use]
    pub const fn new(engine: EngineOptions) -> Self {
        Self { engine, readers: 4, create: true, patience: Duration::from_secs(5) }
    }
}

/// Opens a file, checks that it keeps what it acknowledges, and brings its schema up to date.
/// `address` is a path, or a URL `sqlite:PATH` or `sqlite://PATH`.
///
/// # Errors
/// [`OpenError`]
pub async fn open(address: &str, options: SqliteOptions) -> Result<SqliteStore, OpenError> {
    let path = path_of(address)?;
    // Asked before SQLite, whose own words for it differ with what it tried to write first.
    if let Err(error) = std::fs::File::options().write(true).open(&path)
        && let Some(error) = read_only(&error)
    {
        return Err(error);
    }
    let driver = SqliteDriver::new(&path, &options);
    let mut writer = driver.connect().await.map_err(driver_error)?;
    check(&mut writer).await?;
    let now = options.engine.clock.now();
    let mut session = Session::new(writer, None);
    let applied = schema::migrate(&mut session, &DIALECT, now).await?;
    if !applied.is_empty() {
        tracing::info!(steps = ?applied, "the schema was brought up to date");
    }
    let driver = driver.fold_beside(&options.engine.on_fatal);
    Ok(Engine::start(driver, options.engine))
}

/// Whether a file could not be opened because it may not be written to.
fn read_only(error: &std::io::Error) -> Option<OpenError> {
    let meaning = match error.kind() {
        std::io::ErrorKind::PermissionDenied => "the account that serves may not write the file",
        std::io::ErrorKind::ReadOnlyFilesystem => "its file system is mounted read-only",
        _ => return None,
    };
    Some(OpenError::ReadOnly(meaning.to_owned()))
}

fn path_of(address: &str) -> Result<PathBuf, OpenError> {
    let path = address.strip_prefix("sqlite:").unwrap_or(address);
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.contains([':', '?']) {
        return Err(OpenError::Address("a path to a file is expected".to_owned()));
    }
    Ok(PathBuf::from(path))
}

/// Reads back what durability and secrecy depend on.
async fn check(connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let version: String = pragma(connection, "SELECT sqlite_version()").await?;
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let mut part = || parts.next().unwrap_or(0);
    if (part(), part(), part()) < OLDEST {
        return Err(OpenError::Unsafe(format!("SQLite {version} has a bug that can lose commits")));
    }
    let journal: String = pragma(connection, "PRAGMA journal_mode").await?;
    if journal != "wal" {
        return Err(OpenError::Unsafe(format!("journal_mode is {journal}, not wal")));
    }
    for (question, least) in
        [("PRAGMA synchronous", 2_i64), ("PRAGMA foreign_keys", 1), ("PRAGMA secure_delete", 1)]
    {
        let found: i64 = pragma(connection, question).await?;
        if found < least {
            return Err(OpenError::Unsafe(format!("{question} is {found}")));
        }
    }
    Ok(())
}

async fn pragma<T>(connection: &mut SqliteConnection, question: &'static str) -> Result<T, OpenError>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    let row = sqlx::query(question).fetch_one(connection).await.map_err(driver_error)?;
    Ok(row.try_get(0).map_err(driver_error)?)
}

/// Opens connections to one file.
#[derive(Debug)]
pub struct SqliteDriver {
    writing: SqliteConnectOptions,
    readers: Readers,
    page_limit: Arc<AtomicU32>,
    folding: Option<Folding>,
}

impl SqliteDriver {
    fn new(path: &Path, options: &SqliteOptions) -> Self {
        let common = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(options.patience)
            .foreign_keys(true)
            .statement_cache_capacity(STATEMENT_CACHE)
            .pragma("trusted_schema", "OFF")
            .pragma("temp_store", "MEMORY")
            .disable_statement_logging();
        let writing = common
            .clone()
            .create_if_missing(options.create)
            .page_size(PAGE_BYTES)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("secure_delete", "ON")
            // 64 MiB, so that the growing ends of the indexes stay in memory.
            .pragma("cache_size", "-65536")
            // 64 MiB too. Whoever commits when the log is this long folds it, and the batches behind wait:
            // at 16 MiB that was four times a second under load, and the slowest hundredth of all reads.
            // A longer log also folds its hot pages fewer times.
            .pragma("wal_autocheckpoint", "16000")
            .pragma("journal_size_limit", "67108864");
        let reading = Opening { path: path.to_owned(), patience: options.patience, pragmas: READING };
        let readers = Readers::new(reading, options.readers.max(1));
        Self { writing, readers, page_limit: Arc::new(AtomicU32::new(NO_PAGE_LIMIT)), folding: None }
    }

    /// The same, with the log folded beside the commits from now on.
    fn fold_beside(mut self, on_fatal: &OnFatal) -> Self {
        let options = self.writing.clone().create_if_missing(false);
        self.folding = Some(Folding::start(options, Arc::clone(on_fatal)));
        self
    }

    /// Limits the file to so many pages of 4,096 bytes, so that it leaves room on a shared disk;
    /// `None` lifts the limit. Holds from the next transaction on. A full file refuses writes
    /// and recovers by itself.
    pub fn limit_pages(&self, pages: Option<u32>) {
        self.page_limit.store(pages.unwrap_or(NO_PAGE_LIMIT), Ordering::Relaxed);
    }

    async fn connect(&self) -> Result<SqliteConnection, sqlx::Error> {
        self.writing.connect().await
    }

    /// Brings what is only in the write-ahead log into the file, so that the file alone is whole once
    /// nobody has it open: people copy it. The queue's connection ends a moment later than the queue
    /// and folds the log itself when it is the last; until then the file is locked, so this tries
    /// again for a while. Another program at the file is no reason to wait longer: it does the same
    /// when it ends.
    async fn fold_log(&self) -> Result<(), sqlx::Error> {
        let last = self.writing.clone().create_if_missing(false).busy_timeout(FOLD_PAUSE);
        let mut outcome = Ok(());
        for _ in 0..FOLD_TRIES {
            outcome = match last.connect().await {
                Ok(mut connection) => {
                    let folded = fold(&mut connection).await;
                    connection.close().await?;
                    match folded {
                        Ok(true) => return Ok(()),
                        Ok(false) => Ok(()),
                        Err(error) => Err(error),
                    }
                }
                Err(error) => Err(error),
            };
            tokio::time::sleep(FOLD_PAUSE).await;
        }
        outcome
    }
}

/// How often, and how far apart, folding the log is tried.
const FOLD_TRIES: u32 = 20;
const FOLD_PAUSE: Duration = Duration::from_millis(50);

/// Whether everything in the log is in the file now.
async fn fold(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let log = folding::log(connection, Fold::Passive).await?;
    Ok(!log.busy && log.pages == log.folded)
}

#[async_trait]
impl Driver for SqliteDriver {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    async fn writer(&self) -> Result<Box<dyn Connection>, DriverError> {
        let connection = self.connect().await.map_err(driver_error)?;
        let page_limit = PageLimit { wanted: Arc::clone(&self.page_limit), set: NO_PAGE_LIMIT };
        Ok(Box::new(Session::new(connection, Some(page_limit))))
    }

    async fn reader(&self) -> Result<Box<dyn Reading>, DriverError> {
        Ok(Box::new(self.readers.reader()))
    }

    async fn snapshot(&self) -> Result<Box<dyn Reading>, DriverError> {
        Ok(Box::new(self.readers.snapshot().await?))
    }

    async fn close(&self) {
        if let Some(folding) = &self.folding {
            folding.end().await;
        }
        self.readers.close().await;
        if let Err(error) = self.fold_log().await {
            // Nothing is lost: the log is read at the next start.
            tracing::debug!(%error, "the write-ahead log stays beside the file");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_may_only_be_read_is_named_as_such() {
        for kind in [std::io::ErrorKind::PermissionDenied, std::io::ErrorKind::ReadOnlyFilesystem] {
            assert!(matches!(read_only(&kind.into()), Some(OpenError::ReadOnly(_))), "{kind}");
        }
        assert!(read_only(&std::io::ErrorKind::NotFound.into()).is_none());
    }
}
