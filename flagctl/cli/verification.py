"""What one run of `verify` looks at: files, URLs, or everything that settings say is published somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flagctl.cli.commits import Commits
from flagctl.errors import OutsideError, UsageError
from flagctl.model.repository import require_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagctl.model.repository import Settings
    from flagctl.project import Project
    from flagctl.publish.verify import Verified
    from flagctl.stores.base import Store

_FILE = re.compile(r"(?:(?P<base>.*)/)?(?P<environment>[^/]+)/(?:(?P<audience>[^/]+)/)?(?P<name>snapshot|canary)\.json")
_URL = re.compile(r"[a-z0-9+]+:")


def verify_all(project: Project, source: str | None, environment: str | None, *, now: float) -> Iterator[Verified]:
    """Each snapshot at a source, or (None) at the targets of an environment (None: of each).

    source: a file, the URL of a snapshot, or the URL of a target. Raises UsageError, OutsideError.
    """
    from flagctl.publish.keys import believed
    from flagctl.publish.verify import examine
    from flagctl.stores import open_store

    settings, commits = project.settings(), Commits(project)
    if environment is not None:
        require_environment(environment, settings.environments)
    common: dict[str, Any] = {"keys": believed(settings), "audiences": settings.audiences,
                              "rebuild": commits.snapshot, "now": now}  # fmt: skip
    if source is not None and (not _URL.match(source) or source.endswith(".json")):
        data, modified = _fetch(source)
        place = _place(source, environment, settings)
        yield examine(data, source=source, modified=modified, **place, **common)
        return
    names = [environment] if environment else list(settings.environments)
    pairs = [(name, url) for name in names for url in settings.environments[name].targets if source in (None, url)]
    if source is not None and not pairs:
        if environment is None:
            raise UsageError(f"settings do not say of which environment {source} is", hint="-e ENV")
        pairs = [(environment, source)]
    if not pairs:
        raise UsageError("there is no target to verify", hint="flagctl verify URL -e ENV")
    for name, url in pairs:
        yield from _target(open_store(url, project.root), name, settings, common)


def _target(store: Store, environment: str, settings: Settings, common: dict[str, Any]) -> Iterator[Verified]:
    """The live snapshot of an environment, its audiences' parts, and a canary that counts."""
    from flagctl.publish.draft import audience_key
    from flagctl.publish.live import canary_key, live_key, read_canary
    from flagctl.publish.verify import Verified, examine

    found = store.get(live_key(environment))
    if found is None:
        yield Verified(source=store.url, environment=environment, ok=False, signature="damaged",
                       reason="nothing is published")  # fmt: skip
        return
    canary = read_canary(store, environment)
    newest = store.newest(environment, 0)
    held = None if canary is not None and canary[0]["version"] == newest else newest
    live = examine(found.data, source=store.url, environment=environment, audience=None, held=held,
                   modified=found.modified, **common)  # fmt: skip
    yield live
    for audience in settings.audiences:
        part = store.get(f"{environment}/{audience_key(audience)}")
        if part is None:
            yield Verified(source=store.url, environment=environment, audience=audience, ok=False,
                           signature="damaged", reason="it is not published")  # fmt: skip
        else:
            yield examine(part.data, source=store.url, environment=environment, audience=audience, held=live.version,
                          modified=part.modified, **common)  # fmt: skip
    if canary is not None and canary[0]["version"] > (live.version or 0):
        yield examine(canary[1].data, source=f"{store.url} ({canary_key(environment)})", environment=environment,
                      audience=None, canary=True, modified=canary[1].modified, **common)  # fmt: skip


def _place(source: str, environment: str | None, settings: Settings) -> dict[str, Any]:
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


def _fetch(source: str) -> tuple[bytes, float | None]:
    if source.startswith(("http://", "https://")):
        return _download(source)
    path = Path(source.removeprefix("file://").removeprefix("file:"))
    try:
        return path.read_bytes(), path.stat().st_mtime
    except OSError as error:
        raise OutsideError(f"{source} can't be read: {error.strerror}") from error


def _download(url: str) -> tuple[bytes, float | None]:
    from email.utils import parsedate_to_datetime
    from http.client import HTTPException
    from urllib.request import Request, urlopen

    try:
        with urlopen(Request(url, headers={"User-Agent": "flagctl"}), timeout=30) as answer:
            data: bytes = answer.read()
            said = answer.headers.get("Last-Modified")
    except (OSError, ValueError, HTTPException) as error:
        raise OutsideError(f"{url} can't be read: {error}") from error
    try:
        return data, parsedate_to_datetime(said).timestamp() if said else None
    except ValueError:
        return data, None
