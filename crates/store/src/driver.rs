//! What a database crate provides: connections that run SQL. Everything above is shared.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::schema::Dialect;
use crate::statement::{Statement, Table};
use crate::value::{ColumnType, Row, Value};

/// An SQL text that was written in a `static`, or assembled only from such texts.
#[derive(Debug, Clone)]
pub enum Sql {
    Static(&'static str),
    /// Assembled from [`crate::Statement`] and [`Table`] descriptions; never from outside input.
    Assembled(Arc<str>),
}

impl Sql {
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Static(text) => text,
            Self::Assembled(text) => text,
        }
    }
}

/// Opens connections to one database.
#[async_trait]
pub trait Driver: Send + Sync + fmt::Debug + 'static {
    /// What differs from the other databases.
    fn dialect(&self) -> &'static Dialect;

    /// A new connection that may write. The commit queue holds one.
    async fn writer(&self) -> Result<Box<dyn Connection>, DriverError>;

    /// What reads once.
    async fn reader(&self) -> Result<Box<dyn Reading>, DriverError>;

    /// What reads inside one transaction and so sees one state; it ends when dropped.
    async fn snapshot(&self) -> Result<Box<dyn Reading>, DriverError>;

    /// Closes what reads.
    async fn close(&self);
}

/// One statement that reads, with its arguments.
#[derive(Debug)]
pub struct Asked {
    pub sql: Sql,
    pub args: Vec<Value>,
    pub columns: &'static [ColumnType],
}

/// What a connection that only reads can do.
#[async_trait]
pub trait Reading: Send {
    /// Runs a statement and reads its rows as `columns` says.
    async fn rows(
        &mut self,
        sql: &Sql,
        args: &[Value],
        columns: &'static [ColumnType],
    ) -> Result<Vec<Row>, DriverError>;

    /// Runs statements in order; what a later one sees is never older than what an earlier one saw. A database
    /// whose journeys cost more than its work makes one of them.
    async fn rows_of_each(&mut self, asked: &Arc<[Asked]>) -> Result<Vec<Vec<Row>>, DriverError> {
        let mut found = Vec::with_capacity(asked.len());
        for one in &**asked {
            found.push(self.rows(&one.sql, &one.args, one.columns).await?);
        }
        Ok(found)
    }

    /// Prepares a statement without running it.
    async fn describe(&mut self, sql: &Sql, params: &[ColumnType]) -> Result<Described, DriverError>;
}

/// A connection that may write.
#[async_trait]
pub trait Connection: Reading {
    /// Runs a statement; gives the number of rows touched.
    async fn execute(&mut self, sql: &Sql, args: &[Value]) -> Result<u64, DriverError>;

    /// Inserts rows with as few statements as the database likes best.
    async fn insert(&mut self, table: &'static Table, rows: &[&[Value]]) -> Result<(), DriverError>;

    /// Begins a transaction that writes and reads the ledger's head, as [`Dialect::begin_and_lock`]
    /// says: one journey to the database instead of two, at the start of every batch.
    async fn begin(&mut self, dialect: &'static Dialect) -> Result<Vec<Row>, DriverError>;

    /// The same, and one reading statement inside the transaction.
    async fn begin_and_read(
        &mut self,
        dialect: &'static Dialect,
        sql: &Sql,
        args: &[Value],
        columns: &'static [ColumnType],
    ) -> Result<(Vec<Row>, Vec<Row>), DriverError> {
        let head = self.begin(dialect).await?;
        Ok((head, self.rows(sql, args, columns).await?))
    }

    /// Inserts rows, then runs a statement without lists; gives the number of rows that the statement
    /// touched. A database whose journeys cost more than its work makes one of them.
    async fn insert_and_execute(
        &mut self,
        table: &'static Table,
        rows: &[&[Value]],
        statement: &'static Statement,
        args: &[Value],
    ) -> Result<u64, DriverError> {
        self.insert(table, rows).await?;
        self.execute(&Sql::Static(statement.sql), args).await
    }

    /// Runs statements without parameters or rows, such as `COMMIT` or a migration.
    async fn script(&mut self, sql: &Sql) -> Result<(), DriverError>;
}

/// What the database knows about a prepared statement. `None` for a type it doesn't tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    pub params: Vec<Option<ColumnType>>,
    pub columns: Vec<Option<ColumnType>>,
}

/// What sort of failure the database reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriverErrorKind {
    /// A row of that key is there already.
    Unique,
    /// The statement or its values were refused; the connection and the transaction's begin are fine.
    Refused,
    /// Passing: lock not had in time, deadlock, serialisation failure. Try the transaction again.
    Busy,
    /// Disk full, read-only, out of memory: nothing can be written now.
    Unavailable,
    /// The connection is gone.
    Connection,
    /// What was written may not be on the disk: the process must end (fsync failed).
    Fatal,
}

/// A failure told by the database, without any value that was stored or sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind:?}: {detail}")]
pub struct DriverError {
    pub kind: DriverErrorKind,
    /// For the operator's log: codes, names of constraints.
    pub detail: String,
}

impl DriverError {
    #[must_use]
    pub fn new(kind: DriverErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// Whether a later attempt on a new connection may succeed where this one failed.
    #[must_use]
    pub const fn is_connection(&self) -> bool {
        matches!(self.kind, DriverErrorKind::Connection)
    }
}
