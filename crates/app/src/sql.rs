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

/// The same, and after it whether it is unread.
const VERSION_SORTED_UNREAD: &[ColumnType] = &[
    Blob, Int, Text, Blob, Text, Text, Blob, Blob, Blob, Blob, Int, Blob, Blob, Blob, Blob, Blob, Int, Int,
    Int,
];

/// Where [`TIMELINE`] gives the sort time, and [`CURRENT_GUARDED`] the access version.
pub const SORT_TIME_AFTER_VERSION: usize = 17;

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
    current_sorted!(
        "h.kind = $1 AND h.class = $2 AND h.subject IS NULL \
         AND (h.sort_time < $3 OR (h.sort_time = $3 AND h.object < $4)) \
         ORDER BY h.sort_time DESC, h.object DESC LIMIT ($5 + 0)"
    ),
    &[Text, Text, Int, Blob, Int],
    VERSION_SORTED,
);

/// Current versions of the organisation's objects of one kind that are in a state, newest first.
pub static GOVERNED_IN_STATE: Statement = Statement::read(
    "app.governed_in_state",
    current_sorted!(
        "h.kind = $1 AND h.state = $2 AND h.subject IS NULL \
         AND (h.sort_time < $3 OR (h.sort_time = $3 AND h.object < $4)) \
         ORDER BY h.sort_time DESC, h.object DESC LIMIT ($5 + 0)"
    ),
    &[Text, Text, Int, Blob, Int],
    VERSION_SORTED,
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

/// How many objects of a kind and code there are.
pub static GOVERNED_COUNT: Statement = Statement::read(
    "app.governed_count",
    "SELECT count(*) FROM object_head WHERE kind = $1 AND class = $2 AND subject IS NULL",
    &[Text, Text],
    &[Int],
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
     AND actor <> $3 ORDER BY epoch, sequence LIMIT 1",
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

/// The people that targets are linked to in these roles, each once, in pages by id.
pub static PEOPLE_LINKED: Statement = Statement::read(
    "app.people_linked",
    "SELECT DISTINCT subject FROM link WHERE subject IS NOT NULL AND subject > $1 \
     AND target IN ({0}) AND role IN ({1}) ORDER BY subject LIMIT ($2 + 0)",
    &[Blob, Int],
    &[Blob],
)
.with_lists(&[&[Blob], &[Text]]);

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
    "SELECT DISTINCT object FROM search_token WHERE field IN ({0}) AND token IN ({1}) AND object > $1 \
     ORDER BY object LIMIT ($2 + 0)",
    &[Blob, Int],
    &[Blob],
)
.with_lists(&[&[Int], &[Blob]]);

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

/// The account a login name belongs to.
pub static LOGIN: Statement =
    Statement::read("app.login", "SELECT actor FROM login WHERE login_token = $1", &[Blob], &[Blob]);

/// Takes away what leads to an account by a name at an identity provider.
pub static FORGET_LOGIN: Statement =
    Statement::change("app.forget_login", "DELETE FROM login WHERE login_token = $1", &[Blob]);

/// A session by the hash of its secret, with its access version.
pub static SESSION: Statement = Statement::read(
    "app.session",
    "SELECT s.id, s.actor, s.created, s.last_seen, s.expires, s.ended, COALESCE(a.version, 0), \
     s.strength, s.began, s.proved, s.locked, s.under, s.terminal \
     FROM session s LEFT JOIN access_version a ON a.id = s.id AND a.scope = 3 WHERE s.token_hash = $1",
    &[Blob],
    &[Blob, Blob, Int, Int, Int, Int, Int, Text, Int, Int, Int, Blob, Blob],
);

/// Notes the last use of a session.
pub static TOUCH_SESSION: Statement = Statement::change(
    "app.touch_session",
    "UPDATE session SET last_seen = $2 WHERE token_hash = $1 AND last_seen < $2",
    &[Blob, Int],
);

/// Ends a session.
pub static END_SESSION: Statement = Statement::change(
    "app.end_session",
    "UPDATE session SET ended = $2 WHERE token_hash = $1 AND ended IS NULL",
    &[Blob, Int],
);

/// Ends a session that goes on under another token.
pub static CONTINUE_SESSION: Statement = Statement::change(
    "app.continue_session",
    "UPDATE session SET ended = $2, continued = 1 WHERE token_hash = $1 AND ended IS NULL",
    &[Blob, Int],
);

/// Locks a session until its owner is back.
pub static LOCK_SESSION: Statement = Statement::change(
    "app.lock_session",
    "UPDATE session SET locked = $2 WHERE token_hash = $1 AND ended IS NULL AND locked IS NULL",
    &[Blob, Int],
);

/// Sessions of an account that go on at a time ($2) and were used after another ($3), the latest first.
pub static OPEN_SESSIONS: Statement = Statement::read(
    "app.open_sessions",
    "SELECT token_hash, id, created, began, last_seen, expires, strength, locked, place FROM session \
     WHERE actor = $1 AND ended IS NULL AND expires > $2 AND last_seen > $3 \
     ORDER BY last_seen DESC LIMIT 200",
    &[Blob, Int, Int],
    &[Blob, Blob, Int, Int, Int, Int, Text, Int, Blob],
);

/// Sessions of an account that go on at a time ($2) and were used after another ($3), the one begun first
/// coming first.
pub static SESSIONS_BY_AGE: Statement = Statement::read(
    "app.sessions_by_age",
    "SELECT id FROM session WHERE actor = $1 AND ended IS NULL AND expires > $2 AND last_seen > $3 \
     ORDER BY COALESCE(began, created), id LIMIT 200",
    &[Blob, Int, Int],
    &[Blob],
);

/// How many accounts have more sessions ($3) that go on at a time ($1) and were used after another ($2).
pub static ACCOUNTS_WITH_MANY_SESSIONS: Statement = Statement::read(
    "app.accounts_with_many_sessions",
    "SELECT COUNT(*) FROM (SELECT actor FROM session WHERE ended IS NULL AND expires > $1 \
     AND last_seen > $2 GROUP BY actor HAVING COUNT(*) > $3) m",
    &[Int, Int, Int],
    &[Int],
);

/// When each program last got a token.
pub static LAST_TOKENS: Statement = Statement::read(
    "app.last_tokens",
    "SELECT actor, MAX(created) FROM bearer_token WHERE scopes <> '' GROUP BY actor",
    &[],
    &[Blob, Int],
);

/// Ends a session by its id, if it still goes on.
pub static END_SESSION_OF: Statement = Statement::change(
    "app.end_session_of",
    "UPDATE session SET ended = $3 WHERE actor = $1 AND id = $2 AND ended IS NULL",
    &[Blob, Blob, Int],
);

/// Notes the use of a second factor: only further on than ever before.
pub static USE_FACTOR: Statement = Statement::upkeep(
    "app.use_factor",
    "UPDATE factor_use SET counter = $2, used = $3 WHERE factor = $1 AND counter < $2",
    &[Blob, Int, Int],
    &[],
);

/// Notes the use of a second factor that counts nothing itself.
pub static SEE_FACTOR: Statement = Statement::upkeep(
    "app.see_factor",
    "UPDATE factor_use SET used = $2 WHERE factor = $1 AND counter = 0",
    &[Blob, Int],
    &[],
);

/// How far a second factor was used, and when last.
pub static FACTOR_USED: Statement = Statement::read(
    "app.factor_used",
    "SELECT counter, used FROM factor_use WHERE factor = $1",
    &[Blob],
    &[Int, Int],
);

/// Takes away the counter of a factor that is no more.
pub static FORGET_FACTOR: Statement =
    Statement::upkeep("app.forget_factor", "DELETE FROM factor_use WHERE factor = $1", &[Blob], &[]);

/// What was begun under a secret for a purpose, and waits until a time.
pub static CEREMONY: Statement = Statement::read(
    "app.ceremony",
    "SELECT actor, body FROM ceremony WHERE token_hash = $1 AND purpose = $2 AND expires > $3",
    &[Blob, Text, Int],
    &[Blob, Blob],
);

/// Takes what was begun: nothing is finished twice.
pub static TAKE_CEREMONY: Statement =
    Statement::upkeep("app.take_ceremony", "DELETE FROM ceremony WHERE token_hash = $1", &[Blob], &[]);

/// Takes away what was begun for an account and never finished.
pub static FORGET_CEREMONIES: Statement =
    Statement::upkeep("app.forget_ceremonies", "DELETE FROM ceremony WHERE actor = $1", &[Blob], &[]);

/// Takes away what was begun and whose time is over.
pub static SWEEP_CEREMONIES: Statement =
    Statement::upkeep("app.sweep_ceremonies", "DELETE FROM ceremony WHERE expires <= $1", &[Int], &[]);

/// A bearer token by the hash of its secret, with its access version.
pub static BEARER: Statement = Statement::read(
    "app.bearer",
    "SELECT b.id, b.actor, b.created, b.expires, b.revoked, COALESCE(a.version, 0), b.scopes \
     FROM bearer_token b LEFT JOIN access_version a ON a.id = b.id AND a.scope = 3 WHERE b.token_hash = $1",
    &[Blob],
    &[Blob, Blob, Int, Int, Int, Int, Text],
);

/// Forgets tokens of an actor that were issued for minutes and are over.
pub static SWEEP_SHORT_TOKENS: Statement = Statement::change(
    "app.sweep_short_tokens",
    "DELETE FROM bearer_token WHERE actor = $1 AND expires < $2 AND expires - created <= 600000000",
    &[Blob, Int],
);

/// Sessions or tokens' ids of an actor, to raise their access versions.
pub static REVOKE_BEARER: Statement = Statement::change(
    "app.revoke_bearer",
    "UPDATE bearer_token SET revoked = $2 WHERE actor = $1 AND revoked IS NULL",
    &[Blob, Int],
);

/// The time of the last sign-in before the present one.
pub static LAST_SESSION: Statement = Statement::read(
    "app.last_session",
    "SELECT created FROM session WHERE actor = $1 AND (began IS NULL OR began = created) \
     ORDER BY created DESC LIMIT 1",
    &[Blob],
    &[Int],
);

/// Counters of failed tries of a name ($1) from a place ($2), for any name or place ($3), whether the name
/// is known there ($4), and the name's tally ($5) and grace ($6).
pub static ATTEMPTS: Statement = Statement::read(
    "app.attempts",
    "SELECT login_token, address_hash, failures, last_failure, locked_until FROM sign_in_attempt \
     WHERE (login_token = $1 AND address_hash = $2) OR (login_token = $3 AND address_hash = $2) \
     OR (login_token = $1 AND address_hash = $3) OR (login_token = $4 AND address_hash = $2) \
     OR (login_token = $1 AND address_hash = $5) OR (login_token = $1 AND address_hash = $6)",
    &[Blob, Blob, Blob, Blob, Blob, Blob],
    &[Blob, Blob, Int, Int, Int],
);

/// Counts one more failure, anew when the last one was before $5; the row is kept until $4.
pub static COUNT_FAILURE: Statement = Statement::upkeep(
    "app.count_failure",
    "INSERT INTO sign_in_attempt (login_token, address_hash, failures, last_failure, locked_until) \
     VALUES ($1, $2, 1, $3, $4) ON CONFLICT (login_token, address_hash) DO UPDATE SET \
     failures = CASE WHEN sign_in_attempt.last_failure <= $5 THEN 1 ELSE sign_in_attempt.failures + 1 END, \
     last_failure = excluded.last_failure, locked_until = excluded.locked_until",
    &[Blob, Blob, Int, Int, Int],
    &[],
);

/// Notes a number beside a name or session: name, place, number, time, kept until.
pub static KEEP_ATTEMPT: Statement = Statement::upkeep(
    "app.keep_attempt",
    "INSERT INTO sign_in_attempt (login_token, address_hash, failures, last_failure, locked_until) \
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (login_token, address_hash) DO UPDATE SET \
     failures = excluded.failures, last_failure = excluded.last_failure, \
     locked_until = excluded.locked_until",
    &[Blob, Blob, Int, Int, Int],
    &[],
);

/// Takes one failure back: it was none.
pub static TAKE_BACK: Statement = Statement::upkeep(
    "app.take_back",
    "UPDATE sign_in_attempt SET failures = failures - 1 \
     WHERE login_token = $1 AND address_hash = $2 AND failures > 0",
    &[Blob, Blob],
    &[],
);

/// Where a name failed so many times or more, and when last.
pub static LOCKED_PLACES: Statement = Statement::read(
    "app.locked_places",
    "SELECT address_hash, last_failure FROM sign_in_attempt \
     WHERE login_token = $1 AND failures >= $2 ORDER BY last_failure DESC LIMIT 100",
    &[Blob, Int],
    &[Blob, Int],
);

/// A number beside a session.
pub static TALLIED: Statement = Statement::read(
    "app.tallied",
    "SELECT failures FROM sign_in_attempt WHERE login_token = $1 AND address_hash = $2",
    &[Blob, Blob],
    &[Int],
);

/// Takes away rows whose time is over.
pub static SWEEP_ATTEMPTS: Statement = Statement::upkeep(
    "app.sweep_attempts",
    "DELETE FROM sign_in_attempt WHERE last_failure < $1 AND locked_until < $1",
    &[Int],
    &[],
);

/// The sessions of an account that go on, but for one.
pub static OTHER_SESSIONS: Statement = Statement::read(
    "app.other_sessions",
    "SELECT id FROM session WHERE actor = $1 AND token_hash <> $2 AND ended IS NULL AND expires > $3 \
     ORDER BY created DESC LIMIT 500",
    &[Blob, Blob, Int],
    &[Blob],
);

/// Ends the sessions of an account, but for one.
pub static END_OTHER_SESSIONS: Statement = Statement::change(
    "app.end_other_sessions",
    "UPDATE session SET ended = $3 WHERE actor = $1 AND token_hash <> $2 AND ended IS NULL AND expires > $3",
    &[Blob, Blob, Int],
);

/// The last sign-in of an account before the one that a session began with.
pub static SESSION_BEFORE: Statement = Statement::read(
    "app.session_before",
    "SELECT created FROM session WHERE actor = $1 AND token_hash <> $2 AND created < $3 \
     AND (began IS NULL OR began = created) ORDER BY created DESC LIMIT 1",
    &[Blob, Blob, Int],
    &[Int],
);

/// When an account last signed out.
pub static LAST_SIGN_OUT: Statement = Statement::read(
    "app.last_sign_out",
    "SELECT ended FROM session WHERE actor = $1 AND ended IS NOT NULL AND continued IS NULL \
     ORDER BY ended DESC LIMIT 1",
    &[Blob],
    &[Int],
);

/// Forgets failures after a success.
pub static FORGET_FAILURES: Statement = Statement::upkeep(
    "app.forget_failures",
    "DELETE FROM sign_in_attempt WHERE login_token = $1",
    &[Blob],
    &[],
);

/// Adds to the count of refusals of a minute.
pub static COUNT_REFUSALS: Statement = Statement::upkeep(
    "app.count_refusals",
    "INSERT INTO refusal_count (minute, address_hash, reason, count) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (minute, address_hash, reason) DO UPDATE SET count = refusal_count.count + excluded.count",
    &[Int, Blob, Text, Int],
    &[],
);

/// What makes a head new to the caller `$2`: finished, of somebody else, and its current version (joined
/// as `s`) not shown to them. How far back that counts is for the statement to say.
macro_rules! unread {
    () => {
        "s.actor IS NULL AND h.state NOT IN ('draft', 'awaiting') AND (h.author IS NULL OR h.author <> $2)"
    };
}

/// One page of a person's timeline: newest first, only permitted labels, drafts only of whom they
/// belong to; from a time on (`$7`), by any author or one (`$8`), all or only what is unread (`$9`). The
/// last column is 1 for what is unread.
pub static TIMELINE: Statement = Statement::read(
    "app.timeline",
    concat!(
        "SELECT ",
        version_columns!(),
        ", h.sort_time, CAST(CASE WHEN ",
        unread!(),
        " AND h.sort_time >= $6 THEN 1 ELSE 0 END AS bigint) FROM object_head h JOIN object_version v ON v.object = h.object \
         AND v.version = h.version LEFT JOIN seen s ON s.object = h.object AND s.version = h.version \
         AND s.actor = $2 WHERE h.subject = $1 AND h.kind IN ({0}) \
         AND (h.class, h.state, h.institution) IN (VALUES {1}) \
         AND (h.state NOT IN ('draft', 'awaiting') OR v.author = $2 OR v.on_behalf = $2) \
         AND (h.sort_time < $3 OR (h.sort_time = $3 AND h.object < $4)) AND h.sort_time >= $7 \
         AND ($8 IS NULL OR h.author = $8) AND ($9 = 0 OR (h.sort_time >= $6 AND ",
        unread!(),
        ")) ORDER BY h.sort_time DESC, h.object DESC LIMIT ($5 + 0)"
    ),
    &[Blob, Blob, Int, Blob, Int, Int, Int, Blob, Int],
    VERSION_SORTED_UNREAD,
)
.with_lists(&[&[Text], &[Text, Text, Blob]]);

/// Of some people's recent records of each kind and access label: how many the caller has not seen, and when
/// the newest was. All of it stands in one index; a condition on the kind would take another.
pub static TIDINGS: Statement = Statement::read(
    "app.tidings",
    concat!(
        "SELECT h.subject, h.class, h.state, h.institution, CAST(SUM(CASE WHEN ",
        unread!(),
        " THEN 1 ELSE 0 END) AS bigint), CAST(MAX(h.sort_time) AS bigint), h.kind FROM object_head h \
         LEFT JOIN seen s ON s.object = h.object AND s.version = h.version AND s.actor = $2 \
         WHERE h.subject IN ({0}) AND h.sort_time >= $1 \
         AND h.state NOT IN ('draft', 'awaiting') AND h.class IS NOT NULL AND h.institution IS NOT NULL \
         GROUP BY h.subject, h.kind, h.class, h.state, h.institution"
    ),
    &[Int, Blob],
    &[Blob, Text, Text, Blob, Int, Int, Text],
)
.with_lists(&[&[Blob]]);

/// The access labels and kinds of recent records ($1) of some people that were kept after a time ($3) and are
/// unread by somebody ($2).
pub static NEWS_SINCE: Statement = Statement::read(
    "app.news_since",
    concat!(
        "SELECT h.subject, h.class, h.state, h.institution, h.kind FROM object_head h \
         LEFT JOIN seen s ON s.object = h.object AND s.version = h.version AND s.actor = $2 \
         WHERE h.subject IN ({0}) AND h.sort_time >= $1 AND h.updated >= $3 \
         AND h.class IS NOT NULL AND h.institution IS NOT NULL AND ",
        unread!(),
        " GROUP BY h.subject, h.class, h.state, h.institution, h.kind"
    ),
    &[Int, Blob, Int],
    &[Blob, Text, Text, Blob, Text],
)
.with_lists(&[&[Blob]]);

/// Whose records were written to in a range of the ledger.
pub static WRITTEN_SINCE: Statement = Statement::read(
    "app.written_since",
    "SELECT DISTINCT subject FROM ledger_entry WHERE epoch = $1 AND sequence >= $2 AND sequence < $3 \
     AND subject IS NOT NULL AND action IN ($4, $5, $6, $7, $8, $9)",
    &[Int, Int, Int, Text, Text, Text, Text, Text, Text],
    &[Blob],
);

/// The access versions of some sessions; no row stands for 0.
pub static SESSION_VERSIONS: Statement = Statement::read(
    "app.session_versions",
    "SELECT id, version FROM access_version WHERE scope = 3 AND id IN ({0})",
    &[],
    &[Blob, Int],
)
.with_lists(&[&[Blob]]);

/// How many recent records under each access label of each person are addressed to the caller and were
/// not shown to them.
pub static ADDRESSED: Statement = Statement::read(
    "app.addressed",
    concat!(
        "SELECT h.subject, h.class, h.state, h.institution, CAST(COUNT(*) AS bigint) FROM link l \
         JOIN object_head h ON h.object = l.object \
         LEFT JOIN seen s ON s.object = h.object AND s.version = h.version AND s.actor = $2 \
         WHERE l.target = $2 AND l.role = 'recipient' AND h.sort_time >= $1 AND h.subject IS NOT NULL \
         AND h.class IS NOT NULL AND h.institution IS NOT NULL AND ",
        unread!(),
        " GROUP BY h.subject, h.class, h.state, h.institution"
    ),
    &[Int, Blob],
    &[Blob, Text, Text, Blob, Int],
);

/// Current versions by whose they are and what they are sorted by: every person with every one of the
/// times. Two lists and not one of pairs, for which no database takes the index.
pub static CURRENT_AT: Statement = Statement::read(
    "app.current_at",
    current_sorted!("h.subject IN ({0}) AND h.sort_time IN ({1})"),
    &[],
    VERSION_SORTED,
)
.with_lists(&[&[Blob], &[Int]]);

/// What somebody began and has not confirmed, newest first.
pub static DRAFTS_OF: Statement = Statement::read(
    "app.drafts_of",
    current_sorted!(
        "h.author = $1 AND h.state = 'draft' AND h.subject IS NOT NULL \
         ORDER BY h.sort_time DESC, h.object DESC LIMIT ($2 + 0)"
    ),
    &[Blob, Int],
    VERSION_SORTED,
);

/// What was written on somebody's behalf and waits for their confirmation, newest first.
pub static AWAITING_OF: Statement = Statement::read(
    "app.awaiting_of",
    current_sorted!(
        "v.on_behalf = $1 AND h.state = 'awaiting' AND h.subject IS NOT NULL \
         ORDER BY h.sort_time DESC, h.object DESC LIMIT ($2 + 0)"
    ),
    &[Blob, Int],
    VERSION_SORTED,
);

/// Urgent notes that are addressed or were passed on to somebody ($1) and that they have not seen, of what
/// happened since a time ($3); newest first.
pub static URGENT_FOR: Statement = Statement::read(
    "app.urgent_for",
    current_sorted!(
        "h.object IN (SELECT l.object FROM link l JOIN link u ON u.object = l.object AND u.role = 'urgent' \
         WHERE l.target = $1 AND l.role IN ('recipient', 'told')) AND h.state IN ('confirmed', 'amended') \
         AND h.sort_time >= $3 AND h.subject IS NOT NULL AND (h.author IS NULL OR h.author <> $1) \
         AND NOT EXISTS (SELECT 1 FROM seen s WHERE s.object = h.object AND s.version = h.version \
         AND s.actor = $1) ORDER BY h.sort_time DESC, h.object DESC LIMIT ($2 + 0)"
    ),
    &[Blob, Int, Int],
    VERSION_SORTED,
);

/// Urgent notes that stand as they do since a time ($2), the first first; $1 is the installation.
pub static URGENT_NOTES: Statement = Statement::read(
    "app.urgent_notes",
    "SELECT h.subject, h.class, h.state, h.institution, h.object, h.version, h.updated, h.author \
     FROM link l JOIN object_head h ON h.object = l.object WHERE l.target = $1 AND l.role = 'urgent' \
     AND h.state IN ('confirmed', 'amended') AND h.updated >= $2 AND h.subject IS NOT NULL \
     AND h.class IS NOT NULL AND h.institution IS NOT NULL ORDER BY h.updated, h.object LIMIT 1000",
    &[Blob, Int],
    &[Blob, Text, Text, Blob, Blob, Int, Int, Blob],
);

/// Passes an urgent note on to somebody; who has it already keeps it.
pub static TELL: Statement = Statement::change(
    "app.tell",
    "INSERT INTO link (object, role, target, subject) VALUES ($1, 'told', $2, $3) \
     ON CONFLICT (object, role, target) DO NOTHING",
    &[Blob, Blob, Blob],
);

/// Notes that versions were shown to somebody; what is noted already stays.
pub static SEE: Statement = Statement::change(
    "app.see",
    "INSERT INTO seen (object, version, actor, seen) VALUES ($1, $2, $9, $10), ($3, $4, $9, $10), \
     ($5, $6, $9, $10), ($7, $8, $9, $10) ON CONFLICT (object, version, actor) DO NOTHING",
    &[Blob, Int, Blob, Int, Blob, Int, Blob, Int, Blob, Int],
);

/// To how many people versions of objects were shown.
pub static SEEN_BY_HOW_MANY: Statement = Statement::read(
    "app.seen_by_how_many",
    "SELECT object, version, CAST(COUNT(*) AS bigint) FROM seen WHERE object IN ({0}) GROUP BY object, version",
    &[],
    &[Blob, Int, Int],
)
.with_lists(&[&[Blob]]);

/// To whom versions of an object were shown, and when, the first first.
pub static SEEN_BY: Statement = Statement::read(
    "app.seen_by",
    "SELECT version, actor, seen FROM seen WHERE object = $1 ORDER BY version, seen, actor LIMIT ($2 + 0)",
    &[Blob, Int],
    &[Int, Blob, Int],
);

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
    "SELECT DISTINCT h.sort_time, h.object FROM clinical_index c JOIN object_head h ON h.object = c.object \
     WHERE c.subject = $1 AND c.kind = $2 AND c.start < $3 AND c.finish > $4 \
     AND (h.class, h.state, h.institution) IN (VALUES {0}) AND h.state NOT IN ('draft', 'awaiting') \
     AND (h.sort_time < $5 OR (h.sort_time = $5 AND h.object < $6)) AND c.code_token IN ({1}) \
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
    &GOVERNED_OF_CODE,
    &GOVERNED_IN_STATE,
    &GOVERNED_BETWEEN,
    &GOVERNED_COUNT,
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
    &TIDINGS,
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
