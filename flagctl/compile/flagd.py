"""A snapshot to the flagd flag definition: the same answers in JSONLogic, for flagd and every flagd provider.

A flag is always ENABLED there: a disabled one would give the caller's default, where ours gives `off_variant`.
Segments and required flags are inlined, for flagd can't refer to others. What flagd can't say is left out and told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from json.encoder import encode_basestring
from typing import Any

import msgspec

from flagctl.compile.flagd_conditions import UnsayableError, listed, test
from flagctl.compile.flagd_logic import Logic, both, choose, either, negate, var
from flagctl.compile.flagd_outcomes import disabled, outcome, since
from flagctl.model import times
from flagctl.model.condition import TARGETING_KEY
from flagctl.problems import pointer

SCHEMA = "https://flagd.dev/schema/v0/flags.json"
LARGEST_FLAG = 2 << 20
"""Bytes of one flag: half of what a gRPC message holds."""
DEEPEST = 100
"""Expressions within expressions; Python's engine walks them with two calls each, and stops at 1,000."""
MOST_RULES = 1_500
"""Of one flag; JavaScript's engine can't compile a chain of 2,600 cases."""
GRPC_LIMIT = 4 << 20
"""The largest message that gRPC takes as it is set up from the start: flagd's sync protocol sends whole documents."""


class Unsaid(msgspec.Struct, frozen=True):
    """Why a flag is left out.

    code: the check rule it belongs to. pointer: into the flag's file. message: what is wrong with that place.
    """

    code: str
    flag: str
    pointer: str
    message: str


class Definition(msgspec.Struct, frozen=True):
    """A flagd flag definition, and what is not in it. Parts of the snapshot are part of the document."""

    document: dict[str, Any]
    unsaid: list[Unsaid]


def definition(snapshot: Mapping[str, Any]) -> Definition:
    """The flagd document of a snapshot; `snapshot.encode` makes its bytes."""
    compiled = _Compiler(snapshot).flags
    flags: dict[str, Any] = {}
    unsaid: list[Unsaid] = []
    for key, flag in snapshot["flags"].items():
        logic, missing = compiled[key]
        unsaid += [Unsaid(one.code, key, one.place, str(one)) for one in missing]
        if not missing:
            flags[key] = _flag(flag, logic)
    metadata = {"flagSetId": snapshot["environment"], "version": str(snapshot["version"])}
    for name in ("commit", "commit_time"):
        if snapshot[name] is not None:
            metadata[name] = snapshot[name]
    return Definition({"$schema": SCHEMA, "metadata": metadata, "flags": flags}, unsaid)


def oversize(environment: str, size: int) -> tuple[str, str] | None:
    """What to tell whoever makes a definition of so many bytes, and a hint; None where it fits everywhere."""
    if size <= GRPC_LIMIT:
        return None
    return (
        f"the flagd definition of {environment} has {size:,} bytes, more than a gRPC message holds ({GRPC_LIMIT:,}): "
        "flagd's grpc:// sync will fail",
        "let services read it as a file or over HTTP, or raise that limit on both sides",
    )


def in_order(links: Mapping[str, Iterable[str]]) -> list[str]:
    """The names, each after those that it leads to; in a circle after those that are not in it."""
    found: dict[str, None] = {}
    seen: set[str] = set()
    waiting = list(links)
    while waiting:
        name = waiting[-1]
        if name in seen or name not in links:
            waiting.pop()
            if name in links:
                found[name] = None
        else:
            seen.add(name)
            waiting += [other for other in links[name] if other not in seen]
    return list(found)


def _inlines(flag: Mapping[str, Any]) -> bool:
    """Whether more than what stands in its file becomes part of a flag."""
    return bool(flag.get("requires")) or any(True for rule in flag.get("rules", ()) for _ in _segments_in(rule["when"]))


