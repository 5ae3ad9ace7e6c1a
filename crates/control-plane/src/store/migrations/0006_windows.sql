-- When upgrades may begin. Selectors are JSON; a freeze that a person ended early ends when that was.

CREATE TABLE windows (
  id          TEXT PRIMARY KEY,
  account_id  TEXT NOT NULL REFERENCES accounts (id),
  name        TEXT NOT NULL,
  selector    TEXT NOT NULL,
  cron        TEXT NOT NULL,
  duration_ms INTEGER NOT NULL,
  zone        TEXT NOT NULL,
  created_by  TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  UNIQUE (account_id, name)
) STRICT;

CREATE TABLE freezes (
  id         TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  reason     TEXT NOT NULL,
  starts_at  INTEGER NOT NULL,
  ends_at    INTEGER NOT NULL,
  selector   TEXT NOT NULL,
  zone       TEXT NOT NULL,
  created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  ended_by   TEXT,
  end_reason TEXT
) STRICT;
CREATE INDEX freezes_by_account ON freezes (account_id, ends_at);
