"""Puts the report together: HTML by one template, in which every value is escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from durun.views.report import facts, picture
from durun.views.report.controls import ALL_STEPS
from durun.views.text import harmless


def page(subject: facts.Subject) -> str:
    """The whole page."""
    runbook, state = subject.runbook, subject.state
    return _template().render(
        title=facts.title(subject),
        summary=facts.summary(subject),
        description=runbook.description,
        status=subject.status,
        run=state.record.id,
        about=facts.about(subject),
        counts=facts.counts(subject),
        inputs=facts.values(state.created.inputs, state.created.sealed),
        outputs=facts.values(state.record.outputs, {}),
        steps=facts.step_list(subject),
        picture=picture.draw(runbook.steps, runbook.finally_steps, facts.looks(subject)),
        timeline=facts.timeline(subject),
        people=facts.people(subject),
        doubts=facts.doubts(subject),
        history=facts.history(subject),
        evidence=facts.evidence(subject),
        controls=facts.controls(subject),
        all_steps=ALL_STEPS,
        seal=subject.seal,
        events=len(subject.events),
        made=facts.when(subject.now),
        version=subject.version,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Also what a browser would hide or turn around: control characters, and those that change the direction.
        finalize=lambda value: harmless(value) if type(value) is str else value,
    )
    environment.filters["short"] = picture.shortened
    return environment.get_template("page.html")
