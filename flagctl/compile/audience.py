"""A part of an environment's snapshot, for those who must not see everything: browsers, mobile apps.

It holds the flags with one of the audience's tags, what they require, the segments and attributes these use, and
nothing private: whoever asks can read all of it. A private attribute's name may be known, but conditions on it carry
values (the addresses of the staff), and overrides and other conditions may name people. A condition can't be left out
without changing answers, so a flag with such a one is left out, and so is what requires it; `check` says so before.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from flagctl.model.repository import Audience

_METADATA = {
    "owner": ("owner", "owner_email"),
    "description": ("description",),
    "documentation_url": ("documentation_url",),
    "tags": ("tags",),
    "kind": ("kind",),
}
_PERSON = re.compile(r"\w@")
"""In an e-mail address, and not in the domain alone (`ends_with: "@example.com"`)."""


class Private(msgspec.Struct, frozen=True):
    """Something private in a flag, or in a segment (`segment` is "" for the flag itself), at a JSON pointer there."""

    flag: str
    segment: str
    pointer: str
    what: str


def subset(document: Mapping[str, Any], audience: Audience) -> dict[str, Any]:
    """The audience's part of a snapshot; version and commit stay, a signature does not."""
    kept = selected(document, audience) - withheld(document, audience)
    flags = {key: _stripped(document["flags"][key], audience.strip) for key in sorted(kept)}
    segments: dict[str, Any] = {}
    attributes: set[str] = set()
    for flag in flags.values():
        for name, _ in _segments(document, flag):
            segments[name] = document["segments"][name]
        attributes |= {name for _, _, name, _ in _attributes(document, flag)}
    parents = {name[:i] for name in attributes for i, letter in enumerate(name) if letter == "."}
    whole = {name: value for name, value in document.items() if name not in ("signature", "kills")}
    part = {
        **whole,
        "audience": audience.name,
        "attributes": {
            name: document["attributes"][name] for name in attributes | parents if name in document["attributes"]
        },
        "segments": segments,
        "flags": flags,
    }
    kills = {key: until for key, until in document.get("kills", {}).items() if key in flags}
    return part | {"kills": kills} if kills else part


def selected(document: Mapping[str, Any], audience: Audience) -> set[str]:
    """Keys of the flags with one of the audience's tags, and of all that they require."""
    flags = document["flags"]
    waiting = [
        key for key, flag in flags.items() if not set(audience.tags).isdisjoint(flag["metadata"].get("tags", ()))
    ]
    found: set[str] = set()
    while waiting:
        key = waiting.pop()
        if key in flags and key not in found:
            found.add(key)
            waiting += [need["flag"] for need in flags[key].get("requires", ())]
    return found


def withheld(document: Mapping[str, Any], audience: Audience) -> set[str]:
    """Keys of selected flags that are left out: something in them is private, or in what they require."""
    chosen = selected(document, audience)
    out = {found.flag for found in private(document, audience)}
    size = -1
    while size != len(out):
        size = len(out)
        for key in chosen - out:
            if any(need["flag"] in out for need in document["flags"][key].get("requires", ())):
                out.add(key)
    return out


def private(document: Mapping[str, Any], audience: Audience) -> Iterator[Private]:
    """All that is private in the flags of an audience, segments that they use included."""
    for key in sorted(selected(document, audience)):
        flag = document["flags"][key]
        for segment, pointer, name, value in _attributes(document, flag):
            if any(document["attributes"].get(part, {}).get("private") for part in _and_parents(name)):
                yield Private(key, segment, pointer, f"{name} is private")
            elif any(_PERSON.search(text) for text in _texts(value)):
                yield Private(key, segment, pointer, "a condition names a person by e-mail address")
        if "overrides" not in audience.strip:
            for variant, users in flag.get("overrides", {}).items():
                if any("@" in user for user in users):
                    yield Private(key, "", f"/overrides/{variant}", "an override names a person by e-mail address")


def _texts(value: Any) -> Iterator[str]:
    for one in value if isinstance(value, (list, tuple)) else (value,):
        if isinstance(one, str):
            yield one


def _and_parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts))]


def _attributes(document: Mapping[str, Any], flag: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Any]]:
    """(segment or "", pointer, attribute, what it is compared with) of each condition and each bucketing."""
    for place, outcome in _outcomes(flag):
        if "bucket_by" in outcome:
            yield "", f"{place}/bucket_by", outcome["bucket_by"], None
    for i, rule in enumerate(flag.get("rules", ())):
        for place, condition in _conditions(rule["when"], f"/rules/{i}/when"):
            if "attribute" in condition:
                yield "", place, condition["attribute"], condition["value"]
    for name, segment in _segments(document, flag):
        for place, condition in _conditions(segment["when"], "/when"):
            if "attribute" in condition:
                yield name, place, condition["attribute"], condition["value"]


def _outcomes(flag: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "/default", flag["default"]
    for i, rule in enumerate(flag.get("rules", ())):
        yield f"/rules/{i}", rule
    for i, entry in enumerate(flag.get("schedule", ())):
        if "default" in entry:
            yield f"/schedule/{i}/default", entry["default"]


def _segments(document: Mapping[str, Any], flag: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The segments that a flag uses, also through others, each once."""
    waiting = [rule["when"] for rule in flag.get("rules", ())]
    seen: set[str] = set()
    while waiting:
        for _, condition in _conditions(waiting.pop(), ""):
            name = condition.get("segment", "")
            if name in document["segments"] and name not in seen:
                seen.add(name)
                yield name, document["segments"][name]
                waiting.append(document["segments"][name]["when"])


def _conditions(members: Iterable[Mapping[str, Any]], place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every single condition with its pointer, however deep."""
    for i, member in enumerate(members):
        here = f"{place}/{i}"
        while "not" in member:
            member, here = member["not"], f"{here}/not"
        for group in ("any", "all"):
            if group in member:
                yield from _conditions(member[group], f"{here}/{group}")
        yield here, member


def _stripped(flag: dict[str, Any], strip: Iterable[str]) -> dict[str, Any]:
    wanted = set(strip)
    gone = {name for field in wanted for name in _METADATA.get(field, ())}
    found = {**flag, "metadata": {name: value for name, value in flag["metadata"].items() if name not in gone}}
    if "overrides" in wanted:
        found.pop("overrides", None)
    if "experiment" in wanted:
        found["default"] = _without_metadata(flag["default"])
        for field in ("rules", "schedule"):
            if field in flag:
                found[field] = [_deep(entry) for entry in flag[field]]
    return found


def _deep(entry: dict[str, Any]) -> dict[str, Any]:
    inner = {"default": _without_metadata(entry["default"])} if "default" in entry else {}
    return _without_metadata({**entry, **inner})


def _without_metadata(outcome: dict[str, Any]) -> dict[str, Any]:
    if "experiment" not in outcome:
        return outcome
    bare = {name: value for name, value in outcome["experiment"].items() if name != "metadata"}
    return {**outcome, "experiment": bare}
