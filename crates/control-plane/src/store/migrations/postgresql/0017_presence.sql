-- When executors were last heard is kept every few seconds for all of them: in rows as small as can be, so that few
-- pages are written, and apart from what only changes when there is something new. The pages keep room for the next
-- version of each row.
CREATE TABLE presence (
  executor_id  TEXT COLLATE "C" PRIMARY KEY REFERENCES executors (id),
  last_seen_at BIGINT NOT NULL,
  restarts     BIGINT NOT NULL,
  -- Which of the control planes on one database.
  heard_by     TEXT COLLATE "C" NOT NULL DEFAULT ''
) WITH (fillfactor = 45);
INSERT INTO presence (executor_id, last_seen_at, restarts) SELECT id, last_seen_at, restarts FROM executors;
DROP TRIGGER executors_changed ON executors;
DROP TRIGGER executors_added ON executors;
ALTER TABLE executors DROP COLUMN last_seen_at, DROP COLUMN restarts;

-- Executors change many at once: one statement tells of all it has changed, in messages that are not too long.
CREATE FUNCTION tell_of_executors() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('novacula', 'executors ' || string_agg(id, ',') || ' ' || coalesce(current_setting('novacula.by', true), ''))
    FROM (SELECT id, (row_number() OVER () - 1) / 200 AS message FROM changed) AS each GROUP BY message;
  RETURN NULL;
END $$;
CREATE TRIGGER executors_added AFTER INSERT ON executors REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION tell_of_executors();
CREATE TRIGGER executors_changed AFTER UPDATE ON executors REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION tell_of_executors();
