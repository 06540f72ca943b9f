"""Runbooks that several parts of the contract are about. ACT stands for what an engine's world does."""

from __future__ import annotations


def chain(*steps: str) -> str:
    """Steps of these names, one after the other."""
    return "steps:\n" + "".join(f"  - {{id: {step}, run: [ACT, run]}}\n" for step in steps)


ABC = chain("a", "b", "c")

FAN = """
steps:
  - id: fan
    targets: [t1, t2, t3, t4]
    max_parallel: 1
    max_failures: 1
    run: [ACT, run]
  - {id: after, run: [ACT, run]}
"""


def verified(more: str = "", policy: str = "on_in_doubt: verify") -> str:
    return f"""
steps:
  - id: a
    run: [ACT, run]
    verify: {{run: [ACT, verify], not_done_on: [4]{more}}}
    {policy}
    outputs: {{x: {{}}}}
  - {{id: b, run: [ACT, run, "${{{{ steps.a.outputs.x }}}}"]}}
"""
