-- The second half of the same shape: people, what they said, and fleet plans.

CREATE TABLE activity (
  account_id TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
  id         BIGINT NOT NULL,
  at         BIGINT NOT NULL,
  actor      TEXT COLLATE "C" NOT NULL,
  action     TEXT COLLATE "C" NOT NULL,
  target     TEXT COLLATE "C" NOT NULL,
  name       TEXT COLLATE "C" NOT NULL,
  reason     TEXT COLLATE "C" NOT NULL,
  before     TEXT COLLATE "C",
  after      TEXT COLLATE "C",
  hash       TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (account_id, id)
);
CREATE INDEX activity_by_target ON activity (account_id, target, id);
CREATE TRIGGER activity_is_not_changed BEFORE UPDATE ON activity
  FOR EACH ROW EXECUTE FUNCTION refuse_to_change();
CREATE TRIGGER activity_is_not_deleted BEFORE DELETE ON activity
  FOR EACH ROW EXECUTE FUNCTION refuse_to_change();
CREATE TRIGGER activity_is_not_emptied BEFORE TRUNCATE ON activity
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change();

CREATE TABLE four_eyes (
  account_id TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
  channel    TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (account_id, channel)
);

CREATE TABLE windows (
  id          TEXT COLLATE "C" PRIMARY KEY,
  account_id  TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
  name        TEXT COLLATE "C" NOT NULL,
  selector    TEXT COLLATE "C" NOT NULL,
  cron        TEXT COLLATE "C" NOT NULL,
  duration_ms BIGINT NOT NULL,
  zone        TEXT COLLATE "C" NOT NULL,
  created_by  TEXT COLLATE "C" NOT NULL,
  created_at  BIGINT NOT NULL,
  UNIQUE (account_id, name)
);

CREATE TABLE freezes (
  id         TEXT COLLATE "C" PRIMARY KEY,
  account_id TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
  reason     TEXT COLLATE "C" NOT NULL,
  starts_at  BIGINT NOT NULL,
  ends_at    BIGINT NOT NULL,
  selector   TEXT COLLATE "C" NOT NULL,
  zone       TEXT COLLATE "C" NOT NULL,
  created_by TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  ended_by   TEXT COLLATE "C",
  end_reason TEXT COLLATE "C"
);
CREATE INDEX freezes_by_account ON freezes (account_id, ends_at);

CREATE TABLE users (
  id                   TEXT COLLATE "C" PRIMARY KEY,
  name                 TEXT COLLATE "C" NOT NULL,
  password             TEXT COLLATE "C",
  must_change_password BOOLEAN NOT NULL DEFAULT FALSE,
  oidc_subject         TEXT COLLATE "C" UNIQUE,
  disabled_at          BIGINT,
  created_at           BIGINT NOT NULL
);
CREATE UNIQUE INDEX one_user_a_name ON users (lower(name));

CREATE TABLE memberships (
  account_id         TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
  user_id            TEXT COLLATE "C" NOT NULL REFERENCES users (id),
  role               TEXT COLLATE "C" NOT NULL,
  is_release_manager BOOLEAN NOT NULL,
  created_at         BIGINT NOT NULL,
  PRIMARY KEY (account_id, user_id)
);
CREATE INDEX memberships_by_user ON memberships (user_id);

CREATE TABLE personal_tokens (
  id           TEXT COLLATE "C" PRIMARY KEY,
  account_id   TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
  user_id      TEXT COLLATE "C" NOT NULL REFERENCES users (id),
  name         TEXT COLLATE "C" NOT NULL,
  hash         BYTEA NOT NULL UNIQUE,
  created_at   BIGINT NOT NULL,
  expires_at   BIGINT,
  last_used_on TEXT COLLATE "C",
  revoked_at   BIGINT
);
CREATE INDEX personal_tokens_by_user ON personal_tokens (user_id, account_id);

