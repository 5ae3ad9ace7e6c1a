-- The shape that the embedded engine has after its migration 0014: executors, what they run and what they are asked to.
-- Times are milliseconds since 1970, ids are UUIDv7 as text, words are those of the wire. Texts are compared byte by
-- byte, so that every list has the same order on both engines.

-- What the embedded engine does with a list of words, for lists that are kept as JSON.
CREATE FUNCTION json_each(words TEXT) RETURNS TABLE (value TEXT) LANGUAGE sql IMMUTABLE STRICT
  AS $$ SELECT json_array_elements_text(words::json) $$;

CREATE FUNCTION refuse_to_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_TABLE_NAME = 'activity' THEN RAISE EXCEPTION 'the activity is append-only'; END IF;
  RAISE EXCEPTION '% are append-only', TG_TABLE_NAME;
END $$;

CREATE TABLE accounts (
  id                TEXT COLLATE "C" PRIMARY KEY,
  name              TEXT COLLATE "C" NOT NULL,
  created_at        BIGINT NOT NULL,
  is_founding       BOOLEAN NOT NULL DEFAULT FALSE,
  suspended_at      BIGINT,
  suspension_reason TEXT COLLATE "C"
);
CREATE UNIQUE INDEX one_founding_account ON accounts (is_founding) WHERE is_founding;
CREATE UNIQUE INDEX one_account_a_name ON accounts (lower(name));

CREATE TABLE enrolment_tokens (
  id         TEXT COLLATE "C" PRIMARY KEY,
  account_id TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
  hash       BYTEA NOT NULL UNIQUE,
  max_uses   BIGINT NOT NULL,
  uses       BIGINT NOT NULL DEFAULT 0,
  expires_at BIGINT NOT NULL,
  created_by TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  revoked_at BIGINT
);

CREATE TABLE executor_keys (
  id                 TEXT COLLATE "C" PRIMARY KEY,
  account_id         TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
  hash               BYTEA NOT NULL UNIQUE,
  bound_name         TEXT COLLATE "C",
  enrolment_token_id TEXT COLLATE "C" REFERENCES enrolment_tokens (id),
  created_by         TEXT COLLATE "C" NOT NULL,
  created_at         BIGINT NOT NULL,
  revoked_at         BIGINT,
  expires_at         BIGINT,
  previous_hash      BYTEA,
  previous_until     BIGINT
);
CREATE INDEX executor_keys_by_name ON executor_keys (account_id, bound_name) WHERE revoked_at IS NULL;
CREATE UNIQUE INDEX executor_keys_by_previous_hash ON executor_keys (previous_hash) WHERE previous_hash IS NOT NULL;

