"""Data against the JSON Schemas in `schema/`: a fast yes or no for many files, words for one."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from flagctl.errors import UsageError
from flagctl.files.validator import faults
from flagctl.problems import did_you_mean

if TYPE_CHECKING:
    from flagctl.problems import Problem

_KINDS = {"flag": "flag", "segment": "segment", "settings": "settings", "attributes": "attributes", "test": "tests"}
_PACKAGE = Path(__file__).parent.parent
# the wheel carries the schemas inside the package; a checkout has them beside it
_FOLDER = _PACKAGE / "schema" if (_PACKAGE / "schema").is_dir() else _PACKAGE.parent / "schema"


def names() -> list[str]:
    """The schemas there are, without `.schema.json`."""
    return sorted(path.name.removesuffix(".schema.json") for path in _FOLDER.glob("*.schema.json"))


def schema_text(name: str) -> str:
    """A schema's text. Raises UsageError for a name that isn't one of `names`."""
    if name not in names():
        raise UsageError(f'no schema "{name}"', hint=did_you_mean(name, names()) or f"there are {', '.join(names())}")
    return (_FOLDER / f"{name}.schema.json").read_text(encoding="utf-8")


@cache
def schema_bytes(kind: str) -> bytes:
    """The schema of a kind of file (`walk.EntryKind`)."""
    return (_FOLDER / f"{_KINDS[kind]}.schema.json").read_bytes()


@cache
def _schema(kind: str) -> dict[str, Any]:
    loaded: dict[str, Any] = msgspec.json.decode(schema_bytes(kind))
    return loaded


@cache
def _fast(kind: str) -> Any:
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(_schema(kind))


def is_valid(kind: str, data: Any) -> bool:
    """Whether `validate` would find nothing; much faster from the tenth file or so on."""
    valid: bool = _fast(kind).is_valid(data)
    return valid


def validate(kind: str, data: Any, path: str) -> list[Problem]:
    """What is wrong with the data of a file of this kind (`walk.EntryKind`), all of it."""
    found = list(faults(_schema(kind), data))
    if not found:
        return []
    from flagctl.files.wording import describe

    return describe(found, path)
