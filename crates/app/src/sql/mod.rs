//! The statements of the use cases. Every one is prepared against both databases by a test.
//!
//! A limit is written `($n + 0)`: behind `LIMIT`, a bare parameter makes SQLite plan the statement anew
//! each time it is run, because it looks at the number.

use mimamori_store::ColumnType::{Blob, Int, Text};
use mimamori_store::{ColumnType, Statement};

/// The columns of a version, for [`mimamori_store::ObjectVersion::from_row`].
const VERSION: &[ColumnType] =
    &[Blob, Int, Text, Blob, Text, Text, Blob, Blob, Blob, Blob, Int, Blob, Blob, Blob, Blob, Blob, Int];

/// The same, and the head's sort time after them.
const VERSION_SORTED: &[ColumnType] =
    &[Blob, Int, Text, Blob, Text, Text, Blob, Blob, Blob, Blob, Int, Blob, Blob, Blob, Blob, Blob, Int, Int];

/// A version, and its head's version and object after it.
const VERSION_HEAD: &[ColumnType] = &[
    Blob, Int, Text, Blob, Text, Text, Blob, Blob, Blob, Blob, Int, Blob, Blob, Blob, Blob, Blob, Int, Int,
    Blob,
];

/// A version, its head's sort time, and after it whether it is unread.
const VERSION_SORTED_UNREAD: &[ColumnType] = &[
    Blob, Int, Text, Blob, Text, Text, Blob, Blob, Blob, Blob, Int, Blob, Blob, Blob, Blob, Blob, Int, Int,
    Int,
];

/// Where [`TIMELINE`] gives the sort time, and [`CURRENT_GUARDED`] the access version.
pub const SORT_TIME_AFTER_VERSION: usize = 17;

/// Where [`VERSIONS_OF_FIRST`] gives the head's version.
pub const HEAD_AFTER_VERSION: usize = 17;

/// Where it gives the head's object.
pub const HEAD_OBJECT_AFTER_VERSION: usize = 18;

/// Where [`TIMELINE`] says whether it is unread.
pub const UNREAD_AFTER_VERSION: usize = 18;

macro_rules! version_columns {
    () => {
        "v.object, v.version, v.kind, v.subject, v.class, v.state, v.author, v.on_behalf, v.confirmer, \
         v.institution, v.recorded, v.pack, v.key, v.body, v.commitment, v.unit, v.sort_time"
    };
}

macro_rules! current {
    ($where:literal) => {
        concat!(
            "SELECT ",
            version_columns!(),
            " FROM object_head h JOIN object_version v ON v.object = h.object AND v.version = h.version WHERE ",
            $where
        )
    };
}

macro_rules! current_sorted {
    ($where:literal) => {
        concat!(
            "SELECT ",
            version_columns!(),
            ", h.sort_time FROM object_head h JOIN object_version v ON v.object = h.object \
             AND v.version = h.version WHERE ",
            $where
        )
    };
}

mod access;
mod governance;
mod notebook;

pub use self::access::*;
pub use self::governance::*;
pub use self::notebook::*;

/// Facts about the installation.
pub static INSTALLATION: Statement =
    Statement::read("app.installation", "SELECT key, value FROM installation", &[], &[Text, Blob]);

/// The access version of one key; no row stands for 0.
pub static ACCESS_VERSION: Statement = Statement::read(
    "app.access_version",
    "SELECT version FROM access_version WHERE id = $1 AND scope = $2",
    &[Blob, Int],
    &[Int],
);

/// The current version of an object.
pub static CURRENT: Statement = Statement::read("app.current", current!("h.object = $1"), &[Blob], VERSION);

/// The current version of an object and, from the same state, its subject's access version after it.
pub static CURRENT_GUARDED: Statement = Statement::read(
    "app.current_guarded",
    concat!(
        "SELECT ",
        version_columns!(),
        ", COALESCE(a.version, 0) FROM object_head h JOIN object_version v ON v.object = h.object \
         AND v.version = h.version LEFT JOIN access_version a ON a.id = v.subject AND a.scope = 1 \
         WHERE h.object = $1"
    ),
    &[Blob],
    VERSION_SORTED,
);

/// One version of an object.
pub static VERSION_OF: Statement = Statement::read(
    "app.version_of",
    concat!("SELECT ", version_columns!(), " FROM object_version v WHERE v.object = $1 AND v.version = $2"),
    &[Blob, Int],
    VERSION,
);

