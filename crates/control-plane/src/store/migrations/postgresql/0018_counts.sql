-- What people look at is counted as it happens: whoever wants to know how many there are reads a handful of rows, however many
-- are behind them. A recount holds these against what they count now and then.
--
-- Rows come and go many at once, and are counted by the statement; they move one at a time, and one whose place stays what it was
-- calls nothing. The triggers are there before what is there is counted: whoever writes meanwhile has ended by then.

-- A count is the sum of its parts. A hundred thousand members may move in one transaction, and whoever writes a row once more
-- walks past all that it was before in it: so what changes is put beside it, and the tick of the plan sums it up at its end.
CREATE SEQUENCE plan_wave_parts;
CREATE TABLE plan_wave_counts (
  plan_id TEXT COLLATE "C" NOT NULL REFERENCES plans (id),
  wave    BIGINT NOT NULL,
  outcome TEXT COLLATE "C" NOT NULL,
  part    BIGINT NOT NULL,
  count   BIGINT NOT NULL,
  PRIMARY KEY (plan_id, wave, outcome, part)
) WITH (fillfactor = 80);
CREATE FUNCTION count_added_members() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO plan_wave_counts
    SELECT plan_id, wave, outcome, nextval('plan_wave_parts'), count(*) FROM added GROUP BY plan_id, wave, outcome;
  RETURN NULL;
END $$;
CREATE FUNCTION count_moved_member() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO plan_wave_counts
    VALUES (OLD.plan_id, OLD.wave, OLD.outcome, nextval('plan_wave_parts'), -1),
      (NEW.plan_id, NEW.wave, NEW.outcome, nextval('plan_wave_parts'), 1);
  RETURN NULL;
END $$;
CREATE FUNCTION count_removed_members() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO plan_wave_counts
    SELECT plan_id, wave, outcome, nextval('plan_wave_parts'), -count(*) FROM removed GROUP BY plan_id, wave, outcome;
  RETURN NULL;
END $$;
CREATE TRIGGER plan_members_added AFTER INSERT ON plan_members REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION count_added_members();
CREATE TRIGGER plan_members_moved AFTER UPDATE OF wave, outcome ON plan_members
  FOR EACH ROW WHEN (OLD.wave <> NEW.wave OR OLD.outcome <> NEW.outcome) EXECUTE FUNCTION count_moved_member();
CREATE TRIGGER plan_members_removed AFTER DELETE ON plan_members REFERENCING OLD TABLE AS removed
  FOR EACH STATEMENT EXECUTE FUNCTION count_removed_members();
INSERT INTO plan_wave_counts
  SELECT plan_id, wave, outcome, 0, count(*) FROM plan_members GROUP BY plan_id, wave, outcome;

-- Only those that have ended: they are many and their steps are over. What is open is in the memory of the fleet.
CREATE TABLE upgrade_counts (
  account_id TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
  stage      TEXT COLLATE "C" NOT NULL,
  count      BIGINT NOT NULL,
  PRIMARY KEY (account_id, stage)
) WITH (fillfactor = 80);
CREATE FUNCTION count_added_upgrades() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO upgrade_counts
    SELECT account_id, stage, count(*) FROM added WHERE ended_at IS NOT NULL GROUP BY account_id, stage
    ON CONFLICT (account_id, stage) DO UPDATE SET count = upgrade_counts.count + excluded.count;
  RETURN NULL;
END $$;
-- One that was given up may come back, or have ended otherwise after all.
CREATE FUNCTION count_ended_upgrade() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.ended_at IS NOT NULL THEN
    UPDATE upgrade_counts SET count = count - 1 WHERE account_id = OLD.account_id AND stage = OLD.stage;
  END IF;
  IF NEW.ended_at IS NOT NULL THEN
    INSERT INTO upgrade_counts VALUES (NEW.account_id, NEW.stage, 1)
      ON CONFLICT (account_id, stage) DO UPDATE SET count = upgrade_counts.count + 1;
  END IF;
  RETURN NULL;
END $$;
CREATE FUNCTION count_removed_upgrades() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE upgrade_counts AS kept SET count = kept.count - gone.count
    FROM (SELECT account_id, stage, count(*) FROM removed WHERE ended_at IS NOT NULL GROUP BY account_id, stage) AS gone
    WHERE kept.account_id = gone.account_id AND kept.stage = gone.stage;
  RETURN NULL;
END $$;
CREATE TRIGGER upgrades_added AFTER INSERT ON upgrades REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION count_added_upgrades();
CREATE TRIGGER upgrades_ended AFTER UPDATE OF stage, ended_at ON upgrades
  FOR EACH ROW WHEN ((OLD.ended_at IS NULL) <> (NEW.ended_at IS NULL)
    OR OLD.stage <> NEW.stage AND NEW.ended_at IS NOT NULL)
  EXECUTE FUNCTION count_ended_upgrade();
CREATE TRIGGER upgrades_removed AFTER DELETE ON upgrades REFERENCING OLD TABLE AS removed
  FOR EACH STATEMENT EXECUTE FUNCTION count_removed_upgrades();
INSERT INTO upgrade_counts
  SELECT account_id, stage, count(*) FROM upgrades WHERE ended_at IS NOT NULL GROUP BY account_id, stage;
