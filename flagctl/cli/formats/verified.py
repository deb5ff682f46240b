"""What `verify` found: sentences, and `flagctl/verify/1`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from flagctl.model import times

if TYPE_CHECKING:
    from flagctl.publish.verify import Verified

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60))


def ago(seconds: float) -> str:
    """«4 minutes ago»; of a time to come, by another clock, «in 3 hours»."""
    if seconds <= -_UNITS[-1][1]:
        return f"in {ago(-seconds).removesuffix(' ago')}, by its own clock"
    for unit, length in _UNITS:
        count = int(max(seconds, 0) // length)
        if count:
            return f"{count} {unit}{'s' * (count > 1)} ago"
    return "just now"


def words(found: Verified, now: float) -> list[str]:
    """The answer as a person reads it; the first line says yes or no."""
    what = found.environment or "this"
    what += f" for {found.audience}" if found.audience else ""
    what += " as a canary" if found.canary else ""
    what += f" {found.beside} of" if found.beside else ""
    title = f"{found.source}: {what}"
    if found.version is not None:
        title += f" version {found.version}"
    if found.error:
        return [f"{title}: CAN'T TELL", f"  {found.error}", *([f"  hint: {found.hint}"] if found.hint else [])]
    if not found.ok:
        return [f"{title}: NO", *(f"  {line}" for line in (found.reason, *found.differences) if line)]
    signed = f"signed by {found.key}" if found.key else "not signed"
    published = f", published {ago(now - found.modified)}" if found.modified is not None else ""
    lines = [
        f"{title}: this is what flags/{found.environment}/ at {(found.commit or '')[:12]} says, {signed}{published}"
    ]
    lines += [f"  but {key} is turned off until {times.text(until)}" for key, until in found.kills.items()]
    return lines


def document(found: Iterable[Verified]) -> dict[str, Any]:
    """The JSON document of `verify`."""
    return {"format": "flagctl/verify/1", "snapshots": [_plain(one) for one in found]}


def _plain(found: Verified) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(found)
    modified = None if found.modified is None else times.text(found.modified)
    kills = {key: times.text(until) for key, until in found.kills.items()}
    plain |= {name: getattr(found, name) or None for name in ("reason", "key", "error", "hint")}
    return {**plain, "modified": modified, "kills": kills}
