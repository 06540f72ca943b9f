"""Reads a runbook and all that it includes: each file once, each checked by itself, with a report of its own."""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from durun.errors import InvalidRunbook
from durun.language import schema, source
from durun.language.advice import advise
from durun.language.build import build
from durun.language.diagnostics import Diagnostic
from durun.language.locate import Locator
from durun.language.shelf import Shelf
from durun.language.text import Unreadable
from durun.language.values import Reader
from durun.model.runbook import Runbook
from durun.model.values import Json

if TYPE_CHECKING:
    from durun.model.plugin import Plugin

MAX_FILES: Final = 100
"""How many files a runbook may include, each counted once."""
MAX_TOGETHER: Final = 4 << 20
"""Bytes of all of them: they are kept with every run."""


class Report(NamedTuple):
    """What is wrong with one file, or (warnings) probably not meant in it. `file` is the name that is shown."""

    file: str
    text: str
    found: list[Diagnostic]


class Loading:
    """One loading. `folder` is that of the first file, where helper files are looked for (None: nowhere).

    `read` gives the bytes of an included file by its path; it raises UsageError and InvalidRunbook. `plugin` and
    `stored` are as in a Shelf.
    """

    def __init__(
        self,
        file: str,
        folder: str | None,
        read: Callable[[str], bytes],
        plugin: Callable[[str], Plugin],
        *,
        stored: bool = False,
    ) -> None:
        self._file = file
        self._folder = folder
        self._read = read
        self._describe = plugin
        self._stored = stored
        self._plugins: dict[str, Mapping[str, Json]] = {}
        self._known: dict[str, Runbook | None] = {}
        self._texts: dict[str, str] = {}
        self._room = MAX_TOGETHER
        self.problems: dict[str, Report] = {}
        self.warnings: dict[str, Report] = {}

    def load(self, raw: bytes) -> Runbook | None:
        """The runbook of the first file. It is to be used only if there are no problems."""
        runbook = self._document(raw, (posixpath.basename(self._file),))
        if runbook is not None and self._plugins:
            runbook = runbook._replace(plugins=self._plugins)
        if runbook is None or not self._texts:
            return runbook
        return runbook._replace(included=self._texts, digest=_digest_of(runbook.digest, self._texts))

    def _include(self, chain: tuple[str, ...]) -> Runbook | None:
        path = chain[-1]
        if path not in self._known:
            raw = self._read(path)
            self._room -= len(raw)
            if len(self._known) >= MAX_FILES or self._room < 0:
                bound = f"{MAX_FILES} files, or {MAX_TOGETHER >> 20} MiB"
                raise InvalidRunbook(
                    f"with {path}, more than {bound}, are included", "include less, or split the runbook"
                )
            runbook = self._document(raw, chain)
            self._known[path] = None if beside(self._file, path) in self.problems else runbook
            self._texts[path] = raw.decode("utf-8", "replace")
        return self._known[path]

    def _plugin(self, name: str) -> Plugin:
        from durun.model.plugin import said_of  # few runbooks use plugins

        plugin = self._describe(name)
        self._plugins[name] = said_of(plugin)
        return plugin

    def _document(self, raw: bytes, chain: tuple[str, ...]) -> Runbook | None:
        shown = self._file if len(chain) == 1 else beside(self._file, chain[-1])
        try:
            document = source.parse(raw)
        except Unreadable as error:
            self.problems[shown] = Report(shown, error.text, error.diagnostics)
            return None
        # Noted before it is read, so that its report stands before those of the files that it includes.
        report = self.problems[shown] = Report(shown, document.text, list(document.problems))
        cleaned, problems = schema.check(document.root.value)
        reader = Reader(Locator(document.text, document.root), problems)
        runbook = build(
            reader, cleaned, document.root.value, raw.decode(), Shelf(chain, self._include, self._plugin, self._stored)
        )
        report.found.extend(map(reader.locator.diagnostic, reader.problems))
        if not report.found:
            del self.problems[shown]
            advise(reader, runbook, self._folder and posixpath.dirname(posixpath.join(self._folder, chain[-1])))
            self.warnings[shown] = Report(shown, document.text, [*map(reader.locator.diagnostic, reader.warnings)])
        return runbook


def beside(file: str, path: str) -> str:
    """Where a path leads that is relative to the folder of a file."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(file), path))


def _digest_of(own: str, texts: Mapping[str, str]) -> str:
    """One digest over a runbook and all that it includes, in hex."""
    named = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in texts.items()}
    return hashlib.sha256(json.dumps([own, named], sort_keys=True).encode()).hexdigest()
