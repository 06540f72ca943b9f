"""Change requests, counted: a service (`change_service.py`) that is killed where a test wants, and started again."""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from daemons.process import place, reserve_port, start, wait_for

PROGRAM = Path(__file__).with_name("change_service.py")
DIES = ("dies before", "dies after")
LATE = ("answers late", "works late")
"""The client has given up by then."""


class Asked(NamedTuple):
    """One request, as it came."""

    method: str
    path: str
    key: str | None


class Changes:
    """The service. It is started again whenever it dies, as a service manager would.

    `plan` says how it behaves at which request (`any 1` is the next one, `PUT 2` the second PUT from now on): see
    `DIES`, `LATE`, and `is busy`.
    `honours`: whether it knows `Idempotency-Key`. `refuses`: a state that no change may come to.
    """

    def __init__(self, folder: Path, honours: bool = True) -> None:
        self.token = secrets.token_urlsafe(24)
        self.port = reserve_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._settings = {"token": self.token, "honours": honours, "refuses": ""}
        self.set({})
        self._over = False
        self._changing = threading.Lock()
        self._start()
        assert wait_for(self._answers, self._process), self._log.read_text()
        self._manager = threading.Thread(target=self._keep_alive, daemon=True)
        self._manager.start()

    def set(
        self, plan: dict[str, str] | None = None, *, honours: bool | None = None, refuses: str | None = None
    ) -> None:
        """From now on; what is not given stays."""
        if plan is not None:
            self._settings |= {"plan": plan, "since": len(self.asked())}
        given = {"honours": honours, "refuses": refuses}
        self._settings |= {name: value for name, value in given.items() if value is not None}
        new = self._folder / "settings.new"
        new.write_text(json.dumps(self._settings))
        new.rename(self._folder / "settings.json")

    def _start(self) -> None:
        self._process = start([sys.executable, "-I", str(PROGRAM), str(self._folder), str(self.port)], self._log)

    def _answers(self) -> bool:
        with socket.socket() as asked:
            return asked.connect_ex(("127.0.0.1", self.port)) == 0

    def _keep_alive(self) -> None:
        while True:
            self._process.wait()
            with self._changing:
                if self._over:
                    return
                self._start()

    def close(self) -> None:
        """End it for good."""
        with self._changing:
            self._over = True
            self._process.kill()
        self._manager.join()

    @property
    def _log(self) -> Path:
        return self._folder / "said"

    # -- what it was asked, and what it did ----------------------------------------------------------------------

    def _lines(self, name: str) -> list[dict[str, Any]]:
        with contextlib.suppress(FileNotFoundError):
            return [json.loads(line) for line in (self._folder / name).read_text().splitlines()]
        return []

    def asked(self) -> list[Asked]:
        """Every request that came."""
        return [Asked(**line) for line in self._lines("asked")]

    def opened(self, reference: str | None = None) -> list[str]:
        """The ids of the changes that were opened, all or those of a reference."""
        found = (line for line in self._lines("done") if "id" in line)
        return [line["id"] for line in found if reference in (None, line["reference"])]

    def states(self, reference: str) -> list[str]:
        """The states that a change went through after it was opened."""
        return [line["state"] for line in self._lines("done") if line["reference"] == reference and "state" in line]


@contextlib.contextmanager
def change_service(honours: bool = True) -> Iterator[Changes]:
    """The service for as long as the block runs."""
    with place("changes") as folder:
        service = Changes(folder, honours)
        try:
            yield service
        finally:
            service.close()


@pytest.fixture
def changes() -> Iterator[Changes]:
    """A service that honours keys."""
    with change_service() as running:
        yield running
