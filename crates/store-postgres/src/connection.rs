//! Running statements on one PostgreSQL connection.

use std::collections::HashMap;
use std::future::Future;
use std::ops::DerefMut;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt;
use mimamori_store::driver::{Connection, Described, DriverError, DriverErrorKind, Reading, Sql};
use mimamori_store::schema::{Dialect, HEAD_COLUMNS};
use mimamori_store::{ColumnType, Row, Table, Value};
use sqlx::postgres::{PgArguments, PgConnection, PgRow, PgTypeInfo};
use sqlx::{
    Arguments, AssertSqlSafe, Column, Executor, Row as _, SqlSafeStr, SqlStr, Statement as _, Type, TypeInfo,
};

use crate::error::driver_error;

/// A connection, whether owned, from the pool, or inside a snapshot's transaction.
pub(crate) struct Session<C> {
    connection: C,
    inserts: HashMap<&'static str, Arc<str>>,
    patience: Duration,
}

impl<C> Session<C> {
    /// `patience` is for one statement; after it the server counts as gone.
    pub(crate) fn new(connection: C, patience: Duration) -> Self {
        Self { connection, inserts: HashMap::new(), patience }
    }
}

/// A server that vanished from the network leaves a connection that never answers.
async fn in_time<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>> + Send,
) -> Result<T, DriverError> {
    match tokio::time::timeout(patience, work).await {
        Ok(done) => done.map_err(driver_error),
        Err(_) => Err(DriverError::new(DriverErrorKind::Connection, "the server did not answer in time")),
    }
}

#[async_trait]
impl<C> Reading for Session<C>
where
    C: DerefMut<Target = PgConnection> + Send,
{
    async fn rows(
        &mut self,
        sql: &Sql,
        args: &[Value],
        columns: &'static [ColumnType],
    ) -> Result<Vec<Row>, DriverError> {
        let query = sqlx::query_with(text(sql), bound(args)?);
        let found = self.connection.deref_mut().fetch(query).try_collect::<Vec<PgRow>>();
        let found = in_time(self.patience, found).await?;
        found.iter().map(|row| read(row, columns)).collect()
    }

    async fn describe(&mut self, sql: &Sql, params: &[ColumnType]) -> Result<Described, DriverError> {
        let types: Vec<PgTypeInfo> = params.iter().map(|param| type_info(*param)).collect();
        let prepared = self.connection.deref_mut().prepare_with(text(sql), &types);
        let statement = in_time(self.patience, prepared).await?;
        let params = match statement.parameters() {
            Some(sqlx::Either::Left(types)) => types.iter().map(|info| declared(info.name())).collect(),
            Some(sqlx::Either::Right(count)) => vec![None; count],
            None => Vec::new(),
        };
        let columns = statement.columns().iter().map(|column| declared(column.type_info().name())).collect();
        Ok(Described { params, columns })
    }
}

#[async_trait]
impl<C> Connection for Session<C>
where
    C: DerefMut<Target = PgConnection> + Send,
{
    async fn execute(&mut self, sql: &Sql, args: &[Value]) -> Result<u64, DriverError> {
        let query = sqlx::query_with(text(sql), bound(args)?);
        let done = in_time(self.patience, self.connection.deref_mut().execute(query)).await?;
        Ok(done.rows_affected())
    }

    /// One statement whatever the number of rows: each column is sent as an array.
    async fn insert(&mut self, table: &'static Table, rows: &[&[Value]]) -> Result<(), DriverError> {
        if rows.is_empty() {
            return Ok(());
        }
        let sql = self.inserts.entry(table.name).or_insert_with(|| insert_text(table));
        let sql = AssertSqlSafe(Arc::clone(sql)).into_sql_str();
        let mut args = PgArguments::default();
        for (index, column) in table.columns.iter().enumerate() {
            let values = rows.iter().map(|row| row.get(index));
            match column.column {
                ColumnType::Int => args.add(values.map(int).collect::<Vec<Option<i64>>>()),
                ColumnType::Text => args.add(values.map(characters).collect::<Vec<Option<&str>>>()),
                ColumnType::Blob => args.add(values.map(bytes).collect::<Vec<Option<&[u8]>>>()),
            }
            .map_err(|_| DriverError::new(DriverErrorKind::Refused, "a value cannot be sent"))?;
        }
        let query = sqlx::query_with(sql, args);
        in_time(self.patience, self.connection.deref_mut().execute(query)).await?;
        Ok(())
    }

    async fn begin(&mut self, dialect: &'static Dialect) -> Result<Vec<Row>, DriverError> {
        let query = sqlx::raw_sql(dialect.begin_and_lock);
        let found = self.connection.deref_mut().fetch(query).try_collect::<Vec<PgRow>>();
        let found = in_time(self.patience, found).await?;
        found.iter().map(|row| read(row, HEAD_COLUMNS)).collect()
    }

    async fn script(&mut self, sql: &Sql) -> Result<(), DriverError> {
        in_time(self.patience, self.connection.deref_mut().execute(sqlx::raw_sql(text(sql)))).await?;
        Ok(())
    }
}

