"""What a step with secret outputs writes is held back: until the outputs are known, nobody can tell what is secret.

stdout is never kept in clear: an output is taken from it, or it is dropped. stderr goes with the outputs into the
sealed file; the runner, who opens that, redacts it and writes the log.
"""

from __future__ import annotations

import hmac
import time
from typing import Any

CAP = {"stdout": 16 << 20, "stderr": 1 << 20}
"""Bytes that are kept of each stream; stdout as much as an output can be taken from."""


class HeldLog:
    """Stands where an attempt's log would: no file, sizes and keyed digests, and the bytes in memory.

    `take_stdout`: an output comes from it. `keep_stderr`: somebody may read it, redacted.
    """

    exists = False

    def __init__(self, digest_key: bytes, *, take_stdout: bool, keep_stderr: bool) -> None:
        self._taken = {"stdout": take_stdout, "stderr": keep_stderr}
        self._facts: dict[str, _Facts] = {name: _Facts(digest_key) for name in CAP}
        self.stdout = bytearray()
        self.stderr: list[tuple[float, bytes]] = []

    def write(self, name: str, chunk: bytes) -> None:
        """Take a chunk of one stream (`stdout`, `stderr`)."""
        facts = self._facts[name]
        room = CAP[name] - facts.size if self._taken[name] else 0
        facts.add(chunk)
        kept = chunk[: max(0, room)]
        facts.cut = facts.cut or len(kept) < len(chunk)
        if name == "stdout":
            self.stdout += kept
        elif kept:
            self.stderr.append((time.time(), kept))

    def finish(self) -> dict[str, dict[str, Any]]:
        """Size, keyed digest and completeness of each stream that wrote anything."""
        return {name: facts.told() for name, facts in self._facts.items() if facts.size}

    def sync(self) -> None:
        """There is no file."""

    def close(self) -> None:
        """There is no file."""


class _Facts:
    def __init__(self, key: bytes) -> None:
        self.size = 0
        self.cut = False
        self._digest = hmac.new(key, digestmod="sha256")

    def add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self._digest.update(chunk)

    def told(self) -> dict[str, Any]:
        return {"bytes": self.size, "hmac_sha256": self._digest.hexdigest(), "cut": self.cut}
