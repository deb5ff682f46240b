"""Flags that passed the self-test, remembered so that what was answered alike is not asked a second time.

A flag is remembered under a digest of everything its answers come from: its own definition with all that it requires,
its flagd definition, and the engine. The code on our side, the making of contexts included, is what the file's mark
stands for. The clock is the one thing left, so a flag is remembered for a stretch of time only; see `stretch`.
"""

from __future__ import annotations

import hashlib
import re
import sys
from typing import TYPE_CHECKING

import msgspec

from flagctl.files.cache import keep, kept

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ENGINE = "openfeature-flagd-core"
"""The distribution of flagd's Python engine."""
FOREVER = 10**10
_ROOMS = ("compile", "evaluate", "model", "publish")
"""The code that compiles and answers on our side, and that asks."""
_SIZE = 16
_NUMBER = re.compile(rb"\d{10,}")
_DIGITS = 10
"""Of a second between 2001 and 2286; the clock has passed all shorter numbers and reaches no longer one."""


class Passed:
    """What passed until now, of one environment. Neither reading nor writing it ever fails aloud.

    path: None remembers nothing. engine: see `engine`; "" remembers nothing either.
    """

    def __init__(self, path: Path | None, engine: str) -> None:
        self._path = path if engine else None
        self._engine = engine.encode()
        self._stretches = _load(self._path) if self._path else {}
        self._new = False

    def digest(self, key: str, source: bytes, part: bytes | msgspec.Raw) -> bytes:
        """What a flag is remembered under.

        source: a digest of its definition and of what that needs. part: its flagd definition.
        """
        seen = hashlib.blake2b(self._engine, digest_size=_SIZE)
        for piece in (key.encode(), source, part):
            seen.update(b"%d:" % len(piece))
            seen.update(piece)
        return seen.digest()

    def knows(self, digest: bytes, now: float) -> bool:
        """Whether that flag passed, and would be asked the same now."""
        start, end = self._stretches.get(digest, (0, 0))
        return start <= now < end

    def add(self, digest: bytes, stretch: tuple[int, int]) -> None:
        """It passed, which says something about this stretch of time."""
        self._stretches[digest] = stretch
        self._new = True

    def save(self, wanted: Iterable[bytes]) -> None:
        """Write what is known of these, if any of it is new; the rest is dropped."""
        if self._path is not None and self._new:
            held = {digest: self._stretches[digest] for digest in wanted if digest in self._stretches}
            keep(self._path, msgspec.msgpack.encode(held), _ROOMS)


def stretch(definitions: Iterable[bytes | msgspec.Raw], now: int) -> tuple[int, int]:
    """The seconds around `now`, from the first to before the last, in which no answer from these definitions changes.

    Both engines know one thing to do with the clock: to compare it with whole seconds, those of an expiry, a schedule
    or a step of a ramp. These stand in the definitions, so the clock says nothing new from one such number to the
    next. A number that is none of these shortens the stretch and does no other harm.
    """
    numbers = {found for definition in definitions for found in _NUMBER.findall(bytes(definition))}
    moments = {int(number) for number in numbers if len(number) == _DIGITS}
    passed = [moment for moment in moments if moment <= now]
    coming = moments.difference(passed)
    return max(passed, default=0), min(coming, default=FOREVER)


def engine() -> str:
    """flagd's Python engine and all it is made of, with versions; "" where that can't be said."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        own = distribution(ENGINE)
        needs = (need for need in own.requires or () if "extra ==" not in need)
        names = [found.group() for need in needs if (found := re.match(r"[\w.-]+", need))]
        parts = [f"{name} {distribution(name).version}" for name in names]
    except PackageNotFoundError:
        return ""
    return ", ".join([f"{ENGINE} {own.version}", *sorted(parts), f"Python {sys.version}"])


def _load(path: Path) -> dict[bytes, tuple[int, int]]:
    body = kept(path, _ROOMS)
    try:
        return {} if body is None else msgspec.msgpack.decode(body, type=dict[bytes, tuple[int, int]])
    except msgspec.MsgspecError:
        return {}
