"""What an action from a plugin says of itself: asked for when a runbook is checked, and then fixed for its runs."""

from __future__ import annotations

from collections.abc import Mapping

from durun.model.runbook import Output, Step
from durun.model.tuples import NamedTuple
from durun.model.values import Json


class Plugin(NamedTuple):
    """An action, the package that brings it, and what can be told of it without running it.

    `schema` is the JSON Schema of what stands under `with`. `verifies`: it can say whether it is done. `idempotent`:
    done twice with one key, it has one effect.
    """

    name: str
    package: str
    version: str
    schema: Mapping[str, Json]
    outputs: Mapping[str, Output] = {}
    verifies: bool = False
    idempotent: bool = False

    @property
    def code(self) -> str:
        """What is run: the package and its version, as an attempt has it in the journal."""
        return code_of(self.package, self.version)


def code_of(package: str, version: str) -> str:
    """What a package of this version is called."""
    return f"{package} {version}"


def said_of(plugin: Plugin) -> dict[str, Json]:
    """The plugin as JSON, for the journal."""
    outputs = {name: {"type": output.type, "secret": output.secret} for name, output in plugin.outputs.items()}
    return {**plugin._asdict(), "outputs": outputs}


def plugin_of(said: Mapping[str, Json]) -> Plugin:
    """The plugin that `said_of` told of."""
    outputs = {name: Output(output["type"], secret=output["secret"]) for name, output in said["outputs"].items()}
    return Plugin(**{**said, "outputs": outputs})


def uses_of(step: Step) -> list[str]:
    """The actions from plugins that a step uses: itself, to verify, and to be undone."""
    calls = [step.call, step.verify.call if step.verify is not None else None]
    found = [str(call.action.spec["uses"]) for call in calls if call and call.action.kind in ("uses", "uses_check")]
    return found + (uses_of(step.rollback.step) if step.rollback is not None else [])
