-- Times are microseconds since 1970 in UTC. Names ending in _key are the names in small letters.

-- What there is one of: the number that grows with each change, the version of the program that wrote last.
CREATE TABLE application (
    name  TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO application (name, value) VALUES ('generation', '0');

CREATE TABLE connections (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL,
    name_key   TEXT NOT NULL UNIQUE,
    properties TEXT NOT NULL, -- JSON
    labels     TEXT NOT NULL, -- JSON
    label_keys TEXT NOT NULL, -- each between line feeds
    tested     TEXT,          -- JSON
    revision   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    changed_by TEXT NOT NULL
);

CREATE TABLE jobs (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    name            TEXT NOT NULL,
    name_key        TEXT NOT NULL,
    source          TEXT NOT NULL,
    source_key      TEXT NOT NULL,
    destination     TEXT NOT NULL,
    destination_key TEXT NOT NULL,
    definition      TEXT NOT NULL, -- JSON, without names and tasks
    label_keys      TEXT NOT NULL,
    scheduled       BOOLEAN NOT NULL,
    pause_after     INTEGER NOT NULL,
    keep_days       INTEGER,
    keep_runs       INTEGER,
    keep_event_days INTEGER,
    revision        INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    changed_at      INTEGER NOT NULL,
    changed_by      TEXT NOT NULL,
    paused_at       INTEGER,
    paused_why      TEXT,
    failures        INTEGER NOT NULL DEFAULT 0,
    owed_from       INTEGER NOT NULL,
    last_run        INTEGER, -- that ended, neither skipped nor missed
    last_state      TEXT,
    last_success    INTEGER,
    deleted_at      INTEGER  -- the row stays until its runs are gone
);
CREATE UNIQUE INDEX jobs_name ON jobs (name_key) WHERE deleted_at IS NULL;

CREATE TABLE tasks (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id    INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE,
    position  INTEGER NOT NULL,
    statement TEXT NOT NULL,
    enabled   BOOLEAN NOT NULL
);
CREATE INDEX tasks_job ON tasks (job_id, position);

CREATE TABLE nodes (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    name      TEXT NOT NULL,
    version   TEXT NOT NULL,
    joined_at INTEGER NOT NULL,
    seen_at   INTEGER NOT NULL
);

CREATE TABLE runs (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id          INTEGER NOT NULL REFERENCES jobs,
    source          TEXT NOT NULL,
    destination     TEXT NOT NULL,
    origin          TEXT NOT NULL,
    origin_detail   TEXT NOT NULL, -- JSON
    state           TEXT NOT NULL,
    reason          TEXT,
    due_at          INTEGER,
    slots           INTEGER NOT NULL,
    tasks           TEXT,          -- JSON
    run_key         TEXT,
    attempt         INTEGER NOT NULL,
    interruptions   INTEGER NOT NULL DEFAULT 0,
    queued_at       INTEGER NOT NULL,
    ready_at        INTEGER NOT NULL,
    started_at      INTEGER,
    ended_at        INTEGER,
    node_id         INTEGER,       -- that holds it
    node_name       TEXT,
    cancel_asked    BOOLEAN NOT NULL DEFAULT FALSE,
    rows_read       INTEGER NOT NULL DEFAULT 0,
    rows_inserted   INTEGER NOT NULL DEFAULT 0,
    rows_updated    INTEGER NOT NULL DEFAULT 0,
    rows_deleted    INTEGER NOT NULL DEFAULT 0,
    requests        INTEGER NOT NULL DEFAULT 0,
    waited_ms       INTEGER NOT NULL DEFAULT 0,
    failure_code    TEXT,
    failure_kind    TEXT,
    failure_message TEXT,
    failure_hint    TEXT,
    last_event      INTEGER NOT NULL DEFAULT 0,
    events          INTEGER NOT NULL DEFAULT 0,
    events_dropped  INTEGER NOT NULL DEFAULT 0,
    events_from     INTEGER NOT NULL DEFAULT 0 -- what the cap can remove comes behind this number
);
CREATE INDEX runs_queued ON runs (queued_at, id);
CREATE INDEX runs_job ON runs (job_id, queued_at, id);
CREATE INDEX runs_kind ON runs (state, origin, queued_at, id);
-- Texts are looked for in the index alone.
CREATE INDEX runs_failure ON runs (queued_at, id, job_id, state, origin, failure_code, failure_message)
    WHERE failure_code IS NOT NULL;
CREATE INDEX runs_open ON runs (job_id, ready_at, id) WHERE ended_at IS NULL;
CREATE INDEX runs_events ON runs (job_id, queued_at) WHERE events > 0;
CREATE UNIQUE INDEX runs_held ON runs (job_id) WHERE node_id IS NOT NULL;
CREATE UNIQUE INDEX runs_key ON runs (job_id, run_key) WHERE run_key IS NOT NULL;

-- How many runs there are, so that counts need not read them all.
CREATE TABLE run_counts (
    job_id INTEGER NOT NULL,
    state  TEXT NOT NULL,
    origin TEXT NOT NULL,
    runs   INTEGER NOT NULL,
    PRIMARY KEY (job_id, state, origin)
) WITHOUT ROWID;

CREATE TABLE slots (
    job_id INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    PRIMARY KEY (job_id, due_at)
) WITHOUT ROWID;
CREATE INDEX slots_run ON slots (run_id);

CREATE TABLE task_runs (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id          INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    task_id         INTEGER,       -- unless it is another step
    step            TEXT NOT NULL, -- JSON
    attempt         INTEGER NOT NULL,
    statement       TEXT NOT NULL,
    table_name      TEXT,
    state           TEXT NOT NULL,
    started_at      INTEGER NOT NULL,
    ended_at        INTEGER,
    rows_read       INTEGER NOT NULL DEFAULT 0,
    rows_inserted   INTEGER NOT NULL DEFAULT 0,
    rows_updated    INTEGER NOT NULL DEFAULT 0,
    rows_deleted    INTEGER NOT NULL DEFAULT 0,
    requests        INTEGER NOT NULL DEFAULT 0,
    waited_ms       INTEGER NOT NULL DEFAULT 0,
    failure_code    TEXT,
    failure_kind    TEXT,
    failure_message TEXT,
    failure_hint    TEXT
);
CREATE INDEX task_runs_run ON task_runs (run_id, id);
CREATE INDEX task_runs_task ON task_runs (task_id, id) WHERE task_id IS NOT NULL;

CREATE TABLE slices (
    task_run_id     INTEGER NOT NULL REFERENCES task_runs ON DELETE CASCADE,
    slice           TEXT NOT NULL,
    outcome         TEXT NOT NULL,
    elapsed_ms      INTEGER NOT NULL,
    rows_read       INTEGER NOT NULL,
    rows_inserted   INTEGER NOT NULL,
    rows_updated    INTEGER NOT NULL,
    rows_deleted    INTEGER NOT NULL,
    requests        INTEGER NOT NULL,
    waited_ms       INTEGER NOT NULL,
    failure_code    TEXT,
    failure_kind    TEXT,
    failure_message TEXT,
    failure_hint    TEXT,
    PRIMARY KEY (task_run_id, slice)
) WITHOUT ROWID;

CREATE TABLE events (
    run_id      INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    number      INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    level       INTEGER NOT NULL, -- 0 debug, 1 info, 2 warning, 3 error
    kind        TEXT NOT NULL,
    task_run_id INTEGER,
    slice       TEXT,
    code        TEXT,
    text        TEXT NOT NULL,
    PRIMARY KEY (run_id, number)
) WITHOUT ROWID;
