//! Objects: current heads, versions, the notebook's pages, relations, facts of the installation.

use crate::Statement;
use crate::value::ColumnType::{Blob, Int, Text};

/// `object_head`'s columns as `h`.
macro_rules! head {
    () => {
        "h.object, h.version, h.kind, h.subject, h.class, h.state, h.institution, h.author, h.updated, h.sort_time"
    };
}

/// `object_version`'s columns as `v`.
macro_rules! version {
    () => {
        "v.object, v.version, v.kind, v.subject, v.class, v.state, v.author, v.on_behalf, v.confirmer, \
         v.institution, v.recorded, v.pack, v.key, v.body, v.commitment, v.unit, v.sort_time"
    };
}

const HEAD: &[crate::ColumnType] = &[Blob, Int, Text, Blob, Text, Text, Blob, Blob, Int, Int];
const VERSION: &[crate::ColumnType] =
    &[Blob, Int, Text, Blob, Text, Text, Blob, Blob, Blob, Blob, Int, Blob, Blob, Blob, Blob, Blob, Int];
/// A version's columns, then sort time and access version (0 when there is none).
const VERSION_SORTED: &[crate::ColumnType] = &[
    Blob, Int, Text, Blob, Text, Text, Blob, Blob, Blob, Blob, Int, Blob, Blob, Blob, Blob, Blob, Int, Int,
    Int,
];