/// All versions of an object, newest first, with a limit.
pub static VERSIONS_OF: Statement = Statement::read(
    "app.versions_of",
    concat!(
        "SELECT ",
        version_columns!(),
        " FROM object_version v WHERE v.object = $1 ORDER BY v.version DESC LIMIT ($2 + 0)"
    ),
    &[Blob, Int],
    VERSION,
);

/// Which versions of some objects are the current ones.
pub static HEADS_OF: Statement = Statement::read(
    "app.heads_of",
    "SELECT object, version FROM object_head WHERE object IN ({0})",
    &[],
    &[Blob, Int],
)
.with_lists(&[&[Blob]]);

/// Versions by their objects and numbers: of each object every one of the numbers.
pub static VERSIONS_AMONG: Statement = Statement::read(
    "app.versions_among",
    concat!(
        "SELECT ",
        version_columns!(),
        " FROM object_version v WHERE v.object IN ({0}) AND v.version IN ({1})"
    ),
    &[],
    VERSION,
)
.with_lists(&[&[Blob], &[Int]]);

/// Current versions of several objects.
pub static CURRENT_OF: Statement =
    Statement::read("app.current_of", current!("h.object IN ({0})"), &[], VERSION).with_lists(&[&[Blob]]);

/// Current versions of one kind that belong to a subject.
pub static CURRENT_OF_SUBJECT: Statement = Statement::read(
    "app.current_of_subject",
    current!("h.subject = $1 AND h.kind IN ({0})"),
    &[Blob],
    VERSION,
)
.with_lists(&[&[Text]]);

/// Current versions of every object of a kind, in pages by id.
pub static CURRENT_OF_KIND: Statement = Statement::read(
    "app.current_of_kind",
    current!("h.kind = $1 AND h.object > $2 ORDER BY h.object LIMIT ($3 + 0)"),
    &[Text, Blob, Int],
    VERSION,
);

/// The installation's keys of one usage, older ones first.
pub static KEYS_OF_USAGE: Statement = Statement::read(
    "app.keys_of_usage",
    "SELECT id, parent, usage, owner, created, bytes FROM wrapped_key \
     WHERE owner IS NULL AND usage = $1 ORDER BY created, id",
    &[Text],
    &[Blob, Blob, Text, Blob, Int, Blob],
);

/// One wrapped key.
pub static KEY: Statement = Statement::read(
    "app.key",
    "SELECT id, parent, usage, owner, created, bytes FROM wrapped_key WHERE id = $1",
    &[Blob],
    &[Blob, Blob, Text, Blob, Int, Blob],
);

/// The distinct access labels of a subject's records.
pub static LABELS: Statement = Statement::read(
    "app.labels",
    "SELECT DISTINCT class, state, institution FROM object_head \
     WHERE subject = $1 AND class IS NOT NULL AND state IS NOT NULL AND institution IS NOT NULL",
    &[Blob],
    &[Text, Text, Blob],
);

/// Wrapped keys of one owner, older ones first.
pub static KEYS_OF: Statement = Statement::read(
    "app.keys_of",
    "SELECT id, parent, usage, owner, created, bytes FROM wrapped_key WHERE owner = $1 ORDER BY created, id",
    &[Blob],
    &[Blob, Blob, Text, Blob, Int, Blob],
);

/// Wrapped keys of the installation.
pub static KEYS_OF_NOBODY: Statement = Statement::read(
    "app.keys_of_nobody",
    "SELECT id, parent, usage, owner, created, bytes FROM wrapped_key WHERE owner IS NULL ORDER BY created, id",
    &[],
    &[Blob, Blob, Text, Blob, Int, Blob],
);

/// Wrapped keys under one parent, in pages by id.
pub static KEYS_UNDER: Statement = Statement::read(
    "app.keys_under",
    "SELECT id, parent, usage, owner, created, bytes FROM wrapped_key \
     WHERE parent = $1 AND id > $2 ORDER BY id LIMIT ($3 + 0)",
    &[Blob, Blob, Int],
    &[Blob, Blob, Text, Blob, Int, Blob],
);

/// A key wrapped anew under another parent.
pub static REWRAP: Statement = Statement::change(
    "app.rewrap",
    "UPDATE wrapped_key SET parent = $2, bytes = $3 WHERE id = $1 AND parent = $4",
    &[Blob, Blob, Blob, Blob],
);

