-- What people say about an upgrade, and what it waits for. An upgrade that was open is offered as it was before.

ALTER TABLE upgrades ADD COLUMN type TEXT NOT NULL DEFAULT '';
ALTER TABLE upgrades ADD COLUMN deadline INTEGER;
ALTER TABLE upgrades ADD COLUMN confirm_start TEXT NOT NULL DEFAULT 'auto';
ALTER TABLE upgrades ADD COLUMN started_by TEXT;
ALTER TABLE upgrades ADD COLUMN forced INTEGER NOT NULL DEFAULT 0;
ALTER TABLE upgrades ADD COLUMN approval TEXT;
ALTER TABLE upgrades ADD COLUMN validation TEXT;
ALTER TABLE upgrades ADD COLUMN offered_at INTEGER;
UPDATE upgrades SET type = kind;
UPDATE upgrades SET offered_at = created_at WHERE started_at IS NOT NULL;

-- Those whose order matters: an older one of another type comes first.
CREATE INDEX upgrades_pending ON upgrades (account_id, scheduled_at, id) WHERE ended_at IS NULL AND started_at IS NULL;

-- A row with a status is the news of a stage; one without is a line somebody wrote.
ALTER TABLE upgrade_log ADD COLUMN stage TEXT NOT NULL DEFAULT 'CONFIRM_START';
ALTER TABLE upgrade_log ADD COLUMN status TEXT;
CREATE INDEX upgrade_log_by_upgrade ON upgrade_log (upgrade_id, seq);

-- Upgrades to releases of these channels want the approval of a second person.
CREATE TABLE four_eyes (
  account_id TEXT NOT NULL REFERENCES accounts (id),
  channel    TEXT NOT NULL,
  PRIMARY KEY (account_id, channel)
) STRICT;
