"""Which approvals a change needs by its content, and which of them it has."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Literal

import msgspec

from flagctl.model import words
from flagctl.model.policy import Approvals, When
from flagctl.model.repository import EnvironmentSettings, Repository, Settings
from flagctl.plan.change import listed
from flagctl.plan.plan import Approval, EnvironmentPlan, FlagPlan, Plan, Sides, make
from flagctl.plan.touched import held

Members = Callable[[str], Collection[str]]
"""The people of a team: @logins and e-mail addresses, in lower case."""
_REASONS = 3


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """What one person said of a change: the last that counts. people: their @login and e-mail addresses.

    stale: it was said before the last push. undated: nobody knows whether it was.
    """

    people: tuple[str, ...]
    state: Literal["approved", "refused", "other"]
    stale: bool = False
    undated: bool = False


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One approval that is needed in an environment, who has given it, and how many are missing."""

    environment: str
    need: Approval
    given: tuple[str, ...] = ()
    missing: int = 0


def needed(part: EnvironmentPlan, sides: Sides, now: float) -> Iterator[Approval]:
    """The approvals that an environment's part of a plan needs.

    The base's settings and owners count: a change can't let itself through.
    """
    before, after = sides.before.settings, sides.after.settings
    policy = before.environments.get(part.name) or after.environments.get(part.name)
    unread = _unread(sides, part.name)
    if policy is None or not (part.flags or part.segments or unread or _rules_change(before, after, policy)):
        return
    for window in policy.freezes:
        if window.covers(now):
            yield Approval(kind="freeze", count=1, why=window.words)
    if policy.approvals is None:
        return
    asks = policy.approvals
    reasons = list(_reasons(part, asks.when))
    flags = [flag for flag, _ in reasons]
    if _rules_change(before, after, policy):
        yield Approval(count=max(1, asks.required), who=asks.teams, why=f"what settings say of {part.name} changes")
    elif unread or (reasons and asks.required):
        said = [*(f"{path} can't be read" for path in unread), *(f"{flag.key}: {why}" for flag, why in reasons)]
        more = f" and {len(said) - _REASONS} more" if len(said) > _REASONS else ""
        yield Approval(count=max(1, asks.required), who=asks.teams, why="; ".join(said[:_REASONS]) + more)
    if asks.owner:
        owned: dict[str, list[str]] = {}
        for flag in flags:
            old = held(sides.before, part.name).flags.get(flag.key)
            owned.setdefault(flag.owner if old is None else old.owner.team, []).append(flag.key)
        for team, keys in sorted(owned.items()):
            yield Approval(count=1, who=(team,), why=f"{team} owns {listed(keys)}")


def _unread(sides: Sides, name: str) -> list[str]:
    """The files that one side can't read: nobody knows what changes of them."""
    found: list[set[str]] = []
    for side in (held(sides.before, name), held(sides.after, name)):
        flags = {path for key, path in side.flag_files.items() if key not in side.flags}
        found.append(flags | {path for key, path in side.segment_files.items() if key not in side.segments})
    return sorted(found[0] ^ found[1])


def of_change(before: Repository, after: Repository, *, subject: str, now: float) -> Plan:
    """The plan of a change that is about to be made, with the approvals that it needs."""
    return make(
        Sides(before, after),
        now=now,
        base="what is now",
        head=subject,
        approve=lambda part, both: needed(part, both, now),
    )


def _rules_change(before: Settings, after: Settings, policy: EnvironmentSettings) -> bool:
    """Whether what decides over an environment changes: its settings, teams, or how people find their buckets."""
    if (policy.protected or policy.approvals) and policy != after.environments.get(policy.name):
        return policy.name in before.environments
    asks: Approvals | None = policy.approvals
    return asks is not None and (before.teams != after.teams or before.bucketing != after.bucketing)


def _reasons(part: EnvironmentPlan, when: When) -> Iterator[tuple[FlagPlan, str]]:
    for flag in part.flags:
        why = _why(flag, when)
        if why:
            yield flag, why


def _why(flag: FlagPlan, when: When) -> str:
    """Why a flag's change asks for approval; "" where it does not."""
    served = any(change.meaning for change in flag.changes) or bool(flag.impact or flag.coming)
    if not when:
        return (flag.status if flag.status != "touched" else "; ".join(flag.because)) if served else ""
    reach = max(found.reach for found in (flag.impact, *flag.coming)) * 100_000
    everybody = bool(flag.impact.users) and when.rollout_over == 0
    found = [lint.id for lint in flag.lints if lint.id in when.lints]
    if when.rollout_over is not None and (reach > when.rollout_over or everybody):
        return f"over {words.percent(when.rollout_over)} of a group get something else"
    if when.created and flag.status in ("added", "removed"):
        return flag.status
    if served and flag.kind in when.kinds:
        return f"is of kind {flag.kind}"
    if served and (tags := [tag for tag in flag.tags if tag in when.tags]):
        return f"is tagged {listed(tags)}"
    return f"points out {listed(found)}" if found else ""


def people_of(settings: Settings, look_up: Members = lambda handle: ()) -> Members:
    """Who counts for a name in settings: a team's members, those of its handle looked up, or the person named."""

    def members(name: str) -> Collection[str]:
        team = settings.teams.get(name)
        if team is None:
            return {name.lower()} if "@" in name else set()
        found = {member.lower() for member in team.members}
        return found | {person.lower() for person in look_up(team.handle)} if team.handle else found

    return members


def reviewers(settings: Settings, environment: str, owners: Iterable[str]) -> tuple[str, ...]:
    """Who is asked to look at a change, as @login and @org/team: whose approvals count, and the owning teams."""
    policy = settings.environments.get(environment)
    names = [*(policy.approvals.teams if policy is not None and policy.approvals is not None else ()), *owners]
    found: dict[str, None] = {}
    for name in names:
        team = settings.teams.get(name)
        handles = (name,) if team is None else (team.handle,) if team.handle else team.members
        found |= dict.fromkeys(handle for handle in handles if handle.startswith("@"))
    return tuple(found)


def verdicts(
    needs: Iterable[tuple[str, Approval]],
    settings: Settings,
    reviews: Iterable[Review],
    author: Collection[str],
    members: Members,
    overridden: bool = False,
) -> list[Verdict]:
    """Which approvals there are. needs: with their environments; settings: the base's.

    author: the @login and e-mail addresses of whoever made the change. overridden: freezes are overridden.
    """
    mine = {name.lower() for name in author}
    approved = [review for review in reviews if review.state == "approved" and not review.stale]
    found = []
    for environment, need in needs:
        if need.kind == "freeze":
            found.append(Verdict(environment=environment, need=need, missing=0 if overridden else 1))
            continue
        policy = settings.environments.get(environment)
        not_author = policy is None or policy.approvals is None or policy.approvals.not_author
        wanted = None if not need.who else {person for name in need.who for person in members(name)}
        given = []
        for review in approved:
            names = {name.lower() for name in review.people}
            if (wanted is None or names & wanted) and not (not_author and names & mine):
                given.append(review.people[0])
        missing = max(0, need.count - len(given))
        found.append(Verdict(environment=environment, need=need, given=tuple(given), missing=missing))
    return found
