"""Any secrets, in any text, in any of their forms, in any chunks: none is seen, and chunks make no difference.

The same examples are tried each time; `DURUN_EXAMPLES=20000` tries so many others.
"""

from __future__ import annotations

import base64
import html
import json
import os
import shlex
from collections.abc import Callable
from urllib.parse import quote, quote_plus

from hypothesis import given, settings
from hypothesis import strategies as st

from durun.secrets.redact import Redactor, keeps_output

WRITERS: list[Callable[[str], str]] = [
    str,
    lambda v: base64.b64encode(v.encode()).decode(),
    lambda v: base64.urlsafe_b64encode(v.encode()).decode(),
    lambda v: v.encode().hex(),
    lambda v: v.encode().hex().upper(),
    quote,
    lambda v: quote(v, safe=""),
    quote_plus,
    lambda v: json.dumps(v, ensure_ascii=False)[1:-1],
    lambda v: json.dumps(v)[1:-1],
    html.escape,
    lambda v: html.escape(v, quote=False),
    lambda v: shlex.quote(v),
    lambda v: repr(v)[1:-1],
    lambda v: ascii(v)[1:-1],
]
SMALLEST_CODED = 6
EXAMPLES = int(os.environ.get("DURUN_EXAMPLES", "0"))
tried = settings(max_examples=EXAMPLES or 400, derandomize=not EXAMPLES, database=None, deadline=None)

alphabets = st.one_of(
    st.just("ab"),
    st.just("abcdefABCDEF0123456789+/="),
    st.just("\"'\\/&<>%$` \n\r\tn"),
    st.characters(exclude_categories=["Cs"], exclude_characters="\0*"),
)
# A mark has stars, so a secret with stars can be seen where there is none.
values = alphabets.flatmap(lambda alphabet: st.text(alphabet, min_size=4, max_size=260)).filter(
    lambda value: keeps_output(value) and "*" not in value
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[str], bytes, list[int]]:
    secrets = draw(st.lists(values, min_size=1, max_size=4))
    parts: list[bytes] = []
    for _ in range(draw(st.integers(1, 8))):
        written = draw(st.sampled_from(WRITERS))(draw(st.sampled_from(secrets))).encode()
        start, end = draw(st.sampled_from([0, 0, 0, 1, 4])), len(written) - draw(st.sampled_from([0, 0, 0, 1, 2, 5]))
        parts.append(draw(st.sampled_from([b"", b" ", b"\n", b"\\", b"\\n", b"x", b"ab", b"n"])))
        width = draw(st.sampled_from([3, 4, 7, 20, 76, 1000]))
        lines = [written[at : min(at + width, end)] for at in range(start, end, width)]
        parts.append(draw(st.sampled_from([b"\n", b"\r\n   ", b"\\n", b"\\\n", b"\n" * 60])).join(lines))
        if draw(st.booleans()):
            parts.append(draw(st.binary(max_size=8)))
    text = b"".join(parts)
    cuts = draw(st.lists(st.integers(0, len(text)), max_size=12))
    return secrets, text, sorted(cuts)


def known(secrets: list[str]) -> Redactor:
    redactor = Redactor()
    redactor.add(secrets)
    return redactor


@tried
@given(cases())
def test_no_form_is_seen_and_chunks_make_no_difference(case: tuple[list[str], bytes, list[int]]) -> None:
    secrets, text, cuts = case
    redactor = known(secrets)
    whole = redactor.scrub_bytes(text)
    stream = redactor.stream()
    chunks = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert b"".join([*map(stream.feed, chunks), stream.finish()]) == whole
    for secret in secrets:
        for writer in WRITERS:
            written = writer(secret).encode()
            if len(written) >= SMALLEST_CODED or written == secret.encode():
                assert written not in whole


@tried
@given(st.lists(values, min_size=1, max_size=3), st.binary(max_size=40), st.binary(max_size=40))
def test_no_core_of_base64_within_other_bytes_is_seen(secrets: list[str], before: bytes, after: bytes) -> None:
    redactor = known(secrets)
    for secret in secrets:
        data = secret.encode()
        coded = base64.b64encode(before + data + after)
        skip = -len(before) % 3
        core = base64.b64encode(data[skip : len(data) - (len(data) - skip) % 3])
        if len(core) >= SMALLEST_CODED:
            assert core not in redactor.scrub_bytes(coded)
            wrapped = redactor.scrub_bytes(base64.encodebytes(before + data + after))
            assert core not in wrapped.replace(b"\n", b"")
