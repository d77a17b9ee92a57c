-- People, what they sign in by, and what was done by whom.

CREATE TABLE accounts (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         TEXT NOT NULL,
    name_key     TEXT COLLATE "C" NOT NULL UNIQUE,
    role         TEXT NOT NULL,
    enabled      BOOLEAN NOT NULL,
    password     TEXT, -- its Argon2id hash
    signed_in_at TIMESTAMPTZ,
    revision     BIGINT NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    changed_at   TIMESTAMPTZ NOT NULL,
    changed_by   TEXT NOT NULL
);

CREATE TABLE sessions (
    hash       TEXT COLLATE "C" PRIMARY KEY NOT NULL, -- SHA-256 of what is in the cookie
    account_id BIGINT NOT NULL REFERENCES accounts ON DELETE CASCADE,
    address    TEXT NOT NULL,
    agent      TEXT NOT NULL,
    begun_at   TIMESTAMPTZ NOT NULL,
    seen_at    TIMESTAMPTZ NOT NULL
);
CREATE INDEX sessions_account ON sessions (account_id);

CREATE TABLE api_tokens (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES accounts ON DELETE CASCADE,
    name       TEXT NOT NULL,
    hash       TEXT COLLATE "C" NOT NULL UNIQUE, -- SHA-256
    role       TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    ends_at    TIMESTAMPTZ NOT NULL,
    used_at    TIMESTAMPTZ
);
CREATE INDEX api_tokens_account ON api_tokens (account_id);

-- Rows are added and never changed.
CREATE TABLE audit (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         TIMESTAMPTZ NOT NULL,
    changed_by TEXT NOT NULL,
    address    TEXT,
    action     TEXT NOT NULL,
    object     TEXT NOT NULL,
    before     TEXT, -- JSON, secrets masked
    after      TEXT  -- JSON, secrets masked
);
CREATE INDEX audit_at ON audit (at);
