//! Threads that read: each holds a connection of its own and takes the next of what waits, first come
//! first served.
//!
//! Handing something over to a thread and back costs more than most statements. Whoever asks hands over
//! once and is answered once, with all rows; and while others wait, a thread goes on to the next without
//! sleeping in between.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;

use async_trait::async_trait;
use mimamori_store::driver::{Asked, Described, DriverError, DriverErrorKind, Reading, Sql};
use mimamori_store::{ColumnType, Row, Value};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

use crate::statements::{Opening, Statements};

/// What a thread does for somebody, with its statements or without a connection.
type Work = Box<dyn for<'s, 'c> FnOnce(Result<&'s mut Statements<'c>, DriverError>) + Send>;

/// So many threads at most, begun when they are first needed.
#[derive(Debug)]
pub(crate) struct Readers {
    opening: Opening,
    threads: Arc<Threads>,
    snapshots: Arc<Semaphore>,
    most: u32,
}

impl Readers {
    /// `most` connections for single reads and as many for snapshots.
    pub(crate) fn new(opening: Opening, most: u32) -> Self {
        let threads = Threads::new(opening.clone(), most as usize, None);
        Self { opening, threads, snapshots: Arc::new(Semaphore::new(most as usize)), most }
    }

    /// What reads once.
    pub(crate) fn reader(&self) -> Reader {
        Reader { threads: Arc::clone(&self.threads), ends: false }
    }

    /// What reads inside one transaction, on a thread of its own.
    pub(crate) async fn snapshot(&self) -> Result<Reader, DriverError> {
        let free = Arc::clone(&self.snapshots).acquire_owned();
        let permit = match tokio::time::timeout(self.opening.patience, free).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(closed()),
            Err(_) => return Err(busy()),
        };
        let threads = Threads::new(self.opening.clone(), 1, Some(permit));
        let reader = Reader { threads, ends: true };
        // A deferred transaction sees the state of its first read: make that now.
        let begin = "BEGIN; SELECT size FROM ledger_head WHERE id = 1";
        reader.threads.ask(move |statements| statements.script(begin)).await?;
        Ok(reader)
    }

    /// Waits for what was asked before, and until every connection is closed.
    pub(crate) async fn close(&self) {
        self.threads.close();
        let all = async {
            self.threads.ended().await;
            let _permits = self.snapshots.acquire_many(self.most).await;
        };
        if tokio::time::timeout(self.opening.patience, all).await.is_err() {
            tracing::debug!("a reading connection did not close");
        }
        self.snapshots.close();
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.threads.close();
    }
}

/// Hands over to threads what is to be read.
pub(crate) struct Reader {
    threads: Arc<Threads>,
    /// The threads are there for this one alone.
    ends: bool,
}

impl Drop for Reader {
    fn drop(&mut self) {
        if self.ends {
            self.threads.close();
        }
    }
}

#[async_trait]
impl Reading for Reader {
    async fn rows(
        &mut self,
        sql: &Sql,
        args: &[Value],
        columns: &'static [ColumnType],
    ) -> Result<Vec<Row>, DriverError> {
        let (sql, args) = (sql.clone(), args.to_vec());
        self.threads.ask(move |statements| statements.rows(&sql, &args, columns)).await
    }

    async fn rows_of_each(&mut self, asked: &Arc<[Asked]>) -> Result<Vec<Vec<Row>>, DriverError> {
        let asked = Arc::clone(asked);
        self.threads.ask(move |statements| statements.rows_of_each(&asked)).await
    }

    async fn describe(&mut self, sql: &Sql, _: &[ColumnType]) -> Result<Described, DriverError> {
        let sql = sql.clone();
        self.threads.ask(move |statements| statements.describe(&sql)).await
    }
}

/// Threads that take from one queue.
struct Threads {
    opening: Opening,
    most: usize,
    waiting: Mutex<Waiting>,
    ended: Notify,
}

#[derive(Default)]
struct Waiting {
    work: VecDeque<Work>,
    /// Threads without work. The one that came last is woken first: it has the most pages in memory.
    idle: Vec<Thread>,
    threads: usize,
    closed: bool,
    /// Ends with the last thread.
    permit: Option<OwnedSemaphorePermit>,
}

impl std::fmt::Debug for Threads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Threads").field("most", &self.most).finish_non_exhaustive()
    }
}

