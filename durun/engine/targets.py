"""Targets: listed once, when a fan-out is first reached, and then fixed in the journal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from durun.engine.ledger import Ledger
from durun.engine.tasks import Tasks
from durun.errors import DurunError
from durun.language.expressions import render
from durun.language.targets import TargetError, as_targets, listed, parse_targets_text
from durun.model.event import TargetsResolved
from durun.model.foresight import to_be_repeated
from durun.model.runbook import TargetsFile, TargetsMatrix, TargetsValue
from durun.model.task import Target, TaskKey
from durun.model.values import Json


def _fields_of(value: Json, fields: Sequence[str]) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise TargetError("`secret_fields` needs targets that are mappings", "write {name: …, FIELD: …}")
    return {name: value[name] for name in fields if name in value}


def _without(fields: Sequence[str], value: Json) -> Json:
    if not fields or not isinstance(value, dict):
        return value
    return {name: entry for name, entry in value.items() if name not in fields}


class Targets:
    """Resolves the fan-outs of one run.

    `read_file` gives a listed file as the run has it, and raises TargetError; one with secrets in it is to be private,
    and it raises SecretUnavailable where others may read it.
    """

    def __init__(self, ledger: Ledger, tasks: Tasks, read_file: Callable[[str, bool], bytes]) -> None:
        self._ledger = ledger
        self._tasks = tasks
        self._read_file = read_file

    def listed(self, key: TaskKey, source: TargetsValue | TargetsFile | TargetsMatrix) -> Json:
        """The values of the targets, as the runbook says them.

        Raises ExpressionError, TargetError, SecretUnavailable.
        """
        scope = self._tasks.values.scope(key)
        frame, fan_out = self._tasks.values.frame(key.step), self._tasks.step(key).fan_out
        private = fan_out is not None and bool(fan_out.secret_fields)
        return listed(source, scope, lambda name: self._read_file(frame.beside(name), private))

    def differing(self) -> list[str]:
        """A line for each fan-out whose file lists other targets now than when they were fixed."""
        lines = []
        for (step, round_), resolved in self._ledger.state.resolved.items():
            fan_out = self._tasks.values.steps[step].fan_out if step in self._ledger.plan.nodes else None
            if fan_out is None or not isinstance(fan_out.source, TargetsFile) or resolved.skipped:
                continue
            try:
                now = self.listed(TaskKey(step, None, round_), fan_out.source)
            except DurunError as error:
                now = error.message
            now = [_without(fan_out.secret_fields, value) for value in now] if isinstance(now, list) else now
            if not self._ledger.state.created.only_targets and now != list(resolved.index.values()):
                lines.append(f"the targets of {step} are listed differently now; those of the start hold")
        return lines

    def from_stdout(self, key: TaskKey, stdout: bytes) -> None:
        """Resolve a fan-out by what its command listed. Raises TargetError."""
        self.resolve(key, parse_targets_text(stdout.decode("utf-8", errors="replace")))

    def skip(self, key: TaskKey) -> None:
        """The fan-out's `if` is false: it has no targets."""
        self._ledger.emit(TargetsResolved(step=key.step, targets=(), tasks=0, round=key.round, skipped=True))

    def resolve(self, key: TaskKey, values: Json) -> None:
        """Fix the targets. Raises TargetError."""
        fan_out = self._tasks.step(key).fan_out
        assert fan_out is not None
        if fan_out.secret_fields and isinstance(values, list):
            # First of all, so that no message about a wrong target tells them.
            for value in values:
                self._tasks.secrecy.note(list(_fields_of(value, fan_out.secret_fields).values()))
        outside = self._tasks.values.scope(TaskKey(key.step, None, key.round))
        targets = as_targets(
            values, fan_out.target_key, key.step, lambda value, scope: render(value, {**outside, **scope})
        )
        targets, sealed = self._seal(key, fan_out.secret_fields, targets)
        chosen = self._ledger.state.created.only_targets
        if chosen:
            targets = tuple(target for target in targets if target.key in chosen)
            self._refuse_unknown(key, chosen, [target.key for target in targets])
        count = len(targets) * len(self._ledger.plan.leaves(key.step))
        approval = to_be_repeated(self._ledger.plan, self._ledger.state, key) if targets else ""
        resolved = TargetsResolved(
            step=key.step,
            targets=targets,
            tasks=count + bool(approval),
            round=key.round,
            sealed=sealed,
            approval=approval,
        )
        self._ledger.emit(resolved)

    def _seal(self, key: TaskKey, fields: Sequence[str], targets: Sequence[Target]) -> tuple[tuple[Target, ...], Json]:
        """The targets without their secret fields, and the seal of these. Raises TargetError, StorageFailed."""
        secrecy = self._tasks.secrecy
        if not secrecy.active:
            return tuple(targets), None
        secret = {target.key: _fields_of(target.value, fields) for target in targets} if fields else {}
        plain = tuple(target._replace(value=_without(fields, target.value)) for target in targets)
        for target in plain:
            if secrecy.exposes([target.key, target.value]):
                raise TargetError(
                    f"{key.step}: a target holds a secret in the open", "name the field in `secret_fields: […]`"
                )
        if not secret:
            return plain, None
        at = f"sealed/targets-{key.step}-{key.round}"
        secrecy.seal(at, secret)
        return plain, {"at": at, "fields": list(fields), "fingerprint": secrecy.fingerprint(secret)}

    def _refuse_unknown(self, key: TaskKey, chosen: Sequence[str], found: Sequence[str]) -> None:
        missing = [name for name in chosen if name not in found]
        fan_outs = sum(1 for node in self._ledger.plan.nodes.values() if node.fan_out is not None)
        # Among several fan-outs a key may be meant for another one.
        if missing and (fan_outs == 1 or not found):
            raise TargetError(f"{key.step} has no target {', '.join(missing)}", "correct --target")
