"""One file's bytes to its part of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from flagctl.files import parse, read, schema
from flagctl.problems import Problem

if TYPE_CHECKING:
    from flagctl.files.pieces import Pieces
    from flagctl.files.walk import Entry

_ALLOW = b"flagctl: allow"
_Model = TypeVar("_Model")


class Parsed(msgspec.Struct, Generic[_Model], frozen=True, gc=False, array_like=True):
    """All that one file's bytes say: the model, None where they are wrong; problems; whether they allow one."""

    model: _Model | None
    problems: tuple[Problem, ...] = ()
    allows: bool = False


def understand(entry: Entry, raw: bytes, *, bulk: bool = False, pieces: Pieces | None = None) -> Parsed[Any]:
    """One file's bytes to its part of the model; depends on nothing but these two.

    bulk: it is one of many, for which loading the fast validator pays. pieces: those of its other versions.
    """
    path = entry.path
    data, problems = read.load(raw, path) if pieces is None else pieces.load(raw, path)
    model: Any = None
    if data is not None:
        valid = bulk and schema.is_valid(entry.kind, data)
        found = [] if valid else schema.validate(entry.kind, data, path)
        if not found:
            model, found = _model(entry, data, pieces)
        problems = problems + found
    return Parsed(model=model, problems=tuple(problems), allows=_ALLOW in raw)


def _model(entry: Entry, data: dict[str, Any], pieces: Pieces | None) -> tuple[Any, list[Problem]]:
    if entry.kind == "flag":
        return parse.flag(data, entry.name, entry.path, pieces)
    if entry.kind == "segment":
        return parse.segment(data, entry.name, entry.path)
    if entry.kind == "test":
        return parse.expectations(data, entry.name, entry.path)
    return (parse.settings if entry.kind == "settings" else parse.attributes)(data, entry.path)
