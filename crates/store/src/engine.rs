//! A [`Store`] over any driver: reads go to the driver's pool, writes to the commit queue.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use mimamori_domain::{Clock, InstanceId};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::check;
use crate::driver::{Asked, Described, Driver, DriverError, DriverErrorKind, Reading, Sql};
use crate::queue::{Done, EpochStart, Queue, Work};
use crate::schema::MigrationError;
use crate::statement::{Effect, Statement};
use crate::statements::{ledger, upkeep};
use crate::store::{
    DurableSetting, Head, Lease, NewEpoch, Question, ReadError, Reads, Snapshot, Store, Upkept,
};
use crate::unit::{Change, CommitError, Committed, Unit};
use crate::value::{Row, Value};

/// How often a read is tried again when its pooled connection turns out to be gone.
const READ_ATTEMPTS: usize = 4;

/// What the engine needs to know besides the database.
#[derive(Clone)]
pub struct EngineOptions {
    pub clock: Arc<dyn Clock>,
    /// This running program; recorded with every entry.
    pub instance: InstanceId,
    /// How many units may wait. One more is answered with [`CommitError::Full`].
    pub queue_capacity: usize,
    /// How many bytes may wait, about.
    pub queue_bytes: usize,
    /// How long to go on looking up the outcome of a commit whose connection broke.
    pub outcome_patience: Duration,
    /// Called when what was written may not be on the disk. The program must end and be started
    /// again, so that the database recovers from its log.
    pub on_fatal: Arc<dyn Fn(&str) + Send + Sync>,
}

impl EngineOptions {
    /// The usual values; a fatal error ends the process with code 70.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, instance: InstanceId) -> Self {
        Self {
            clock,
            instance,
            queue_capacity: 4096,
            queue_bytes: 256 << 20,
            outcome_patience: Duration::from_secs(60),
            on_fatal: Arc::new(|_| std::process::exit(70)),
        }
    }
}

impl fmt::Debug for EngineOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineOptions")
            .field("instance", &self.instance)
            .field("queue_capacity", &self.queue_capacity)
            .field("queue_bytes", &self.queue_bytes)
            .finish_non_exhaustive()
    }
}

/// Why a database could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Its settings would lose what was acknowledged, or it is too old.
    #[error("the database is refused: {0}")]
    Unsafe(String),
    /// It is there and may not be written to.
    #[error("the database can only be read: {0}")]
    ReadOnly(String),
    #[error("the database's address is not understood: {0}")]
    Address(String),
    #[error(transparent)]
    Migration(#[from] MigrationError),
    #[error("the database cannot be opened: {0}")]
    Driver(#[from] DriverError),
}

/// A store over a driver. Must be made inside a Tokio runtime, which then runs the commit queue.
pub struct Engine<D> {
    driver: Arc<D>,
    queue: mpsc::Sender<Work>,
    waiting_bytes: Arc<AtomicUsize>,
    texts: Arc<Texts>,
    options: EngineOptions,
}

impl<D> fmt::Debug for Engine<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("options", &self.options).finish_non_exhaustive()
    }
}

impl<D: Driver> Engine<D> {
    /// Starts the commit queue over a database whose schema is up to date.
    #[must_use]
    pub fn start(driver: D, options: EngineOptions) -> Self {
        let driver = Arc::new(driver);
        let texts = Arc::new(Texts::default());
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let (queue, receiver) = mpsc::channel(options.queue_capacity.max(1));
        let worker = Queue::new(
            Arc::clone(&driver) as Arc<dyn Driver>,
            options.clone(),
            Arc::clone(&texts),
            Arc::clone(&waiting_bytes),
        );
        tokio::spawn(worker.run(receiver));
        Self { driver, queue, waiting_bytes, texts, options }
    }

    /// The driver, for what only this database offers.
    #[must_use]
    pub fn driver(&self) -> &D {
        &self.driver
    }

    async fn submit(&self, mut unit: Unit, epoch: Option<EpochStart>) -> Result<Done, CommitError> {
        for entry in &mut unit.entries {
            entry.unit = unit.id;
        }
        let weight = check::unit(&unit, epoch.as_ref().map(|start| start.epoch))?;
        self.enqueue(unit, epoch, weight).await
    }

    async fn enqueue(
        &self,
        unit: Unit,
        epoch: Option<EpochStart>,
        weight: usize,
    ) -> Result<Done, CommitError> {
        let waiting = self.waiting_bytes.fetch_add(weight, Ordering::Relaxed);
        let (reply, answer) = oneshot::channel();
        let sent = if waiting > 0 && waiting.saturating_add(weight) > self.options.queue_bytes {
            Err(CommitError::Full)
        } else {
            self.queue.try_send(Work { unit, epoch, weight, reply, asks: None }).map_err(
                |error| match error {
                    mpsc::error::TrySendError::Full(_) => CommitError::Full,
                    mpsc::error::TrySendError::Closed(_) => stopped(),
                },
            )
        };
        if let Err(error) = sent {
            self.waiting_bytes.fetch_sub(weight, Ordering::Relaxed);
            return Err(error);
        }
        // A caller that goes away only drops the answer: the unit stays in the queue.
        answer.await.map_err(|_| stopped())?
    }
}

