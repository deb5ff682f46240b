"""How often each flag was asked for, by whom, and when last; in bounded memory."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
from mmh3 import mmh3_x64_128_uintdigest

_BITS = 11
_REGISTERS = 1 << _BITS
_REST = 64 - _BITS
_LOW, _WORD = (1 << _REST) - 1, (1 << 64) - 1
_ALPHA = 0.7213 / (1 + 1.079 / _REGISTERS)
Spot = tuple[int, int]
"""A register and a rank."""
MOST_FLAGS = 10_000
"""Flags that are counted one by one; what else is asked for (any text can be) is counted together."""
OTHERS = ""


class Users:
    """About how many different people there were: a HyperLogLog of 2,048 registers, right to about 2.3 %.

    Flajolet, Fusy, Gandouet, Meunier: HyperLogLog, the analysis of a near-optimal cardinality estimation algorithm
    (2007), with the linear counting of its figure 3 for small numbers, over 64 bits of MurmurHash3.
    """

    __slots__ = ("_registers",)

    def __init__(self) -> None:
        self._registers = bytearray(_REGISTERS)

    def add(self, users: Iterable[str | None], spots: dict[str, Spot]) -> None:
        """Some of them; no text and None are nobody. spots: where those of this batch are written down; grows."""
        registers = self._registers
        for user in users:
            if not user:
                continue
            spot = spots.get(user)
            if spot is None:
                number = mmh3_x64_128_uintdigest(user.encode("utf-8", "surrogatepass")) & _WORD
                spot = spots[user] = number >> _REST, _REST - (number & _LOW).bit_length() + 1
            place, rank = spot
            if rank > registers[place]:
                registers[place] = rank

    def merge(self, other: Users) -> None:
        """Those of both."""
        self._registers[:] = bytes(map(max, self._registers, other._registers))

    def count(self) -> int:
        """How many."""
        empty = self._registers.count(0)
        estimate = _ALPHA * _REGISTERS * _REGISTERS / sum(2.0**-rank for rank in self._registers)
        if estimate <= 2.5 * _REGISTERS and empty:
            estimate = _REGISTERS * math.log(_REGISTERS / empty)
        return round(estimate)


class Usage(msgspec.Struct):
    """One flag: how often each (variant, reason), by about whom, and when last (seconds since the epoch)."""

    counts: Counter[tuple[str, str]]
    users: Users
    last: float = 0.0

    def plain(self) -> dict[str, Any]:
        """As JSON has it; the variant is "" where there was none."""
        variants: dict[str, dict[str, int]] = {}
        for (variant, reason), count in sorted(self.counts.items()):
            variants.setdefault(variant, {})[reason] = count
        return {
            "evaluations": self.counts.total(),
            "users": self.users.count(),
            "last": self.last,
            "variants": variants,
        }


class Counts:
    """The usage of every flag."""

    def __init__(self) -> None:
        self.flags: dict[str, Usage] = {}

    def of(self, key: str) -> Usage:
        """That of one flag, to add to."""
        usage = self.flags.get(key)
        if usage is None:
            if len(self.flags) >= MOST_FLAGS:
                key = OTHERS
            usage = self.flags.setdefault(key, Usage(Counter(), Users()))
        return usage
