"""Every reference is checked before anything runs: a typo must not stop a run half-way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from durun.language.diagnostics import Problem, did_you_mean
from durun.language.expressions import PathPart, Reference, references, static_kind
from durun.language.graph import Graph, output_names
from durun.language.places import Placed, When, places
from durun.language.secrecy import Finding, Secrecy, written
from durun.model.runbook import Runbook, Step

_ANYWHERE = ("inputs", "env", "run", "secrets")
_ROOTS: dict[When, tuple[str, ...]] = {
    "start": ("inputs", "env", "secrets"),
    "plan": _ANYWHERE,
    "secret": (*_ANYWHERE, "target"),
    "run": _ANYWHERE,
    "targets": (*_ANYWHERE, "steps"),
    "inputs": (*_ANYWHERE, "steps", "target"),
    "task": (*_ANYWHERE, "steps", "target"),
    "attempt": (*_ANYWHERE, "steps", "target", "step"),
    "verify": (*_ANYWHERE, "steps", "target", "step"),
    "rollback": (*_ANYWHERE, "steps", "target", "step"),
    "poll": (*_ANYWHERE, "steps", "target", "step", "result"),
    "notify": _ANYWHERE,
    "group": (*_ANYWHERE, "steps", "target"),
    "end": (*_ANYWHERE, "steps"),
}
_ALL_ROOTS = (*_ANYWHERE, "steps", "target", "step", "result")
_WHERE_NOT: dict[When, str] = {
    "start": "can't be read in the name of a concurrency group, which other runs have too; only `inputs` and `env` can",
    "plan": "is not known when the plan is made; only `inputs`, `env` and `run.id` are",
    "secret": "is not known when a secret is looked for; only `inputs`, `env`, `run.id` and `target` are",
    "run": "can't be read in the runbook's `env`, which is the same for every step",
    "targets": "can't be read in `targets`",
    "inputs": "can't be read before the step has started",
    "task": "can't be read before the step has started",
    "notify": "can't be read in `notify`; `inputs`, `env`, `run` and `secrets` can",
    "group": "can't be read in the outputs of a group",
    "end": "can't be read in the outputs of a run",
}
_ONLY_POLL = "`result` is what the probe of a `wait_for` gave: only its `until` and `fail_when` can read it"
_OF_RUN = ("exit_code", "stdout", "json")
_OF_HTTP = ("status", "stdout", "json")
"""What a `result` has."""
_KINDS = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
    "array": "array",
    "object": "object",
}
"""JSON Schema's types, as the kinds of values in messages."""


def check_references(
    runbook: Runbook, unread: frozenset[str] = frozenset(), *, included: bool = False
) -> list[Problem]:
    """What is wrong with the references and conditions of a runbook whose `needs` are sound, all at once.

    `unread` are the ids of steps of which nobody knows what outputs they have; `included` is as for `places`.
    """
    checker = _Checker(runbook, unread)
    found = places(runbook, included=included)
    return list(dict.fromkeys(problem for place in found for problem in checker.problems(place)))


def env_names(runbook: Runbook) -> frozenset[str]:
    """The names of the caller's variables that any expression reads as `env.NAME`."""
    paths = (found.path for place in places(runbook) for found in references(place.expression))
    return frozenset(str(path[1]) for path in paths if path[0] == "env" and len(path) > 1 and path[1] is not None)


def early_inputs(runbook: Runbook) -> frozenset[str]:
    """The names of the inputs that are read when the plan is made."""
    early = (place.expression for place in places(runbook) if place.when == "plan")
    paths = [found.path for expression in early for found in references(expression) if found.path[0] == "inputs"]
    if any(len(path) == 1 or path[1] is None for path in paths):
        return frozenset(runbook.inputs)
    return frozenset(str(path[1]) for path in paths)


