-- What several control planes on one database have to know of each other. On a file there is one, and it is the same.

-- Since when an upgrade at work stands where it stands, as the one that hears its executor knows it.
ALTER TABLE upgrades ADD COLUMN stands_since INTEGER;

-- How often the windows and freezes have changed: it tells a late copy from a new one.
CREATE TABLE calendar_revision (revision INTEGER NOT NULL) STRICT;
INSERT INTO calendar_revision VALUES (0);
CREATE TRIGGER windows_added AFTER INSERT ON windows BEGIN UPDATE calendar_revision SET revision = revision + 1; END;
CREATE TRIGGER windows_changed AFTER UPDATE ON windows BEGIN UPDATE calendar_revision SET revision = revision + 1; END;
CREATE TRIGGER windows_removed AFTER DELETE ON windows BEGIN UPDATE calendar_revision SET revision = revision + 1; END;
CREATE TRIGGER freezes_added AFTER INSERT ON freezes BEGIN UPDATE calendar_revision SET revision = revision + 1; END;
CREATE TRIGGER freezes_changed AFTER UPDATE ON freezes BEGIN UPDATE calendar_revision SET revision = revision + 1; END;
CREATE TRIGGER freezes_removed AFTER DELETE ON freezes BEGIN UPDATE calendar_revision SET revision = revision + 1; END;

-- Whose turn it is to do what happens by the clock alone, and until when unless they say so again.
CREATE TABLE turns (
  work   TEXT PRIMARY KEY,
  holder TEXT NOT NULL,
  until  INTEGER NOT NULL
) STRICT;
