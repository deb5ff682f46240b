"""JSON Schema 2020-12 as far as `schema/` uses it, for one file at a time.

jsonschema_rs says yes or no faster, file by file, but costs 12 ms to load and to compile schemas, more
than all else that `eval` of one flag reads; and to say what is wrong, in whose words, takes the place, the
value and the schema at once. Tests hold this equal to jsonschema_rs.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Fault(msgspec.Struct, frozen=True, gc=False):
    """One keyword of a schema that does not hold.

    path: keys and indexes that lead to `value`; limit: the keyword's own value; schema: where it stands.
    of_key: the value is the last key of the path itself.
    """

    keyword: str
    value: Any
    path: tuple[str | int, ...]
    limit: Any
    schema: dict[str, Any]
    of_key: bool = False


def faults(schema: dict[str, Any], data: Any) -> Iterator[Fault]:
    """Every fault of `data`, in the order of the schema's keywords."""
    return _Walk(schema).faults(schema, data, ())


def _same(one: Any, other: Any) -> bool:
    # in JSON 1 is not true
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "number": _is_number,
    "integer": lambda value: _is_number(value) and value == value // 1,
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}


@cache
def _pattern(text: str) -> re.Pattern[str]:
    # Python's $ also fits before a line break at the end; JSON Schema's does not
    return re.compile(text.removesuffix("$") + r"\Z" if text.endswith("$") else text)


_HOLDS: dict[str, Callable[[Any, Any], bool]] = {
    "type": lambda value, kinds: any(_TYPES[kind](value) for kind in ([kinds] if isinstance(kinds, str) else kinds)),
    "enum": lambda value, members: any(_same(value, member) for member in members),
    "const": _same,
    "pattern": lambda value, pattern: not isinstance(value, str) or _pattern(pattern).search(value) is not None,
    "minLength": lambda value, least: not isinstance(value, str) or len(value) >= least,
    "minimum": lambda value, least: not _is_number(value) or value >= least,
    "maximum": lambda value, most: not _is_number(value) or value <= most,
    "minItems": lambda value, least: not isinstance(value, list) or len(value) >= least,
    "maxItems": lambda value, most: not isinstance(value, list) or len(value) <= most,
    "minProperties": lambda value, least: not isinstance(value, dict) or len(value) >= least,
    "maxProperties": lambda value, most: not isinstance(value, dict) or len(value) <= most,
    "required": lambda value, names: not isinstance(value, dict) or all(name in value for name in names),
}
"""Keywords that look at one value alone."""


class _Walk:
    def __init__(self, root: dict[str, Any]) -> None:
        self._definitions = root.get("$defs", {})

    def _holds(self, schema: dict[str, Any], value: Any) -> bool:
        return next(self.faults(schema, value, ()), None) is None

    def faults(
        self, schema: dict[str, Any], value: Any, path: tuple[str | int, ...], of_key: bool = False
    ) -> Iterator[Fault]:
        for keyword, limit in schema.items():
            if (holds := _HOLDS.get(keyword)) is not None:
                if not holds(value, limit):
                    yield Fault(keyword, value, path, limit, schema, of_key)
            elif keyword == "$ref":
                yield from self.faults(self._definitions[limit.removeprefix("#/$defs/")], value, path)
            elif keyword == "allOf":
                for part in limit:
                    yield from self.faults(part, value, path)
            elif keyword == "if":
                branch = schema.get("then" if self._holds(limit, value) else "else", {})
                yield from self.faults(branch, value, path)
            elif keyword == "not":
                if self._holds(limit, value):
                    yield Fault(keyword, value, path, limit, schema, of_key)
            elif keyword == "oneOf":
                if sum(self._holds(option, value) for option in limit) != 1:
                    yield Fault(keyword, value, path, limit, schema, of_key)
            elif keyword == "items" and isinstance(value, list):
                for index, member in enumerate(value):
                    yield from self.faults(limit, member, (*path, index))
            elif isinstance(value, dict):
                yield from self._members(keyword, limit, schema, value, path)

    def _members(
        self, keyword: str, limit: Any, schema: dict[str, Any], value: dict[str, Any], path: tuple[str | int, ...]
    ) -> Iterator[Fault]:
        if keyword == "properties":
            for name, part in limit.items():
                if name in value:
                    yield from self.faults(part, value[name], (*path, name))
        elif keyword == "propertyNames":
            for name in value:
                yield from self.faults(limit, name, (*path, name), of_key=True)
        elif keyword == "additionalProperties":
            known = schema.get("properties", {})
            others = [name for name in value if name not in known]
            if limit is not False:
                for name in others:
                    yield from self.faults(limit, value[name], (*path, name))
            elif others:
                yield Fault(keyword, value, path, limit, schema)
