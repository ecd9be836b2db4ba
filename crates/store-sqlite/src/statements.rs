//! Statements that read, prepared once on a connection and run on its own thread.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;
use std::time::Duration;

use mimamori_store::driver::{Asked, Described, DriverError, DriverErrorKind, Sql};
use mimamori_store::{ColumnType, Row, Value};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql};

use crate::STATEMENT_CACHE;
use crate::connection::declared;
use crate::error::read_error;

/// How a connection that only reads is opened.
#[derive(Debug, Clone)]
pub(crate) struct Opening {
    pub(crate) path: PathBuf,
    /// How long to wait for a lock.
    pub(crate) patience: Duration,
    /// What is said to each connection before its first statement.
    pub(crate) pragmas: &'static str,
}

impl Opening {
    pub(crate) fn connect(&self) -> Result<Connection, DriverError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags).map_err(read_error)?;
        connection.busy_timeout(self.patience).map_err(read_error)?;
        connection.execute_batch(self.pragmas).map_err(read_error)?;
        Ok(connection)
    }
}

/// The statements of one connection.
pub(crate) struct Statements<'c> {
    connection: &'c Connection,
    /// By where a text lies and how long it is: texts are static, or kept here with their statement.
    prepared: HashMap<(usize, usize), Prepared<'c>>,
}

struct Prepared<'c> {
    statement: rusqlite::Statement<'c>,
    /// Which of the arguments each parameter takes: SQLite counts `$n` in the order they appear.
    order: Vec<usize>,
    _text: Sql,
}

impl<'c> Statements<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Self { connection, prepared: HashMap::new() }
    }

    pub(crate) fn rows(
        &mut self,
        sql: &Sql,
        args: &[Value],
        columns: &'static [ColumnType],
    ) -> Result<Vec<Row>, DriverError> {
        let Prepared { statement, order, .. } = self.prepared(sql)?;
        if statement.column_count() != columns.len() {
            return Err(refused("a row has another number of columns"));
        }
        for (at, arg) in order.iter().enumerate() {
            let arg = args.get(*arg).ok_or_else(|| refused("a statement takes more arguments"))?;
            statement.raw_bind_parameter(at + 1, Bound(arg)).map_err(read_error)?;
        }
        let mut found = statement.raw_query();
        let mut rows = Vec::new();
        let outcome = loop {
            match found.next() {
                Ok(Some(row)) => match read(row, columns) {
                    Ok(row) => rows.push(row),
                    Err(error) => break Err(error),
                },
                Ok(None) => break Ok(rows),
                Err(error) => break Err(read_error(error)),
            }
        };
        drop(found);
        // What was asked for is not kept for longer than the answer takes.
        statement.clear_bindings();
        outcome
    }

    /// All of one state: between two statements of their own the connection would look whether somebody
    /// committed, and read again what it has in memory.
    pub(crate) fn rows_of_each(&mut self, asked: &[Asked]) -> Result<Vec<Vec<Row>>, DriverError> {
        // Given up when dropped, so no state stays behind. A snapshot is in its own transaction already.
        let connection = self.connection;
        let alone = connection.is_autocommit();
        let _state = alone.then(|| connection.unchecked_transaction()).transpose().map_err(read_error)?;
        asked.iter().map(|one| self.rows(&one.sql, &one.args, one.columns)).collect()
    }

    /// Runs statements without parameters or rows.
    pub(crate) fn script(&self, sql: &'static str) -> Result<(), DriverError> {
        self.connection.execute_batch(sql).map_err(read_error)
    }

    pub(crate) fn describe(&self, sql: &Sql) -> Result<Described, DriverError> {
        let statement = self.connection.prepare(sql.as_str()).map_err(read_error)?;
        let columns = statement.columns();
        let columns = columns.iter().map(|column| column.decl_type().and_then(declared)).collect();
        Ok(Described { params: vec![None; statement.parameter_count()], columns })
    }

    fn prepared(&mut self, sql: &Sql) -> Result<&mut Prepared<'c>, DriverError> {
        let text = sql.as_str();
        // Lists have many lengths; begun anew, those that are used are soon there again.
        if self.prepared.len() >= STATEMENT_CACHE {
            self.prepared.clear();
        }
        match self.prepared.entry((text.as_ptr() as usize, text.len())) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(vacant) => {
                let statement = self.connection.prepare(text).map_err(read_error)?;
                let order = (1..=statement.parameter_count())
                    .map(|at| argument(at, statement.parameter_name(at)))
                    .collect::<Option<_>>()
                    .ok_or_else(|| refused("a parameter is not written as $n"))?;
                Ok(vacant.insert(Prepared { statement, order, _text: sql.clone() }))
            }
        }
    }
}

/// The argument that a parameter takes: the one it is named by, or with a bare `?` its own place.
fn argument(at: usize, name: Option<&str>) -> Option<usize> {
    match name {
        None => Some(at - 1),
        Some(name) => name.strip_prefix('$')?.parse::<usize>().ok()?.checked_sub(1),
    }
}

/// An argument as SQLite takes it.
struct Bound<'v>(&'v Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
            Value::Null(_) => ValueRef::Null,
        }))
    }
}

