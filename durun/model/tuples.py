"""`NamedTuple`, as cheap as can be: `typing` compiles the text of every annotation, and every start would pay for it.

For type checkers it is `typing`'s own. What that checks when a class is made, they check.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple
else:
    from collections import namedtuple

    _SET_BY_NAMEDTUPLE = frozenset({"__annotations__", "__module__", "__classcell__"})

    class _Maker(type):
        """Makes of a class body what `typing` makes of it; annotations stay text."""

        def __new__(cls, name, _bases, body):
            fields = body.get("__annotations__", {})
            defaults = [body[field] for field in fields if field in body]
            made = namedtuple(name, fields, defaults=defaults, module=body["__module__"])
            made.__annotations__ = dict(fields)
            for key, value in body.items():
                if key not in _SET_BY_NAMEDTUPLE and key not in fields:
                    setattr(made, key, value)
            return made

    class _Mark:
        """What stands as a base in a class statement, and is none."""

        def __mro_entries__(self, _bases):
            return (_BASE,)

    _BASE = type.__new__(_Maker, "NamedTuple", (), {})
    NamedTuple = _Mark()
