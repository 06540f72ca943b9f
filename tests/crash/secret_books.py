"""Runbooks full of secrets, made from a seed: which sources, which values, which steps, and where they are killed."""

from __future__ import annotations

import base64
import json
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from crash.harness import Bench
from packages import install

STEP = Path(__file__).with_name("secret_step.py")

Dice = random.Random

HOSTILE: dict[str, Callable[[Dice], str]] = {
    "quotes": lambda dice: f"pa\"ss'w\\ord $(x) `{tag(dice)}`",
    "lines": lambda dice: f'first {tag(dice)}\nsecond "{tag(dice)}"\n\n  third {tag(dice)}',
    "unicode": lambda dice: f"пароль-☃-{tag(dice)}-ñandú 🔑",
    "dash": lambda dice: f"--help -rf {tag(dice)}",
    "markup": lambda dice: f'<a href="x?y=1&z=%20{tag(dice)}">{{"k": ["v"]}}</a>',
    "base64": lambda dice: base64.b64encode(dice.randbytes(dice.randint(16, 60))).decode(),
    "long": lambda dice: "".join(dice.choices(LETTERS, k=dice.choice([900, 5000, 20_000]))),
    "pem": lambda dice: pem(dice),
    "short": lambda dice: "".join(dice.choices(ODD, k=dice.randint(4, 7))),
    "spaces": lambda dice: f"  lead {tag(dice)}\t and trail  ",
    "control": lambda dice: f"bell\x07 esc\x1b[31m {tag(dice)}\r\nend",
}
LETTERS = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789+/#%&"
ODD = "Zq#%~^?;Kx@|"

KILLS = [
    *(f"runner {point}.{when}" for point in ("append", "send", "land", "put") for when in ("before", "after")),
    *(
        f"supervisor {point}.{when}"
        for point in ("spawn", "seal", "exit", "files", "ended", "taken", "capture")
        for when in ("before", "after")
    ),
    "runner shown.before",
    "supervisor sealed.before",
]


def tag(dice: Dice) -> str:
    """What makes a value one that stands nowhere by chance."""
    return "".join(dice.choices(LETTERS[:57], k=10))


def pem(dice: Dice) -> str:
    """What looks like a private key."""
    body = base64.encodebytes(dice.randbytes(300)).decode().replace("\n", "")
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return "\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----"])


class Trial(NamedTuple):
    """A runbook, and what it needs. `values`: of each secret, and each secret input."""

    book: str
    env: dict[str, str]
    inputs: dict[str, str]
    values: dict[str, str]


def make(bench: Bench, dice: Dice) -> Trial:
    """A runbook in the bench's folder. Every way of having, making and giving a secret is in it, each with a value of
    another kind."""
    kinds = dice.sample(sorted(HOSTILE), 5)
    values = {
        name: HOSTILE[kind](dice) for name, kind in zip(("env", "file", "command", "one", "two"), kinds, strict=True)
    }
    env = {"TRIAL_SECRET": values["env"], "TRIAL_TINY": "z~9"}
    for name in ("file", "command"):
        place = bench.book / f"{name}.secret"
        # One newline at the end is not part of a value.
        place.write_bytes(f"{values[name]}\n".encode())
        place.chmod(0o600)
    site = install(bench.folder / "site", _PLUGIN)
    if str(site) not in bench.env["PYTHONPATH"]:
        bench.env["PYTHONPATH"] += f"{os.pathsep}{site}"
    book = bench.book / "trial.yaml"
    book.write_text(_HEAD.format(memories=_memories(bench, dice)) + _steps(dice))
    return Trial(str(book), env, {"one": values["one"], "two": values["two"]}, values)


def _memories(bench: Bench, dice: Dice) -> str:
    places = {"EFFECTS": bench.effects_file, "GOT": bench.folder / "got", "MADE": bench.folder / "made"}
    return json.dumps({**{name: str(place) for name, place in places.items()}, "SEED": tag(dice)})


_PLUGIN = """\
import base64, json
from durun.plugins import *

class Ticket(Action):
    schema = {"properties": {"given": {"type": "object", "writeOnly": True}, "does": {"type": "string"}}}
    outputs = {"token": Output(secret=True)}

    def run(self, call):
        given = call.with_["given"]
        print(given, json.dumps(given), *given.values(), sep="\\n", flush=True)
        call.log(base64.b64encode(given["file"].encode()).decode() + call.env["S_env"])
        match call.with_["does"]:
            case "failed":
                raise Failed(f"no {given['one']}, no {given['tiny']}")
            case "doubt":
                raise InDoubt(json.dumps(given))
            case "error":
                raise ValueError(given["file"], call.env["S_env"])
        return {"token": f"made of {given['one']}"}

    def verify(self, call):
        return Unknown(f"who knows {call.with_['given']} {call.env['S_env']}")
"""

