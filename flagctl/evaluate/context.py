"""A context and previews as people type them (`plan=pro`, `age:=42`, `gallery:true`), against what is declared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import json

from flagctl.errors import UsageError
from flagctl.evaluate.operators import is_number
from flagctl.model import semver, times
from flagctl.model.condition import TARGETING_KEY
from flagctl.model.repository import Attribute
from flagctl.problems import did_you_mean

Warnings = list[tuple[str, str]]
"""(what is odd, a hint or "") of each thing that was let pass."""

_TARGETING = Attribute(name=TARGETING_KEY, type="string")
_OTHERWISE = ", or any other value as NAME:=JSON"
_EXAMPLES = {
    "string": "ada",
    "integer": "42",
    "number": "2.5",
    "boolean": "true",
    "datetime": "2026-12-01T09:00:00Z",
    "semver": "2.10.0",
    "array": "beta,staff",
    "object": '{"plan": "pro"}',
}


def from_json(text: str) -> dict[str, Any]:
    """A context written as a JSON object. Raises UsageError."""
    value = _json(text, "the context")
    if not isinstance(value, dict):
        raise UsageError("the context is no JSON object", hint='write {"targetingKey": "ada", "plan": "pro"}')
    return value


def from_arguments(
    arguments: Iterable[str], attributes: Mapping[str, Attribute], base: Mapping[str, Any]
) -> tuple[dict[str, Any], Warnings]:
    """`base` with `name=value` (typed as declared) and `name:=JSON` laid over it; a dot leads into an object.

    Raises UsageError for what can't be read as its declared type.
    """
    context = _copy(base)
    warnings: Warnings = []
    for argument in arguments:
        name, equals, text = argument.partition("=")
        as_json = name.endswith(":")
        name = name.removesuffix(":")
        if not equals or not all(name.split(".")):
            raise UsageError(f'"{argument}" is no attribute', hint="write NAME=VALUE or NAME:=JSON")
        declared = _TARGETING if name == TARGETING_KEY else attributes.get(name)
        if declared is None:
            warnings.append((f'attribute "{name}" is not declared in flags/attributes.yaml', _close(name, attributes)))
        value = _json(text, name) if as_json else text if declared is None else typed(text, declared, _OTHERWISE)
        if declared is not None and declared.values and not isinstance(value, list) and value not in declared.values:
            listed = ", ".join(map(str, declared.values))
            warnings.append((f"{name} is declared with these values: {listed}; not {text}", ""))
        _put(context, name, value)
    return context, warnings


def previews(arguments: Iterable[str], flags: Mapping[str, Any]) -> tuple[dict[str, str], Warnings]:
    """`a:true,b:treatment` as flag key to variant. `flags`: those of a snapshot. Raises UsageError."""
    wanted: dict[str, str] = {}
    warnings: Warnings = []
    for pair in ",".join(arguments).split(","):
        key, colon, variant = pair.strip().partition(":")
        if not colon or not key or not variant:
            raise UsageError(f'"{pair}" is no preview', hint="write FLAG:VARIANT,FLAG:VARIANT")
        flag = flags.get(key)
        if flag is None:
            warnings.append((f'the preview of "{key}" changes nothing: that flag plays no part here', ""))
            continue
        if flag["type"] == "boolean":
            variant = {"true": "on", "false": "off"}.get(variant, variant)
        if variant not in flag["variants"]:
            known = ", ".join(sorted(flag["variants"]))
            raise UsageError(
                f'flag "{key}" has no variant "{variant}"',
                hint=did_you_mean(variant, flag["variants"]) or f"it has {known}",
            )
        wanted[key] = variant
    return wanted, warnings


def _close(name: str, attributes: Mapping[str, Attribute]) -> str:
    inside = [known for known in attributes if known.endswith(f".{name}")]
    return f"did you mean {inside[0]}?" if inside else did_you_mean(name, [*attributes, TARGETING_KEY])


def _copy(value: Any) -> Any:
    return {name: _copy(inner) for name, inner in value.items()} if isinstance(value, Mapping) else value


def _put(context: dict[str, Any], name: str, value: Any) -> None:
    *parents, last = name.split(".")
    place = context
    for part in parents:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            raise UsageError(f'"{name}" stands in "{part}", given as {json.encode(place).decode()}, which is no object')
    place[last] = value


def _json(text: str, what: str) -> Any:
    try:
        return json.decode(text)
    except RecursionError:
        raise UsageError(f"{what} is nested too deeply") from None
    except ValueError as error:
        raise UsageError(f"{what} is no JSON: {error}", hint="in JSON, text stands in double quotes") from None


def typed(text: str, declared: Attribute, otherwise: str = "") -> Any:
    """Text as its declared type. Raises UsageError, whose hint ends with `otherwise`, for what can't be read so."""
    if declared.type == "array":
        member = Attribute(name=f"a member of {declared.name}", type=declared.items)
        return [typed(part.strip(), member, otherwise) for part in text.split(",")] if text.strip() else []
    value = _READERS[declared.type](text)
    if value is None:
        raise UsageError(
            f'{declared.name} is declared as {declared.type}, and "{text}" is none',
            hint=f"write {declared.type} values like {_EXAMPLES[declared.type]}{otherwise}",
        )
    return value


def _parsed(accept: Callable[[Any], bool]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            value = json.decode(text)
        except (ValueError, RecursionError):
            return None
        return value if accept(value) else None

    return read


_number = _parsed(is_number)
_READERS: dict[str, Callable[[str], Any]] = {
    "string": lambda text: text,
    "integer": _parsed(lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "number": _number,
    "boolean": _parsed(lambda value: isinstance(value, bool)),
    "datetime": lambda text: text if times.microseconds(text) is not None else _number(text),
    "semver": lambda text: text if semver.key(text) is not None else None,
    "object": _parsed(lambda value: isinstance(value, dict)),
}
