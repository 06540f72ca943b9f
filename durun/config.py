"""Where durun keeps its state, what the environment sets, and who is asking.

Only names of places: whether a place is safe is the journal's to say (`durun.journal.place`), when it opens it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from math import inf
from pathlib import Path

from durun.errors import Unsafe, UsageError
from durun.model.people import GROUP
from durun.model.tuples import NamedTuple
from durun.model.values import Json

AUTHORITY = "DURUN_TSA"
"""The environment variable with the URL of the authority that stamps heads; without it none is asked."""
STOP_GRACE = "DURUN_STOP_GRACE"
"""Sets the seconds between INT, TERM and KILL when a step is stopped (default 5)."""
NOTIFY_TIMEOUT = "DURUN_NOTIFY_TIMEOUT"
"""Sets the seconds that a notifier may take (default 30)."""
AUTHORITY_TIMEOUT = "DURUN_TSA_TIMEOUT"
"""Sets the seconds that the authority gets: at most, and by default, 30."""


class Config(NamedTuple):
    """The state directory and what lies in it. Nothing is made or looked at."""

    home: Path

    @property
    def journal_path(self) -> Path:
        """The one SQLite file."""
        return self.home / "journal.db"

    @property
    def is_anothers(self) -> bool:
        """Whether the state directory is another user's."""
        try:
            return self.home.stat().st_uid != os.geteuid()
        except OSError:
            return False

    @property
    def errors_folder(self) -> Path:
        """Where the details of an internal error are written."""
        return self.home / "errors"

    @property
    def stamps_folder(self) -> Path:
        """The timestamps of heads; it is there once one was asked for."""
        return self.home / "stamps"

    @property
    def runs_folder(self) -> Path:
        """Where each run has a folder of its own."""
        return self.home / "runs"

    def run_folder(self, run_id: str) -> Path:
        """The folder of a run: its copied files, its attempts, its locks."""
        return self.runs_folder / run_id

    def run_lock(self, run_id: str) -> Path:
        """The file whose lock says that a process drives the run."""
        return self.run_folder(run_id) / "lock"


def load_config(environ: Mapping[str, str]) -> Config:
    """The state directory by `$DURUN_HOME`, `$XDG_STATE_HOME/durun`, `~/.local/state/durun`.

    `~/` begins what no shell has read: a unit of systemd, a crontab with quotes. A relative `$XDG_STATE_HOME` is
    ignored, as the XDG Base Directory Specification demands; a relative `$DURUN_HOME` is meant from the working
    directory. Without HOME the user database says where home is. Raises Unsafe, where neither is there.
    """
    if chosen := environ.get("DURUN_HOME"):
        chosen = f"{_home(environ)}{chosen[1:]}" if chosen.startswith("~/") else chosen
        try:
            return Config(Path(os.path.abspath(chosen)))  # noqa: PTH100  (resolve() would follow links)
        except FileNotFoundError:
            raise Unsafe(
                f"DURUN_HOME={chosen} is relative, and the working directory is gone", "set DURUN_HOME to a whole path"
            ) from None
    state = environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(state):  # noqa: PTH117
        return Config(Path(state) / "durun")
    return Config(_home(environ) / ".local" / "state" / "durun")


def _home(environ: Mapping[str, str]) -> Path:
    home = environ.get("HOME", "")
    if os.path.isabs(home):  # noqa: PTH117
        return Path(home)
    import pwd

    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        raise Unsafe(
            f"there is no home directory: HOME is not set and uid {os.getuid()} is not in the user database",
            "set DURUN_HOME to a folder of your own",
        ) from None


def seconds_of(variable: str, default: float, least: float, most: float = inf) -> float:
    """The seconds that a variable of the environment sets, within bounds; the default where it sets none."""
    seconds = _seconds(os.environ.get(variable, ""))
    return default if seconds is None else min(most, max(least, seconds))


def check_seconds(environ: Mapping[str, str]) -> None:
    """Raise UsageError if a variable is there to set seconds, and does not."""
    for name in (STOP_GRACE, NOTIFY_TIMEOUT, AUTHORITY_TIMEOUT):
        if (text := environ.get(name)) and _seconds(text) is None:
            raise UsageError(
                f"{name} is to be a number of seconds, and is {text!r}", f"write it as 5 or 0.5, or: unset {name}"
            )


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds < inf else None


def whoami() -> dict[str, Json]:
    """Who is asking: `uid`, `user`, `sudo_uid`, `tty`, `host`, and who logged in (before any su).

    That is `loginuid` and `login_user`; both are None where nobody did.
    """
    uid, login = os.getuid(), _login_uid()
    user = user_name(uid)
    return {
        "uid": uid,
        "user": user,
        "loginuid": login,
        "login_user": user if login == uid else None if login is None else user_name(login),
        "sudo_uid": os.environ.get("SUDO_UID"),
        "tty": _terminal(),
        "host": os.uname().nodename,
    }


def answers_to(uid: int, names: Collection[str]) -> frozenset[str]:
    """Those of the names that mean this person: of users, and (`group:NAME`) of unix groups that the user is in."""
    import grp
    import pwd

    found = set()
    try:
        account = pwd.getpwuid(uid)
        groups = set(os.getgrouplist(account.pw_name, account.pw_gid))
    except (KeyError, OSError):
        groups = set()
    for name in names:
        try:
            if name.startswith(GROUP):
                means = grp.getgrnam(name.removeprefix(GROUP)).gr_gid in groups
            else:
                means = pwd.getpwnam(name).pw_uid == uid
        except (KeyError, ValueError):
            continue
        found |= {name} if means else set()
    return frozenset(found)


def user_name(uid: int) -> str:
    """What the user is called here: the number itself, where it has no name."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _login_uid() -> int | None:
    """The audit uid that Linux fixes at login; 2^32-1 means that nobody logged in (a daemon)."""
    try:
        uid = int(Path("/proc/self/loginuid").read_text())
    except (OSError, ValueError):
        return None
    return None if uid == 2**32 - 1 else uid


def _terminal() -> str | None:
    for descriptor in (0, 1, 2):
        try:
            return os.ttyname(descriptor)
        except OSError:
            continue
    return None
