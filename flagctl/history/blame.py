"""Who last changed each line of a flag's meaning: a rule, a condition, a share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from flagctl.history.audit import Entry
from flagctl.model import times, words
from flagctl.model.flag import Flag, Serve
from flagctl.plan.change import shown

if TYPE_CHECKING:
    from flagctl.history.pasts import Models


class Line(msgspec.Struct, frozen=True):
    """One thing that a flag says: its place, in words, and how far it is indented."""

    place: str
    text: str
    depth: int = 0


class Blamed(msgspec.Struct, frozen=True):
    """A line, and the entry that made it what it is."""

    line: Line
    entry: Entry


def blame(entries: list[Entry], models: Models) -> list[Blamed]:
    """Each line of the flag as its newest readable entry left it; `entries`: the flag's own, newest first.

    A line that says the same as before is as old as it was, wherever it stands now. Nothing for a flag that is gone.
    """
    origins: dict[Line, Entry] = {}
    for entry in reversed(entries):
        if entry.row.event == "unreadable" or entry.cause:
            continue
        flag = models.get(entry.row.path, entry.row.new).model
        said = list(lines(flag)) if isinstance(flag, Flag) else []
        origins = {line: origins.get(line, entry) for line in said}
    return [Blamed(line, entry) for line, entry in origins.items()]


def lines(flag: Flag) -> Iterator[Line]:
    """Everything that decides what somebody gets, in the order in which it does."""
    if flag.type != "boolean":
        yield Line("type", f"type {flag.type}")
        for name, value in flag.variants.items():
            yield Line(f"variants/{name}", f"variant {name} = {words.value(value)}")
        yield Line("off_variant", f"off variant {flag.off_variant}")
    yield Line("enabled", f"enabled {'on' if flag.enabled else 'off'}")
    if flag.expires_at is not None:
        yield Line("expires_at", f"expires {times.text(flag.expires_at)}")
    for need in flag.requires:
        yield Line(f"requires/{need.flag}", f"requires {need.flag} = {need.variant}")
    for variant, users in flag.overrides.items():
        for user in users:
            yield Line(f"overrides/{variant}", f"override {variant}: {words.value(user)}")
    for rule in flag.rules:
        yield Line(f"rules/{rule.name}", f"rule {rule.name}")
        for condition in rule.when:
            yield Line(f"rules/{rule.name}/when", words.condition(condition), 1)
        yield Line(f"rules/{rule.name}/outcome", words.outcome(rule.outcome, flag.off_variant), 1)
    outcome = flag.default or Serve(flag.off_variant)
    yield Line("default", f"default {words.outcome(outcome, flag.off_variant)}")
    for entry in sorted(flag.schedule, key=lambda entry: entry.at):
        said = [] if entry.enabled is None else [f"enabled {'on' if entry.enabled else 'off'}"]
        said += [f"default {words.outcome(entry.default, flag.off_variant)}"] if entry.default else []
        yield Line("schedule", f"from {times.text(entry.at)}: {', '.join(said)}")
    if flag.bucketing is not None:
        yield Line("bucketing", f"bucketing {flag.bucketing.algorithm}, salt {shown(flag.bucketing.salt)}")
    for field in ("cache_ttl_seconds", "max_stale_seconds"):
        if (value := getattr(flag, field)) is not None:
            yield Line(field, f"{field} {value}")
    if flag.stale != "serve":
        yield Line("stale", f"stale {flag.stale}")