_HEAD = """\
durun: 1
name: trial
max_parallel: 3
defaults: {{on_in_doubt: ask}}
env: {memories}
inputs:
  effects: {{type: string, required: true}}
  one: {{type: string, required: true, secret: true}}
  two: {{type: string, required: true, secret: true}}
secrets:
  env: {{env: TRIAL_SECRET}}
  tiny: {{env: TRIAL_TINY}}
  file: {{file: ./file.secret}}
  command: {{command: [cat, command.secret]}}
"""

_ALL = """\
    env:
      S_env: ${{ secrets.env }}
      S_one: ${{ inputs.one }}
      S_command: ${{ secrets.command }}
      STDIN_NAME: two
    stdin: ${{ inputs.two }}
    secret_files: {F_file: "${{ secrets.file }}", F_password: "${{ steps.password.outputs.password }}"}
"""


def _steps(dice: Dice) -> str:
    stdout = dice.random() < 0.5
    issues = dice.choice(["issue", "issue-stdout", "issue-json-stdout"])
    source = {"issue": "", "issue-stdout": ", from: stdout", "issue-json-stdout": ", json: a.token"}[issues]
    redact = "    redact: true\n" if dice.random() < 0.3 else ""
    middle = [
        f"""\
  - id: issue
    run: {_run(issues)}
{redact}{_ALL}    outputs: {{token: {{secret: true{source}}}}}
""",
        f"""\
  - id: fails
    run: {_run("fails")}
    continue_on_error: true
{_ALL}""",
        f"""\
  - id: exposes
    run: {_run("exposes")}
    continue_on_error: true
    outputs: {{open: {{}}}}
{_ALL}""",
        f"""\
  - id: doubt
    run: {_run("doubt")}
{_ALL}    verify:
      run: {_run("check")}
      not_done_on: [1]
""",
        f"""\
  - id: taken
    collect: {{run: {_run("show")}, as: shown}}
    continue_on_error: true
{_ALL}""",
        f"""\
  - id: polled
    wait_for:
      run: {_run("show")}
      until: result.exit_code == {dice.choice([0, 9])}
      every: 50ms
      timeout: 1s
    continue_on_error: true
{_ALL}""",
        f"""\
  - id: plugged
    uses: shop.ticket
    with:
      does: {dice.choice(["failed", "doubt", "error", "gives"])}
      given: {{one: "${{{{ inputs.one }}}}", file: "${{{{ secrets.file }}}}", tiny: "${{{{ secrets.tiny }}}}"}}
    env: {{S_env: "${{{{ secrets.env }}}}"}}
    continue_on_error: true
    on_in_doubt: fail
""",
        f"""\
  - id: tiny
    run: {_run("show")}
    env: {{S_tiny: "${{{{ secrets.tiny }}}}"}}
""",
    ]
    dice.shuffle(middle)
    return f"""\
steps:
  - id: password
    generate: {dice.choice(["{password: {length: 24}}", "{password: {length: 40, require: []}}"])}
  - id: key
    generate: {{ssh_key: {{comment: trial}}}}
{"".join(middle)}\
  - id: hosts
    targets: {{run: {_run("list")}}}
    secret_fields: [dsn]
    max_parallel: {dice.choice([1, 3])}
    steps:
      - id: each
        run: {_run("issue-stdout" if stdout else "issue")}
        env: {{S_dsn: "${{{{ target.dsn }}}}"}}
        outputs: {{token: {{secret: true{", from: stdout" if stdout else ""}}}}}
      - id: told
        run: {_run("show")}
        env:
          S_dsn: ${{{{ target.dsn }}}}
          S_each: ${{{{ steps.each.outputs.token }}}}
          S_token: ${{{{ steps.issue.outputs.token }}}}
  - id: show
    run: {_run("show")}
    secret_files: {{F_key: "${{{{ steps.key.outputs.private }}}}"}}
    env:
      S_password: ${{{{ steps.password.outputs.password }}}}
      S_token: ${{{{ steps.issue.outputs.token }}}}
      S_db1: ${{{{ steps.each.targets['db1'].outputs.token }}}}
finally:
  - id: last
    run: {_run("recalls")}
"""


def _run(verb: str) -> str:
    return json.dumps([sys.executable, str(STEP), verb])
