"""What is live at a target, read with care: it may be damaged, somebody else's, or a newer flagctl's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from flagctl.compile.snapshot import FORMAT
from flagctl.errors import RefusedError
from flagctl.signing import PublicKey, verify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flagctl.stores.base import Reader, Stored

_FAMILY = re.compile(r"flagctl/snapshot/[0-9]+")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_COMMIT_LENGTH = 12


class Live(msgspec.Struct, frozen=True):
    """A live snapshot that makes sense.

    parts: its fields as they are spelled; flags: each flag as it is spelled.
    """

    parts: dict[str, bytes]
    flags: dict[str, msgspec.Raw]
    stored: Stored
    version: int
    commit: str | None

    def about(self) -> dict[str, Any]:
        """The fields that say when and by whom it was published."""
        names = ("version", "commit", "commit_time")
        return {name: msgspec.json.decode(self.parts[name]) for name in names if name in self.parts}


def live_key(environment: str) -> str:
    """Where readers look."""
    return f"{environment}/snapshot.json"


def canary_key(environment: str) -> str:
    """Where a version for a part of the instances stands; it counts while it is above the live one."""
    return f"{environment}/canary.json"


def read_canary(store: Reader, environment: str) -> tuple[dict[str, Any], Stored] | None:
    """What stands there, None for nothing or for what makes no sense."""
    found = store.get(canary_key(environment))
    if found is None:
        return None
    try:
        document = msgspec.json.decode(found.data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    sound = isinstance(document, dict) and type(document.get("version")) is int and "canary" in document
    return (document, found) if sound and document.get("environment") == environment else None


def newest_live(store: Reader, environment: str, canary: tuple[dict[str, Any], Stored] | None) -> int | None:
    """The highest version that was live, as far as a place keeps account of it; None where a canary hides it."""
    newest: int | None = store.newest(environment, 0) if hasattr(store, "newest") else None
    return None if canary is not None and canary[0]["version"] == newest else newest


def history_key(environment: str, version: int, commit: str | None) -> str:
    """Where a version stays for good."""
    return f"{environment}/history/{version}-{(commit or 'none')[:_COMMIT_LENGTH]}.json"


def require_believed(
    data: bytes, keys: Sequence[PublicKey], *, environment: str, now: float, where: str, canary: bool = False
) -> None:
    """Raise RefusedError unless a snapshot is to be believed: what is signed again must have been ours before."""
    verdict = verify(data, keys, environment=environment, now=now, canary=canary)
    if not verdict.ok:
        raise RefusedError(
            f"what is published at {where} is not to be believed: {verdict.message}",
            hint=f"flagctl verify -e {environment} says more; flagctl publish {environment} makes it anew from Git",
        )


def read_live(store: Reader, environment: str) -> Live | None:
    """What is live, None when nothing is; raises RefusedError for what must not be taken for a snapshot."""
    found = store.get(live_key(environment))
    if found is None:
        return None
    where = f"{live_key(environment)} at {store.url}"
    repair = f"put the newest file of {environment}/history/ in its place, or remove it and publish again"
    try:
        parts = msgspec.json.decode(found.data, type=dict[str, msgspec.Raw])
        decoded = {name: msgspec.json.decode(part) for name, part in parts.items() if name != "flags"}
        found.data.decode()  # raw parts are not looked into
    except msgspec.ValidationError:
        raise RefusedError(f"{where} is no snapshot", hint=repair) from None
    except (msgspec.DecodeError, ValueError) as error:
        raise RefusedError(f"{where} is damaged: {error}", hint=repair) from None
    except RecursionError:
        raise RefusedError(f"{where} is damaged: it is nested too deeply", hint=repair) from None
    if not isinstance(decoded.get("format"), str):
        raise RefusedError(f"{where} is no snapshot", hint=repair)
    if decoded["format"] != FORMAT:
        newer = _FAMILY.fullmatch(decoded["format"])
        raise RefusedError(
            f"{where} is in the format {decoded['format']!r}; this flagctl writes {FORMAT!r}",
            hint="update flagctl; an older one must not take over" if newer else repair,
        )
    if decoded.get("environment") != environment:
        raise RefusedError(
            f"{where} holds the environment {decoded.get('environment')!r}, not {environment!r}",
            hint="was it copied there, or is this another repository's target? look at `targets` in flags/flagctl.yaml",
        )
    version, commit = decoded.get("version"), decoded.get("commit")
    flags = _flags(parts.get("flags"))
    commit_is_one = commit is None or (isinstance(commit, str) and _COMMIT.fullmatch(commit))
    if type(version) is not int or version < 0 or flags is None or not commit_is_one:
        raise RefusedError(f"{where} is damaged: its version, commit or flags make no sense", hint=repair)
    return Live({name: bytes(part) for name, part in parts.items()}, flags, found, version, commit)


def _flags(raw: msgspec.Raw | None) -> dict[str, msgspec.Raw] | None:
    try:
        return None if raw is None else msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return None
