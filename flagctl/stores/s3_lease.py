"""One publisher at a time on an S3 service without conditional writes.

Whoever wants to publish writes a ticket and then lists all tickets. Alone, they may go on. Otherwise the oldest waits
and the others withdraw. Two can't both find themselves alone, as each writes before it looks; that needs a service
that lists what was just written. A ticket whose owner died counts for a minute by the service's own clock.
"""

from __future__ import annotations

import os
import random
import secrets
import socket
import time
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flagctl.errors import OutsideError
from flagctl.stores.base import WAITS, LostRaceError, wait_silently

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from types import TracebackType

_LASTS = 60
_PATIENCE = 1.5
"""How often that long one and the same other ticket is waited for: longer than a dead one's counts."""
_LONGEST = 900
"""Seconds that a crowd is waited for."""
_NAME = 100
"""Bytes that are shown of what a ticket says."""
_PAUSE = 0.1
_CROWD = 10


class Lease:
    """A ticket of an environment, held while the context lasts.

    lasts: seconds that a ticket counts; one and the same for all who publish there. waiting: see Store.
    """

    def __init__(
        self,
        client: Any,
        bucket: str,
        folder: str,
        shown: str,
        *,
        lasts: float = _LASTS,
        waiting: Callable[[str, str], None] = wait_silently,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._folder = f"{folder}/.lease/"
        self._key = f"{self._folder}{secrets.token_hex(8)}"
        self._shown = shown
        self._lasts = lasts
        self._waiting = waiting
        self._clock = clock
        self._since = 0.0

    def __enter__(self) -> Lease:
        began = seen = self._clock()
        holder = told = ""
        self._write()
        try:
            while others := self._others():
                now = self._clock()
                if others[0][1] != holder:
                    holder, seen = others[0][1], now
                if now - seen > WAITS and told != holder:
                    told = holder
                    self._tell(*others[0])
                if now - seen > _PATIENCE * self._lasts:
                    raise OutsideError(
                        f"another publisher has held the lease {holder} at {self._shown} for "
                        f"{_PATIENCE * self._lasts:.0f} seconds",
                        hint="wait until it is done; if it died, its lease ends within a minute of its last breath",
                    )
                if now - began > _LONGEST:
                    raise OutsideError(
                        f"others have been publishing to {self._shown} for {_LONGEST // 60} minutes without a gap",
                        hint="publish again when fewer do",
                    )
                if min(others) < self._order:
                    self._remove(self._key)
                    time.sleep(random.uniform(_PAUSE, (3 + 2 * min(len(others), _CROWD)) * _PAUSE))
                    self._write()
                else:
                    time.sleep(_PAUSE)
                    if self._clock() - self._since > self._lasts / 2:
                        self._write()
        except BaseException:
            self._remove(self._key)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove(self._key)

    def check(self) -> None:
        """Raise LostRaceError when the lease may have run out, before it can do harm."""
        if self._clock() - self._since > self._lasts / 2:
            raise LostRaceError(
                f"publishing to {self._shown} took longer than its lease allows; nothing was written",
                hint="publish again",
            )

    def _write(self) -> None:
        self._since = self._clock()
        owner = f"{socket.gethostname()} {os.getpid()}".encode()
        self._client.put_object(Bucket=self._bucket, Key=self._key, Body=owner)

    def _tell(self, since: datetime, key: str) -> None:
        """Who is waited for, as the ticket says."""
        with suppress(self._client.exceptions.ClientError):  # it may have gone meanwhile
            owner = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read(_NAME).decode("utf-8", "replace")
            host, _, process = owner.rpartition(" ")
            ends = since + timedelta(seconds=self._lasts)
            left = max((ends - self._now).total_seconds(), 0)
            self._waiting(
                f"waiting for another publisher, process {process} on {host or 'a host that it did not name'}, which "
                f"holds the lease of {self._shown} since {since:%H:%M:%S} UTC",
                f"this goes on when that is done; if it died, at {ends:%H:%M:%S} UTC, in {left:.0f} seconds, "
                f"or as soon as you remove the object {key} from the bucket {self._bucket}",
            )

    def _others(self) -> list[tuple[Any, str]]:
        """Tickets of others that still count, as (time, key). Notes our own place in their order."""
        from email.utils import parsedate_to_datetime

        answer = self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._folder)
        self._now = now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        tickets = [(entry["LastModified"], entry["Key"]) for entry in answer.get("Contents", ())]
        own = [ticket for ticket in tickets if ticket[1] == self._key]
        if not own:
            # It was taken for a dead one's, or the list lags behind: nothing follows from it.
            self._write()
            return [(now, self._folder + "?")]
        self._order = own[0]
        for when, key in tickets:
            if when < now - timedelta(seconds=self._lasts):
                self._remove(key)
        return sorted(t for t in tickets if t != own[0] and t[0] >= now - timedelta(seconds=self._lasts))

    _order: tuple[Any, str]
    _now: datetime

    def _remove(self, key: str) -> None:
        self._client.delete_object(Bucket=self._bucket, Key=key)
