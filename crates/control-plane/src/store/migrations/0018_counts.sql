-- What people look at is counted as it happens: whoever wants to know how many there are reads a handful of rows, however many
-- are behind them. A recount holds these against what they count now and then.

-- A count is the sum of its parts. Here there is one; the other engine puts what changes beside it and sums it up later.
CREATE TABLE plan_wave_counts (
  plan_id TEXT NOT NULL REFERENCES plans (id),
  wave    INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  part    INTEGER NOT NULL,
  count   INTEGER NOT NULL,
  PRIMARY KEY (plan_id, wave, outcome, part)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER plan_members_added AFTER INSERT ON plan_members BEGIN
  INSERT INTO plan_wave_counts VALUES (NEW.plan_id, NEW.wave, NEW.outcome, 0, 1)
    ON CONFLICT (plan_id, wave, outcome, part) DO UPDATE SET count = plan_wave_counts.count + 1;
END;
CREATE TRIGGER plan_members_moved AFTER UPDATE OF wave, outcome ON plan_members
  WHEN OLD.wave <> NEW.wave OR OLD.outcome <> NEW.outcome BEGIN
  UPDATE plan_wave_counts SET count = count - 1
    WHERE plan_id = OLD.plan_id AND wave = OLD.wave AND outcome = OLD.outcome AND part = 0;
  INSERT INTO plan_wave_counts VALUES (NEW.plan_id, NEW.wave, NEW.outcome, 0, 1)
    ON CONFLICT (plan_id, wave, outcome, part) DO UPDATE SET count = plan_wave_counts.count + 1;
END;
CREATE TRIGGER plan_members_removed AFTER DELETE ON plan_members BEGIN
  UPDATE plan_wave_counts SET count = count - 1
    WHERE plan_id = OLD.plan_id AND wave = OLD.wave AND outcome = OLD.outcome AND part = 0;
END;
INSERT INTO plan_wave_counts
  SELECT plan_id, wave, outcome, 0, count(*) FROM plan_members GROUP BY plan_id, wave, outcome;

-- Only those that have ended: they are many and their steps are over. What is open is in the memory of the fleet.
CREATE TABLE upgrade_counts (
  account_id TEXT NOT NULL REFERENCES accounts (id),
  stage      TEXT NOT NULL,
  count      INTEGER NOT NULL,
  PRIMARY KEY (account_id, stage)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER ended_upgrades_added AFTER INSERT ON upgrades WHEN NEW.ended_at IS NOT NULL BEGIN
  INSERT INTO upgrade_counts VALUES (NEW.account_id, NEW.stage, 1)
    ON CONFLICT (account_id, stage) DO UPDATE SET count = upgrade_counts.count + 1;
END;
CREATE TRIGGER upgrades_ended AFTER UPDATE OF stage, ended_at ON upgrades
  WHEN NEW.ended_at IS NOT NULL AND (OLD.ended_at IS NULL OR OLD.stage <> NEW.stage) BEGIN
  INSERT INTO upgrade_counts VALUES (NEW.account_id, NEW.stage, 1)
    ON CONFLICT (account_id, stage) DO UPDATE SET count = upgrade_counts.count + 1;
END;
-- One that was given up may come back, or have ended otherwise after all.
CREATE TRIGGER upgrades_not_ended_so AFTER UPDATE OF stage, ended_at ON upgrades
  WHEN OLD.ended_at IS NOT NULL AND (NEW.ended_at IS NULL OR OLD.stage <> NEW.stage) BEGIN
  UPDATE upgrade_counts SET count = count - 1 WHERE account_id = OLD.account_id AND stage = OLD.stage;
END;
CREATE TRIGGER ended_upgrades_removed AFTER DELETE ON upgrades WHEN OLD.ended_at IS NOT NULL BEGIN
  UPDATE upgrade_counts SET count = count - 1 WHERE account_id = OLD.account_id AND stage = OLD.stage;
END;
INSERT INTO upgrade_counts
  SELECT account_id, stage, count(*) FROM upgrades WHERE ended_at IS NOT NULL GROUP BY account_id, stage;
