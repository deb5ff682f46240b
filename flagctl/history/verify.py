"""Whether every change of a protected environment came as its settings ask: reason, merge, approvals, signature.

Git knows what was committed, by which commits it came in, and what their messages say. Who pressed a button at the
forge it does not know, and a message can say anything: only a signature proves who wrote one. What names a pull
request is for the caller to look up.
"""

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

_APPROVED = ("Approved-by", "Reviewed-by", "Acked-by")
"""Trailers by which GitLab's merge commit templates, Gerrit and people say who approved."""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A commit that changed a protected environment, what it changed there, and which rules it broke.

    killed_by: who broke the glass, "" for nobody; named: whether settings let them. elsewhere: the pull request that
    has to bear it out, such as «#12»; "" where Git can tell. asked: the forge was, and approved_by are whom it named.
    """

    commit: Commit
    author: str
    environment: str
    flags: tuple[str, ...]
    broken: tuple[str, ...] = ()
    killed_by: str = ""
    named: bool = False
    elsewhere: str = ""
    asked: bool = False
    approved_by: tuple[str, ...] = ()


class _Change(msgspec.Struct):
    """One commit's entries in one protected environment."""

    policy: EnvironmentSettings
    entries: list[Entry]


def judged(git: Git, entries: Iterable[Entry]) -> list[Judged]:
    """Every change of a protected environment, newest first.

    entries: of everything, newest first. A commit is judged by the settings before it, so that no rule is broken
    before it was made, and none is lifted by the commit that breaks it.
    """
    changes = _of_protected(git, list(entries))
    signed = states(git, [change.entries[0].commit.commit for change in changes if change.policy.require_signed])
    return [_judge(change, signed) for change in changes]


def _judge(change: _Change, signed: dict[str, tuple[str, str]]) -> Judged:
    policy, first = change.policy, change.entries[0]
    commits = list({one.commit: one for entry in change.entries for one in (entry.commit, *entry.sides)}.values())
    killer = next((one for one in commits if one.trailer("Break-Glass")), None)
    # Who says «kill» and does more has broken in.
    kill = killer is not None and all(_turns_off(entry) for entry in change.entries)
    named = kill and killer is not None and killer.email in policy.break_glass
    broken = [] if any(one.reason for one in commits) else ["no reason"]
    elsewhere = ""
    if killer is not None and not kill:
        broken.append("says it is a kill, and does more than turn off")
    elif killer is not None and not named:
        broken.append(f"killed by {killer.email}, whom break_glass does not name")
    if not named:
        wrong, elsewhere = _entrance(policy, first.commit, commits)
        broken += wrong
    if policy.require_signed:
        letter, signer = signed.get(first.commit.commit, UNKNOWN)
        broken += [] if letter == GOOD else [f"signature {words(letter, signer)}"]
    return Judged(
        commit=first.commit,
        author=first.author,
        environment=policy.name,
        flags=tuple(dict.fromkeys(entry.key for entry in change.entries)),
        broken=tuple(broken),
        killed_by=killer.email if killer is not None and kill else "",
        named=named,
        elsewhere=elsewhere,
    )


def _entrance(policy: EnvironmentSettings, landed: Commit, commits: list[Commit]) -> tuple[list[str], str]:
    """What is wrong with how a change came in, and the pull request that has to bear it out."""
    asks = policy.approvals
    needs = max(asks.required, int(asks.owner)) if asks else 0
    if not policy.require_merge and not needs:
        return [], ""
    if len(landed.parents) < 2 and not landed.pull:
        return ["came by no merge" if policy.require_merge else "came by no merge, where approvals are asked for"], ""
    if landed.pull and (needs or len(landed.parents) < 2):
        return [], landed.pull
    if not needs:
        return [], ""
    authors = {one.email.lower() for one in commits if len(one.parents) < 2} or {landed.email.lower()}
    given = dict.fromkeys(value for one in commits for name in _APPROVED for value in one.trailer(name))
    others = [who for who in given if not (asks and asks.not_author and _address(who) in authors)]
    if len(others) >= needs:
        return [], ""
    if not given:
        return ["merged without a pull request, and nobody is said to have approved it"], ""
    return [f"{len(others)} of {needs} approvals: {', '.join(others) or 'only by its author'}"], ""


def _address(who: str) -> str:
    return who.rpartition("<")[2].rstrip(">").strip().lower()


def _turns_off(entry: Entry) -> bool:
    return all(change.path == "enabled" and change.new is False for change in entry.changes)


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
