"""A service for change requests, as a process that dies: `python change_service.py FOLDER PORT`, standard library only.

    POST /changes           {"reference": …}   opens one: 201, {"id": …, "reference": …, "state": "open"}
    GET  /references/REF                       the one of this reference: 200, or 404
    PUT  /references/REF    {"state": …}       200, or 404

Everything that outlives it is in FOLDER: `asked` has a line for each request, `done` one for each effect, and
`settings.json`, read anew each time, says how it behaves (see `changes.py`).
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

FOLDER = Path(sys.argv[1]) if len(sys.argv) > 2 else Path()
LOCK = threading.Lock()
PATIENCE = 30.0


def _note(name: str, line: dict[str, Any]) -> list[dict[str, Any]]:
    """Add a line to a file: all that it has then."""
    with (FOLDER / name).open("a+b") as file:
        file.write(json.dumps(line).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
        file.seek(0)
        return [json.loads(one) for one in file]


def _done() -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in (FOLDER / "done").read_text().splitlines()]
    except FileNotFoundError:
        return []


class Exchange(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        key = self.headers.get("Idempotency-Key")
        settings = json.loads((FOLDER / "settings.json").read_text())
        with LOCK:
            asked = _note("asked", {"method": self.command, "path": self.path, "key": key})[settings["since"] :]
        same = sum(line["method"] == self.command for line in asked)
        how = settings["plan"].get(f"{self.command} {same}") or settings["plan"].get(f"any {len(asked)}", "")
        if how == "dies before":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "works late":
            self._until_the_client_is_gone()
        if how == "is busy":
            self._say(503, {"why": "busy"}, retry_after="0")
            return
        if self.headers.get("Authorization") != f"Bearer {settings['token']}":
            self._say(401, {"why": "who are you?"})
            return
        with LOCK:
            status, answer = self._work(json.loads(body) if body else {}, key, settings)
        if how == "dies after":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "answers late":
            self._until_the_client_is_gone()
        self._say(status, answer)

    def _work(self, given: dict[str, Any], key: str | None, settings: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        kind, name = self.path.split("/")[1], self.path.rpartition("/")[2]
        opened = [line for line in _done() if "id" in line]
        if kind == "changes" and self.command == "POST":
            same = [line for line in opened if settings["honours"] and key is not None and line["key"] == key]
            change = same[0] if same else {"id": f"CHG{len(opened) + 1}", "reference": given["reference"], "key": key}
            if not same:
                _note("done", change)
            return 201, self._shown(change)
        found = [line for line in opened if kind == "references" and line["reference"] == name]
        if not found:
            return 404, {"why": "no such change"}
        if self.command == "PUT" and given["state"] == settings["refuses"]:
            return 409, {"why": "not now"}
        if self.command == "PUT" and self._shown(found[0])["state"] != given["state"]:
            _note("done", {"reference": name, "state": given["state"]})
        return 200, self._shown(found[0])

    @staticmethod
    def _shown(change: dict[str, Any]) -> dict[str, Any]:
        reference = change["reference"]
        states = [line["state"] for line in _done() if line["reference"] == reference and "state" in line]
        return {"id": change["id"], "reference": reference, "state": states[-1] if states else "open"}

    def _until_the_client_is_gone(self) -> None:
        select.select([self.connection], [], [], PATIENCE)

    def _say(self, status: int, answer: dict[str, Any], retry_after: str | None = None) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        if retry_after is not None:
            self.send_header("Retry-After", retry_after)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nothing is said."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that goes away is what tests want."""


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[2])), Exchange).serve_forever()
