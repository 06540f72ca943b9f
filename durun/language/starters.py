"""The runbooks from which `durun new` writes a first one: each does something by itself as it stands."""

from __future__ import annotations

from pathlib import Path

from durun.language.schema import SCHEMA_FILE

STARTERS = {
    "blank": "a few slow steps: to see a run killed and resumed, and to begin with",
    "rotation": "a new password for every service of a list, canary first",
    "provisioning": "an account for everybody on a list; whoever has one is left alone",
    "evidence": "the state of this machine, with checksums",
}
"""The name of each, and what it is."""


def starter(kind: str, name: str) -> str:
    """The text of a new runbook called `name`. Its first line tells editors where the schema is."""
    text = Path(__file__).with_name("templates").joinpath(f"{kind}.yaml").read_text(encoding="utf-8")
    first = f"# yaml-language-server: $schema={SCHEMA_FILE}\n"
    return first + text.replace(f"\nname: {kind}\n", f"\nname: {name}\n", 1)
