//! What truly differs on SQLite: types, locking, triggers.

use mimamori_store::schema::{Demand, Dialect};

/// SQLite's dialect. `BEGIN IMMEDIATE` locks the whole database for writing, so that reading the
/// head afterwards needs no lock of its own.
pub static DIALECT: Dialect = Dialect {
    name: "sqlite",
    int: "INTEGER",
    text: "TEXT",
    blob: "BLOB",
    table: " STRICT",
    clustered: " STRICT, WITHOUT ROWID",
    begin_and_lock: "BEGIN IMMEDIATE; \
        SELECT epoch, size, recorded, frontier, origin FROM ledger_head WHERE id = 1",
    begin_migration: "BEGIN EXCLUSIVE",
    additions: &[(1, TRIGGERS_1)],
    durability: &[
        Demand {
            name: "journal_mode",
            question: "SELECT journal_mode FROM pragma_journal_mode",
            holds: &["wal"],
        },
        // FULL or EXTRA: the log is on the disk before a commit is answered.
        Demand {
            name: "synchronous",
            question: "SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous",
            holds: &["2", "3"],
        },
    ],
};

const TRIGGERS_1: &str = "
CREATE TRIGGER ledger_entry_no_update BEFORE UPDATE ON ledger_entry
BEGIN SELECT RAISE(ABORT, 'ledger entries are never changed'); END;
CREATE TRIGGER ledger_entry_no_delete BEFORE DELETE ON ledger_entry
BEGIN SELECT RAISE(ABORT, 'ledger entries are never deleted'); END;
CREATE TRIGGER ledger_epoch_no_update BEFORE UPDATE ON ledger_epoch
BEGIN SELECT RAISE(ABORT, 'epochs are never changed'); END;
CREATE TRIGGER ledger_epoch_no_delete BEFORE DELETE ON ledger_epoch
BEGIN SELECT RAISE(ABORT, 'epochs are never deleted'); END;
CREATE TRIGGER object_version_no_update BEFORE UPDATE ON object_version
BEGIN SELECT RAISE(ABORT, 'versions are never changed'); END;
CREATE TRIGGER object_version_no_delete BEFORE DELETE ON object_version
BEGIN SELECT RAISE(ABORT, 'versions are never deleted'); END;
CREATE TRIGGER checkpoint_no_update BEFORE UPDATE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'checkpoints are never changed'); END;
CREATE TRIGGER checkpoint_no_delete BEFORE DELETE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'checkpoints are never deleted'); END;
";
