-- Concurrency groups: the run's, and whether the run holds it now. No two runs may hold the same one.

ALTER TABLE run ADD COLUMN concurrency_group TEXT;

ALTER TABLE run ADD COLUMN release_on TEXT NOT NULL DEFAULT '[]';

ALTER TABLE run ADD COLUMN holds_group INTEGER NOT NULL DEFAULT 0 CHECK (holds_group IN (0, 1));

CREATE UNIQUE INDEX run_group ON run (concurrency_group) WHERE holds_group = 1;

PRAGMA user_version = 3;
