"""A checked runbook: what the YAML file says, as frozen data. Made by `durun.language`, read by everyone.

What may hold an expression is a `Value`, and is worked out when it is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from durun.model.status import NotifyOn
from durun.model.tuples import NamedTuple
from durun.model.values import Expression, Json, Value

InDoubtPolicy = Literal["verify", "rerun", "ask", "fail"]
UndoWhen = Literal["succeeded", "failed", "in_doubt", "found"]
"""How a task stands that a rollback undoes; `found`: a verify found it done before the run did anything."""


class Action(NamedTuple):
    """What a step does: the action's name (`run`, `assert`, `generate`, …) and what stands under it."""

    kind: str
    spec: Value


class Shell(NamedTuple):
    """How a script is started: `argv` with `{0}` for the script's path, and the script file's ending."""

    argv: tuple[str, ...]
    suffix: str


class Call(NamedTuple):
    """An action with its surroundings. A step, a verify and a `targets: {run: …}` each hold one.

    `timeout` is a Value that renders to a duration such as `30s`; None: no limit. `secret_files`: variable → what
    the file that it names holds.
    """

    action: Action
    shell: Shell
    env: Mapping[str, Value] = {}
    stdin: Value | None = None
    working_directory: Value | None = None
    timeout: Value | None = None
    secret_files: Mapping[str, Value] = {}


class Output(NamedTuple):
    """A declared output. `source` is `file` ($DURUN_OUTPUT) or `stdout`; `json` a JMESPath pick, or None.

    A `secret` one is sealed, and the journal has its name and a keyed fingerprint only.
    """

    type: Literal["string", "integer", "number", "boolean", "array", "object"] = "string"
    source: Literal["file", "stdout"] = "file"
    json: str | None = None
    secret: bool = False


GENERATED: Mapping[str, Mapping[str, bool]] = {
    "uuid": {"uuid": False},
    "choice": {"choice": False},
    "timestamp": {"timestamp": False},
    "password": {"password": True},
    "token": {"token": True},
    "bytes": {"bytes": True},
    "ssh_key": {"public": False, "private": True},
    "rsa_key": {"public": False, "private": True},
    "x509_request": {"x509_request": False, "private": True},
}
"""What each kind of `generate` gives: the names of its outputs, and whether they are secret."""

SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")
"""Methods of `http` that change nothing (RFC 9110, 9.2.1)."""


class Verify(NamedTuple):
    """How to ask the outside world whether a step is done. `settle` is seconds (a Value, a duration) or None."""

    call: Call
    done_on: tuple[int, ...] = (0,)
    not_done_on: tuple[int, ...] = ()
    before: bool = False
    after: bool = False
    settle: Value | None = None


class Poll(NamedTuple):
    """What `wait_for` asks, and when the answer is good (None: exit code 0, or 2xx) or hopeless."""

    call: Call
    until: Expression | None = None
    fail_when: Expression | None = None


class RetrySpec(NamedTuple):
    """`retry` as written; every field is a Value (numbers, durations). See `durun.model.plan.Retry`."""

    max_attempts: Value = 1
    delay: Value = "1s"
    backoff: Value = 2
    max_delay: Value = "5m"
    jitter: Value = 0.1
    on_exit_codes: tuple[int, ...] | None = None


class TargetsValue(NamedTuple):
    """A literal list or an expression that gives one."""

    value: Value


class TargetsFile(NamedTuple):
    """A YAML or JSON file that holds a list; a relative path is relative to the runbook."""

    path: Value


class TargetsRun(NamedTuple):
    """A read-only command whose stdout is a JSON array, or one target a line."""

    call: Call


class TargetsMatrix(NamedTuple):
    """Every combination of the axes, the last axis changing fastest."""

    axes: Mapping[str, Value]


TargetSource: TypeAlias = TargetsValue | TargetsFile | TargetsRun | TargetsMatrix