statements! {
    /// The current version of an object, its sort time, and its subject's access version.
    CURRENT = Statement::read(
        "object_current",
        concat!(
            "SELECT ", version!(), ", h.sort_time, COALESCE(a.version, CAST(0 AS bigint)) FROM object_head AS h \
             JOIN object_version AS v ON v.object = h.object AND v.version = h.version \
             LEFT JOIN access_version AS a ON a.id = h.subject AND a.scope = 1 WHERE h.object = $1"
        ),
        &[Blob],
        VERSION_SORTED,
    );

    /// The current versions of several objects; columns as in [`CURRENT`].
    CURRENT_OF = Statement::read(
        "object_current_of",
        concat!(
            "SELECT ", version!(), ", h.sort_time, COALESCE(a.version, CAST(0 AS bigint)) FROM object_head AS h \
             JOIN object_version AS v ON v.object = h.object AND v.version = h.version \
             LEFT JOIN access_version AS a ON a.id = h.subject AND a.scope = 1 WHERE h.object IN ({0})"
        ),
        &[],
        VERSION_SORTED,
    ).with_lists(&[&[Blob]]);

    /// One version: object, version.
    VERSION_AT = Statement::read(
        "object_version_at",
        concat!("SELECT ", version!(), " FROM object_version AS v WHERE v.object = $1 AND v.version = $2"),
        &[Blob, Int],
        VERSION,
    );

    /// All versions of an object below a version, newest first, at most so many.
    VERSIONS = Statement::read(
        "object_versions",
        concat!(
            "SELECT ", version!(), " FROM object_version AS v WHERE v.object = $1 AND v.version < $2 \
             ORDER BY v.version DESC LIMIT ($3 + 0)"
        ),
        &[Blob, Int, Int],
        VERSION,
    );

    /// All versions of all objects in the order of their key, for verification: after object,
    /// version; at most so many. Begin with an empty object.
    ALL_VERSIONS = Statement::read(
        "object_all_versions",
        concat!(
            "SELECT ", version!(), " FROM object_version AS v WHERE (v.object, v.version) > ($1, $2) \
             ORDER BY v.object, v.version LIMIT ($3 + 0)"
        ),
        &[Blob, Int, Int],
        VERSION,
    );

    /// An object's head alone.
    HEAD_OF = Statement::read(
        "object_head_of",
        concat!("SELECT ", head!(), " FROM object_head AS h WHERE h.object = $1"),
        &[Blob],
        HEAD,
    );

    /// Heads of several objects.
    HEADS_OF = Statement::read(
        "object_heads_of",
        concat!("SELECT ", head!(), " FROM object_head AS h WHERE h.object IN ({0})"),
        &[],
        HEAD,
    ).with_lists(&[&[Blob]]);

    /// All heads in the order of their key, for verification: after object; at most so many.
    ALL_HEADS = Statement::read(
        "object_all_heads",
        concat!("SELECT ", head!(), " FROM object_head AS h WHERE h.object > $1 ORDER BY h.object LIMIT ($2 + 0)"),
        &[Blob, Int],
        HEAD,
    );

    /// The distinct access labels of a subject's records, with how many each has. Drafts are told
    /// apart by author. Columns: class, state, institution, author of drafts, count.
    LABELS = Statement::read(
        "object_labels",
        "SELECT h.class, h.state, h.institution, CASE WHEN h.state IN ('draft', 'awaiting') THEN h.author END, \
         CAST(count(*) AS bigint) FROM object_head AS h \
         WHERE h.subject = $1 AND h.class IS NOT NULL AND h.state IS NOT NULL AND h.institution IS NOT NULL \
         GROUP BY 1, 2, 3, 4",
        &[Blob],
        &[Text, Text, Blob, Blob, Int],
    );

    /// A page of a subject's notebook, newest first, with current versions: subject, before this
    /// (sort time, object), from this sort time, at most so many; list 0 the allowed
    /// (class, state, institution). Columns as in [`CURRENT`].
    TIMELINE = Statement::read(
        "object_timeline",
        concat!(
            "SELECT ", version!(), ", h.sort_time, COALESCE(a.version, CAST(0 AS bigint)) FROM object_head AS h \
             JOIN object_version AS v ON v.object = h.object AND v.version = h.version \
             LEFT JOIN access_version AS a ON a.id = h.subject AND a.scope = 1 \
             WHERE h.subject = $1 AND (h.sort_time, h.object) < ($2, $3) AND h.sort_time >= $4 \
             AND (h.class, h.state, h.institution) IN (VALUES {0}) \
             ORDER BY h.sort_time DESC, h.object DESC LIMIT ($5 + 0)"
        ),
        &[Blob, Int, Blob, Int, Int],
        VERSION_SORTED,
    ).with_lists(&[&[Text, Text, Blob]]);

    /// The same for some kinds only: list 1 the kinds.
    TIMELINE_OF_KINDS = Statement::read(
        "object_timeline_of_kinds",
        concat!(
            "SELECT ", version!(), ", h.sort_time, COALESCE(a.version, CAST(0 AS bigint)) FROM object_head AS h \
             JOIN object_version AS v ON v.object = h.object AND v.version = h.version \
             LEFT JOIN access_version AS a ON a.id = h.subject AND a.scope = 1 \
             WHERE h.subject = $1 AND (h.sort_time, h.object) < ($2, $3) AND h.sort_time >= $4 \
             AND (h.class, h.state, h.institution) IN (VALUES {0}) AND h.kind IN ({1}) \
             ORDER BY h.sort_time DESC, h.object DESC LIMIT ($5 + 0)"
        ),
        &[Blob, Int, Blob, Int, Int],
        VERSION_SORTED,
    ).with_lists(&[&[Text, Text, Blob], &[Text]]);

    /// How many records per kind a subject has under allowed labels, from a sort time, before one.
    COUNT_PER_KIND = Statement::read(
        "object_count_per_kind",
        "SELECT h.kind, CAST(count(*) AS bigint), max(h.sort_time) FROM object_head AS h \
         WHERE h.subject = $1 AND h.sort_time >= $2 AND h.sort_time < $3 \
         AND (h.class, h.state, h.institution) IN (VALUES {0}) GROUP BY h.kind",
        &[Blob, Int, Int],
        &[Text, Int, Int],
    ).with_lists(&[&[Text, Text, Blob]]);

    /// A subject's objects of one kind with current versions, oldest first (consents, team, ...).
    OF_SUBJECT_AND_KIND = Statement::read(
        "object_of_subject_and_kind",
        concat!(
            "SELECT ", version!(), ", h.sort_time, COALESCE(a.version, CAST(0 AS bigint)) FROM object_head AS h \
             JOIN object_version AS v ON v.object = h.object AND v.version = h.version \
             LEFT JOIN access_version AS a ON a.id = h.subject AND a.scope = 1 \
             WHERE h.subject = $1 AND h.kind = $2 ORDER BY h.sort_time, h.object"
        ),
        &[Blob, Text],
        VERSION_SORTED,
    );

    /// Objects of one kind with current versions, in the order of their ids: kind, after object,
    /// at most so many. Columns as in [`CURRENT`].
    OF_KIND = Statement::read(
        "object_of_kind",
        concat!(
            "SELECT ", version!(), ", h.sort_time, COALESCE(a.version, CAST(0 AS bigint)) FROM object_head AS h \
             JOIN object_version AS v ON v.object = h.object AND v.version = h.version \
             LEFT JOIN access_version AS a ON a.id = h.subject AND a.scope = 1 \
             WHERE h.kind = $1 AND h.object > $2 ORDER BY h.object LIMIT ($3 + 0)"
        ),
        &[Text, Blob, Int],
        VERSION_SORTED,
    );

    /// How many objects of a kind there are.
    COUNT_OF_KIND = Statement::read(
        "object_count_of_kind",
        "SELECT CAST(count(*) AS bigint) FROM object_head AS h WHERE h.kind = $1",
        &[Text],
        &[Int],
    );

    /// Moves a head to its next version, if it still is at the version stated last:
    /// version, class, state, institution, author, updated, sort time, object, expected version.
    MOVE_HEAD = Statement::change(
        "object_move_head",
        "UPDATE object_head SET version = $1, class = $2, state = $3, institution = $4, author = $5, \
         updated = $6, sort_time = $7 WHERE object = $8 AND version = $9",
        &[Int, Text, Text, Blob, Blob, Int, Int, Blob, Int],
    );

    /// Forgets a draft's head, if it still is at that version (its versions stay).
    DROP_HEAD = Statement::change(
        "object_drop_head",
        "DELETE FROM object_head WHERE object = $1 AND version = $2",
        &[Blob, Int],
    );

    /// Relations of an object. Columns: role, target, subject.
    LINKS_OF = Statement::read(
        "link_of",
        "SELECT role, target, subject FROM link WHERE object = $1 ORDER BY role, target",
        &[Blob],
        &[Text, Blob, Blob],
    );

    /// Objects that point at a target in a role. Columns: object, subject.
    LINKS_TO = Statement::read(
        "link_to",
        "SELECT object, subject FROM link WHERE target = $1 AND role = $2 ORDER BY object",
        &[Blob, Text],
        &[Blob, Blob],
    );

    /// A page of them: target, role, after object, at most so many.
    LINKS_TO_PAGE = Statement::read(
        "link_to_page",
        "SELECT object, subject FROM link WHERE target = $1 AND role = $2 AND object > $3 \
         ORDER BY object LIMIT ($4 + 0)",
        &[Blob, Text, Blob, Int],
        &[Blob, Blob],
    );

    /// A subject's relations in a role. Columns: object, target.
    LINKS_OF_SUBJECT = Statement::read(
        "link_of_subject",
        "SELECT object, target FROM link WHERE subject = $1 AND role = $2 ORDER BY object, target",
        &[Blob, Text],
        &[Blob, Blob],
    );

    /// Removes one relation: object, role, target.
    UNLINK = Statement::change(
        "link_remove",
        "DELETE FROM link WHERE object = $1 AND role = $2 AND target = $3",
        &[Blob, Text, Blob],
    );

    /// Removes an object's relations in a role.
    UNLINK_ROLE = Statement::change(
        "link_remove_role",
        "DELETE FROM link WHERE object = $1 AND role = $2",
        &[Blob, Text],
    );

    /// A fact of the installation.
    INSTALLATION = Statement::read(
        "installation_get",
        "SELECT value FROM installation WHERE key = $1",
        &[Text],
        &[Blob],
    );

    /// Sets a fact of the installation.
    SET_INSTALLATION = Statement::change(
        "installation_set",
        "INSERT INTO installation (key, value) VALUES ($1, $2) \
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        &[Text, Blob],
    );
}
