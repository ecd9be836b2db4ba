//! Housekeeping: leases, counters, last use. None of it asks for a ledger entry.

use crate::Statement;
use crate::value::ColumnType::{Blob, Int, Text};

statements! {
    /// Takes a lease that is free or has run out: name, holder, expires, now. Gives the fencing
    /// token, or no row.
    LEASE_ACQUIRE = Statement::upkeep(
        "lease_acquire",
        "INSERT INTO job_lease (name, holder, fencing, expires) VALUES ($1, $2, 1, $3) \
         ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fencing = job_lease.fencing + 1, \
         expires = excluded.expires WHERE job_lease.expires <= $4 RETURNING fencing",
        &[Text, Blob, Int, Int],
        &[Int],
    );

    /// Takes over the lease of a holder that is known to have ended, whether it has run out or not: new
    /// holder, expires, name, holder before. Gives the fencing token, or no row.
    LEASE_SUCCEED = Statement::upkeep(
        "lease_succeed",
        "UPDATE job_lease SET holder = $1, expires = $2, fencing = fencing + 1 WHERE name = $3 AND holder = $4 \
         RETURNING fencing",
        &[Blob, Int, Text, Blob],
        &[Int],
    );

    /// Prolongs a lease that is still held: expires, name, holder, fencing, now.
    LEASE_RENEW = Statement::upkeep(
        "lease_renew",
        "UPDATE job_lease SET expires = $1 WHERE name = $2 AND holder = $3 AND fencing = $4 AND expires > $5",
        &[Int, Text, Blob, Int, Int],
        &[],
    );

    /// Gives a lease back: name, holder, fencing. The fencing token stays, so that it keeps rising.
    LEASE_RELEASE = Statement::upkeep(
        "lease_release",
        "UPDATE job_lease SET expires = 0 WHERE name = $1 AND holder = $2 AND fencing = $3",
        &[Text, Blob, Int],
        &[],
    );

    /// Touches one row while a lease still has this fencing token: put it first into a unit with
    /// `Change::one`, and an overtaken job's unit fails. Name, fencing.
    LEASE_FENCE = Statement::upkeep(
        "lease_fence",
        "UPDATE job_lease SET fencing = fencing WHERE name = $1 AND fencing = $2",
        &[Text, Int],
        &[],
    );

    /// Leases. Columns: name, holder, fencing, expires.
    LEASES = Statement::read(
        "lease_list",
        "SELECT name, holder, fencing, expires FROM job_lease ORDER BY name",
        &[],
        &[Text, Blob, Int, Int],
    );

    /// A session was used: time, hash of its secret.
    SESSION_SEEN = Statement::upkeep(
        "session_seen",
        "UPDATE session SET last_seen = $1 WHERE token_hash = $2 AND last_seen < $1 AND ended IS NULL",
        &[Int, Blob],
        &[],
    );

    /// Forgets sessions that ran out before a time.
    SESSION_SWEEP = Statement::upkeep(
        "session_sweep",
        "DELETE FROM session WHERE expires < $1",
        &[Int],
        &[],
    );

    /// Failed sign-ins. Columns: failures, last failure, locked until.
    ATTEMPTS = Statement::read(
        "attempt_get",
        "SELECT failures, last_failure, locked_until FROM sign_in_attempt \
         WHERE login_token = $1 AND address_hash = $2",
        &[Blob, Blob],
        &[Int, Int, Int],
    );

    /// Failed sign-ins of a login name from everywhere. Columns: address hash, failures, last failure,
    /// locked until.
    ATTEMPTS_OF_LOGIN = Statement::read(
        "attempt_of_login",
        "SELECT address_hash, failures, last_failure, locked_until FROM sign_in_attempt \
         WHERE login_token = $1 ORDER BY address_hash",
        &[Blob],
        &[Blob, Int, Int, Int],
    );

    /// A sign-in failed: login token, address hash, time, count from anew when the last failure was
    /// before this time. Gives the number of failures.
    ATTEMPT_FAILED = Statement::upkeep(
        "attempt_failed",
        "INSERT INTO sign_in_attempt (login_token, address_hash, failures, last_failure, locked_until) \
         VALUES ($1, $2, 1, $3, 0) ON CONFLICT (login_token, address_hash) DO UPDATE SET \
         failures = CASE WHEN sign_in_attempt.last_failure < $4 THEN 1 ELSE sign_in_attempt.failures + 1 END, \
         last_failure = excluded.last_failure RETURNING failures",
        &[Blob, Blob, Int, Int],
        &[Int],
    );

    /// Locks a login name for an address: until, login token, address hash.
    ATTEMPT_LOCK = Statement::upkeep(
        "attempt_lock",
        "UPDATE sign_in_attempt SET locked_until = $1 WHERE login_token = $2 AND address_hash = $3",
        &[Int, Blob, Blob],
        &[],
    );

    /// A sign-in worked: forget the failures of a login name.
    ATTEMPTS_FORGET = Statement::upkeep(
        "attempt_forget",
        "DELETE FROM sign_in_attempt WHERE login_token = $1",
        &[Blob],
        &[],
    );

    /// Forgets failures older than a time that no longer lock.
    ATTEMPTS_SWEEP = Statement::upkeep(
        "attempt_sweep",
        "DELETE FROM sign_in_attempt WHERE last_failure < $1 AND locked_until < $1",
        &[Int],
        &[],
    );

    /// Counts a refusal: minute, address hash, reason, how many.
    REFUSED = Statement::upkeep(
        "refusal_add",
        "INSERT INTO refusal_count (minute, address_hash, reason, count) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (minute, address_hash, reason) DO UPDATE SET count = refusal_count.count + excluded.count",
        &[Int, Blob, Text, Int],
        &[],
    );

    /// Refusals before a minute, in order, at most so many: what a ledger entry sums up.
    REFUSALS = Statement::read(
        "refusal_list",
        "SELECT minute, address_hash, reason, count FROM refusal_count WHERE minute < $1 \
         ORDER BY minute, address_hash, reason LIMIT ($2 + 0)",
        &[Int, Int],
        &[Int, Blob, Text, Int],
    );

    /// Removes refusals of one minute after their entry is made: minute, address hash, reason, count.
    REFUSAL_DONE = Statement::change(
        "refusal_done",
        "DELETE FROM refusal_count WHERE minute = $1 AND address_hash = $2 AND reason = $3 AND count = $4",
        &[Int, Blob, Text, Int],
    );
}
