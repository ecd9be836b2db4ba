//! What the program sees of a database.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use mimamori_domain::{InstanceId, Timestamp};
use mimamori_ledger::Frontier;

use crate::driver::Described;
use crate::statement::Statement;
use crate::statements::ledger;
use crate::unit::{Change, CommitError, Committed, Unit};
use crate::value::{Row, RowError, Value};

/// Why nothing could be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The database is gone or overloaded; it recovers by itself.
    #[error("the database cannot be read now ({0})")]
    Unavailable(String),
    /// The statement or its arguments are wrong: a fault of the program.
    #[error("a read was wrongly made: {0}")]
    Invalid(String),
    /// The database holds something else than the program expects.
    #[error(transparent)]
    Row(#[from] RowError),
}

impl From<ReadError> for mimamori_domain::Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable(detail) => Self::unavailable(detail),
            ReadError::Invalid(_) | ReadError::Row(_) => Self::internal(error),
        }
    }
}

/// A reading statement and what it is asked with.
#[derive(Debug)]
pub struct Question {
    pub statement: &'static Statement,
    pub args: Vec<Value>,
    /// Each list is its items' values one after the other.
    pub lists: Vec<Vec<Value>>,
}

impl Question {
    /// One without lists.
    #[must_use]
    pub fn of(statement: &'static Statement, args: Vec<Value>) -> Self {
        Self { statement, args, lists: Vec::new() }
    }
}

/// Reading, from the database as it is now or from a snapshot.
#[async_trait]
pub trait Reads: Send + Sync {
    /// Runs a reading statement without lists.
    ///
    /// # Errors
    /// [`ReadError`]
    async fn query(&self, statement: &'static Statement, args: Vec<Value>) -> Result<Vec<Row>, ReadError> {
        self.query_lists(statement, args, Vec::new()).await
    }

    /// Runs a reading statement with lists; each list is its items' values one after the other.
    /// A list is at most [`crate::MAX_LIST`] items long; with an empty one nothing is found.
    ///
    /// # Errors
    /// [`ReadError`]
    async fn query_lists(
        &self,
        statement: &'static Statement,
        args: Vec<Value>,
        lists: Vec<Vec<Value>>,
    ) -> Result<Vec<Row>, ReadError>;

    /// Runs several reading statements in order and gives the rows of each; what a later one sees is never
    /// older than what an earlier one saw.
    ///
    /// # Errors
    /// [`ReadError`]
    async fn query_together(&self, questions: Vec<Question>) -> Result<Vec<Vec<Row>>, ReadError> {
        let mut found = Vec::with_capacity(questions.len());
        for Question { statement, args, lists } in questions {
            found.push(self.query_lists(statement, args, lists).await?);
        }
        Ok(found)
    }

    /// Runs a statement with one list of any length, in parts; the rows of all parts, unordered.
    /// Not for statements with a limit.
    ///
    /// # Errors
    /// [`ReadError`]
    async fn query_many(
        &self,
        statement: &'static Statement,
        args: Vec<Value>,
        list: Vec<Value>,
    ) -> Result<Vec<Row>, ReadError> {
        let width = statement.lists.first().map_or(1, |item| item.len().max(1));
        let mut rows = Vec::new();
        for part in list.chunks(width * crate::MAX_LIST) {
            rows.append(&mut self.query_lists(statement, args.clone(), vec![part.to_vec()]).await?);
        }
        Ok(rows)
    }

    /// The one row a statement gives, if any.
    ///
    /// # Errors
    /// [`ReadError`]; also when there is more than one row.
    async fn query_one(
        &self,
        statement: &'static Statement,
        args: Vec<Value>,
    ) -> Result<Option<Row>, ReadError> {
        let mut rows = self.query(statement, args).await?;
        if rows.len() > 1 {
            return Err(ReadError::Invalid(format!("{} gave more than one row", statement.name)));
        }
        Ok(rows.pop())
    }
}

/// Rows to ask for at a time when a whole table is walked through, for the speed of both databases.
pub const WALK_ROWS: usize = 2_000;

/// Several reads of one consistent state. Keep it short: it holds a connection. Ends when dropped.
#[async_trait]
pub trait Snapshot: Reads {
    /// Where the ledger ends in this state; `None` before the first epoch.
    ///
    /// # Errors
    /// [`ReadError`]
    async fn head(&self) -> Result<Option<Head>, ReadError> {
        let rows = self.query(&ledger::HEAD, Vec::new()).await?;
        rows.first().map(Head::from_row).transpose().map_err(ReadError::Row)
    }
}

