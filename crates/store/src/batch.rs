//! One transaction of the commit queue.
//!
//! Order inside it: the head is locked; guards are checked unit after unit against access versions
//! loaded with one query and raised in memory; changes run in order; then, gathered over the whole
//! batch, raised access versions, rows of append-only tables, ledger entries, the head.
//!
//! Only inserts into append-only tables are gathered over units: no statement of a unit may read
//! those tables, so nobody can see that they run late. Everything else runs where it stands.

use std::collections::BTreeMap;

use mimamori_domain::{Outcome as Ended, Timestamp, UnitId};
use mimamori_ledger::{EntryDraft, Frontier, Position, leaf_hash};

use crate::driver::{Connection, DriverError, DriverErrorKind, Sql};
use crate::engine::{EngineOptions, Texts};
use crate::queue::{Done, Outcome, Work};
use crate::schema::Dialect;
use crate::statement::{ARITIES, Effect, Keeping, MAX_LIST, Statement, Table};
use crate::statements::access;
use crate::store::{Head, Upkept};
use crate::tables;
use crate::unit::{AccessKey, AccessScope, Change, CommitError, Committed, Expect};
use crate::value::ColumnType::{Blob, Int, Text};
use crate::value::{Row, Value};

/// Where a batch runs.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) options: &'a EngineOptions,
    pub(crate) texts: &'a Texts,
}

/// Why a transaction did not end well. It still has to be rolled back.
pub(crate) enum Failure {
    /// A unit failed by its own fault while no savepoint told it apart.
    Unit(CommitError),
    Driver(DriverError),
    /// COMMIT gave an error: it may have happened nevertheless.
    Commit(DriverError, Unknown),
}

impl Failure {
    /// The database's error; for a unit's own fault, one that leaves the connection good.
    pub(crate) fn driver_error(&self) -> &DriverError {
        static UNIT: DriverError = DriverError { kind: DriverErrorKind::Refused, detail: String::new() };
        match self {
            Self::Unit(_) => &UNIT,
            Self::Driver(error) | Self::Commit(error, _) => error,
        }
    }
}

impl From<DriverError> for Failure {
    fn from(error: DriverError) -> Self {
        Self::Driver(error)
    }
}

/// What to look for after a commit without answer.
pub(crate) struct Unknown {
    /// A unit with entries; all of the transaction is there if this one is. `None`: cannot be looked up.
    pub(crate) unit: Option<UnitId>,
    pub(crate) epoch: u32,
    /// Its entries stand at or after this sequence.
    pub(crate) size: u64,
    /// The answers if it was committed.
    pub(crate) outcomes: Vec<Outcome>,
}

/// What became of one unit before the commit.
enum Step {
    Passed(Vec<Upkept>),
    /// Its guard failed: nothing of it is left.
    Dropped(CommitError),
    /// Its changes were undone; an entry tells of it.
    Failed(CommitError),
}

static SAVEPOINT: Sql = Sql::Static("SAVEPOINT unit_of_work");
static UNDO: Sql = Sql::Static("ROLLBACK TO SAVEPOINT unit_of_work");
static RELEASE: Sql = Sql::Static("RELEASE SAVEPOINT unit_of_work");

static MOVE_LEDGER_HEAD: Statement = Statement::change(
    "ledger_move_head",
    "UPDATE ledger_head SET epoch = $1, size = $2, recorded = $3, frontier = $4, origin = $5 WHERE id = 1",
    &[Int, Int, Int, Blob, Text],
);

static FIRST_LEDGER_HEAD: Statement = Statement::change(
    "ledger_first_head",
    "INSERT INTO ledger_head (id, epoch, size, recorded, frontier, origin) VALUES (1, $1, $2, $3, $4, $5)",
    &[Int, Int, Int, Blob, Text],
);

/// The queue's own statements, for the contract test.
#[cfg(feature = "contract")]
pub(crate) static ALL: &[&Statement] = &[&MOVE_LEDGER_HEAD, &FIRST_LEDGER_HEAD];

