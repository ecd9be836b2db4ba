//! Every table, as data. `schema` creates them; the contract test compares the two.

use crate::statement::{Column, Keeping, Table};
use crate::value::ColumnType::{Blob, Int, Text};

macro_rules! tables {
    ($($(#[$doc:meta])* $static:ident = $name:literal, $keeping:ident, key [$($key:literal),*], [
        $($column:ident: $type:ident $($null:ident)?,)*
    ];)*) => {
        $(
            $(#[$doc])*
            pub static $static: Table = Table {
                name: $name,
                columns: &[$(tables!(@column $column $type $($null)?),)*],
                key: &[$($key),*],
                keeping: Keeping::$keeping,
            };
        )*
        /// Every table of the schema.
        pub static ALL: &[&Table] = &[$(&$static),*];
    };
    (@column $column:ident $type:ident) => { Column::new(stringify!($column), $type) };
    (@column $column:ident $type:ident null) => { Column::nullable(stringify!($column), $type) };
}

tables! {
    /// Facts about this installation, by name.
    INSTALLATION = "installation", Current, key ["key"], [key: Text, value: Blob,];

    /// One row (`id` 1): where the ledger ends. Locking it is the first step of every write.
    LEDGER_HEAD = "ledger_head", Current, key ["id"], [
        id: Int, epoch: Int, size: Int, recorded: Int, frontier: Blob, origin: Text,
    ];

    /// One row per epoch: its checkpoints' origin, and the last checkpoint before it.
    LEDGER_EPOCH = "ledger_epoch", AppendOnly, key ["epoch"], [
        epoch: Int, origin: Text, started: Int, previous_note: Text null,
    ];

    /// The entries. The other columns repeat what stands in the entry, for looking up.
    LEDGER_ENTRY = "ledger_entry", AppendOnly, key ["epoch", "sequence"], [
        epoch: Int, sequence: Int, unit: Blob, recorded: Int, actor: Blob null, subject: Blob null,
        institution: Blob null, action: Text, entry: Blob,
    ];

    /// Full hash tiles (C2SP `tlog-tiles`): 256 hashes of 32 bytes.
    LEDGER_TILE = "ledger_tile", Upkeep, key ["epoch", "level", "idx"], [
        epoch: Int, level: Int, idx: Int, hashes: Blob,
    ];

    /// Signed checkpoints.
    CHECKPOINT = "checkpoint", Upkeep, key ["epoch", "size"], [
        epoch: Int, size: Int, recorded: Int, note: Text,
    ];

    /// The counter that every change to somebody's access raises; a missing row stands for 0.
    ACCESS_VERSION = "access_version", Current, key ["id", "scope"], [
        id: Blob, scope: Int, version: Int,
    ];

    /// Every version of everything that decides or is decided on.
    OBJECT_VERSION = "object_version", AppendOnly, key ["object", "version"], [
        object: Blob, version: Int, kind: Text, subject: Blob null, class: Text null, state: Text null,
        author: Blob null, on_behalf: Blob null, confirmer: Blob null, institution: Blob null,
        recorded: Int, pack: Blob, key: Blob null, body: Blob, commitment: Blob, unit: Blob,
        sort_time: Int null,
    ];

    /// The current version of each object, and what it is found by.
    OBJECT_HEAD = "object_head", Current, key ["object"], [
        object: Blob, version: Int, kind: Text, subject: Blob null, class: Text null, state: Text null,
        institution: Blob null, author: Blob null, updated: Int, sort_time: Int,
    ];

    /// Which version of which record was shown to whom, and when.
    SEEN = "seen", Current, key ["subject", "object", "version", "actor"], [
        subject: Blob, object: Blob, version: Int, actor: Blob, seen: Int,
    ];

    /// Pseudonymous relations: care team member to actor, proxy to actor, account to institution.
    LINK = "link", Current, key ["object", "role", "target"], [
        object: Blob, role: Text, target: Blob, subject: Blob null,
    ];

    /// Blind-index tokens of people.
    SEARCH_TOKEN = "search_token", Current, key ["field", "token", "object"], [
        field: Int, token: Blob, object: Blob, subject: Blob null, generation: Int,
    ];

    /// What clinical search finds a person's records by.
    CLINICAL_INDEX = "clinical_index", Current, key ["subject", "kind", "object", "code_token"], [
        subject: Blob, kind: Text, code_token: Blob, start: Int, finish: Int, object: Blob,
    ];

    /// Blind tokens of source system and identifier, so that a second import adds nothing.
    SOURCE_ID = "source_id", Current, key ["token"], [token: Blob, object: Blob,];

    /// Wrapped keys of the vault.
    WRAPPED_KEY = "wrapped_key", Current, key ["id"], [
        id: Blob, parent: Blob null, usage: Text, owner: Blob null, created: Int, bytes: Blob,
    ];

    /// Signed-in sessions, found by the hash of their secret.
    SESSION = "session", Current, key ["token_hash"], [
        token_hash: Blob, id: Blob, actor: Blob, institution: Blob null, terminal: Blob null,
        zone: Text null, strength: Text, created: Int, last_seen: Int, expires: Int, ended: Int null,
        began: Int null, proved: Int null, locked: Int null, continued: Int null, place: Blob null,
        under: Blob null,
    ];

    /// How far each second factor was used.
    FACTOR_USE = "factor_use", Upkeep, key ["factor"], [factor: Blob, counter: Int, used: Int,];

    /// What was begun and waits for its second half, found by the hash of its secret.
    CEREMONY = "ceremony", Upkeep, key ["token_hash"], [
        token_hash: Blob, purpose: Text, actor: Blob null, created: Int, expires: Int, body: Blob,
    ];

    /// Bearer tokens of programs, found by the hash of their secret.
    BEARER_TOKEN = "bearer_token", Current, key ["token_hash"], [
        token_hash: Blob, id: Blob, actor: Blob, scopes: Text, institution: Blob null,
        created: Int, expires: Int, revoked: Int null,
    ];

    /// Failed sign-ins per login name and address.
    SIGN_IN_ATTEMPT = "sign_in_attempt", Upkeep, key ["login_token", "address_hash"], [
        login_token: Blob, address_hash: Blob, failures: Int, last_failure: Int, locked_until: Int,
    ];

    /// Blind tokens of login names.
    LOGIN = "login", Current, key ["login_token"], [login_token: Blob, actor: Blob,];

    /// Which instance does a job, and with which fencing token.
    JOB_LEASE = "job_lease", Upkeep, key ["name"], [
        name: Text, holder: Blob, fencing: Int, expires: Int,
    ];

    /// Refusals before sign-in, counted per minute and address.
    REFUSAL_COUNT = "refusal_count", Upkeep, key ["minute", "address_hash", "reason"], [
        minute: Int, address_hash: Blob, reason: Text, count: Int,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_keys_are_columns() {
        for (index, table) in ALL.iter().enumerate() {
            assert!(ALL.iter().skip(index + 1).all(|other| other.name != table.name), "{}", table.name);
            for key in table.key {
                assert!(table.columns.iter().any(|column| column.name == *key), "{} {key}", table.name);
            }
        }
    }
}