CREATE TABLE sessions (
  hash         BYTEA PRIMARY KEY,
  user_id      TEXT COLLATE "C" NOT NULL REFERENCES users (id),
  account_id   TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
  created_at   BIGINT NOT NULL,
  last_seen_at BIGINT NOT NULL,
  expires_at   BIGINT NOT NULL,
  token_id     TEXT COLLATE "C" REFERENCES personal_tokens (id)
);
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE webhooks (
  id              TEXT COLLATE "C" PRIMARY KEY,
  account_id      TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
  url             TEXT COLLATE "C" NOT NULL,
  events          TEXT COLLATE "C" NOT NULL,
  description     TEXT COLLATE "C" NOT NULL,
  secret          TEXT COLLATE "C" NOT NULL,
  previous_secret TEXT COLLATE "C",
  previous_until  BIGINT,
  enabled         BOOLEAN NOT NULL,
  disabled_reason TEXT COLLATE "C",
  failing_since   BIGINT,
  last_attempt_at BIGINT,
  created_by      TEXT COLLATE "C" NOT NULL,
  created_at      BIGINT NOT NULL
);
CREATE INDEX webhooks_by_account ON webhooks (account_id, id);

CREATE TABLE webhook_deliveries (
  id              TEXT COLLATE "C" PRIMARY KEY,
  webhook_id      TEXT COLLATE "C" NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
  event           TEXT COLLATE "C" NOT NULL,
  payload         TEXT COLLATE "C" NOT NULL,
  status          TEXT COLLATE "C" NOT NULL,
  attempts        BIGINT NOT NULL DEFAULT 0,
  created_at      BIGINT NOT NULL,
  next_attempt_at BIGINT,
  last_attempt_at BIGINT,
  last_status     BIGINT,
  last_answer     TEXT COLLATE "C"
);
CREATE INDEX deliveries_by_webhook ON webhook_deliveries (webhook_id, id);
CREATE INDEX deliveries_that_wait ON webhook_deliveries (webhook_id, next_attempt_at) WHERE status = 'pending';

CREATE TABLE executor_groups (
  id         TEXT COLLATE "C" PRIMARY KEY,
  account_id TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
  name       TEXT COLLATE "C" NOT NULL,
  selector   TEXT COLLATE "C" NOT NULL,
  created_by TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  UNIQUE (account_id, name)
);

CREATE TABLE plan_waves (
  plan_id          TEXT COLLATE "C" NOT NULL REFERENCES plans (id),
  wave             BIGINT NOT NULL,
  state            TEXT COLLATE "C" NOT NULL,
  reason           TEXT COLLATE "C" NOT NULL,
  began_at         BIGINT,
  healthy_since    BIGINT,
  canary_passed_at BIGINT,
  passed_at        BIGINT,
  PRIMARY KEY (plan_id, wave)
);

CREATE TABLE plan_members (
  plan_id         TEXT COLLATE "C" NOT NULL REFERENCES plans (id),
  executor_id     TEXT COLLATE "C" NOT NULL REFERENCES executors (id),
  executor_name   TEXT COLLATE "C" NOT NULL,
  wave            BIGINT NOT NULL,
  position        BIGINT NOT NULL,
  canary          BOOLEAN NOT NULL,
  outcome         TEXT COLLATE "C" NOT NULL,
  reason          TEXT COLLATE "C" NOT NULL,
  from_version    TEXT COLLATE "C" NOT NULL,
  restarts_before BIGINT NOT NULL,
  upgrade_id      TEXT COLLATE "C" REFERENCES upgrades (id),
  PRIMARY KEY (plan_id, executor_id)
);
CREATE INDEX plan_members_by_executor ON plan_members (executor_id);
CREATE INDEX plan_members_by_wave ON plan_members (plan_id, wave, position);

CREATE TABLE plan_gates (
  plan_id TEXT COLLATE "C" NOT NULL REFERENCES plans (id),
  wave    BIGINT NOT NULL,
  name    TEXT COLLATE "C" NOT NULL,
  outcome TEXT COLLATE "C" NOT NULL,
  message TEXT COLLATE "C" NOT NULL,
  at      BIGINT,
  by      TEXT COLLATE "C",
  skipped BOOLEAN NOT NULL DEFAULT FALSE,
  PRIMARY KEY (plan_id, wave, name)
);

CREATE TABLE plan_events (
  seq           BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  plan_id       TEXT COLLATE "C" NOT NULL REFERENCES plans (id),
  at            BIGINT NOT NULL,
  level         TEXT COLLATE "C" NOT NULL,
  wave          TEXT COLLATE "C",
  executor_name TEXT COLLATE "C",
  message       TEXT COLLATE "C" NOT NULL
);
CREATE INDEX plan_events_by_plan ON plan_events (plan_id, seq);
