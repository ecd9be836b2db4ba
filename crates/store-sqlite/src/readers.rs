//! Connections for reading, each lent to one read at a time.
//!
//! Every connection has a thread of its own, and each journey to it costs more than most statements. A
//! connection that ended its statement is therefore given back without asking it for a sign of life; one
//! whose statement was given up half-way is first waited for, and one that broke is not given back at all.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use mimamori_store::driver::{Connection, Described, DriverError, DriverErrorKind, Sql};
use mimamori_store::schema::Dialect;
use mimamori_store::{ColumnType, Row, Statement, Table, Value};
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::connection::Session;
use crate::error::driver_error;

/// So many connections at most, opened when they are first needed.
pub(crate) struct Readers {
    options: SqliteConnectOptions,
    most: u32,
    patience: Duration,
    permits: Arc<Semaphore>,
    /// The one given back last is lent first: it has the most pages in memory.
    idle: Mutex<Vec<Session>>,
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Readers").field("most", &self.most).finish_non_exhaustive()
    }
}

impl Readers {
    pub(crate) fn new(options: SqliteConnectOptions, most: u32, patience: Duration) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(most as usize));
        Arc::new(Self { options, most, patience, permits, idle: Mutex::default() })
    }

    /// A connection, as soon as one is free.
    pub(crate) async fn lend(self: &Arc<Self>) -> Result<Reader, DriverError> {
        let free = Arc::clone(&self.permits).acquire_owned();
        let permit = match tokio::time::timeout(self.patience, free).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => {
                return Err(DriverError::new(DriverErrorKind::Connection, "the database is closed"));
            }
            Err(_) => {
                let told = "all reading connections are in use";
                return Err(DriverError::new(DriverErrorKind::Unavailable, told));
            }
        };
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let session = match idle {
            Some(session) => session,
            None => Session::new(self.options.connect().await.map_err(driver_error)?, None),
        };
        let lent = Lent { session, permit, readers: Arc::clone(self) };
        Ok(Reader { lent: Some(lent), under_way: false, snapshot: false })
    }

    /// A connection inside a transaction that sees one state.
    pub(crate) async fn lend_snapshot(self: &Arc<Self>) -> Result<Reader, DriverError> {
        let mut reader = self.lend().await?;
        reader.snapshot = true;
        // A deferred transaction sees the state of its first read: make that now.
        reader.script(&Sql::Static("BEGIN; SELECT size FROM ledger_head WHERE id = 1")).await?;
        Ok(reader)
    }

    /// Waits for those that are lent, and closes all of them.
    pub(crate) async fn close(&self) {
        let all = tokio::time::timeout(self.patience, self.permits.acquire_many(self.most)).await;
        self.permits.close();
        drop(all);
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for session in idle {
            if let Err(error) = session.close().await {
                tracing::debug!(%error, "a reading connection did not close");
            }
        }
    }
}

/// A connection and the right to have it, which end together.
struct Lent {
    session: Session,
    permit: OwnedSemaphorePermit,
    readers: Arc<Readers>,
}

impl Lent {
    fn give_back(self) {
        let Self { session, permit, readers } = self;
        if !readers.permits.is_closed() {
            readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        }
        drop(permit);
    }
}

/// One connection as long as somebody reads by it.
pub(crate) struct Reader {
    lent: Option<Lent>,
    /// A statement has begun and its end was not seen: given up, or the connection broke.
    under_way: bool,
    /// Inside a transaction, which ends with this.
    snapshot: bool,
}

impl Reader {
    /// Whatever is not told of by [`Connection`]'s answer has left a statement under way.
    fn beginning(&mut self) -> Result<&mut Session, DriverError> {
        self.under_way = true;
        let gone = || DriverError::new(DriverErrorKind::Connection, "the connection was given back");
        self.lent.as_mut().map(|lent| &mut lent.session).ok_or_else(gone)
    }

    fn end<T>(&mut self, outcome: Result<T, DriverError>) -> Result<T, DriverError> {
        self.under_way = matches!(&outcome, Err(error) if error.is_connection());
        outcome
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let Some(mut lent) = self.lent.take() else { return };
        if !self.under_way && !self.snapshot {
            return lent.give_back();
        }
        // Outside the runtime the connection ends here, and the next reader opens its own.
        let Ok(runtime) = Handle::try_current() else { return };
        let snapshot = self.snapshot;
        runtime.spawn(async move {
            let ended = if snapshot {
                lent.session.script(&Sql::Static("ROLLBACK")).await
            } else {
                lent.session.ping().await
            };
            match ended {
                Ok(()) => lent.give_back(),
                Err(error) => tracing::debug!(%error, "a reading connection is not used again"),
            }
        });
    }
}

#[async_trait]
impl Connection for Reader {
    async fn rows(
        &mut self,
        sql: &Sql,
        args: &[Value],
        columns: &'static [ColumnType],
    ) -> Result<Vec<Row>, DriverError> {
        let found = self.beginning()?.rows(sql, args, columns).await;
        self.end(found)
    }

    async fn execute(&mut self, sql: &Sql, args: &[Value]) -> Result<u64, DriverError> {
        let done = self.beginning()?.execute(sql, args).await;
        self.end(done)
    }

    async fn insert(&mut self, table: &'static Table, rows: &[&[Value]]) -> Result<(), DriverError> {
        let done = self.beginning()?.insert(table, rows).await;
        self.end(done)
    }

    async fn begin(&mut self, dialect: &'static Dialect) -> Result<Vec<Row>, DriverError> {
        let found = self.beginning()?.begin(dialect).await;
        self.end(found)
    }

    async fn insert_and_execute(
        &mut self,
        table: &'static Table,
        rows: &[&[Value]],
        statement: &'static Statement,
        args: &[Value],
    ) -> Result<u64, DriverError> {
        let done = self.beginning()?.insert_and_execute(table, rows, statement, args).await;
        self.end(done)
    }

    async fn script(&mut self, sql: &Sql) -> Result<(), DriverError> {
        let done = self.beginning()?.script(sql).await;
        self.end(done)
    }

    async fn describe(&mut self, sql: &Sql, params: &[ColumnType]) -> Result<Described, DriverError> {
        let found = self.beginning()?.describe(sql, params).await;
        self.end(found)
    }
}
