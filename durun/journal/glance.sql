-- What completions and the doctor ask of the journal: read-only, one statement.

-- name: runs
SELECT id, runbook, status FROM run
WHERE substr(id, 1, length(:begun)) = :begun
ORDER BY created_at DESC, number DESC LIMIT 50;

-- name: runs_from
SELECT id, runbook, status FROM (
    SELECT id, runbook, status, created_at FROM run WHERE id >= :begun AND id < :begun || char(1114111) LIMIT 1000
)
ORDER BY created_at DESC LIMIT 50;

-- name: runbooks
WITH RECURSIVE name (runbook) AS (
    SELECT min(runbook) FROM run
    UNION ALL
    SELECT (SELECT min(run.runbook) FROM run WHERE run.runbook > name.runbook) FROM name WHERE name.runbook IS NOT NULL
)
SELECT runbook FROM name WHERE runbook IS NOT NULL LIMIT 1000;

-- name: newest
SELECT CAST(created_at AS TEXT) FROM run ORDER BY created_at DESC LIMIT 1;

-- name: steps
SELECT DISTINCT step.value FROM run
JOIN event ON event.run = run.number AND event.type IN ('run_created', 'runbook_changed')
JOIN json_each(json_extract(event.body, '$.data.' || :kind)) AS step
WHERE run.number = (
    SELECT number FROM run WHERE substr(id, 1, length(:run)) = :run OR :run = '@last' ORDER BY created_at DESC, number DESC LIMIT 1
);

-- name: targets
SELECT DISTINCT json_extract(target.value, '$[0]') FROM run
JOIN event ON event.run = run.number AND event.type = 'targets_resolved'
JOIN json_each(json_extract(event.body, '$.data.targets')) AS target
WHERE run.number = (
    SELECT number FROM run WHERE substr(id, 1, length(:run)) = :run OR :run = '@last' ORDER BY created_at DESC, number DESC LIMIT 1
)
LIMIT 20000;
