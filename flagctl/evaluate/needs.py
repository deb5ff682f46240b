"""What a flag of a snapshot reads of a context, its own and that of every flag and segment behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flagctl.model.condition import TARGETING_KEY

TOO_DEEP = "what it requires goes too deep"


class Needs:
    """attributes: all that are read; tested: those of them that conditions ask for; keys: those that are hashed
    or looked up in `overrides`.

    trouble: why the flag can't be answered: something behind XX
    """

    def __init__(self, snapshot: Mapping[str, Any], key: str) -> None:
        self.tested: set[str] = set()
        self.keys: set[str] = set()
        self.trouble = ""
        self._snapshot = snapshot
        self._seen: dict[tuple[str, str], bool] = {}
        try:
            self._visit("flag", key)
        except RecursionError:
            self.trouble = TOO_DEEP
        self.attributes = self.tested | self.keys

    def _visit(self, kind: str, name: str) -> None:
        """Go through a flag or a segment once; `_seen` says whether that is done."""
        if self._seen.get((kind, name)) is False:
            self.trouble = f'{kind} "{name}" leads back to itself'
        elif (part := self._snapshot[f"{kind}s"].get(name)) is None:
            self.trouble = f'there is no {kind} "{name}"'
        elif (kind, name) not in self._seen:
            self._seen[kind, name] = False
            self._flag(part) if kind == "flag" else self._conditions(part["when"])
            self._seen[kind, name] = True

    def _flag(self, flag: dict[str, Any]) -> None:
        for requirement in flag.get("requires", ()):
            self._visit("flag", requirement["flag"])
        if flag.get("overrides"):
            self.keys.add(TARGETING_KEY)
        for rule in flag.get("rules", ()):
            self._conditions(rule["when"])
        for outcome in outcomes(flag):
            if "serve" not in outcome:
                self.keys.add(outcome["bucket_by"])

    def _conditions(self, conditions: Iterable[dict[str, Any]]) -> None:
        for condition in conditions:
            match condition:
                case {"attribute": name}:
                    self.tested.add(name)
                case {"segment": name}:
                    self._visit("segment", name)
                case {"not": member}:
                    self._conditions([member])
                case {"any": members} | {"all": members}:
                    self._conditions(members)


def outcomes(flag: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Everything a flag may serve by: of its rules, its schedule and its default."""
    scheduled = [entry["default"] for entry in flag.get("schedule", ()) if "default" in entry]
    return [*flag.get("rules", ()), flag["default"], *scheduled]
