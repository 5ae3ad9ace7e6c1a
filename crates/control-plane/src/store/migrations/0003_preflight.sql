-- The names an executor has been asked for and has not answered, as JSON; and its last answer to each.

ALTER TABLE executors ADD COLUMN checks TEXT NOT NULL DEFAULT '[]';

CREATE TABLE preflight (
  executor_id TEXT NOT NULL REFERENCES executors (id),
  check_name  TEXT NOT NULL,
  ok          INTEGER NOT NULL,
  note        TEXT NOT NULL,
  at          INTEGER NOT NULL,
  PRIMARY KEY (executor_id, check_name)
) STRICT;