impl Threads {
    fn new(opening: Opening, most: usize, permit: Option<OwnedSemaphorePermit>) -> Arc<Self> {
        let waiting = Mutex::new(Waiting { permit, ..Waiting::default() });
        Arc::new(Self { opening, most: most.max(1), waiting, ended: Notify::new() })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a thread do something. What did not begin within the patience is given up, and so is what
    /// nobody waits for any more.
    async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        run: impl for<'s, 'c> FnOnce(&'s mut Statements<'c>) -> Result<T, DriverError> + Send + 'static,
    ) -> Result<T, DriverError> {
        let (reply, mut answer) = oneshot::channel();
        let taken = Arc::new(AtomicBool::new(false));
        let begun = Arc::clone(&taken);
        let work: Work = Box::new(move |statements| {
            if reply.is_closed() || begun.swap(true, Ordering::Relaxed) {
                return;
            }
            // Whoever went away wants no answer.
            let _gone = reply.send(statements.and_then(run));
        });
        self.hand_over(work)?;
        let gone = |_| DriverError::new(DriverErrorKind::Connection, "a reading thread has ended");
        match tokio::time::timeout(self.opening.patience, &mut answer).await {
            Ok(answer) => answer.map_err(gone)?,
            Err(_) if taken.swap(true, Ordering::Relaxed) => answer.await.map_err(gone)?,
            Err(_) => Err(busy()),
        }
    }

    fn hand_over(self: &Arc<Self>, work: Work) -> Result<(), DriverError> {
        let mut waiting = self.waiting();
        if waiting.closed {
            return Err(closed());
        }
        if waiting.idle.is_empty() && waiting.threads < self.most {
            let threads = Arc::clone(self);
            let begun = std::thread::Builder::new().name("reading".to_owned()).spawn(move || threads.serve());
            match begun {
                Ok(_) => waiting.threads += 1,
                Err(_) if waiting.threads > 0 => {}
                Err(error) => {
                    return Err(DriverError::new(DriverErrorKind::Unavailable, error.to_string()));
                }
            }
        }
        waiting.work.push_back(work);
        let idle = waiting.idle.pop();
        drop(waiting);
        if let Some(idle) = idle {
            idle.unpark();
        }
        Ok(())
    }

    /// The next of what waits; `None` when nothing will come any more.
    fn take(&self) -> Option<Work> {
        let this = std::thread::current();
        let mut waiting = self.waiting();
        loop {
            if let Some(work) = waiting.work.pop_front() {
                return Some(work);
            }
            if waiting.closed {
                return None;
            }
            waiting.idle.push(this.clone());
            drop(waiting);
            std::thread::park();
            waiting = self.waiting();
            // Still there when it woke by itself.
            waiting.idle.retain(|idle| idle.id() != this.id());
        }
    }

    /// What a thread does from beginning to end.
    fn serve(&self) {
        let mut next = self.take();
        while let Some(first) = next {
            let connection = match self.opening.connect() {
                Ok(connection) => connection,
                Err(error) => {
                    first(Err(error));
                    next = self.take();
                    continue;
                }
            };
            let mut statements = Statements::new(&connection);
            next = Some(first);
            while let Some(work) = next {
                let done = catch_unwind(AssertUnwindSafe(|| work(Ok(&mut statements))));
                next = self.take();
                if done.is_err() {
                    // Whatever state it is in: the next opens a connection of its own.
                    break;
                }
            }
        }
        let mut waiting = self.waiting();
        waiting.threads -= 1;
        if waiting.threads == 0 {
            waiting.permit = None;
            self.ended.notify_waiters();
        }
    }

    fn close(&self) {
        let mut waiting = self.waiting();
        waiting.closed = true;
        if waiting.threads == 0 {
            waiting.permit = None;
        }
        let idle = std::mem::take(&mut waiting.idle);
        drop(waiting);
        for thread in idle {
            thread.unpark();
        }
    }

    async fn ended(&self) {
        loop {
            let ended = self.ended.notified();
            let mut ended = std::pin::pin!(ended);
            ended.as_mut().enable();
            if self.waiting().threads == 0 {
                return;
            }
            ended.await;
        }
    }
}

fn busy() -> DriverError {
    DriverError::new(DriverErrorKind::Unavailable, "all reading connections are in use")
}

