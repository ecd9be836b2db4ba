//! Signing in, sessions, bearer tokens, access versions.

use crate::Statement;
use crate::value::ColumnType::{Blob, Int, Text};

const SESSION: &[crate::ColumnType] =
    &[Blob, Blob, Blob, Blob, Text, Text, Int, Int, Int, Int, Int, Int, Int];

statements! {
    /// Access versions of some ids, in every scope. Columns: id, scope, version.
    VERSIONS = Statement::read(
        "access_versions",
        "SELECT id, scope, version FROM access_version WHERE id IN ({0})",
        &[],
        &[Blob, Int, Int],
    ).with_lists(&[&[Blob]]);

    /// Raises access versions: list 0 the (id, scope, version). For the commit queue.
    RAISE = Statement::change(
        "access_raise",
        "INSERT INTO access_version (id, scope, version) VALUES {0} \
         ON CONFLICT (id, scope) DO UPDATE SET version = excluded.version",
        &[],
    ).with_lists(&[&[Blob, Int, Int]]);

    /// A session by the hash of its secret, with the access versions of its actor and its own.
    /// Columns: id, actor, institution, terminal, zone, strength, created, last seen, expires, ended,
    /// actor's access version, session's access version, policy's access version.
    SESSION_BY_HASH = Statement::read(
        "session_by_hash",
        "SELECT s.id, s.actor, s.institution, s.terminal, s.zone, s.strength, s.created, s.last_seen, s.expires, \
         s.ended, COALESCE(a.version, CAST(0 AS bigint)), COALESCE(o.version, CAST(0 AS bigint)), \
         COALESCE(p.version, CAST(0 AS bigint)) FROM session AS s \
         LEFT JOIN access_version AS a ON a.id = s.actor AND a.scope = 2 \
         LEFT JOIN access_version AS o ON o.id = s.id AND o.scope = 3 \
         LEFT JOIN access_version AS p ON p.id = $2 AND p.scope = 5 WHERE s.token_hash = $1",
        &[Blob, Blob],
        SESSION,
    );

    /// Sessions of an actor that have not ended. Columns: id, created, last seen, expires.
    SESSIONS_OF = Statement::read(
        "session_of_actor",
        "SELECT id, created, last_seen, expires FROM session WHERE actor = $1 AND ended IS NULL \
         ORDER BY created, id",
        &[Blob],
        &[Blob, Int, Int, Int],
    );

    /// Ends a session: time, id.
    END_SESSION = Statement::change(
        "session_end",
        "UPDATE session SET ended = $1 WHERE id = $2 AND ended IS NULL",
        &[Int, Blob],
    );

    /// Ends all sessions of an actor: time, actor.
    END_SESSIONS_OF = Statement::change(
        "session_end_of_actor",
        "UPDATE session SET ended = $1 WHERE actor = $2 AND ended IS NULL",
        &[Int, Blob],
    );

    /// A bearer token by the hash of its secret, with access versions. Columns: id, actor, scopes,
    /// institution, created, expires, revoked, actor's access version, token's access version.
    BEARER_BY_HASH = Statement::read(
        "bearer_by_hash",
        "SELECT t.id, t.actor, t.scopes, t.institution, t.created, t.expires, t.revoked, \
         COALESCE(a.version, CAST(0 AS bigint)), COALESCE(o.version, CAST(0 AS bigint)) FROM bearer_token AS t \
         LEFT JOIN access_version AS a ON a.id = t.actor AND a.scope = 2 \
         LEFT JOIN access_version AS o ON o.id = t.id AND o.scope = 3 WHERE t.token_hash = $1",
        &[Blob],
        &[Blob, Blob, Text, Blob, Int, Int, Int, Int, Int],
    );

    /// Bearer tokens of an actor. Columns: id, scopes, institution, created, expires, revoked.
    BEARERS_OF = Statement::read(
        "bearer_of_actor",
        "SELECT id, scopes, institution, created, expires, revoked FROM bearer_token WHERE actor = $1 \
         ORDER BY created, id",
        &[Blob],
        &[Blob, Text, Blob, Int, Int, Int],
    );

    /// Revokes a bearer token: time, id.
    REVOKE_BEARER = Statement::change(
        "bearer_revoke",
        "UPDATE bearer_token SET revoked = $1 WHERE id = $2 AND revoked IS NULL",
        &[Int, Blob],
    );

    /// Whose login name a blind token stands for.
    LOGIN = Statement::read(
        "login_get",
        "SELECT actor FROM login WHERE login_token = $1",
        &[Blob],
        &[Blob],
    );

    /// Forgets an actor's login names.
    FORGET_LOGINS = Statement::change(
        "login_forget",
        "DELETE FROM login WHERE actor = $1",
        &[Blob],
    );
}