class FanOut(NamedTuple):
    """`targets` and what goes with it; numbers are Values until the plan is made.

    `max_failures` None: not said. That is none, but with `continue_on_error` all. `secret_fields`: the fields of
    every target that are sealed.
    """

    source: TargetSource
    target_key: Value | None = None
    max_parallel: Value = 1
    serial: Value | None = None
    max_failures: Value | None = None
    secret_fields: tuple[str, ...] = ()


class Step(NamedTuple):
    """One step: a leaf with a `call`, or a group with `steps`. With an `include`, these are the steps of another file.

    `needs` holds siblings' ids (the step before it where the file says nothing). `outputs` are a leaf's
    declared outputs, `group_outputs` a group's own. `line` is where it stands in its file, from 1. `collects`: its call
    stands under `collect`; the name of the evidence that its stdout is, or `files` for files.
    """

    id: str
    line: int
    needs: tuple[str, ...] = ()
    call: Call | None = None
    steps: tuple[Step, ...] = ()
    name: str = ""
    description: str = ""
    condition: Expression | None = None
    retry: RetrySpec = RetrySpec()
    outputs: Mapping[str, Output] = {}
    group_outputs: Mapping[str, Value] = {}
    ok_exit_codes: tuple[int, ...] = (0,)
    ambiguous_exit_codes: tuple[int, ...] = ()
    verify: Verify | None = None
    poll: Poll | None = None
    idempotent: bool = False
    idempotent_ttl: float | None = None
    on_in_doubt: InDoubtPolicy = "ask"
    continue_on_error: bool = False
    fan_out: FanOut | None = None
    inherit_env: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    redact: bool = False
    collects: str = ""
    rollback: Rollback | None = None
    include: Include | None = None

    @property
    def has_evidence(self) -> bool:
        """Whether an attempt may leave evidence."""
        return bool(self.collects) or (self.call is not None and self.call.action.kind in ("run", "uses"))

    @property
    def generated(self) -> Mapping[str, bool]:
        """What a `generate` step gives: the names of its outputs, and whether they are secret; of others nothing."""
        if self.call is None or self.call.action.kind != "generate":
            return {}
        return {name: secret for kind in self.call.action.spec for name, secret in GENERATED.get(kind, {}).items()}

    @property
    def secret_outputs(self) -> frozenset[str]:
        """The names of a leaf's outputs that are secret. (A group's are secret if they are made of such.)"""
        declared = {name for name, output in self.outputs.items() if output.secret}
        return frozenset(declared.union(name for name, secret in self.generated.items() if secret))


class Rollback(NamedTuple):
    """How a step is undone, by a step of its own. `until`, `most` (a duration): when the privilege that it is ends."""

    step: Step
    when: tuple[UndoWhen, ...] = ("succeeded",)
    until: str | None = None
    most: Value = None


class Input(NamedTuple):
    """A declared input: a JSON Schema fragment, and whether it must be given. A `secret` one is sealed."""

    schema: Mapping[str, Json]
    required: bool = False
    has_default: bool = False
    default: Json = None
    description: str = ""
    secret: bool = False

    @property
    def is_string(self) -> bool:
        """Whether `-i NAME=VALUE` takes the value literally: where the schema says nothing else."""
        if "type" in self.schema:
            return bool(self.schema["type"] == "string")
        return "anyOf" not in self.schema and all(isinstance(value, str) for value in self.schema.get("enum", ()))


class Secret(NamedTuple):
    """A declared secret: the name of the provider that has it, and what stands under that name.

    `line` is where it stands in its file, from 1, and `folder` that file's folder, relative to that of the run's
    own runbook.
    """

    provider: str
    spec: Value
    line: int = 0
    folder: str = ""


class Requires(NamedTuple):
    """What must be there before the first effect: commands on PATH, one of these unix groups; and what to tell."""

    commands: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    privileges: tuple[str, ...] = ()


