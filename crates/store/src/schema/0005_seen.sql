-- Which version of which record was shown to whom, and when: ids alone, written in the unit of the
-- ledger entry of that read.
CREATE TABLE seen (
    object {blob} NOT NULL,
    version {int} NOT NULL,
    actor {blob} NOT NULL,
    seen {int} NOT NULL,
    PRIMARY KEY (object, version, actor)
){clustered};
-- What somebody began and has not confirmed, and what waits for a confirmation.
CREATE INDEX object_head_draft ON object_head (author, sort_time, object) WHERE state = 'draft';
CREATE INDEX object_head_awaiting ON object_head (sort_time, object) WHERE state = 'awaiting';
-- The same index with all that counting what is new asks for: it then reads no head at all.
DROP INDEX object_head_subject;
CREATE INDEX object_head_subject ON object_head
    (subject, sort_time, object, version, kind, state, class, institution, author) WHERE subject IS NOT NULL;
