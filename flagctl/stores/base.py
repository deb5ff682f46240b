"""What every place for snapshots can do, folder or otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from flagctl.errors import RefusedError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class Stored(msgspec.Struct, frozen=True):
    """What lies under a key. `token` changes whenever the bytes are replaced by others."""

    data: bytes
    token: str


class LostRaceError(RefusedError):
    """Somebody else wrote the key since its token was read; nothing was written."""


class Store(Protocol):
    """Bytes under keys such as `production/snapshot.json`; a key's first part is its environment.

    A reader sees a key's whole old bytes or its whole new ones. Every method raises OutsideError when
    the place fails.
    """

    url: str

    def get(self, key: str) -> Stored | None:
        """What lies under `key`, None when nothing does."""

    def put(self, key: str, data: bytes) -> None:
        """Write `key`, whatever was there."""

    def swap(self, key: str, data: bytes, token: str | None) -> None:
        """Write `key` if it still holds what `token` was read with (None: nothing), else raise LostRaceError."""

    def keys(self, prefix: str) -> list[str]:
        """Every key that starts with `prefix`, sorted."""

    def hold(self, environment: str) -> AbstractContextManager[None]:
        """Keep other publishers of `environment` waiting, where the place can do that; elsewhere `swap` must do."""

    def probe(self) -> None:
        """Raise OutsideError when it is clear already that writing would fail; writes nothing."""
