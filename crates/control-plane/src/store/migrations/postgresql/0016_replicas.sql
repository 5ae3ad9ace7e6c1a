-- What several control planes on one database have to know of each other.

-- Since when an upgrade at work stands where it stands, as the one that hears its executor knows it.
ALTER TABLE upgrades ADD COLUMN stands_since BIGINT;

-- How often the windows and freezes have changed: it tells a late copy from a new one.
CREATE TABLE calendar_revision (revision BIGINT NOT NULL);
INSERT INTO calendar_revision VALUES (0);

-- Whose turn it is to do what happens by the clock alone, and until when unless they say so again.
CREATE TABLE turns (
  work   TEXT COLLATE "C" PRIMARY KEY,
  holder TEXT COLLATE "C" NOT NULL,
  until  BIGINT NOT NULL
);

-- Whoever changes what the others remember tells them, whichever statement it was: what changed, of which
-- id, and by whom, so that nobody hears of their own doing. When an executor was heard is not told: that is every few seconds for all of them.
CREATE FUNCTION tell_of_a_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('novacula', TG_TABLE_NAME || ' ' || NEW.id || ' ' || coalesce(current_setting('novacula.by', true), ''));
  RETURN NULL;
END $$;
CREATE TRIGGER executors_added AFTER INSERT ON executors FOR EACH ROW EXECUTE FUNCTION tell_of_a_row();
CREATE TRIGGER executors_changed AFTER UPDATE OF revision, deleted_at ON executors
  FOR EACH ROW EXECUTE FUNCTION tell_of_a_row();
CREATE TRIGGER executor_keys_added AFTER INSERT ON executor_keys FOR EACH ROW EXECUTE FUNCTION tell_of_a_row();
CREATE TRIGGER executor_keys_changed AFTER UPDATE ON executor_keys FOR EACH ROW EXECUTE FUNCTION tell_of_a_row();
CREATE TRIGGER accounts_changed AFTER UPDATE OF suspended_at ON accounts
  FOR EACH ROW EXECUTE FUNCTION tell_of_a_row();

CREATE FUNCTION tell_of_the_calendar() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE calendar_revision SET revision = revision + 1;
  PERFORM pg_notify('novacula', 'calendar - ' || coalesce(current_setting('novacula.by', true), ''));
  RETURN NULL;
END $$;
CREATE TRIGGER windows_changed AFTER INSERT OR UPDATE OR DELETE ON windows
  FOR EACH STATEMENT EXECUTE FUNCTION tell_of_the_calendar();
CREATE TRIGGER freezes_changed AFTER INSERT OR UPDATE OR DELETE ON freezes
  FOR EACH STATEMENT EXECUTE FUNCTION tell_of_the_calendar();
