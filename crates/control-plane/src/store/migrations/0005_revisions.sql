-- What ran on each executor, and what was tried: added to, never changed. What ran when this table came is the first.

CREATE TABLE revisions (
  executor_id TEXT NOT NULL REFERENCES executors (id),
  revision    INTEGER NOT NULL,
  version     TEXT NOT NULL,
  status      TEXT NOT NULL,
  description TEXT NOT NULL,
  by          TEXT NOT NULL,
  upgrade_id  TEXT REFERENCES upgrades (id),
  at          INTEGER NOT NULL,
  PRIMARY KEY (executor_id, revision)
) STRICT;
INSERT INTO revisions SELECT id, 1, current_version, 'COMPLETED', 'first seen', 'executor ' || name, NULL, last_seen_at
  FROM executors;

CREATE TRIGGER revisions_are_not_changed BEFORE UPDATE ON revisions
BEGIN SELECT RAISE(ABORT, 'revisions are append-only'); END;
CREATE TRIGGER revisions_are_not_deleted BEFORE DELETE ON revisions
BEGIN SELECT RAISE(ABORT, 'revisions are append-only'); END;

-- A hop on the way to somewhere else.
ALTER TABLE upgrades ADD COLUMN hops_to TEXT;

-- Upgrades of many executors, in their order.
CREATE TABLE batches (
  id              TEXT PRIMARY KEY,
  account_id      TEXT NOT NULL REFERENCES accounts (id),
  kind            TEXT NOT NULL,
  target_version  TEXT NOT NULL,
  concurrency     INTEGER NOT NULL,
  stop_on_failure INTEGER NOT NULL,
  hops            INTEGER NOT NULL,
  confirm         TEXT NOT NULL,
  description     TEXT NOT NULL,
  requested_by    TEXT NOT NULL,
  created_at      INTEGER NOT NULL,
  ended_at        INTEGER,
  stopped_because TEXT
) STRICT;
CREATE INDEX batches_by_account ON batches (account_id, id);
CREATE INDEX batches_under_way ON batches (id) WHERE ended_at IS NULL;

CREATE TABLE batch_items (
  batch_id      TEXT NOT NULL REFERENCES batches (id),
  position      INTEGER NOT NULL,
  executor_id   TEXT NOT NULL REFERENCES executors (id),
  executor_name TEXT NOT NULL,
  outcome       TEXT NOT NULL,
  reason        TEXT NOT NULL,
  upgrade_id    TEXT REFERENCES upgrades (id),
  PRIMARY KEY (batch_id, position)
) STRICT;
