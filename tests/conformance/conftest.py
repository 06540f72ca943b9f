"""What durun does, as an operator sees it: numbered folders of runbooks, typed commands, and what must come of them.

Each folder `NNN-topic/` holds runbooks and helper files, and a `case.yaml`: a mapping from the name of a case to the
list of what is typed. A case works in a fresh copy of its folder, which is also where its steps stand, with a state
directory of its own; where a declarative case is not enough, a `test_*.py` beside it uses the fixture `operator`.

One entry of the list:

    durun: run runbook.yaml -i who=World    # what follows `durun`, split as a shell does; or a list of arguments
    exit: 0                                 # the expected exit code; a negative one is a signal. Default 0
    env: {NAME: value}                      # beside the few variables there are; null takes one away
    stdin: text
    says: [part, part]                      # in stdout and stderr together, in this order
    says_not: [part]
    silent: true                            # nothing at all is printed
    json: {…}                               # of stdout: a mapping needs these keys at least, a list has this length
    events: [{…}, {…}]                      # of stdout's JSON lines: each of these, in this order
    error: {…}                              # of stderr: what is in `error`
    files: {effects: "a\\nb\\n"}              # afterwards; a list: these lines in any order; null: no such file
    write: {runbook.yaml: text}             # before it
    remove: [file]

`fault: [38]` as an entry of its own names rows of the catalogue of faults. `@last` is the newest run. Steps count their
effects themselves, by a line appended to a file. `kill-runner` in a step is a kill -9 of the runner that drives it.
"""

from __future__ import annotations

import json
import os
import pwd
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from durun.config import whoami
from durun.model.people import person

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LIMIT = 40
"""Seconds that one command may take."""


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The JSON lines of stdout."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class Operator:
    """Somebody who types commands in a copy of a case's folder."""

    place: Path
    home: Path
    environment: dict[str, str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __call__(
        self,
        *arguments: object,
        code: int | None = 0,
        env: Mapping[str, str | None] | None = None,
        stdin: str | None = None,
        whole: bool = False,
    ) -> Said:
        """Type a command; the test fails unless it ends with `code` (None: with any).

        `whole`: wait also for all that it leaves behind, such as who tells somebody of the run.
        """
        ended = subprocess.run(
            self._command(arguments, whole), env=self._with(env), cwd=self.place, input=stdin or "",
            capture_output=True, encoding="utf-8", timeout=LIMIT, check=False,
        )  # fmt: skip
        said = Said(ended.returncode, ended.stdout, ended.stderr)
        shown = (
            f"durun {shlex.join(map(str, arguments))[:500]}\nexit {said.code}\n{said.out[-6000:]}\n{said.err[-3000:]}"
        )
        assert "Traceback" not in said.err, shown
        assert code is None or said.code == code, shown
        return said

    def start(
        self, *arguments: object, env: Mapping[str, str | None] | None = None, whole: bool = False
    ) -> subprocess.Popen[str]:
        """A command that goes on while the test does; its JSON lines or text on its stdout.

        `whole`: its stdout ends with it, the process only with all that it leaves behind.
        """
        process = subprocess.Popen(
            self._command(arguments, whole), env=self._with(env), cwd=self.place, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
        )  # fmt: skip
        self.started.append(process)
        return process

    def read(self, name: str) -> str:
        """A file in the folder; nothing if it isn't there."""
        path = self.place / name
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def fifo(self, name: str) -> Path:
        path = self.place / name
        os.mkfifo(path)
        return path

    def show(self, run: str = "@last") -> Any:
        return self("show", run, "--json").json

    def tasks(self, run: str = "@last") -> dict[tuple[str, str | None], dict[str, Any]]:
        return {(task["step"], task["target"]): task for task in self.show(run)["tasks"]}

    def _command(self, arguments: Sequence[object], whole: bool) -> list[str]:
        around = [sys.executable, str(HERE.parent / "whole.py")] if whole else []
        return [*around, sys.executable, "-m", "durun", *map(str, arguments)]

    def _with(self, env: Mapping[str, str | None] | None) -> dict[str, str]:
        merged = {**self.environment, **(env or {})}
        return {name: value for name, value in merged.items() if value is not None}


@pytest.fixture
def new_operator(tmp_path: Path) -> Iterator[Any]:
    """new_operator(folder): somebody in a fresh copy of that folder."""
    made: list[Operator] = []

    def make(folder: Path) -> Operator:
        place = tmp_path / "work"
        shutil.copytree(folder, place, ignore=shutil.ignore_patterns("__pycache__"))
        (tmp_path / "home").mkdir()
        environment = {
            "PATH": f"{HERE / 'bin'}:{os.environ['PATH']}",
            "HOME": str(tmp_path / "home"),
            "LANG": "C.UTF-8",
            "DURUN_HOME": str(tmp_path / "state"),
            "DURUN_LAST_OK": "1",
            "DURUN_SYSLOG": "",
            "PYTHONPATH": str(ROOT),
            "PYTHON": sys.executable,
            "SOURCE": str(ROOT),
            "ME": pwd.getpwuid(person(whoami())).pw_name,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONWARNINGS": "error,ignore::ResourceWarning",
        }
        made.append(Operator(place, tmp_path / "state", environment))
        return made[-1]

    yield make
    for process in (process for operator in made for process in operator.started):
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture
def operator(request: pytest.FixtureRequest, new_operator: Any) -> Operator:
    """Somebody in a fresh copy of the folder that the test lies in."""
    made: Operator = new_operator(request.path.parent)
    return made
