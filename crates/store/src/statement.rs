//! Statements and tables as static data: all SQL there is can be listed, prepared and checked.

use std::fmt::Write as _;

use crate::value::{ColumnType, Value};

/// What a statement may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Reads only.
    Read,
    /// Changes what the ledger accounts for: only inside a unit, beside its entries.
    Change,
    /// Keeps house (leases, counters, tiles, last use): allowed without a ledger entry.
    Upkeep,
}

/// One SQL text, written once for every database.
///
/// Parameters are `$1`, `$2` ... in the order of `params`. Each list adds a marker `{0}`, `{1}` ...
/// to the text, which becomes `$5,$6,$7` or, for lists of tuples, `($5,$6),($7,$8)`.
#[derive(Debug)]
pub struct Statement {
    pub name: &'static str,
    pub sql: &'static str,
    pub params: &'static [ColumnType],
    /// Lists of variable length; each by the types of one item.
    pub lists: &'static [&'static [ColumnType]],
    /// The columns of the answer; empty when it gives no rows.
    pub columns: &'static [ColumnType],
    pub effect: Effect,
}

impl Statement {
    /// A statement that reads.
    #[must_use]
    pub const fn read(
        name: &'static str,
        sql: &'static str,
        params: &'static [ColumnType],
        columns: &'static [ColumnType],
    ) -> Self {
        Self { name, sql, params, lists: &[], columns, effect: Effect::Read }
    }

    /// A statement that changes what the ledger accounts for.
    #[must_use]
    pub const fn change(name: &'static str, sql: &'static str, params: &'static [ColumnType]) -> Self {
        Self { name, sql, params, lists: &[], columns: &[], effect: Effect::Change }
    }

    /// A statement that keeps house; it may answer rows (`RETURNING`).
    #[must_use]
    pub const fn upkeep(
        name: &'static str,
        sql: &'static str,
        params: &'static [ColumnType],
        columns: &'static [ColumnType],
    ) -> Self {
        Self { name, sql, params, lists: &[], columns, effect: Effect::Upkeep }
    }

    /// The same with lists of variable length.
    #[must_use]
    pub const fn with_lists(mut self, lists: &'static [&'static [ColumnType]]) -> Self {
        self.lists = lists;
        self
    }

    /// What is wrong with these arguments, if anything: their number, a type, a NUL in text.
    #[must_use]
    pub fn mismatch(&self, args: &[Value]) -> Option<String> {
        mismatch(self.name, self.params, args)
    }

    /// The SQL text for lists of these lengths.
    #[must_use]
    pub fn expanded(&self, lengths: &[usize]) -> String {
        let mut sql = self.sql.to_owned();
        let mut next = self.params.len();
        for (marker, (item, length)) in self.lists.iter().zip(lengths).enumerate() {
            let mut list = String::new();
            for index in 0..*length {
                if index > 0 {
                    list.push(',');
                }
                push_item(&mut list, item.len(), &mut next);
            }
            sql = sql.replace(&format!("{{{marker}}}"), &list);
        }
        sql
    }
}

fn push_item(list: &mut String, width: usize, next: &mut usize) {
    if width > 1 {
        list.push('(');
    }
    for column in 0..width {
        *next += 1;
        let comma = if column > 0 { "," } else { "" };
        let _ = write!(list, "{comma}${next}");
    }
    if width > 1 {
        list.push(')');
    }
}

/// The lengths that lists are padded to, so that few texts are ever prepared.
pub const ARITIES: [usize; 8] = [1, 2, 4, 8, 16, 32, 64, 256];

/// The most items one list may carry in one statement.
pub const MAX_LIST: usize = 256;

/// The padded length for a list of `items`, when it fits.
#[must_use]
pub fn arity_for(items: usize) -> Option<usize> {
    ARITIES.into_iter().find(|arity| *arity >= items)
}

