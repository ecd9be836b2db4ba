-- An account's last sign-in, its last sign-out and what goes on of it are found without reading all of its
-- sessions: somebody who signs in every day has hundreds, and hardly ends any.
DROP INDEX session_actor;
CREATE INDEX session_actor ON session (actor, created);
CREATE INDEX session_actor_expires ON session (actor, expires);
CREATE INDEX session_actor_ended ON session (actor, ended) WHERE ended IS NOT NULL;
