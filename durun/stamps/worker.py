"""The process that has one entry of the register stamped by the authority that `DURUN_TSA` names.

    python -m durun.stamps.worker FOLDER BODY

It asks once and waits half a minute at most. What it can't get is noted beside the timestamps; the timestamp of a later
entry covers this one, too.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

import httpx

from durun.config import AUTHORITY, AUTHORITY_TIMEOUT, seconds_of
from durun.stamps import tokens
from durun.stamps.shelf import Shelf
from durun.stamps.tokens import NoStamp

LONGEST = 30.0
"""Seconds that it may take, at most and by default."""
MOST = 1 << 20
"""Bytes of an answer."""


def main(folder: str, body: str) -> None:
    """Have an entry stamped, unless it is."""
    shelf, number = Shelf(Path(folder)), int(json.loads(body)["number"])
    with suppress(OSError):  # on a disk that is full it can't be said either
        if shelf.read(number) is not None:
            return
        shelf.note(number, "whoever asked for it has not waited for the answer")
        try:
            shelf.keep(
                number,
                stamped(
                    body.encode(), os.environ.get(AUTHORITY, ""), seconds_of(AUTHORITY_TIMEOUT, LONGEST, 0.05, LONGEST)
                ),
            )
        except NoStamp as error:
            shelf.note(number, str(error))


def stamped(body: bytes, url: str, timeout: float) -> bytes:
    """The authority's answer, which stamps these very bytes. Raises NoStamp."""
    asked = tokens.request(body)
    answer = Asking(url, asked.content).answer(timeout)
    tokens.stamped_at(answer, body, asked.nonce)
    return answer


class Asking:
    """One request, in a thread of its own: looking up a name can't be interrupted."""

    def __init__(self, url: str, content: bytes) -> None:
        self._url = url
        self._content = content
        self._answer = b""
        self._problem = ""

    def answer(self, timeout: float) -> bytes:
        """What the authority says. Raises NoStamp."""
        thread = threading.Thread(target=self._work, daemon=True)
        thread.start()
        thread.join(timeout)
        if thread.is_alive():
            raise NoStamp(f"the authority gave no answer in {timeout:g} s")
        if self._problem:
            raise NoStamp(self._problem)
        return self._answer

    def _work(self) -> None:
        try:
            self._problem = self._ask()
        except Exception as error:  # whatever it is: there is no answer
            self._problem = f"the authority can't be asked: {' '.join(str(error).split()) or type(error).__name__}"

    def _ask(self) -> str:
        """Ask; what is wrong with the answer, or nothing."""
        headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
        with httpx.stream("POST", self._url, content=self._content, headers=headers, timeout=None) as response:
            if response.status_code != httpx.codes.OK:
                return f"the authority answered with status {response.status_code}"
            for chunk in response.iter_bytes():
                self._answer += chunk
                if len(self._answer) > MOST:
                    return "what the authority sent is no timestamp: it is too long"
        return ""


if __name__ == "__main__":
    main(*sys.argv[1:])
