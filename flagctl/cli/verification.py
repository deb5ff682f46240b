"""What one run of `verify` looks at: files, URLs, or everything that settings say is published somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flagctl.cli.commits import Commits
from flagctl.cli.standing import called
from flagctl.errors import FlagctlError, OutsideError, UsageError
from flagctl.model.repository import Target, require_environment
from flagctl.stores.masking import mask, named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagctl.model.repository import Settings
    from flagctl.project import Project
    from flagctl.publish.verify import Verified
    from flagctl.stores.base import Reader

_FILE = re.compile(r"(?:(?P<base>.*)/)?(?P<environment>[^/]+)/(?:(?P<audience>[^/]+)/)?(?P<name>snapshot|canary)\.json")
_URL = re.compile(r"[a-z0-9+]+:")


def verify_all(project: Project, source: str | None, environment: str | None, *, now: float) -> Iterator[Verified]:
    """Each snapshot at a source, or (None) at the targets of an environment (None: of each).

    source: a file, the URL of a snapshot, or the URL of a target. What can't be told of one of several targets keeps
    the others from nothing; of a single one it is raised. Raises UsageError, OutsideError.
    """
    from flagctl.publish.keys import believed
    from flagctl.publish.verify import Verified, examine
    from flagctl.stores import open_reader

    settings, commits = project.settings(), Commits(project)
    if environment is not None:
        require_environment(environment, settings.environments)
    common: dict[str, Any] = {"keys": believed(settings), "audiences": settings.audiences,
                              "rebuild": commits.snapshot, "now": now}  # fmt: skip
    if source is not None and (not _URL.match(source) or source.endswith(".json")):
        wanted = _wanted(source, environment, settings)
        data, modified = _fetch(source, wanted["environment"], project)
        yield examine(data, source=mask(source), modified=modified, **wanted, **common)
        return
    names = [environment] if environment else list(settings.environments)
    pairs = [(name, place) for name in names for place in settings.environments[name].targets]
    if source is not None:
        pairs = [(name, place) for name, place in pairs if called(source, [place])]
    if source is not None and not pairs:
        if environment is None:
            raise UsageError(f"settings do not say of which environment {mask(source)} is", hint="-e ENV")
        pairs = [(environment, Target(url=source))]
    if not pairs:
        raise UsageError("there is no target to verify", hint="flagctl verify URL -e ENV")
    for name, place in pairs:
        try:
            yield from _target(open_reader(place.url, project.root, place.options), name, settings, common)
        except FlagctlError as error:
            if len(pairs) == 1:
                raise
            yield Verified(source=named(place.url, place.options), environment=name, ok=False, signature="unsigned",
                           reason="", error=error.message, hint=error.hint)  # fmt: skip


def _target(store: Reader, environment: str, settings: Settings, common: dict[str, Any]) -> Iterator[Verified]:
    """The live snapshot of an environment, what stands beside it, and a canary that counts."""
    from flagctl.publish.draft import FLAGD, audience_key
    from flagctl.publish.flagd import FlagdMaker
    from flagctl.publish.live import canary_key, history_key, live_key, newest_live, read_canary
    from flagctl.publish.verify import Verified, as_kept, compare_beside, examine

    def missing(reason: str, audience: str | None = None) -> Verified:
        return Verified(
            source=store.url, environment=environment, audience=audience, ok=False, signature="damaged", reason=reason
        )

    found = store.get(live_key(environment))
    if found is None:
        yield missing("nothing is published")
        return
    common = {**common, "source": store.url, "environment": environment}
    canary = read_canary(store, environment)
    held = newest_live(store, environment, canary)
    live = examine(found.data, audience=None, held=held, modified=found.modified, **common)
    yield as_kept(live, found)
    if live.ok:  # else there is nothing to compare with
        flagd = store.get(f"{environment}/{FLAGD}")
        yield as_kept(compare_beside(live, found.data, FLAGD, FlagdMaker(), flagd), flagd)
        name = history_key(environment, live.version or 0, live.commit)
        kept = store.get(name)
        if kept is not None and (kept.strange or kept.data != found.data):
            # one that is missing may still come, or is not kept there
            entry = compare_beside(live, found.data, name.partition("/")[2], lambda document: found.data, kept)
            yield as_kept(entry, kept)
    for audience in settings.audiences:
        part = store.get(f"{environment}/{audience_key(audience)}")
        if part is None:
            yield missing("it is not published", audience)
        else:
            held = live.version if live.ok else None
            yield as_kept(examine(part.data, audience=audience, held=held, modified=part.modified, **common), part)
    if canary is not None and canary[0]["version"] > (live.version or 0):
        common["source"] = f"{store.url} ({canary_key(environment)})"
        whole = examine(canary[1].data, audience=None, canary=True, modified=canary[1].modified, **common)
        yield as_kept(whole, canary[1])


def _wanted(source: str, environment: str | None, settings: Settings) -> dict[str, Any]:
    """What a file or URL should hold by its path; what can't be told from it, it says itself."""
    found = _FILE.fullmatch(source)
    if found is not None:
        parts = source.split("/")
        canary = found["name"] == "canary"
        if parts[-2] in settings.environments:
            return {"environment": environment or parts[-2], "audience": None, "canary": canary}
        if len(parts) > 2 and parts[-3] in settings.environments and parts[-2] in settings.audiences:
            return {"environment": environment or parts[-3], "audience": parts[-2], "canary": canary}
    return {"environment": environment, "audience": None}


def _fetch(source: str, environment: str | None, project: Project) -> tuple[bytes, float | None]:
    """The bytes of one file or one object, and when it was written."""
    from flagctl.stores import open_reader

    if not _URL.match(source) or source.startswith("file:"):
        path = Path(source.removeprefix("file://").removeprefix("file:"))
        try:
            return path.read_bytes(), path.stat().st_mtime
        except OSError as error:
            raise OutsideError(f"{source} can't be read: {error.strerror}") from error
    parts = source.split("/")
    first = -1
    if environment in parts[-3:-1]:  # a key begins with its environment
        first = parts.index(environment, len(parts) - 3) - len(parts)
    found = open_reader("/".join(parts[:first]), project.root).get("/".join(parts[first:]))
    if found is None:
        raise OutsideError(f"there is nothing at {mask(source)}")
    return found.data, found.modified