/// Runs a batch in one transaction. With `careful`, each unit has its savepoint.
pub(crate) async fn transaction(
    connection: &mut dyn Connection,
    dialect: &'static Dialect,
    place: Place<'_>,
    batch: &[Work],
    careful: bool,
) -> Result<Vec<Outcome>, Failure> {
    let (head, mut access) = begin(connection, dialect, place, batch).await?;
    let is_first = head.is_none();
    let mut steps = Vec::with_capacity(batch.len());
    let mut gathered = Gathered::default();
    let now = place.options.clock.now();
    for work in batch {
        steps.push(unit(connection, work, head.as_ref(), &mut access, &mut gathered, (careful, now)).await?);
    }
    access.write(connection, place).await?;
    for (table, rows) in &gathered.0 {
        connection.insert(table, rows).await?;
    }
    let mut head = match start_epoch(connection, place, batch, head).await? {
        Some(head) => head,
        // Housekeeping before the first epoch.
        None => {
            let committed =
                Committed { epoch: 0, first_sequence: 0, entries: 0, recorded: place.options.clock.now() };
            let outcomes = steps.into_iter().map(|step| step.outcome(committed)).collect();
            return commit(connection, batch, outcomes, (0, 0)).await;
        }
    };
    let before = (head.epoch, head.size);
    let (outcomes, entries) = append(place, batch, steps, &mut head)?;
    if !entries.is_empty() {
        write(connection, &entries, &head, is_first).await?;
    }
    commit(connection, batch, outcomes, before).await
}

async fn commit(
    connection: &mut dyn Connection,
    batch: &[Work],
    outcomes: Vec<Outcome>,
    (epoch, size): (u32, u64),
) -> Result<Vec<Outcome>, Failure> {
    let Err(error) = connection.script(&Sql::Static("COMMIT")).await else {
        return Ok(outcomes);
    };
    let unit = batch
        .iter()
        .zip(&outcomes)
        .find(|(work, outcome)| !work.unit.entries.is_empty() && outcome.is_ok())
        .map(|(work, _)| work.unit.id);
    Err(Failure::Commit(error, Unknown { unit, epoch, size, outcomes }))
}

/// Locks the head, and loads the access versions that the batch guards or bumps.
async fn begin(
    connection: &mut dyn Connection,
    dialect: &'static Dialect,
    place: Place<'_>,
    batch: &[Work],
) -> Result<(Option<Head>, AccessVersions), Failure> {
    let (mut access, ids) = AccessVersions::of(batch);
    // The first journey takes as many ids as fit into one statement; that is nearly always all.
    let mut parts = ids.chunks(MAX_LIST);
    let rows = match parts.next() {
        None => connection.begin(dialect).await?,
        Some(part) => {
            let (sql, args) = AccessVersions::question(place, part)?;
            let columns = access::VERSIONS.columns;
            let (head, rows) = connection.begin_and_read(dialect, &sql, &args, columns).await?;
            access.know(&rows)?;
            head
        }
    };
    for part in parts {
        let (sql, args) = AccessVersions::question(place, part)?;
        access.know(&connection.rows(&sql, &args, access::VERSIONS.columns).await?)?;
    }
    let Some(row) = rows.first() else {
        return Ok((None, access));
    };
    match Head::from_row(row) {
        Ok(head) => Ok((Some(head), access)),
        Err(error) => {
            tracing::error!(detail = %error, "the ledger's head is damaged");
            Err(DriverError::new(DriverErrorKind::Unavailable, "the ledger's head is damaged").into())
        }
    }
}

/// Checks one unit's guards and runs its changes.
async fn unit<'a>(
    connection: &mut dyn Connection,
    work: &'a Work,
    head: Option<&Head>,
    access: &mut AccessVersions,
    gathered: &mut Gathered<'a>,
    (careful, now): (bool, Timestamp),
) -> Result<Step, Failure> {
    let next = head.map_or(0, |head| head.epoch.saturating_add(1));
    if head.is_none() && work.epoch.is_none() && !work.unit.entries.is_empty() {
        let detail = "the ledger has no epoch yet".to_owned();
        return Ok(Step::Dropped(CommitError::Unavailable { detail }));
    }
    if let Some(start) = work.epoch.as_ref().filter(|start| start.epoch != next) {
        return Err(Failure::Unit(CommitError::Conflict {
            statement: "ledger_epoch",
            expected: u64::from(next),
            found: u64::from(start.epoch),
            ledgered: None,
        }));
    }
    if let Some(error) = access.broken_guard(work).or_else(|| over(work, now)) {
        return Ok(Step::Dropped(error));
    }
    if careful {
        connection.script(&SAVEPOINT).await?;
    }
    let mut own = Gathered::default();
    let changed = changes(connection, work, if careful { &mut own } else { gathered }).await;
    let changed = match changed {
        Ok(upkept) if careful => insert_all(connection, &own).await.map(|()| upkept),
        other => other,
    };
    match changed {
        Ok(upkept) => {
            if careful {
                connection.script(&RELEASE).await?;
            }
            access.bump(work);
            Ok(Step::Passed(upkept))
        }
        Err(Failure::Unit(error)) if careful => {
            connection.script(&UNDO).await?;
            connection.script(&RELEASE).await?;
            Ok(Step::Failed(error))
        }
        Err(failure) => Err(failure),
    }
}

