-- What was shown is kept in the order of whose record it is: a page of somebody's notebook then touches one
-- or two pages of the database instead of one for each of its records, whose ids are random.
CREATE TABLE seen_by_person (
    subject {blob} NOT NULL,
    object {blob} NOT NULL,
    version {int} NOT NULL,
    actor {blob} NOT NULL,
    seen {int} NOT NULL,
    PRIMARY KEY (subject, object, version, actor)
){clustered};
INSERT INTO seen_by_person (subject, object, version, actor, seen)
    SELECT h.subject, s.object, s.version, s.actor, s.seen
    FROM seen s JOIN object_head h ON h.object = s.object
    WHERE h.subject IS NOT NULL
    ORDER BY h.subject, s.object, s.version, s.actor;
DROP TABLE seen;
ALTER TABLE seen_by_person RENAME TO seen;
