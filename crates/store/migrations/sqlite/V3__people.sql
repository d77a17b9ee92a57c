-- People, what they sign in by, and what was done by whom.

CREATE TABLE accounts (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    name         TEXT NOT NULL,
    name_key     TEXT NOT NULL UNIQUE,
    role         TEXT NOT NULL,
    enabled      BOOLEAN NOT NULL,
    password     TEXT, -- its Argon2id hash
    signed_in_at INTEGER,
    revision     INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    changed_by   TEXT NOT NULL
);

CREATE TABLE sessions (
    hash       TEXT PRIMARY KEY NOT NULL, -- SHA-256 of what is in the cookie
    account_id INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
    address    TEXT NOT NULL,
    agent      TEXT NOT NULL,
    begun_at   INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_account ON sessions (account_id);

CREATE TABLE api_tokens (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
    name       TEXT NOT NULL,
    hash       TEXT NOT NULL UNIQUE, -- SHA-256
    role       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    ends_at    INTEGER NOT NULL,
    used_at    INTEGER
);
CREATE INDEX api_tokens_account ON api_tokens (account_id);

-- Rows are added and never changed.
CREATE TABLE audit (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    changed_by TEXT NOT NULL,
    address    TEXT,
    action     TEXT NOT NULL,
    object     TEXT NOT NULL,
    before     TEXT, -- JSON, secrets masked
    after      TEXT  -- JSON, secrets masked
);
CREATE INDEX audit_at ON audit (at);
