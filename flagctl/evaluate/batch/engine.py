"""The six steps of docs/flags.md for many contexts at once: the readable evaluator's answers, a column at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import polars as pl

from flagctl.errors import UsageError
from flagctl.evaluate.batch.columns import Column, Constant, full, one_of
from flagctl.evaluate.batch.hashing import hashes, limit
from flagctl.evaluate.bucket import BUCKETS, FOREIGN
from flagctl.evaluate.evaluator import PREVIEW, is_static
from flagctl.evaluate.needs import TOO_DEEP, Needs
from flagctl.model.condition import TARGETING_KEY

Attributes = Callable[[str], Column | Constant]
"""A chunk's attributes by name."""


class Said(NamedTuple):
    """An answer that many rows share."""

    variant: str | None
    reason: str
    rule: str | None = None


class Plan:
    """One flag of a snapshot at one time.

    Answers are numbers of `table`, which grows as answers occur, so that a row costs four bytes.
    """

    def __init__(self, snapshot: Mapping[str, Any], key: str, now: float, preview: Mapping[str, str]) -> None:
        self.snapshot = snapshot
        self.key = key
        self.now = now
        self.preview = preview
        self.flag: dict[str, Any] = snapshot["flags"][key]
        self.needs = Needs(snapshot, key)
        self.table: list[Said] = []
        self._numbers: dict[Said, int] = {}

    def number(self, said: Said) -> int:
        """The number of an answer."""
        if said not in self._numbers:
            # Other threads look here too: what is in `_numbers` must be in `table`.
            self.table.append(said)
            self._numbers.setdefault(said, self.table.index(said))
        return self._numbers[said]

    def answer(self, attributes: Attributes, height: int) -> pl.Series:
        """The number of each row's answer. Raises UsageError for a flag with too many behind it."""
        try:
            return _Chunk(self, attributes, height).answer(self.key)
        except RecursionError:
            raise UsageError(f"{self.key} can't be answered: {TOO_DEEP}") from None


class _Draw(NamedTuple):
    """What decides a split. scale: turns an upper bound, in buckets, into one of `numbers`."""

    numbers: pl.Series
    scale: Callable[[int], int]

    def below(self, upper: int) -> pl.Series:
        bound = self.scale(upper)
        # A hash has 32 bits: the whole range ends one above what they can hold.
        return self.numbers.is_not_null() if bound >= 2**32 else (self.numbers < bound).fill_null(False)


