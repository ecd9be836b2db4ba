//! Storage: units of work as data, the one set of SQL, and the commit queue.
//!
//! This crate knows no database. It holds all SQL there is ([`statements`], [`schema`]), the types
//! that go in and out ([`Value`], [`Row`]), the [`Unit`] that changes things, and the [`Engine`]
//! that runs units from a queue on whatever [`driver::Driver`] a database crate provides. The
//! program sees a [`Store`]. See `docs/storage.md`.

mod batch;
mod check;
#[cfg(feature = "contract")]
pub mod contract;
pub mod driver;
mod engine;
mod ledger_time;
pub mod object;
mod queue;
pub mod schema;
mod statement;
pub mod statements;
mod store;
pub mod tables;
mod unit;
mod value;

pub use engine::{Engine, EngineOptions, OpenError};
pub use ledger_time::sequence_at;
pub use object::{ObjectHead, ObjectVersion, ObjectVersionError};
pub use statement::{ARITIES, Column, Effect, Keeping, MAX_LIST, Statement, Table, arity_for};
pub use store::{
    DurableSetting, Head, Lease, NewEpoch, Question, ReadError, Reads, Snapshot, Store, Upkept, WALK_ROWS,
};
pub use unit::{AccessKey, AccessScope, Change, CommitError, Committed, Expect, Guard, Unit};
pub use value::{ColumnType, RawId, Row, RowError, Typed, Value};

#[cfg(feature = "contract")]
fn batch_statements() -> &'static [&'static Statement] {
    batch::ALL
}
