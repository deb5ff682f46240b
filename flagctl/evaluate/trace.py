"""A trace: every step of an evaluation, in words and with the place in the file it comes from."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from flagctl.evaluate.bucket import BUCKETS
from flagctl.evaluate.operators import verdict
from flagctl.model import times
from flagctl.model.condition import OPERATORS
from flagctl.problems import pointer

_LONGEST = 80
_NEEDS = {
    "scalar": "a value of another type",
    "string": "no text",
    "number": "no number",
    "datetime": "no time",
    "semver": "no version",
    "array": "no array",
}


class Place(NamedTuple):
    """Where an evaluation is: in a flag's file or, where `segment` is set, in that segment's."""

    flag: str
    segment: str = ""
    pointer: str = ""
    depth: int = 0

    def at(self, *parts: str | int) -> Place:
        """Further inside, as part of the same step."""
        return self._replace(pointer=self.pointer + pointer(*parts))

    def below(self, *parts: str | int) -> Place:
        """Further inside, as a step of its own under this one."""
        return self.at(*parts)._replace(depth=self.depth + 1)


class Step(msgspec.Struct, frozen=True):
    """One step.

    flag: the key of the flag that was being answered. segment: "" when `pointer` points into the flag's
    file, else the name of the segment into whose file it does. outcome: None where there was nothing to decide.
    """

    flag: str
    segment: str
    pointer: str
    depth: int
    text: str
    outcome: bool | None = None


class Trace:
    """The steps in the order in which they are told: what a step is made of stands below it, one `depth` deeper."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def add(self, place: Place, text: str, outcome: bool | None = None, *, index: int | None = None) -> None:
        """Note a step; `index` puts it before the steps that it is made of."""
        step = Step(place.flag, place.segment, place.pointer, place.depth, text, outcome)
        self.steps.insert(len(self.steps) if index is None else index, step)


def shown(value: Any) -> str:
    """A context's value in words; whatever an application put there, and not all of it."""
    from flagctl.model import words

    try:
        text = words.value(value)
    except Exception:  # a circle, an integer of 5,000 digits, an object whose __str__ fails
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def yes(outcome: bool) -> str:
    """«yes» or «no»."""
    return "yes" if outcome else "no"


def off(flag: dict[str, Any]) -> str:
    """«serves off»."""
    return f"serves {flag['off_variant']}"


def test(condition: dict[str, Any], value: Any, outcome: bool) -> str:
    """«country in [DE, FR] — no: country is US»."""
    from flagctl.model import words

    name, operator = condition["attribute"], condition["op"]
    text = f"{words.test(name, operator, condition['value'])} — {yes(outcome)}"
    if operator == "exists":
        return text
    if value is None:
        return f"{text}: {name} is missing"
    if verdict(operator, value, condition["value"]) is None:
        return f"{text}: {name} is {shown(value)}, {_NEEDS[OPERATORS[operator].on]}"
    return f"{text}: {name} is {shown(value)}"


def no_key(name: str, value: Any) -> str:
    """Why a person can't be bucketed: «account.id is missing», «age is 1.5: only text and integers have a bucket»."""
    if value is None or value == "":
        return f"{name} is {'missing' if value is None else 'empty'}"
    return f"{name} is {shown(value)}: only text and integers have a bucket"


def bucket(number: int, how: str) -> str:
    """«bucket 37,512 of 100,000 under salt "checkout"»."""
    return f"bucket {number:,} of {BUCKETS:,} {how}"


def owner(split: list[list[Any]], number: int) -> str:
    """«treatment owns 25,000–50,000»: the range in which a bucket lies."""
    lower = 0
    for variant, upper in split:
        if number < upper:
            return f"{variant} owns {lower:,}–{upper:,}"
        lower = upper
    return "nobody owns it"


def admission(number: int, salt: str, first: int, end: int) -> str:
    """«bucket 81,200 of 100,000 under salt "layer:checkout" — no: the experiment owns 0–50,000»."""
    inside = yes(first <= number < end)
    return f"{bucket(number, under(salt))} — {inside}: the experiment owns {first:,}–{end:,}"


def under(salt: str) -> str:
    """«under salt "checkout"»."""
    return f'under salt "{salt}"'


def ramp(steps: list[list[int]], due: int) -> str:
    """«step 3 of 21 of the ramp: 11 %, next at …»; `due` counts the steps that have come."""
    from flagctl.model.words import percent

    coming = f", next at {times.text(steps[due][0])}" if due < len(steps) else ""
    if not due:
        return f"the ramp has not begun: 0 %{coming}"
    return f"step {due} of {len(steps)} of the ramp: {percent(steps[due - 1][1])}{coming}"
