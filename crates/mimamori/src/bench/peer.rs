//! The plain server that this program is compared with: the same HTTP shell, the same database, the
//! same bytes and rows, and nothing else: no authorisation, no encryption, no ledger.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use clap::Args;
use mimamori_domain::{Clock, InstanceId, InstitutionId, KeyId, ObjectId, SubjectId, SystemClock, UnitId};
use mimamori_store::ColumnType::Blob;
use mimamori_store::driver::{Connection, Driver, Sql};
use mimamori_store::{ColumnType, Engine, EngineOptions, Statement, Store, Value, tables};
use mimamori_store_postgres::PostgresOptions;
use mimamori_store_sqlite::SqliteOptions;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::broken;
use crate::config::Database;
use crate::exit::{Exit, Result};
use crate::net::{Limits, Listener, stop_pair};

/// The environment variable that names the database.
pub const DATABASE: &str = "MIMAMORI_BENCH_DATABASE";
/// Writing connections where the database lets several write at a time.
const WRITERS: usize = 16;
/// The most requests in one transaction of the grouping variant.
const MOST_TOGETHER: usize = 256;

#[derive(Debug, Clone, Args)]
pub struct Arguments {}

/// The bytes of one record.
static BODY: Statement = Statement::read(
    "bench_body",
    "SELECT v.body FROM object_head h JOIN object_version v ON v.object = h.object AND v.version = h.version \
     WHERE h.object = $1",
    &[Blob],
    &[Blob],
);

/// Serves until standard input ends: then nobody measures any more.
///
/// # Errors
/// When the database or an address cannot be had.
pub async fn run(_arguments: &Arguments) -> Result<Exit> {
    let url = std::env::var(DATABASE).map_err(|_| broken(format!("{DATABASE} names no database")))?;
    let clock = Arc::new(SystemClock::default());
    let engine = EngineOptions::new(Arc::clone(&clock) as _, InstanceId::random());
    match Database::parse(&url, std::path::Path::new("/"))? {
        Database::Sqlite(path) => {
            let path = path.to_str().ok_or_else(|| broken("the path must be Unicode"))?.to_owned();
            let options = SqliteOptions { create: false, ..SqliteOptions::new(engine) };
            // One writer at a time is all that SQLite has.
            serve(mimamori_store_sqlite::open(&path, options).await.map_err(broken)?, 1, "BEGIN IMMEDIATE")
                .await
        }
        Database::Postgres(url) => {
            let options = PostgresOptions::new(engine);
            serve(mimamori_store_postgres::open(&url, options).await.map_err(broken)?, WRITERS, "BEGIN").await
        }
    }
}

async fn serve<D: Driver>(engine: Engine<D>, writers: usize, begin: &'static str) -> Result<Exit> {
    let mut connections = Vec::new();
    for _ in 0..writers {
        connections.push(engine.driver().writer().await.map_err(broken)?);
    }
    let (group, waiting) = mpsc::channel(4096);
    tokio::spawn(commit_together(engine.driver().writer().await.map_err(broken)?, begin, waiting));
    let plain = Plain {
        store: Arc::new(engine),
        writers: Arc::new(Writers { free: Semaphore::new(writers), connections: Mutex::new(connections) }),
        begin,
        group,
    };
    let router = Router::new()
        .route("/read/{id}", get(read))
        .route("/create/{subject}/{index_rows}", post(create))
        .route("/create-together/{subject}/{index_rows}", post(create_together))
        .with_state(plain);
    let limits = Limits { connections_per_address: 1024, ..Limits::default() };
    let address = (std::net::Ipv4Addr::LOCALHOST, 0).into();
    let listener = Listener::bind("plain", address, None, limits).await?;
    println!("{}", listener.address());
    let (stopper, stop) = stop_pair();
    std::thread::spawn(move || {
        let _ended = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        stopper.stop();
    });
    listener.serve(router, stop).await;
    Ok(Exit::Done)
}

#[derive(Clone)]
struct Plain {
    store: Arc<dyn Store>,
    writers: Arc<Writers>,
    begin: &'static str,
    group: mpsc::Sender<(Rows, oneshot::Sender<bool>)>,
}

struct Writers {
    free: Semaphore,
    connections: Mutex<Vec<Box<dyn Connection>>>,
}

