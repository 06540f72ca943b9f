"""Where expressions stand in a runbook, and when each is rendered; `references` says what may be read there.

Those of a file that it includes stand in that file, and are looked at there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from durun.language.http import SECRET_IN
from durun.model.runbook import (
    Action,
    Call,
    FanOut,
    Include,
    Runbook,
    Step,
    TargetsFile,
    TargetsMatrix,
    TargetsRun,
    TargetsValue,
    Verify,
)
from durun.model.values import Expression, Template, Value

Path = tuple[str | int, ...]
When = Literal[
    "start", "plan", "secret", "run", "targets", "inputs", "task", "attempt", "verify", "poll", "rollback", "notify",
    "group", "end",
]  # fmt: skip
"""`start`: before there is a run. `plan`: before anything runs. `secret`: when a secret is wanted. `run`: for every
step. `targets`: when a fan-out is reached. `inputs`: when an included runbook is reached. `task`: per task, before it
starts. `attempt`, `verify`: with the step's idempotency key. `poll`: when a probe of a `wait_for` has answered.
`rollback`: with its own key, and the outputs. `notify`: when somebody is told. `group`, `end`: when a group or the
run has ended."""


class Placed(NamedTuple):
    """An expression, where in the document it stands, whose it is, and when it is rendered.

    `condition`: its value must be a boolean. `secret`: it may be, or be made of, a secret.
    """

    expression: Expression
    path: Path
    step: Step | None
    when: When
    condition: bool = False
    secret: bool = False


def places(runbook: Runbook, *, included: bool = False) -> Iterator[Placed]:
    """Every expression of the runbook, in file order as far as it is known.

    What an `included` one gives are the outputs of a step, which may be secret; a run's are shown.
    """
    for name, secret in runbook.secrets.items():
        yield from _in(secret.spec, ("secrets", name, secret.provider), None, "secret")
    yield from _in(runbook.env, ("env",), None, "run")
    yield from _in(runbook.max_parallel, ("max_parallel",), None, "plan")
    if runbook.concurrency is not None:
        yield from _in(runbook.concurrency.group, ("concurrency", "group"), None, "start")
    for number, notice in enumerate(runbook.notify):
        yield from _of_call(notice.call, ("notify", number), None, "notify")
    for key, steps in (("steps", runbook.steps), ("finally", runbook.finally_steps)):
        for number, step in enumerate(steps):
            yield from places_of(step, (key, number))
    yield from _in(runbook.outputs, ("outputs",), None, "end", secret=included)


def steps_with_paths(runbook: Runbook) -> Iterator[tuple[Path, Step]]:
    """Every step, and where it stands in the document."""
    rest: list[tuple[Path, Step]] = [(("steps", index), step) for index, step in enumerate(runbook.steps)]
    rest += [(("finally", index), step) for index, step in enumerate(runbook.finally_steps)]
    for path, step in rest:
        yield path, step
        if step.include is None:
            rest.extend(((*path, "steps", index), inner) for index, inner in enumerate(step.steps))


def expressions_of_targets(step: Step) -> Iterator[Expression]:
    """The expressions of which the targets of a step are made, and their keys."""
    assert step.fan_out is not None
    return (place.expression for place in _of_fan_out(step.fan_out, (), step))


def _in(value: Value, path: Path, step: Step | None, when: When, secret: bool = False) -> Iterator[Placed]:
    match value:
        case Expression():
            # A condition only asks of a secret. What a probe gave has none any more that it could be held against.
            yield Placed(value, path, step, when, condition=True, secret=when != "poll")
        case Template():
            for part in value.parts:
                if isinstance(part, Expression):
                    yield Placed(part, path, step, when, secret=secret)
        case Mapping():
            for key, entry in value.items():
                yield from _in(entry, (*path, key), step, when, secret)
        case list() | tuple():
            for number, entry in enumerate(value):
                yield from _in(entry, (*path, number), step, when, secret)


def places_of(step: Step, path: Path) -> Iterator[Placed]:
    """Every expression of a step, and of the steps in it. `path` is where it stands."""
    if step.fan_out is not None:
        yield from _of_fan_out(step.fan_out, path, step)
    yield from _in(step.condition, (*path, "if"), step, "task")
    for name in ("max_attempts", "delay", "backoff", "max_delay", "jitter"):
        yield from _in(getattr(step.retry, name), (*path, "retry", name), step, "plan")
    if step.call is not None:
        yield from _of_call(step.call, path, step, "attempt")
    if step.verify is not None and not _asked_by_itself(step, step.verify):
        yield from _of_call(_own(step.verify.call, step.call), (*path, "verify"), step, "verify")
        yield from _in(step.verify.settle, (*path, "verify", "settle"), step, "plan")
    if step.rollback is not None:
        yield from _in(step.rollback.most, (*path, "privileged", "max"), step, "plan")
        yield from _of_rollback(step, step.rollback.step, (*path, "rollback"))
    if step.poll is not None:
        yield from _of_call(step.poll.call, path, step, "attempt", inside=("wait_for",))
        for name in ("until", "fail_when"):
            yield from _in(getattr(step.poll, name), (*path, "wait_for", name), step, "poll")
    if step.include is not None:
        yield from _given_to(step.include, (*path, "runbook", "inputs"), step)
        return
    for number, inner in enumerate(step.steps):
        yield from places_of(inner, (*path, "steps", number))
    yield from _in(step.group_outputs, (*path, "outputs"), step, "group", secret=True)


def _asked_by_itself(step: Step, verify: Verify) -> bool:
    """Whether the action of a step asks of what it was given, which is looked at there."""
    kind = verify.call.action.kind
    own = step.call is not None and verify.call.action.spec is step.call.action.spec
    return kind == "secret_check" or (kind == "uses_check" and own)


def _of_rollback(step: Step, undoing: Step, path: Path) -> Iterator[Placed]:
    if undoing.call is None:
        return
    for name in ("max_attempts", "delay", "backoff", "max_delay", "jitter"):
        yield from _in(getattr(undoing.retry, name), (*path, "retry", name), step, "plan")
    yield from _of_call(_own(undoing.call, step.call), path, step, "rollback")
    if undoing.verify is not None and not _asked_by_itself(undoing, undoing.verify):
        yield from _of_call(_own(undoing.verify.call, undoing.call), (*path, "verify"), step, "rollback")
        yield from _in(undoing.verify.settle, (*path, "verify", "settle"), step, "plan")


def _given_to(include: Include, path: Path, step: Step) -> Iterator[Placed]:
    for name, value in include.given.items():
        declared = include.inputs.get(name)
        when: When = "plan" if name in include.early else "inputs"
        yield from _in(value, (*path, name), step, when, secret=declared is None or declared.secret)


def _own(verify: Call, call: Call | None) -> Call:
    """A verify or rollback without what it has from its step, which is looked at there."""
    if call is None:
        return verify
    env = {name: value for name, value in verify.env.items() if call.env.get(name) is not value}
    files = {name: value for name, value in verify.secret_files.items() if call.secret_files.get(name) is not value}
    inherited = verify.working_directory is call.working_directory
    folder = None if inherited else verify.working_directory
    return verify._replace(env=env, secret_files=files, working_directory=folder)


def _of_call(call: Call, path: Path, step: Step | None, when: When, inside: Path = ()) -> Iterator[Placed]:
    """`inside` leads from what stands around the action to the action."""
    for at, value, secret in _in_action(call.action, (*path, *inside)):
        yield from _in(value, at, step, when, secret=secret)
    for name in ("env", "stdin", "secret_files"):
        yield from _in(getattr(call, name), (*path, name), step, when, secret=when != "targets")
    for name in ("working_directory", "timeout"):
        yield from _in(getattr(call, name), (*path, name), step, when)


def _in_action(action: Action, path: Path) -> Iterator[tuple[Path, Value, bool]]:
    """What stands under an action's name, part by part where some may be secret; and whether it may."""
    at = (*path, action.kind)
    match action.kind:
        case "secret":
            for verb, details in action.spec.items():
                yield from (
                    ((*at, verb, name), value, (verb, name) == ("put", "value")) for name, value in details.items()
                )
        case "http":
            for key, value in action.spec.items():
                if key == "tls" or (key == "body" and isinstance(value, Mapping)):
                    yield from (((*at, key, name), part, name == "key") for name, part in value.items())
                else:
                    yield (*at, key), value, key in SECRET_IN
        case "uses" | "uses_check":
            yield from _given_to_plugin(action.spec["with"], (*path, "with"), 0, action.spec["secret"])
        case "apprise":
            yield at, action.spec["urls"], True
        case _:
            yield at, action.spec, False


