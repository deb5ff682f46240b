"""What a client has to tell: events, and the figures behind them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal
from weakref import ref

import msgspec

if TYPE_CHECKING:
    from flagctl.evaluate.engine import Engine

Kind = Literal["ready", "changed", "stale", "error"]


class Event(msgspec.Struct, frozen=True):
    """Something happened to a client's snapshot, in OpenFeature's words for providers.

    ready: there is one, or it is fresh again. changed: another one answers from now on; `keys` are the flags that
    it may answer differently. stale: its source has not confirmed it for longer than a flag allows.
    error: a look at the source failed, or what it gave was refused.
    """

    kind: Kind
    message: str = ""
    keys: tuple[str, ...] = ()
    version: int | None = None


Listener = Callable[[Event], None]


class Figures(msgspec.Struct):
    """Counters of one client since it was opened.

    looks: questions to the source; failures: those that failed; refused: snapshots that were not believed;
    installed: snapshots that took over; cache_failures: times the disk could not keep one;
    listener_failures: listeners that raised.
    """

    looks: int = 0
    failures: int = 0
    refused: int = 0
    installed: int = 0
    cache_failures: int = 0
    listener_failures: int = 0


class Telling:
    """What has listeners."""

    environment: str
    _lock: Any

    def __init__(self, listener: Listener | None) -> None:
        self._listeners: list[Listener] = [] if listener is None else [listener]

    @property
    @abstractmethod
    def figures(self) -> Figures:
        """Counters."""

    def on_event(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with each Event, from the client's thread; gives back what ends that."""
        with self._lock:
            self._listeners = [*self._listeners, listener]

        def end() -> None:
            with self._lock:
                self._listeners = [one for one in self._listeners if one is not listener]

        return end

    def on_change(self, key: str, function: Callable[[str], None]) -> Callable[[], None]:
        """Call `function` with the key when another snapshot may answer that flag differently."""

        def listener(event: Event) -> None:
            if event.kind == "changed" and key in event.keys:
                function(key)

        return self.on_event(listener)

    def tell(self, event: Event) -> None:
        """Tell all listeners, and the log; one that raises is counted and changes nothing for the others."""
        import logging

        log = logging.getLogger(__package__)
        level = logging.WARNING if event.kind in ("error", "stale") else logging.INFO
        log.log(level, "flags of %s: %s: %s", self.environment, event.kind, event.message)
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:
                self.figures.listener_failures += 1
                log.exception("flags of %s: a listener failed", self.environment)


def changed_keys(before: Engine, after: Engine) -> tuple[str, ...]:
    """The flags that may answer differently: those whose own text, or that of what they need, is another.

    Clients that share their engines ask one after the other, and the first one's answer serves all.
    """
    global _last
    old, new, keys = _last
    if old() is not before or new() is not after:
        keys = () if before is after else _changed(before, after)
        _last = ref(before), ref(after), keys
    return keys


_last: tuple[Callable[[], Engine | None], Callable[[], Engine | None], tuple[str, ...]] = lambda: None, lambda: None, ()


def _changed(before: Engine, after: Engine) -> tuple[str, ...]:
    if before.bucketing != after.bucketing or before.attributes != after.attributes:
        return tuple(sorted({*before.keys(), *after.keys()}))
    (old_flags, old_segments), (new_flags, new_segments) = before.raw(), after.raw()
    segments, touched = _differing(old_segments, new_segments), _differing(old_flags, new_flags)
    needs = {key: _needs(raw) for key, raw in new_flags.items()} if segments or touched else {}
    if segments:
        inside = {name: _needs(raw)[1] for name, raw in new_segments.items()}
        _spread(segments, inside)
        touched |= {key for key, (_, used) in needs.items() if used & segments}
    _spread(touched, {key: flags for key, (flags, _) in needs.items()})
    return tuple(sorted(touched))


def _differing(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> set[str]:
    same = {name for name in before.keys() & after.keys() if before[name] == after[name]}
    return (before.keys() | after.keys()) - same


def _spread(touched: set[str], needs: Mapping[str, set[str]]) -> None:
    """Add whoever needs one that is touched, one way or another."""
    grows = True
    while grows:
        more = {name for name, needed in needs.items() if name not in touched and needed & touched}
        touched |= more
        grows = bool(more)


def _needs(raw: bytes) -> tuple[set[str], set[str]]:
    """The flags that a flag requires and the segments it asks for."""
    if b'"requires"' not in raw and b'"segment"' not in raw:
        return set(), set()
    document = msgspec.json.decode(raw)
    flags = {need["flag"] for need in document.get("requires", ())}
    found: set[str] = set()
    waiting: list[Any] = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(value.get("segment"), str):
                found.add(value["segment"])
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return flags, found
