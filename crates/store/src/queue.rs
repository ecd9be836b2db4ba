//! The commit queue: one task per process that turns what waits into transactions.
//!
//! Many callers share one transaction and so one fsync; the batch grows by itself with the load.
//! What fails is told apart here: a unit of its own fault, the database's, the connection's, or an
//! outcome that is not known and has to be looked up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mimamori_domain::UnitId;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};

use crate::batch::{self, Failure, Unknown};
use crate::driver::{Connection, Driver, DriverError, DriverErrorKind, Sql};
use crate::engine::{EngineOptions, Texts};
use crate::schema::Dialect;
use crate::statements::ledger;
use crate::store::{DurableSetting, Upkept};
use crate::unit::{CommitError, Committed, Unit};
use crate::value::{ColumnType, Value};

/// The most units in one transaction.
const MAX_UNITS: usize = 256;
/// The most bytes in one transaction, about; a larger unit goes alone.
const MAX_BYTES: usize = 4 << 20;
/// A batch is complete when nobody handed in a unit during so many turns of the scheduler.
const QUIET_TURNS: u32 = 3;
/// How often a batch is tried on passing failures: deadlock, lock not had, connection gone.
const MAX_ATTEMPTS: u32 = 4;
/// Waits between attempts to connect while an outcome is looked up.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// After a failed connection, units are refused for so long without trying again.
const REST_AFTER_FAILURE: Duration = Duration::from_millis(200);

/// What waits in the queue. Without changes and entries it is the sign to end.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) unit: Unit,
    pub(crate) epoch: Option<EpochStart>,
    pub(crate) weight: usize,
    pub(crate) reply: oneshot::Sender<Result<Done, CommitError>>,
    /// Nothing is to be done, but the connection that commits is asked for its settings.
    pub(crate) asks: Option<oneshot::Sender<Result<Vec<DurableSetting>, DriverError>>>,
}

impl Work {
    fn ends_queue(&self) -> bool {
        self.unit.changes.is_empty() && self.unit.entries.is_empty() && self.asks.is_none()
    }
}

/// An epoch that begins with this unit.
#[derive(Debug, Clone)]
pub(crate) struct EpochStart {
    pub(crate) epoch: u32,
    pub(crate) origin: String,
    pub(crate) previous_note: Option<String>,
}

/// What was done, durably.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    pub(crate) committed: Committed,
    pub(crate) upkept: Vec<Upkept>,
}

pub(crate) type Outcome = Result<Done, CommitError>;

pub(crate) struct Queue {
    driver: Arc<dyn Driver>,
    options: EngineOptions,
    texts: Arc<Texts>,
    waiting_bytes: Arc<AtomicUsize>,
    connection: Option<Box<dyn Connection>>,
    /// Not before this instant is a new connection tried.
    rest_until: Option<Instant>,
    /// An fsync failed: nothing may be acknowledged any more.
    dead: bool,
}

impl Queue {
    pub(crate) fn new(
        driver: Arc<dyn Driver>,
        options: EngineOptions,
        texts: Arc<Texts>,
        waiting_bytes: Arc<AtomicUsize>,
    ) -> Self {
        Self { driver, options, texts, waiting_bytes, connection: None, rest_until: None, dead: false }
    }

    pub(crate) async fn run(mut self, mut receiver: mpsc::Receiver<Work>) {
        let mut next = None;
        loop {
            let Some(mut first) = (match next.take() {
                Some(work) => Some(work),
                None => receiver.recv().await,
            }) else {
                return;
            };
            if let Some(reply) = first.asks.take() {
                // Who went away wants no answer.
                let _ = reply.send(self.settings().await);
                continue;
            }
            if first.ends_queue() {
                receiver.close();
                self.connection = None;
                drop(first.reply);
                return;
            }
            let mut batch = vec![first];
            // Those whose answer just went out get their turn to hand in the next unit: as long as
            // somebody does, the batch grows. No timer, so nobody waits for nothing.
            let mut quiet = 0;
            while quiet < QUIET_TURNS && next.is_none() {
                tokio::task::yield_now().await;
                let before = batch.len();
                next = gather(&mut receiver, &mut batch);
                quiet = if batch.len() > before { 0 } else { quiet + 1 };
                if batch.len() >= MAX_UNITS || begins_epoch(&batch) {
                    break;
                }
            }
            let weight: usize = batch.iter().map(|work| work.weight).sum();
            let verdict = self.commit(&batch).await;
            self.waiting_bytes.fetch_sub(weight, Ordering::Relaxed);
            match verdict {
                Verdict::Known(outcomes) => answer(batch, outcomes),
                // Beside the queue: others are answered meanwhile, if only that the database is away.
                Verdict::Unknown(error, unknown) => {
                    let look_up = LookUp {
                        driver: Arc::clone(&self.driver),
                        texts: Arc::clone(&self.texts),
                        patience: self.options.outcome_patience,
                    };
                    tokio::spawn(async move {
                        let outcomes = look_up.outcomes(&batch, &error, unknown).await;
                        answer(batch, outcomes);
                    });
                }
            }
        }
    }

