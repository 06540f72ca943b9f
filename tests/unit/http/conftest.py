"""The worker as a process, and a server that it talks to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from daemons.web import Authority, Web, web

ROOT = Path(__file__).parents[3]
ORDER: dict[str, Any] = {
    "method": "GET", "redirects": 5, "expect": ["2xx"], "ambiguous": ["502", "504"], "gives": {}, "kind": "safe",
}  # fmt: skip
POST = {"method": "POST", "redirects": 0, "kind": "once"}
KEY = "0123456789abcdef0123456789abcdef"


class Ended(NamedTuple):
    """How a worker ended. `given` is what it wrote for durun."""

    code: int
    body: bytes
    said: str
    given: dict[str, str]

    @property
    def reason(self) -> str:
        return self.given["DURUN_REASON"]


_MODULE = ("-m", "durun.http.worker")
_WORKER = "import runpy; runpy.run_module('durun.http.worker', run_name='__main__')"

Send = Callable[..., Ended]


@pytest.fixture
def send(tmp_path: Path) -> Send:
    """send(url, **order): let a worker send it. `first` is Python that its process runs before."""

    def sent(
        url: str, *, env: dict[str, str] | None = None, stdin: bytes | None = None, first: str = "", **order: Any
    ) -> Ended:
        output = tmp_path / "output"
        output.unlink(missing_ok=True)
        given = {
            "DURUN_OUTPUT": str(output),
            "DURUN_IDEMPOTENCY_KEY": KEY,
            "PYTHONPATH": str(ROOT),
            "DURUN_TIMEOUT": "20",
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("DURUN_")}
        ended = subprocess.run(
            [sys.executable, "-P", "-W", "error", *(["-c", f"{first}\n{_WORKER}"] if first else _MODULE)],
            input=json.dumps({**ORDER, "url": url, **order}).encode() if stdin is None else stdin,
            env=inherited | given | (env or {}), cwd=tmp_path, capture_output=True, timeout=50, check=False,
        )  # fmt: skip
        assert b"Traceback" not in ended.stderr, ended.stderr.decode()
        lines = output.read_text().splitlines() if output.exists() else []
        return Ended(ended.returncode, ended.stdout, ended.stderr.decode(), dict(line.split("=", 1) for line in lines))

    return sent


@pytest.fixture
def server() -> Iterator[Web]:
    with web() as made:
        yield made


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))
