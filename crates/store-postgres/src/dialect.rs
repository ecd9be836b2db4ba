//! What truly differs on PostgreSQL: types, locking, triggers, roles.

use mimamori_store::schema::{Demand, Dialect};

/// PostgreSQL's dialect. Text is compared by code point, whatever the database's locale.
pub static DIALECT: Dialect = Dialect {
    name: "postgres",
    int: "bigint",
    text: "text COLLATE \"C\"",
    blob: "bytea",
    table: "",
    clustered: "",
    // Stated, because an administrator may have set other defaults. Each statement must see what
    // was committed before it: the head's lock is what keeps writers apart.
    begin_and_lock: "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
        SELECT epoch, size, recorded, frontier, origin FROM ledger_head WHERE id = 1 FOR UPDATE",
    // A number of our own: nobody else locks it.
    begin_migration: "BEGIN; SELECT pg_advisory_xact_lock(7306357456645743980)",
    additions: &[(1, TRIGGERS_1)],
    durability: &[
        Demand { name: "fsync", question: "SELECT current_setting('fsync')", holds: &["on"] },
        Demand {
            name: "synchronous_commit",
            question: "SELECT current_setting('synchronous_commit')",
            holds: &["on", "local", "remote_write", "remote_apply"],
        },
        Demand {
            name: "full_page_writes",
            question: "SELECT current_setting('full_page_writes')",
            holds: &["on"],
        },
    ],
};

const TRIGGERS_1: &str = "
CREATE FUNCTION mimamori_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is refused on %', TG_OP, TG_TABLE_NAME;
END $$;
CREATE TRIGGER ledger_entry_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION mimamori_refuse();
CREATE TRIGGER ledger_epoch_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_epoch
    FOR EACH STATEMENT EXECUTE FUNCTION mimamori_refuse();
CREATE TRIGGER object_version_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON object_version
    FOR EACH STATEMENT EXECUTE FUNCTION mimamori_refuse();
CREATE TRIGGER checkpoint_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION mimamori_refuse();
ALTER TABLE ledger_entry ALTER COLUMN entry SET STORAGE EXTERNAL;
ALTER TABLE object_version ALTER COLUMN body SET STORAGE EXTERNAL;
";

/// What the program's own role may do, when it does not own the tables: append to history, change
/// the present. `{role}` stands for the role's quoted name.
pub(crate) const GRANTS: &str = "
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role};
GRANT USAGE ON SCHEMA public TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};
REVOKE UPDATE, DELETE, TRUNCATE ON ledger_entry, ledger_epoch, object_version, checkpoint FROM {role};
REVOKE DELETE, TRUNCATE ON ledger_head, installation FROM {role};
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON schema_version FROM {role};
";