/// A key destroyed.
pub static DELETE_KEY: Statement =
    Statement::change("app.delete_key", "DELETE FROM wrapped_key WHERE id = $1", &[Blob]);

/// Moves an object's head to its next version, when it still is at the stated one.
pub static ADVANCE_HEAD: Statement = Statement::change(
    "app.advance_head",
    "UPDATE object_head SET version = $2, class = $3, state = $4, institution = $5, author = $6, \
     updated = $7, sort_time = $8 WHERE object = $1 AND version = $9",
    &[Blob, Int, Text, Text, Blob, Blob, Int, Int, Int],
);

/// What points at a target in a role, in pages by object.
pub static LINKS_TO: Statement = Statement::read(
    "app.links_to",
    "SELECT object, subject FROM link WHERE target = $1 AND role = $2 AND object > $3 ORDER BY object LIMIT ($4 + 0)",
    &[Blob, Text, Blob, Int],
    &[Blob, Blob],
);

/// The people that targets are linked to in these roles, each once, in pages by id. Asked for people after an
/// id as such, SQLite walks through the links of everybody in their order.
pub static PEOPLE_LINKED: Statement = Statement::read(
    "app.people_linked",
    "SELECT DISTINCT subject FROM link WHERE COALESCE(subject, $1) > $1 \
     AND target IN ({0}) AND role IN ({1}) ORDER BY subject LIMIT ($2 + 0)",
    &[Blob, Int],
    &[Blob],
)
.with_lists(&[&[Blob], &[Text]]);

/// People in whose care team an actor or an institution is; of so many links at most.
pub static PEOPLE_OF_MEMBER: Statement = Statement::read(
    "app.people_of_member",
    "SELECT DISTINCT subject FROM (SELECT subject FROM link WHERE target = $1 AND role = 'team' \
     AND subject IS NOT NULL ORDER BY object LIMIT ($2 + 0)) AS first",
    &[Blob, Int],
    &[Blob],
);

/// Links of one object.
pub static LINKS_OF: Statement = Statement::read(
    "app.links_of",
    "SELECT role, target FROM link WHERE object = $1",
    &[Blob],
    &[Text, Blob],
);

/// Takes all links of an object away, before they are set anew.
pub static DELETE_LINKS: Statement =
    Statement::change("app.delete_links", "DELETE FROM link WHERE object = $1", &[Blob]);

/// Takes all search tokens of an object away.
pub static DELETE_TOKENS: Statement =
    Statement::change("app.delete_tokens", "DELETE FROM search_token WHERE object = $1", &[Blob]);

/// Takes an object out of the clinical index.
pub static DELETE_CLINICAL: Statement = Statement::change(
    "app.delete_clinical",
    "DELETE FROM clinical_index WHERE subject = $1 AND object = $2",
    &[Blob, Blob],
);

/// People whose tokens hold one of a list, and who come after a given id.
pub static PEOPLE_BY_TOKEN: Statement = Statement::read(
    "app.people_by_token",
    "SELECT object FROM search_token WHERE field = $1 AND token = $2 AND object > $3 \
     ORDER BY object LIMIT ($4 + 0)",
    &[Int, Blob, Blob, Int],
    &[Blob],
);

/// Which of these people also have one of these tokens.
pub static PEOPLE_ALSO: Statement = Statement::read(
    "app.people_also",
    "SELECT DISTINCT object FROM search_token WHERE field IN ({0}) AND token IN ({1}) AND object IN ({2})",
    &[],
    &[Blob],
)
.with_lists(&[&[Int], &[Blob], &[Blob]]);

/// What an earlier import made of a source's identifier.
pub static SOURCES: Statement = Statement::read(
    "app.sources",
    "SELECT token, object FROM source_id WHERE token IN ({0})",
    &[],
    &[Blob, Blob],
)
.with_lists(&[&[Blob]]);

/// The entry of a unit that withdrew something of a person, newest first.
pub static WITHDRAWAL: Statement = Statement::read(
    "app.withdrawal",
    "SELECT entry FROM ledger_entry WHERE subject = $1 AND unit = $2 AND action = 'withdraw' \
     ORDER BY epoch DESC, sequence DESC LIMIT 1",
    &[Blob, Blob],
    &[Blob],
);

