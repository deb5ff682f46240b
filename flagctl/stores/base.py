"""What every place for snapshots can do, folder or otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from flagctl.errors import RefusedError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class Stored(msgspec.Struct, frozen=True):
    """What lies under a key.

    data: as it was written; a place may keep it compressed.
    token: changes whenever the bytes are replaced by others. size: bytes that the place keeps.
    modified: when it was written by the place's own clock, seconds since the epoch; None where it keeps no time.
    strange: the place keeps it compressed, under a header that `packing.pack` does not write.
    """

    data: bytes
    token: str
    size: int = 0
    modified: float | None = None
    strange: bool = False


UNCHANGED: Final = Stored(b"", "")
"""The answer of `Reader.read_if_changed` when there is nothing new; compare with `is`."""


class Release(msgspec.Struct, frozen=True):
    """One version on its way out.

    data: the new bytes of the live key. beside: keys whose bytes are made from the same version.
    about: version, commit and digest as text, for places that tell readers or keep notes.
    """

    data: bytes
    beside: Mapping[str, bytes] = {}
    about: Mapping[str, str] = {}


WAITS = 2
"""Seconds that a publisher waits for another one in silence."""


def wait_silently(what: str, hint: str) -> None:
    """What `Store.waiting` is unless somebody wants to know."""


class LostRaceError(RefusedError):
    """Somebody else wrote the key since its token was read; nothing was written."""


class Reader(Protocol):
    """Bytes under keys such as `production/snapshot.json`, to be read; a key's first part is its environment.

    A reader sees a key's whole old bytes or its whole new ones. Every method raises OutsideError when
    the place fails.
    """

    url: str
    """Where it is, with nothing secret in it."""

    def get(self, key: str) -> Stored | None:
        """What lies under `key`, None when nothing does."""

    def read_if_changed(self, key: str, token: str) -> Stored | None:
        """As `get`, but UNCHANGED, at less cost, while `key` still holds what `token` was read with."""


class Store(Reader, Protocol):
    """A place that can be published to.

    caution: what a publisher should know about this place, such as that races can't be excluded; may be empty.
    waiting: told, while `hold` waits for another publisher, for whom and until when, and what can be done.
    """

    caution: str
    waiting: Callable[[str, str], None]

    def put(self, key: str, data: bytes) -> None:
        """Write `key`, whatever was there."""

    def swap(self, key: str, data: bytes, token: str | None) -> None:
        """Write `key` if it still holds what `token` was read with (None: nothing), else raise LostRaceError."""

    def release(self, key: str, release: Release, token: str | None) -> None:
        """Swap the live key; what goes beside it is written in the same step where the place can do that.

        Elsewhere only the live key is written, and the caller writes the rest.
        """

    def confirm(self, environment: str) -> None:
        """Raise OutsideError when the place might yet lose what was written of `environment`."""

    def newest(self, environment: str, live: int) -> int:
        """The highest version ever written of `environment`, at least `live`, the one that is live (0: none)."""

    def keep(self, key: str, data: bytes) -> None:
        """Write `key`, a version for the history, unless it is there; does nothing in a place without history."""

    def keys(self, prefix: str) -> list[str]:
        """Every key that starts with `prefix`, sorted."""

    def hold(self, environment: str) -> AbstractContextManager[None]:
        """Keep other publishers of `environment` waiting, where the place can do that; elsewhere `swap` must do."""

    def probe(self) -> None:
        """Raise OutsideError when it is clear already that writing would fail; writes nothing of an environment."""


def history_prefix(environment: str) -> str:
    """Where the history of an environment lies, in places that keep one."""
    return f"{environment}/history/"


def newest_of(keys: Iterable[str], live: int) -> int:
    """The highest version among keys of a history, at least `live`."""
    names = (key.rpartition("/")[2].partition("-")[0] for key in keys)
    return max(live, *(int(name) for name in names if name.isascii() and name.isdigit()), 0)