/// What becomes of rows once written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// Never changed, never deleted by statements; inserts may be gathered over a whole batch.
    AppendOnly,
    /// Current state that the ledger accounts for.
    Current,
    /// Housekeeping: no ledger entry is asked for.
    Upkeep,
}

/// One column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub name: &'static str,
    pub column: ColumnType,
    pub nullable: bool,
}

impl Column {
    #[must_use]
    pub const fn new(name: &'static str, column: ColumnType) -> Self {
        Self { name, column, nullable: false }
    }

    #[must_use]
    pub const fn nullable(name: &'static str, column: ColumnType) -> Self {
        Self { name, column, nullable: true }
    }
}

/// A table, for inserts of many rows and for the contract test that compares it with the database.
#[derive(Debug)]
pub struct Table {
    pub name: &'static str,
    pub columns: &'static [Column],
    /// Names of the key's columns.
    pub key: &'static [&'static str],
    pub keeping: Keeping,
}

impl Table {
    /// `INSERT INTO name (columns) VALUES` without the values.
    #[must_use]
    pub fn insert_prefix(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name).collect();
        format!("INSERT INTO {} ({}) VALUES ", self.name, names.join(","))
    }

    /// An insert of so many rows at once.
    #[must_use]
    pub fn insert(&self, rows: usize) -> String {
        let mut sql = self.insert_prefix();
        let mut next = 0;
        for row in 0..rows {
            if row > 0 {
                sql.push(',');
            }
            sql.push('(');
            for column in 0..self.columns.len() {
                next += 1;
                let comma = if column > 0 { "," } else { "" };
                let _ = write!(sql, "{comma}${next}");
            }
            sql.push(')');
        }
        sql
    }

    /// What is wrong with a row for this table, if anything.
    #[must_use]
    pub fn mismatch(&self, row: &[Value]) -> Option<String> {
        if row.len() != self.columns.len() {
            return Some(format!("{} values for {} columns of {}", row.len(), self.columns.len(), self.name));
        }
        self.columns.iter().zip(row).find_map(|(column, value)| {
            let wrong = value.column_type() != column.column
                || (value.is_null() && !column.nullable)
                || has_nul(value);
            wrong.then(|| format!("{}.{} cannot take {value:?}", self.name, column.name))
        })
    }
}

fn mismatch(name: &str, params: &[ColumnType], args: &[Value]) -> Option<String> {
    if args.len() != params.len() {
        return Some(format!("{} arguments for {} parameters of {name}", args.len(), params.len()));
    }
    let wrong =
        params.iter().zip(args).position(|(param, value)| value.column_type() != *param || has_nul(value))?;
    Some(format!("parameter {} of {name} cannot take {:?}", wrong + 1, args.get(wrong)))
}

/// PostgreSQL refuses NUL in text and SQLite does not: refused on both.
fn has_nul(value: &Value) -> bool {
    matches!(value, Value::Text(text) if text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ColumnType::{Blob, Int, Text};

    #[test]
    fn lists_expand_after_the_fixed_parameters() {
        let statement = Statement::read(
            "t",
            "SELECT a FROM t WHERE b = $1 AND c IN ({0}) AND (d, e) IN (VALUES {1})",
            &[Int],
            &[Int],
        )
        .with_lists(&[&[Blob], &[Text, Int]]);
        assert_eq!(
            statement.expanded(&[2, 2]),
            "SELECT a FROM t WHERE b = $1 AND c IN ($2,$3) AND (d, e) IN (VALUES ($4,$5),($6,$7))"
        );
    }

    #[test]
    fn wrong_arguments_are_named_without_their_content() {
        let statement = Statement::change("t", "UPDATE t SET a = $1", &[Text]);
        assert!(statement.mismatch(&[Value::from("fine")]).is_none());
        assert!(statement.mismatch(&[]).is_some());
        let told = statement.mismatch(&[Value::from("secret\0")]).unwrap();
        assert!(!told.contains("secret"));
    }
}
