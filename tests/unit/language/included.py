"""Runbooks that include others, for tests."""

from __future__ import annotations

HEAD = "durun: 1\nname: x\n"
LEAF = HEAD + "steps: [{id: a, run: [a]}]\n"


def call(file: str = "lib/leaf.yaml", more: str = "", inputs: str = "") -> str:
    given = f", inputs: {{{inputs}}}" if inputs else ""
    return f"  - {{id: call, runbook: {{file: {file}{given}}}{more}}}\n"
