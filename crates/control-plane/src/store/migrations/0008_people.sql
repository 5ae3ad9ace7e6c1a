-- Users are apart from accounts: a membership says what a user may do in an account.

ALTER TABLE accounts ADD COLUMN is_founding INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN suspended_at INTEGER;
ALTER TABLE accounts ADD COLUMN suspension_reason TEXT;
UPDATE accounts SET is_founding = 1 WHERE id = (SELECT min(id) FROM accounts);
CREATE UNIQUE INDEX one_founding_account ON accounts (is_founding) WHERE is_founding = 1;
CREATE UNIQUE INDEX one_account_a_name ON accounts (name COLLATE NOCASE);

-- A user without a membership keeps its row, so that its name never stands for somebody else.
CREATE TABLE users (
  id                   TEXT PRIMARY KEY,
  name                 TEXT NOT NULL,
  password             TEXT,
  must_change_password INTEGER NOT NULL DEFAULT 0,
  oidc_subject         TEXT UNIQUE,
  disabled_at          INTEGER,
  created_at           INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_user_a_name ON users (name COLLATE NOCASE);

CREATE TABLE memberships (
  account_id         TEXT NOT NULL REFERENCES accounts (id),
  user_id            TEXT NOT NULL REFERENCES users (id),
  role               TEXT NOT NULL,
  is_release_manager INTEGER NOT NULL,
  created_at         INTEGER NOT NULL,
  PRIMARY KEY (account_id, user_id)
) STRICT;
CREATE INDEX memberships_by_user ON memberships (user_id);

-- Whoever had a token becomes a user with the id of the first one, and stays as mighty as the token was.
INSERT INTO users (id, name, created_at)
  SELECT min(id), min(user_name), min(created_at) FROM user_tokens GROUP BY user_name COLLATE NOCASE;
INSERT INTO memberships (account_id, user_id, role, is_release_manager, created_at)
  SELECT t.account_id, u.id, 'owner', 1, min(t.created_at)
  FROM user_tokens t JOIN users u ON u.name = t.user_name COLLATE NOCASE
  WHERE t.revoked_at IS NULL GROUP BY t.account_id, u.id;

CREATE TABLE personal_tokens (
  id           TEXT PRIMARY KEY,
  account_id   TEXT NOT NULL REFERENCES accounts (id),
  user_id      TEXT NOT NULL REFERENCES users (id),
  name         TEXT NOT NULL,
  hash         BLOB NOT NULL UNIQUE,
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER,
  last_used_on TEXT,
  revoked_at   INTEGER
) STRICT;
CREATE INDEX personal_tokens_by_user ON personal_tokens (user_id, account_id);
INSERT INTO personal_tokens (id, account_id, user_id, name, hash, created_at, revoked_at)
  SELECT t.id, t.account_id, u.id, 'the first', t.hash, t.created_at, t.revoked_at
  FROM user_tokens t JOIN users u ON u.name = t.user_name COLLATE NOCASE;
DROP TABLE user_tokens;

CREATE TABLE sessions (
  hash         BLOB PRIMARY KEY,
  user_id      TEXT NOT NULL REFERENCES users (id),
  account_id   TEXT NOT NULL REFERENCES accounts (id),
  created_at   INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_by_user ON sessions (user_id);

-- After a rotation the secret before goes on working for a while.
ALTER TABLE executor_keys ADD COLUMN expires_at INTEGER;
ALTER TABLE executor_keys ADD COLUMN previous_hash BLOB;
ALTER TABLE executor_keys ADD COLUMN previous_until INTEGER;
CREATE UNIQUE INDEX executor_keys_by_previous_hash ON executor_keys (previous_hash) WHERE previous_hash IS NOT NULL;