/// Clinical search over one person, all records of a type.
pub static CLINICAL: Statement = Statement::read(
    "app.clinical",
    "SELECT DISTINCT h.sort_time, h.object FROM clinical_index c JOIN object_head h ON h.object = c.object \
     WHERE c.subject = $1 AND c.kind = $2 AND c.start < $3 AND c.finish > $4 \
     AND (h.class, h.state, h.institution) IN (VALUES {0}) AND h.state NOT IN ('draft', 'awaiting') \
     AND (h.sort_time < $5 OR (h.sort_time = $5 AND h.object < $6)) \
     ORDER BY h.sort_time DESC, h.object DESC LIMIT ($7 + 0)",
    &[Blob, Text, Int, Int, Int, Blob, Int],
    &[Int, Blob],
)
.with_lists(&[&[Text, Text, Blob]]);

/// The same, restricted to codes.
pub static CLINICAL_CODED: Statement = Statement::read(
    "app.clinical_coded",
    "SELECT h.sort_time, h.object FROM object_head h WHERE h.object IN (SELECT c.object FROM clinical_index c \
     WHERE c.subject = $1 AND c.kind = $2 AND c.start < $3 AND c.finish > $4 AND c.code_token IN ({1})) \
     AND (h.class, h.state, h.institution) IN (VALUES {0}) AND h.state NOT IN ('draft', 'awaiting') \
     AND (h.sort_time < $5 OR (h.sort_time = $5 AND h.object < $6)) \
     ORDER BY h.sort_time DESC, h.object DESC LIMIT ($7 + 0)",
    &[Blob, Text, Int, Int, Int, Blob, Int],
    &[Int, Blob],
)
.with_lists(&[&[Text, Text, Blob], &[Blob]]);

/// Which people some tokens of a field belong to.
pub static PEOPLE_WITH_TOKENS: Statement = Statement::read(
    "app.people_with_tokens",
    "SELECT token, object FROM search_token WHERE field = $1 AND token IN ({0})",
    &[Int],
    &[Blob, Blob],
)
.with_lists(&[&[Blob]]);

/// What kinds some objects are of.
pub static KINDS: Statement = Statement::read(
    "app.kinds",
    "SELECT object, kind FROM object_head WHERE object IN ({0})",
    &[],
    &[Blob, Text],
)
.with_lists(&[&[Blob]]);

/// Says that an object still is at a version: changes nothing, and must touch one row.
pub static STILL_AT: Statement = Statement::change(
    "app.still_at",
    "UPDATE object_head SET version = version WHERE object = $1 AND version = $2",
    &[Blob, Int],
);

/// Says how many objects a subject has: changes nothing, and must touch so many rows.
pub static STILL_SO_MANY: Statement = Statement::change(
    "app.still_so_many",
    "UPDATE object_head SET version = version WHERE subject = $1",
    &[Blob],
);

/// Current versions of all of a subject's objects, in pages by id.
pub static ALL_OF_SUBJECT: Statement = Statement::read(
    "app.all_of_subject",
    current!("h.subject = $1 AND h.object > $2 ORDER BY h.object LIMIT ($3 + 0)"),
    &[Blob, Blob, Int],
    VERSION,
);

/// How many versions of a subject's objects a key seals.
pub static SEALED_BY: Statement = Statement::read(
    "app.sealed_by",
    "SELECT CAST(count(*) AS bigint) FROM object_head h JOIN object_version v ON v.object = h.object \
     WHERE h.subject = $1 AND v.key = $2",
    &[Blob, Blob],
    &[Int],
);

/// Takes all of a subject's records out of the clinical index.
pub static DELETE_CLINICAL_OF_SUBJECT: Statement = Statement::change(
    "app.delete_clinical_of_subject",
    "DELETE FROM clinical_index WHERE subject = $1",
    &[Blob],
);

/// Which of some people have search tokens of a generation.
pub static WITH_GENERATION: Statement = Statement::read(
    "app.with_generation",
    "SELECT DISTINCT object FROM search_token WHERE generation = $1 AND object IN ({0})",
    &[Int],
    &[Blob],
)
.with_lists(&[&[Blob]]);

/// Takes away whatever search tokens of earlier generations are left.
pub static SWEEP_TOKENS: Statement =
    Statement::change("app.sweep_tokens", "DELETE FROM search_token WHERE generation < $1", &[Int]);

/// Keeps a source token unless it is kept already.
pub static KEEP_SOURCE: Statement = Statement::change(
    "app.keep_source",
    "INSERT INTO source_id (token, object) VALUES ($1, $2) ON CONFLICT (token) DO NOTHING",
    &[Blob, Blob],
);

