"""The provider of secrets `example_box`: a JSON file that holds them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from durun.plugins import ProviderContext, SecretUnavailable


def open_box(spec: Any, context: ProviderContext) -> str:
    """The entry `name` of the file `box`."""
    try:
        box = json.loads(Path(context.folder, spec["box"]).read_text(encoding="utf-8"))
        return str(box[spec["name"]])
    except (OSError, ValueError, KeyError, TypeError):
        raise SecretUnavailable("the box has no such entry", "write {box: FILE, name: ENTRY}") from None
