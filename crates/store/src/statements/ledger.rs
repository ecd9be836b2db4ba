//! The ledger: entries, reviews, tiles, checkpoints, epochs. A limit is written `($n + 0)`: behind `LIMIT`, a
//! bare parameter makes SQLite plan the statement anew for each number.

use crate::Statement;
use crate::value::ColumnType::{Blob, Int, Text};

statements! {
    /// Where the ledger ends.
    HEAD = Statement::read("ledger_head", crate::schema::READ_HEAD, &[], crate::schema::HEAD_COLUMNS);

    /// Entries of an epoch: from a sequence, before a sequence, at most so many; in order.
    ENTRIES = Statement::read(
        "ledger_entries",
        "SELECT sequence, entry FROM ledger_entry WHERE epoch = $1 AND sequence >= $2 AND sequence < $3 \
         ORDER BY sequence LIMIT ($4 + 0)",
        &[Int, Int, Int, Int],
        &[Int, Blob],
    );

    /// Entries with every index column, for verification: from, before, at most; in order.
    /// Columns: sequence, unit, recorded, actor, subject, institution, action, entry.
    ENTRIES_WITH_INDEX = Statement::read(
        "ledger_entries_with_index",
        "SELECT sequence, unit, recorded, actor, subject, institution, action, entry FROM ledger_entry \
         WHERE epoch = $1 AND sequence >= $2 AND sequence < $3 ORDER BY sequence LIMIT ($4 + 0)",
        &[Int, Int, Int, Int],
        &[Int, Blob, Int, Blob, Blob, Blob, Text, Blob],
    );

    /// The same rows of a range of sequences put together into one, for verification: from, before; none
    /// when there are none. Columns: how many, the least and the greatest sequence, 1 when any id is not 16
    /// bytes long, how many actors, subjects and institutions are there; then of all rows, one after the
    /// other: recorded, length of the entry and action, with spaces between and commas behind; units, actors,
    /// subjects, institutions, with sixteen digits 0 for each that is not there; entries.
    // Nothing says in which order rows are put together. Both databases walk so short a range of a large
    // table by its key; PostgreSQL reads a small one as it lies. The sequences tell, and rows in another order
    // are read one by one.
    ENTRY_BLOCK = Statement::read(
        "ledger_entry_block",
        "SELECT CAST(count(*) AS bigint), min(sequence), max(sequence), \
         CAST(max(CASE WHEN length(unit) = 16 AND coalesce(length(actor), 16) = 16 \
          AND coalesce(length(subject), 16) = 16 AND coalesce(length(institution), 16) = 16 \
          THEN 0 ELSE 1 END) AS bigint), \
         CAST(count(actor) + count(subject) + count(institution) AS bigint), \
         string_agg(sequence || ' ' || recorded || ' ' || length(entry) || ' ' || action, ','), \
         string_agg(unit, ''), string_agg(coalesce(actor, '0000000000000000'), ''), \
         string_agg(coalesce(subject, '0000000000000000'), ''), \
         string_agg(coalesce(institution, '0000000000000000'), ''), string_agg(entry, '') \
         FROM ledger_entry WHERE epoch = $1 AND sequence >= $2 AND sequence < $3 HAVING count(*) > 0",
        &[Int, Int, Int],
        &[Int, Int, Int, Int, Int, Text, Blob, Blob, Blob, Blob, Blob],
    );

    /// Recorded time of one entry, for the search of a time in the sequence.
    RECORDED_AT = Statement::read(
        "ledger_recorded_at",
        "SELECT recorded FROM ledger_entry WHERE epoch = $1 AND sequence = $2",
        &[Int, Int],
        &[Int],
    );

    /// A subject's entries in a window of sequences, newest first: from, before, at most. Asked for with their
    /// entries at once, SQLite would walk through everybody's from the newest on.
    ENTRIES_OF_SUBJECT = Statement::read(
        "ledger_entries_of_subject",
        "SELECT l.sequence, l.entry FROM ledger_entry l WHERE l.epoch = $2 AND l.sequence IN \
         (SELECT e.sequence FROM ledger_entry e WHERE e.subject = $1 AND e.epoch = $2 AND e.sequence >= $3 \
         AND e.sequence < $4 ORDER BY e.sequence DESC LIMIT ($5 + 0)) ORDER BY l.sequence DESC",
        &[Blob, Int, Int, Int, Int],
        &[Int, Blob],
    );

    /// An actor's entries in a window of sequences, newest first: from, before, at most.
    ENTRIES_OF_ACTOR = Statement::read(
        "ledger_entries_of_actor",
        "SELECT l.sequence, l.entry FROM ledger_entry l WHERE l.epoch = $2 AND l.sequence IN \
         (SELECT e.sequence FROM ledger_entry e WHERE e.actor = $1 AND e.epoch = $2 AND e.sequence >= $3 \
         AND e.sequence < $4 ORDER BY e.sequence DESC LIMIT ($5 + 0)) ORDER BY l.sequence DESC",
        &[Blob, Int, Int, Int, Int],
        &[Int, Blob],
    );

    /// All entries in a window of sequences, newest first: from, before, at most.
    ENTRIES_NEWEST_FIRST = Statement::read(
        "ledger_entries_newest_first",
        "SELECT sequence, entry FROM ledger_entry WHERE epoch = $1 AND sequence >= $2 AND sequence < $3 \
         ORDER BY sequence DESC LIMIT ($4 + 0)",
        &[Int, Int, Int, Int],
        &[Int, Blob],
    );

    /// How many entries each subject has in a window of sequences: from, before, at most so many
    /// entries (the window's length). Columns: subject, entries.
    // The inner LIMIT keeps SQLite from walking the whole subject index instead of the window.
    COUNT_PER_SUBJECT = Statement::read(
        "ledger_count_per_subject",
        "SELECT subject, CAST(count(*) AS bigint) FROM \
         (SELECT subject FROM ledger_entry WHERE epoch = $1 AND sequence >= $2 AND sequence < $3 \
          ORDER BY sequence LIMIT $4) AS span \
         WHERE subject IS NOT NULL GROUP BY subject",
        &[Int, Int, Int, Int],
        &[Blob, Int],
    );

    /// The same counted per actor.
    COUNT_PER_ACTOR = Statement::read(
        "ledger_count_per_actor",
        "SELECT actor, CAST(count(*) AS bigint) FROM \
         (SELECT actor FROM ledger_entry WHERE epoch = $1 AND sequence >= $2 AND sequence < $3 \
          ORDER BY sequence LIMIT $4) AS span \
         WHERE actor IS NOT NULL GROUP BY actor",
        &[Int, Int, Int, Int],
        &[Blob, Int],
    );

    /// How many entries of one subject lie in a window of sequences: from, before.
    COUNT_OF_SUBJECT = Statement::read(
        "ledger_count_of_subject",
        "SELECT CAST(count(*) AS bigint) FROM ledger_entry \
         WHERE subject = $1 AND epoch = $2 AND sequence >= $3 AND sequence < $4",
        &[Blob, Int, Int, Int],
        &[Int],
    );

    /// Which of some units are in the ledger from a sequence on.
    /// Columns: unit, first sequence, entries, recorded.
    UNITS_SINCE = Statement::read(
        "ledger_units_since",
        "SELECT unit, min(sequence), CAST(count(*) AS bigint), min(recorded) FROM ledger_entry \
         WHERE epoch = $1 AND sequence >= $2 AND unit IN ({0}) GROUP BY unit",
        &[Int, Int],
        &[Blob, Int, Int, Int],
    ).with_lists(&[&[Blob]]);

    /// Epochs in order. Columns: epoch, origin, started, previous note.
    EPOCHS = Statement::read(
        "ledger_epochs",
        "SELECT epoch, origin, started, previous_note FROM ledger_epoch ORDER BY epoch",
        &[],
        &[Int, Text, Int, Text],
    );

    /// One full tile: epoch, level, index.
    TILE = Statement::read(
        "ledger_tile",
        "SELECT hashes FROM ledger_tile WHERE epoch = $1 AND level = $2 AND idx = $3",
        &[Int, Int, Int],
        &[Blob],
    );

    /// How many full tiles a level has.
    TILE_COUNT = Statement::read(
        "ledger_tile_count",
        "SELECT CAST(count(*) AS bigint) FROM ledger_tile WHERE epoch = $1 AND level = $2",
        &[Int, Int],
        &[Int],
    );

    /// Full tiles of one level, for verification: epoch, level, from an index, at most so many; in order.
    TILES = Statement::read(
        "ledger_tiles",
        "SELECT idx, hashes FROM ledger_tile WHERE epoch = $1 AND level = $2 AND idx >= $3 \
         ORDER BY idx LIMIT ($4 + 0)",
        &[Int, Int, Int, Int],
        &[Int, Blob],
    );

    /// How many full tiles each level has, or what is stored as one. Columns: level, tiles.
    TILE_LEVELS = Statement::read(
        "ledger_tile_levels",
        "SELECT level, CAST(count(*) AS bigint) FROM ledger_tile WHERE epoch = $1 GROUP BY level ORDER BY level",
        &[Int],
        &[Int, Int],
    );

    /// Keeps a full tile; one that is there stays as it is.
    KEEP_TILE = Statement::upkeep(
        "ledger_keep_tile",
        "INSERT INTO ledger_tile (epoch, level, idx, hashes) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (epoch, level, idx) DO NOTHING",
        &[Int, Int, Int, Blob],
        &[],
    );

    /// Keeps a checkpoint; one of the same size stays as it is.
    KEEP_CHECKPOINT = Statement::upkeep(
        "checkpoint_keep",
        "INSERT INTO checkpoint (epoch, size, recorded, note) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (epoch, size) DO NOTHING",
        &[Int, Int, Int, Text],
        &[],
    );

    /// The latest checkpoint. Columns: epoch, size, recorded, note.
    LATEST_CHECKPOINT = Statement::read(
        "checkpoint_latest",
        "SELECT epoch, size, recorded, note FROM checkpoint ORDER BY epoch DESC, size DESC LIMIT 1",
        &[],
        &[Int, Int, Int, Text],
    );

    /// The smallest checkpoint of an epoch that covers a size. Columns: epoch, size, recorded, note.
    CHECKPOINT_COVERING = Statement::read(
        "checkpoint_covering",
        "SELECT epoch, size, recorded, note FROM checkpoint WHERE epoch = $1 AND size >= $2 \
         ORDER BY size LIMIT 1",
        &[Int, Int],
        &[Int, Int, Int, Text],
    );

    /// Checkpoints of an epoch above a size, in order, at most so many.
    CHECKPOINTS = Statement::read(
        "checkpoints",
        "SELECT epoch, size, recorded, note FROM checkpoint WHERE epoch = $1 AND size > $2 \
         ORDER BY size LIMIT ($3 + 0)",
        &[Int, Int, Int],
        &[Int, Int, Int, Text],
    );
}