fn closed() -> DriverError {
    DriverError::new(DriverErrorKind::Connection, "the database is closed")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// One thread at most over a new file, and the folder that holds it.
    fn one_thread(patience: Duration) -> (Readers, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mimamori.db");
        let writer = rusqlite::Connection::open(&path).unwrap();
        writer
            .execute_batch("CREATE TABLE ledger_head (id, size); INSERT INTO ledger_head VALUES (1, 7)")
            .unwrap();
        let opening = Opening { path, patience, pragmas: "PRAGMA query_only = ON" };
        (Readers::new(opening, 1), folder)
    }

    async fn size(reader: &mut Reader) -> Result<i64, DriverError> {
        let sql = Sql::Static("SELECT size FROM ledger_head");
        Ok(reader.rows(&sql, &[], &[ColumnType::Int]).await?[0].int(0).unwrap())
    }

    /// Keeps the thread at work until what is given back is dropped.
    fn occupy(readers: &Readers) -> mpsc::Sender<()> {
        let (hold, held) = mpsc::channel::<()>();
        let (begun, begins) = mpsc::channel();
        let work: Work = Box::new(move |_| {
            begun.send(()).unwrap();
            let _dropped = held.recv();
        });
        readers.threads.hand_over(work).unwrap();
        begins.recv().unwrap();
        hold
    }

    #[tokio::test]
    async fn what_cannot_begin_in_time_is_given_up_and_never_done() {
        let (readers, _folder) = one_thread(Duration::from_millis(20));
        let hold = occupy(&readers);
        let (did, done) = mpsc::channel();
        let asked = readers.threads.ask(move |_| {
            did.send(()).unwrap();
            Ok(())
        });
        assert_eq!(asked.await.unwrap_err().kind, DriverErrorKind::Unavailable);
        drop(hold);
        // Behind it in the line.
        assert_eq!(size(&mut readers.reader()).await.unwrap(), 7);
        assert!(done.recv().is_err());
    }

    #[tokio::test]
    async fn what_has_begun_is_waited_for() {
        let (readers, _folder) = one_thread(Duration::from_millis(20));
        let long = readers.threads.ask(|_| {
            std::thread::sleep(Duration::from_millis(100));
            Ok(7)
        });
        assert_eq!(long.await.unwrap(), 7);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_not_done() {
        let (readers, _folder) = one_thread(Duration::from_secs(5));
        let hold = occupy(&readers);
        let (did, done) = mpsc::channel();
        let mut asked = Box::pin(readers.threads.ask(move |_| {
            did.send(()).unwrap();
            Ok(())
        }));
        assert!(futures::poll!(&mut asked).is_pending());
        drop((asked, hold));
        assert_eq!(size(&mut readers.reader()).await.unwrap(), 7);
        assert!(done.recv().is_err());
    }

    #[tokio::test]
    async fn a_panic_costs_its_own_answer_only() {
        let (readers, _folder) = one_thread(Duration::from_secs(5));
        let broken = readers.threads.ask(|_| -> Result<(), _> { panic!("on purpose") }).await;
        assert_eq!(broken.unwrap_err().kind, DriverErrorKind::Connection);
        assert_eq!(size(&mut readers.reader()).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_opened_is_told_and_tried_again() {
        let (readers, folder) = one_thread(Duration::from_secs(5));
        let (path, away) = (folder.path().join("mimamori.db"), folder.path().join("away"));
        std::fs::rename(&path, &away).unwrap();
        let missing = size(&mut readers.reader()).await.unwrap_err();
        assert_eq!(missing.kind, DriverErrorKind::Unavailable);
        std::fs::rename(&away, &path).unwrap();
        assert_eq!(size(&mut readers.reader()).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn snapshots_are_counted_and_see_one_state() {
        let (readers, folder) = one_thread(Duration::from_millis(200));
        let writer = rusqlite::Connection::open(folder.path().join("mimamori.db")).unwrap();
        writer.execute_batch("PRAGMA journal_mode = WAL").unwrap();
        let mut first = readers.snapshot().await.unwrap();
        writer.execute_batch("UPDATE ledger_head SET size = 8").unwrap();
        assert_eq!(size(&mut first).await.unwrap(), 7);
        assert_eq!(size(&mut readers.reader()).await.unwrap(), 8);
        assert!(readers.snapshot().await.is_err_and(|error| error.kind == DriverErrorKind::Unavailable));
        drop(first);
        assert_eq!(size(&mut readers.snapshot().await.unwrap()).await.unwrap(), 8);
    }

    #[tokio::test]
    async fn closing_waits_for_what_was_asked_and_refuses_what_comes_later() {
        let (readers, _folder) = one_thread(Duration::from_secs(5));
        let hold = occupy(&readers);
        let mut reader = readers.reader();
        let mut before = Box::pin(size(&mut reader));
        assert!(futures::poll!(&mut before).is_pending());
        let mut closing = Box::pin(readers.close());
        assert!(futures::poll!(&mut closing).is_pending());
        let refused = size(&mut readers.reader()).await.unwrap_err();
        assert_eq!(refused.kind, DriverErrorKind::Connection);
        drop(hold);
        closing.await;
        assert_eq!(before.await.unwrap(), 7);
        assert_eq!(readers.threads.waiting().threads, 0);
        assert!(readers.snapshot().await.is_err());
    }
}
