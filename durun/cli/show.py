"""`durun show`: one run in full."""

from __future__ import annotations

import sys
from typing import Annotated

from durun.app import App, open_app
from durun.cli.arguments import JsonOption, Option, RunArgument, TargetOption
from durun.cli.chosen import choose_tasks
from durun.cli.explain import explain
from durun.cli.pick import find_run
from durun.cli.screen import has_colours, width_of_terminal
from durun.model.state import notable
from durun.views.json import AttemptNumbers, dump, event_line, run_whole
from durun.views.notices import notices_json, untold
from durun.views.show import events_text, not_begun, show_text, waiting_for
from durun.views.steps import Shown, attempts_text, by_step, column_of
from durun.views.why import why_json


def command(
    run: RunArgument,
    events: Annotated[bool, Option("--events", help="List the events, oldest first.")] = False,
    step: Annotated[
        str | None, Option(metavar="STEP", help="Only this step, with every target, attempt and output.")
    ] = None,
    target: TargetOption = None,
    as_json: JsonOption = False,
) -> int:
    """Show one run: steps, targets, attempts, outputs, what it waits for and why."""
    with open_app(read_only=True) as app:
        if app.config.is_anothers and not events and _elsewhere(app, run, as_json):
            return 0
        run_id = find_run(app, run)
        if events:
            _show_events(app, run_id, step, target, as_json)
            return 0
        state = app.state(run_id)
        status = app.status(state.record)
        to_come = [name for name in not_begun(state) if target is None and step in (None, name)]
        tasks = {} if step in to_come else choose_tasks(state, step, target)
        head, notices = app.head(run_id), app.journal.events(run_id, types=("notified",))
        in_order = [member for members in by_step(tasks).values() for member in members]
        why = explain(app, state.record, status, notable(state.tasks), in_order)
        if as_json:
            whole = run_whole(state, status, in_order, waiting_for(state, status), head)
            sys.stdout.write(dump({**whole, **why_json(state.record, status, why), "notices": notices_json(notices)}))
            return 0
        every = step is not None or target is not None
        shown = Shown(state, status, tasks, app.clock.now(), why, to_come, every, head, target, column_of(tasks))
        sys.stdout.write(show_text(shown, width_of_terminal(), has_colours()))
        if every and len(tasks) <= 20:
            sys.stdout.write(attempts_text(tasks))
        sys.stdout.write("".join(f"{line}\n" for line in untold(notices)))
    return 0


def _elsewhere(app: App, run: str, as_json: bool) -> bool:
    from durun.cli.looking_elsewhere import show_elsewhere

    return show_elsewhere(app, run, as_json)


def _show_events(app: App, run_id: str, step: str | None, target: str | None, as_json: bool) -> None:
    found = [
        stamped
        for stamped in app.journal.events(run_id)
        if (step is None or getattr(stamped.event, "step", None) == step)
        and (target is None or getattr(stamped.event, "target", None) == target)
    ]
    if not found:
        choose_tasks(app.state(run_id), step, target)
    if as_json:
        numbers = AttemptNumbers()
        sys.stdout.write("".join(dump(event_line(run_id, stamped, numbers.of(stamped.event))) for stamped in found))
    else:
        sys.stdout.write(events_text(found, width_of_terminal()))
