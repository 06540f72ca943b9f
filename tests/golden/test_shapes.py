"""What is stored changes only together with the version of the journal (see `shapes.py`)."""

from __future__ import annotations

import json

from golden.shapes import RECORD, shapes


def test_another_shape_has_another_version() -> None:
    assert shapes() == json.loads(RECORD.read_text()), "raise the version, then: python tests/golden/shapes.py"