/// Refuses a unit whose turn came after what it relied on had ended by itself.
fn over(work: &Work, now: Timestamp) -> Option<CommitError> {
    let (key, until) = work.unit.holds_until?;
    (now >= until).then_some(CommitError::GuardFailed { key, expected: 0, found: 0 })
}

/// Rows of append-only tables, by table.
#[derive(Default)]
struct Gathered<'a>(Vec<(&'static Table, Vec<&'a [Value]>)>);

impl<'a> Gathered<'a> {
    fn add(&mut self, table: &'static Table, rows: &'a [Vec<Value>]) {
        let rows = rows.iter().map(Vec::as_slice);
        match self.0.iter_mut().find(|(other, _)| std::ptr::eq(*other, table)) {
            Some((_, gathered)) => gathered.extend(rows),
            None => self.0.push((table, rows.collect())),
        }
    }
}

async fn insert_all(connection: &mut dyn Connection, gathered: &Gathered<'_>) -> Result<(), Failure> {
    for (table, rows) in &gathered.0 {
        connection.insert(table, rows).await.map_err(blame_unit)?;
    }
    Ok(())
}

/// Runs a unit's changes in order; consecutive inserts into one table go together.
async fn changes<'a>(
    connection: &mut dyn Connection,
    work: &'a Work,
    gathered: &mut Gathered<'a>,
) -> Result<Vec<Upkept>, Failure> {
    let mut upkept = Vec::with_capacity(work.unit.changes.len());
    let mut pending: Option<(&'static Table, Vec<&'a [Value]>)> = None;
    for change in &work.unit.changes {
        match change {
            Change::Insert { table, rows } => {
                upkept.push(Upkept { touched: rows.len() as u64, rows: Vec::new() });
                if table.keeping == Keeping::AppendOnly {
                    gathered.add(table, rows);
                    continue;
                }
                let slices = rows.iter().map(Vec::as_slice);
                match &mut pending {
                    Some((other, waiting)) if std::ptr::eq(*other, *table) => waiting.extend(slices),
                    _ => {
                        flush(connection, &mut pending).await?;
                        pending = Some((table, slices.collect()));
                    }
                }
            }
            Change::Execute { statement, args, expect } => {
                flush(connection, &mut pending).await?;
                upkept.push(execute(connection, statement, args, *expect).await?);
            }
        }
    }
    flush(connection, &mut pending).await?;
    Ok(upkept)
}

