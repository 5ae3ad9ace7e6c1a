-- Who did what. Each entry is written in the transaction it tells of; the hash chains it to the one before.

CREATE TABLE activity (
  account_id TEXT NOT NULL REFERENCES accounts (id),
  id         INTEGER NOT NULL,
  at         INTEGER NOT NULL,
  actor      TEXT NOT NULL,
  action     TEXT NOT NULL,
  target     TEXT NOT NULL,
  name       TEXT NOT NULL,
  reason     TEXT NOT NULL,
  before     TEXT,
  after      TEXT,
  hash       TEXT NOT NULL,
  PRIMARY KEY (account_id, id)
) STRICT;
CREATE INDEX activity_by_target ON activity (account_id, target, id);

CREATE TRIGGER activity_is_not_changed BEFORE UPDATE ON activity
BEGIN SELECT RAISE(ABORT, 'the activity is append-only'); END;
CREATE TRIGGER activity_is_not_deleted BEFORE DELETE ON activity
BEGIN SELECT RAISE(ABORT, 'the activity is append-only'); END;
