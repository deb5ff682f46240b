"""Whether what is published is what the commit it names says, signed by a key that is believed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from flagctl.compile.audience import subset
from flagctl.compile.kill import killed
from flagctl.compile.snapshot import content, encode, without_versions
from flagctl.errors import FlagctlError, OutsideError
from flagctl.model.repository import Audience, Settings
from flagctl.publish.draft import Maker
from flagctl.signing import PublicKey, State, verify
from flagctl.stores.base import Stored

Rebuild = Callable[[str, str], tuple[dict[str, Any], Settings]]
"""(commit, environment) to the snapshot compiled anew, and the commit's settings. Raises UsageError or OutsideError."""
_MOST = 20
_DEEPEST = 12


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out about one published snapshot.

    signature: its state by signing.verify, or `unsigned` where no keys are listed and there is none.
    reason: why it is not to be believed, "" where it is. differences: from what the commit says, in words.
    modified: when the place says it was written, seconds since the epoch. beside: the name of something that is made
    from the whole snapshot and not signed, such as `flagd.json`; then this is about that. error: why it can't be told,
    "" where it can.
    """

    source: str
    environment: str
    ok: bool
    signature: State
    reason: str
    differences: tuple[str, ...] = ()
    audience: str | None = None
    canary: bool = False
    key: str = ""
    version: int | None = None
    commit: str | None = None
    kills: dict[str, int] = {}
    modified: float | None = None
    beside: str | None = None
    error: str = ""
    hint: str = ""


def compare_beside(live: Verified, data: bytes, name: str, make: Maker, found: Stored | None) -> Verified:
    """Whether what stands beside a live snapshot, whose bytes are `data`, is what is made from it."""
    reason = "it is not published" if found is None else ""
    differs = found is not None and found.data != make(msgspec.json.decode(data))
    return msgspec.structs.replace(
        live,
        beside=name,
        ok=not reason and not differs,
        signature="unsigned",
        key="",
        reason=reason,
        differences=(f"it is not what version {live.version} of the snapshot says",) if differs else (),
        modified=found.modified if found else None,
    )


def as_kept(verified: Verified, found: Stored | None) -> Verified:
    """What was found out, and whether the place keeps the bytes as we packed them: another header changes no answer."""
    if found is None or not found.strange:
        return verified
    told = "it is compressed under a gzip header that flagctl does not write"
    return msgspec.structs.replace(verified, ok=False, differences=(*verified.differences, told))


def examine(
    data: bytes,
    *,
    source: str,
    environment: str | None,
    audience: str | None,
    canary: bool = False,
    keys: Sequence[PublicKey],
    audiences: Mapping[str, Audience],
    rebuild: Rebuild,
    now: float,
    held: int | None = None,
    modified: float | None = None,
) -> Verified:
    """Rebuild a published snapshot from the commit it names, and compare bytes and signature.

    environment, audience, canary: what it should be; environment None: what it says itself to be. held: the newest
    version that is known to have been there. audiences: as settings name them now; one may be newer than what is live,
    and its part was published afterwards.
    Raises what `rebuild` raises, unless the signature is wrong already: without the commit there is no answer.
    """
    claimed = _claimed(data)
    if environment is None:
        environment, audience, canary = claimed.get("environment", ""), claimed.get("audience"), "canary" in claimed
    verdict = verify(data, keys, environment=environment, audience=audience, canary=canary, now=now, held=held)
    document = verdict.document
    unreadable = document is None or verdict.state in ("damaged", "newer-format", "wrong-environment")
    try:
        differences = () if unreadable else tuple(_compared(data, document or {}, environment, audiences, rebuild))
    except FlagctlError:
        if verdict.ok:
            raise
        differences = ()  # whoever changed it may have changed the commit's name
    if document is None and verdict.ok:
        differences = ("it holds a number that can't be read",)
    version, commit = (claimed.get(name) for name in ("version", "commit"))
    return Verified(
        source=source,
        environment=environment,
        audience=audience,
        canary=canary,
        ok=verdict.ok and not differences,
        signature="unsigned" if verdict.ok and not verdict.key else verdict.state,
        reason="" if verdict.ok else verdict.message,
        differences=differences,
        key=verdict.key,
        version=version if type(version) is int else None,
        commit=commit if isinstance(commit, str) else None,
        kills=_kills(claimed),
        modified=modified,
    )


def _claimed(data: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _kills(document: dict[str, Any]) -> dict[str, int]:
    kills = document.get("kills", {})
    sound = isinstance(kills, dict) and all(type(until) is int for until in kills.values())
    return kills if sound else {}


def _compared(
    data: bytes, document: dict[str, Any], environment: str, audiences: Mapping[str, Audience], rebuild: Rebuild
) -> Iterator[str]:
    """What differs, `_MOST` of it; nothing exactly when the bytes are what the commit gives."""
    commit = document.get("commit")
    if not isinstance(commit, str):
        yield "it names no commit"
        return
    expected, settings = rebuild(commit, environment)
    if _versions_in(document) != _versions_in(expected):
        if not _versions_in(expected):
            raise OutsideError(
                "this clone lacks the history, so the versions of flags can't be compared",
                hint="git fetch --unshallow; in GitHub Actions fetch-depth: 0",
            )
        expected = without_versions(expected)  # published from a shallow clone
    for key, until in sorted(_kills(document).items()):
        if key in expected["flags"]:
            expected = killed(expected, key, until)
    name = document.get("audience")
    audience = [known[name] for known in (settings.audiences, audiences) if isinstance(name, str) and name in known]
    if name is not None and not audience:
        yield f"settings name no audience {name!r}"
        return
    own = {field: document[field] for field in ("version", "canary", "signature") if field in document}
    candidates = [subset(expected, one) | own for one in audience] or [expected | own]
    if any(encode(candidate) == data for candidate in candidates):
        return
    expected = candidates[0]
    found = list(_differences(content(document), content(expected), ""))
    yield from found[:_MOST]
    if len(found) > _MOST:
        yield f"and {len(found) - _MOST} more differences"
    if not found:
        about = [name for name in ("commit_time",) if document.get(name) != expected.get(name)]
        yield (
            f"its {about[0]} is another" if about else "the data is the same, but its bytes are not the canonical ones"
        )


def _differences(published: Any, committed: Any, place: str) -> Iterator[str]:
    if type(published) is dict and type(committed) is dict and place.count(" ") < _DEEPEST:
        for name in sorted(published.keys() | committed.keys()):
            here = f"{place} {name}".strip()
            if name not in committed:
                yield f"{here} is published, and the commit has none"
            elif name not in published:
                yield f"{here} is missing"
            else:
                yield from _differences(published[name], committed[name], here)
    elif encode({"": published}) != encode({"": committed}):
        yield f"{place} is {_short(published)}, and the commit says {_short(committed)}"


def _versions_in(document: dict[str, Any]) -> bool:
    metadata = [flag.get("metadata") for flag in document["flags"].values() if isinstance(flag, dict)]
    return any(isinstance(one, dict) and "version" in one for one in metadata)


def _short(value: Any) -> str:
    text = encode({"": value}).decode()[4:-1]
    return text if len(text) <= 80 else f"{text[:79]}…"
