"""Scripts never hold expressions: values reach them as environment variables, so that no value becomes code."""

from __future__ import annotations

import re

from durun.language.diagnostics import Path
from durun.language.expressions import ExpressionSyntaxError, expressions_in, parse_value
from durun.language.values import Reader
from durun.model.values import Expression

_TAKEN = frozenset({"PATH", "HOME", "USER", "SHELL", "ENV", "IFS", "PWD", "LANG", "TERM", "TMPDIR", "UID", "TARGET"})
_WHOLE = re.compile(r"(?<!\$)\$\{\{(.*?)\}\}", re.DOTALL)
_OPENING = re.compile(r"(?<!\$)\$\{\{")
_MOST = 8
_LOOKED_AT = 16_384


def read_script(reader: Reader, raw: str, path: Path, *, python: bool = False) -> str:
    """The script as the shell gets it (`$${{` is a literal `${{`); an expression in it is a problem."""
    if "${{" not in raw:
        return raw
    if _OPENING.search(raw):
        names = variables_for(_expressions(raw))
        hint = _hint(names, python) if names else 'give the value in `env:` and use "$NAME" here'
        found = _WHOLE.search(raw) or _OPENING.search(raw)
        needle = found.group().split("\n")[0] if found else "${{"
        reader.problem("a script can't hold an expression: a value would become code", path, hint, needle)
        return ""
    return raw.replace("$${{", "${{")


def _expressions(raw: str) -> list[str]:
    """The first expressions of a script, each once."""
    raw = raw[:_LOOKED_AT]
    try:
        parsed: list[Expression] = list(expressions_in(parse_value(raw)))
        sources = [expression.source for expression in parsed]
    except ExpressionSyntaxError:
        sources = [text.strip() for text in _WHOLE.findall(raw)]
    return list(dict.fromkeys(" ".join(source.split()) for source in sources if source))


def variables_for(sources: list[str]) -> dict[str, str]:
    """A variable for each expression, named after the last word of what it reads."""
    names: dict[str, str] = {}
    for source in sources:
        words = re.findall(r"[A-Za-z_][A-Za-z0-9_]*", source.split("|")[0]) or ["value"]
        base = words[-1].upper()
        if base in _TAKEN or base.startswith(("DURUN_", "LD_")):
            base = f"THE_{base}"
        name, number = base, 2
        while name in names:
            name, number = f"{base}_{number}", number + 1
        names[name] = source
    return names


def _hint(names: dict[str, str], python: bool) -> str:
    lines = ["add to the step", "  env:"]
    for name, source in list(names.items())[:_MOST]:
        quoted = source.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'    {name}: "${{{{ {quoted} }}}}"')
    uses = [f'os.environ["{name}"]' if python else f'"${name}"' for name in list(names)[:_MOST]]
    return "\n".join([*lines, f"and write {', '.join(uses)} in the script"])
