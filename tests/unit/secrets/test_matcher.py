"""Many patterns at once, against one by one."""

import random

import pytest

from durun.secrets.matcher import Matcher


def naive(patterns, text):
    spans = {(at, at + len(pattern)) for pattern in patterns for at in range(len(text)) if text.startswith(pattern, at)}
    opens = {
        at
        for at in range(len(text))
        if any(pattern.startswith(text[at:]) and pattern != text[at:] for pattern in patterns)
    }
    return spans, opens


@pytest.mark.parametrize("seed", range(50))
def test_it_finds_what_a_simple_search_finds(seed):
    chance = random.Random(seed)
    matcher = Matcher()
    patterns = set()
    for _ in range(chance.randint(1, 12)):
        new = {bytes(chance.choices(b"ab", k=chance.randint(1, 14))) for _ in range(chance.randint(1, 5))}
        matcher.add(new)
        patterns |= new
        text = bytes(chance.choices(b"ab", k=chance.randint(0, 60)))
        scan = matcher.scan(text)
        spans, opens = naive(patterns, text)
        assert set(scan.spans) == spans
        assert set(scan.opens) == opens


def test_patterns_added_one_by_one_are_merged_into_few_automata():
    matcher = Matcher()
    for number in range(5000):
        matcher.add([b"pattern-%04d" % number])
        assert matcher.scan(b"pattern-%04d" % number).spans
    assert len(matcher._levels) <= 5
