"""A receipt: what one publish put where, as data, as words and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flagctl.publish.several import Failure

FORMAT = "flagctl/receipt/1"
Outcome = Literal["published", "unchanged", "completed", "planned", "canary"]
_NAMED = 8
"""How many flag keys a line of words lists before it counts the rest."""


class Changes(msgspec.Struct, frozen=True):
    """Flag keys, sorted. All may be empty although a snapshot changed: segments and settings are in it too."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """One environment at one target.

    outcome: `unchanged` when what was live already says the same, `completed` when something beside it was missing;
    `planned` when it was a dry run; `canary` when it stands beside what is live, for a `share` of the instances.
    version, commit, digest, bytes: of what is live now, or would be. stored_bytes: as the target keeps it.
    beside: names of what was written beside the snapshot.
    previous_version: None when nothing was live.
    caution: what the target can't promise; may be empty. signed_by: the key's name, None for an unsigned one.
    floor: where nothing was live, the highest version of the environment's other targets; else 0. unasked: those of
    them that could not be asked. override_freeze: why it was sent in a freeze. seconds: how long it took.
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
    stored_bytes: int | None = None
    beside: tuple[str, ...] = ()
    caution: str = ""
    share: int | None = None
    signed_by: str | None = None
    floor: int = 0
    unasked: tuple[str, ...] = ()
    override_freeze: str | None = None


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changes:
    """What two snapshots' `flags` have not in common, each flag as it is spelled."""
    return Changes(
        added=tuple(sorted(after.keys() - before.keys())),
        changed=tuple(sorted(key for key in after.keys() & before.keys() if after[key] != before[key])),
        removed=tuple(sorted(before.keys() - after.keys())),
    )


def document(outcomes: Iterable[Receipt | Failure]) -> dict[str, Any]:
    """The JSON document of a run of `publish`; its format is FORMAT."""
    receipts, failures = [], []
    for one in outcomes:
        if isinstance(one, Receipt):
            receipts.append(_plain(one))
        else:
            failures.append(msgspec.to_builtins(one))
    return {"format": FORMAT, "receipts": receipts, "failures": failures}


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
    if receipt.outcome == "completed":
        return title + f"version {receipt.version} is live already; missing beside it was {', '.join(receipt.beside)}"
    before = "the first" if receipt.previous_version is None else f"after version {receipt.previous_version}"
    if receipt.floor:
        before = f"where nothing was live, above version {receipt.floor} of the other targets"
    verb = "would publish" if receipt.outcome == "planned" else "published"
    if receipt.share is not None:
        before = f"as a canary for {receipt.share / 1000:g} % beside version {receipt.previous_version}"
    lines = [
        ("commit", commit),
        ("flags", "; ".join(_flag_words(receipt.changes)) or "none changed; only segments, settings or the commit did"),
        ("digest", receipt.digest),
        ("size", _size(receipt)),
    ]
    if receipt.signed_by:
        lines.append(("signed", f"by {receipt.signed_by}"))
    if receipt.beside:
        lines.append(("beside", ", ".join(receipt.beside)))
    if receipt.override_freeze:
        lines.append(("frozen", f"overridden: {receipt.override_freeze}"))
    if receipt.caution:
        lines.append(("caution", receipt.caution))
    if receipt.unasked:
        lines.append(("caution", f"can't ask {', '.join(receipt.unasked)} which version readers may hold"))
    if receipt.floor or receipt.unasked:
        lines.append(("note", "was it emptied, and a reader refuses this version? Publish --above the one it holds"))
    return "\n".join(
        [title + f"{verb} version {receipt.version}, {before}", *(f"  {label:<8}{text}" for label, text in lines)]
    )


def _size(receipt: Receipt) -> str:
    kept = receipt.stored_bytes
    packed = f", {kept:,} compressed," if kept and kept != receipt.bytes else ""
    return f"{receipt.bytes:,} bytes{packed} in {receipt.seconds:.2f} s"


def _flag_words(what: Changes) -> Iterable[str]:
    for label, keys in (("added", what.added), ("changed", what.changed), ("removed", what.removed)):
        if keys:
            rest = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
            yield f"{label} {', '.join(keys[:_NAMED])}{rest}"
