"""A web server on loopback that remembers what it was asked, and answers as a test wants: late, broken, not at all."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

PATIENCE = 30.0


class Asked(NamedTuple):
    """One request, as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def key(self) -> str | None:
        return self.headers.get("idempotency-key")


class Exchange(BaseHTTPRequestHandler):
    """One connection. What a test gives as an answer is called with it."""

    protocol_version = "HTTP/1.1"
    server: Server
    asked: Asked

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._any
        raise AttributeError(name)

    def _any(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.asked = Asked(self.command, self.path, headers, self.rfile.read(size))
        answer = self.server.web.note(self.asked)
        with contextlib.suppress(OSError):
            answer(self)

    def say(self, status: int, body: bytes | Any = b"", size: int | None = None, **headers: str) -> None:
        """Answer; a body that is not bytes is sent as JSON. `size`: what Content-Length claims."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content) if size is None else size))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def drop(self) -> None:
        """Close the connection."""
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: Any) -> None:
        """Nothing is said."""


Answer = Callable[[Exchange], None]


def _not_found(exchange: Exchange) -> None:
    exchange.say(404)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    web: Web

    def handle_error(self, *_: Any) -> None:
        """A client that goes away is what tests want."""


class Web:
    """A server that runs. `answers`: what a path gets, or several in turn, the last one again and again."""

    def __init__(self, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.seen: list[Asked] = []
        self.answers: dict[str, list[Answer]] = {}
        self._lock = threading.Condition()
        self._server = Server(("127.0.0.1", port), Exchange)
        self._server.web = self
        self.port = int(self._server.server_address[1])
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"http{'' if tls is None else 's'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def on(self, path: str, *answers: Answer) -> None:
        """What this path gets, query left out; `/x/*` is for all below that have nothing of their own."""
        self.answers[path] = list(answers)

    def note(self, asked: Asked) -> Answer:
        """Remember a request, and say what it gets."""
        with self._lock:
            self.seen.append(asked)
            self._lock.notify_all()
            path = asked.path.partition("?")[0]
            waiting = self.answers.get(path) or self.answers.get(f"{path.rpartition('/')[0]}/*") or [_not_found]
            return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def wait_for(self, count: int) -> None:
        """Wait until so many requests have come."""
        with self._lock:
            assert self._lock.wait_for(lambda: len(self.seen) >= count, PATIENCE), self.seen

    def count(self, method: str = "POST") -> int:
        """How many requests with this method have come."""
        return sum(asked.method == method for asked in self.seen)

    def keys(self) -> Counter[str | None]:
        """How often each idempotency key has come."""
        return Counter(asked.key for asked in self.seen if asked.key is not None)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextlib.contextmanager
def web(tls: ssl.SSLContext | None = None) -> Iterator[Web]:
    """A server for as long as the block runs."""
    server = Web(tls)
    try:
        yield server
    finally:
        server.close()


class Authority:
    """A certificate authority of our own, by openssl: `ca`, and certificates with keys beside it in `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.ca = folder / "ca.pem"
        more = ["-addext", "keyUsage=critical,keyCertSign", "-x509", "-days", "2", "-keyout", str(folder / "ca.key")]
        self._openssl("req", *_NEW, *more, "-subj", "/CN=Test CA", "-out", str(self.ca))

    def issue(self, name: str, *more: str) -> tuple[Path, Path]:
        """A certificate for 127.0.0.1 under this name, and its key."""
        cert, key, asked = (self.folder / f"{name}.{end}" for end in ("pem", "key", "csr"))
        self._openssl("req", *_NEW, "-keyout", str(key), "-subj", f"/CN={name}", "-out", str(asked))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\nauthorityKeyIdentifier=keyid\n")
        signing = ["-CA", str(self.ca), "-CAkey", str(self.folder / "ca.key"), "-CAcreateserial", "-days", "2"]
        self._openssl("x509", "-req", "-in", str(asked), *signing, "-extfile", str(extensions), "-out", str(cert))
        return cert, key

    def server(self, *, asks: bool = False) -> ssl.SSLContext:
        """What a server needs; `asks`: it wants a certificate of this authority from its clients."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        cert, key = self.issue("server")
        context.load_cert_chain(cert, key)
        if asks:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.ca)
        return context

    @staticmethod
    def _openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], check=True, capture_output=True)


_NEW = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
