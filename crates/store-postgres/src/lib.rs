//! The database of larger sites: PostgreSQL 15 or newer, with one or several program instances.
//!
//! The commit queue of each instance holds one connection; each transaction locks the ledger's
//! head row first, so that instances take turns in one order and cannot deadlock.

mod connection;
mod dialect;
mod error;

use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use mimamori_store::driver::{Connection, Driver, DriverError, DriverErrorKind, Reading, Sql};
use mimamori_store::schema::{self, Dialect};
use mimamori_store::{Engine, EngineOptions, OpenError};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Row as _};

use crate::connection::Session;
pub use crate::dialect::DIALECT;
use crate::error::driver_error;

/// The oldest version that is supported and tested, as `server_version_num` counts.
const OLDEST: i64 = 150_000;
/// Kept statements per connection; more than there are.
const STATEMENT_CACHE: usize = 512;
/// How much longer than the server's own limit a statement may take before the server counts as gone.
const GRACE: Duration = Duration::from_secs(5);

/// A store on PostgreSQL.
pub type PostgresStore = Engine<PostgresDriver>;

/// How to connect.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    pub engine: EngineOptions,
    /// Connections for reading.
    pub readers: u32,
    /// How long to wait for a free reading connection or for a new connection.
    pub patience: Duration,
    /// The longest time one statement may take, waiting for locks included.
    pub statement_limit: Duration,
    /// Accepts a server that loses acknowledged commits. For tests that are not about durability.
    pub accept_unsafe_server: bool,
}

impl PostgresOptions {
    #[must_use]
    pub const fn new(engine: EngineOptions) -> Self {
        Self {
            engine,
            readers: 16,
            patience: Duration::from_secs(5),
            statement_limit: Duration::from_secs(30),
            accept_unsafe_server: false,
        }
    }
}

/// Connects, checks that the server keeps what it acknowledges, and brings the schema up to date.
/// `url` is `postgres://user@host/database?...`.
///
/// # Errors
/// [`OpenError`]
pub async fn open(url: &str, options: PostgresOptions) -> Result<PostgresStore, OpenError> {
    let driver = PostgresDriver::new(url, &options)?;
    migrate(&driver, &options).await?;
    Ok(Engine::start(driver, options.engine))
}

/// Brings the schema up to date as its owner, and gives the program's own role just the rights it
/// needs: it may neither change nor remove history. The program then opens with that role's URL.
///
/// # Errors
/// [`OpenError`]
pub async fn migrate_as_owner(url: &str, role: &str, options: PostgresOptions) -> Result<(), OpenError> {
    let grants = grants(role)?;
    let driver = PostgresDriver::new(url, &options)?;
    let mut session = migrate(&driver, &options).await?;
    session.script(&Sql::Assembled(grants.into())).await?;
    driver.close().await;
    Ok(())
}

/// The statements that give a role the program's rights, for an administrator to run.
///
/// # Errors
/// [`OpenError::Address`] when the name is not one of letters, digits and `_`.
pub fn grants(role: &str) -> Result<String, OpenError> {
    let plain = (1..=63).contains(&role.len())
        && role.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !plain {
        return Err(OpenError::Address("a role's name may have letters, digits and _".to_owned()));
    }
    Ok(dialect::GRANTS.replace("{role}", &format!("\"{role}\"")))
}

async fn migrate(
    driver: &PostgresDriver,
    options: &PostgresOptions,
) -> Result<Session<Box<PgConnection>>, OpenError> {
    let mut connection = driver.connect().await.map_err(driver_error)?;
    check(&mut connection, options.accept_unsafe_server).await?;
    let mut session = Session::new(Box::new(connection), driver.patience);
    let applied = schema::migrate(&mut session, &DIALECT, options.engine.clock.now()).await?;
    if !applied.is_empty() {
        tracing::info!(steps = ?applied, "the schema was brought up to date");
    }
    Ok(session)
}

/// Settings that durability depends on, and what they may not be.
static REFUSED: &[(&str, &str)] =
    &[("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off")];

/// What a server that takes no changes says of itself, and what that means. Without a look at these
/// the first change would fail with words that tell nothing.
static READ_ONLY: &[(&str, &str)] = &[
    ("in_hot_standby", "the server is a standby, or recovers from its archive"),
    ("default_transaction_read_only", "default_transaction_read_only is on"),
];

