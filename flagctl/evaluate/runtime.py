"""What generated functions run on: the names they may use, and their code, one object for each source."""

from __future__ import annotations

import linecache
import math
from bisect import bisect_right
from collections.abc import Mapping
from functools import partial
from types import CodeType, FunctionType
from typing import Any

import mmh3

from flagctl.evaluate.bucket import key_text
from flagctl.evaluate.expressions import Unsaid
from flagctl.model import semver

_MOST_CODES = 4096
_MOST_VERSIONS = 4096
_LONGEST_VERSION = 32
_codes: dict[str, CodeType] = {}
_versions: dict[str, semver.Key] = {}


def function(source: str, constants: list[Any], *, eager: bool) -> FunctionType | None:
    """The function of a source, its constants bound. Unless `eager`, None for a source that was never compiled."""
    code = _codes.get(source)
    if code is None:
        if not eager:
            return None
        code = _compiled(source)
    optional = (None, *constants) if code.co_varnames[1] == "now" else tuple(constants)
    return FunctionType(code, _NAMES, "answer", optional)


def _compiled(source: str) -> CodeType:
    """Compiling takes a hundred times as long as binding, so codes are kept; the same source has the same name."""
    name = f"flagctl-{mmh3.mmh3_x64_128_uintdigest(source.encode()):032x}"
    module = compile(source, name, "exec", dont_inherit=True, optimize=0)
    code: CodeType = next(one for one in module.co_consts if isinstance(one, CodeType))
    if len(_codes) >= _MOST_CODES:
        for old in list(_codes.values()):
            linecache.cache.pop(old.co_filename, None)
        _codes.clear()
    _codes[source] = code
    linecache.cache[name] = (partial(str, source),)  # read when a traceback asks for it
    return code


def _find(value: object, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else None


def _mapping(context: object) -> Mapping[str, Any]:
    return context if isinstance(context, Mapping) else {}


_OF_TEXT = ("__eq__", "__contains__", "__len__")
_OF_NUMBERS = ("__eq__", "__lt__", "__le__", "__gt__", "__ge__")


def _text(value: object) -> str | None:
    """A value that is no plain text: None, or the text of a class made from it, such as an Enum."""
    if not isinstance(value, str):
        return None
    _refuse_opinions(value, str, _OF_TEXT)
    return str.__str__(value)


def _number(value: object) -> float | None:
    """The same of numbers; those without end are none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, int):
        _refuse_opinions(value, int, _OF_NUMBERS)
        return int.__index__(value)
    _refuse_opinions(value, float, _OF_NUMBERS)
    return float.__float__(value) if math.isfinite(value) else None


def _refuse_opinions(value: object, base: type, methods: tuple[str, ...]) -> None:
    """The readable evaluator may ask what has its own idea of comparing."""
    if type(value) is not base and any(getattr(type(value), name) is not getattr(base, name) for name in methods):
        raise Unsaid


def _version(text: str) -> semver.Key | None:
    """As `semver.key`; short ones are remembered, for a service sees the same few over and over."""
    key = semver.key(text)
    if key is not None and len(text) <= _LONGEST_VERSION:
        if len(_versions) >= _MOST_VERSIONS:
            _versions.clear()
        _versions[text] = key
    return key


_NAMES: dict[str, Any] = {
    "__builtins__": {each.__name__: each for each in (any, bool, callable, dict, float, int, len, map, str, type)},
    "__name__": "flagctl.evaluate.generated",
    "bisect": bisect_right,
    "find": _find,
    "hash32": mmh3.hash,
    "key": key_text,
    "mapping": _mapping,
    "number": _number,
    "text": _text,
    "version": _version,
    "versions": _versions,
}
