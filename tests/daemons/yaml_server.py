"""The yaml-language-server that editors start, and an editor that has one file open in it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

SERVER = (
    Path(__file__).parents[2]
    / ".venv"
    / "npm"
    / "node_modules"
    / "yaml-language-server"
    / "bin"
    / "yaml-language-server"
)


class Editor:
    """Speaks LSP to a server of its own. Every call waits for the server's answer."""

    def __init__(self, folder: Path) -> None:
        self._server = subprocess.Popen(
            ["node", str(SERVER), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._last = 0
        self._uri = ""
        self._version = 0
        self._diagnostics: list[dict[str, Any]] | None = None
        capabilities = {
            "textDocument": {"hover": {"contentFormat": ["markdown"]}, "publishDiagnostics": {"versionSupport": True}},
            "workspace": {"configuration": True},
        }
        self._ask("initialize", {"processId": None, "rootUri": folder.as_uri(), "capabilities": capabilities})
        self._tell("initialized", {})

    def __enter__(self) -> Editor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.kill()
        self._server.communicate()

    def open(self, path: Path, text: str) -> list[tuple[int, str]]:
        """What is underlined in the file: lines, from 1, and messages."""
        self._uri, self._version, self._diagnostics = path.as_uri(), self._version + 1, None
        document = {"uri": self._uri, "languageId": "yaml", "version": self._version, "text": text}
        self._tell("textDocument/didOpen", {"textDocument": document})
        while self._diagnostics is None:
            self._take()
        found = [(entry["range"]["start"]["line"] + 1, entry["message"]) for entry in self._diagnostics]
        return sorted(found)

    def hover(self, line: int, column: int) -> str:
        """The text that floats over a place (both from 1)."""
        answer = self._ask("textDocument/hover", self._at(line, column))
        contents = answer["contents"] if answer else ""
        return contents["value"] if isinstance(contents, dict) else str(contents)

    def complete(self, line: int, column: int) -> list[str]:
        """What is offered at a place (both from 1)."""
        answer = self._ask("textDocument/completion", self._at(line, column))
        return [item["label"] for item in (answer or {"items": []})["items"]]

    def _at(self, line: int, column: int) -> dict[str, Any]:
        return {"textDocument": {"uri": self._uri}, "position": {"line": line - 1, "character": column - 1}}

    def _ask(self, method: str, params: Any) -> Any:
        self._last += 1
        self._send({"id": self._last, "method": method, "params": params})
        while True:
            message = self._take()
            if message.get("id") == self._last and "method" not in message:
                return message.get("result")

    def _tell(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._server.stdin is not None
        self._server.stdin.write(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        self._server.stdin.flush()

    def _take(self) -> dict[str, Any]:
        """The server's next message; what it asks is answered, what it underlines is kept."""
        assert self._server.stdout is not None
        length = 0
        while (line := self._server.stdout.readline().strip()) or not length:
            assert self._server.poll() is None, "the server has ended"
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        message: dict[str, Any] = json.loads(self._server.stdout.read(length))
        if message.get("method") == "textDocument/publishDiagnostics" and message["params"]["uri"] == self._uri:
            self._diagnostics = message["params"]["diagnostics"]
        elif message.get("method") == "workspace/configuration":
            self._send({"id": message["id"], "result": [_settings(item) for item in message["params"]["items"]]})
        elif "method" in message and "id" in message:
            self._send({"id": message["id"], "result": None})
        return message


def _settings(item: dict[str, Any]) -> Any:
    """An editor as it is installed, but without the catalogue of schemas from the network."""
    on = {"validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False}}
    return on if item.get("section") == "yaml" else None