fn read(row: &rusqlite::Row<'_>, columns: &'static [ColumnType]) -> Result<Row, DriverError> {
    let mut values = Vec::with_capacity(columns.len());
    for (at, column) in columns.iter().enumerate() {
        values.push(match (column, row.get_ref(at).map_err(read_error)?) {
            (_, ValueRef::Null) => Value::Null(*column),
            (ColumnType::Int, ValueRef::Integer(number)) => Value::Int(number),
            (ColumnType::Text, ValueRef::Text(text)) => match std::str::from_utf8(text) {
                Ok(text) => Value::from(text.to_owned()),
                Err(_) => return Err(refused("a text is not Unicode")),
            },
            // Bytes that SQLite joined (`group_concat`) are a text to it.
            (ColumnType::Blob, ValueRef::Blob(bytes) | ValueRef::Text(bytes)) => Value::from(bytes),
            (_, other) => {
                let told = format!("column {at} is {} instead of {column:?}", other.data_type());
                return Err(DriverError::new(DriverErrorKind::Refused, told));
            }
        });
    }
    Ok(Row::new(values))
}

fn refused(detail: &str) -> DriverError {
    DriverError::new(DriverErrorKind::Refused, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    static SWAPPED: Sql = Sql::Static("SELECT $2, $1, $2, CAST($3 AS INTEGER)");

    #[test]
    fn arguments_go_where_they_are_named() {
        let connection = Connection::open_in_memory().unwrap();
        let mut statements = Statements::new(&connection);
        let columns = &[ColumnType::Text, ColumnType::Blob, ColumnType::Text, ColumnType::Int];
        for _ in 0..2 {
            let args = [Value::from(vec![1_u8]), Value::from("二"), Value::from(3_i64)];
            let rows = statements.rows(&SWAPPED, &args, columns).unwrap();
            let row = &rows[0];
            assert_eq!((row.text(0).unwrap(), row.blob(1).unwrap()), ("二", &[1_u8][..]));
            assert_eq!((row.text(2).unwrap(), row.int(3).unwrap()), ("二", 3));
        }
        let fewer = statements.rows(&SWAPPED, &[Value::from(1_i64)], columns).unwrap_err();
        assert_eq!(fewer.kind, DriverErrorKind::Refused);
        let others = statements.rows(&SWAPPED, &[], &[ColumnType::Int]).unwrap_err();
        assert_eq!(others.kind, DriverErrorKind::Refused);
    }

    #[test]
    fn a_value_of_another_type_is_refused() {
        let connection = Connection::open_in_memory().unwrap();
        let mut statements = Statements::new(&connection);
        let sql = Sql::Static("SELECT $1");
        let none = statements.rows(&sql, &[Value::Null(ColumnType::Int)], &[ColumnType::Blob]).unwrap();
        assert!(none[0].blob(0).is_err());
        let other = statements.rows(&sql, &[Value::from(1_i64)], &[ColumnType::Text]).unwrap_err();
        assert_eq!(other.kind, DriverErrorKind::Refused);
        let joined =
            Sql::Static("SELECT group_concat(part, '') FROM (SELECT $1 AS part UNION ALL SELECT $1)");
        let bytes = Value::from(vec![0_u8, 0xff]);
        let joined = statements.rows(&joined, &[bytes], &[ColumnType::Blob]).unwrap();
        assert_eq!(joined[0].blob(0).unwrap(), [0, 0xff, 0, 0xff]);
    }

    #[test]
    fn several_statements_see_one_state_and_leave_none_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one.db");
        let writer = Connection::open(&path).unwrap();
        writer
            .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE kept (n); INSERT INTO kept VALUES (1)")
            .unwrap();
        let connection = Connection::open(&path).unwrap();
        let mut statements = Statements::new(&connection);
        let ask = |sql| Asked { sql: Sql::Static(sql), args: Vec::new(), columns: &[ColumnType::Int] };
        let count = || ask("SELECT count(*) FROM kept");
        let found = statements.rows_of_each(&[count(), count()]).unwrap();
        assert_eq!((found[0][0].int(0).unwrap(), found[1][0].int(0).unwrap()), (1, 1));
        let failed = statements.rows_of_each(&[count(), ask("SELECT nothing FROM kept"), count()]);
        assert_eq!(failed.unwrap_err().kind, DriverErrorKind::Refused);
        assert!(connection.is_autocommit());
        writer.execute_batch("INSERT INTO kept VALUES (2)").unwrap();
        assert_eq!(statements.rows_of_each(&[count()]).unwrap()[0][0].int(0).unwrap(), 2);
        // Inside a transaction of its own it stays in that.
        statements.script("BEGIN").unwrap();
        statements.rows_of_each(&[count()]).unwrap();
        writer.execute_batch("INSERT INTO kept VALUES (3)").unwrap();
        assert_eq!(statements.rows_of_each(&[count()]).unwrap()[0][0].int(0).unwrap(), 2);
    }

    #[test]
    fn a_parameter_names_its_argument() {
        assert_eq!(argument(1, Some("$7")), Some(6));
        assert_eq!(argument(3, None), Some(2));
        assert_eq!(argument(1, Some(":name")), None);
        assert_eq!(argument(1, Some("$0")), None);
    }
}