def _segments_in(conditions: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for condition in conditions:
        if "segment" in condition:
            yield condition["segment"]
        yield from _segments_in(condition.get("any", ()))
        yield from _segments_in(condition.get("all", ()))
        if "not" in condition:
            yield from _segments_in([condition["not"]])


def _flag(flag: Mapping[str, Any], logic: Logic) -> dict[str, Any]:
    document = {
        "state": "ENABLED",
        "variants": flag["variants"],
        "defaultVariant": logic if isinstance(logic, str) else flag["off_variant"],
        "metadata": _metadata(flag),
    }
    if isinstance(logic, dict):
        document["targeting"] = logic
        cases = logic["if"]
        if isinstance(cases[-1], str):
            # null: the engines answer with the default variant, and say that it is the default.
            document |= {"defaultVariant": cases[-1], "targeting": {"if": [*cases[:-1], None]}}
    return document


def _metadata(flag: Mapping[str, Any]) -> dict[str, Any]:
    """Flat, for Python's engine rejects the whole document otherwise. What the set says, its flags need not."""
    said = {name: value for name, value in flag["metadata"].items() if name in ("owner", "kind", "documentation_url")}
    if "version" in flag["metadata"]:
        said["version"] = str(flag["metadata"]["version"])
    said["ttl"] = flag["ttl"]
    if "expires_at" in flag:
        said["expires_at"] = times.text(flag["expires_at"])
    return said


class _Compiler:
    """One snapshot. What is inlined is made once; its parts are shared, and only written out again and again."""

    def __init__(self, snapshot: Mapping[str, Any]) -> None:
        self.snapshot = snapshot
        self.flags: dict[str, tuple[Logic, list[UnsayableError]]] = {}
        self.segments: dict[str, tuple[Logic, list[UnsayableError]]] = {}
        self.sizes: dict[int, tuple[int, int]] = {}
        segments = snapshot["segments"]
        for name in in_order({name: list(_segments_in(segment["when"])) for name, segment in segments.items()}):
            missing: list[UnsayableError] = []
            self.segments[name] = self.all(segments[name]["when"], "", missing), missing
            measure(self.segments[name][0], self.sizes)
        flags = snapshot["flags"]
        for key in in_order({key: [need["flag"] for need in flag.get("requires", ())] for key, flag in flags.items()}):
            missing = []
            logic = self._flag(flags[key], missing)
            if not missing and _inlines(flags[key]):
                missing += self._too_large(logic)
            self.flags[key] = logic, missing

    def _flag(self, flag: Mapping[str, Any], missing: list[UnsayableError]) -> Logic:
        """The six steps of an answer (docs/flags.md) as one chain."""
        off = flag["off_variant"]
        cases = [(either(disabled(flag), self._unmet(flag, missing)), off)]
        for variant in sorted(flag.get("overrides", ())):
            cases.append((listed(var(TARGETING_KEY), flag["overrides"][variant]), variant))
        rules = flag.get("rules", ())
        if len(rules) > MOST_RULES:
            message = f"it has {len(rules):,} rules, and flagd's engine in JavaScript reads up to {MOST_RULES:,}"
            missing.append(UnsayableError("flagd-size", message, "/rules"))
        for index, rule in enumerate(rules):
            when = self.all(rule["when"], pointer("rules", index, "when"), missing)
            takes_part, value = self.outcome(flag, rule, missing, last=False)
            cases.append((both(when, takes_part), value))
        later = [entry for entry in flag.get("schedule", ()) if "default" in entry]
        for entry in reversed(later):
            cases.append((since(entry["at"]), self.outcome(flag, entry["default"], missing, last=True)[1]))
        return choose(cases, self.outcome(flag, flag["default"], missing, last=True)[1])

    def outcome(
        self, flag: Mapping[str, Any], found: Mapping[str, Any], missing: list[UnsayableError], *, last: bool
    ) -> tuple[Logic, Logic]:
        """Who takes part in an outcome and what they get."""
        if "foreign_bucketing" in flag and "serve" not in found:
            message = f"flagd can't bucket by {flag['foreign_bucketing']['algorithm']}"
            if not any(one.code == "flagd-foreign-bucketing" for one in missing):
                missing.append(UnsayableError("flagd-foreign-bucketing", message, "/bucketing"))
            return True, flag["off_variant"]
        declared = self.snapshot["attributes"].get(found.get("bucket_by", ""), {}).get("type", "string")
        return outcome(found, flag["off_variant"], self.snapshot["bucketing"], declared, last=last)

    def _unmet(self, flag: Mapping[str, Any], missing: list[UnsayableError]) -> Logic:
        """Some requirement does not hold."""
        unmet: Logic = False
        for index, need in enumerate(flag.get("requires", ())):
            required, variant = need["flag"], need["variant"]
            if required not in self.snapshot["flags"]:
                return True
            circle = UnsayableError("flagd-requires", "it requires itself")
            logic, lacking = self.flags.get(required, (False, [circle]))
            if lacking:
                root = lacking[0].root or (required, str(lacking[0]))
                first = "" if root[0] == required else f", for {root[0]} can't"
                message = f"{required} can't be said in flagd{first}: {root[1]}"
                missing.append(UnsayableError("flagd-requires", message, pointer("requires", index, "flag"), root))
            unmet = either(unmet, logic != variant if isinstance(logic, str) else {"!==": [logic, variant]})
        return unmet

    def all(self, conditions: list[Any], place: str, missing: list[UnsayableError]) -> Logic:
        """All members of a list of conditions hold."""
        return both(*(self.one(member, f"{place}/{index}", missing) for index, member in enumerate(conditions)))

    def one(self, condition: Mapping[str, Any], place: str, missing: list[UnsayableError]) -> Logic:
        """One condition, and those in it."""
        if "attribute" in condition:
            try:
                return test(condition["attribute"], condition["op"], condition["value"])
            except UnsayableError as error:
                missing.append(UnsayableError(error.code, str(error), f"{place}/{condition['op']}"))
                return False
        if "segment" in condition:
            name = condition["segment"]
            logic, lacking = self.segments.get(name, (False, []))
            for one in lacking[:1]:
                missing.append(UnsayableError(one.code, f"segment {name}: {one}", f"{place}/segment"))
            return logic
        if "any" in condition:
            members = enumerate(condition["any"])
            return either(*(self.one(member, f"{place}/any/{index}", missing) for index, member in members))
        if "all" in condition:
            return self.all(condition["all"], f"{place}/all", missing)
        return negate(self.one(condition["not"], f"{place}/not", missing))

    def _too_large(self, logic: Logic) -> Iterator[UnsayableError]:
        size, depth = measure(logic, self.sizes)
        if size > LARGEST_FLAG:
            message = f"written out for flagd it takes {size:,} bytes, more than {LARGEST_FLAG:,}"
            yield UnsayableError("flagd-size", message)
        elif depth > DEEPEST:
            message = f"written out for flagd it is {depth} expressions deep, more than {DEEPEST}"
            yield UnsayableError("flagd-size", message)


def measure(logic: Logic, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """Bytes and depth of an expression, without writing it out: inlining can make it larger than any memory.

    known: those of what was measured before, by its `id`; it must stay alive meanwhile.
    """
    if not isinstance(logic, (dict, list)):
        return _width(logic), 0
    found = known.get(id(logic))
    if found is not None:
        return found
    size = depth = deepest = 0
    members: Any = logic
    if isinstance(logic, dict):
        ((operator, members),) = logic.items()
        size, depth = len(operator) + 5, 1
    if isinstance(members, list):
        size += 1 + max(len(members), 1)
    else:
        members = (members,)
    for member in members:
        if type(member) is dict or type(member) is list:
            inner, deep = known.get(id(member)) or measure(member, known)
            size += inner
            if deep > deepest:
                deepest = deep
        else:
            size += _width(member)
    found = known[id(logic)] = size, depth + deepest
    return found


def _width(leaf: Any) -> int:
    """Bytes of text, a number, true, false or null."""
    if isinstance(leaf, str):
        return len(encode_basestring(leaf).encode())
    return 4 if leaf is None or leaf is True else 5 if leaf is False else len(repr(leaf))