impl Writers {
    fn take(&self) -> Option<Box<dyn Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give_back(&self, connection: Box<dyn Connection>) {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}

async fn read(State(plain): State<Plain>, Path(id): Path<String>) -> Result<Vec<u8>, StatusCode> {
    let id: ObjectId = id.parse().map_err(|_| StatusCode::NOT_FOUND)?;
    let row = plain.store.query_one(&BODY, vec![id.into()]).await.map_err(internal)?;
    row.ok_or(StatusCode::NOT_FOUND)?.take_blob(0).map_err(internal)
}

async fn create(
    State(plain): State<Plain>,
    Path((subject, index_rows)): Path<(String, usize)>,
    body: Bytes,
) -> Result<StatusCode, StatusCode> {
    let rows = Rows::new(&subject, index_rows, &body)?;
    let _seat = plain.writers.free.acquire().await.map_err(internal)?;
    let mut connection = plain.writers.take().ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;
    let done = transaction(connection.as_mut(), plain.begin, &[rows]).await;
    plain.writers.give_back(connection);
    done.map_err(internal)?;
    Ok(StatusCode::CREATED)
}

async fn create_together(
    State(plain): State<Plain>,
    Path((subject, index_rows)): Path<(String, usize)>,
    body: Bytes,
) -> Result<StatusCode, StatusCode> {
    let (reply, answer) = oneshot::channel();
    plain.group.send((Rows::new(&subject, index_rows, &body)?, reply)).await.map_err(internal)?;
    if answer.await.map_err(internal)? {
        Ok(StatusCode::CREATED)
    } else {
        Err(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// Takes what waits into one transaction.
async fn commit_together(
    mut connection: Box<dyn Connection>,
    begin: &'static str,
    mut waiting: mpsc::Receiver<(Rows, oneshot::Sender<bool>)>,
) {
    while let Some((rows, reply)) = waiting.recv().await {
        let (mut together, mut replies) = (vec![rows], vec![reply]);
        // Whoever was just answered gets the chance to be in the next transaction already.
        tokio::task::yield_now().await;
        while together.len() < MOST_TOGETHER {
            let Ok((rows, reply)) = waiting.try_recv() else { break };
            together.push(rows);
            replies.push(reply);
        }
        let done = transaction(connection.as_mut(), begin, &together).await.is_ok();
        for reply in replies {
            let _gone = reply.send(done);
        }
    }
}

async fn transaction(
    connection: &mut dyn Connection,
    begin: &'static str,
    all: &[Rows],
) -> std::result::Result<(), mimamori_store::driver::DriverError> {
    connection.script(&Sql::Static(begin)).await?;
    let heads: Vec<&[Value]> = all.iter().map(|rows| rows.head.as_slice()).collect();
    let index: Vec<&[Value]> = all.iter().flat_map(|rows| rows.index.iter().map(Vec::as_slice)).collect();
    let versions: Vec<&[Value]> = all.iter().map(|rows| rows.version.as_slice()).collect();
    connection.insert(&tables::OBJECT_HEAD, &heads).await?;
    connection.insert(&tables::CLINICAL_INDEX, &index).await?;
    connection.insert(&tables::OBJECT_VERSION, &versions).await?;
    connection.script(&Sql::Static("COMMIT")).await
}

/// The rows of one record: as many and as long as this program writes them.
struct Rows {
    version: Vec<Value>,
    head: Vec<Value>,
    index: Vec<Vec<Value>>,
}

impl Rows {
    fn new(subject: &str, index_rows: usize, body: &[u8]) -> Result<Self, StatusCode> {
        let subject: SubjectId = subject.parse().map_err(|_| StatusCode::NOT_FOUND)?;
        let object = ObjectId::random();
        let institution = InstitutionId::from_bytes([1; 16]);
        let now = SystemClock::default().now();
        let nobody = || Value::Null(ColumnType::Blob);
        let version = vec![
            object.into(),
            1_u64.into(),
            "Observation".into(),
            subject.into(),
            "vital-signs".into(),
            "confirmed".into(),
            nobody(),
            nobody(),
            nobody(),
            institution.into(),
            now.into(),
            vec![7; 32].into(),
            KeyId::from_bytes([2; 16]).into(),
            body.to_vec().into(),
            vec![7; 32].into(),
            UnitId::random().into(),
            now.into(),
        ];
        let head = vec![
            object.into(),
            1_u64.into(),
            "Observation".into(),
            subject.into(),
            "vital-signs".into(),
            "confirmed".into(),
            institution.into(),
            nobody(),
            now.into(),
            now.into(),
        ];
        let index = (0..index_rows)
            .map(|_| {
                let token = UnitId::random().to_vec();
                vec![
                    subject.into(),
                    "Observation".into(),
                    token.into(),
                    now.into(),
                    now.into(),
                    object.into(),
                ]
            })
            .collect();
        Ok(Self { version, head, index })
    }
}

fn internal(error: impl std::fmt::Display) -> StatusCode {
    tracing::error!(%error, "a plain request failed");
    StatusCode::INTERNAL_SERVER_ERROR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_every_column() {
        let rows = Rows::new(&SubjectId::random().to_string(), 3, b"{}").unwrap();
        assert_eq!(rows.version.len(), tables::OBJECT_VERSION.columns.len());
        assert_eq!(rows.head.len(), tables::OBJECT_HEAD.columns.len());
        assert_eq!(rows.index.len(), 3);
        for row in &rows.index {
            assert_eq!(row.len(), tables::CLINICAL_INDEX.columns.len());
        }
        assert!(Rows::new("nobody", 0, b"").is_err());
    }
}
