"""The small spellings of flag files, percentages, times, durations, variants, to what the model holds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from flagctl.model import times
from flagctl.problems import Problem, pointer

if TYPE_CHECKING:
    from collections.abc import Callable

    from flagctl.files.pieces import Pieces

_LOCAL_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(?:\.[0-9]+)?)?"
_SWITCH = {True: "on", False: "off", "true": "on", "false": "off"}


def time_problem(text: str) -> tuple[str, str]:
    """What is wrong with a text that is no time: message and hint."""
    if local := re.fullmatch(_LOCAL_TIME, text):
        utc = f"{text}Z" if local[1] else f"{text}:00Z"
        return f'the time "{text}" names no zone', f"write {utc} for UTC, or add an offset such as +01:00"
    return f'"{text}" is no time', "write a time such as 2027-03-01T09:00:00Z, or a date"


class Converter:
    """Converts values and collects what is wrong with them.

    boolean: the variants are on and off, which may be spelled true and false. pieces: those of other versions.
    Every method takes the value and the pointer it stands at; for a value with a problem it answers with
    some value of the right type, and the caller drops the whole.
    """

    def __init__(self, path: str, *, boolean: bool, pieces: Pieces | None = None) -> None:
        self.path = path
        self.boolean = boolean
        self.problems: list[Problem] = []
        self._pieces = pieces

    def piece(self, name: str, data: Any, make: Callable[[], Any]) -> Any:
        """`make()`, which converts `data`, or what it made of the same in another version of the file."""
        return make() if self._pieces is None else self._pieces.convert(name, data, self, make)

    def problem(self, rule: str, message: str, where: str, hint: str = "", *, at_key: bool = False) -> None:
        """Note one."""
        found = Problem(rule=rule, message=message, file=self.path, pointer=where, hint=hint, at_key=at_key)
        self.problems.append(found)

    def percent(self, value: float, where: str) -> int:
        """Thousandths of a percent. 12.5 is exactly 12,500: the nearest double to a decimal text says that text."""
        share = round(value * 1000)
        if share / 1000 != value:
            self.problem("percent", f"expected at most three decimals, found {value!r}", where)
        return share

    def time(self, value: str, where: str) -> int:
        """Epoch seconds."""
        epoch = times.seconds(value)
        if epoch is None:
            self.problem("time", *_turned(time_problem(value), where))
            return 0
        return epoch

    def second(self, value: str, where: str) -> int:
        """Epoch seconds of a time to compare with: rounded, it would be another question."""
        epoch = self.time(value, where)
        if times.microseconds(value) not in (None, epoch * 1_000_000):
            hint = f"write {times.text(epoch - 1)} or {times.text(epoch)}"
            self.problem("time", f"expected a whole second, found {value}", where, hint)
        return epoch

    def duration(self, value: str, where: str) -> int:
        """Seconds."""
        found = times.duration(value)
        if found is None:
            self.problem("duration", f'expected a duration longer than nothing, found "{value}"', where)
            return 1
        return found

    def variant(self, value: str | bool, where: str) -> str:
        """A variant's name."""
        if self.boolean:
            return _SWITCH.get(value, value)  # type: ignore[arg-type]
        if isinstance(value, bool):
            name = "true" if value else "false"
            self.problem(
                "quote-it", f"expected a variant's name, found the boolean {name}", where, f'quote it: "{name}"'
            )
            return name
        return value

    def by_variant(self, data: dict[str, Any], where: str) -> dict[str, Any]:
        """A mapping's values by variant."""
        if not self.boolean:
            return data
        found: dict[str, Any] = {}
        for key, value in data.items():
            name = _SWITCH.get(key, key)
            if name in found:
                self.problem("duplicate-key", f'"{key}" means the variant {name}, which stands here already',
                             where + pointer(key), at_key=True)  # fmt: skip
            found[name] = value
        return found


def _turned(words: tuple[str, str], where: str) -> tuple[str, str, str]:
    message, hint = words
    return message, where, hint
