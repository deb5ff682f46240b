"""What holds for one piece of work only: previews, forced values, one snapshot throughout.

A scope lives in a context variable, so it is one thread's or one asyncio task's and that of the tasks it starts.
One variable serves all clients: a variable of each client's own would never be freed.
"""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from threading import RLock
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from flagctl.client.held import Held
    from flagctl.evaluate.engine import PreviewClaim

_NOTHING: Mapping[str, Any] = {}


class Scope(msgspec.Struct, frozen=True, eq=False):
    """One `with` block, inside those around it.

    client: whose it is, None for every client. preview: flag key to variant. forced: flag key to the value that is
    answered whatever the snapshot says. held: the snapshot that answers, None for the newest.
    """

    outer: Scope | None
    client: object | None
    preview: Mapping[str, str] = _NOTHING
    forced: Mapping[str, Any] = _NOTHING
    held: Held | None = None


CURRENT: ContextVar[Scope | None] = ContextVar("flagctl_scope", default=None)


EVERYWHERE: list[Mapping[str, Any]] = []
"""What tests force upon all clients and threads, the last one foremost: flag key to value."""


class InForce(msgspec.Struct):
    """What the scopes of a client add up to; the inner ones win."""

    preview: Mapping[str, str] = _NOTHING
    forced: Mapping[str, Any] = _NOTHING
    held: Held | None = None


def in_force(client: object) -> InForce:
    """What holds for a client here and now."""
    found = InForce()
    scope = CURRENT.get()
    while scope is not None:
        if scope.client is None or scope.client is client:
            if scope.preview:
                found.preview = {**scope.preview, **found.preview}
            if scope.forced:
                found.forced = {**scope.forced, **found.forced}
            found.held = found.held or scope.held
        scope = scope.outer
    for values in reversed(EVERYWHERE):
        found.forced = {**values, **found.forced}
    return found


def parse_preview(text: str) -> dict[str, str]:
    """`wishlist-gallery:true,checkout-test:treatment` as flag key to what stands behind the colon.

    What is no pair is left out: the text may come from a stranger's browser.
    """
    pairs = ([half.strip() for half in part.partition(":")] for part in text.split(","))
    return {key: variant for key, _, variant in pairs if key and variant}


class Scoped:
    """What a client offers for one piece of work."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._me = object()  # what scopes know a client by: itself would be kept alive by its own answers
        self._scopes = 0

    @abstractmethod
    def _choose(self) -> None:
        """Choose what answers from now on."""

    @abstractmethod
    def _newest(self) -> Held | None:
        """The snapshot in hand."""

    @contextlib.contextmanager
    def preview(self, flags: str | Mapping[str, str]) -> Iterator[None]:
        """Answer these flags with these variants inside the block: `gallery:true,checkout-test:treatment`.

        Holds for this thread or asyncio task, and for the tasks it starts. Unknown flags and variants change nothing.
        """
        wanted = parse_preview(flags) if isinstance(flags, str) else flags
        chosen = {key: variant for key, text in wanted.items() if (variant := self.known_variant(key, text))}
        with self._scope(lambda outer: Scope(outer, self._me, preview=chosen)):
            yield

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Answer everything inside the block from one snapshot, the one that is newest now."""
        with self._scope(lambda outer: Scope(outer, self._me, held=self._newest())):
            yield

    @contextlib.contextmanager
    def forced(self, values: Mapping[str, Any]) -> Iterator[None]:
        """Answer these flags with these values inside the block, whatever the snapshot says; for tests."""
        with self._scope(lambda outer: Scope(outer, self._me, forced=dict(values))):
            yield

    @property
    def protected(self) -> bool:
        """Whether the environment is a protected one; so is one of which nothing is known."""
        held = self._newest()
        return held is None or held.engine.protected

    @property
    def preview_claim(self) -> PreviewClaim | None:
        """What a token has to say for a preview in a protected environment; None where none is possible."""
        held = self._newest()
        return None if held is None else held.engine.preview

    def knows(self, key: str) -> bool:
        """Whether there is such a flag."""
        held = self._newest()
        return held is not None and held.engine.flag(key) is not None

    def known_variant(self, key: str, text: str) -> str | None:
        """The variant of a flag that a text names (`true` and `false` too, for a boolean flag); None for no such."""
        held = self._newest()
        return None if held is None else held.engine.variant_named(key, text)

    def choose(self) -> None:
        """Look again at what has to answer."""
        with self._lock:
            self._choose()

    @contextlib.contextmanager
    def _scope(self, make: Callable[[Scope | None], Scope]) -> Iterator[None]:
        with self._lock:
            self._scopes += 1
            self._choose()
        token = CURRENT.set(make(CURRENT.get()))
        try:
            yield
        finally:
            CURRENT.reset(token)
            with self._lock:
                self._scopes -= 1
                self._choose()
