"""Kills the making or the moving of a seal key at every call that has an effect.

    killing.py FOLDER ACT…      an act: `private` (make it and read it), `keyring` or `file` (move it there)

All acts are done in a process each, and the last one is killed: before and after its first, second … call. One line of
JSON for each death: how things stood then (`killed`), after the key was read (`after`), and after the act was done
again (`again`).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from doubles import KeyringDouble
from durun.secrets.keys import SealKey
from durun.secrets.seal import seal, unseal


def act(home: Path, rings: Path, what: str, deaths_at: int = 0) -> bool:
    """Do it in a process of its own; whether it was killed."""
    pid = os.fork()
    if pid == 0:
        keyring = KeyringDouble(rings)
        if deaths_at:
            arm(keyring, deaths_at)
        key = SealKey(home, keyring, {})
        if what == "private":
            key.private()
        else:
            key.move(what)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, 9)
    return code == 9


def arm(keyring: KeyringDouble, deaths_at: int) -> None:
    left = [deaths_at]

    def trap(holder, name):
        plain = getattr(holder, name)

        def trapped(*arguments, **options):
            tick()
            result = plain(*arguments, **options)
            tick()
            return result

        setattr(holder, name, trapped)

    def tick():
        left[0] -= 1
        if left[0] == 0:
            os._exit(9)

    for name in ("write", "fsync", "rename", "unlink"):
        trap(os, name)
    for name in ("get", "put", "delete"):
        trap(keyring, name)


def standing(home: Path, rings: Path, read: bool = True) -> dict:
    record = home / "seal.json"
    stands = {
        "public": json.loads(record.read_text())["public"] if record.exists() else None,
        "file": (home / "seal.key").exists(),
        "keyring": any(rings.iterdir()),
    }
    if read:
        key = SealKey(home, KeyringDouble(rings), {})
        stands["opens"] = unseal(key.private(), seal(key.public(), b"hunter2", "r/s"), "r/s") == b"hunter2"
    return stands


def main(folder: Path, *acts: str) -> None:
    point, died = 0, True
    while died:
        point += 1
        home, rings = folder / f"state-{point}", folder / f"keyring-{point}"
        home.mkdir(mode=0o700)
        rings.mkdir()
        for what in acts[:-1]:
            act(home, rings, what)
        died = act(home, rings, acts[-1], point)
        killed = standing(home, rings, read=False)
        act(home, rings, "private")
        after = standing(home, rings)
        act(home, rings, acts[-1])
        print(json.dumps({"killed": killed, "after": after, "again": standing(home, rings)}))


main(Path(sys.argv[1]), *sys.argv[2:])
