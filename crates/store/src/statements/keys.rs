//! Wrapped keys of the vault.

use crate::Statement;
use crate::value::ColumnType::{Blob, Int, Text};

const KEY: &[crate::ColumnType] = &[Blob, Blob, Text, Blob, Int, Blob];

statements! {
    /// A key. Columns: id, parent, usage, owner, created, bytes.
    KEY_BY_ID = Statement::read(
        "key_by_id",
        "SELECT id, parent, usage, owner, created, bytes FROM wrapped_key WHERE id = $1",
        &[Blob],
        KEY,
    );

    /// Several keys; list 0 their ids.
    KEYS_BY_ID = Statement::read(
        "keys_by_id",
        "SELECT id, parent, usage, owner, created, bytes FROM wrapped_key WHERE id IN ({0})",
        &[],
        KEY,
    ).with_lists(&[&[Blob]]);

    /// Keys of an owner, in the order of their making.
    KEYS_OF_OWNER = Statement::read(
        "keys_of_owner",
        "SELECT id, parent, usage, owner, created, bytes FROM wrapped_key WHERE owner = $1 ORDER BY created, id",
        &[Blob],
        KEY,
    );

    /// Keys of an owner for one usage, newest first.
    KEYS_OF_OWNER_FOR = Statement::read(
        "keys_of_owner_for",
        "SELECT id, parent, usage, owner, created, bytes FROM wrapped_key WHERE owner = $1 AND usage = $2 \
         ORDER BY created DESC, id",
        &[Blob, Text],
        KEY,
    );

    /// Keys for a usage that belong to nobody, newest first.
    KEYS_FOR = Statement::read(
        "keys_for",
        "SELECT id, parent, usage, owner, created, bytes FROM wrapped_key WHERE owner IS NULL AND usage = $1 \
         ORDER BY created DESC, id",
        &[Text],
        KEY,
    );

    /// Keys wrapped under a key, in the order of their ids: parent, after id, at most so many.
    KEYS_UNDER = Statement::read(
        "keys_under",
        "SELECT id, parent, usage, owner, created, bytes FROM wrapped_key WHERE parent = $1 AND id > $2 \
         ORDER BY id LIMIT ($3 + 0)",
        &[Blob, Blob, Int],
        KEY,
    );

    /// All keys, in the order of their ids: after id, at most so many.
    ALL_KEYS = Statement::read(
        "keys_all",
        "SELECT id, parent, usage, owner, created, bytes FROM wrapped_key WHERE id > $1 ORDER BY id LIMIT ($2 + 0)",
        &[Blob, Int],
        KEY,
    );

    /// Wraps a key anew: new parent, bytes, id, old parent.
    REWRAP = Statement::change(
        "key_rewrap",
        "UPDATE wrapped_key SET parent = $1, bytes = $2 WHERE id = $3 AND parent = $4",
        &[Blob, Blob, Blob, Blob],
    );

    /// Destroys a key.
    DESTROY = Statement::change(
        "key_destroy",
        "DELETE FROM wrapped_key WHERE id = $1",
        &[Blob],
    );

    /// Destroys all keys of an owner.
    DESTROY_OF_OWNER = Statement::change(
        "key_destroy_of_owner",
        "DELETE FROM wrapped_key WHERE owner = $1",
        &[Blob],
    );
}
