-- Names ending in _key are the names in small letters.

-- What there is one of: the number that grows with each change, the version of the program that wrote last.
CREATE TABLE application (
    name  TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
);
INSERT INTO application (name, value) VALUES ('generation', '0');

CREATE TABLE connections (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       TEXT NOT NULL,
    name_key   TEXT COLLATE "C" NOT NULL UNIQUE,
    properties TEXT NOT NULL, -- JSON
    labels     TEXT NOT NULL, -- JSON
    label_keys TEXT NOT NULL, -- each between line feeds
    tested     TEXT,          -- JSON
    revision   BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL,
    changed_by TEXT NOT NULL
);

CREATE TABLE jobs (
    id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            TEXT NOT NULL,
    name_key        TEXT COLLATE "C" NOT NULL,
    source          TEXT NOT NULL,
    source_key      TEXT NOT NULL,
    destination     TEXT NOT NULL,
    destination_key TEXT NOT NULL,
    definition      TEXT NOT NULL, -- JSON, without names and tasks
    label_keys      TEXT NOT NULL,
    scheduled       BOOLEAN NOT NULL,
    pause_after     BIGINT NOT NULL,
    keep_days       BIGINT,
    keep_runs       BIGINT,
    keep_event_days BIGINT,
    revision        BIGINT NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    changed_at      TIMESTAMPTZ NOT NULL,
    changed_by      TEXT NOT NULL,
    paused_at       TIMESTAMPTZ,
    paused_why      TEXT,
    failures        BIGINT NOT NULL DEFAULT 0,
    owed_from       TIMESTAMPTZ NOT NULL,
    last_run        BIGINT, -- that ended, neither skipped nor missed
    last_state      TEXT,
    last_success    BIGINT,
    deleted_at      TIMESTAMPTZ  -- the row stays until its runs are gone
);
CREATE UNIQUE INDEX jobs_name ON jobs (name_key) WHERE deleted_at IS NULL;

CREATE TABLE tasks (
    id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id    BIGINT NOT NULL REFERENCES jobs ON DELETE CASCADE,
    position  BIGINT NOT NULL,
    statement TEXT NOT NULL,
    enabled   BOOLEAN NOT NULL
);
CREATE INDEX tasks_job ON tasks (job_id, position);

CREATE TABLE nodes (
    id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name      TEXT NOT NULL,
    version   TEXT NOT NULL,
    joined_at TIMESTAMPTZ NOT NULL,
    seen_at   TIMESTAMPTZ NOT NULL
);

CREATE TABLE runs (
    id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id          BIGINT NOT NULL REFERENCES jobs,
    source          TEXT NOT NULL,
    destination     TEXT NOT NULL,
    origin          TEXT NOT NULL,
    origin_detail   TEXT NOT NULL, -- JSON
    state           TEXT NOT NULL,
    reason          TEXT,
    due_at          TIMESTAMPTZ,
    slots           BIGINT NOT NULL,
    tasks           TEXT,          -- JSON
    run_key         TEXT,
    attempt         BIGINT NOT NULL,
    interruptions   BIGINT NOT NULL DEFAULT 0,
    queued_at       TIMESTAMPTZ NOT NULL,
    ready_at        TIMESTAMPTZ NOT NULL,
    started_at      TIMESTAMPTZ,
    ended_at        TIMESTAMPTZ,
    node_id         BIGINT,       -- that holds it
    node_name       TEXT,
    cancel_asked    BOOLEAN NOT NULL DEFAULT FALSE,
    rows_read       BIGINT NOT NULL DEFAULT 0,
    rows_inserted   BIGINT NOT NULL DEFAULT 0,
    rows_updated    BIGINT NOT NULL DEFAULT 0,
    rows_deleted    BIGINT NOT NULL DEFAULT 0,
    requests        BIGINT NOT NULL DEFAULT 0,
    waited_ms       BIGINT NOT NULL DEFAULT 0,
    failure_code    TEXT,
    failure_kind    TEXT,
    failure_message TEXT,
    failure_hint    TEXT,
    last_event      BIGINT NOT NULL DEFAULT 0,
    events          BIGINT NOT NULL DEFAULT 0,
    events_dropped  BIGINT NOT NULL DEFAULT 0,
    events_from     BIGINT NOT NULL DEFAULT 0 -- what the cap can remove comes behind this number
);
CREATE INDEX runs_queued ON runs (queued_at, id);
CREATE INDEX runs_job ON runs (job_id, queued_at, id);
CREATE INDEX runs_kind ON runs (state, origin, queued_at, id);
CREATE INDEX runs_failure ON runs (queued_at, id) WHERE failure_code IS NOT NULL;
CREATE INDEX runs_open ON runs (job_id, ready_at, id) WHERE ended_at IS NULL;
CREATE INDEX runs_events ON runs (job_id, queued_at) WHERE events > 0;
CREATE UNIQUE INDEX runs_held ON runs (job_id) WHERE node_id IS NOT NULL;
CREATE UNIQUE INDEX runs_key ON runs (job_id, run_key) WHERE run_key IS NOT NULL;

