-- Secrets that were typed in, sealed by a key that is not in the store.
CREATE TABLE secrets (
    connection_id INTEGER NOT NULL REFERENCES connections ON DELETE CASCADE,
    property      TEXT NOT NULL, -- in small letters
    key_id        TEXT NOT NULL,
    sealed        TEXT NOT NULL, -- base64
    PRIMARY KEY (connection_id, property)
) WITHOUT ROWID;

-- The keys that seal them, each with a known text that it sealed.
CREATE TABLE secret_keys (
    key_id  TEXT PRIMARY KEY NOT NULL,
    canary  TEXT NOT NULL,
    made_at INTEGER NOT NULL
) WITHOUT ROWID;