CREATE TABLE executors (
  id               TEXT COLLATE "C" PRIMARY KEY,
  account_id       TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
  key_id           TEXT COLLATE "C" NOT NULL REFERENCES executor_keys (id),
  revision         BIGINT NOT NULL,
  name             TEXT COLLATE "C" NOT NULL,
  kind             TEXT COLLATE "C" NOT NULL,
  current_version  TEXT COLLATE "C" NOT NULL,
  channel          TEXT COLLATE "C" NOT NULL,
  target           TEXT COLLATE "C" NOT NULL,
  labels           TEXT COLLATE "C" NOT NULL,
  held             TEXT COLLATE "C",
  restarts         BIGINT NOT NULL,
  last_seen_at     BIGINT NOT NULL,
  created_at       BIGINT NOT NULL,
  deleted_at       BIGINT,
  checks           TEXT COLLATE "C" NOT NULL DEFAULT '[]',
  labels_by_people TEXT COLLATE "C" NOT NULL DEFAULT '{}',
  trusted_keys     TEXT COLLATE "C"
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX one_executor_a_name ON executors (account_id, name) WHERE deleted_at IS NULL;
CREATE INDEX executors_by_key ON executors (key_id);

CREATE TABLE releases (
  id             TEXT COLLATE "C" PRIMARY KEY,
  account_id     TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
  kind           TEXT COLLATE "C" NOT NULL,
  version        TEXT COLLATE "C" NOT NULL,
  channel        TEXT COLLATE "C" NOT NULL,
  status         TEXT COLLATE "C" NOT NULL,
  notes          TEXT COLLATE "C" NOT NULL,
  created_at     BIGINT NOT NULL,
  published_at   BIGINT,
  type           TEXT COLLATE "C" NOT NULL DEFAULT '',
  prerequisites  TEXT COLLATE "C" NOT NULL DEFAULT '[]',
  postrequisites TEXT COLLATE "C" NOT NULL DEFAULT '[]',
  UNIQUE (account_id, kind, version)
);

CREATE TABLE artifacts (
  release_id TEXT COLLATE "C" NOT NULL REFERENCES releases (id),
  account_id TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
  target     TEXT COLLATE "C" NOT NULL,
  size       BIGINT NOT NULL,
  sha256     TEXT COLLATE "C" NOT NULL,
  signature  TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (release_id, target)
);
CREATE INDEX artifacts_by_hash ON artifacts (sha256);

CREATE TABLE plans (
  id             TEXT COLLATE "C" PRIMARY KEY,
  account_id     TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
  name           TEXT COLLATE "C" NOT NULL,
  document       TEXT COLLATE "C" NOT NULL,
  executor_kind  TEXT COLLATE "C" NOT NULL,
  target_version TEXT COLLATE "C" NOT NULL,
  priority       BIGINT NOT NULL,
  state          TEXT COLLATE "C" NOT NULL,
  reason         TEXT COLLATE "C" NOT NULL,
  requested_by   TEXT COLLATE "C" NOT NULL,
  created_at     BIGINT NOT NULL,
  approval       TEXT COLLATE "C",
  warnings       TEXT COLLATE "C" NOT NULL,
  ended_at       BIGINT,
  deleted_at     BIGINT
);
CREATE UNIQUE INDEX one_live_plan_a_name ON plans (account_id, name) WHERE ended_at IS NULL AND deleted_at IS NULL;
CREATE INDEX plans_by_account ON plans (account_id, id) WHERE deleted_at IS NULL;

CREATE TABLE upgrades (
  id               TEXT COLLATE "C" PRIMARY KEY,
  account_id       TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
  executor_id      TEXT COLLATE "C" NOT NULL REFERENCES executors (id),
  executor_name    TEXT COLLATE "C" NOT NULL,
  kind             TEXT COLLATE "C" NOT NULL,
  from_version     TEXT COLLATE "C" NOT NULL,
  target_version   TEXT COLLATE "C" NOT NULL,
  direction        TEXT COLLATE "C" NOT NULL,
  confirm          TEXT COLLATE "C" NOT NULL,
  intent           TEXT COLLATE "C" NOT NULL,
  attempt          BIGINT NOT NULL,
  health_window_ms BIGINT NOT NULL,
  stage            TEXT COLLATE "C" NOT NULL,
  status           TEXT COLLATE "C" NOT NULL,
  error            TEXT COLLATE "C",
  ended_by_server  BOOLEAN NOT NULL,
  bytes_done       BIGINT NOT NULL,
  bytes_total      BIGINT NOT NULL,
  description      TEXT COLLATE "C" NOT NULL,
  requested_by     TEXT COLLATE "C" NOT NULL,
  created_at       BIGINT NOT NULL,
  scheduled_at     BIGINT NOT NULL,
  expires_at       BIGINT NOT NULL,
  started_at       BIGINT,
  ended_at         BIGINT,
  target           TEXT COLLATE "C" NOT NULL,
  size             BIGINT NOT NULL,
  sha256           TEXT COLLATE "C" NOT NULL,
  signature        TEXT COLLATE "C" NOT NULL,
  type             TEXT COLLATE "C" NOT NULL DEFAULT '',
  deadline         BIGINT,
  confirm_start    TEXT COLLATE "C" NOT NULL DEFAULT 'auto',
  started_by       TEXT COLLATE "C",
  forced           BOOLEAN NOT NULL DEFAULT FALSE,
  approval         TEXT COLLATE "C",
  validation       TEXT COLLATE "C",
  offered_at       BIGINT,
  hops_to          TEXT COLLATE "C",
  plan_id          TEXT COLLATE "C" REFERENCES plans (id)
);
CREATE UNIQUE INDEX one_open_upgrade_an_executor ON upgrades (executor_id) WHERE ended_at IS NULL;
CREATE INDEX upgrades_by_executor ON upgrades (executor_id, id);
CREATE INDEX upgrades_by_account ON upgrades (account_id, id);
CREATE INDEX upgrades_pending ON upgrades (account_id, scheduled_at, id) WHERE ended_at IS NULL AND started_at IS NULL;
CREATE INDEX upgrades_open ON upgrades (account_id, stage, ended_at) WHERE ended_at IS NULL;
CREATE INDEX upgrades_ended ON upgrades (account_id, stage, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX upgrades_requested ON upgrades (account_id, created_at);

CREATE TABLE upgrade_log (
  seq        BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  upgrade_id TEXT COLLATE "C" NOT NULL REFERENCES upgrades (id),
  attempt    BIGINT NOT NULL,
  at         TEXT COLLATE "C" NOT NULL,
  level      TEXT COLLATE "C" NOT NULL,
  message    TEXT COLLATE "C" NOT NULL,
  stage      TEXT COLLATE "C" NOT NULL DEFAULT 'CONFIRM_START',
  status     TEXT COLLATE "C"
);
-- A line may be longer than what an index holds.
CREATE UNIQUE INDEX one_line_once ON upgrade_log (upgrade_id, attempt, at, level, md5(message));
CREATE INDEX upgrade_log_by_upgrade ON upgrade_log (upgrade_id, seq);

CREATE TABLE preflight (
  executor_id TEXT COLLATE "C" NOT NULL REFERENCES executors (id),
  check_name  TEXT COLLATE "C" NOT NULL,
  ok          BOOLEAN NOT NULL,
  note        TEXT COLLATE "C" NOT NULL,
  at          BIGINT NOT NULL,
  PRIMARY KEY (executor_id, check_name)
);

CREATE TABLE revisions (
  executor_id TEXT COLLATE "C" NOT NULL REFERENCES executors (id),
  revision    BIGINT NOT NULL,
  version     TEXT COLLATE "C" NOT NULL,
  status      TEXT COLLATE "C" NOT NULL,
  description TEXT COLLATE "C" NOT NULL,
  by          TEXT COLLATE "C" NOT NULL,
  upgrade_id  TEXT COLLATE "C" REFERENCES upgrades (id),
  at          BIGINT NOT NULL,
  PRIMARY KEY (executor_id, revision)
);
CREATE TRIGGER revisions_are_not_changed BEFORE UPDATE ON revisions
  FOR EACH ROW EXECUTE FUNCTION refuse_to_change();
CREATE TRIGGER revisions_are_not_deleted BEFORE DELETE ON revisions
  FOR EACH ROW EXECUTE FUNCTION refuse_to_change();
CREATE TRIGGER revisions_are_not_emptied BEFORE TRUNCATE ON revisions
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change();

CREATE TABLE batches (
  id              TEXT COLLATE "C" PRIMARY KEY,
  account_id      TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
  kind            TEXT COLLATE "C" NOT NULL,
  target_version  TEXT COLLATE "C" NOT NULL,
  concurrency     BIGINT NOT NULL,
  stop_on_failure BOOLEAN NOT NULL,
  hops            BOOLEAN NOT NULL,
  confirm         TEXT COLLATE "C" NOT NULL,
  description     TEXT COLLATE "C" NOT NULL,
  requested_by    TEXT COLLATE "C" NOT NULL,
  created_at      BIGINT NOT NULL,
  ended_at        BIGINT,
  stopped_because TEXT COLLATE "C"
);
CREATE INDEX batches_by_account ON batches (account_id, id);
CREATE INDEX batches_under_way ON batches (id) WHERE ended_at IS NULL;

CREATE TABLE batch_items (
  batch_id      TEXT COLLATE "C" NOT NULL REFERENCES batches (id),
  position      BIGINT NOT NULL,
  executor_id   TEXT COLLATE "C" NOT NULL REFERENCES executors (id),
  executor_name TEXT COLLATE "C" NOT NULL,
  outcome       TEXT COLLATE "C" NOT NULL,
  reason        TEXT COLLATE "C" NOT NULL,
  upgrade_id    TEXT COLLATE "C" REFERENCES upgrades (id),
  PRIMARY KEY (batch_id, position)
);

CREATE TABLE acknowledgements (
  upgrade_id TEXT COLLATE "C" NOT NULL REFERENCES upgrades (id),
  part       TEXT COLLATE "C" NOT NULL,
  number     BIGINT NOT NULL,
  person     TEXT COLLATE "C" NOT NULL,
  at         BIGINT NOT NULL,
  PRIMARY KEY (upgrade_id, part, number)
);
