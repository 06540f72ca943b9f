"""Reads the steps of a document whose shape is sound.

Every item gives a Step, also a broken one, so that the paths of what follows stay true.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, cast

from durun.language.calls import DEFAULT_SHELL, read_call, read_keyring
from durun.language.collect import ALSO as COLLECT_ALSO
from durun.language.collect import FILES, Collected, files_call, read_collect
from durun.language.declarations import read_outputs
from durun.language.diagnostics import Path
from durun.language.http import call_of, is_safe, read_request, sources
from durun.language.needs import read_needs
from durun.language.people import read_question
from durun.language.polling import read_poll, read_rhythm
from durun.language.retry import read_retry
from durun.language.rollback import as_privilege, read_rollback
from durun.language.schema import document_schema
from durun.language.shelf import Shelf
from durun.language.values import Reader
from durun.language.verify import own_question, read_verify
from durun.language.waiting import read_wait
from durun.model.runbook import (
    Action,
    Call,
    FanOut,
    InDoubtPolicy,
    Poll,
    Runbook,
    Shell,
    Step,
    Verify,
)
from durun.model.task import ROLLBACK
from durun.model.values import Json

_WAITS: Final = ("wait", "wait_for", "approval", "manual")
ACTIONS: Final = ("run", "http", "uses", "collect", "assert", "generate", "secret", *_WAITS, "runbook", "steps")
_FAN_OUT: Final = frozenset({"targets", "target_key", "max_parallel", "serial", "max_failures", "secret_fields"})
_OF_EVERY_STEP: Final = frozenset(
    {"id", "name", "description", "needs", "if", "continue_on_error", "controls", "files"} | {*_FAN_OUT, *ACTIONS}
)
_OF_CALLS: Final = frozenset(
    {
        "env",
        "inherit_env",
        "timeout",
        "retry",
        "verify",
        "idempotent",
        "on_in_doubt",
        "redact",
        "rollback",
        "privileged",
    }
)
_ALSO: Final[Mapping[str, frozenset[str]]] = {
    "steps": frozenset({"outputs"}),
    "secret": frozenset({"timeout", "retry", "rollback", "privileged"}),
    "http": _OF_CALLS | {"outputs"},
    "uses": _OF_CALLS | {"with", "secret_files", "working_directory"},
    "collect": COLLECT_ALSO,
    "wait_for": frozenset({"env", "secret_files", "inherit_env", "stdin", "shell", "working_directory", "outputs"})
    | {"redact"},
}
"""What an action permits beside the keys of every step; `run` permits all."""
_REFUSED: Final[Mapping[str, tuple[str, str]]] = {
    "steps": ("a group", "put it on the steps inside"),
    "runbook": ("`runbook`", "put it on the steps in that file, or under its `defaults`"),
}
"""What a key has no meaning for, in words, and what to do."""
_HINTS: Final[Mapping[tuple[str, str], str]] = {
    ("wait_for", "timeout"): "write it inside `wait_for`",
    ("uses", "outputs"): "remove it: its outputs are those that the plugin declares",
}
_NOTHING: Final = Action("run", "")


class Around(NamedTuple):
    """What a step has from what is around it."""

    shell: Shell = DEFAULT_SHELL
    timeout: Json = None
    retry: Mapping[str, Json] | None = None
    on_in_doubt: InDoubtPolicy | None = None
    in_fan_out: bool = False
    final: bool = False


class StepReader:
    """Reads all steps of one document; `raw` is the document with its broken parts."""

    def __init__(self, reader: Reader, all_ids: set[str], shelf: Shelf) -> None:
        self._reader = reader
        self._all_ids = all_ids
        self._shelf = shelf
        self._seen: dict[str, Path] = {}
        self.included: dict[str, Runbook] = {}
        self.unread: set[str] = set()

    def read(self, items: list[dict[str, Json]], raw: Any, path: Path, around: Around) -> tuple[Step, ...]:
        """The siblings of one list. `raw` is the same list before its invalid parts were taken out."""
        raws = [item if isinstance(item, dict) else {} for item in (raw if items else ())]
        ids = [self._id(item, raws[index], (*path, index)) for index, item in enumerate(items)]
        needs: list[tuple[str, ...]]
        if around.final:
            needs = [(ids[index - 1],) if index else () for index in range(len(ids))]
        else:
            needs = read_needs(self._reader, raws, ids, path, self._all_ids)
        steps = []
        for index, item in enumerate(items):
            step = self._step(item, raws[index], ids[index], (*path, index), around)
            step = self._with_rollback(step, item, (*path, index), around)
            steps.append(step._replace(needs=needs[index]))
        return tuple(steps)

    def _id(self, item: Mapping[str, Json], raw: Mapping[str, Json], path: Path) -> str:
        """The step's id; where it has none, or one that is taken, a name that nothing can refer to."""
        found = item.get("id", raw.get("id"))
        if not isinstance(found, str):
            return f"step at {path}"
        if found in self._seen:
            line = self._reader.locator.line((*self._seen[found], "id"))
            message = f"the id `{found}` is already taken, in line {line}"
            self._reader.problem(message, (*path, "id"), "ids are unique in the whole file")
            return f"{found} at {path}"
        self._seen[found] = path
        return found

    def _step(self, item: dict[str, Json], raw: dict[str, Json], step_id: str, path: Path, around: Around) -> Step:
        reader = self._reader
        kind = self._action(raw, path)
        if around.final and "needs" in raw:
            message = "`finally` steps are run in order, one after the other"
            reader.problem(message, (*path, "needs"), "remove `needs`", at_key=True)
        reader.files(item.get("files", ()), (*path, "files"))
        step = Step(
            id=step_id,
            line=reader.locator.line(path),
            name=item.get("name", ""),
            description=item.get("description", ""),
            condition=reader.condition(item["if"], (*path, "if")) if "if" in item else None,
            continue_on_error=item.get("continue_on_error", False),
            fan_out=self._fan_out(item, raw, path, around),
            controls=tuple(item.get("controls", ())),
        )
        if kind != "run":
            self._refuse_keys(kind, raw, path)
        if kind == "steps":
            return self._group(step, item, raw, path, around)
        if kind == "runbook":
            return self._include(step, item, path, around)
        if kind == "secret":
            return self._keyring(step, item, path, around)
        if kind in ("approval", "manual"):
            action, fields = read_question(reader, kind, item.get(kind, {}), (*path, kind))
            return step._replace(call=Call(action, around.shell), outputs=fields)
        if kind in ("assert", "generate", "wait"):
            return step._replace(call=Call(self._pure(kind, item, path), around.shell))
        if kind == "collect":
            collected = read_collect(reader, item.get("collect"), raw, (*path, "collect"))
            step = step._replace(collects=collected.name)
            return self._command(step, {**item, **item.get("collect", {})}, path, around, collected.kind, collected)
        if kind == "wait_for":
            return self._poll(step, item, path, around)
        return self._command(step, item, path, around, kind)

    def _with_rollback(self, step: Step, item: dict[str, Json], path: Path, around: Around) -> Step:
        at, raw = (*path, "rollback"), item.get("rollback")
        if step.call is None or "rollback" not in _ALSO.get(step.call.action.kind, ("rollback",)):
            return step
        if raw is None:
            if "privileged" in item:
                hint = "write `rollback: {run: …}`, which takes back what the step grants"
                self._reader.problem(
                    "`privileged` needs a `rollback` beside it", (*path, "privileged"), hint, at_key=True
                )
            return step
        if around.final:
            hint = "what is to be undone belongs under `steps`"
            self._reader.problem("`finally` steps are not rolled back", at, hint, at_key=True)
        rollback = read_rollback(self._reader, raw, at, step, around.timeout, around.retry or {}, self._shelf)
        if rollback is None:
            return step
        named = rollback.step._replace(id=f"{item.get('id', '')}{ROLLBACK}")
        rollback = as_privilege(self._reader, rollback, item.get("privileged"), (*path, "privileged"))
        return step._replace(rollback=rollback._replace(step=named))

    def _action(self, raw: Mapping[str, Json], path: Path) -> str:
        given = [key for key in ACTIONS if key in raw]
        if not given and raw and not raw.keys() - document_schema()["$defs"]["step"]["properties"].keys():
            hint = "write `run:`; a text is a script, a list is a command"
            message = f"a step needs an action: {', '.join(f'`{key}`' for key in ACTIONS[:-1])} or `steps`"
            self._reader.problem(message, path, hint)
        for second in given[1:]:
            message = f"a step has one action, and this one has `{given[0]}` and `{second}`"
            self._reader.problem(message, (*path, second), "make it two steps", at_key=True)
        if "with" in raw and given[:1] in ([], ["run"]):
            self._reader.problem(
                "`with` goes with `uses`", (*path, "with"), "write `uses: NAME` beside it", at_key=True
            )
        return given[0] if given else "run"

    def _refuse_keys(self, kind: str, raw: Mapping[str, Json], path: Path) -> None:
        permitted = _OF_EVERY_STEP | _ALSO.get(kind, frozenset())
        known = document_schema()["$defs"]["step"]["properties"]
        place, hint = _REFUSED.get(kind, (f"`{kind}`", "remove it"))
        for key in raw:
            if key in known and key not in permitted:
                said = _HINTS.get((kind, key), hint)
                self._reader.problem(f"`{key}` has no meaning for {place}", (*path, key), said, at_key=True)

    def _group(self, step: Step, item: dict[str, Json], raw: dict[str, Json], path: Path, around: Around) -> Step:
        reader = self._reader
        inside = around._replace(in_fan_out=around.in_fan_out or "targets" in raw, final=False)
        steps = self.read(item["steps"], raw["steps"], (*path, "steps"), inside) if "steps" in item else ()
        outputs = reader.value(item.get("outputs", {}), (*path, "outputs"))
        if not steps:
            return step._replace(call=Call(_NOTHING, around.shell), group_outputs=outputs)
        return step._replace(steps=steps, group_outputs=outputs)

    def _include(self, step: Step, item: dict[str, Json], path: Path, around: Around) -> Step:
        from durun.language.include import MAX_STEPS, read_include  # few runbooks include others

        room = MAX_STEPS - sum(len(one.every_step()) for one in self.included.values())
        fanned = around.in_fan_out or step.fan_out is not None
        step, runbook = read_include(
            self._reader, step, item.get("runbook", {}), (*path, "runbook"), self._shelf, in_fan_out=fanned, room=room
        )
        if runbook is None:
            self.unread.add(step.id)
        else:
            self.included[step.id] = runbook
        return step

    def _pure(self, kind: str, item: dict[str, Json], path: Path) -> Action:
        reader, spec, at = self._reader, item.get(kind, {}), (*path, kind)
        if kind == "generate":
            from durun.language.generating import read_generate  # most runbooks don't

            return read_generate(reader, spec, at)
        if kind == "wait":
            return Action(kind, read_wait(reader, spec, at))
        parsed: dict[str, Any] = {"that": reader.condition(spec.get("that", True), (*at, "that"))}
        if "message" in spec:
            parsed["message"] = reader.value(spec["message"], (*at, "message"))
        return Action(kind, parsed)

    def _keyring(self, step: Step, item: dict[str, Json], path: Path, around: Around) -> Step:
        """What is there already, or gone already, is done: so it may be repeated, and is asked before that."""
        call = read_keyring(self._reader, item, path, around.shell, around.timeout)
        check = Verify(Call(Action("secret_check", call.action.spec), around.shell), not_done_on=(1,))
        retry = read_retry(self._reader, {**(around.retry or {}), **item.get("retry", {})}, (*path, "retry"))
        return step._replace(call=call, verify=check, retry=retry, idempotent=True, on_in_doubt="verify")

    def _poll(self, step: Step, item: dict[str, Json], path: Path, around: Around) -> Step:
        reader, outputs = self._reader, item.get("outputs", {})
        poll = read_poll(reader, item, path, around.shell)
        kind = poll.call.action.kind if poll is not None else "run"
        spec = read_rhythm(reader, item.get("wait_for", {}), path, around.timeout)
        return step._replace(
            call=Call(Action("wait_for", spec), around.shell),
            poll=poll or Poll(Call(_NOTHING, around.shell)),
            outputs=read_outputs(reader, outputs, (*path, "outputs"), kind),
            inherit_env=self._inherited(item, path),
            redact=item.get("redact", False),
        )

    def _inherited(self, item: Mapping[str, Json], path: Path) -> tuple[str, ...]:
        for index, name in enumerate(item.get("inherit_env", ())):
            self._reader.env_name(name, (*path, "inherit_env", index))
        return tuple(item.get("inherit_env", ()))

    def _command(
        self,
        step: Step,
        item: dict[str, Json],
        path: Path,
        around: Around,
        kind: str,
        collected: Collected | None = None,
    ) -> Step:
        reader = self._reader
        repeatable = collected.repeatable if collected else kind == "http" and is_safe(item.get("http"))
        outputs = item.get("outputs", {})
        gives = sources(outputs) if kind == "http" else {}
        brought: Verify | None = None
        if kind == "http":
            repeated = bool(item.get("idempotent", repeatable))
            spec = {"url": "", **item.get("http", {})}
            action = read_request(reader, spec, (*path, "http"), repeatable=repeated, outputs=gives)
            call = call_of(reader, action, item, path, around.shell, around.timeout)
        elif kind == FILES:
            call = files_call(reader, item, path, around.shell, around.timeout)
        elif kind == "uses":
            from durun.language.plugins import read_used  # few runbooks use plugins

            call, plugin = read_used(reader, item, path, around.shell, self._shelf, around.timeout)
            if plugin is None:
                self.unread.add(step.id)
            repeatable = plugin is not None and plugin.idempotent
            brought = own_question(call, plugin)
            step = step._replace(outputs=plugin.outputs if plugin is not None else {})
        else:
            call = read_call(reader, {"run": "", **item}, path, around.shell, around.timeout)
        if kind != "uses":
            step = step._replace(outputs=read_outputs(reader, outputs, (*path, "outputs"), kind))
        verify = brought
        if "verify" in item:
            verify = read_verify(reader, item["verify"], (*path, "verify"), call, gives, self._shelf, brought)
        return self._repeated(step._replace(call=call, verify=verify), item, path, around, repeatable)

    def _repeated(self, step: Step, item: dict[str, Json], path: Path, around: Around, repeatable: bool) -> Step:
        """With what is said of when and how often it may be done."""
        reader, idempotent = self._reader, item.get("idempotent", repeatable)
        ttl = idempotent.get("ttl") if isinstance(idempotent, dict) else None
        ok, ambiguous = tuple(item.get("ok_exit_codes", (0,))), tuple(item.get("ambiguous_exit_codes", ()))
        if both := sorted(set(ok) & set(ambiguous)):
            reader.problem(f"exit code {both[0]} can't be both ok and ambiguous", (*path, "ambiguous_exit_codes"))
        return step._replace(
            retry=read_retry(reader, {**(around.retry or {}), **item.get("retry", {})}, (*path, "retry")),
            ok_exit_codes=ok,
            ambiguous_exit_codes=ambiguous,
            idempotent=bool(idempotent),
            idempotent_ttl=None if ttl is None else reader.seconds(ttl, (*path, "idempotent", "ttl")),
            on_in_doubt=self._on_in_doubt(item, path, around, step.verify, bool(idempotent)),
            inherit_env=self._inherited(item, path),
            redact=item.get("redact", False),
        )

    def _on_in_doubt(
        self, item: dict[str, Json], path: Path, around: Around, verify: Verify | None, idempotent: bool
    ) -> InDoubtPolicy:
        chosen = item.get("on_in_doubt", around.on_in_doubt)
        at = (*path, "on_in_doubt")
        if chosen == "verify" and verify is None and "verify" not in item:
            self._reader.problem("`on_in_doubt: verify` needs a `verify`", at, "write `verify: {run: …}`, or ask")
        if chosen == "rerun" and not idempotent:
            hint = "say `idempotent: true` if running it twice has one effect; else write `on_in_doubt: ask`"
            self._reader.problem("`on_in_doubt: rerun` needs `idempotent`", at, hint)
        if chosen is not None:
            return cast(InDoubtPolicy, chosen)
        return "verify" if verify is not None else "rerun" if idempotent else "ask"

    def _fan_out(self, item: dict[str, Json], raw: dict[str, Json], path: Path, around: Around) -> FanOut | None:
        if _FAN_OUT.isdisjoint(raw):
            return None
        from durun.language.fan_out import read_fan_out  # many runbooks have none

        return read_fan_out(self._reader, item, raw, path, around.shell, inside=around.in_fan_out)
