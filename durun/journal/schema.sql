-- The journal's tables as the newest migration leaves them (a test compares). Read this, run the migrations.

CREATE TABLE run (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    runbook TEXT NOT NULL,
    digest TEXT NOT NULL,
    status TEXT NOT NULL CHECK (
        status IN (
            'pending', 'running', 'waiting', 'in_doubt', 'interrupted', 'rolling_back',
            'succeeded', 'failed', 'cancelled', 'rolled_back', 'rollback_failed'
        )
    ),
    created_at REAL NOT NULL,
    sequence INTEGER NOT NULL CHECK (sequence > 0),
    round INTEGER NOT NULL,
    total INTEGER NOT NULL,
    counts TEXT NOT NULL,
    folders INTEGER NOT NULL,
    sessions INTEGER NOT NULL,
    final_status TEXT CHECK (
        final_status IN (
            'pending', 'running', 'waiting', 'in_doubt', 'interrupted', 'rolling_back',
            'succeeded', 'failed', 'cancelled', 'rolled_back', 'rollback_failed'
        )
    ),
    cancel_requested INTEGER NOT NULL CHECK (cancel_requested IN (0, 1)),
    reason TEXT NOT NULL,
    ended_at REAL,
    exit_code INTEGER,
    request_id TEXT,
    inputs_digest TEXT NOT NULL,
    uid INTEGER NOT NULL,
    outputs TEXT NOT NULL
, concurrency_group TEXT, release_on TEXT NOT NULL DEFAULT '[]', holds_group INTEGER NOT NULL DEFAULT 0 CHECK (holds_group IN (0, 1)), rollback_requested INTEGER NOT NULL DEFAULT 0 CHECK (rollback_requested IN (0, 1)), rollback_code INTEGER, privileged INTEGER NOT NULL DEFAULT 0 CHECK (privileged >= 0));

CREATE INDEX run_newest ON run (created_at);

CREATE INDEX run_status ON run (status, created_at);

CREATE INDEX run_runbook ON run (runbook, created_at);

CREATE UNIQUE INDEX run_request ON run (request_id, runbook) WHERE request_id IS NOT NULL;

-- No two runs hold the same concurrency group.
CREATE UNIQUE INDEX run_group ON run (concurrency_group) WHERE holds_group = 1;

-- `body` is the very text that was hashed, and `hash` is SHA-256 of the hash before it and of `body`.
CREATE TABLE event (
    run INTEGER NOT NULL REFERENCES run (number),
    sequence INTEGER NOT NULL CHECK (sequence > 0),
    at REAL NOT NULL,
    type TEXT NOT NULL,
    body TEXT NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (run, sequence)
) WITHOUT ROWID;

-- The few events that are about the run and not about one of its many tasks.
CREATE INDEX event_landmark ON event (run, type) WHERE type NOT GLOB 'task_*' AND type NOT GLOB 'probe_*';

CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
BEGIN
    SELECT raise(ABORT, 'events are never changed');
END;

-- A run goes only as a whole, and once the register says that it was pruned.
CREATE TRIGGER event_is_never_removed BEFORE DELETE ON event
WHEN NOT EXISTS (
    SELECT 1 FROM run JOIN register ON register.run = run.id
    WHERE run.number = old.run AND register.kind = 'run_pruned'
)
BEGIN
    SELECT raise(ABORT, 'events are never removed');
END;

-- `target` is '' for a step without targets; a target's key is never empty. `more` holds what is not at its
-- default, `attempts` all attempts, both as JSON, or nothing.
CREATE TABLE task (
    run INTEGER NOT NULL REFERENCES run (number),
    round INTEGER NOT NULL,
    step TEXT NOT NULL,
    target TEXT NOT NULL,
    status TEXT NOT NULL CHECK (
        status IN (
            'pending', 'skipped', 'waiting', 'running', 'succeeded', 'failed', 'cancelled', 'in_doubt', 'rolled_back'
        )
    ),
    how TEXT CHECK (how IN ('ran', 'adopted', 'verified', 'found', 'settled')),
    exit_code INTEGER,
    changed_at REAL NOT NULL,
    more TEXT,
    attempts TEXT,
    PRIMARY KEY (run, round, step, target)
) WITHOUT ROWID;

-- The register: a chain over all runs. `body` is the very text that is hashed and signed, and names the SHA-256 of the
-- body before it; `run` is '' for the first entry.
CREATE TABLE register (
    number INTEGER PRIMARY KEY CHECK (number > 0),
    run TEXT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL
);

CREATE INDEX register_run ON register (run, number);

CREATE TABLE signature (
    entry INTEGER PRIMARY KEY REFERENCES register (number),
    key TEXT NOT NULL,
    signature BLOB NOT NULL CHECK (length(signature) = 64)
);

CREATE TRIGGER entry_is_never_changed BEFORE UPDATE ON register
BEGIN
    SELECT raise(ABORT, 'entries of the register are never changed');
END;

CREATE TRIGGER entry_is_never_removed BEFORE DELETE ON register
BEGIN
    SELECT raise(ABORT, 'entries of the register are never removed');
END;

CREATE TRIGGER signature_is_never_changed BEFORE UPDATE ON signature
BEGIN
    SELECT raise(ABORT, 'signatures are never changed');
END;

CREATE TRIGGER signature_is_never_removed BEFORE DELETE ON signature
BEGIN
    SELECT raise(ABORT, 'signatures are never removed');
END;