/// Where the ledger ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub epoch: u32,
    /// Number of entries in this epoch; also the sequence of the next entry.
    pub size: u64,
    /// Recorded time of the last entry, UTC.
    pub recorded: Timestamp,
    pub frontier: Frontier,
    /// The origin line of this epoch's checkpoints.
    pub origin: String,
}

/// A new epoch: the first of an installation, or the next one after an older database was restored.
#[derive(Debug, Clone)]
pub struct NewEpoch {
    /// 0 for a new installation, else one more than the head's.
    pub epoch: u32,
    /// Origin line of its checkpoints.
    pub origin: String,
    /// The signed note of the last checkpoint before.
    pub previous_note: Option<String>,
    /// Its first entry must name the old log where the epoch is not the first.
    pub unit: Unit,
}

/// A job's lease. The fencing token rises with every holder: writes that carry an older one fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub name: &'static str,
    pub holder: InstanceId,
    pub fencing: i64,
    /// When it ends unless renewed, UTC by this program's clock.
    pub expires: Timestamp,
}

/// What one upkeep change did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upkept {
    pub touched: u64,
    /// The rows it returned.
    pub rows: Vec<Row>,
}

/// A setting of the database that durability depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DurableSetting {
    /// As the database calls it.
    pub name: &'static str,
    pub value: String,
    /// With this value nothing acknowledged is lost.
    pub holds: bool,
}

/// A database. Cheap to share as `Arc<dyn Store>`.
#[async_trait]
pub trait Store: Reads + fmt::Debug {
    /// Commits a unit; answers when it is durable. If the caller goes away, the unit still runs
    /// wholly or not at all.
    ///
    /// # Errors
    /// [`CommitError`]
    async fn commit(&self, unit: Unit) -> Result<Committed, CommitError>;

    /// Housekeeping without a ledger entry: only statements and tables marked as upkeep. All of
    /// the changes happen, or none; there is one answer per change.
    ///
    /// # Errors
    /// [`CommitError`]
    async fn upkeep(&self, changes: Vec<Change>) -> Result<Vec<Upkept>, CommitError>;

    /// Begins an epoch with its first unit. Nothing can be committed before epoch 0 was begun.
    ///
    /// # Errors
    /// [`CommitError`]; [`CommitError::Conflict`] when the epoch does not follow the head's.
    async fn start_epoch(&self, epoch: NewEpoch) -> Result<Committed, CommitError>;

    /// Several reads of one state.
    ///
    /// # Errors
    /// [`ReadError`]
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, ReadError>;

    /// Where the ledger ends; `None` before the first epoch.
    ///
    /// # Errors
    /// [`ReadError`]
    async fn head(&self) -> Result<Option<Head>, ReadError>;

    /// Takes a lease that nobody holds, for so long.
    ///
    /// # Errors
    /// [`CommitError`]
    async fn acquire_lease(
        &self,
        name: &'static str,
        holder: InstanceId,
        time_to_live: Duration,
    ) -> Result<Option<Lease>, CommitError>;

    /// Prolongs a lease; `None` when it was lost.
    ///
    /// # Errors
    /// [`CommitError`]
    async fn renew_lease(&self, lease: &Lease, time_to_live: Duration) -> Result<Option<Lease>, CommitError>;

    /// Gives a lease back early.
    ///
    /// # Errors
    /// [`CommitError`]
    async fn release_lease(&self, lease: Lease) -> Result<(), CommitError>;

    /// Prepares a statement for lists of these lengths and tells what the database knows of it.
    ///
    /// # Errors
    /// [`ReadError`]
    async fn describe(
        &self,
        statement: &'static Statement,
        lengths: &[usize],
    ) -> Result<Described, ReadError>;

    /// The settings on which durability depends, as they are now on the connection that commits.
    ///
    /// # Errors
    /// [`ReadError`]
    async fn durability(&self) -> Result<Vec<DurableSetting>, ReadError>;

    /// `sqlite` or `postgres`.
    fn database(&self) -> &'static str;

    /// Lets the queue finish what it took, then closes all connections.
    async fn close(&self);
}