def _given_to_plugin(
    value: Value, path: Path, depth: int, secret: Sequence[Path]
) -> Iterator[tuple[Path, Value, bool]]:
    """The values under `with`; those may be secret that stand in one of these places, `depth` keys up the path."""
    inside = path[len(path) - depth :]
    if any(inside[: len(place)] == tuple(place) for place in secret):
        yield path, value, True
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _given_to_plugin(entry, (*path, key), depth + 1, secret)
    elif isinstance(value, list | tuple):
        for number, entry in enumerate(value):
            yield from _given_to_plugin(entry, (*path, number), depth + 1, secret)
    else:
        yield path, value, False


def _of_fan_out(fan_out: FanOut, path: Path, step: Step) -> Iterator[Placed]:
    match fan_out.source:
        case TargetsValue(value=value):
            yield from _in(value, (*path, "targets"), step, "targets")
        case TargetsFile(path=file):
            yield from _in(file, (*path, "targets", "file"), step, "targets")
        case TargetsRun(call=call):
            yield from _of_call(call, (*path, "targets"), step, "targets")
        case TargetsMatrix(axes=axes):
            yield from _in(axes, (*path, "targets", "matrix"), step, "targets")
    yield from _in(fan_out.target_key, (*path, "target_key"), step, "task")
    for name in ("max_parallel", "serial", "max_failures"):
        yield from _in(getattr(fan_out, name), (*path, name), step, "plan")
