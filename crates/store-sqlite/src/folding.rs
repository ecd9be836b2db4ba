//! Folding the write-ahead log into the file beside the commits.
//!
//! Whoever commits when the log is long folds all of it, and everybody behind waits: at 64 MiB that is a tenth
//! of a second, each few seconds under load. A connection of its own folds it piece by piece before that. It
//! never makes a commit wait (sqlite.org/pragma.html, `wal_checkpoint`: PASSIVE), and what it leaves is folded
//! as ever.
//!
//! SQLite only asks the disk to keep the file once all of the log is folded, which under load is in that one
//! commit. So the pieces are brought to the disk here too, and the commit has little left to wait for.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mimamori_store::driver::DriverErrorKind;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::error::driver_error;

/// Pages of the log that are worth folding beside. With more at once everybody who waits for a processor
/// waits longer; with fewer, pages that change all the time are written too often (docs/performance.md).
const WORTH: i64 = 500;
/// How long the log is left alone while it grows, and while it does not.
const SHORTEST: Duration = Duration::from_millis(25);
const LONGEST: Duration = Duration::from_secs(1);

/// Called when what was folded may not be on the disk.
pub(crate) type OnFatal = Arc<dyn Fn(&str) + Send + Sync>;

/// The database file, opened a first time and never closed: that would end the locks of every connection of
/// this process (sqlite.org/howtocorrupt.html, section 2.2).
static OPENED: Mutex<BTreeMap<PathBuf, &'static File>> = Mutex::new(BTreeMap::new());

fn opened(path: &Path) -> std::io::Result<&'static File> {
    let path = path.canonicalize()?;
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(file) = opened.get(&path) {
        return Ok(*file);
    }
    let file: &'static File = Box::leak(Box::new(File::open(&path)?));
    opened.insert(path, file);
    Ok(file)
}

/// What the log holds.
pub(crate) struct Log {
    pub(crate) busy: bool,
    pub(crate) pages: i64,
    pub(crate) folded: i64,
}

/// Asks for the log (`NOOP`) or folds it (`PASSIVE`).
pub(crate) async fn log(connection: &mut SqliteConnection, how: Fold) -> Result<Log, sqlx::Error> {
    let pragma = match how {
        Fold::Nothing => "PRAGMA wal_checkpoint(NOOP)",
        Fold::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
    };
    let row = sqlx::query(pragma).fetch_one(connection).await?;
    let busy: i64 = row.try_get(0)?;
    Ok(Log { busy: busy != 0, pages: row.try_get(1)?, folded: row.try_get(2)? })
}

#[derive(Clone, Copy)]
pub(crate) enum Fold {
    Nothing,
    Passive,
}

/// The task that folds, until it is told to end.
#[derive(Debug)]
pub(crate) struct Folding {
    end: Arc<Notify>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Folding {
    pub(crate) fn start(options: SqliteConnectOptions, on_fatal: OnFatal) -> Self {
        let end = Arc::new(Notify::new());
        let ended = Arc::clone(&end);
        let task = tokio::spawn(async move {
            let mut connection = None;
            tokio::select! {
                () = fold_beside(&options, &mut connection, &on_fatal) => {}
                () = ended.notified() => {}
            }
            if let Some(connection) = connection {
                let closed: Result<(), sqlx::Error> = SqliteConnection::close(connection).await;
                if let Err(error) = closed {
                    tracing::debug!(%error, "the folding connection did not close");
                }
            }
        });
        Self { end, task: Mutex::new(Some(task)) }
    }

    /// Ends it, and waits until its connection is closed.
    pub(crate) async fn end(&self) {
        self.end.notify_one();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            // It ended by itself or was told to: either way it is over.
            task.await.ok();
        }
    }
}

impl Drop for Folding {
    fn drop(&mut self) {
        self.end.notify_one();
    }
}

async fn fold_beside(
    options: &SqliteConnectOptions,
    connection: &mut Option<SqliteConnection>,
    on_fatal: &OnFatal,
) {
    let (mut pause, mut before) = (LONGEST, 0);
    loop {
        tokio::time::sleep(pause).await;
        let found = match connection {
            Some(open) => log(open, Fold::Nothing).await,
            None => match options.connect().await {
                Ok(open) => log(connection.insert(open), Fold::Nothing).await,
                Err(error) => Err(error),
            },
        };
        let Ok(found) = found else {
            // A file that cannot be opened or read now; whoever commits is told.
            *connection = None;
            pause = LONGEST;
            continue;
        };
        pause = if found.pages == before { (pause * 2).min(LONGEST) } else { SHORTEST };
        before = found.pages;
        if found.pages - found.folded < WORTH {
            continue;
        }
        let Some(open) = connection else { continue };
        if let Err(error) = log(open, Fold::Passive).await.map_err(driver_error) {
            // A failed fsync leaves pages that count as written and are not.
            if error.kind == DriverErrorKind::Fatal {
                return on_fatal(&error.detail);
            }
            tracing::debug!(%error, "the write-ahead log was not folded");
            *connection = None;
            pause = LONGEST;
            continue;
        }
        let path = options.get_filename().to_owned();
        // Whoever commits asks for it again: what cannot be opened here is only kept later.
        let kept = tokio::task::spawn_blocking(move || opened(&path).map_or(Ok(()), File::sync_data));
        if let Ok(Err(error)) = kept.await {
            return on_fatal(&error.to_string());
        }
    }
}
