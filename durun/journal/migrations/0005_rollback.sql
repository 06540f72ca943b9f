-- Rolling back: whether somebody has asked for it, and the exit code that the run then ends with, once it has begun.

ALTER TABLE run ADD COLUMN rollback_requested INTEGER NOT NULL DEFAULT 0 CHECK (rollback_requested IN (0, 1));

ALTER TABLE run ADD COLUMN rollback_code INTEGER;

PRAGMA user_version = 5;