async fn flush(
    connection: &mut dyn Connection,
    pending: &mut Option<(&'static Table, Vec<&[Value]>)>,
) -> Result<(), Failure> {
    match pending.take() {
        Some((table, rows)) => connection.insert(table, &rows).await.map_err(blame_unit),
        None => Ok(()),
    }
}

async fn execute(
    connection: &mut dyn Connection,
    statement: &'static Statement,
    args: &[Value],
    expect: Expect,
) -> Result<Upkept, Failure> {
    let sql = Sql::Static(statement.sql);
    let upkept = if statement.effect == Effect::Upkeep && !statement.columns.is_empty() {
        let rows = connection.rows(&sql, args, statement.columns).await.map_err(blame_unit)?;
        Upkept { touched: rows.len() as u64, rows }
    } else {
        Upkept { touched: connection.execute(&sql, args).await.map_err(blame_unit)?, rows: Vec::new() }
    };
    match expect {
        Expect::Exactly(expected) if expected != upkept.touched => {
            Err(Failure::Unit(CommitError::Conflict {
                statement: statement.name,
                expected,
                found: upkept.touched,
                ledgered: None,
            }))
        }
        _ => Ok(upkept),
    }
}

/// A refusal of a unit's own statement is the unit's fault; everything else is the database's.
fn blame_unit(error: DriverError) -> Failure {
    match error.kind {
        DriverErrorKind::Unique => {
            Failure::Unit(CommitError::UniqueViolation { detail: error.detail, ledgered: None })
        }
        DriverErrorKind::Refused => {
            Failure::Unit(CommitError::Refused { detail: error.detail, ledgered: None })
        }
        _ => Failure::Driver(error),
    }
}

/// Access versions as they are at this point of the batch.
struct AccessVersions {
    now: BTreeMap<AccessKey, i64>,
    raised: BTreeMap<AccessKey, i64>,
}

impl AccessVersions {
    /// What the batch guards or bumps, each as if it had never changed, and the ids to ask for.
    fn of(batch: &[Work]) -> (Self, Vec<[u8; 16]>) {
        let keys = batch.iter().flat_map(|work| {
            work.unit.guards.iter().map(|guard| guard.key).chain(work.unit.bumps.iter().copied())
        });
        let now: BTreeMap<AccessKey, i64> = keys.map(|key| (key, 0)).collect();
        let mut ids: Vec<[u8; 16]> = now.keys().map(|key| key.id).collect();
        ids.sort_unstable();
        ids.dedup();
        (Self { now, raised: BTreeMap::new() }, ids)
    }

    /// The statement that reads the versions of at most [`MAX_LIST`] ids.
    fn question(place: Place<'_>, ids: &[[u8; 16]]) -> Result<(Sql, Vec<Value>), DriverError> {
        let mut list: Vec<Value> = ids.iter().map(|id| Value::from(*id)).collect();
        let length = crate::check::pad(access::VERSIONS.name, &mut list, &[Blob])
            .map_err(|told| DriverError::new(DriverErrorKind::Refused, told))?;
        Ok((place.texts.sql(&access::VERSIONS, &[length]), list))
    }

    fn know(&mut self, rows: &[Row]) -> Result<(), DriverError> {
        let unreadable = |_| DriverError::new(DriverErrorKind::Unavailable, "an access version is damaged");
        for row in rows {
            let id = row.array(0).map_err(unreadable)?;
            let (scope, version) = (row.int(1).map_err(unreadable)?, row.int(2).map_err(unreadable)?);
            // A scope of a newer program is nothing this one can guard.
            if let Some(scope) = AccessScope::from_stored(scope)
                && let Some(known) = self.now.get_mut(&AccessKey { scope, id })
            {
                *known = version;
            }
        }
        Ok(())
    }

    fn broken_guard(&self, work: &Work) -> Option<CommitError> {
        work.unit.guards.iter().find_map(|guard| {
            let found = self.now.get(&guard.key).copied().unwrap_or(0);
            let broken = found != guard.version;
            broken.then_some(CommitError::GuardFailed { key: guard.key, expected: guard.version, found })
        })
    }

    /// Raises each of a unit's keys by one, however often the unit names it.
    fn bump(&mut self, work: &Work) {
        let mut keys = work.unit.bumps.clone();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let version = self.now.entry(key).or_insert(0);
            *version = version.saturating_add(1);
            self.raised.insert(key, *version);
        }
    }

    async fn write(&self, connection: &mut dyn Connection, place: Place<'_>) -> Result<(), Failure> {
        let rows: Vec<[Value; 3]> = self
            .raised
            .iter()
            .map(|(key, version)| [Value::from(key.id), Value::Int(key.scope as i64), Value::Int(*version)])
            .collect();
        let mut rest = rows.as_slice();
        // Exact lengths: a padded upsert would touch one row twice, which PostgreSQL refuses.
        while let Some(length) = ARITIES.into_iter().rev().find(|arity| *arity <= rest.len()) {
            let (part, others) = rest.split_at(length);
            let sql = place.texts.sql(&access::RAISE, &[length]);
            connection.execute(&sql, &part.concat()).await?;
            rest = others;
        }
        Ok(())
    }
}

/// Begins the epoch the batch asks for, or goes on with the present one.
async fn start_epoch(
    connection: &mut dyn Connection,
    place: Place<'_>,
    batch: &[Work],
    head: Option<Head>,
) -> Result<Option<Head>, Failure> {
    let Some(start) = batch.iter().find_map(|work| work.epoch.as_ref()) else {
        return Ok(head);
    };
    let now = place.options.clock.now();
    let recorded = head.map_or(now, |head| head.recorded.max(now));
    let row: [Value; 4] = [
        start.epoch.into(),
        start.origin.clone().into(),
        recorded.into(),
        start.previous_note.clone().into(),
    ];
    connection.insert(&tables::LEDGER_EPOCH, &[&row]).await.map_err(blame_unit)?;
    Ok(Some(Head {
        epoch: start.epoch,
        size: 0,
        recorded,
        frontier: Frontier::new(),
        origin: start.origin.clone(),
    }))
}

