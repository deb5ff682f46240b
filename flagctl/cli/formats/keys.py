"""Keys for `key list`: a table, and `flagctl/keys/1`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flagctl.model import times

if TYPE_CHECKING:
    from flagctl.publish.keys import Known

_STATES = {"ok": "valid", "early-key": "not yet", "retired-key": "retired"}


def table(keys: Sequence[Known]) -> tuple[list[str], list[list[str]]]:
    """Headers and rows."""
    rows = [
        [key.name, _STATES[key.state], _time(key.since) or "-", _time(key.until) or "-",
         "at hand" if key.at_hand else "-", key.fingerprint]
        for key in keys
    ]  # fmt: skip
    return ["KEY", "STATE", "FROM", "UNTIL", "PRIVATE HALF", "FINGERPRINT"], rows


def document(keys: Sequence[Known]) -> dict[str, Any]:
    """The JSON document of `key list`."""
    return {
        "format": "flagctl/keys/1",
        "keys": [
            {
                "name": key.name,
                "state": _STATES[key.state],
                "from": _time(key.since),
                "until": _time(key.until),
                "at_hand": key.at_hand,
                "fingerprint": key.fingerprint,
            }
            for key in keys
        ],
    }


def _time(epoch: int | None) -> str | None:
    return None if epoch is None else times.text(epoch)
