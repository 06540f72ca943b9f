"""A place in which an example of the READMEs runs for real: by the installed command, with the files that it names, and
stand-ins for the world around it. What is put in its place, and nothing else:

- `https://` leads to a web server on loopback, with the host as the first part of the path; `closed` has the paths that
  a server behind TLS answers, and its URL
- what lies in `/etc`, `/opt`, `/srv` and `/var` is looked for in the stage
- programs that reach out (`ssh`, `psql`, …) are scripts before all others on PATH: each notes how it was called, then
  does what the stage says. A script finds the stage in `$stage`
- a keyring is a real one, for this example alone
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from daemons.web import Answer, Web

ROOT = Path(__file__).parents[2]
OUTSIDE = re.compile(r"(?<![\w.})/-])/(?=(?:etc|opt|srv|var)/)")
STAGES: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("stages.yaml").read_text("utf-8"))
LIMIT = 50
_AROUND = (sys.executable, ROOT / "tests" / "whole.py", "sh", "-c", 'echo $$ >"$0" && exec "$@"')
"""Before a file and a command: the file has the command's pid, and what it leaves behind is waited for."""
GROUP, NAMES = f"dx{os.getpid()}g", (f"dx{os.getpid()}a", f"dx{os.getpid()}b")
"""The colleagues, and the unix group that both are in: no other process of the tests may make the same."""

_NOTE = """\
#!/bin/bash
stage={stage}
name={name}
printf '%s\\n' "$(printf '%s ' "$name" "$@" | tr '\\n' ' ')" >>"$stage/called"
if [ -e "$stage/kill-at" ] && [ "$(wc -l <"$stage/called")" -ge "$(cat "$stage/kill-at")" ]; then
  if mkdir "$stage/killed" 2>"$stage/noise"; then
    until [ -s "$stage/runner" ]; do :; done
    runner=$(cat "$stage/runner")
    if [ -e "$stage/kill-all" ]; then kill -9 $(pgrep -P "$runner") "$runner"; kill -9 0; fi
    kill -9 "$runner"
  fi
fi
{script}
"""


class Stage:
    """Somebody who types commands in a folder of their own."""

    def __init__(self, place: Path, web: Web, environment: Mapping[str, str]) -> None:
        self.place = place
        self.web = web
        self.closed: dict[str, str] = {}
        self.work = place / "work"
        self.env = {
            "PATH": f"{place}/bin:{os.environ['PATH']}",
            "HOME": str(place / "home"),
            "LANG": "C.UTF-8",
            "DURUN_HOME": str(place / "state"),
            "DURUN_LAST_OK": "1",
            "DURUN_SYSLOG": "",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONWARNINGS": "error,ignore::ResourceWarning",
            **environment,
        }
        for name in ("bin", "home", "work", "etc", "opt", "srv", "var/tmp", "var/backups"):
            (place / name).mkdir(parents=True, exist_ok=True)
        (place / "called").touch()
        self._write(place / "bin" / "durun", f'#!/bin/sh\nexec {sys.executable} -m durun "$@"\n', 0o755)

    def adapt(self, text: str, replace: Mapping[str, str] | None = None) -> str:
        """A text of a README as it is run here."""
        for old, new in (replace or {}).items():
            assert old in text, f"there is no `{old}` to replace"
            text = text.replace(old, new)
        text = OUTSIDE.sub(f"{self.place}/", text)
        text = text.replace("https://", f"{self.web.url}/")
        for path, url in self.closed.items():
            text = text.replace(f"{self.web.url}/{path}", f"{url}/{path}")
        return text

    def write(self, name: str, text: str, mode: int = 0o644) -> Path:
        """A file: beside the runbook, or at its absolute path within the stage."""
        path = self.place / name[1:] if name.startswith("/") else self.work / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            return path
        return self._write(path, text, mode)

    def program(self, name: str, script: str = "") -> None:
        """A stand-in: on PATH, or a file if it is named by a path."""
        bare = Path(name).name
        text = _NOTE.format(stage=self.place, name=bare, script=script)
        self._write(self.place / "bin" / name if bare == name else self._path(name), text, 0o755)

    def answer(self, path: str, given: Mapping[str, Any]) -> None:
        """What the web says there: `status`, `json`, `headers`."""
        self.web.on(path, _saying(given))

    def secret_file(self, name: str, value: str) -> None:
        self.write(name, value, 0o600)

    def kill_at(self, call: int, *, everything: bool = False) -> None:
        """Have durun killed at that call of a stand-in, before it does anything; `everything`: that step as well."""
        (self.place / "kill-at").write_text(str(call))
        if everything:
            (self.place / "kill-all").touch()

    @property
    def killed(self) -> bool:
        return (self.place / "killed").exists()

    def calls(self) -> Counter[str]:
        """How often each stand-in was called."""
        return Counter(line.split(" ", 1)[0] for line in self.called())

    def called(self) -> list[str]:
        """Each call of a stand-in, with its arguments."""
        return [line.rstrip() for line in (self.place / "called").read_text(encoding="utf-8").splitlines()]

    def durun(self, arguments: Sequence[str], stdin: str = "") -> tuple[int, str]:
        """Type a durun command; its exit code, and all that it printed, once all is over that came of it."""
        return self._type([sys.executable, "-m", "durun", *arguments], stdin)

    def _type(self, words: Sequence[str], stdin: str) -> tuple[int, str]:
        (self.place / "runner").unlink(missing_ok=True)
        ended = subprocess.run(
            [*_AROUND, self.place / "runner", *words], env=self.env, cwd=self.work, input=stdin, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=LIMIT, check=False,
        )  # fmt: skip
        return ended.returncode, ended.stdout

    def shell(self, line: str, stdin: str = "") -> tuple[int, str]:
        """Type a line into bash."""
        return self._type(["bash", "--noprofile", "--norc", "-c", line], stdin)

    def json(self, *arguments: str) -> Any:
        code, said = self.durun([*arguments, "--json"])
        assert code == 0, said
        return json.loads(said)

    def _path(self, name: str) -> Path:
        return self.place / name[1:] if name.startswith("/") else self.work / name

    @staticmethod
    def _write(path: Path, text: str, mode: int = 0o644) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path


def _saying(given: Mapping[str, Any]) -> Answer:
    content = given["text"].encode() if "text" in given else given.get("json", b"")
    return lambda exchange: exchange.say(given.get("status", 200), content, **given.get("headers", {}))
