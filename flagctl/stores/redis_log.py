"""Streams in Redis that a service adds to: what was evaluated, and who saw what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flagctl.stores.redis_client import connect, outside

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flagctl.stores.address import Address


class RedisLog:
    """Streams beside an environment's snapshot. One object serves one thread; it connects when it is first needed."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._prefix = str(address.options.get("prefix", "flagctl"))
        self._client: Any = None

    def append(self, environment: str, streams: Mapping[str, Sequence[bytes]], keep: int) -> None:
        """Add entries with one field, `json`, to streams by name: all of them or, when Redis refuses, none.

        keep: about how many entries stay. Raises OutsideError when Redis can't be reached, or refuses.
        """
        with outside(self._address, f"log {environment} to"):
            if self._client is None:
                self._client = connect(self._address)
            lines = self._client.pipeline(transaction=True)
            for name, entries in streams.items():
                for entry in entries:
                    lines.xadd(
                        f"{self._prefix}:{{{environment}}}:{name}", {"json": entry}, maxlen=keep, approximate=True
                    )
            lines.execute()
