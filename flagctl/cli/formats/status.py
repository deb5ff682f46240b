"""What `status` found: a table with remarks below it, and `flagctl/status/1`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from flagctl.cli.formats.verified import ago
from flagctl.model import times

if TYPE_CHECKING:
    from flagctl.publish.status import Pending, Status

HEADERS = ["ENVIRONMENT", "TARGET", "VERSION", "COMMIT", "AGE", "DRIFT", "PENDING", "SIGNATURE"]
_SUBJECTS = 5
_SOON = 30 * 86400


def row(found: Status, now: float) -> list[str]:
    """One line of the table."""
    if found.error:
        return [found.environment, found.target, "?", "-", "-", "can't be read", "-", "-"]
    if found.version is None:
        return [found.environment, found.target, "-", "-", "-", "not published", "-", "-"]
    signed = found.key if found.signature == "ok" else found.signature.replace("-", " ")
    age = "-" if found.modified is None else ago(now - found.modified)
    version = str(found.version) + (f" (+ canary {found.canary[0]})" if found.canary else "")
    pending = f"{len(found.pending)} change{'s' * (len(found.pending) > 1)}" if found.pending else "-"
    commit = (found.commit or "-")[:10]
    return [found.environment, found.target, version, commit, age, drift(found), pending, signed]


def drift(found: Status) -> str:
    """How far behind, in words."""
    if found.drift != "behind":
        return {"current": "none", "other": "another history", "none": "not published"}.get(found.drift, found.drift)
    count = len(found.missing)
    return f"{count} commit{'s' * (count > 1)} behind" if count else "built otherwise"


def remarks(found: Status, now: float) -> Iterator[str]:
    """What the table has no room for."""
    where = f"{found.environment} at {found.target}"
    if found.error:
        yield f"{where}: {found.error}" + (f" (hint: {found.hint})" if found.hint else "")
    if found.reason:
        yield f"{where}: DO NOT BELIEVE IT: {found.reason}"
    if found.drift == "behind" and found.missing:
        subjects = "; ".join(f"{short} {subject}" for short, subject in found.missing[:_SUBJECTS])
        more = f"; and {len(found.missing) - _SUBJECTS} more" if len(found.missing) > _SUBJECTS else ""
        yield f"{where}: {drift(found)}: {subjects}{more}"
    if found.drift == "behind" and not found.missing:
        yield f"{where}: the commit is the newest, but this flagctl compiles it differently; publish again"
    if found.drift == "other":
        gone = f"commit {(found.commit or 'none')[:10]} is not in the history of this branch"
        yield f"{where}: {gone}; git fetch, or if the branch was rewritten: publish --allow-older"
    for key, until in found.kills.items():
        yield f"{where}: {key} is TURNED OFF until {times.text(until)}"
    if found.pending:
        told = "; ".join(map(_change, found.pending[:_SUBJECTS]))
        more = f"; and {len(found.pending) - _SUBJECTS} more" if len(found.pending) > _SUBJECTS else ""
        yield f"{where}: next change {told}{more}"
    if found.canary:
        yield f"{where}: canary version {found.canary[0]} for {found.canary[1] / 1000:g} % of the instances"
    if found.retires is not None and not found.reason and found.retires - now < _SOON:
        yield f"{where}: {found.key} is retired at {times.text(found.retires)}; publish with another key before"


def _change(change: Pending) -> str:
    return f"{times.text(change.at)}: {change.flag} ({' and '.join(change.what)})"


def document(found: Iterable[Status]) -> dict[str, Any]:
    """The JSON document of `status`."""
    return {"format": "flagctl/status/1", "targets": [_plain(one) for one in found]}


def _plain(found: Status) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(found)
    plain |= {name: getattr(found, name) or None for name in ("error", "hint", "key", "reason")}
    plain["modified"] = _time(found.modified)
    plain["retires"] = _time(found.retires)
    plain["kills"] = {key: times.text(until) for key, until in found.kills.items()}
    plain["missing"] = [{"commit": commit, "subject": subject} for commit, subject in found.missing]
    plain["pending"] = [{"flag": one.flag, "at": times.text(one.at), "what": list(one.what)} for one in found.pending]
    plain["canary"] = {"version": found.canary[0], "share": found.canary[1]} if found.canary else None
    return plain


def _time(epoch: float | None) -> str | None:
    return None if epoch is None else times.text(epoch)


def targets_table(rows: Sequence[tuple[str, str, str, str]]) -> tuple[list[str], list[list[str]]]:
    """Headers and rows of `target list`: environment, URL, error, hint."""
    return ["ENVIRONMENT", "TARGET", "STATE"], [[name, url, error or "can be written"] for name, url, error, _ in rows]


def targets_document(rows: Sequence[tuple[str, str, str, str]]) -> dict[str, Any]:
    """The JSON document of `target list`."""
    return {
        "format": "flagctl/targets/1",
        "targets": [
            {"environment": name, "target": url, "ok": not error, "error": error or None, "hint": hint or None}
            for name, url, error, hint in rows
        ],
    }
