"""What redaction costs, in MB of log per second, and how else it could be done. Nothing is asserted.

Run by hand: `python tests/bench/bench_redact.py`. What is compared with is asked the same: where do any of these forms
stand? `pyahocorasick` is compared with if it is installed.
"""

from __future__ import annotations

import random
import re
import subprocess
import time
from collections.abc import Callable, Iterable

from ahocorasick_rs import BytesAhoCorasick, Implementation

from durun.secrets.forms import forms
from durun.secrets.redact import Redactor

CHUNK = 1 << 16
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

chance = random.Random(1)


def password(extra: str = "") -> str:
    return "".join(chance.choices(ALPHABET + extra, k=chance.randint(24, 40)))


def log(size: int) -> bytes:
    words = ["".join(chance.choices("etaoinshrdlucmfwypvbgkjqxz", k=chance.randint(2, 10))) for _ in range(3000)]
    lines = []
    while size > 0:
        at = f"2026-03-01T12:{chance.randrange(60):02}:{chance.randrange(60):02}.{chance.randrange(1000):03}Z"
        text = " ".join(chance.choices(words, k=10))
        line = f"{at} INFO  host-{chance.randrange(10000):04} {text} id={chance.getrandbits(64):016x}\n".encode()
        lines.append(line)
        size -= len(line)
    return b"".join(lines)


def base64_of_noise(size: int) -> bytes:
    import base64

    return base64.encodebytes(chance.randbytes(size * 3 // 4))


def speed(text: bytes, work: Callable[[bytes], object], least: float = 0.5) -> float:
    """MB per second of processor time, the best of a few rounds."""
    work(b"x")
    chunks = [text[start : start + CHUNK] for start in range(0, len(text), CHUNK)]
    best, spent = 0.0, 0.0
    while spent < least:
        begin = time.process_time()
        size = 0
        for chunk in chunks:
            work(chunk)
            size += len(chunk)
            if time.process_time() - begin > 2:
                break
        took = time.process_time() - begin
        best, spent = max(best, size / took / 1e6), spent + took
    return best


def redacted(secrets: Iterable[str]) -> Callable[[bytes], object]:
    redactor = Redactor()
    redactor.add(secrets)
    return redactor.stream().feed


def found(patterns: list[bytes]) -> Callable[[bytes], object]:
    return lambda chunk: [chunk.find(pattern) for pattern in patterns]


def matched(patterns: list[bytes]) -> Callable[[bytes], object]:
    pattern = re.compile(b"|".join(map(re.escape, patterns)))
    return lambda chunk: list(pattern.finditer(chunk))


def rust(patterns: list[bytes], kind: Implementation) -> Callable[[bytes], object]:
    automaton = BytesAhoCorasick(patterns, implementation=kind)
    return lambda chunk: automaton.find_matches_as_indexes(chunk, overlapping=True)


def pyahocorasick(patterns: list[bytes]) -> Callable[[bytes], object] | None:
    try:
        import ahocorasick
    except ImportError:
        return None
    automaton = ahocorasick.Automaton()
    for pattern in patterns:
        automaton.add_word(pattern.decode("latin-1"), len(pattern))
    automaton.make_automaton()
    return lambda chunk: list(automaton.iter(chunk.decode("latin-1")))


def compare(what: str, secrets: list[str], text: bytes) -> None:
    begin = time.process_time()
    made = forms(secrets)
    making = time.process_time() - begin
    patterns = sorted(made.plain | made.broken)
    ways: dict[str, Callable[[bytes], object] | None] = {
        "durun": redacted(secrets),
        "find": found(patterns),
        "re": matched(patterns),
        "pyahocorasick": pyahocorasick(patterns),
        "ahocorasick_rs, NFA": rust(patterns, Implementation.ContiguousNFA),
        "its DFA, first 8 bytes": rust(sorted({pattern[:8] for pattern in patterns}), Implementation.DFA),
    }
    print(f"{what}: {len(patterns)} patterns, made in {making * 1000:.1f} ms")
    for name, way in ways.items():
        if way is not None:
            print(f"    {name:24} {speed(text, way):9.1f} MB/s")


def one_by_one(count: int) -> float:
    """Milliseconds per secret when each comes with a line of its own."""
    redactor = Redactor()
    stream = redactor.stream()
    secrets = [password() for _ in range(count)]
    begin = time.process_time()
    for secret in secrets:
        redactor.add([secret])
        stream.feed(f"the password is {secret}\n".encode())
    return (time.process_time() - begin) / count * 1000


def main() -> None:
    text = log(8_000_000)
    for count in (1, 10, 300):
        compare(f"{count} secrets of letters and digits", [password() for _ in range(count)], text)
    compare("300 secrets with signs", [password("!#$%&+/=<>'\"") for _ in range(300)], text)
    rsa = subprocess.run(["openssl", "genrsa", "4096"], capture_output=True, text=True, check=True).stdout
    compare("a key of RSA-4096", [rsa], text)
    noise = base64_of_noise(8_000_000)
    print(f"300 secrets, a log of base64 {speed(noise, redacted(password() for _ in range(300))):10.1f} MB/s")
    leak = log(100_000).replace(b"INFO", b"tool --password " + rsa[40:100].encode())
    print(f"a secret in every line       {speed(leak, redacted([rsa[40:100]])):10.1f} MB/s")
    lines = text[:200_000].splitlines(keepends=True)
    feed = redacted(password() for _ in range(300))
    begin = time.process_time()
    for line in lines:
        feed(line)
    print(f"300 secrets, line by line    {(time.process_time() - begin) / len(lines) * 1e6:10.1f} us per line")
    for count in (100, 1000, 10000):
        print(f"{count} secrets, one by one  {one_by_one(count):10.3f} ms per secret")


if __name__ == "__main__":
    main()