class _Checker:
    """The names that there are in one runbook."""

    def __init__(self, runbook: Runbook, unread: frozenset[str]) -> None:
        self._runbook = runbook
        self._unread = unread
        self._graph = Graph(runbook)
        self._secrecy = Secrecy(runbook, self._graph)
        self._by_root: dict[str, Callable[[Placed, Reference], Finding | None]] = {
            "inputs": self._inputs,
            "env": self._env,
            "run": self._run,
            "secrets": self._secrets,
            "steps": self._steps,
            "target": self._target,
            "step": self._step,
            "result": self._result,
        }

    def problems(self, place: Placed) -> Iterator[Problem]:
        """What is wrong with one expression."""
        sound = True
        for reference in sorted(references(place.expression), key=lambda found: written(found.path)):
            if found := self._finding(place, reference):
                sound = False
                yield Problem(found[0], place.path, found[1], needle=self._needle(place, reference))
        if sound and place.condition and (kind := self._kind(place)) not in (None, "boolean"):
            yield Problem(
                f"a condition must be true or false, and `{place.expression.source}` is a {kind}",
                place.path,
                "compare it, as in `… == 'x'` or `… | length > 0`",
            )

    @staticmethod
    def _needle(place: Placed, reference: Reference) -> str:
        text = written(reference.path)
        return text if text in place.expression.source else str(reference.path[0])

    def _finding(self, place: Placed, reference: Reference) -> Finding | None:
        root = reference.path[0]
        if root == "result" and place.when != "poll":
            return _ONLY_POLL, ""
        if root not in _ALL_ROOTS:
            return f"there is no `{root}`", self._hint_for_root(str(root), place)
        if root not in _ROOTS[place.when]:
            return f"`{written(reference.path)}` {_WHERE_NOT[place.when]}", _why_so_early(place)
        found = self._by_root[str(root)](place, reference)
        return found or self._secrecy.finding(place, reference, self._fan(place))

    def _hint_for_root(self, name: str, place: Placed) -> str:
        if name in self._runbook.inputs:
            return f"write `inputs.{name}`"
        if name in self._runbook.secrets:
            return f"write `secrets.{name}`"
        if name in self._graph.steps:
            return f"write `steps.{name}`"
        if name == "null":
            return "write `none`"
        return did_you_mean(name, _ROOTS[place.when]) or "text stands in quotes, as in `'x'`"

    def _kind(self, place: Placed) -> str | None:
        """What the value of the expression is going to be, where that can be told."""
        if not isinstance(found := static_kind(place.expression), Reference):
            return found
        match found.path:
            case ("inputs", str(name)) if name in self._runbook.inputs:
                declared = self._runbook.inputs[name].schema.get("type", "string")
                return _KINDS.get(str(declared))
            case ("steps", str(step), "outputs", str(name)) if name in self._graph.steps[step].outputs:
                return _KINDS[self._graph.steps[step].outputs[name].type]
            case ("result", "exit_code" | "status"):
                return "number"
            case ("result", "stdout"):
                return "string"
            case ("env" | "secrets", _) | ("run", "id" | "started_at" | "status") | ("steps", _, "status"):
                return "string"
        return None

    def _inputs(self, place: Placed, reference: Reference) -> Finding | None:
        if len(reference.path) == 1:
            return None
        name = reference.path[1]
        if not isinstance(name, str):
            return "an input is named, not computed", "write `inputs.NAME`"
        if place.when == "notify" and name in self._runbook.inputs and self._runbook.inputs[name].secret:
            return f"the secret input `{name}` is gone when the run has succeeded", "name it under `secrets:` instead"
        if name not in self._runbook.inputs:
            return f"there is no input `{name}`", did_you_mean(name, self._runbook.inputs) or self._declare(name)
        return _too_deep(reference.path, 2, self._runbook.inputs[name].schema.get("type", "string"))

    @staticmethod
    def _declare(name: str) -> str:
        return f"declare it under `inputs`, as `{name}: {{type: string, required: true}}`"

    @staticmethod
    def _env(_: Placed, reference: Reference) -> Finding | None:
        if len(reference.path) == 1 or not isinstance(reference.path[1], str):
            return "a variable is named, not computed", "write `env.NAME`"
        return _too_deep(reference.path, 2, "string")

    def _run(self, place: Placed, reference: Reference) -> Finding | None:
        final = place.step is not None and self._graph.final(place.step.id)
        known = ("id", "started_at", *(("status", "failed_steps") if final or place.when == "notify" else ()))
        early = place.when in ("plan", "secret")
        if early:
            known = ("id",)
        if len(reference.path) == 1:
            return ("name what of `run`", "write `run.id`") if early else None
        key = reference.path[1]
        if key in ("started_at", "status", "failed_steps") and key not in known:
            why = _WHERE_NOT[place.when] if early else "is known only in `finally`"
            return f"`run.{key}` {why}", ""
        if key not in known:
            return f"`run` has no `{_part(key)}`", did_you_mean(_part(key), known) or f"it has {_listed(known)}"
        return None if key == "failed_steps" else _too_deep(reference.path, 2, "string")

    def _secrets(self, _: Placed, reference: Reference) -> Finding | None:
        if len(reference.path) == 1 or not isinstance(reference.path[1], str):
            return "a secret is named, not computed", "write `secrets.NAME`"
        name = reference.path[1]
        if name not in self._runbook.secrets:
            declare = f"declare it under `secrets`, as `{name}: {{keyring: {{service: …, username: …}}}}`"
            return f"there is no secret `{name}`", did_you_mean(name, self._runbook.secrets) or declare
        return _too_deep(reference.path, 2, "string")

    def _target(self, place: Placed, reference: Reference) -> Finding | None:
        if place.when == "secret":
            return self._secrecy.target_of_source(place, reference)
        if self._fan(place) is None:
            return "`target` is known only inside a step or group with `targets`", ""
        return None

    @staticmethod
    def _step(_: Placed, reference: Reference) -> Finding | None:
        if len(reference.path) > 1 and reference.path[1] != "idempotency_key":
            key = _part(reference.path[1])
            return f"`step` has no `{key}`", "it has `idempotency_key`"
        return _too_deep(reference.path, 2, "string")

    @staticmethod
    def _result(place: Placed, reference: Reference) -> Finding | None:
        poll = place.step.poll if place.step is not None else None
        requests = poll is not None and poll.call.action.kind == "http"
        known = _OF_HTTP if requests else _OF_RUN
        if len(reference.path) == 1:
            return "name what of `result`", f"it has {_listed(known)}"
        key = reference.path[1]
        if key not in known:
            hint = did_you_mean(_part(key), known) or f"it has {_listed(known)}"
            return f"the `result` of {'an `http`' if requests else 'a `run`'} has no `{_part(key)}`", hint
        if key == "json":
            return None
        return _too_deep(reference.path, 2, "string" if key == "stdout" else "integer")

    def _fan(self, place: Placed) -> str | None:
        """The fan-out of which one target is known at this place."""
        if place.step is None or place.when in ("targets", "plan", "secret"):
            return None
        return self._graph.fan(place.step.id)

    def _steps(self, place: Placed, reference: Reference) -> Finding | None:
        path = reference.path
        if len(path) == 1 or not isinstance(path[1], str):
            return "a step is named, not computed", "write `steps.ID.outputs.NAME`"
        step = self._graph.steps.get(path[1])
        if step is None:
            known = [name for name in self._graph.steps if " " not in name]  # those with one have no id of their own
            hint = did_you_mean(path[1], known) or f"the steps are {_listed(known)}"
            return f"there is no step `{path[1]}`", hint
        return self._order(place, step) or self._rest_of_step(place, path, step)

    def _order(self, place: Placed, step: Step) -> Finding | None:
        if place.when == "end":
            return (
                (f"step `{step.id}` is in `finally`, and a run's outputs are made before", "")
                if (self._graph.final(step.id))
                else None
            )
        reader = place.step
        assert reader is not None
        if place.when == "group" and self._graph.within(step.id, reader.id):
            return None
        if step.id == reader.id:
            return None if place.when == "rollback" else self._itself(place, step)
        if self._graph.within(reader.id, step.id):
            return f"`{step.id}` is the group that `{reader.id}` stands in, and ends after it", ""
        if self._graph.comes_before(step.id, reader.id):
            return None
        if self._graph.final(step.id):
            return f"step `{step.id}` runs in `finally`, not before `{reader.id}`", ""
        hint = f"let `{reader.id}` or a group around it need `{step.id}` or a group around that"
        if self._graph.parent[step.id] == self._graph.parent[reader.id]:
            hint = f"add `{step.id}` to the `needs` of `{reader.id}`"
        return f"step `{step.id}` does not come before `{reader.id}`", hint

    @staticmethod
    def _itself(place: Placed, step: Step) -> Finding:
        if place.when == "verify":
            return f"a verify is asked before the outputs of `{step.id}` are known", ""
        return f"step `{step.id}` reads itself", ""

    def _rest_of_step(self, place: Placed, path: tuple[PathPart, ...], step: Step) -> Finding | None:
        if len(path) == 2:
            return None
        fan = self._graph.fan(step.id)
        elsewhere = fan is not None and fan != self._fan(place)
        match path[2]:
            case "status":
                return _too_deep(path, 3, "string")
            case "outputs" | "evidence" if elsewhere:
                rest = written(("x", *path[2:]))[1:]
                return (
                    f"`{step.id}` has an outcome per target, so it has no `{path[2]}` of its own here",
                    f"write `steps.{step.id}.targets['KEY']{rest}`",
                )
            case "outputs":
                return self._outputs(path, 3, step)
            case "evidence" if not elsewhere:
                return _evidence(path, 3, step)
            case "targets" if elsewhere:
                return self._targets(path, step)
            case "targets" if fan is None:
                return f"step `{step.id}` has no `targets`", f"write `steps.{step.id}.outputs.NAME`"
            case "targets":
                return "the other targets are not at their end yet", f"write `steps.{step.id}.outputs.NAME`"
        known = ("outputs", "status", "targets") if elsewhere else ("outputs", "status", "evidence")
        return f"a step has no `{_part(path[2])}`", did_you_mean(_part(path[2]), known) or f"it has {_listed(known)}"

    def _targets(self, path: tuple[PathPart, ...], step: Step) -> Finding | None:
        """`steps.ID.targets['key'].outputs.NAME`; which keys there are is known only when it runs."""
        if len(path) <= 4:
            return None
        if path[4] == "outputs":
            return self._outputs(path, 5, step)
        if path[4] == "evidence":
            return _evidence(path, 5, step)
        if path[4] == "status":
            return _too_deep(path, 5, "string")
        known = ("outputs", "status", "evidence")
        hint = did_you_mean(_part(path[4]), known) or f"it has {_listed(known)}"
        return f"a target of a step has no `{_part(path[4])}`", hint

    def _outputs(self, path: tuple[PathPart, ...], at: int, step: Step) -> Finding | None:
        if len(path) <= at or step.id in self._unread:
            return None
        name = path[at]
        if not isinstance(name, str):
            return "an output is named, not computed", f"write `steps.{step.id}.outputs.NAME`"
        known = output_names(step)
        if name not in known:
            owner = f"`{step.id}`" if step.include is None else step.include.file
            fix = f"declare it under the `outputs` of {owner}"
            return f"step `{step.id}` declares no output `{name}`", did_you_mean(name, known) or fix
        return _too_deep(path, at + 1, step.outputs[name].type) if name in step.outputs else None


