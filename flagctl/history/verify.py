"""Whether every change of a protected environment came as its settings ask: reason, merge, signature."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from flagctl.files.walk import SETTINGS
from flagctl.history.pasts import Models
from flagctl.history.signatures import GOOD, UNKNOWN, states, words
from flagctl.history.touches import Commit
from flagctl.history.travel import Blobs
from flagctl.model.repository import EnvironmentSettings, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flagctl.history.audit import Entry
    from flagctl.history.git import Git


class Breach(msgspec.Struct, frozen=True, kw_only=True):
    """A commit that broke the rules of an environment: which, by what, and what it changed there."""

    commit: Commit
    author: str
    environment: str
    flags: tuple[str, ...]
    broken: tuple[str, ...]


class _Change(msgspec.Struct):
    """One commit's entries in one protected environment."""

    policy: EnvironmentSettings
    entries: list[Entry]


def breaches(git: Git, entries: Iterable[Entry]) -> tuple[int, list[Breach]]:
    """How many changes of protected environments there are, and those that broke a rule, newest first.

    entries: of everything, newest first. A commit is judged by the settings before it, so that no rule is broken
    before it was made, and none is lifted by the commit that breaks it.
    """
    changes = _of_protected(git, list(entries))
    signed = states(git, [change.entries[0].commit.commit for change in changes if change.policy.require_signed])
    found = []
    for change in changes:
        broken = tuple(_broken(change, signed))
        if broken:
            first = change.entries[0]
            found.append(
                Breach(
                    commit=first.commit,
                    author=first.author,
                    environment=change.policy.name,
                    flags=tuple(dict.fromkeys(entry.key for entry in change.entries)),
                    broken=broken,
                )
            )
    return len(changes), found


def _of_protected(git: Git, entries: list[Entry]) -> list[_Change]:
    by_commit: dict[str, list[Entry]] = {}
    for entry in entries:
        by_commit.setdefault(entry.commit.commit, []).append(entry)
    settings: Settings | None = None
    found: list[_Change] = []
    with Blobs(git) as blobs:
        models = Models(blobs)
        for together in reversed(by_commit.values()):
            for policy in settings.environments.values() if settings else ():
                mine = [entry for entry in together if _concerns(entry, policy.name)]
                if policy.protected and mine:
                    found.append(_Change(policy, mine))
            for entry in together:
                if entry.kind == "settings" and entry.row.event != "unreadable":
                    settings = models.get(SETTINGS, entry.row.new).model
    return found[::-1]


def _concerns(entry: Entry, environment: str) -> bool:
    if entry.kind == "settings":
        # whoever lifts the protection has to say why, too
        return any(change.path.startswith(f"environments/{environment}/") for change in entry.changes)
    return entry.environment == environment


def _broken(change: _Change, signed: dict[str, tuple[str, str]]) -> Iterable[str]:
    entry, policy = change.entries[0], change.policy
    commits = {commit.commit: commit for each in change.entries for commit in (each.commit, *each.sides)}
    if not any(commit.reason for commit in commits.values()):
        yield "no reason"
    if policy.require_merge and len(entry.commit.parents) < 2 and not entry.commit.pull:
        yield "came by no merge"
    if policy.require_signed:
        letter, signer = signed.get(entry.commit.commit, UNKNOWN)
        if letter != GOOD:
            yield f"signature {words(letter, signer)}"