    /// What the connection that commits says of its durability.
    async fn settings(&mut self) -> Result<Vec<DurableSetting>, DriverError> {
        let mut attempt = 1;
        loop {
            let mut connection = self.connected().await?;
            match ask(connection.as_mut(), self.driver.dialect()).await {
                Ok(found) => {
                    self.connection = Some(connection);
                    return Ok(found);
                }
                Err(error) if error.is_connection() && attempt < MAX_ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Commits a batch.
    async fn commit(&mut self, batch: &[Work]) -> Verdict {
        let mut careful = false;
        let mut attempt = 1;
        loop {
            let failure = match self.connected().await {
                Err(error) => return refuse(batch, &unavailable(&error)),
                Ok(mut connection) => {
                    let place = batch::Place { options: &self.options, texts: &self.texts };
                    let dialect = self.driver.dialect();
                    match batch::transaction(connection.as_mut(), dialect, place, batch, careful).await {
                        Ok(outcomes) => {
                            self.connection = Some(connection);
                            return Verdict::Known(outcomes);
                        }
                        Err(Failure::Commit(error, unknown)) => {
                            self.end(connection, &error).await;
                            return Verdict::Unknown(error, unknown);
                        }
                        Err(failure) => {
                            self.end(connection, failure.driver_error()).await;
                            failure
                        }
                    }
                }
            };
            let retry = attempt < MAX_ATTEMPTS;
            match failure {
                Failure::Unit(error) if careful || begins_epoch(batch) => {
                    return refuse(batch, &error);
                }
                // Run again with a savepoint per unit, to tell the faulty one from the others.
                Failure::Unit(_) => careful = true,
                Failure::Driver(error) => match error.kind {
                    DriverErrorKind::Unique | DriverErrorKind::Refused
                        if !careful && !begins_epoch(batch) =>
                    {
                        careful = true;
                    }
                    DriverErrorKind::Busy if retry => sleep(Duration::from_millis(5) * attempt).await,
                    DriverErrorKind::Connection if retry => {}
                    _ => {
                        tracing::warn!(detail = %error, units = batch.len(), "a batch could not be written");
                        return refuse(batch, &unavailable(&error));
                    }
                },
                Failure::Commit(error, _) => return refuse(batch, &unavailable(&error)),
            }
            attempt += 1;
        }
    }

    /// The connection for one transaction; it is given back when the transaction ended well.
    async fn connected(&mut self) -> Result<Box<dyn Connection>, DriverError> {
        if self.dead {
            return Err(DriverError::new(DriverErrorKind::Fatal, "the disk failed to keep what was written"));
        }
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        if self.rest_until.is_some_and(|until| Instant::now() < until) {
            return Err(DriverError::new(DriverErrorKind::Connection, "the database was away a moment ago"));
        }
        let connected = self.driver.writer().await;
        self.rest_until = connected.is_err().then(|| Instant::now() + REST_AFTER_FAILURE);
        connected
    }

    /// Ends a failed transaction and keeps the connection if it is still good.
    async fn end(&mut self, mut connection: Box<dyn Connection>, error: &DriverError) {
        if error.kind == DriverErrorKind::Fatal {
            tracing::error!(detail = %error, "what was written may not be on the disk: ending");
            self.dead = true;
            (self.options.on_fatal)(&error.detail);
            return;
        }
        // SQLite ends some failed transactions by itself; then the rollback fails and a new
        // connection is the simplest way to a known state.
        if !error.is_connection() && connection.script(&Sql::Static("ROLLBACK")).await.is_ok() {
            self.connection = Some(connection);
        }
    }
}

async fn ask(
    connection: &mut dyn Connection,
    dialect: &'static Dialect,
) -> Result<Vec<DurableSetting>, DriverError> {
    let mut found = Vec::with_capacity(dialect.durability.len());
    for demand in dialect.durability {
        let rows = connection.rows(&Sql::Static(demand.question), &[], &[ColumnType::Text]).await?;
        let value = rows.first().and_then(|row| row.text(0).ok()).unwrap_or_default().to_owned();
        let holds = demand.holds.contains(&value.as_str());
        found.push(DurableSetting { name: demand.name, value, holds });
    }
    Ok(found)
}

/// What is known of a batch after its transaction.
enum Verdict {
    /// One outcome per unit, in order.
    Known(Vec<Outcome>),
    /// COMMIT was not answered well.
    Unknown(DriverError, Unknown),
}

fn answer(batch: Vec<Work>, outcomes: Vec<Outcome>) {
    for (work, outcome) in batch.into_iter().zip(outcomes) {
        // A caller that went away is no reason to fail.
        let _ = work.reply.send(outcome);
    }
}

/// Finds out whether a batch was committed although its COMMIT was not answered.
struct LookUp {
    driver: Arc<dyn Driver>,
    texts: Arc<Texts>,
    patience: Duration,
}

impl LookUp {
    async fn outcomes(&self, batch: &[Work], error: &DriverError, unknown: Unknown) -> Vec<Outcome> {
        let told = CommitError::Unknown { detail: error.detail.clone() };
        let Some(unit) = unknown.unit.filter(|_| error.kind != DriverErrorKind::Fatal) else {
            return refuse_all(batch, &told);
        };
        tracing::warn!(detail = %error, units = batch.len(), "the outcome of a commit is looked up");
        let deadline = Instant::now() + self.patience;
        let mut wait = FIRST_WAIT;
        loop {
            match self.is_committed(&unknown, unit).await {
                // All of the transaction is there, or nothing of it.
                Ok(true) => return unknown.outcomes,
                Ok(false) => return refuse_all(batch, &unavailable(error)),
                Err(error) if Instant::now() + wait > deadline => {
                    tracing::error!(detail = %error, "the outcome of a commit remains unknown");
                    return refuse_all(batch, &told);
                }
                Err(_) => sleep(wait).await,
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn is_committed(&self, unknown: &Unknown, unit: UnitId) -> Result<bool, DriverError> {
        let mut connection = self.driver.writer().await?;
        // Waits for the old transaction, should the server still be at it.
        connection.begin(self.driver.dialect()).await?;
        let sql = self.texts.sql(&ledger::UNITS_SINCE, &[1]);
        let args = [Value::from(unknown.epoch), Value::from(unknown.size), Value::from(unit)];
        let found = connection.rows(&sql, &args, ledger::UNITS_SINCE.columns).await?;
        connection.script(&Sql::Static("ROLLBACK")).await?;
        Ok(!found.is_empty())
    }
}

/// Takes what waits, up to the limits; gives back what did not fit any more.
fn gather(receiver: &mut mpsc::Receiver<Work>, batch: &mut Vec<Work>) -> Option<Work> {
    if begins_epoch(batch) {
        return None;
    }
    let mut weight: usize = batch.iter().map(|work| work.weight).sum();
    while batch.len() < MAX_UNITS {
        let Ok(work) = receiver.try_recv() else {
            return None;
        };
        weight = weight.saturating_add(work.weight);
        if weight > MAX_BYTES || work.epoch.is_some() || work.asks.is_some() || work.ends_queue() {
            return Some(work);
        }
        batch.push(work);
    }
    None
}

/// A new epoch goes alone.
fn begins_epoch(batch: &[Work]) -> bool {
    batch.iter().any(|work| work.epoch.is_some())
}

fn refuse(batch: &[Work], error: &CommitError) -> Verdict {
    Verdict::Known(refuse_all(batch, error))
}

fn refuse_all(batch: &[Work], error: &CommitError) -> Vec<Outcome> {
    batch.iter().map(|_| Err(error.clone())).collect()
}

fn unavailable(error: &DriverError) -> CommitError {
    CommitError::Unavailable { detail: error.detail.clone() }
}
