"""Being told by Redis that there is a new version, and finding out after a gap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flagctl.stores.redis_client import connect, outside

if TYPE_CHECKING:
    from flagctl.stores.address import Address


class Watch:
    """Tells of publishes of one environment. One object serves one thread.

    It subscribes first and looks into the stream afterwards, so that a publish in between is not missed. When
    the connection breaks, `wait` raises; the next `wait` connects anew and finds what was missed. A channel that did
    not tell of what is in the stream may be cut off without a word, so it is subscribed to anew.
    """

    def __init__(self, address: Address, channel: str, stream: str, after: str) -> None:
        self._address = address
        self._channel = channel
        self._stream = stream
        self._seen = after
        self._client: Any = None
        self._channels: Any = None
        self._behind = False

    def fileno(self) -> int:
        """Readable when `wait` may have something to tell; subscribes when need be. Raises OutsideError as `wait` does.

        Bytes that are already in a buffer do not show: call `wait(0)` once before waiting for it.
        """
        try:
            with outside(self._address, "listen to"):
                if self._channels is None:
                    self._subscribe()
                    self._behind = self._missed()
                # redis-py has no name for it; its own can_read() waits on the same socket.
                return int(self._channels.connection._sock.fileno())
        except BaseException:
            self.close()
            raise

    def wait(self, timeout: float) -> bool:
        """Whether something was published since the last call (since `after`, in the first); waits so many seconds.

        Raises OutsideError when Redis can't be reached.
        """
        try:
            with outside(self._address, "listen to"):
                if self._channels is None:
                    self._subscribe()
                    self._behind = self._missed()
                if self._behind:
                    self._behind = False
                    return True
                message = self._channels.get_message(ignore_subscribe_messages=True, timeout=timeout)
                # Asked also when nothing came: redis-py mends a broken connection without a word.
                missed = self._missed()
                if missed and message is None:
                    self.close()
                return missed
        except BaseException:
            self.close()
            raise

    def _subscribe(self) -> None:
        if self._client is None:
            self._client = connect(self._address)
        self._channels = self._client.pubsub()
        self._channels.subscribe(self._channel)
        if self._channels.get_message(timeout=float(self._address.options.get("timeout", 5))) is None:
            raise TimeoutError("the subscription was not confirmed")

    def _missed(self) -> bool:
        last = self._client.xrevrange(self._stream, count=1)
        newest = last[0][0].decode() if last else ""
        changed = newest != self._seen
        self._seen = newest
        return changed

    def close(self) -> None:
        """Let go of the connection."""
        if self._channels is not None:
            self._channels.close()
            self._channels = None
        if self._client is not None:
            self._client.close()
            self._client = None