/// Gives every entry its place, and moves the head; the rows are still to be written.
fn append(
    place: Place<'_>,
    batch: &[Work],
    steps: Vec<Step>,
    head: &mut Head,
) -> Result<(Vec<Outcome>, Vec<Vec<Value>>), Failure> {
    // Recorded time never runs backwards, whatever the clock does.
    let recorded = place.options.clock.now().max(head.recorded);
    let clock_error = place.options.clock.error_estimate();
    let mut rows: Vec<Vec<Value>> = Vec::with_capacity(batch.len());
    let mut outcomes = Vec::with_capacity(batch.len());
    for (work, step) in batch.iter().zip(steps) {
        let told: Vec<std::borrow::Cow<'_, EntryDraft>> = match &step {
            Step::Passed(_) => work.unit.entries.iter().map(std::borrow::Cow::Borrowed).collect(),
            Step::Dropped(_) => Vec::new(),
            Step::Failed(_) => {
                work.unit.entries.first().map(of_failure).map(std::borrow::Cow::Owned).into_iter().collect()
            }
        };
        let committed =
            Committed { epoch: head.epoch, first_sequence: head.size, entries: told.len() as u64, recorded };
        for entry in told {
            let position = Position {
                epoch: head.epoch,
                sequence: head.size,
                instance: place.options.instance,
                recorded,
                clock_error_micros: clock_error.and_then(|error| u64::try_from(error.as_micros()).ok()),
            };
            let bytes = entry
                .encode(&position)
                .map_err(|error| Failure::Unit(CommitError::Invalid(error.to_string())))?;
            head.frontier.push(leaf_hash(&bytes));
            head.size += 1;
            rows.push(entry_row(&entry, &position, bytes));
        }
        outcomes.push(step.outcome(committed));
    }
    if !rows.is_empty() {
        head.recorded = recorded;
    }
    Ok((outcomes, rows))
}

impl Step {
    fn outcome(self, committed: Committed) -> Outcome {
        let kept = (committed.entries > 0).then_some(committed);
        match self {
            Self::Passed(upkept) => Ok(Done { committed, upkept }),
            Self::Dropped(error) => Err(error),
            Self::Failed(mut error) => {
                if let CommitError::Conflict { ledgered, .. }
                | CommitError::UniqueViolation { ledgered, .. }
                | CommitError::Refused { ledgered, .. } = &mut error
                {
                    *ledgered = kept;
                }
                Err(error)
            }
        }
    }
}

/// The entry that a failed unit keeps: who tried what on whose information, and that it failed.
fn of_failure(entry: &EntryDraft) -> EntryDraft {
    EntryDraft {
        outcome: Ended::Failed,
        count: 0,
        // Nothing was written that could be committed to.
        commitments: Vec::new(),
        version: None,
        ..entry.clone()
    }
}

fn entry_row(entry: &EntryDraft, position: &Position, bytes: Vec<u8>) -> Vec<Value> {
    vec![
        position.epoch.into(),
        position.sequence.into(),
        entry.unit.into(),
        position.recorded.into(),
        entry.actor.into(),
        entry.subject.into(),
        entry.institution.into(),
        entry.action.as_str().into(),
        bytes.into(),
    ]
}

/// Writes the entries and the head in one journey.
async fn write(
    connection: &mut dyn Connection,
    entries: &[Vec<Value>],
    head: &Head,
    is_first: bool,
) -> Result<(), Failure> {
    let rows: Vec<&[Value]> = entries.iter().map(Vec::as_slice).collect();
    let statement = if is_first { &FIRST_LEDGER_HEAD } else { &MOVE_LEDGER_HEAD };
    let args = [
        head.epoch.into(),
        head.size.into(),
        head.recorded.into(),
        head.frontier.to_bytes().into(),
        head.origin.clone().into(),
    ];
    match connection.insert_and_execute(&tables::LEDGER_ENTRY, &rows, statement, &args).await? {
        1 => Ok(()),
        _ => {
            Err(DriverError::new(DriverErrorKind::Unavailable, "the ledger's head could not be moved").into())
        }
    }
}
