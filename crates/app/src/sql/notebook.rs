//! Statements of the notebook: timelines, what is unread, drafts, urgent notes, and who has seen what.

use super::*;

/// What makes a head new to the caller `$2`: finished, of somebody else, and its current version (joined
/// as `s`) not shown to them. How far back that counts is for the statement to say.
macro_rules! unread {
    () => {
        "s.actor IS NULL AND h.state NOT IN ('draft', 'awaiting') AND (h.author IS NULL OR h.author <> $2)"
    };
}

macro_rules! timeline {
    ($which:literal) => {
        concat!(
            "SELECT ",
            version_columns!(),
            ", h.sort_time, CAST(CASE WHEN ",
            unread!(),
            " AND h.sort_time >= $6 THEN 1 ELSE 0 END AS bigint) FROM object_head h \
             JOIN object_version v ON v.object = h.object AND v.version = h.version \
             LEFT JOIN seen s ON s.subject = h.subject AND s.object = h.object \
             AND s.version = h.version AND s.actor = $2 WHERE ",
            $which,
            " AND (h.class, h.state, h.institution) IN (VALUES {1}) \
             AND (h.state NOT IN ('draft', 'awaiting') OR v.author = $2 OR v.on_behalf = $2) \
             AND (h.sort_time < $3 OR (h.sort_time = $3 AND h.object < $4)) AND h.sort_time >= $7 \
             AND ($8 IS NULL OR h.author = $8) AND ($9 = 0 OR (h.sort_time >= $6 AND ",
            unread!(),
            ")) ORDER BY h.sort_time DESC, h.object DESC LIMIT ($5 + 0)"
        )
    };
}

/// One page of a person's timeline: newest first, only permitted labels, drafts only of whom they
/// belong to; from a time on (`$7`), by any author or one (`$8`), all or only what is unread (`$9`). The
/// last column is 1 for what is unread.
pub static TIMELINE: Statement = Statement::read(
    "app.timeline",
    timeline!("h.subject = $1 AND h.kind IN ({0})"),
    &[Blob, Blob, Int, Blob, Int, Int, Int, Blob, Int],
    VERSION_SORTED_UNREAD,
)
.with_lists(&[&[Text], &[Text, Text, Blob]]);

/// The same of kinds that a person has few records of: all of these are found by their kinds and then sorted.
/// The statement above walks through everything there is of the person, in order of time, until it has enough.
pub static TIMELINE_OF_FEW: Statement = Statement::read(
    "app.timeline_of_few",
    timeline!(
        "h.object IN (SELECT f.object FROM object_head f WHERE f.subject = $1 AND f.kind IN ({0}) \
         AND f.sort_time >= $7)"
    ),
    &[Blob, Blob, Int, Blob, Int, Int, Int, Blob, Int],
    VERSION_SORTED_UNREAD,
)
.with_lists(&[&[Text], &[Text, Text, Blob]]);

/// Some people's recent records, person by person: kind, access label, whether the caller has not seen it, and
/// what it is sorted by. All of it stands in one index; a condition on the kind would take another, and to count
/// here would sort all of them first, which takes longer than everything else.
pub static TIDINGS: Statement = Statement::read(
    "app.tidings",
    concat!(
        "SELECT h.subject, h.class, h.state, h.institution, CAST(CASE WHEN ",
        unread!(),
        " THEN 1 ELSE 0 END AS bigint), h.sort_time, h.kind FROM object_head h \
         LEFT JOIN seen s ON s.subject = h.subject AND s.object = h.object AND s.version = h.version \
         AND s.actor = $2 \
         WHERE h.subject IN ({0}) AND h.sort_time >= $1 \
         AND h.state NOT IN ('draft', 'awaiting') AND h.class IS NOT NULL AND h.institution IS NOT NULL"
    ),
    &[Int, Blob],
    &[Blob, Text, Text, Blob, Int, Int, Text],
)
.with_lists(&[&[Blob]]);

/// What the newest of some people's recent records (since $1) is sorted by, of whatever kind: no earlier than what
/// the statement above tells of each, and found without asking who has seen what.
pub static NEWEST: Statement = Statement::read(
    "app.newest",
    "SELECT h.subject, MAX(h.sort_time) FROM object_head h WHERE h.subject IN ({0}) AND h.sort_time >= $1 \
     AND h.state NOT IN ('draft', 'awaiting') AND h.class IS NOT NULL AND h.institution IS NOT NULL \
     GROUP BY h.subject",
    &[Int],
    &[Blob, Int],
)
.with_lists(&[&[Blob]]);

/// The access labels and kinds of recent records ($1) of some people that were kept after a time ($3) and are
/// unread by somebody ($2).
pub static NEWS_SINCE: Statement = Statement::read(
    "app.news_since",
    concat!(
        "SELECT h.subject, h.class, h.state, h.institution, h.kind FROM object_head h \
         LEFT JOIN seen s ON s.subject = h.subject AND s.object = h.object AND s.version = h.version \
         AND s.actor = $2 \
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
         LEFT JOIN seen s ON s.subject = h.subject AND s.object = h.object AND s.version = h.version \
         AND s.actor = $2 \
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
         AND NOT EXISTS (SELECT 1 FROM seen s WHERE s.subject = h.subject AND s.object = h.object \
         AND s.version = h.version AND s.actor = $1) ORDER BY h.sort_time DESC, h.object DESC LIMIT ($2 + 0)"
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

/// Notes that versions of one person's records were shown to somebody; what is noted already stays.
pub static SEE: Statement = Statement::change(
    "app.see",
    "INSERT INTO seen (subject, object, version, actor, seen) VALUES ($1, $2, $3, $10, $11), \
     ($1, $4, $5, $10, $11), ($1, $6, $7, $10, $11), ($1, $8, $9, $10, $11) \
     ON CONFLICT (subject, object, version, actor) DO NOTHING",
    &[Blob, Blob, Int, Blob, Int, Blob, Int, Blob, Int, Blob, Int],
);

/// To how many people versions of some records of one person were shown.
pub static SEEN_BY_HOW_MANY: Statement = Statement::read(
    "app.seen_by_how_many",
    "SELECT object, version, CAST(COUNT(*) AS bigint) FROM seen WHERE subject = $1 AND object IN ({0}) \
     GROUP BY object, version",
    &[Blob],
    &[Blob, Int, Int],
)
.with_lists(&[&[Blob]]);

/// To whom versions of one record of a person were shown, and when, the first first.
pub static SEEN_BY: Statement = Statement::read(
    "app.seen_by",
    "SELECT version, actor, seen FROM seen WHERE subject = $1 AND object = $2 \
     ORDER BY version, seen, actor LIMIT ($3 + 0)",
    &[Blob, Blob, Int],
    &[Int, Blob, Int],
);