fn insert_text(table: &Table) -> Arc<str> {
    let names: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
    let arrays: Vec<String> = table
        .columns
        .iter()
        .enumerate()
        .map(|(index, column)| format!("${}::{}[]", index + 1, name(column.column)))
        .collect();
    Arc::from(format!(
        "INSERT INTO {} ({}) SELECT * FROM UNNEST({})",
        table.name,
        names.join(","),
        arrays.join(",")
    ))
}

fn text(sql: &Sql) -> SqlStr {
    match sql {
        Sql::Static(text) => text.into_sql_str(),
        // Assembled only from statements and table descriptions, see `Sql`.
        Sql::Assembled(text) => AssertSqlSafe(Arc::clone(text)).into_sql_str(),
    }
}

const fn name(column: ColumnType) -> &'static str {
    match column {
        ColumnType::Int => "bigint",
        ColumnType::Text => "text",
        ColumnType::Blob => "bytea",
    }
}

fn type_info(column: ColumnType) -> PgTypeInfo {
    match column {
        ColumnType::Int => <i64 as Type<sqlx::Postgres>>::type_info(),
        ColumnType::Text => <str as Type<sqlx::Postgres>>::type_info(),
        ColumnType::Blob => <[u8] as Type<sqlx::Postgres>>::type_info(),
    }
}

fn declared(name: &str) -> Option<ColumnType> {
    match name {
        "INT8" => Some(ColumnType::Int),
        "TEXT" => Some(ColumnType::Text),
        "BYTEA" => Some(ColumnType::Blob),
        _ => None,
    }
}

fn int(value: Option<&Value>) -> Option<i64> {
    match value {
        Some(Value::Int(value)) => Some(*value),
        _ => None,
    }
}

fn characters(value: Option<&Value>) -> Option<&str> {
    match value {
        Some(Value::Text(value)) => Some(value),
        _ => None,
    }
}

fn bytes(value: Option<&Value>) -> Option<&[u8]> {
    match value {
        Some(Value::Blob(value)) => Some(value),
        _ => None,
    }
}

fn bound(values: &[Value]) -> Result<PgArguments, DriverError> {
    let mut args = PgArguments::default();
    args.reserve(values.len(), values.iter().map(Value::weight).sum());
    for value in values {
        match value.column_type() {
            ColumnType::Int => args.add(int(Some(value))),
            ColumnType::Text => args.add(characters(Some(value))),
            ColumnType::Blob => args.add(bytes(Some(value))),
        }
        .map_err(|_| DriverError::new(DriverErrorKind::Refused, "a value cannot be sent"))?;
    }
    Ok(args)
}

fn read(row: &PgRow, columns: &'static [ColumnType]) -> Result<Row, DriverError> {
    if row.len() != columns.len() {
        return Err(DriverError::new(DriverErrorKind::Refused, "a row has another number of columns"));
    }
    let mut values = Vec::with_capacity(columns.len());
    for (index, column) in columns.iter().enumerate() {
        let value = match column {
            ColumnType::Int => row.try_get::<Option<i64>, _>(index).map(|value| value.map(Value::from)),
            ColumnType::Text => row.try_get::<Option<String>, _>(index).map(|value| value.map(Value::from)),
            ColumnType::Blob => row.try_get::<Option<Vec<u8>>, _>(index).map(|value| value.map(Value::from)),
        };
        values.push(value.map_err(driver_error)?.unwrap_or(Value::Null(*column)));
    }
    Ok(Row::new(values))
}