async fn check(connection: &mut PgConnection, accept_unsafe: bool) -> Result<(), OpenError> {
    let version = setting(connection, "server_version_num").await?;
    if version.parse::<i64>().unwrap_or(0) < OLDEST {
        return Err(OpenError::Unsafe(format!("PostgreSQL {version} is older than {OLDEST}")));
    }
    let encoding = setting(connection, "server_encoding").await?;
    if encoding != "UTF8" {
        return Err(OpenError::Unsafe(format!("the database's encoding is {encoding}, not UTF8")));
    }
    for (name, meaning) in READ_ONLY {
        if setting(connection, name).await? == "on" {
            return Err(OpenError::ReadOnly((*meaning).to_owned()));
        }
    }
    for (name, refused) in REFUSED {
        if setting(connection, name).await? == *refused && !accept_unsafe {
            return Err(OpenError::Unsafe(format!(
                "{name} is {refused}: acknowledged commits could be lost"
            )));
        }
    }
    Ok(())
}

async fn setting(connection: &mut PgConnection, name: &str) -> Result<String, DriverError> {
    let row = sqlx::query("SELECT current_setting($1)")
        .bind(name)
        .fetch_one(connection)
        .await
        .map_err(driver_error)?;
    row.try_get(0).map_err(driver_error)
}

/// Opens connections to one database.
#[derive(Debug)]
pub struct PostgresDriver {
    connecting: PgConnectOptions,
    readers: PgPool,
    connect_patience: Duration,
    patience: Duration,
    accept_unsafe_server: bool,
}

impl PostgresDriver {
    fn new(url: &str, options: &PostgresOptions) -> Result<Self, OpenError> {
        // No error repeats the URL: it may hold a password.
        let expected = || OpenError::Address("postgres://user@host/database is expected".to_owned());
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(expected());
        }
        let connecting = PgConnectOptions::from_str(url).map_err(|_| expected())?;
        let limit = options.statement_limit.as_millis().to_string();
        let connecting = connecting
            .application_name("mimamori")
            .statement_cache_capacity(STATEMENT_CACHE)
            .options([
                ("statement_timeout", limit.as_str()),
                // An instance that hangs must not hold the ledger's head for ever.
                ("idle_in_transaction_session_timeout", limit.as_str()),
                ("tcp_keepalives_idle", "30"),
                ("tcp_keepalives_interval", "10"),
                ("tcp_keepalives_count", "3"),
            ])
            .disable_statement_logging();
        let readers = PgPoolOptions::new()
            .max_connections(options.readers.max(1))
            .acquire_timeout(options.patience)
            .test_before_acquire(false)
            .connect_lazy_with(connecting.clone());
        Ok(Self {
            connecting,
            readers,
            connect_patience: options.patience,
            patience: options.statement_limit + GRACE,
            accept_unsafe_server: options.accept_unsafe_server,
        })
    }

    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        match tokio::time::timeout(self.connect_patience, self.connecting.connect()).await {
            Ok(connected) => connected,
            Err(_) => Err(sqlx::Error::PoolTimedOut),
        }
    }
}

#[async_trait]
impl Driver for PostgresDriver {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    async fn writer(&self) -> Result<Box<dyn Connection>, DriverError> {
        let mut connection = self.connect().await.map_err(driver_error)?;
        // Settings may have changed with a restart or a fail-over.
        match check(&mut connection, self.accept_unsafe_server).await {
            Ok(()) => Ok(Box::new(Session::new(Box::new(connection), self.patience))),
            Err(OpenError::Driver(error)) => Err(error),
            Err(error) => Err(DriverError::new(DriverErrorKind::Unavailable, error.to_string())),
        }
    }

    async fn reader(&self) -> Result<Box<dyn Reading>, DriverError> {
        let connection = self.readers.acquire().await.map_err(driver_error)?;
        Ok(Box::new(Session::new(connection, self.patience)))
    }

    async fn snapshot(&self) -> Result<Box<dyn Reading>, DriverError> {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let mut transaction = self.readers.begin_with(begin).await.map_err(driver_error)?;
        // The state seen is that of the first statement: make that now.
        sqlx::query("SELECT size FROM ledger_head WHERE id = 1")
            .fetch_optional(&mut *transaction)
            .await
            .map_err(driver_error)?;
        Ok(Box::new(Session::new(transaction, self.patience)))
    }

    async fn close(&self) {
        self.readers.close().await;
    }
}
