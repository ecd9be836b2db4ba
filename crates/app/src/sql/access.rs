//! Statements about who comes in: accounts, sessions, tokens, second factors and failed tries.

use super::*;

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

/// How many accounts have more sessions ($3) that go on at a time ($1) and were used after another ($2). Grouped
/// by the account itself, SQLite would walk through every session there ever was, by account.
pub static ACCOUNTS_WITH_MANY_SESSIONS: Statement = Statement::read(
    "app.accounts_with_many_sessions",
    "SELECT COUNT(*) FROM (SELECT COUNT(*) FROM session WHERE ended IS NULL AND expires > $1 \
     AND last_seen > $2 GROUP BY COALESCE(actor, id) HAVING COUNT(*) > $3) m",
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

/// How many of some accounts were last signed in with before a time ($1); never signed in with, an account
/// counts from when it was last changed.
pub static UNUSED_AMONG: Statement = Statement::read(
    "app.unused_among",
    "SELECT CAST(COUNT(*) AS bigint) FROM object_head h WHERE h.object IN ({0}) AND COALESCE((SELECT s.created \
     FROM session s WHERE s.actor = h.object AND (s.began IS NULL OR s.began = s.created) \
     ORDER BY s.created DESC LIMIT 1), h.updated) < $1",
    &[Int],
    &[Int],
)
.with_lists(&[&[Blob]]);

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
