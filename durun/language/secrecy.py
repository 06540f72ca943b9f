"""Where a secret may stand in a runbook, and what to write instead where it may not.

A secret goes to a process by its environment, its standard input or a file, to a server in the headers or the body of a
request, and nowhere else: whatever is shown, journalled or readable by others (argv, URLs, messages, keys, a run's
outputs) never has one.
"""

from __future__ import annotations

from collections.abc import Iterable

from durun.language.expressions import PathPart, Reference, references
from durun.language.graph import Graph
from durun.language.places import Path, Placed, places
from durun.language.scripts import variables_for
from durun.language.taint import Taint
from durun.model.runbook import Runbook, Step, TargetsRun

Finding = tuple[str, str]
"""A message and a hint."""

_ANSWERED = "what the probe says has been redacted: it would never be found in it"
_WHY = {
    "run": "an argument of a program can be read by everybody on the machine",
    "assert": "a message is shown and journalled",
    "generate": "what a value is made from is journalled",
    "secret": "a name in the keyring is shown and journalled",
    "url": "servers and proxies write down what they are asked for",
    "query": "servers and proxies write down what they are asked for",
    "env": "the runbook's `env` goes to every step",
    "concurrency": "the name of a concurrency group is shown and journalled",
    "targets": "targets are shown and journalled",
    "target_key": "a target's key is shown and journalled",
    "outputs": "a run's outputs are shown and journalled",
    "secrets": "where a secret is found is shown and journalled",
    "until": _ANSWERED,
    "fail_when": _ANSWERED,
    "runbook": "the input that it is given to is shown and journalled",
    "with": "the plugin takes no secret there: the schema of its action does not say `writeOnly`",
}
_COMPARE = "let the script of the `wait_for` compare it: give it in `env` or `stdin`"
_INSTEAD = {
    "assert": "say it without the value; `that` may ask of it",
    "generate": "take a plain value",
    "secret": "only `value` may be a secret",
    "url": "give it in `headers`, `auth` or the body",
    "query": "give it in `headers`, `auth` or the body",
    "tls": "only `key` may be a secret",
    "env": "name it in the `env`, `stdin` or `secret_files` of the steps that need it",
    "targets": "list them in a `file:` or by a `run:`, and name their secret fields in `secret_fields:`",
    "target_key": "choose a field that is no secret",
    "outputs": "keep it with a step `secret: {put: …}`, and read it from the keyring",
    "secrets": "take plain inputs, `env`, `run.id` or plain fields of `target`",
    "until": _COMPARE,
    "fail_when": _COMPARE,
    "runbook": "say `secret: true` of that input, in the file that has it",
    "with": "give it where the plugin takes one",
}


class Secrecy:
    """Says of a reference whether it may be read where it stands."""

    def __init__(self, runbook: Runbook, graph: Graph) -> None:
        self._runbook = runbook
        self._graph = graph
        self._taint = Taint(runbook)
        self._in_env = {
            secret.spec: name
            for name, secret in runbook.secrets.items()
            if secret.provider == "env" and isinstance(secret.spec, str)
        }

    def finding(self, place: Placed, reference: Reference, fan: str | None) -> Finding | None:
        """What is wrong with a reference to something that is there. `fan`: whose target is known here."""
        path = reference.path
        if path[0] == "env" and path[1] in self._in_env:
            name = self._in_env[str(path[1])]
            return (
                f"`{written(path)}` is the secret `{name}`, and what `env` gives is journalled",
                f"write `secrets.{name}`",
            )
        reads = self._taint.reads(path, fan)
        if reads == "part":
            return f"`{written(path)}` holds a secret among other things", "name the one thing that is wanted"
        if not reads or place.secret:
            return None
        word = _word(place.path)
        if word == "targets" and place.step is not None and _listed_by_command(place.step):
            hint = "let a step before it fetch the list, and read that step's output"
            return f"`{written(path)}` is secret, and a command that lists targets is given none", hint
        why = _WHY.get(word, f"`{word}` is shown and journalled")
        hint = _deliver(place) if word == "run" else _INSTEAD.get(word, "take a plain value")
        return f"`{written(path)}` is secret, and {why}", hint

    def target_of_source(self, place: Placed, reference: Reference) -> Finding | None:
        """What is wrong with `target` in the place where a secret is found."""
        name = place.path[1]
        for user in places(self._runbook):
            if not any(found.path[:2] == ("secrets", name) for found in references(user.expression)):
                continue
            fan = self._graph.fan(user.step.id) if user.step is not None and user.when != "targets" else None
            if fan is None:
                where = f"`{user.step.id}` names" if user.step is not None else "the runbook names"
                hint = f"{where} `secrets.{name}` where no target is known"
                return "`target` is known only if every step that names the secret stands in a fan-out", hint
            if self._taint.reads(reference.path, fan):
                return f"`{written(reference.path)}` is or holds a secret, and {_WHY['secrets']}", _INSTEAD["secrets"]
        return None


def written(path: Iterable[PathPart]) -> str:
    """A path as an operator writes it; `…` where a key is computed."""
    first, *rest = path
    text = str(first)
    for part in rest:
        if part is None:
            text += "[…]"
        elif isinstance(part, str) and part.isidentifier():
            text += f".{part}"
        else:
            text += f"[{part!r}]"
    return text


def _listed_by_command(step: Step) -> bool:
    return step.fan_out is not None and isinstance(step.fan_out.source, TargetsRun)


def _word(path: Path) -> str:
    """The key of the step, or of the file, under which a path leads on."""
    while len(path) > 2 and path[0] in ("steps", "finally", "notify"):
        path = path[2:]
    while path[0] in ("rollback", "verify", "wait_for") and len(path) > 1:
        path = path[1:]
    if path[0] == "http" and len(path) > 1:
        path = path[1:]
    return str(path[0])


def _deliver(place: Placed) -> str:
    """The lines that give a secret to a program without its argv."""
    owner = next((f"`{own}`" for own in ("verify", "rollback") if own in place.path), "the step")
    ((name, source),) = variables_for([" ".join(place.expression.source.split())]).items()
    quoted = source.replace("\\", "\\\\").replace('"', '\\"')
    lines = [f"add to {owner}", "  env:", f'    {name}: "${{{{ {quoted} }}}}"']
    return "\n".join([*lines, "and let the program read that; or give it by `stdin:`, or as a file by `secret_files:`"])
