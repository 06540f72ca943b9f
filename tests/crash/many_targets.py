"""A run with very many targets, all of them done but the last: made by durun as far as a crash, then by the journal.

For the test and the bench of row 41, so that both measure the same.
"""

from __future__ import annotations

from pathlib import Path

from durun.journal.reading import read_state
from durun.journal.sqlite import open_journal
from durun.model.event import Event, TaskNeverBegan, TaskSucceeded
from events import started

BOOK = r"""
durun: 1
name: many
inputs:
  effects: {type: string, required: true}
steps:
  - id: patch
    targets: {file: names.json}
    max_parallel: 2
    shell: sh
    run: |
      runner=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$PPID/status")
      sed -n 's/^VmHWM:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/$runner/status" > "$EFFECTS.peak" || true
      sed 's/.*) //' "/proc/$runner/stat" | cut -d ' ' -f 12-15 > "$EFFECTS.ticks" || true
      echo "$TARGET" >> "$EFFECTS"
    env: {EFFECTS: "${{ inputs.effects }}"}
"""
_LOG = {"stdout": {"bytes": 12, "sha256": "a" * 64, "cut": False}}


def names(count: int) -> list[str]:
    """The targets."""
    return [f"host-{number:06}" for number in range(count)]


def finish_all_but_one(home: Path, run: str, count: int) -> str:
    """Append what a runner would have, had it come as far as the last target; that one's name.

    The run was killed before its first orders were sent: its first two targets never began.
    """
    with open_journal(home / "journal.db") as journal:
        state = read_state(journal, run)
        head, at, folder = state.record.sequence, state.record.created_at + 1, state.record.folders
        events: list[Event] = []
        for key, task in state.tasks.items():
            events.append(TaskNeverBegan(**key._asdict(), attempt=len(task.attempts), reason="it was not started"))
        for number, target in enumerate(names(count)[:-1]):
            attempt = 2 if number < len(state.tasks) else 1
            folder += 1
            events.append(
                started(
                    "patch",
                    target,
                    attempt,
                    folder,
                    nonce=f"{number:032x}",
                    idempotency_key=f"{number:043x}",
                    request=f"{number:064x}",
                )
            )
            events.append(TaskSucceeded(step="patch", target=target, how="ran", exit_code=0, log=_LOG))
            if len(events) >= 5000:
                head = journal.append(run, head, events, at)
                events = []
        if events:
            journal.append(run, head, events, at)
    return names(count)[-1]
