//! The storage contract on SQLite, and what only SQLite has.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code, helpers included"
)]

mod file;

use std::sync::Arc;

use async_trait::async_trait;
use mimamori_store::contract::TestDatabase;
use mimamori_store::{EngineOptions, OpenError, Store};
use mimamori_store_sqlite::{SqliteOptions, open};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, sqlite::SqliteConnectOptions};

/// A database in a folder of its own.
struct File {
    folder: tempfile::TempDir,
}

impl File {
    fn address(&self) -> String {
        self.folder.path().join("mimamori.db").display().to_string()
    }
}

async fn fresh() -> File {
    File { folder: tempfile::tempdir().unwrap() }
}

#[async_trait]
impl TestDatabase for File {
    async fn open(&self, options: EngineOptions) -> Result<Arc<dyn Store>, OpenError> {
        Ok(Arc::new(open(&self.address(), SqliteOptions::new(options)).await?))
    }

    async fn behind(&self, sql: &'static str) -> Result<(), String> {
        let options = SqliteConnectOptions::new().filename(self.address());
        let mut connection = options.connect().await.map_err(|error| error.to_string())?;
        connection
            .execute(sqlx::raw_sql(AssertSqlSafe(sql)))
            .await
            .map(|_| ())
            .map_err(|error| error.to_string())
    }
}

mimamori_store::contract_tests!(fresh);
