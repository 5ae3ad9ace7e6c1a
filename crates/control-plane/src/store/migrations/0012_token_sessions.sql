-- A session that was opened with a token is no more than that token: it ends with it, and stays in its account.
ALTER TABLE sessions ADD COLUMN token_id TEXT REFERENCES personal_tokens (id);
