-- What a release says of itself until it is published, and who has acknowledged its steps in an upgrade. Steps are a
-- JSON list of texts, numbered from 1.

ALTER TABLE releases ADD COLUMN type TEXT NOT NULL DEFAULT '';
ALTER TABLE releases ADD COLUMN prerequisites TEXT NOT NULL DEFAULT '[]';
ALTER TABLE releases ADD COLUMN postrequisites TEXT NOT NULL DEFAULT '[]';
UPDATE releases SET type = kind;

CREATE TABLE acknowledgements (
  upgrade_id TEXT NOT NULL REFERENCES upgrades (id),
  part       TEXT NOT NULL,
  number     INTEGER NOT NULL,
  person     TEXT NOT NULL,
  at         INTEGER NOT NULL,
  PRIMARY KEY (upgrade_id, part, number)
) STRICT;
