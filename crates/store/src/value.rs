//! Values that go into and come out of statements: four types that both databases have.

use std::borrow::Cow;
use std::fmt;

use mimamori_domain::{
    ActorId, InstanceId, InstitutionId, KeyId, ObjectId, SessionId, SubjectId, TerminalId, Timestamp, UnitId,
};

/// The type of a column or parameter, the same on every database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// 64-bit signed integer; times as microseconds since 1970 UTC, truth as 0 and 1.
    Int,
    /// Unicode text without NUL characters, compared by code point.
    Text,
    /// Bytes, compared as unsigned bytes from the left.
    Blob,
}

/// One value. A missing value knows its type too: PostgreSQL refuses an untyped NULL.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    Int(i64),
    Text(Cow<'static, str>),
    Blob(Vec<u8>),
    Null(ColumnType),
}

impl Value {
    /// A value, or a typed NULL when there is none.
    pub fn or_null<T: Into<Self> + Typed>(value: Option<T>) -> Self {
        value.map_or(Self::Null(T::COLUMN), Into::into)
    }

    #[must_use]
    pub const fn column_type(&self) -> ColumnType {
        match self {
            Self::Int(_) => ColumnType::Int,
            Self::Text(_) => ColumnType::Text,
            Self::Blob(_) => ColumnType::Blob,
            Self::Null(column) => *column,
        }
    }

    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null(_))
    }

    /// About how many bytes the value takes, for the limits of a batch.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Self::Int(_) | Self::Null(_) => 8,
            Self::Text(text) => text.len() + 8,
            Self::Blob(bytes) => bytes.len() + 8,
        }
    }
}

/// Shows type and length only: values may be personal data, and Debug output reaches logs.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(_) => f.write_str("Int"),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Blob(bytes) => write!(f, "Blob({} bytes)", bytes.len()),
            Self::Null(column) => write!(f, "Null({column:?})"),
        }
    }
}

/// A Rust type that always becomes the same column type.
pub trait Typed {
    const COLUMN: ColumnType;
}

macro_rules! into_value {
    ($($from:ty => $column:ident, |$value:ident| $made:expr;)*) => {$(
        impl Typed for $from {
            const COLUMN: ColumnType = ColumnType::$column;
        }
        impl From<$from> for Value {
            fn from($value: $from) -> Self {
                $made
            }
        }
    )*};
}

into_value! {
    i64 => Int, |value| Value::Int(value);
    i32 => Int, |value| Value::Int(i64::from(value));
    u32 => Int, |value| Value::Int(i64::from(value));
    u16 => Int, |value| Value::Int(i64::from(value));
    bool => Int, |value| Value::Int(i64::from(value));
    Timestamp => Int, |value| Value::Int(value.as_micros());
    String => Text, |value| Value::Text(Cow::Owned(value));
    &'static str => Text, |value| Value::Text(Cow::Borrowed(value));
    Cow<'static, str> => Text, |value| Value::Text(value);
    Vec<u8> => Blob, |value| Value::Blob(value);
    &[u8] => Blob, |value| Value::Blob(value.to_vec());
    [u8; 16] => Blob, |value| Value::Blob(value.to_vec());
    [u8; 32] => Blob, |value| Value::Blob(value.to_vec());
    SubjectId => Blob, |value| Value::Blob(value.to_vec());
    ActorId => Blob, |value| Value::Blob(value.to_vec());
    InstitutionId => Blob, |value| Value::Blob(value.to_vec());
    TerminalId => Blob, |value| Value::Blob(value.to_vec());
    SessionId => Blob, |value| Value::Blob(value.to_vec());
    UnitId => Blob, |value| Value::Blob(value.to_vec());
    ObjectId => Blob, |value| Value::Blob(value.to_vec());
    KeyId => Blob, |value| Value::Blob(value.to_vec());
    InstanceId => Blob, |value| Value::Blob(value.to_vec());
}

impl<T: Into<Value> + Typed> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        Self::or_null(value)
    }
}

/// Counters above `i64::MAX` don't occur; they saturate rather than wrap.
impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl Typed for u64 {
    const COLUMN: ColumnType = ColumnType::Int;
}

/// What is wrong with a row: the database holds something else than the program expects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {position} of a row is not {expected}")]
pub struct RowError {
    pub position: usize,
    pub expected: &'static str,
}

/// One row of an answer; columns by position, as the statement lists them. Never panics.
#[derive(Clone, PartialEq, Eq)]
pub struct Row(Vec<Value>);

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Row").field(&self.0).finish()
    }
}

impl Row {
    #[must_use]
    pub const fn new(values: Vec<Value>) -> Self {
        Self(values)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The values, in the statement's order.
    #[must_use]
    pub fn into_values(self) -> Vec<Value> {
        self.0
    }

    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.0
    }

    pub fn int(&self, position: usize) -> Result<i64, RowError> {
        self.opt_int(position)?.ok_or(RowError { position, expected: "an integer" })
    }