fn stopped() -> CommitError {
    CommitError::Unavailable { detail: "the commit queue has ended".to_owned() }
}

fn read_error(error: DriverError) -> ReadError {
    match error.kind {
        DriverErrorKind::Unique | DriverErrorKind::Refused => ReadError::Invalid(error.detail),
        _ => ReadError::Unavailable(error.detail),
    }
}

#[async_trait]
impl<D: Driver> Reads for Engine<D> {
    async fn query_lists(
        &self,
        statement: &'static Statement,
        args: Vec<Value>,
        lists: Vec<Vec<Value>>,
    ) -> Result<Vec<Row>, ReadError> {
        let Some((sql, args)) = self.texts.prepare(statement, args, lists)? else {
            return Ok(Vec::new());
        };
        let mut attempt = 1;
        loop {
            let mut connection = self.driver.reader().await.map_err(read_error)?;
            match connection.rows(&sql, &args, statement.columns).await {
                Err(error) if error.is_connection() && attempt < READ_ATTEMPTS => attempt += 1,
                result => return result.map_err(read_error),
            }
        }
    }

    async fn query_together(&self, questions: Vec<Question>) -> Result<Vec<Vec<Row>>, ReadError> {
        let mut found = Vec::new();
        found.resize_with(questions.len(), Vec::new);
        let (mut places, mut asked) = (Vec::with_capacity(found.len()), Vec::with_capacity(found.len()));
        for (place, Question { statement, args, lists }) in questions.into_iter().enumerate() {
            if let Some((sql, args)) = self.texts.prepare(statement, args, lists)? {
                places.push(place);
                asked.push(Asked { sql, args, columns: statement.columns });
            }
        }
        let asked = Arc::from(asked);
        let mut attempt = 1;
        let rows = loop {
            let mut connection = self.driver.reader().await.map_err(read_error)?;
            match connection.rows_of_each(&asked).await {
                Err(error) if error.is_connection() && attempt < READ_ATTEMPTS => attempt += 1,
                result => break result.map_err(read_error)?,
            }
        };
        for (place, rows) in places.into_iter().zip(rows) {
            if let Some(found) = found.get_mut(place) {
                *found = rows;
            }
        }
        Ok(found)
    }
}

#[async_trait]
impl<D: Driver> Store for Engine<D> {
    async fn commit(&self, unit: Unit) -> Result<Committed, CommitError> {
        self.submit(unit, None).await.map(|done| done.committed)
    }

    async fn upkeep(&self, changes: Vec<Change>) -> Result<Vec<Upkept>, CommitError> {
        let unit = Unit { changes, ..Unit::new() };
        let weight = check::upkeep(&unit)?;
        self.enqueue(unit, None, weight).await.map(|done| done.upkept)
    }

    async fn start_epoch(&self, epoch: NewEpoch) -> Result<Committed, CommitError> {
        let NewEpoch { epoch, origin, previous_note, unit } = epoch;
        let start = EpochStart { epoch, origin, previous_note };
        self.submit(unit, Some(start)).await.map(|done| done.committed)
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, ReadError> {
        let mut attempt = 1;
        let connection = loop {
            match self.driver.snapshot().await {
                Err(error) if error.is_connection() && attempt < READ_ATTEMPTS => attempt += 1,
                result => break result.map_err(read_error)?,
            }
        };
        Ok(Box::new(EngineSnapshot { connection: Mutex::new(connection), texts: Arc::clone(&self.texts) }))
    }

    async fn head(&self) -> Result<Option<Head>, ReadError> {
        let row = self.query_one(&ledger::HEAD, Vec::new()).await?;
        row.map(|row| Head::from_row(&row)).transpose().map_err(ReadError::Row)
    }

    async fn acquire_lease(
        &self,
        name: &'static str,
        holder: InstanceId,
        time_to_live: Duration,
    ) -> Result<Option<Lease>, CommitError> {
        let now = self.options.clock.now();
        let expires = now.plus(time_to_live);
        let args = vec![name.into(), holder.into(), expires.into(), now.into()];
        let done = self.upkeep(vec![Change::any(&upkeep::LEASE_ACQUIRE, args)]).await?;
        let fencing = done.first().and_then(|upkept| upkept.rows.first()).and_then(|row| row.int(0).ok());
        Ok(fencing.map(|fencing| Lease { name, holder, fencing, expires }))
    }

    async fn renew_lease(&self, lease: &Lease, time_to_live: Duration) -> Result<Option<Lease>, CommitError> {
        let now = self.options.clock.now();
        let expires = now.plus(time_to_live);
        let args =
            vec![expires.into(), lease.name.into(), lease.holder.into(), lease.fencing.into(), now.into()];
        let done = self.upkeep(vec![Change::any(&upkeep::LEASE_RENEW, args)]).await?;
        let kept = done.first().is_some_and(|upkept| upkept.touched == 1);
        Ok(kept.then(|| Lease { expires, ..lease.clone() }))
    }

    async fn release_lease(&self, lease: Lease) -> Result<(), CommitError> {
        let args = vec![lease.name.into(), lease.holder.into(), lease.fencing.into()];
        self.upkeep(vec![Change::any(&upkeep::LEASE_RELEASE, args)]).await.map(|_| ())
    }

    async fn describe(
        &self,
        statement: &'static Statement,
        lengths: &[usize],
    ) -> Result<Described, ReadError> {
        let sql = self.texts.sql(statement, lengths);
        let mut params = statement.params.to_vec();
        for (item, length) in statement.lists.iter().zip(lengths) {
            for _ in 0..*length {
                params.extend_from_slice(item);
            }
        }
        let mut connection = self.driver.reader().await.map_err(read_error)?;
        connection.describe(&sql, &params).await.map_err(read_error)
    }

    async fn durability(&self) -> Result<Vec<DurableSetting>, ReadError> {
        let ((reply, _), (asks, answer)) = (oneshot::channel(), oneshot::channel());
        let unit = Unit { changes: Vec::new(), ..Unit::new() };
        let gone = || ReadError::Unavailable("the commit queue has ended".to_owned());
        let work = Work { unit, epoch: None, weight: 0, reply, asks: Some(asks) };
        self.queue.send(work).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?.map_err(read_error)
    }

    fn database(&self) -> &'static str {
        self.driver.dialect().name
    }