class Include(NamedTuple):
    """A runbook whose steps are a group of another: what holds inside it, and nowhere else.

    `file` is relative to the folder of the run's own runbook, with `/` and as short as can be. `given` are the values
    for its `inputs`; those in `early` must be known when the plan is made. `secret_outputs`: the names of its outputs
    that are made of a secret.
    """

    file: str
    inputs: Mapping[str, Input] = {}
    given: Mapping[str, Value] = {}
    early: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    env: Mapping[str, Value] = {}
    inherit_env: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    requires: Requires = Requires()
    secret_outputs: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """The folder of the file, relative to that of the run's own runbook; empty if it is the same."""
        return self.file.rpartition("/")[0]


def inputs_step(include: str) -> str:
    """The id of the step that fixes the inputs of what a step includes; no step can be given such an id."""
    return f"{include}:inputs"


class Concurrency(NamedTuple):
    """What no two runs may work on at once: a `group`, by a name that is rendered before a run starts.

    `on_conflict`: what a start does that finds it held. `release_on`: the statuses in which a run lets go of it.
    """

    group: Value
    on_conflict: Literal["fail", "wait", "skip"] = "fail"
    release_on: tuple[Literal["waiting", "failed"], ...] = ()


class Notice(NamedTuple):
    """Whom to tell, and of what: a program, a server, or a service of Apprise."""

    events: tuple[NotifyOn, ...]
    call: Call


class Runbook(NamedTuple):
    """A whole checked runbook. `text` is the file as read, `included` those of the files that it includes, by path.

    `digest` is a SHA-256 in hex over all of them. `files` are the globs of helper files; `secrets` has those of
    included files too, as `STEP.NAME`; `env_names` is every `env.X` that is read. `plugins` are as in RunCreated.
    """

    name: str
    text: str
    digest: str
    steps: tuple[Step, ...]
    finally_steps: tuple[Step, ...] = ()
    description: str = ""
    controls: tuple[str, ...] = ()
    inputs: Mapping[str, Input] = {}
    secrets: Mapping[str, Secret] = {}
    env: Mapping[str, Value] = {}
    inherit_env: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    requires: Requires = Requires()
    max_parallel: Value = 8
    concurrency: Concurrency | None = None
    notify: tuple[Notice, ...] = ()
    on_failure: Literal["stop", "rollback"] = "stop"
    outputs: Mapping[str, Value] = {}
    env_names: tuple[str, ...] = ()
    included: Mapping[str, str] = {}
    plugins: Mapping[str, Mapping[str, Json]] = {}

    @property
    def has_secrets(self) -> bool:
        """Whether a run of it has anything that must stay out of sight: what a `redact` step writes may be."""
        return (
            bool(self.secrets)
            or any(item.secret for item in self.inputs.values())
            or any(step.secret_outputs or step.redact for step in self.every_step())
            or any(step.fan_out.secret_fields for step in self.every_step() if step.fan_out is not None)
            or bool(self.keyring_steps)
        )

    @property
    def includes(self) -> list[Include]:
        """Every file that is included, as often as it is."""
        return [step.include for step in self.every_step() if step.include is not None]

    @property
    def all_requires(self) -> list[Requires]:
        """What the runbook requires, and what each file that it includes does."""
        return list(dict.fromkeys([self.requires, *(one.requires for one in self.includes)]))

    @property
    def file_globs(self) -> list[tuple[str, tuple[str, ...]]]:
        """The globs of helper files of all files, each with the folder that they are relative to."""
        return list(dict.fromkeys([("", self.files), *((one.folder, one.files) for one in self.includes)]))

    @property
    def keyring_steps(self) -> tuple[str, ...]:
        """The ids of the steps that need the caller's keyring, whatever else they need."""
        return tuple(step.id for step in self.every_step() if step.call and step.call.action.kind == "secret")

    def rollbacks(self) -> list[Step]:
        """What undoes steps, as steps, in the order of `every_step`."""
        return [step.rollback.step for step in self.every_step() if step.rollback is not None]

    def every_step(self) -> list[Step]:
        """All steps, groups before what is in them, `finally` last."""
        found: list[Step] = []
        rest = [*reversed(self.finally_steps), *reversed(self.steps)]
        while rest:
            step = rest.pop()
            found.append(step)
            rest.extend(reversed(step.steps))
        return found
