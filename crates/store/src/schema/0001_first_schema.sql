-- Types: {int} {text} {blob}; {table} and {clustered} end a table. See docs/storage.md.

CREATE TABLE installation (
    key {text} NOT NULL PRIMARY KEY,
    value {blob} NOT NULL
){clustered};

-- The ledger -----------------------------------------------------------------------------------

CREATE TABLE ledger_head (
    id {int} NOT NULL PRIMARY KEY CHECK (id = 1),
    epoch {int} NOT NULL,
    size {int} NOT NULL,
    recorded {int} NOT NULL,
    frontier {blob} NOT NULL,
    origin {text} NOT NULL
){table};

CREATE TABLE ledger_epoch (
    epoch {int} NOT NULL PRIMARY KEY,
    origin {text} NOT NULL,
    started {int} NOT NULL,
    previous_note {text}
){table};

CREATE TABLE ledger_entry (
    epoch {int} NOT NULL,
    sequence {int} NOT NULL,
    unit {blob} NOT NULL,
    recorded {int} NOT NULL,
    actor {blob},
    subject {blob},
    institution {blob},
    action {text} NOT NULL,
    entry {blob} NOT NULL,
    PRIMARY KEY (epoch, sequence)
){clustered};
CREATE INDEX ledger_entry_subject ON ledger_entry (subject, epoch, sequence) WHERE subject IS NOT NULL;
-- For counts per person or actor in a window of time: they read this instead of the entries.
CREATE INDEX ledger_entry_window ON ledger_entry (epoch, sequence, subject, actor);
CREATE INDEX ledger_entry_actor ON ledger_entry (actor, epoch, sequence) WHERE actor IS NOT NULL;

CREATE TABLE ledger_tile (
    epoch {int} NOT NULL,
    level {int} NOT NULL,
    idx {int} NOT NULL,
    hashes {blob} NOT NULL,
    PRIMARY KEY (epoch, level, idx)
){table};

CREATE TABLE checkpoint (
    epoch {int} NOT NULL,
    size {int} NOT NULL,
    recorded {int} NOT NULL,
    note {text} NOT NULL,
    PRIMARY KEY (epoch, size)
){clustered};

-- Access versions ------------------------------------------------------------------------------

CREATE TABLE access_version (
    id {blob} NOT NULL,
    scope {int} NOT NULL,
    version {int} NOT NULL,
    PRIMARY KEY (id, scope)
){clustered};

-- Objects --------------------------------------------------------------------------------------

CREATE TABLE object_version (
    object {blob} NOT NULL,
    version {int} NOT NULL,
    kind {text} NOT NULL,
    subject {blob},
    class {text},
    state {text},
    author {blob},
    on_behalf {blob},
    confirmer {blob},
    institution {blob},
    recorded {int} NOT NULL,
    pack {blob} NOT NULL,
    key {blob},
    body {blob} NOT NULL,
    commitment {blob} NOT NULL,
    unit {blob} NOT NULL,
    PRIMARY KEY (object, version)
){table};

CREATE TABLE object_head (
    object {blob} NOT NULL PRIMARY KEY,
    version {int} NOT NULL,
    kind {text} NOT NULL,
    subject {blob},
    class {text},
    state {text},
    institution {blob},
    author {blob},
    updated {int} NOT NULL,
    sort_time {int} NOT NULL
){clustered};
CREATE INDEX object_head_subject ON object_head (subject, sort_time, object) WHERE subject IS NOT NULL;
CREATE INDEX object_head_subject_kind ON object_head (subject, kind, sort_time, object) WHERE subject IS NOT NULL;
CREATE INDEX object_head_kind ON object_head (kind, object);
CREATE INDEX object_head_governed ON object_head (kind, class, sort_time, object) WHERE subject IS NULL;
CREATE INDEX object_head_governed_state ON object_head (kind, state, sort_time, object) WHERE subject IS NULL;

