-- Fleet plans: the document as it was applied, and where it stands. What a wave is, is in the document; its members are
-- fixed when it begins.

CREATE TABLE plans (
  id             TEXT PRIMARY KEY,
  account_id     TEXT NOT NULL REFERENCES accounts (id),
  name           TEXT NOT NULL,
  document       TEXT NOT NULL,
  executor_kind  TEXT NOT NULL,
  target_version TEXT NOT NULL,
  priority       INTEGER NOT NULL,
  state          TEXT NOT NULL,
  reason         TEXT NOT NULL,
  requested_by   TEXT NOT NULL,
  created_at     INTEGER NOT NULL,
  approval       TEXT,
  warnings       TEXT NOT NULL,
  ended_at       INTEGER,
  deleted_at     INTEGER
) STRICT;
CREATE UNIQUE INDEX one_live_plan_a_name ON plans (account_id, name) WHERE ended_at IS NULL AND deleted_at IS NULL;
CREATE INDEX plans_by_account ON plans (account_id, id) WHERE deleted_at IS NULL;

CREATE TABLE plan_waves (
  plan_id          TEXT NOT NULL REFERENCES plans (id),
  wave             INTEGER NOT NULL,
  state            TEXT NOT NULL,
  reason           TEXT NOT NULL,
  began_at         INTEGER,
  healthy_since    INTEGER,
  canary_passed_at INTEGER,
  passed_at        INTEGER,
  PRIMARY KEY (plan_id, wave)
) STRICT;

CREATE TABLE plan_members (
  plan_id         TEXT NOT NULL REFERENCES plans (id),
  executor_id     TEXT NOT NULL REFERENCES executors (id),
  executor_name   TEXT NOT NULL,
  wave            INTEGER NOT NULL,
  position        INTEGER NOT NULL,
  canary          INTEGER NOT NULL,
  outcome         TEXT NOT NULL,
  reason          TEXT NOT NULL,
  from_version    TEXT NOT NULL,
  restarts_before INTEGER NOT NULL,
  upgrade_id      TEXT REFERENCES upgrades (id),
  PRIMARY KEY (plan_id, executor_id)
) STRICT;
CREATE INDEX plan_members_by_executor ON plan_members (executor_id);
CREATE INDEX plan_members_by_wave ON plan_members (plan_id, wave, position);

-- What each gate said last, and what people said to it.
CREATE TABLE plan_gates (
  plan_id TEXT NOT NULL REFERENCES plans (id),
  wave    INTEGER NOT NULL,
  name    TEXT NOT NULL,
  outcome TEXT NOT NULL,
  message TEXT NOT NULL,
  at      INTEGER,
  by      TEXT,
  skipped INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (plan_id, wave, name)
) STRICT;

CREATE TABLE plan_events (
  seq           INTEGER PRIMARY KEY,
  plan_id       TEXT NOT NULL REFERENCES plans (id),
  at            INTEGER NOT NULL,
  level         TEXT NOT NULL,
  wave          TEXT,
  executor_name TEXT,
  message       TEXT NOT NULL
) STRICT;
CREATE INDEX plan_events_by_plan ON plan_events (plan_id, seq);

-- The plan that an upgrade was requested by.
ALTER TABLE upgrades ADD COLUMN plan_id TEXT REFERENCES plans (id);

-- What people say of the labels of an executor; it stands over what its host says, which `labels` keeps on being.
ALTER TABLE executors ADD COLUMN labels_by_people TEXT NOT NULL DEFAULT '{}';

CREATE TABLE executor_groups (
  id         TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  name       TEXT NOT NULL,
  selector   TEXT NOT NULL,
  created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (account_id, name)
) STRICT;
