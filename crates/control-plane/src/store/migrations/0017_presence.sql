-- When executors were last heard is kept every few seconds for all of them: in rows as small as can be, so that few
-- pages are written, and apart from what only changes when there is something new.
CREATE TABLE presence (
  executor_id  TEXT PRIMARY KEY REFERENCES executors (id),
  last_seen_at INTEGER NOT NULL,
  restarts     INTEGER NOT NULL,
  -- Which of the control planes on one database.
  heard_by     TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
INSERT INTO presence (executor_id, last_seen_at, restarts) SELECT id, last_seen_at, restarts FROM executors;
ALTER TABLE executors DROP COLUMN last_seen_at;
ALTER TABLE executors DROP COLUMN restarts;
