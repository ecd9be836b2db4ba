//! The storage contract on PostgreSQL, and what only PostgreSQL has.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code, helpers included"
)]

mod cluster;
mod proxy;
mod server;

use std::sync::Arc;

use async_trait::async_trait;
use mimamori_store::contract::TestDatabase;
use mimamori_store::{EngineOptions, OpenError, Store};
use mimamori_store_postgres::{PostgresOptions, open};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};

/// A database of its own on the shared server.
struct Database {
    url: String,
}

async fn fresh() -> Database {
    let cluster = cluster::shared();
    Database { url: cluster.url(&cluster.create().await) }
}

async fn run_sql(url: &str, sql: &str) -> Result<(), String> {
    let options: PgConnectOptions = url.parse().unwrap();
    let mut connection = options.connect().await.map_err(|error| error.to_string())?;
    let done = connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await;
    done.map(|_| ()).map_err(|error| error.to_string())
}

/// Options for a server that may forget.
fn on_shared(engine: EngineOptions) -> PostgresOptions {
    PostgresOptions { accept_unsafe_server: true, readers: 4, ..PostgresOptions::new(engine) }
}

#[async_trait]
impl TestDatabase for Database {
    async fn open(&self, options: EngineOptions) -> Result<Arc<dyn Store>, OpenError> {
        Ok(Arc::new(open(&self.url, on_shared(options)).await?))
    }

    async fn behind(&self, sql: &'static str) -> Result<(), String> {
        run_sql(&self.url, sql).await
    }
}

mimamori_store::contract_tests!(fresh);
