"""A client for asyncio: a task keeps it fresh, and it has no thread of its own.

Questions are the same plain calls as a Client's: they never wait, so there is nothing to await. What does wait,
a look at the source, runs in the event loop's executor, for as long as the look takes.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any

from flagctl.client.client import Client
from flagctl.client.driver import Ears
from flagctl.errors import OutsideError

if TYPE_CHECKING:
    from flagctl.stores.base import Reader


class AsyncClient(Client):
    """A Client that a task keeps fresh; open it with `async with await AsyncClient.open(...)`."""

    _task: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls, source: str | Reader, environment: str, *, wait: float = 5.0, require: bool = False, **options: Any
    ) -> AsyncClient:
        """As Client's; the event loop goes on meanwhile."""
        loop = asyncio.get_running_loop()

        def start() -> AsyncClient:
            return cls(source, environment, wait=0, start=False, **options)

        client = await loop.run_in_executor(None, start)
        first = loop.create_future()
        client._task = loop.create_task(client._keep(first), name="flagctl-client")
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(first), wait)
        except asyncio.CancelledError:  # nobody has the client, so nobody could close it
            client._task.cancel()
            client.close()
            raise
        if require and client.version is None:
            await client.aclose()
            raise OutsideError(
                f"no snapshot of {environment}: {client.error or f'no answer in {wait:g} s'}",
                hint="flagctl status shows what is published; bootstrap= names one to start with",
            )
        return client

    async def aclose(self) -> None:
        """Stop keeping fresh; the last snapshot goes on answering."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _keep(self, first: asyncio.Future[None]) -> None:
        loop = asyncio.get_running_loop()
        ears = Ears(self._keeper.reader, self.environment)
        told = asked = False
        try:
            while True:
                seconds = await loop.run_in_executor(None, partial(self.tick, told=told, asked=asked))
                if not first.done():
                    first.set_result(None)
                descriptor = await loop.run_in_executor(None, ears.fileno)
                if descriptor is None or not ears.heard():
                    await self._until(min(seconds, ears.patience()), descriptor)
                    told, asked = ears.heard(), self._alarm.silence()
                else:
                    told, asked = True, False
        finally:
            ears.end()

    async def _until(self, seconds: float, descriptor: int | None) -> None:
        """Wait so long, or until the source or somebody who asks is heard."""
        loop = asyncio.get_running_loop()
        heard = asyncio.Event()
        places = [self._alarm.fileno(), *([] if descriptor is None else [descriptor])]
        for place in places:
            loop.add_reader(place, heard.set)
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(heard.wait(), max(0.0, seconds))
        finally:
            for place in places:
                loop.remove_reader(place)
