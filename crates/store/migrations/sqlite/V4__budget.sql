-- What nodes share of a source's API: the hour's requests, and the tokens of sign-ins.

CREATE TABLE budgets (
    holder     TEXT PRIMARY KEY NOT NULL, -- the API's host, and a fingerprint of whom it counts requests for
    ledger     TEXT NOT NULL,             -- JSON: who sent how many requests when, and who waits
    changed_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE tokens (
    sign_in    TEXT PRIMARY KEY NOT NULL, -- the connection, its consumer and its workspace
    sealed     TEXT NOT NULL,             -- JSON, encrypted
    changed_at INTEGER NOT NULL
) WITHOUT ROWID;
