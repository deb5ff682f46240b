"""The thread that keeps a client's snapshot fresh, and what it waits for."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weakref import ReferenceType

    from flagctl.client.client import Client

_NAME = "flagctl-client"
_GOODBYE = 2.0


class Alarm:
    """Wakes whoever waits on its file descriptor; `ring` may be called from anywhere, a signal handler too."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self.rung = False

    def ring(self) -> None:
        """Wake it; ringing again before it woke costs nothing."""
        if not self.rung:
            self.rung = True
            with contextlib.suppress(OSError):  # full is as good as rung, closed needs nobody
                os.write(self._write, b"!")

    def fileno(self) -> int:
        """Readable when it rang."""
        return self._read

    def silence(self) -> bool:
        """Whether it rang since it was asked last."""
        rung = self.rung
        with contextlib.suppress(OSError):
            os.read(self._read, 64)
        self.rung = False
        return rung

    def close(self) -> None:
        """Let go of the pipe."""
        self.rung = True
        places, self._read, self._write = (self._read, self._write), -1, -1  # another file may get these numbers
        for place in places:
            with contextlib.suppress(OSError):
                os.close(place)


class Ears:
    """Hears of publishes where the source can tell of them; elsewhere hears nothing, and the keeper looks by the clock.

    One object serves one thread.
    """

    def __init__(self, reader: Any, environment: str) -> None:
        self._open = getattr(reader, "watch", None)
        self._environment = environment
        self._watch: Any = None

    def fileno(self) -> int | None:
        """What is readable when there is something to hear; None where there is no telling. Never raises."""
        if self._open is None:
            return None
        try:
            if self._watch is None:
                self._watch = self._open(self._environment)
            descriptor: int = self._watch.fileno()
        except Exception:  # whatever the source does; the next look says what is wrong with it
            self.close()
            return None
        return descriptor

    def heard(self) -> bool:
        """Whether something may have been published since the last call. Never raises."""
        if self._watch is None:
            return False
        try:
            return bool(self._watch.wait(0))
        except Exception:  # the connection broke, so a publish may have been missed
            self.close()
            return True

    def close(self) -> None:
        """Stop listening; `fileno` begins anew."""
        watch, self._watch = self._watch, None
        if watch is not None:
            with contextlib.suppress(Exception):
                watch.close()


class ThreadDriver:
    """One daemon thread for one client. It holds the client only while it works, so that one nobody uses can go."""

    def __init__(self, client: ReferenceType[Client], alarm: Alarm, ears: Ears) -> None:
        self._client = client
        self._alarm = alarm
        self._ears = ears
        self._thread = threading.Thread(target=self._run, name=_NAME, daemon=True)
        self.stopped = False

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; waits a moment for a look that is under way."""
        self.stopped = True
        self._alarm.ring()
        if self._thread is not threading.current_thread() and self._thread.is_alive():
            self._thread.join(_GOODBYE)

    def _run(self) -> None:
        told = asked = False
        try:
            while not self.stopped:
                client = self._client()
                if client is None:
                    return
                seconds = client.tick(told=told, asked=asked)
                del client
                told, asked = self._wait(seconds)
        finally:
            self._ears.close()
            self._alarm.close()

    def _wait(self, seconds: float) -> tuple[bool, bool]:
        """Whether the source told of something, and whether somebody wants it asked."""
        descriptor = self._ears.fileno()
        if descriptor is not None and self._ears.heard():
            return True, False
        places = [self._alarm.fileno(), *([] if descriptor is None else [descriptor])]
        poll = select.poll()  # not select(): it fails for descriptors above 1023
        for place in places:
            poll.register(place, select.POLLIN)
        poll.poll(max(0.0, seconds) * 1000)
        return self._ears.heard(), self._alarm.silence()
