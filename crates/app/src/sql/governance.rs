//! Statements of governance: lists of the organisation's objects, and what the measures look at.

use super::*;

/// Of the first objects of a kind, by id, at most the newest 1,000 versions each, with the object and the version
/// that their head names; an object without versions is one row without one.
pub static VERSIONS_OF_FIRST: Statement = Statement::read(
    "app.versions_of_first",
    concat!(
        "SELECT ",
        version_columns!(),
        ", h.version, h.object FROM (SELECT object, version FROM object_head WHERE kind = $1 ORDER BY object \
         LIMIT ($2 + 0)) h LEFT JOIN object_version v ON v.object = h.object AND v.version > h.version - 1000"
    ),
    &[Text, Int],
    VERSION_HEAD,
);

/// Under which key the first objects of a kind, by id, are sealed, and since when.
pub static KEPT_OF_KIND: Statement = Statement::read(
    "app.kept_of_kind",
    "SELECT v.key, v.recorded FROM object_head h JOIN object_version v ON v.object = h.object \
     AND v.version = h.version WHERE h.kind = $1 ORDER BY h.object LIMIT ($2 + 0)",
    &[Text, Int],
    &[Blob, Int],
);

/// Which of some keys are there.
pub static KEYS_AMONG: Statement =
    Statement::read("app.keys_among", "SELECT id FROM wrapped_key WHERE id IN ({0})", &[], &[Blob])
        .with_lists(&[&[Blob]]);

/// The access versions of everybody who has an account, in pages by id; no row stands for 0.
pub static ACTOR_VERSIONS: Statement = Statement::read(
    "app.actor_versions",
    "SELECT id, version FROM access_version WHERE scope = 2 AND id > $1 ORDER BY id LIMIT ($2 + 0)",
    &[Blob, Int],
    &[Blob, Int],
);

/// Every object of a kind, in pages by id.
pub static OBJECTS_OF_KIND: Statement = Statement::read(
    "app.objects_of_kind",
    "SELECT object FROM object_head WHERE kind = $1 AND object > $2 ORDER BY object LIMIT ($3 + 0)",
    &[Text, Blob, Int],
    &[Blob],
);

/// Current versions of the organisation's objects of one kind and code, newest first.
pub static GOVERNED_OF_CODE: Statement = Statement::read(
    "app.governed_of_code",
    "SELECT object, version, sort_time FROM object_head WHERE kind = $1 AND class = $2 AND subject IS NULL \
     AND (sort_time < $3 OR (sort_time = $3 AND object < $4)) \
     ORDER BY sort_time DESC, object DESC LIMIT ($5 + 0)",
    &[Text, Text, Int, Blob, Int],
    &[Blob, Int, Int],
);

/// Current versions of the organisation's objects of one kind that are in a state, newest first.
pub static GOVERNED_IN_STATE: Statement = Statement::read(
    "app.governed_in_state",
    "SELECT object, version, sort_time FROM object_head WHERE kind = $1 AND state = ($2 || '') \
     AND subject IS NULL AND (sort_time < $3 OR (sort_time = $3 AND object < $4)) \
     ORDER BY sort_time DESC, object DESC LIMIT ($5 + 0)",
    &[Text, Text, Int, Blob, Int],
    &[Blob, Int, Int],
);

/// The first of the organisation's objects of one kind and code within a time, of those that are
/// finished: id and what it is sorted by.
pub static GOVERNED_BETWEEN: Statement = Statement::read(
    "app.governed_between",
    "SELECT object, sort_time FROM object_head WHERE kind = $1 AND class = $2 AND subject IS NULL \
     AND sort_time >= $3 AND sort_time < $4 AND state IN ('confirmed', 'amended') \
     ORDER BY sort_time, object LIMIT $5",
    &[Text, Text, Int, Int, Int],
    &[Blob, Int],
);

/// How many of the organisation's objects of a kind there are, by code.
pub static GOVERNED_COUNTS: Statement = Statement::read(
    "app.governed_counts",
    "SELECT class, CAST(COUNT(*) AS bigint) FROM object_head WHERE kind = $1 AND subject IS NULL \
     AND class IS NOT NULL GROUP BY class",
    &[Text],
    &[Text, Int],
);

/// The versions of an object that were made within a time, earliest first.
pub static VERSION_BETWEEN: Statement = Statement::read(
    "app.version_between",
    "SELECT recorded FROM object_version WHERE object = $1 AND recorded >= $2 AND recorded < $3 \
     ORDER BY version LIMIT $4",
    &[Blob, Int, Int, Int],
    &[Int],
);

/// When the newest checkpoint was signed, for how many entries, and of which epoch.
pub static NEWEST_CHECKPOINT: Statement = Statement::read(
    "app.newest_checkpoint",
    "SELECT recorded, size, epoch FROM checkpoint ORDER BY epoch DESC, size DESC LIMIT 1",
    &[],
    &[Int, Int, Int],
);

/// The newest entry of an epoch.
pub static NEWEST_ENTRY: Statement = Statement::read(
    "app.newest_entry",
    "SELECT sequence FROM ledger_entry WHERE epoch = $1 ORDER BY sequence DESC LIMIT 1",
    &[Int],
    &[Int],
);

/// The very first entry.
pub static FIRST_ENTRY: Statement = Statement::read(
    "app.first_entry",
    "SELECT recorded FROM ledger_entry WHERE epoch = 0 AND sequence = 0",
    &[],
    &[Int],
);

/// Whether somebody else than an actor looked through a subject's part of the ledger since a time.
pub static REVIEWED_SINCE: Statement = Statement::read(
    "app.reviewed_since",
    "SELECT sequence FROM ledger_entry WHERE subject = $1 AND recorded >= $2 AND action = 'review' \
     AND actor <> $3 LIMIT 1",
    &[Blob, Int, Blob],
    &[Int],
);

/// How many sessions go on that began before a time.
pub static SESSIONS_BEYOND: Statement = Statement::read(
    "app.sessions_beyond",
    "SELECT COUNT(*) FROM session WHERE ended IS NULL AND created < $1 AND expires > $2",
    &[Int, Int],
    &[Int],
);

/// When the ledger began.
pub static FIRST_EPOCH: Statement = Statement::read(
    "app.first_epoch",
    "SELECT started FROM ledger_epoch ORDER BY epoch LIMIT 1",
    &[],
    &[Int],
);
