-- Which release keys an executor says it trusts: a JSON list of their ids; NULL where it does not say.

ALTER TABLE executors ADD COLUMN trusted_keys TEXT;
