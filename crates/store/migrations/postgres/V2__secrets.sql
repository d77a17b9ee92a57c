-- Secrets that were typed in, sealed by a key that is not in the store.
CREATE TABLE secrets (
    connection_id BIGINT NOT NULL REFERENCES connections ON DELETE CASCADE,
    property      TEXT COLLATE "C" NOT NULL, -- in small letters
    key_id        TEXT COLLATE "C" NOT NULL,
    sealed        TEXT NOT NULL, -- base64
    PRIMARY KEY (connection_id, property)
);

-- The keys that seal them, each with a known text that it sealed.
CREATE TABLE secret_keys (
    key_id  TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    canary  TEXT NOT NULL,
    made_at TIMESTAMPTZ NOT NULL
);
