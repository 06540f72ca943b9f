-- Every statement of the journal, by name.

-- name: begin
BEGIN IMMEDIATE;

-- name: begin_read
BEGIN;

-- name: commit
COMMIT;

-- name: rollback
ROLLBACK;

-- name: data_version
PRAGMA data_version;

-- name: user_version
PRAGMA user_version;

-- name: quick_check
PRAGMA quick_check(1);

-- name: integrity_check
PRAGMA integrity_check(1);

-- name: foreign_key_check
PRAGMA foreign_key_check;

-- name: tables
SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name;

-- name: checkpoint
PRAGMA wal_checkpoint(PASSIVE);

-- name: truncate
PRAGMA wal_checkpoint(TRUNCATE);

-- name: never_wait
PRAGMA busy_timeout = 0;

-- name: wait
PRAGMA busy_timeout = 10000;

-- name: tail
SELECT run.number, event.sequence, event.hash
FROM run JOIN event ON event.run = run.number
WHERE run.id = ?
ORDER BY event.sequence DESC
LIMIT 1;

-- name: head
SELECT sequence FROM run WHERE id = ?;

-- name: insert_event
INSERT INTO event (run, sequence, at, type, body, hash) VALUES (?, ?, ?, ?, ?, ?);

-- name: insert_run
INSERT INTO run (
    id, runbook, digest, status, created_at, sequence, round, total, counts, folders, sessions, final_status,
    cancel_requested, reason, ended_at, exit_code, request_id, inputs_digest, uid, outputs,
    concurrency_group, release_on, holds_group, rollback_requested, rollback_code, privileged
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: update_run
UPDATE run SET
    digest = ?, sequence = ?, round = ?, total = ?, counts = ?, folders = ?, sessions = ?, final_status = ?,
    cancel_requested = ?, reason = ?, ended_at = ?, exit_code = ?, outputs = ?, rollback_requested = ?,
    rollback_code = ?, privileged = ?
WHERE number = ?;

-- name: update_run_status
UPDATE run SET status = ? WHERE number = ?;

-- name: update_run_group
UPDATE run SET holds_group = ? WHERE number = ?;

-- name: upsert_task
INSERT INTO task (run, step, target, round, status, how, exit_code, changed_at, more, attempts)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run, round, step, target) DO UPDATE SET
    status = excluded.status, how = excluded.how, exit_code = excluded.exit_code, changed_at = excluded.changed_at,
    more = excluded.more, attempts = excluded.attempts;

-- name: task
SELECT step, target, round, status, how, exit_code, changed_at, more, attempts
FROM task
WHERE run = ? AND step = ? AND target = ? AND round = ?;

-- name: tasks
SELECT step, target, round, status, how, exit_code, changed_at, more, attempts
FROM task
WHERE run = (SELECT number FROM run WHERE id = ?)
ORDER BY round, step, target;

-- name: notable
SELECT
    run.id, min(changed_at), step, target, task.round, task.status, how, task.exit_code, changed_at, more, attempts
FROM run JOIN task ON task.run = run.number
WHERE run.id IN (SELECT value FROM json_each(:runs)) AND task.status IN (SELECT value FROM json_each(:statuses))
GROUP BY task.run, task.round, step, task.status
ORDER BY changed_at, step, target;

-- name: record
SELECT
    id, runbook, digest, status, created_at, sequence, round, total, counts, folders, sessions, final_status,
    cancel_requested, reason, ended_at, exit_code, request_id, inputs_digest, uid, outputs,
    concurrency_group, release_on, holds_group, rollback_requested, rollback_code, privileged
FROM run
WHERE id = ?;

-- name: events
SELECT sequence, at, type, body, hash
FROM event
WHERE run = (SELECT number FROM run WHERE id = :id) AND sequence > :after
ORDER BY sequence;

-- name: events_of_types
SELECT sequence, at, type, body, hash
FROM event
WHERE run = (SELECT number FROM run WHERE id = :id) AND sequence > :after
    AND type IN (SELECT value FROM json_each(:types))
ORDER BY sequence;

-- name: landmarks
SELECT
    sequence, at, type, body, hash,
    (SELECT hash FROM event AS former WHERE former.run = event.run AND former.sequence = event.sequence - 1)
FROM event INDEXED BY event_landmark
WHERE run = (SELECT number FROM run WHERE id = :id) AND sequence > :after
    AND type NOT GLOB 'task_*' AND type NOT GLOB 'probe_*'
    AND type IN (SELECT value FROM json_each(:types))
ORDER BY sequence;

-- name: runs
SELECT
    id, runbook, digest, status, created_at, sequence, round, total, counts, folders, sessions, final_status,
    cancel_requested, reason, ended_at, exit_code, request_id, inputs_digest, uid, outputs,
    concurrency_group, release_on, holds_group, rollback_requested, rollback_code, privileged
