-- Times are milliseconds since 1970, ids are UUIDv7 as text, words are those of the wire.
-- Every row says whose it is, so that a second account needs no migration of old rows.

CREATE TABLE accounts (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE user_tokens (
  id         TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  user_name  TEXT NOT NULL,
  hash       BLOB NOT NULL UNIQUE,
  created_at INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT;

CREATE TABLE enrolment_tokens (
  id         TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  hash       BLOB NOT NULL UNIQUE,
  max_uses   INTEGER NOT NULL,
  uses       INTEGER NOT NULL DEFAULT 0,
  expires_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT;

CREATE TABLE executor_keys (
  id                 TEXT PRIMARY KEY,
  account_id         TEXT NOT NULL REFERENCES accounts (id),
  hash               BLOB NOT NULL UNIQUE,
  bound_name         TEXT,
  enrolment_token_id TEXT REFERENCES enrolment_tokens (id),
  created_by         TEXT NOT NULL,
  created_at         INTEGER NOT NULL,
  revoked_at         INTEGER
) STRICT;
CREATE INDEX executor_keys_by_name ON executor_keys (account_id, bound_name) WHERE revoked_at IS NULL;

-- A deleted executor keeps its row, because its upgrades stay readable.
CREATE TABLE executors (
  id              TEXT PRIMARY KEY,
  account_id      TEXT NOT NULL REFERENCES accounts (id),
  key_id          TEXT NOT NULL REFERENCES executor_keys (id),
  revision        INTEGER NOT NULL,
  name            TEXT NOT NULL,
  kind            TEXT NOT NULL,
  current_version TEXT NOT NULL,
  channel         TEXT NOT NULL,
  target          TEXT NOT NULL,
  labels          TEXT NOT NULL,
  held            TEXT,
  restarts        INTEGER NOT NULL,
  last_seen_at    INTEGER NOT NULL,
  created_at      INTEGER NOT NULL,
  deleted_at      INTEGER
) STRICT;
CREATE UNIQUE INDEX one_executor_a_name ON executors (account_id, name) WHERE deleted_at IS NULL;
CREATE INDEX executors_by_key ON executors (key_id);

CREATE TABLE releases (
  id           TEXT PRIMARY KEY,
  account_id   TEXT NOT NULL REFERENCES accounts (id),
  kind         TEXT NOT NULL,
  version      TEXT NOT NULL,
  channel      TEXT NOT NULL,
  status       TEXT NOT NULL,
  notes        TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  published_at INTEGER,
  UNIQUE (account_id, kind, version)
) STRICT;

CREATE TABLE artifacts (
  release_id TEXT NOT NULL REFERENCES releases (id),
  account_id TEXT NOT NULL REFERENCES accounts (id),
  target     TEXT NOT NULL,
  size       INTEGER NOT NULL,
  sha256     TEXT NOT NULL,
  signature  TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (release_id, target)
) STRICT;
CREATE INDEX artifacts_by_hash ON artifacts (sha256);

-- The artifact is copied in: what was requested stays what was requested.
CREATE TABLE upgrades (
  id               TEXT PRIMARY KEY,
  account_id       TEXT NOT NULL REFERENCES accounts (id),
  executor_id      TEXT NOT NULL REFERENCES executors (id),
  executor_name    TEXT NOT NULL,
  kind             TEXT NOT NULL,
  from_version     TEXT NOT NULL,
  target_version   TEXT NOT NULL,
  direction        TEXT NOT NULL,
  confirm          TEXT NOT NULL,
  intent           TEXT NOT NULL,
  attempt          INTEGER NOT NULL,
  health_window_ms INTEGER NOT NULL,
  stage            TEXT NOT NULL,
  status           TEXT NOT NULL,
  error            TEXT,
  ended_by_server  INTEGER NOT NULL,
  bytes_done       INTEGER NOT NULL,
  bytes_total      INTEGER NOT NULL,
  description      TEXT NOT NULL,
  requested_by     TEXT NOT NULL,
  created_at       INTEGER NOT NULL,
  scheduled_at     INTEGER NOT NULL,
  expires_at       INTEGER NOT NULL,
  started_at       INTEGER,
  ended_at         INTEGER,
  target           TEXT NOT NULL,
  size             INTEGER NOT NULL,
  sha256           TEXT NOT NULL,
  signature        TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_open_upgrade_an_executor ON upgrades (executor_id) WHERE ended_at IS NULL;
CREATE INDEX upgrades_by_executor ON upgrades (executor_id, id);
CREATE INDEX upgrades_by_account ON upgrades (account_id, id);

-- Reports are delivered at least once; a line said twice is one line.
CREATE TABLE upgrade_log (
  seq        INTEGER PRIMARY KEY,
  upgrade_id TEXT NOT NULL REFERENCES upgrades (id),
  attempt    INTEGER NOT NULL,
  at         TEXT NOT NULL,
  level      TEXT NOT NULL,
  message    TEXT NOT NULL,
  UNIQUE (upgrade_id, attempt, at, level, message)
) STRICT;
