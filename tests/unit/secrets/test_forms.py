"""Every way in which real programs write a value is one of its forms."""

import base64
import binascii
import html
import json
import re
import shlex
import shutil
import subprocess
import urllib.parse

import pytest
import yaml

from durun.secrets.redact import Redactor

VALUES = [
    "Tr0ub4dor&3",
    'it\'s "quoted" & <tagged>',
    "a/b+c=d?e#f%g~h",
    "back\\slash\ttab $HOME `cmd` !bang",
    "déjà vu – ключ 🔑",
    "#comment;~tilde:~more=~x",
    "line one of it\nline two of it",
    "esc\x1b\x07bell\x7f",
    "{[(*?,^|>)]}",
    "ab'\"",
]


def go(text: str) -> str:
    return "".join(f"\\u{ord(char):04x}" if char in "<>&\u2028\u2029" else char for char in text)


WRITERS = {
    "raw": str,
    "base64": lambda v: base64.b64encode(v.encode()).decode(),
    "base64 of a line": lambda v: base64.b64encode(v.encode() + b"\n").decode(),
    "base64url": lambda v: base64.urlsafe_b64encode(v.encode()).decode(),
    "base64url without padding": lambda v: base64.urlsafe_b64encode(v.encode()).decode().rstrip("="),
    "hex": lambda v: v.encode().hex(),
    "HEX": lambda v: binascii.hexlify(v.encode()).decode().upper(),
    "quote": urllib.parse.quote,
    "quote all": lambda v: urllib.parse.quote(v, safe=""),
    "quote_plus": urllib.parse.quote_plus,
    "quote in lower case": lambda v: re.sub("%..", lambda code: code[0].lower(), urllib.parse.quote(v, safe="")),
    "encodeURIComponent": lambda v: urllib.parse.quote(v, safe="!~*'()"),
    "encodeURI": lambda v: urllib.parse.quote(v, safe=";,/?:@&=+$#-_.!~*'()"),
    "json": lambda v: json.dumps(v, ensure_ascii=False)[1:-1],
    "json ascii": lambda v: json.dumps(v)[1:-1],
    "json of php": lambda v: json.dumps(v)[1:-1].replace("/", "\\/"),
    "json of go": lambda v: go(json.dumps(v, ensure_ascii=False)[1:-1]),
    "json in json": lambda v: json.dumps(json.dumps(v)[1:-1])[1:-1],
    "html": html.escape,
    "html text": lambda v: html.escape(v, quote=False),
    "html 39": lambda v: html.escape(v).replace("&#x27;", "&#39;"),
    "xml": lambda v: html.escape(v).replace("&#x27;", "&apos;"),
    "html ascii": lambda v: html.escape(v).encode("ascii", "xmlcharrefreplace").decode(),
    "shlex.quote": shlex.quote,
    "single quoted": lambda v: v.replace("'", "'\\''"),
    "repr": lambda v: repr(v)[1:-1],
    "ascii": lambda v: ascii(v)[1:-1],
    "repr of bytes": lambda v: repr(v.encode())[2:-1],
    "SQL": lambda v: v.replace("'", "''"),
    "CSV": lambda v: v.replace('"', '""'),
    "printf": lambda v: v.replace("%", "%%"),
    "re.escape": re.escape,
    "argv of Windows": lambda v: re.fullmatch(r'"?(.*?)(?<!\\)"? ""', subprocess.list2cmdline([v, ""]), re.DOTALL)[1],
    "YAML": lambda v: yaml.safe_dump(v, default_style='"', width=1000)[1:-2],
    "YAML, single quoted": lambda v: v.replace("'", "''"),
    "CRLF": lambda v: v.replace("\n", "\r\n"),
}


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("writer", WRITERS)
def test_a_form_is_found(writer, value):
    known = Redactor()
    known.add([value])
    written = WRITERS[writer](value)
    scrubbed = known.scrub(f"<<{written}>>")
    assert scrubbed in ("<<***>>", "<<'***'>>")


@pytest.mark.parametrize("around", ["\n", "  ", "\t"])
@pytest.mark.parametrize("writer", WRITERS)
def test_white_space_around_a_value_may_be_left_but_nothing_else(writer, around):
    value = "It's <four> words of a & b"
    known = Redactor()
    known.add([around + value + around])
    left = known.scrub(WRITERS[writer](around + value + around))
    assert "***" in left
    # One character of white space takes six at most, and in base64 what is beside it is left as well.
    assert len(left.replace("***", "")) <= 6 * 4


@pytest.mark.parametrize("value", VALUES)
def test_base64_is_found_within_other_bytes(value):
    known = Redactor()
    known.add([value])
    for before in range(3):
        for after in range(3):
            coded = base64.b64encode(b"x" * before + value.encode() + b"y" * after).decode()
            size = len(value.encode())
            own = coded[(0, 2, 3)[before] : (before + size) * 8 // 6]
            if len(own) >= 6:
                assert own not in known.scrub(coded)
                assert len(known.scrub(coded)) <= len(coded) - len(own) + 3


BASH = 'printf "%q\\n---\\n%s\\n---\\n" "$1" "${1@Q}"; set -x; : "$1"'


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
@pytest.mark.parametrize("value", [*VALUES, *(f"a{char}word{char}:{char}={char}z" for char in map(chr, range(1, 127)))])
def test_what_bash_writes_is_found(locale, value):
    ran = subprocess.run(["bash", "-c", BASH, "bash", value], env={"LC_ALL": locale}, capture_output=True)
    known = Redactor()
    known.add([value])
    quoted, at_q, _ = known.scrub_bytes(ran.stdout).split(b"\n---\n")
    marks = (b"***", b"'***'", b"$'***'")
    # A line end at the end stands outside of the mark.
    assert quoted in marks and at_q in marks
    assert known.scrub_bytes(ran.stderr).strip(b"\n") in [b"+ : " + mark for mark in marks]


OTHERS = {
    "coreutils": ("/usr/bin/printf", "%q", "VALUE"),
    "ls": ("ls", "--quoting-style=escape", "-d", "VALUE"),
    "dash": ("dash", "-c", 'v=$1; set | sed -n "/^v=/,\\$p"', "dash", "VALUE"),
    "dash -x": ("dash", "-xc", ': "$1"', "dash", "VALUE"),
    "jq": ("jq", "-rn", "--arg", "v", "VALUE", "$v | @json, @uri, @html, @sh, @base64"),
}


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("program", OTHERS)
def test_what_other_programs_write_is_found(tmp_path, program, value):
    if shutil.which(OTHERS[program][0]) is None:
        pytest.skip(f"needs {program}")
    if program == "ls":
        value = value.replace("/", "")
        (tmp_path / value).touch()
    argv = [value if part == "VALUE" else part for part in OTHERS[program]]
    ran = subprocess.run(argv, cwd=tmp_path, env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}, capture_output=True)
    known = Redactor()
    known.add([value])
    shown = known.scrub_bytes(ran.stdout + ran.stderr).decode()
    assert re.fullmatch(r"""(v=|\+ : )?\$?['"[]*\*\*\*['"\]]*\n?.*""", shown, re.DOTALL)
    left = re.sub(r"\*\*\*|PPID=.*", "", shown, flags=re.DOTALL)
    assert not re.search(r"\w{3}", left.replace("v=", ""))
