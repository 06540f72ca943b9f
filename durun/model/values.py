"""The words for data in annotations. A module of its own, so that who only needs them loads nothing else."""

from __future__ import annotations

from typing import Any, TypeAlias

Json: TypeAlias = Any
"""None, bool, int, float, str, and lists and string-keyed dicts of them."""

Value: TypeAlias = Any
"""Json whose strings may be `Template`s (sequences are tuples, mappings are dicts)."""
