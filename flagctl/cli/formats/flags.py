"""Flags for `list` (`flagctl/list/1`) and `show` (`flagctl/show/1`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flagctl.model import times
from flagctl.model.overview import NOTHING, UNREADABLE, Line

if TYPE_CHECKING:
    from flagctl.cli.versions import Versions
    from flagctl.files.repository import Reading


def list_table(
    lines: Sequence[Line], environments: Sequence[str], versions: Versions, *, why: bool
) -> tuple[list[str], list[list[str]]]:
    """Headers and rows; with `why` a last column says what makes a flag stale."""
    rows = [
        [
            line.key,
            *(_cell(line, name, versions) for name in environments),
            ", ".join(line.owners) or NOTHING,
            times.text(line.expires_at)[:10] if line.expires_at is not None else NOTHING,
            *([line.stale] if why else []),
        ]
        for line in lines
    ]
    return ["FLAG", *(name.upper() for name in environments), "OWNER", "EXPIRES", *(["WHY"] if why else [])], rows


def _cell(line: Line, environment: str, versions: Versions) -> str:
    version = versions.text(environment, line.key) if environment in line.states else ""
    return f"{line.cell(environment)} {version}".rstrip()


def list_document(lines: Sequence[Line], environments: Sequence[str], versions: Versions) -> dict[str, Any]:
    """The JSON document of `list`."""
    return {
        "format": "flagctl/list/1",
        "flags": [
            {
                "key": line.key,
                "owners": line.owners,
                "tags": line.tags,
                "expires_at": times.text(line.expires_at) if line.expires_at is not None else None,
                "stale": line.stale or None,
                "environments": {name: _state(line, name, versions) for name in environments if name in line.files},
            }
            for line in lines
        ],
    }


def show_document(line: Line, reading: Reading, versions: Versions) -> dict[str, Any]:
    """The JSON document of `show`; `flag` is what the file says."""
    from flagctl.files.read import load

    return {
        "format": "flagctl/show/1",
        "key": line.key,
        "stale": line.stale or None,
        "environments": {
            name: _state(line, name, versions)
            | {"flag": load(reading.tree.read(path), path)[0] if name in line.states else None}
            for name, path in line.files.items()
        },
    }


def _state(line: Line, environment: str, versions: Versions) -> dict[str, Any]:
    state = line.states.get(environment)
    found: dict[str, Any] = {"state": UNREADABLE, "file": line.files[environment]}
    found["version"] = versions.numbers.get((environment, line.key))
    if state is not None:
        found |= {"state": state.name, "share": state.share}
        if state.at is not None:
            found["at"] = times.text(state.at)
    return found
