-- The register: a chain over all runs, so that a run that was taken away shows. Its newest entry may be signed, and
-- with it all before. `body` is the very text that is hashed and signed; it names the SHA-256 of the body before it.

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

-- A run goes only as a whole, and once the register says that it was pruned.
DROP TRIGGER event_is_never_removed;

CREATE TRIGGER event_is_never_removed BEFORE DELETE ON event
WHEN NOT EXISTS (
    SELECT 1 FROM run JOIN register ON register.run = run.id
    WHERE run.number = old.run AND register.kind = 'run_pruned'
)
BEGIN
    SELECT raise(ABORT, 'events are never removed');
END;

PRAGMA user_version = 4;
