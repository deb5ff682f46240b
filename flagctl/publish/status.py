"""What is live where, how far it lags behind a commit, and whether it is to be believed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from flagctl.compile.kill import killed
from flagctl.compile.snapshot import without_versions
from flagctl.errors import FlagctlError
from flagctl.publish.draft import Draft
from flagctl.publish.live import Live, read_canary, read_live
from flagctl.signing import PublicKey, State, verify

if TYPE_CHECKING:
    from flagctl.stores.base import Store, Stored

Drift = Literal["current", "behind", "other", "unknown", "none"]
Behind = Callable[[str, str], list[tuple[str, str]] | None]
"""(environment, live commit) to the commits since then that touched it, newest first, as (hash, subject); None when
the live commit is not in the branch's history."""
Lost = Callable[[str], bool]
"""Whether a commit is known to be neither in the branch's history nor after it."""


class Pending(msgspec.Struct, frozen=True):
    """A dated change of the live snapshot that is still to come.

    what: the fields that a schedule changes, `expires_at`, or `ramp` for the next step of one.
    """

    flag: str
    at: int
    what: tuple[str, ...]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """One environment at one target.

    error: why nothing can be said, "" where something can. drift: `current` when the branch would publish the same,
    `behind` with the commits that are missing, `other` when the live commit is not in the branch's history, whatever
    it says, `none` when nothing is live. retires: when the key that signed is retired. canary: (version, share) beside
    it.
    """

    environment: str
    target: str
    error: str = ""
    hint: str = ""
    version: int | None = None
    commit: str | None = None
    modified: float | None = None
    drift: Drift = "none"
    missing: tuple[tuple[str, str], ...] = ()
    pending: tuple[Pending, ...] = ()
    kills: dict[str, int] = {}
    signature: State = "unsigned"
    key: str = ""
    reason: str = ""
    retires: int | None = None
    canary: tuple[int, int] | None = None

    @property
    def wrong(self) -> bool:
        """Somebody has to look: it can't be read, or is not to be believed."""
        return bool(self.error or self.reason)


def status(
    store: Store, wanted: dict[str, Any], *, keys: Sequence[PublicKey], behind: Behind, lost: Lost, now: float
) -> Status:
    """How one target stands. wanted: the snapshot that the branch would publish."""
    environment: str = wanted["environment"]
    try:
        live = read_live(store, environment)
        canary = read_canary(store, environment)
    except FlagctlError as error:
        return Status(environment=environment, target=store.url, error=error.message, hint=error.hint)
    if live is None:
        return Status(environment=environment, target=store.url, drift="none")
    try:
        return _status(store, live, canary, wanted, keys, behind, lost, now)
    except (AttributeError, KeyError, TypeError, ValueError):
        senseless = f"what is live in {environment} at {store.url} makes no sense"
        hint = f"flagctl verify -e {environment}"
        return Status(environment=environment, target=store.url, error=senseless, hint=hint)


def _status(
    store: Store,
    live: Live,
    canary: tuple[dict[str, Any], Stored] | None,
    wanted: dict[str, Any],
    keys: Sequence[PublicKey],
    behind: Behind,
    lost: Lost,
    now: float,
) -> Status:
    """Of a snapshot that may hold anything where no key is listed."""
    environment = wanted["environment"]
    document = msgspec.json.decode(live.stored.data)
    verdict = verify(live.stored.data, keys, environment=environment, now=now)
    drift, missing = _drift(document, wanted, behind, lost)
    above = canary is not None and canary[0]["version"] > live.version
    return Status(
        environment=environment,
        target=store.url,
        version=live.version,
        commit=live.commit,
        modified=live.stored.modified,
        drift=drift,
        missing=missing,
        pending=_pending(document, now),
        kills={key: until for key, until in document.get("kills", {}).items() if until > now},
        signature="unsigned" if verdict.ok and not verdict.key else verdict.state,
        key=verdict.key,
        reason="" if verdict.ok else verdict.message,
        retires=next((key.until for key in keys if key.name == verdict.key), None),
        canary=(canary[0]["version"], canary[0]["canary"]["share"]) if canary and above else None,
    )


def _drift(
    document: dict[str, Any], wanted: dict[str, Any], behind: Behind, lost: Lost
) -> tuple[Drift, tuple[tuple[str, str], ...]]:
    for key, until in document.get("kills", {}).items():
        if key in wanted["flags"]:
            wanted = killed(wanted, key, until)
    if Draft(without_versions(wanted)).parts == Draft(without_versions(document)).parts:
        return ("other" if document.get("commit") and lost(document["commit"]) else "current"), ()
    commits = behind(wanted["environment"], document["commit"]) if document.get("commit") else None
    return ("other", ()) if commits is None else ("behind", tuple(commits))


def _pending(document: dict[str, Any], now: float) -> tuple[Pending, ...]:
    found = [Pending(key, at, what) for key, flag in document["flags"].items() for at, what in _dated(flag, now)]
    return tuple(sorted(found, key=lambda one: (one.at, one.flag, one.what)))


def _dated(flag: dict[str, Any], now: float) -> Iterator[tuple[int, tuple[str, ...]]]:
    """What the clock still does to a flag, up to its end; of a ramp the next step alone."""
    end = flag.get("expires_at", math.inf)
    schedule = [entry for entry in flag.get("schedule", ()) if entry["at"] < end]
    for entry in schedule:
        if entry["at"] > now:
            yield entry["at"], tuple(name for name in ("enabled", "default") if name in entry)
    if not flag["enabled"] and not any(entry.get("enabled") for entry in schedule):
        return
    if now < end < math.inf:
        yield end, ("expires_at",)
    defaults = [(-math.inf, flag["default"]), *((one["at"], one["default"]) for one in schedule if "default" in one)]
    ends = [*(at for at, _ in defaults[1:]), end]
    spans = [(start, stop, outcome) for (start, outcome), stop in zip(defaults, ends, strict=True)]
    for start, stop, outcome in (*spans, *((-math.inf, end, rule) for rule in flag.get("rules", ()))):
        steps = [at for at, _ in outcome.get("ramp", ()) if max(start, now) < at < stop]
        if steps:
            yield min(steps), ("ramp",)
