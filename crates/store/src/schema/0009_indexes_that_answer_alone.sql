-- Indexes with all that their questions ask for: SQLite then looks up no row beside them. A row is a page
-- of its own as a rule, and after each commit a page is read anew.
--
-- Objects of the organisation, by code and by state. SQLite reads the row for a column that only the
-- index's own condition speaks of: that is why it is in the index too.
DROP INDEX object_head_governed;
CREATE INDEX object_head_governed ON object_head
    (kind, class, sort_time, object, version, state, subject) WHERE subject IS NULL;
DROP INDEX object_head_governed_state;
CREATE INDEX object_head_governed_state ON object_head
    (kind, state, sort_time, object, version, subject) WHERE subject IS NULL;
-- The current versions of all objects of a kind.
DROP INDEX object_head_kind;
CREATE INDEX object_head_kind ON object_head (kind, object, version);
-- The access versions of everybody who has an account.
CREATE INDEX access_version_actor ON access_version (id, version, scope) WHERE scope = 2;
-- An account's last sign-in.
DROP INDEX session_actor;
CREATE INDEX session_actor ON session (actor, created, began);
-- Whether a person's part of the ledger was reviewed: their other entries are not walked through.
CREATE INDEX ledger_entry_review ON ledger_entry (subject, recorded, actor) WHERE action = 'review';
