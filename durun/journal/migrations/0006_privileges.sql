-- Privileges: how many tasks of a run have granted one that is not closed.

ALTER TABLE run ADD COLUMN privileged INTEGER NOT NULL DEFAULT 0 CHECK (privileged >= 0);

PRAGMA user_version = 6;