CREATE TABLE link (
    object {blob} NOT NULL,
    role {text} NOT NULL,
    target {blob} NOT NULL,
    subject {blob},
    PRIMARY KEY (object, role, target)
){clustered};
CREATE INDEX link_target ON link (target, role, object);
CREATE INDEX link_subject ON link (subject, role) WHERE subject IS NOT NULL;

-- Search ---------------------------------------------------------------------------------------

CREATE TABLE search_token (
    field {int} NOT NULL,
    token {blob} NOT NULL,
    object {blob} NOT NULL,
    subject {blob},
    generation {int} NOT NULL,
    PRIMARY KEY (field, token, object)
){clustered};
CREATE INDEX search_token_object ON search_token (object);

CREATE TABLE clinical_index (
    subject {blob} NOT NULL,
    kind {text} NOT NULL,
    code_token {blob} NOT NULL,
    start {int} NOT NULL,
    finish {int} NOT NULL,
    object {blob} NOT NULL,
    PRIMARY KEY (subject, kind, object, code_token)
){clustered};
CREATE INDEX clinical_index_start ON clinical_index (subject, kind, start, object);
CREATE INDEX clinical_index_object ON clinical_index (object);

CREATE TABLE source_id (
    token {blob} NOT NULL PRIMARY KEY,
    object {blob} NOT NULL
){clustered};

-- Keys -----------------------------------------------------------------------------------------

CREATE TABLE wrapped_key (
    id {blob} NOT NULL PRIMARY KEY,
    parent {blob},
    usage {text} NOT NULL,
    owner {blob},
    created {int} NOT NULL,
    bytes {blob} NOT NULL
){clustered};
CREATE INDEX wrapped_key_owner ON wrapped_key (owner, usage);
CREATE INDEX wrapped_key_parent ON wrapped_key (parent);

-- Signing in -----------------------------------------------------------------------------------

CREATE TABLE session (
    token_hash {blob} NOT NULL PRIMARY KEY,
    id {blob} NOT NULL UNIQUE,
    actor {blob} NOT NULL,
    institution {blob},
    terminal {blob},
    zone {text},
    strength {text} NOT NULL,
    created {int} NOT NULL,
    last_seen {int} NOT NULL,
    expires {int} NOT NULL,
    ended {int}
){clustered};
CREATE INDEX session_actor ON session (actor);
CREATE INDEX session_expires ON session (expires);

CREATE TABLE bearer_token (
    token_hash {blob} NOT NULL PRIMARY KEY,
    id {blob} NOT NULL UNIQUE,
    actor {blob} NOT NULL,
    scopes {text} NOT NULL,
    institution {blob},
    created {int} NOT NULL,
    expires {int} NOT NULL,
    revoked {int}
){clustered};
CREATE INDEX bearer_token_actor ON bearer_token (actor);

CREATE TABLE sign_in_attempt (
    login_token {blob} NOT NULL,
    address_hash {blob} NOT NULL,
    failures {int} NOT NULL,
    last_failure {int} NOT NULL,
    locked_until {int} NOT NULL,
    PRIMARY KEY (login_token, address_hash)
){clustered};
CREATE INDEX sign_in_attempt_last ON sign_in_attempt (last_failure);

CREATE TABLE login (
    login_token {blob} NOT NULL PRIMARY KEY,
    actor {blob} NOT NULL
){clustered};
CREATE INDEX login_actor ON login (actor);

-- Housekeeping ---------------------------------------------------------------------------------

CREATE TABLE job_lease (
    name {text} NOT NULL PRIMARY KEY,
    holder {blob} NOT NULL,
    fencing {int} NOT NULL,
    expires {int} NOT NULL
){clustered};

CREATE TABLE refusal_count (
    minute {int} NOT NULL,
    address_hash {blob} NOT NULL,
    reason {text} NOT NULL,
    count {int} NOT NULL,
    PRIMARY KEY (minute, address_hash, reason)
){clustered};