    pub fn opt_int(&self, position: usize) -> Result<Option<i64>, RowError> {
        match self.0.get(position) {
            Some(Value::Int(value)) => Ok(Some(*value)),
            Some(Value::Null(_)) => Ok(None),
            _ => Err(RowError { position, expected: "an integer" }),
        }
    }

    /// A counter or position, which is never negative.
    pub fn unsigned(&self, position: usize) -> Result<u64, RowError> {
        u64::try_from(self.int(position)?).map_err(|_| RowError { position, expected: "a number from 0" })
    }

    /// An epoch.
    pub fn epoch(&self, position: usize) -> Result<u32, RowError> {
        u32::try_from(self.int(position)?).map_err(|_| RowError { position, expected: "an epoch" })
    }

    pub fn time(&self, position: usize) -> Result<Timestamp, RowError> {
        self.int(position).map(Timestamp::from_micros)
    }

    pub fn opt_time(&self, position: usize) -> Result<Option<Timestamp>, RowError> {
        Ok(self.opt_int(position)?.map(Timestamp::from_micros))
    }

    pub fn flag(&self, position: usize) -> Result<bool, RowError> {
        self.int(position).map(|value| value != 0)
    }

    pub fn text(&self, position: usize) -> Result<&str, RowError> {
        self.opt_text(position)?.ok_or(RowError { position, expected: "text" })
    }

    pub fn opt_text(&self, position: usize) -> Result<Option<&str>, RowError> {
        match self.0.get(position) {
            Some(Value::Text(value)) => Ok(Some(value)),
            Some(Value::Null(_)) => Ok(None),
            _ => Err(RowError { position, expected: "text" }),
        }
    }

    pub fn blob(&self, position: usize) -> Result<&[u8], RowError> {
        self.opt_blob(position)?.ok_or(RowError { position, expected: "bytes" })
    }

    pub fn opt_blob(&self, position: usize) -> Result<Option<&[u8]>, RowError> {
        match self.0.get(position) {
            Some(Value::Blob(value)) => Ok(Some(value)),
            Some(Value::Null(_)) => Ok(None),
            _ => Err(RowError { position, expected: "bytes" }),
        }
    }

    /// Takes the bytes out without copying; a later look finds NULL there.
    pub fn take_blob(&mut self, position: usize) -> Result<Vec<u8>, RowError> {
        match self.0.get_mut(position) {
            Some(value @ Value::Blob(_)) => match std::mem::replace(value, Value::Null(ColumnType::Blob)) {
                Value::Blob(bytes) => Ok(bytes),
                _ => Err(RowError { position, expected: "bytes" }),
            },
            _ => Err(RowError { position, expected: "bytes" }),
        }
    }

    /// Bytes of a fixed length: a hash, a token, an identifier's 16 bytes.
    pub fn array<const N: usize>(&self, position: usize) -> Result<[u8; N], RowError> {
        self.blob(position)?
            .try_into()
            .map_err(|_| RowError { position, expected: "bytes of the expected length" })
    }

    /// An identifier: `row.id(0).map(SubjectId::from_bytes)` or, shorter, `row.id_of::<SubjectId>(0)`.
    pub fn id_of<I: From<RawId>>(&self, position: usize) -> Result<I, RowError> {
        self.array(position).map(|bytes| I::from(RawId(bytes)))
    }

    /// An identifier that may be missing.
    pub fn opt_id_of<I: From<RawId>>(&self, position: usize) -> Result<Option<I>, RowError> {
        match self.opt_blob(position)? {
            None => Ok(None),
            Some(_) => self.id_of(position).map(Some),
        }
    }
}

/// The 16 bytes of an identifier as read, on their way to their type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawId(pub [u8; 16]);

macro_rules! from_raw_id {
    ($($id:ident)*) => {$(
        impl From<RawId> for $id {
            fn from(raw: RawId) -> Self {
                Self::from_bytes(raw.0)
            }
        }
    )*};
}

from_raw_id!(SubjectId ActorId InstitutionId TerminalId SessionId UnitId ObjectId KeyId InstanceId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_answers_errors_and_never_panics() {
        let row = Row::new(vec![Value::Int(-1), Value::Null(ColumnType::Blob), Value::from("x")]);
        assert_eq!(row.int(0), Ok(-1));
        assert!(row.unsigned(0).is_err());
        assert_eq!(row.opt_blob(1), Ok(None));
        assert!(row.blob(1).is_err());
        assert_eq!(row.text(2), Ok("x"));
        assert!(row.blob(2).is_err());
        assert!(row.int(3).is_err());
        assert_eq!(row.opt_id_of::<SubjectId>(1), Ok(None));
    }

    #[test]
    fn debug_output_shows_no_content() {
        let shown = format!("{:?}", Row::new(vec![Value::from("Yamada"), Value::Int(19_500_101)]));
        assert!(!shown.contains("Yamada") && !shown.contains("1950"), "{shown}");
    }
}
