-- How many upgrades were requested on a day is read from the index alone.
CREATE INDEX upgrades_requested ON upgrades (account_id, created_at);
