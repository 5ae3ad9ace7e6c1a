-- The console counts upgrades on every page: both are answered from the index alone, which therefore names `ended_at`.
CREATE INDEX upgrades_open ON upgrades (account_id, stage, ended_at) WHERE ended_at IS NULL;
CREATE INDEX upgrades_ended ON upgrades (account_id, stage, ended_at) WHERE ended_at IS NOT NULL;
