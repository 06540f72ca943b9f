"""`durun graph`: the steps of a runbook as a picture, or of a run with where each stands."""

from __future__ import annotations

import os
import sys
from typing import Annotated

from durun.app import open_app
from durun.cli.arguments import JsonOption, Option, RunbookOrRun
from durun.cli.layout import lay_out
from durun.cli.pick import find_run
from durun.cli.screen import width_of_terminal
from durun.cli.sources import given_so_far, is_file, open_source
from durun.engine.stored import stored_plan, stored_runbook
from durun.errors import UsageError
from durun.language.plan import make_plan
from durun.views.graph import Graph, graph_dot, graph_json, graph_mermaid, graph_of, graph_text
from durun.views.json import dump

FORMATS = ("text", "mermaid", "dot", "svg")


def command(
    what: RunbookOrRun,
    form: Annotated[
        str, Option("--format", metavar="FORMAT", help="text, mermaid, dot, or svg (with graphviz).")
    ] = "text",
    as_json: JsonOption = False,
) -> int:
    """Draw the steps of a runbook, or of a run with where each stands. Runs nothing."""
    if form not in FORMATS:
        raise UsageError(f"`{form}` is no format of a picture", f"one of {', '.join(FORMATS)}")
    graph = _of_runbook(what) if is_file(what) else _of_run(what)
    if as_json:
        sys.stdout.write(dump(graph_json(graph)))
        return 0
    if form == "text":
        sys.stdout.write(graph_text(graph, width_of_terminal()))
        return 0
    drawn = graph_mermaid(graph) if form == "mermaid" else graph_dot(graph)
    sys.stdout.write(lay_out(drawn) if form == "svg" else drawn)
    return 0


def _of_runbook(file: str) -> Graph:
    runbook = open_source(file, quiet=True).runbook
    plan = make_plan(runbook, given_so_far(runbook, (), None), os.environ)
    return graph_of(runbook, plan, None)


def _of_run(reference: str) -> Graph:
    with open_app(read_only=True) as app:
        run_id = find_run(app, reference)
        state = app.state(run_id)
    runbook = stored_runbook(state)
    return graph_of(runbook, stored_plan(state, runbook), state)
