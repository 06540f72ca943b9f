"""Packages with plugins, laid down in a folder as pip leaves them: enough to be found where it is on PYTHONPATH."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

TICKET: Mapping[str, str] = {"shop.ticket": "Ticket"}


def install(
    site: Path, code: str, version: str = "1.0", package: str = "durun-shop", actions: Mapping[str, str] = TICKET
) -> Path:
    """A package of one module, which brings these actions: name → what it is called in the module."""
    uninstall(site, package)
    module = package.replace("-", "_")
    facts = site / f"{module}-{version}.dist-info"
    facts.mkdir(parents=True)
    (site / f"{module}.py").write_text(code)
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    lines = [f"{name} = {module}:{what}" for name, what in actions.items()]
    (facts / "entry_points.txt").write_text("\n".join(["[durun.actions]", *lines, ""]))
    return site


def uninstall(site: Path, package: str = "durun-shop") -> None:
    for path in site.glob(f"{package.replace('-', '_')}*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
