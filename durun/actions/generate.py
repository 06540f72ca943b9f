"""`generate`: a value that is made once and then fixed for the run. The output has the name of its kind."""

from __future__ import annotations

from durun.actions.api import Context, Done, Failed, Work
from durun.model.clock import to_iso
from durun.model.runbook import Shell
from durun.model.values import Json, Value


def prepare(spec: Value, shell: Shell, context: Context) -> Work:
    """Make the value now: the journal keeps it."""
    (kind, options) = next(iter(spec.items()))
    match kind:
        case "uuid":
            return Done({"uuid": _uuid(context.random_bytes(16))})
        case "timestamp":
            return Done({"timestamp": to_iso(context.now())})
        case "choice":
            return _choice(context.render(options["from"]), context)
        case _:
            return Failed("generate", f"durun can't generate {kind!r}")


def _uuid(random: bytes) -> str:
    """Version 4 of RFC 9562. Python's own module would cost every start of a run 3 ms."""
    value = bytearray(random)
    value[6], value[8] = value[6] & 0x0F | 0x40, value[8] & 0x3F | 0x80
    text = value.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _choice(values: Json, context: Context) -> Work:
    if not isinstance(values, list) or not values:
        return Failed("generate", "generate: choice needs a list with at least one value")
    # 64 bits over any list that fits a runbook: the bias is far below what anyone could see.
    return Done({"choice": values[int.from_bytes(context.random_bytes(8)) % len(values)]})
