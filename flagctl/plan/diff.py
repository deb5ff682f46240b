"""Two flags (or segments, or attributes): the changes between them, in the flag's own words.

A change of *meaning* is one that an evaluation could notice: everything but description, owner, kind, tags and
documentation, an experiment's notes, and the order of what has none. One such change or several at once are a version.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from flagctl.model import plain, times, words
from flagctl.model.flag import Flag, Rule, ScheduleEntry, Segment, Serve
from flagctl.model.repository import Attribute, Settings
from flagctl.plan.change import Change, members, moved, same
from flagctl.plan.parts import conditions, outcomes

Changes = tuple[Change, ...]
_Named = TypeVar("_Named", Rule, ScheduleEntry)


def flags(old: Flag | None, new: Flag | None) -> Changes:
    """What became different from `old` to `new`, None being a flag that is not there; () when nothing did."""
    if old is None:
        return (
            () if new is None else (Change(path="", old=None, new=plain.flag(new), words=f"created: {_summary(new)}"),)
        )
    if new is None:
        return (Change(path="", old=plain.flag(old), new=None, words=f"removed, was {_summary(old)}"),)
    found = (
        *_switches(old, new),
        *_needs(old, new),
        *_overrides(old, new),
        *_rules(old, new),
        *_default(old, new),
        *_schedule(old, new),
        *moved("bucketing", "bucketing", _foreign(old), _foreign(new)),
        *_keeping(old, new),
        *_about(old, new),
    )
    if found or old == new or same(old, new):
        return found
    # a note that says null, and one that is not there
    return (Change(path="", old=plain.flag(old), new=plain.flag(new), words="written differently", meaning=False),)


def segments(old: Segment | None, new: Segment | None) -> Changes:
    """The same of a segment."""
    if same(old, new):
        return ()
    if old is None or new is None:
        only = new or old
        assert only is not None
        data = {"when": [plain.condition(member) for member in only.when]}
        said = f"{'removed, was' if new is None else 'created:'} {words.conditions(only.when)}"
        return (Change(path="", old=data if new is None else None, new=None if new is None else data, words=said),)
    return (
        *conditions("when", "", old.when, new.when),
        *moved("description", "description", old.description or None, new.description or None, meaning=False),
        *moved("owner", "owner", old.owner and plain.owner(old.owner), new.owner and plain.owner(new.owner),
               meaning=False),
    )  # fmt: skip


def attributes(old: Mapping[str, Attribute], new: Mapping[str, Attribute]) -> Changes:
    """The same of what `attributes.yaml` declares; a type is meaning, the rest is for people and for `check`."""
    found: list[Change] = []
    for name in dict.fromkeys((*old, *new)):
        before, after = old.get(name), new.get(name)
        label, path = f"attribute {name}", f"attributes/{name}"
        if before is None or after is None:
            found += moved(path, label, before and before.type, after and after.type)
            continue
        found += moved(f"{path}/type", f"{label}: type", before.type, after.type)
        found += moved(f"{path}/items", f"{label}: items", before.items, after.items)
        found += members(f"{path}/values", f"{label}: values", before.values, after.values, meaning=False)
        for field in ("description", "private"):
            pair = getattr(before, field), getattr(after, field)
            found += moved(f"{path}/{field}", f"{label}: {field}", pair[0] or None, pair[1] or None, meaning=False)
    return tuple(found)


def settings(old: Settings | None, new: Settings | None) -> Changes:
    """The same of `flagctl.yaml`; only how people are bucketed is meaning."""
    before, after = (None if of is None else _said(msgspec.to_builtins(of)) for of in (old, new))
    if old is None and new is not None:
        said = f"created: {', '.join(new.environments)}; bucketing {new.bucketing}"
        return (Change(path="", old=None, new=after, words=said),)
    return tuple(_nested("", before or {}, after or {}))


def _said(of: Any, field: str = "") -> Any:
    """Settings without what they leave open, times and percentages as their file has them."""
    if isinstance(of, dict):
        parts = {name: _said(part, name) for name, part in of.items()}
        return {name: part for name, part in parts.items() if part not in (None, "", [], {}) and part is not False}
    if isinstance(of, list | tuple):
        return [_said(part) for part in of]
    if field in ("start", "end", "since", "until") and of is not None:
        return times.text(of)
    return plain.percentage(of) if field == "rollout_over" and of is not None else of


def _nested(path: str, old: Any, new: Any) -> Iterable[Change]:
    some = new if old is None else old
    if isinstance(some, dict):
        if "name" in some and (old is None or new is None):
            said = f"{path} {'added' if old is None else 'removed'}"
            yield Change(path=path, old=old, new=new, words=said, meaning=False)
        for name in dict.fromkeys((*(old or ()), *(new or ()))):
            if name != "name":
                yield from _nested(f"{path}/{name}".lstrip("/"), (old or {}).get(name), (new or {}).get(name))
    elif isinstance(some, list):
        yield from members(path, path, old or [], new or [], meaning=False)
    elif isinstance(some, bool):
        yield from moved(path, path, bool(old), bool(new), meaning=False)
    else:
        yield from moved(path, path, old, new, meaning=path == "bucketing")


def means(changes: Iterable[Change]) -> bool:
    """Whether these changes make a new version."""
    return any(change.meaning for change in changes)


def _summary(flag: Flag) -> str:
    said = words.outcome(flag.default or Serve(flag.off_variant), flag.off_variant)
    if flag.rules:
        said = f"{', '.join(f'rule {rule.name}' for rule in flag.rules)}, then {said}"
    return said if flag.enabled else f"not enabled, {said}"


def _on_off(enabled: bool) -> str:
    return "on" if enabled else "off"


def _switches(old: Flag, new: Flag) -> Iterable[Change]:
    yield from moved("key", "renamed, key", old.key, new.key)
    yield from moved("type", "type", old.type, new.type)
    if old.enabled != new.enabled:
        said = f"enabled {_on_off(old.enabled)} → {_on_off(new.enabled)}"
        yield Change(path="enabled", old=old.enabled, new=new.enabled, words=said)
    if old.expires_at != new.expires_at:
        expiries = [None if at is None else times.text(at) for at in (old.expires_at, new.expires_at)]
        yield from moved("expires_at", "expires_at", *expiries)
    if not same(old.variants, new.variants):
        for name in dict.fromkeys((*old.variants, *new.variants)):
            yield from moved(f"variants/{name}", f"variant {name}", old.variants.get(name), new.variants.get(name))
    yield from moved("off_variant", "off_variant", old.off_variant, new.off_variant)


def _needs(old: Flag, new: Flag) -> Iterable[Change]:
    if same(old.requires, new.requires):
        return
    pairs = [[(need.flag, need.variant) for need in flag.requires] for flag in (old, new)]
    before, after = map(dict, pairs)
    if any(len(dict(of)) < len(of) for of in pairs):
        # one flag required twice: there is no telling which became which
        listed = [[f"{flag} = {variant}" for flag, variant in of] for of in pairs]
        yield from members("requires", "requires", *listed)
        return
    for name in dict.fromkeys((*before, *after)):
        yield from moved(f"requires/{name}", f"requires {name}", before.get(name), after.get(name))
    if before == after and pairs[0] != pairs[1]:
        yield Change(path="requires", old=list(before), new=list(after), words="requires re-ordered", meaning=False)


def _overrides(old: Flag, new: Flag) -> Iterable[Change]:
    if same(old.overrides, new.overrides):
        return
    for variant in dict.fromkeys((*old.overrides, *new.overrides)):
        before, after = old.overrides.get(variant), new.overrides.get(variant)
        if not before and not after and before != after:
            said = f"overrides {variant} {'left out' if after is None else 'written, empty'}"
            yield Change(path=f"overrides/{variant}", old=before, new=after, words=said, meaning=False)
        yield from members(f"overrides/{variant}", f"overrides {variant}", before or (), after or ())


def _by_name(of: Iterable[_Named], name: str) -> dict[tuple[Any, int], _Named]:
    """Members by name (or time) and a count that tells those of one name apart."""
    seen: Counter[Any] = Counter()
    found = {}
    for one in of:
        called = getattr(one, name)
        found[called, seen[called]] = one
        seen[called] += 1
    return found


def _rules(old: Flag, new: Flag) -> Iterable[Change]:
    if same(old.rules, new.rules):
        return
    before, after = _by_name(old.rules, "name"), _by_name(new.rules, "name")
    gone = {at: rule for at, rule in before.items() if at not in after}
    for at, rule in after.items():
        path, label = f"rules/{rule.name}", f"rule {rule.name}"
        was = before.get(at) or _renamed(rule, gone)
        if was is None:
            said = f"{label} added{_ahead_of(at, list(after))}: {_rule(rule, new)}"
            yield Change(path=path, old=None, new=plain.rule(rule), words=said)
            continue
        if was.name != rule.name:
            before = {at if one is was else key: one for key, one in before.items()}
            said = f"rule {was.name} renamed to {rule.name}"
            yield Change(path=f"{path}/name", old=was.name, new=rule.name, words=said)
        yield from conditions(f"{path}/when", f"{label}: ", was.when, rule.when)
        yield from outcomes(path, f"{label}: ", was.outcome, rule.outcome, old.off_variant, new.off_variant)
        yield from moved(f"{path}/description", f"{label}: description", was.description or None,
                         rule.description or None, meaning=False)  # fmt: skip
        yield from moved(f"{path}/promote", f"{label}: promote", was.promote, rule.promote, meaning=False)
    for rule in gone.values():
        said = f"rule {rule.name} removed, was {_rule(rule, old)}"
        yield Change(path=f"rules/{rule.name}", old=plain.rule(rule), new=None, words=said)
    yield from _order([at for at in before if at in after], [at for at in after if at in before])


def _renamed(rule: Rule, gone: dict[tuple[Any, int], Rule]) -> Rule | None:
    for at, other in gone.items():
        if same((other.when, other.outcome), (rule.when, rule.outcome)):
            return gone.pop(at)
    return None


def _rule(rule: Rule, flag: Flag) -> str:
    return f"{words.conditions(rule.when)}: {words.outcome(rule.outcome, flag.off_variant)}"


def _ahead_of(at: tuple[Any, int], order: Sequence[tuple[Any, int]]) -> str:
    place = order.index(at) + 1
    return f" before {order[place][0]}" if place < len(order) else ""


def _order(old: Sequence[tuple[Any, int]], new: Sequence[tuple[Any, int]]) -> Iterable[Change]:
    """Rules that moved past others: as few as tell the whole story."""
    if old == new:
        return
    stayed = _longest_run([old.index(at) for at in new])
    parts = [
        f"rule {at[0]} moved{_ahead_of(at, new) or ' to the end'}" for at in new if old.index(at) not in stayed
    ]  # fmt: skip
    said = "; ".join(parts)
    yield Change(path="rules", old=[at[0] for at in old], new=[at[0] for at in new], words=said)


def _longest_run(places: Sequence[int]) -> set[int]:
    """A longest increasing subsequence: what may be taken to have stayed."""
    best: list[list[int]] = []
    for place in places:
        before = max((run for run in best if run[-1] < place), key=len, default=[])
        best.append([*before, place])
    longest = max(map(len, best), default=0)
    return set(min((run for run in best if len(run) == longest), default=[]))


def _default(old: Flag, new: Flag) -> Iterable[Change]:
    before, after = old.default or Serve(old.off_variant), new.default or Serve(new.off_variant)
    if same(before, after) and not same(old.default, new.default):
        said = f"default serve {new.off_variant} {'left out' if new.default is None else 'written out'}"
        data = [of.default and plain.outcome(of.default) for of in (old, new)]
        yield Change(path="default", old=data[0], new=data[1], words=said, meaning=False)
    yield from outcomes("default", "", before, after, old.off_variant, new.off_variant)


def _schedule(old: Flag, new: Flag) -> Iterable[Change]:
    if same(old.schedule, new.schedule):
        return
    before, after = _by_name(old.schedule, "at"), _by_name(new.schedule, "at")
    for place, (at, entry) in enumerate(after.items()):
        path, label = f"schedule/{place}", f"from {times.text(entry.at)}:"
        was = before.get(at)
        if was is None:
            said = f"{label} {_entry(entry, new)} scheduled"
            yield Change(path=path, old=None, new=plain.entry(entry), words=said)
            continue
        switches = [None if of.enabled is None else _on_off(of.enabled) for of in (was, entry)]
        for change in moved(f"{path}/enabled", f"{label} enabled", *switches):
            yield Change(path=change.path, old=was.enabled, new=entry.enabled, words=change.words)
        yield from outcomes(f"{path}/default", f"{label} ", was.default, entry.default, old.off_variant,
                            new.off_variant)  # fmt: skip
    for place, (at, entry) in enumerate(before.items()):
        if at not in after:
            said = f"from {times.text(entry.at)}: {_entry(entry, old)} no longer scheduled"
            yield Change(path=f"schedule/{place}", old=plain.entry(entry), new=None, words=said)
    orders = [[times.text(at[0]) for at in of if at in before and at in after] for of in (before, after)]
    if orders[0] != orders[1]:
        yield Change(path="schedule", old=orders[0], new=orders[1], words="schedule re-ordered", meaning=False)


def _entry(entry: ScheduleEntry, flag: Flag) -> str:
    said = [] if entry.enabled is None else [f"enabled {_on_off(entry.enabled)}"]
    if entry.default is not None:
        said.append(f"default {words.outcome(entry.default, flag.off_variant)}")
    return ", ".join(said) or "nothing"


def _foreign(flag: Flag) -> Any:
    return None if flag.bucketing is None else plain.bucketing(flag.bucketing)


def _keeping(old: Flag, new: Flag) -> Iterable[Change]:
    for field in ("cache_ttl_seconds", "max_stale_seconds", "stale"):
        yield from moved(field, field, getattr(old, field), getattr(new, field))


def _about(old: Flag, new: Flag) -> Iterable[Change]:
    yield from moved("description", "description", old.description, new.description, meaning=False)
    for field in ("team", "email"):
        pair = getattr(old.owner, field) or None, getattr(new.owner, field) or None
        yield from moved(f"owner/{field}", "owner" if field == "team" else "owner's e-mail", *pair, meaning=False)
    yield from moved("kind", "kind", old.kind, new.kind, meaning=False)
    yield from members("tags", "tags", old.tags, new.tags, meaning=False)
    links = old.documentation_url or None, new.documentation_url or None
    yield from moved("documentation_url", "documentation_url", *links, meaning=False)
