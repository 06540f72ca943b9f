"""From a document whose shape was checked to a Runbook, with everything that is wrong with what it says."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from durun.language.calls import DEFAULT_SHELL, read_shell
from durun.language.concurrency import read_concurrency
from durun.language.declarations import read_inputs
from durun.language.notices import read_notices
from durun.language.references import check_references, env_names
from durun.language.retry import read_retry
from durun.language.rollback import check_privileged
from durun.language.schema import document_schema
from durun.language.shelf import Shelf
from durun.language.sources import check_files, read_secrets
from durun.language.steps import Around, StepReader
from durun.language.values import Reader
from durun.model.runbook import Requires, Runbook
from durun.model.values import Json

_INSIDE: Final = frozenset(
    {"durun", "name", "description", "controls", "inputs", "secrets", "env", "inherit_env", "defaults", "requires"}
    | {"files", "steps", "outputs"}
)
"""The keys of a runbook that have a meaning when it is included."""


def build(reader: Reader, document: dict[str, Json], raw: Any, text: str, shelf: Shelf) -> Runbook:
    """The runbook that a document describes; what is wrong is put in `reader`.

    `document` is what the schema's check left of `raw`, `shelf` has what it may include. The result is only to be used
    when nothing is wrong.
    """
    raw = raw if isinstance(raw, dict) else {}
    if shelf.included:
        _refuse_keys(reader, raw, shelf)
    around = _defaults(reader, document.get("defaults", {}))
    reader.files(document.get("files", ()), ("files",))
    steps = StepReader(reader, _ids(raw.get("steps")) | _ids(raw.get("finally")), shelf)
    main = steps.read(document.get("steps", []), raw.get("steps"), ("steps",), around)
    last = steps.read(document.get("finally", []), raw.get("finally"), ("finally",), around._replace(final=True))
    requires = {key: tuple(words) for key, words in document.get("requires", {}).items()}
    for index, name in enumerate(document.get("inherit_env", ())):
        reader.env_name(name, ("inherit_env", index))
    runbook = Runbook(
        name=document.get("name", ""),
        text=text,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        steps=main,
        finally_steps=last,
        description=document.get("description", ""),
        controls=tuple(document.get("controls", ())),
        inputs=read_inputs(reader, document.get("inputs", {}), ("inputs",)),
        secrets=read_secrets(reader, document.get("secrets", {}), raw.get("secrets"), shelf),
        env=reader.env(document.get("env", {}), ("env",)),
        inherit_env=tuple(document.get("inherit_env", ())),
        files=tuple(reader.globs),
        requires=Requires(**requires),
        max_parallel=reader.value(document.get("max_parallel", 8), ("max_parallel",)),
        concurrency=read_concurrency(reader, document.get("concurrency", {})),
        notify=read_notices(reader, document.get("notify", ()), around.shell),
        on_failure=document.get("on_failure", "stop"),
        outputs=reader.value(document.get("outputs", {}), ("outputs",)),
    )
    check_files(reader, runbook)
    check_privileged(reader, runbook)
    reader.problems.extend(check_references(runbook, frozenset(steps.unread), included=shelf.included))
    return _with_included(reader, runbook, steps.included)


def _with_included(reader: Reader, runbook: Runbook, included: Mapping[str, Runbook]) -> Runbook:
    """With what the runbook has of those that its steps include; the names of their secrets are `STEP.NAME`."""
    secrets, names = dict(runbook.secrets), set(env_names(runbook))
    for step, inner in included.items():
        secrets |= {f"{step}.{name}": secret for name, secret in inner.secrets.items()}
        names.update(inner.env_names)
    runbook = runbook._replace(secrets=secrets, env_names=tuple(sorted(names)))
    if included:
        from durun.language.include import check_copies  # few runbooks include others

        check_copies(reader, runbook)
    return runbook


def _refuse_keys(reader: Reader, raw: Mapping[str, Json], shelf: Shelf) -> None:
    """Keys that say something of a whole run, in a file whose steps are only a part of one."""
    for key in raw:
        if key in document_schema()["properties"] and key not in _INSIDE:
            hint = f"remove it, or write it in {shelf.chain[0]}, whose run it is"
            message = f"`{key}` has no meaning in a runbook that is included, and {shelf.chain[-2]} includes this one"
            reader.problem(message, (key,), hint, at_key=True)


def _defaults(reader: Reader, raw: dict[str, Json]) -> Around:
    path = ("defaults",)
    reader.duration(raw.get("timeout"), (*path, "timeout"))
    read_retry(reader, raw.get("retry", {}), (*path, "retry"))
    return Around(
        shell=read_shell(reader, raw.get("shell"), (*path, "shell"), DEFAULT_SHELL),
        timeout=raw.get("timeout"),
        retry=raw.get("retry"),
        on_in_doubt=raw.get("on_in_doubt"),
    )


def _ids(items: Any) -> set[str]:
    """Every id in a list of steps, at any depth."""
    found: set[str] = set()
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict):
            if isinstance(item.get("id"), str):
                found.add(item["id"])
            found |= _ids(item.get("steps"))
    return found