-- How many runs there are, so that counts need not read them all.
CREATE TABLE run_counts (
    job_id BIGINT NOT NULL,
    state  TEXT NOT NULL,
    origin TEXT NOT NULL,
    runs   BIGINT NOT NULL,
    PRIMARY KEY (job_id, state, origin)
);

CREATE TABLE slots (
    job_id BIGINT NOT NULL,
    due_at TIMESTAMPTZ NOT NULL,
    run_id BIGINT NOT NULL REFERENCES runs ON DELETE CASCADE,
    PRIMARY KEY (job_id, due_at)
);
CREATE INDEX slots_run ON slots (run_id);

CREATE TABLE task_runs (
    id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id          BIGINT NOT NULL REFERENCES runs ON DELETE CASCADE,
    task_id         BIGINT,       -- unless it is another step
    step            TEXT NOT NULL, -- JSON
    attempt         BIGINT NOT NULL,
    statement       TEXT NOT NULL,
    table_name      TEXT,
    state           TEXT NOT NULL,
    started_at      TIMESTAMPTZ NOT NULL,
    ended_at        TIMESTAMPTZ,
    rows_read       BIGINT NOT NULL DEFAULT 0,
    rows_inserted   BIGINT NOT NULL DEFAULT 0,
    rows_updated    BIGINT NOT NULL DEFAULT 0,
    rows_deleted    BIGINT NOT NULL DEFAULT 0,
    requests        BIGINT NOT NULL DEFAULT 0,
    waited_ms       BIGINT NOT NULL DEFAULT 0,
    failure_code    TEXT,
    failure_kind    TEXT,
    failure_message TEXT,
    failure_hint    TEXT
);
CREATE INDEX task_runs_run ON task_runs (run_id, id);
CREATE INDEX task_runs_task ON task_runs (task_id, id) WHERE task_id IS NOT NULL;

CREATE TABLE slices (
    task_run_id     BIGINT NOT NULL REFERENCES task_runs ON DELETE CASCADE,
    slice           TEXT COLLATE "C" NOT NULL,
    outcome         TEXT NOT NULL,
    elapsed_ms      BIGINT NOT NULL,
    rows_read       BIGINT NOT NULL,
    rows_inserted   BIGINT NOT NULL,
    rows_updated    BIGINT NOT NULL,
    rows_deleted    BIGINT NOT NULL,
    requests        BIGINT NOT NULL,
    waited_ms       BIGINT NOT NULL,
    failure_code    TEXT,
    failure_kind    TEXT,
    failure_message TEXT,
    failure_hint    TEXT,
    PRIMARY KEY (task_run_id, slice)
);

CREATE TABLE events (
    run_id      BIGINT NOT NULL REFERENCES runs ON DELETE CASCADE,
    number      BIGINT NOT NULL,
    at          TIMESTAMPTZ NOT NULL,
    level       BIGINT NOT NULL, -- 0 debug, 1 info, 2 warning, 3 error
    kind        TEXT NOT NULL,
    task_run_id BIGINT,
    slice       TEXT,
    code        TEXT,
    text        TEXT NOT NULL,
    PRIMARY KEY (run_id, number)
);
