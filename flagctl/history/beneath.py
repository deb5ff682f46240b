"""One flag's past together with that of the segments and attributes it used: what else changed its answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from flagctl.files.walk import ATTRIBUTES, classify
from flagctl.history.pasts import Models, Row
from flagctl.history.touches import Commit
from flagctl.history.trails import Trails
from flagctl.model.condition import Condition, InSegment, Test, leaves
from flagctl.model.flag import Flag, Segment
from flagctl.plan.change import Change

_Past = list[tuple[Commit, Row]]


class Told(msgspec.Struct, frozen=True):
    """What one commit did to a flag, itself (no cause) or by what it uses."""

    key: str
    environment: str
    version: int
    commit: Commit
    row: Row
    changes: tuple[Change, ...]
    cause: str


class Line:
    """The past of the flag at `path`."""

    def __init__(self, path: str, everything: Sequence[str], models: Models, trails: Trails) -> None:
        self._models = models
        self._environment = classify(path).environment
        self._own = trails.lineage(path)
        self._segments = self._find_segments(trails, everything)
        uses: list[Flag | Segment] = [*self._flags_in(self._own)]
        uses += [segment for past in self._segments.values() for segment in self._segments_in(past)]
        self._attributes = trails.lineage(ATTRIBUTES) if any(_attributes(one) for one in uses) else []

    def commits(self) -> Iterator[Commit]:
        """Every commit of the flag and of what it used."""
        for past in (self._own, *self._segments.values(), self._attributes):
            yield from (commit for commit, _ in past)

    def told(self, order: Mapping[str, int]) -> list[Told]:
        """Everything, newest first; `order` has the place of each commit."""
        names = {"": self._own, **{f"segment {name}": past for name, past in self._segments.items()}}
        names["attributes"] = self._attributes
        rows = [(order[commit.commit], name, commit, row) for name, past in names.items() for commit, row in past]
        # Of one commit the flag comes last: what came with it did not change it.
        rows.sort(key=lambda found: (-found[0], not found[1]))
        found: list[Told] = []
        flag: Flag | None = None
        last = Row(kind="flag", environment=self._environment, key="", path="", event="removed", version=0, old="",
                   new="", old_path="")  # fmt: skip
        segments: dict[str, Segment] = {}
        for _, name, commit, row in rows:
            if not name:
                after = self._after(row, flag)
                flag, last = after if isinstance(after, Flag) else None, row
                found.append(Told(row.key, row.environment, row.version, commit, row, row.changes, ""))
                continue
            used = self._used(flag, segments)
            if name.startswith("segment "):
                after = self._after(row, segments.pop(row.key, None))
                if isinstance(after, Segment):
                    segments[row.key] = after
                used |= self._used(flag, segments)
            changes = tuple(change for change in row.changes if change.meaning and _concerns(change, name, used))
            if flag is not None and changes:
                found.append(Told(last.key, last.environment, last.version, commit, row, changes, name))
        return found[::-1]

    def _after(self, row: Row, before: object) -> object:
        return before if row.event == "unreadable" else self._models.get(row.path, row.new).model

    def _used(self, flag: Flag | None, segments: Mapping[str, Segment]) -> set[str]:
        """«segment X» and «attribute X» of all that the flag uses at a moment."""
        used: set[str] = set()
        waiting: list[Flag | Segment] = [flag] if flag is not None else []
        while waiting:
            one = waiting.pop()
            used |= {f"attribute {name}" for name in _attributes(one)}
            for name in _segments(one):
                if f"segment {name}" not in used:
                    used.add(f"segment {name}")
                    waiting += [segments[name]] if name in segments else []
        return used

    def _find_segments(self, trails: Trails, everything: Sequence[str]) -> dict[str, _Past]:
        folder = f"flags/{self._environment}/segments/"
        places = {classify(path).name: path for path in everything if path.startswith(folder)}
        found: dict[str, _Past] = {}
        waiting = {name for flag in self._flags_in(self._own) for name in _segments(flag)}
        while waiting:
            name = waiting.pop()
            found[name] = trails.lineage(places.get(name, f"{folder}{name}.yaml"))
            waiting |= {other for segment in self._segments_in(found[name]) for other in _segments(segment)}
            waiting -= found.keys()
        return found

    def _flags_in(self, past: _Past) -> Iterator[Flag]:
        return (model for model in self._models_in(past) if isinstance(model, Flag))

    def _segments_in(self, past: _Past) -> Iterator[Segment]:
        return (model for model in self._models_in(past) if isinstance(model, Segment))

    def _models_in(self, past: _Past) -> Iterator[object]:
        return (self._models.get(row.path, row.new).model for _, row in past)


def _concerns(change: Change, name: str, used: set[str]) -> bool:
    if name == "attributes":
        return f"attribute {change.path.split('/')[1]}" in used
    return name in used


def _conditions(of: Flag | Segment) -> Iterable[Condition]:
    if isinstance(of, Segment):
        return of.when
    return (condition for rule in of.rules for condition in rule.when)


def _segments(of: Flag | Segment) -> set[str]:
    return {leaf.segment for leaf in leaves(_conditions(of)) if isinstance(leaf, InSegment)}


def _attributes(of: Flag | Segment) -> set[str]:
    return {leaf.attribute for leaf in leaves(_conditions(of)) if isinstance(leaf, Test)}