class _Chunk:
    def __init__(self, plan: Plan, attributes: Attributes, height: int) -> None:
        self.plan = plan
        self.attributes = attributes
        self.height = height
        self.answers: dict[str, pl.Series] = {}
        self.segments: dict[str, pl.Series] = {}
        self.draws: dict[tuple[str, str], _Draw] = {}

    def answer(self, key: str) -> pl.Series:
        """A flag's answers, worked out once."""
        if key not in self.answers:
            self.answers[key] = self.six_steps(key, self.plan.snapshot["flags"][key])
        return self.answers[key]

    def six_steps(self, key: str, flag: dict[str, Any]) -> pl.Series:
        """The six steps, in their order; what depends on the time alone comes before any row is looked at."""
        now, off = self.plan.now, flag["off_variant"]
        rows = _Rows(self)
        wanted = self.plan.preview.get(key)
        if wanted in flag["variants"]:
            return rows.rest(Said(wanted, "TARGETING_MATCH", PREVIEW))
        enabled, default = flag["enabled"], flag["default"]
        for entry in flag.get("schedule", ()):
            if entry["at"] <= now:
                enabled, default = entry.get("enabled", enabled), entry.get("default", default)
        if not enabled or now >= flag.get("expires_at", now + 1):
            return rows.rest(Said(off, "DISABLED"))

        for requirement in flag.get("requires", ()):
            answers = self.answer(requirement["flag"])
            met = [number for number, said in enumerate(self.plan.table) if said.variant == requirement["variant"]]
            rows.take(~one_of(answers, met), Said(off, "DISABLED"))
        if flag.get("overrides"):
            users = self.attributes(TARGETING_KEY).keys
            for variant in sorted(flag["overrides"]):
                listed = one_of(users, flag["overrides"][variant])
                rows.take(listed.fill_null(False), Said(variant, "TARGETING_MATCH"))
        for rule in flag.get("rules", ()):
            if not rows.any():
                break
            held = self.all_hold(rule["when"], rows.open)
            self.choose(rows, key, flag, rule, held, Said("", "TARGETING_MATCH", rule["name"]))
        if rows.any():
            plainly = "STATIC" if is_static(flag) else "DEFAULT"
            self.choose(rows, key, flag, default, rows.open, Said("", plainly))
            rows.rest(Said(off, plainly))
        return rows.numbers

    def all_hold(self, conditions: Iterable[dict[str, Any]], among: pl.Series) -> pl.Series:
        """AND, for rows in `among`; looks no further when none is left."""
        for condition in conditions:
            if not among.any():
                break
            among = among & self.holds(condition)
        return among

    def holds(self, condition: dict[str, Any]) -> pl.Series:
        """Where one condition holds, and those in it."""
        if "attribute" in condition:
            return self.attributes(condition["attribute"]).test(condition["op"], condition["value"])
        everybody = full(True, self.height)
        if "segment" in condition:
            name = condition["segment"]
            if name not in self.segments:
                self.segments[name] = self.all_hold(self.plan.snapshot["segments"][name]["when"], everybody)
            return self.segments[name]
        if "all" in condition:
            return self.all_hold(condition["all"], everybody)
        if "not" in condition:
            return ~self.holds(condition["not"])
        found = ~everybody
        for member in condition["any"]:
            found = found | self.holds(member)
        return found

    def choose(
        self, rows: _Rows, key: str, flag: dict[str, Any], outcome: dict[str, Any], among: pl.Series, said: Said
    ) -> None:
        """Answer rows in `among`, but for those who stand outside the outcome's experiment."""
        if "serve" in outcome:
            rows.take(among, said._replace(variant=outcome["serve"]))
            return
        if not among.any():
            return
        by = outcome["bucket_by"]
        rows.take(among & self.attributes(by).keys.is_null(), said._replace(variant=flag["off_variant"]))
        among = among & self.admitted(outcome.get("experiment", {}), by)
        draw = self.foreign(flag["foreign_bucketing"], key, by) if "foreign_bucketing" in flag else None
        draw = draw or self.draw(outcome["salt"], by)
        split = outcome.get("split")
        if split is None:
            due = [share for start, share in outcome["ramp"] if start <= self.plan.now]
            split = [[outcome["variant"], due[-1] if due else 0], [outcome["rest"], BUCKETS]]
        for variant, upper in split:
            rows.take(among & draw.below(upper), said._replace(variant=variant, reason="SPLIT"))

    def admitted(self, experiment: dict[str, Any], by: str) -> pl.Series:
        """Who stands in the experiment's slots of its layer, and in its traffic."""
        inside = full(True, self.height)
        if "slots" in experiment:
            draw = self.draw(f"layer:{experiment['layer']}", by)
            first, end = experiment["slots"]
            inside = draw.below(end) & ~draw.below(first)
        if "traffic" in experiment:
            inside = inside & self.draw(f"traffic:{experiment['name']}", by).below(experiment["traffic"])
        return inside

    def draw(self, salt: str, by: str) -> _Draw:
        """The hashes under a salt, worked out once."""
        if (salt, by) not in self.draws:
            keys = self.attributes(by).keys
            self.draws[salt, by] = _Draw(hashes(self.plan.snapshot["bucketing"], salt, keys), limit)
        return self.draws[salt, by]

    def foreign(self, bucketing: Mapping[str, Any], key: str, by: str) -> _Draw:
        """The buckets of another product's algorithm."""
        algorithm = FOREIGN[bucketing["algorithm"]]
        keys = Column(self.attributes(by).keys, "text")
        numbers = keys.map(lambda value: algorithm(bucketing, key, value), pl.UInt32)
        return _Draw(numbers, lambda upper: upper)


class _Rows:
    """Which rows have what answer, and which are still open."""

    def __init__(self, chunk: _Chunk) -> None:
        self.plan = chunk.plan
        self.open = full(True, chunk.height)
        self.numbers = pl.repeat(0, chunk.height, dtype=pl.UInt32, eager=True)

    def any(self) -> bool:
        """Whether some row is open."""
        return bool(self.open.any())

    def take(self, mask: pl.Series, said: Said) -> None:
        """Answer the open rows of a mask."""
        taken = mask & self.open
        self.numbers = self.numbers.set(taken, self.plan.number(said))
        self.open = self.open & ~taken

    def rest(self, said: Said) -> pl.Series:
        """Answer every row that is open."""
        self.take(self.open, said)
        return self.numbers
