"""A snapshot in which a flag is turned off for a while, by the clock alone.

Readers need to know nothing of it: the flag is disabled, and its schedule turns it on again. Made a second time with a
later end it is as if made once, so that `verify` can rebuild what it finds from the commit and `kills`.
"""

from __future__ import annotations

from typing import Any


def killed(document: dict[str, Any], key: str, until: int) -> dict[str, Any]:
    """The document with the flag `key` off before `until` (seconds since the epoch) and then as it would have been.

    A kill that ends later already stands. What the schedule does to `default` meanwhile it still does.
    """
    kills = document.get("kills", {})
    if kills.get(key, 0) >= until:
        return document
    flag = document["flags"][key]
    after = flag["enabled"]
    for entry in flag.get("schedule", ()):
        if entry["at"] <= until:
            after = entry.get("enabled", after)
    schedule = []
    for entry in flag.get("schedule", ()):
        if entry["at"] < until:
            rest = {name: value for name, value in entry.items() if name != "enabled"}
            schedule += [rest] if len(rest) > 1 else []
        elif entry["at"] > until:
            schedule.append(entry)
    at = {name: value for entry in flag.get("schedule", ()) if entry["at"] == until for name, value in entry.items()}
    schedule = sorted([*schedule, {**at, "at": until, "enabled": after}], key=lambda entry: entry["at"])
    turned_off = {**flag, "enabled": False, "schedule": schedule}
    return {**document, "flags": {**document["flags"], key: turned_off}, "kills": {**kills, key: until}}