def _evidence(path: tuple[PathPart, ...], at: int, step: Step) -> Finding | None:
    """`….evidence['NAME'].path` or `.sha256`; the names of files are known only when they are taken."""
    if not step.has_evidence:
        return (
            f"step `{step.id}` leaves no evidence",
            "`collect` does, and a `run` that writes into $DURUN_EVIDENCE, or a plugin",
        )
    if len(path) <= at:
        return None
    name = path[at]
    only = step.collects if step.call is not None and step.call.action.kind != "collect" else ""
    if only and name is not None and name != only and step.call is not None and step.call.action.kind == "http":
        return f"step `{step.id}` has no evidence `{name}`", f"it is called `{only}`"
    if len(path) > at + 1 and path[at + 1] not in ("path", "sha256", None):
        key = _part(path[at + 1])
        return f"evidence has no `{key}`", did_you_mean(key, ("path", "sha256")) or "it has `path` and `sha256`"
    return _too_deep(path, at + 2, "string") if len(path) > at + 2 else None


def _why_so_early(place: Placed) -> str:
    """Of a value that is given to an included runbook, why it must be known when the plan is made."""
    include = place.step.include if place.step is not None and place.when == "plan" else None
    return f"{include.file} reads it for a number of the plan, as in `retry`" if include is not None else ""


def _too_deep(path: tuple[PathPart, ...], at: int, declared: object) -> Finding | None:
    """A key of something that has no keys."""
    kind = _KINDS.get(str(declared), "object")
    if kind == "object" or len(path) <= at or not isinstance(path[at], str):
        return None
    return f"`{written(path[:at])}` is {'an' if kind == 'array' else 'a'} {kind} and has no `{path[at]}`", ""


def _part(part: PathPart) -> str:
    return "…" if part is None else str(part)


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(f"`{name}`" for name in names[:10]) + (" …" if len(names) > 10 else "")
