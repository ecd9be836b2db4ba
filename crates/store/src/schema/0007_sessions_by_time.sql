-- An account's last sign-in, its last sign-out and what goes on of it are found without reading all of its
-- sessions: somebody who signs in every day has hundreds.
DROP INDEX session_actor;
CREATE INDEX session_actor ON session (actor, created);
CREATE INDEX session_actor_ended ON session (actor, ended);
