//! Running statements on one SQLite connection.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use futures::TryStreamExt;
use mimamori_store::driver::{Connection, Described, DriverError, DriverErrorKind, Reading, Sql};
use mimamori_store::schema::{Dialect, HEAD_COLUMNS};
use mimamori_store::{ColumnType, Row, Statement, Table, Value};
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{
    Arguments, AssertSqlSafe, Column, Executor, Row as _, SqlSafeStr, SqlStr, Statement as _, TypeInfo,
};

use crate::error::driver_error;

/// How many rows one insert carries; each length is prepared once.
const INSERT_ROWS: [usize; 7] = [64, 32, 16, 8, 4, 2, 1];
/// The most rows that an insert together with another statement carries; every length up to it is
/// prepared once.
const MOST_TOGETHER: usize = 64;

/// A connection, for writing or for reading.
pub(crate) struct Session {
    connection: SqliteConnection,
    inserts: HashMap<(&'static str, usize), Arc<str>>,
    /// Inserts together with a statement after them, by table, rows and statement.
    together: HashMap<(&'static str, usize, &'static str), Arc<str>>,
    /// Reads together with the begin of a transaction before them, by the read.
    beginnings: HashMap<String, Arc<str>>,
    page_limit: Option<PageLimit>,
}

/// The database's greatest size in pages, for the connection that writes.
pub(crate) struct PageLimit {
    pub(crate) wanted: Arc<AtomicU32>,
    pub(crate) set: u32,
}

impl Session {
    pub(crate) fn new(connection: SqliteConnection, page_limit: Option<PageLimit>) -> Self {
        Self {
            connection,
            inserts: HashMap::new(),
            together: HashMap::new(),
            beginnings: HashMap::new(),
            page_limit,
        }
    }
}

#[async_trait]
impl Reading for Session {
    async fn rows(
        &mut self,
        sql: &Sql,
        args: &[Value],
        columns: &'static [ColumnType],
    ) -> Result<Vec<Row>, DriverError> {
        let query = sqlx::query_with(text(sql), bound(args)?);
        let mut found = self.connection.fetch(query);
        let mut rows = Vec::new();
        while let Some(row) = found.try_next().await.map_err(driver_error)? {
            rows.push(read(&row, columns)?);
        }
        Ok(rows)
    }

    async fn describe(&mut self, sql: &Sql, _: &[ColumnType]) -> Result<Described, DriverError> {
        let statement = self.connection.prepare(text(sql)).await.map_err(driver_error)?;
        let count = match statement.parameters() {
            Some(sqlx::Either::Right(count)) => count,
            Some(sqlx::Either::Left(types)) => types.len(),
            None => 0,
        };
        let columns = statement.columns().iter().map(|column| declared(column.type_info().name())).collect();
        Ok(Described { params: vec![None; count], columns })
    }
}

#[async_trait]
impl Connection for Session {
    async fn execute(&mut self, sql: &Sql, args: &[Value]) -> Result<u64, DriverError> {
        let query = sqlx::query_with(text(sql), bound(args)?);
        let done = self.connection.execute(query).await.map_err(driver_error)?;
        Ok(done.rows_affected())
    }

    async fn insert(&mut self, table: &'static Table, mut rows: &[&[Value]]) -> Result<(), DriverError> {
        while let Some(length) = INSERT_ROWS.into_iter().find(|length| *length <= rows.len()) {
            let (part, others) = rows.split_at(length);
            rows = others;
            let sql = self.inserts.entry((table.name, length)).or_insert_with(|| insert_text(table, length));
            let sql = AssertSqlSafe(Arc::clone(sql)).into_sql_str();
            let args = bound(part.iter().copied().flatten())?;
            self.connection.execute(sqlx::query_with(sql, args)).await.map_err(driver_error)?;
        }
        Ok(())
    }

    async fn begin(&mut self, dialect: &'static Dialect) -> Result<Vec<Row>, DriverError> {
        self.apply_page_limit().await?;
        // Prepared and kept like any other; SQLite runs both statements.
        let query = sqlx::query(dialect.begin_and_lock);
        let found: Vec<SqliteRow> = self.connection.fetch(query).try_collect().await.map_err(driver_error)?;
        found.iter().map(|row| read(row, HEAD_COLUMNS)).collect()
    }

    /// Each journey to SQLite's thread costs more than these statements do.
    async fn begin_and_read(
        &mut self,
        dialect: &'static Dialect,
        sql: &Sql,
        args: &[Value],
        columns: &'static [ColumnType],
    ) -> Result<(Vec<Row>, Vec<Row>), DriverError> {
        self.apply_page_limit().await?;
        let text = match self.beginnings.get(sql.as_str()) {
            Some(text) => Arc::clone(text),
            None => {
                let text: Arc<str> = Arc::from(format!("{}; {}", dialect.begin_and_lock, sql.as_str()));
                self.beginnings.insert(sql.as_str().to_owned(), Arc::clone(&text));
                text
            }
        };
        let query = sqlx::query_with(AssertSqlSafe(text).into_sql_str(), bound(args)?);
        let mut found = self.connection.fetch_many(query);
        let (mut head, mut rows) = (Vec::new(), Vec::new());
        // The statements that have ended: BEGIN, the head, the read.
        let mut ended = 0;
        while let Some(step) = found.try_next().await.map_err(driver_error)? {
            match step {
                sqlx::Either::Left(_) => ended += 1,
                sqlx::Either::Right(row) if ended < 2 => head.push(read(&row, HEAD_COLUMNS)?),
                sqlx::Either::Right(row) => rows.push(read(&row, columns)?),
            }
        }
        Ok((head, rows))
    }