FROM run
WHERE (:statuses IS NULL OR status IN (SELECT value FROM json_each(:statuses)))
    AND (:runbook IS NULL OR runbook = :runbook)
    AND (:since IS NULL OR created_at >= :since)
    AND (:inputs_digest IS NULL OR inputs_digest = :inputs_digest)
    AND (:uid IS NULL OR uid = :uid)
ORDER BY created_at DESC, number DESC
LIMIT :limit;

-- name: runs_by_status
SELECT
    id, runbook, digest, status, created_at, sequence, round, total, counts, folders, sessions, final_status,
    cancel_requested, reason, ended_at, exit_code, request_id, inputs_digest, uid, outputs,
    concurrency_group, release_on, holds_group, rollback_requested, rollback_code, privileged
FROM run INDEXED BY run_status
WHERE status IN (SELECT value FROM json_each(:statuses))
    AND (:runbook IS NULL OR runbook = :runbook)
    AND (:since IS NULL OR created_at >= :since)
    AND (:inputs_digest IS NULL OR inputs_digest = :inputs_digest)
    AND (:uid IS NULL OR uid = :uid)
ORDER BY created_at DESC, number DESC
LIMIT :limit;

-- name: runs_by_runbook
SELECT
    id, runbook, digest, status, created_at, sequence, round, total, counts, folders, sessions, final_status,
    cancel_requested, reason, ended_at, exit_code, request_id, inputs_digest, uid, outputs,
    concurrency_group, release_on, holds_group, rollback_requested, rollback_code, privileged
FROM run INDEXED BY run_runbook
WHERE runbook = :runbook
    AND (:statuses IS NULL OR status IN (SELECT value FROM json_each(:statuses)))
    AND (:since IS NULL OR created_at >= :since)
    AND (:inputs_digest IS NULL OR inputs_digest = :inputs_digest)
    AND (:uid IS NULL OR uid = :uid)
ORDER BY created_at DESC, number DESC
LIMIT :limit;

-- name: runs_by_request
SELECT
    id, runbook, digest, status, created_at, sequence, round, total, counts, folders, sessions, final_status,
    cancel_requested, reason, ended_at, exit_code, request_id, inputs_digest, uid, outputs,
    concurrency_group, release_on, holds_group, rollback_requested, rollback_code, privileged
FROM run INDEXED BY run_request
WHERE request_id = :request_id
    AND (:statuses IS NULL OR status IN (SELECT value FROM json_each(:statuses)))
    AND (:runbook IS NULL OR runbook = :runbook)
    AND (:since IS NULL OR created_at >= :since)
    AND (:inputs_digest IS NULL OR inputs_digest = :inputs_digest)
    AND (:uid IS NULL OR uid = :uid)
ORDER BY created_at DESC, number DESC
LIMIT :limit;

-- name: group_holder
SELECT
    id, runbook, digest, status, created_at, sequence, round, total, counts, folders, sessions, final_status,
    cancel_requested, reason, ended_at, exit_code, request_id, inputs_digest, uid, outputs,
    concurrency_group, release_on, holds_group, rollback_requested, rollback_code, privileged
FROM run INDEXED BY run_group
WHERE concurrency_group = ? AND holds_group = 1;

-- name: run_ids_from
SELECT id FROM run WHERE id >= :prefix AND id < :prefix || char(1114111) ORDER BY id LIMIT :limit;

-- name: newest_run_ids
SELECT id FROM run WHERE (:uid IS NULL OR uid = :uid) ORDER BY created_at DESC, number DESC LIMIT :limit;

-- name: newest_entry
SELECT register.number, register.run, register.kind, register.body, signature.key, signature.signature
FROM register LEFT JOIN signature ON signature.entry = register.number
ORDER BY register.number DESC
LIMIT 1;

-- name: entries
SELECT register.number, register.run, register.kind, register.body, signature.key, signature.signature
FROM register LEFT JOIN signature ON signature.entry = register.number
WHERE register.number > :after
ORDER BY register.number;

-- name: entries_of_run
SELECT register.number, register.run, register.kind, register.body, signature.key, signature.signature
FROM register LEFT JOIN signature ON signature.entry = register.number
WHERE register.run = :run AND register.number > :after
ORDER BY register.number;

-- name: insert_entry
INSERT INTO register (number, run, kind, body) VALUES (?, ?, ?, ?);

-- name: insert_signature
INSERT INTO signature (entry, key, signature) VALUES (?, ?, ?);

-- name: heads
SELECT run.id, event.sequence, lower(hex(event.hash))
FROM run JOIN event ON event.run = run.number AND event.sequence = run.sequence
ORDER BY run.number;

-- name: delete_tasks
DELETE FROM task WHERE run = ?;

-- name: delete_events
DELETE FROM event WHERE run = ?;

-- name: delete_run
DELETE FROM run WHERE number = ?;
