"""Every environment at every target: how it stands (`status`), and whether it can be reached (`target list`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagctl.cli.commits import Commits
from flagctl.errors import FlagctlError, UsageError
from flagctl.model.repository import require_environment
from flagctl.stores.masking import named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flagctl.model.repository import Settings, Target
    from flagctl.project import Project
    from flagctl.publish.status import Status


def statuses(project: Project, environment: str | None, *, now: float) -> Iterator[Status]:
    """One after the other, compared with what HEAD would publish."""
    from flagctl.publish.keys import believed
    from flagctl.publish.status import Status, status
    from flagctl.stores import open_store

    settings, commits = project.settings(), Commits(project)
    keys, head = believed(settings), commits.git.resolve("HEAD")
    for name, place in _pairs(settings, environment):
        try:
            store = open_store(place.url, project.root, place.options)
        except FlagctlError as error:
            yield Status(environment=name, target=named(place.url, place.options), error=error.message, hint=error.hint)
            continue
        wanted, _ = commits.snapshot(head, name)
        yield status(store, wanted, keys=keys, behind=commits.since, lost=commits.lost, now=now)


def reached(project: Project, environment: str | None) -> list[tuple[str, str, str, str]]:
    """Environment, URL, and what is wrong with it: an error and a hint, empty when it can be read and written."""
    from flagctl.publish.live import live_key
    from flagctl.stores import open_store

    rows = []
    for name, place in _pairs(project.settings(), environment):
        url = named(place.url, place.options)
        try:
            store = open_store(place.url, project.root, place.options)
            store.get(live_key(name))
            store.probe()
        except FlagctlError as error:
            rows.append((name, url, error.message, error.hint))
        else:
            rows.append((name, url, "", ""))
    return rows


def called(url: str, targets: Iterable[Target]) -> list[Target]:
    """Those of these targets that somebody means by a URL: as settings spell it, or as we show it."""
    return [place for place in targets if url in (place.url, named(place.url, place.options))]


def _pairs(settings: Settings, environment: str | None) -> list[tuple[str, Target]]:
    if environment is not None:
        require_environment(environment, settings.environments)
    names = [environment] if environment else list(settings.environments)
    pairs = [(name, place) for name in names for place in settings.environments[name].targets]
    if not pairs:
        hint = 'write targets: ["file:published"] below an environment in flags/flagctl.yaml'
        raise UsageError(f"{environment or 'no environment'} has {'no' if environment else 'a'} target", hint=hint)
    return pairs