    async fn insert_and_execute(
        &mut self,
        table: &'static Table,
        rows: &[&[Value]],
        statement: &'static Statement,
        args: &[Value],
    ) -> Result<u64, DriverError> {
        let (first, last) = rows.split_at((rows.len().saturating_sub(1) / MOST_TOGETHER) * MOST_TOGETHER);
        self.insert(table, first).await?;
        let Some(after) = positional(statement.sql).filter(|_| !last.is_empty()) else {
            self.insert(table, last).await?;
            return self.execute(&Sql::Static(statement.sql), args).await;
        };
        let sql = self
            .together
            .entry((table.name, last.len(), statement.name))
            .or_insert_with(|| Arc::from(format!("{}; {after}", insert_text(table, last.len()))));
        let sql = AssertSqlSafe(Arc::clone(sql)).into_sql_str();
        let args = bound(last.iter().copied().flatten().chain(args))?;
        let done = self.connection.execute(sqlx::query_with(sql, args)).await.map_err(driver_error)?;
        Ok(done.rows_affected().saturating_sub(last.len() as u64))
    }

    async fn script(&mut self, sql: &Sql) -> Result<(), DriverError> {
        self.connection.execute(sqlx::raw_sql(text(sql))).await.map_err(driver_error)?;
        Ok(())
    }
}

impl Session {
    /// Sets the database's greatest size where it changed.
    async fn apply_page_limit(&mut self) -> Result<(), DriverError> {
        if let Some(limit) = &mut self.page_limit {
            let wanted = limit.wanted.load(Ordering::Relaxed);
            if wanted != limit.set {
                let pragma = AssertSqlSafe(format!("PRAGMA max_page_count = {wanted}"));
                self.connection.execute(sqlx::raw_sql(pragma)).await.map_err(driver_error)?;
                limit.set = wanted;
            }
        }
        Ok(())
    }
}

/// The statement with `?` for its parameters, which then follow those of the statements before it;
/// `None` when it does not name each once and in order.
fn positional(sql: &str) -> Option<String> {
    let mut parts = sql.split('$');
    let mut text = parts.next()?.to_owned();
    for (index, part) in parts.enumerate() {
        let digits = part.chars().take_while(char::is_ascii_digit).count();
        let (number, rest) = part.split_at_checked(digits)?;
        if number.parse::<usize>().ok()? != index + 1 {
            return None;
        }
        text.push('?');
        text.push_str(rest);
    }
    Some(text)
}

/// `?` instead of `$n`: SQLite looks numbered names up one by one, in time that grows with the square.
fn insert_text(table: &Table, rows: usize) -> Arc<str> {
    let row = format!("({})", vec!["?"; table.columns.len()].join(","));
    Arc::from(format!("{}{}", table.insert_prefix(), vec![row; rows].join(",")))
}

fn text(sql: &Sql) -> SqlStr {
    match sql {
        Sql::Static(text) => text.into_sql_str(),
        // Assembled only from statements and table descriptions, see `Sql`.
        Sql::Assembled(text) => AssertSqlSafe(Arc::clone(text)).into_sql_str(),
    }
}

pub(crate) fn declared(name: &str) -> Option<ColumnType> {
    match name {
        "INTEGER" | "BIGINT" | "INT8" => Some(ColumnType::Int),
        "TEXT" => Some(ColumnType::Text),
        "BLOB" => Some(ColumnType::Blob),
        _ => None,
    }
}

fn bound<'v>(values: impl IntoIterator<Item = &'v Value>) -> Result<SqliteArguments, DriverError> {
    let mut args = SqliteArguments::default();
    let values = values.into_iter();
    args.reserve(values.size_hint().0, 0);
    for value in values {
        match value {
            Value::Int(value) => args.add(*value),
            Value::Text(value) => args.add(value.as_ref()),
            Value::Blob(value) => args.add(value.as_slice()),
            Value::Null(ColumnType::Int) => args.add(None::<i64>),
            Value::Null(ColumnType::Text) => args.add(None::<&str>),
            Value::Null(ColumnType::Blob) => args.add(None::<&[u8]>),
        }
        .map_err(|error| DriverError::new(DriverErrorKind::Refused, error.to_string()))?;
    }
    Ok(args)
}

fn read(row: &SqliteRow, columns: &'static [ColumnType]) -> Result<Row, DriverError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_in_order_become_positional() {
        assert_eq!(positional("SET a = $1, b = $2 WHERE c").as_deref(), Some("SET a = ?, b = ? WHERE c"));
        assert_eq!(positional("SET a = $2, b = $1"), None);
        assert_eq!(positional("SET a = $1, b = $1"), None);
        assert_eq!(positional("COMMIT").as_deref(), Some("COMMIT"));
    }
}
