"""What whoever keeps a client fresh waits for: somebody who asks, and a source that tells."""

from __future__ import annotations

import contextlib
import os
from typing import Any

_AGAIN, _AT_MOST = 0.25, 15.0


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
        self._failed = 0

    def fileno(self) -> int | None:
        """What is readable when there is something to hear; None where there is no telling. Never raises."""
        begin = self._open
        if begin is None:
            return None
        try:
            if self._watch is None:
                self._watch = begin(self._environment)
                if self._open is None:  # ended meanwhile, by another thread
                    self.close()
                    return None
            descriptor: int = self._watch.fileno()
        except Exception:  # whatever the source does; the next look says what is wrong with it
            self.close()
            self._failed += 1
            return None
        self._failed = 0
        return descriptor

    def just_failed(self) -> bool:
        """Whether listening failed now and not before; a look says what is wrong."""
        return self._failed == 1

    def patience(self) -> float:
        """In how many seconds to listen again where that failed: a look may have succeeded meanwhile."""
        return min(_AGAIN * 2 ** min(self._failed - 1, 8), _AT_MOST) if self._failed else float("inf")

    def heard(self) -> bool:
        """Whether something may have been published since the last call. Never raises."""
        if self._watch is None:
            return False
        try:
            return bool(self._watch.wait(0))
        except Exception:  # the connection broke, so a publish may have been missed
            self.close()
            return True

    def end(self) -> None:
        """Stop listening for good, also where another thread is about to begin."""
        self._open = None
        self.close()

    def close(self) -> None:
        """Stop listening; `fileno` begins anew."""
        watch, self._watch = self._watch, None
        if watch is not None:
            with contextlib.suppress(Exception):
                watch.close()
