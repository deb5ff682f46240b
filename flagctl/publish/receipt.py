"""A receipt: what one publish put where, as data, as words and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from flagctl.compile.snapshot import encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FORMAT = "flagctl/receipt/1"
Outcome = Literal["published", "unchanged", "planned"]
_NAMED = 8
"""How many flag keys a line of words lists before it counts the rest."""


class Changes(msgspec.Struct, frozen=True):
    """Flag keys, sorted. All may be empty although a snapshot changed: segments and settings are in it too."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """One environment at one target.

    outcome: `unchanged` when what was live already says the same; `planned` when it was a dry run.
    version, commit, digest, bytes: of what is live now, or would be.
    previous_version: None when nothing was live.
    seconds: how long it took.
    """

    environment: str
    target: str
    outcome: Outcome
    version: int
    previous_version: int | None
    commit: str | None
    digest: str
    bytes: int
    changes: Changes
    seconds: float


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changes:
    """What two snapshots' `flags` have not in common."""
    return Changes(
        added=tuple(sorted(after.keys() - before.keys())),
        changed=tuple(sorted(key for key in after.keys() & before.keys() if encode(after[key]) != encode(before[key]))),
        removed=tuple(sorted(before.keys() - after.keys())),
    )


def document(receipts: Iterable[Receipt]) -> dict[str, Any]:
    """The JSON document of a run of `publish`; its format is FORMAT."""
    return {"format": FORMAT, "receipts": [_plain(receipt) for receipt in receipts]}


def _plain(receipt: Receipt) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(receipt)
    flags = plain.pop("changes")
    return {**plain, "flags": flags, "seconds": round(receipt.seconds, 3)}


def words(receipt: Receipt) -> str:
    """The receipt as a person reads it: what happened, then aligned lines."""
    commit = (receipt.commit or "no commit")[:12]
    title = f"{receipt.environment} -> {receipt.target}: "
    if receipt.outcome == "unchanged":
        return title + f"version {receipt.version} is live already, nothing to do"
    before = "the first" if receipt.previous_version is None else f"after version {receipt.previous_version}"
    verb = "published" if receipt.outcome == "published" else "would publish"
    lines = [
        ("commit", commit),
        ("flags", "; ".join(_flag_words(receipt.changes)) or "none changed, only segments or settings did"),
        ("digest", receipt.digest),
        ("size", f"{receipt.bytes:,} bytes in {receipt.seconds:.2f} s"),
    ]
    return "\n".join(
        [title + f"{verb} version {receipt.version}, {before}", *(f"  {label:<8}{text}" for label, text in lines)]
    )


def _flag_words(what: Changes) -> Iterable[str]:
    for label, keys in (("added", what.added), ("changed", what.changed), ("removed", what.removed)):
        if keys:
            rest = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
            yield f"{label} {', '.join(keys[:_NAMED])}{rest}"
