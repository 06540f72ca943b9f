"""Packages with plugins, laid down in a folder as pip leaves them: enough to be found where it is on PYTHONPATH."""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path

README = Path(__file__).parents[1] / "durun" / "README.md"

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


def files_of_readme() -> dict[str, str]:
    """The package that durun/README.md has as an example: each file by its name."""
    blocks = re.findall(
        r"^```(?:toml|python)\n# (\S+)\n(.*?)^```$", README.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    return {"durun_acme/__init__.py": "", **{name: f"# {name}\n{text}" for name, text in blocks}}


def install_readme(site: Path) -> None:
    """That package, as pip leaves it."""
    files = files_of_readme()
    project = tomllib.loads(files.pop("pyproject.toml"))["project"]
    for name, text in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    facts = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    facts.mkdir()
    about = {"Metadata-Version": "2.1", "Name": project["name"], "Version": project["version"]}
    (facts / "METADATA").write_text("".join(f"{key}: {value}\n" for key, value in about.items()))
    groups = project["entry-points"].items()
    lines = (
        line for group, brings in groups for line in (f"[{group}]", *(f"{a} = {b}" for a, b in brings.items()), "")
    )
    (facts / "entry_points.txt").write_text("\n".join(lines))