    async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        let unit = Unit { changes: Vec::new(), ..Unit::new() };
        // Work without changes and entries is the sign to end.
        if self.queue.send(Work { unit, epoch: None, weight: 0, reply, asks: None }).await.is_ok() {
            let _ = answer.await;
        }
        self.driver.close().await;
    }
}

struct EngineSnapshot {
    connection: Mutex<Box<dyn Reading>>,
    texts: Arc<Texts>,
}

#[async_trait]
impl Reads for EngineSnapshot {
    async fn query_lists(
        &self,
        statement: &'static Statement,
        args: Vec<Value>,
        lists: Vec<Vec<Value>>,
    ) -> Result<Vec<Row>, ReadError> {
        let Some((sql, args)) = self.texts.prepare(statement, args, lists)? else {
            return Ok(Vec::new());
        };
        self.connection.lock().await.rows(&sql, &args, statement.columns).await.map_err(read_error)
    }
}

impl Snapshot for EngineSnapshot {}

/// The texts of statements with lists, once assembled, by the statement's name and the lists' lengths.
#[derive(Debug, Default)]
pub(crate) struct Texts(RwLock<HashMap<TextKey, Arc<str>>>);

type TextKey = (&'static str, Vec<usize>);

impl Texts {
    /// The text for lists of these lengths.
    pub(crate) fn sql(&self, statement: &'static Statement, lengths: &[usize]) -> Sql {
        if statement.lists.is_empty() {
            return Sql::Static(statement.sql);
        }
        let key = (statement.name, lengths.to_vec());
        if let Some(text) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Sql::Assembled(Arc::clone(text));
        }
        let text: Arc<str> = Arc::from(statement.expanded(lengths));
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&text));
        Sql::Assembled(text)
    }

    /// Text and arguments of a read; `None` when a list is empty, so that nothing can be found.
    fn prepare(
        &self,
        statement: &'static Statement,
        mut args: Vec<Value>,
        lists: Vec<Vec<Value>>,
    ) -> Result<Option<(Sql, Vec<Value>)>, ReadError> {
        if statement.effect != Effect::Read {
            return Err(ReadError::Invalid(format!("{} does not only read", statement.name)));
        }
        if let Some(told) = statement.mismatch(&args) {
            return Err(ReadError::Invalid(told));
        }
        if lists.len() != statement.lists.len() {
            return Err(ReadError::Invalid(format!(
                "{} takes {} lists",
                statement.name,
                statement.lists.len()
            )));
        }
        let mut lengths = Vec::with_capacity(lists.len());
        for (mut list, item) in lists.into_iter().zip(statement.lists) {
            if list.is_empty() {
                return Ok(None);
            }
            lengths.push(check::pad(statement.name, &mut list, item).map_err(ReadError::Invalid)?);
            args.append(&mut list);
        }
        Ok(Some((self.sql(statement, &lengths), args)))
    }
}

impl Head {
    pub(crate) fn from_row(row: &Row) -> Result<Self, crate::RowError> {
        let damaged = crate::RowError { position: 3, expected: "the ledger's frontier" };
        let size = row.unsigned(1)?;
        let frontier = mimamori_ledger::Frontier::from_bytes(row.blob(3)?).map_err(|_| damaged.clone())?;
        if frontier.size() != size {
            return Err(damaged);
        }
        Ok(Self {
            epoch: row.epoch(0)?,
            size,
            recorded: row.time(2)?,
            frontier,
            origin: row.text(4)?.to_owned(),
        })
    }
}
