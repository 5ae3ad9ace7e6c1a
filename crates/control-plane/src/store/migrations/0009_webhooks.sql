-- The secret signs, so it stands here as it is. An event becomes a row for each webhook in the transaction of the
-- activity that it is made of; the row goes with its webhook, or when it is old.

CREATE TABLE webhooks (
  id              TEXT PRIMARY KEY,
  account_id      TEXT NOT NULL REFERENCES accounts (id),
  url             TEXT NOT NULL,
  events          TEXT NOT NULL,
  description     TEXT NOT NULL,
  secret          TEXT NOT NULL,
  previous_secret TEXT,
  previous_until  INTEGER,
  enabled         INTEGER NOT NULL,
  disabled_reason TEXT,
  failing_since   INTEGER,
  last_attempt_at INTEGER,
  created_by      TEXT NOT NULL,
  created_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX webhooks_by_account ON webhooks (account_id, id);

CREATE TABLE webhook_deliveries (
  id              TEXT PRIMARY KEY,
  webhook_id      TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
  event           TEXT NOT NULL,
  payload         TEXT NOT NULL,
  status          TEXT NOT NULL,
  attempts        INTEGER NOT NULL DEFAULT 0,
  created_at      INTEGER NOT NULL,
  next_attempt_at INTEGER,
  last_attempt_at INTEGER,
  last_status     INTEGER,
  last_answer     TEXT
) STRICT;
CREATE INDEX deliveries_by_webhook ON webhook_deliveries (webhook_id, id);
CREATE INDEX deliveries_that_wait ON webhook_deliveries (webhook_id, next_attempt_at) WHERE status = 'pending';