/// Forgets a source token.
pub static FORGET_SOURCE: Statement =
    Statement::change("app.forget_source", "DELETE FROM source_id WHERE token = $1", &[Blob]);

/// Every statement of the use cases, for the contract tests.
pub static ALL: &[&Statement] = &[
    &INSTALLATION,
    &ACCESS_VERSION,
    &CURRENT,
    &CURRENT_GUARDED,
    &VERSION_OF,
    &VERSIONS_OF,
    &CURRENT_OF,
    &CURRENT_OF_SUBJECT,
    &CURRENT_OF_KIND,
    &OBJECTS_OF_KIND,
    &ACTOR_VERSIONS,
    &VERSIONS_OF_FIRST,
    &KEPT_OF_KIND,
    &KEYS_AMONG,
    &UNUSED_AMONG,
    &GOVERNED_OF_CODE,
    &GOVERNED_IN_STATE,
    &GOVERNED_BETWEEN,
    &GOVERNED_COUNTS,
    &HEADS_OF,
    &VERSIONS_AMONG,
    &FIRST_EPOCH,
    &VERSION_BETWEEN,
    &NEWEST_CHECKPOINT,
    &NEWEST_ENTRY,
    &FIRST_ENTRY,
    &REVIEWED_SINCE,
    &SESSIONS_BEYOND,
    &SESSIONS_BY_AGE,
    &LAST_TOKENS,
    &ACCOUNTS_WITH_MANY_SESSIONS,
    &KEYS_OF_USAGE,
    &KEY,
    &LABELS,
    &KEYS_OF,
    &KEYS_OF_NOBODY,
    &KEYS_UNDER,
    &REWRAP,
    &DELETE_KEY,
    &ADVANCE_HEAD,
    &LINKS_TO,
    &PEOPLE_LINKED,
    &PEOPLE_OF_MEMBER,
    &LINKS_OF,
    &DELETE_LINKS,
    &DELETE_TOKENS,
    &DELETE_CLINICAL,
    &PEOPLE_BY_TOKEN,
    &PEOPLE_ALSO,
    &SOURCES,
    &LOGIN,
    &FORGET_LOGIN,
    &SESSION,
    &TOUCH_SESSION,
    &END_SESSION,
    &CONTINUE_SESSION,
    &LOCK_SESSION,
    &OPEN_SESSIONS,
    &END_SESSION_OF,
    &USE_FACTOR,
    &SEE_FACTOR,
    &FACTOR_USED,
    &FORGET_FACTOR,
    &CEREMONY,
    &TAKE_CEREMONY,
    &FORGET_CEREMONIES,
    &SWEEP_CEREMONIES,
    &BEARER,
    &REVOKE_BEARER,
    &SWEEP_SHORT_TOKENS,
    &LAST_SESSION,
    &ATTEMPTS,
    &COUNT_FAILURE,
    &KEEP_ATTEMPT,
    &TAKE_BACK,
    &LOCKED_PLACES,
    &TALLIED,
    &SWEEP_ATTEMPTS,
    &OTHER_SESSIONS,
    &END_OTHER_SESSIONS,
    &SESSION_BEFORE,
    &LAST_SIGN_OUT,
    &FORGET_FAILURES,
    &COUNT_REFUSALS,
    &TIMELINE,
    &TIMELINE_OF_FEW,
    &TIDINGS,
    &NEWEST,
    &NEWS_SINCE,
    &WRITTEN_SINCE,
    &SESSION_VERSIONS,
    &ADDRESSED,
    &CURRENT_AT,
    &DRAFTS_OF,
    &AWAITING_OF,
    &URGENT_FOR,
    &URGENT_NOTES,
    &TELL,
    &SEE,
    &SEEN_BY_HOW_MANY,
    &SEEN_BY,
    &WITHDRAWAL,
    &CLINICAL,
    &CLINICAL_CODED,
    &PEOPLE_WITH_TOKENS,
    &KINDS,
    &STILL_AT,
    &STILL_SO_MANY,
    &ALL_OF_SUBJECT,
    &SEALED_BY,
    &DELETE_CLINICAL_OF_SUBJECT,
    &WITH_GENERATION,
    &SWEEP_TOKENS,
    &KEEP_SOURCE,
    &FORGET_SOURCE,
];
