"""The values that people give with a yes: from `NAME=VALUE` to what is checked, or every problem at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from durun.errors import UsageError
from durun.language.data import NotData, parse_json
from durun.language.diagnostics import did_you_mean
from durun.language.fitting import as_declared, problems_with
from durun.model.runbook import Input
from durun.model.values import Json


def given_fields(pairs: Sequence[str], declared: Mapping[str, Input]) -> dict[str, Json]:
    """The values of the fields: those given over the defaults; literal where the field is a string, else JSON.

    Raises UsageError with every problem.
    """
    given: dict[str, Json] = {name: field.default for name, field in declared.items() if field.has_default}
    problems: list[str] = []
    for pair in pairs:
        name, equals, text = pair.partition("=")
        field = declared.get(name)
        if not equals or field is None:
            known = ", ".join(f"`{other}`" for other in declared) or "none"
            near = did_you_mean(name, declared) if equals else "it is NAME=VALUE"
            problems.append(f"there is no field `{name[:60]}` ({near or f'there are: {known}'})")
            continue
        try:
            given[name] = text if field.is_string else as_declared(parse_json(text), field)
        except NotData:
            problems.append(f"field `{name}` must be {field.schema.get('type')}, written as JSON")
            given.pop(name, None)
            continue
        problems += (f"field `{name}` {why}" for why in problems_with(name, given[name], field))
    problems += (
        f"field `{name}` is missing" + (f" ({field.description})" if field.description else "")
        for name, field in declared.items()
        if field.required and name not in given and not any(f"`{name}`" in problem for problem in problems)
    )
    if problems:
        raise UsageError("; ".join(problems), "give it with --set NAME=VALUE")
    return given
