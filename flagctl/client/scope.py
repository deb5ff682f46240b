"""What holds for one piece of work only: previews, forced values, one snapshot throughout.

A scope lives in a context variable, so it is one thread's or one asyncio task's and that of the tasks it starts.
One variable serves all clients: a variable of each client's own would never be freed.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from flagctl.client.held import Held

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
    return found


def parse_preview(text: str) -> dict[str, str]:
    """`wishlist-gallery:true,checkout-test:treatment` as flag key to what stands behind the colon.

    What is no pair is left out: the text may come from a stranger's browser.
    """
    pairs = (part.strip().partition(":") for part in text.split(","))
    return {key: variant for key, colon, variant in pairs if key and colon and variant}
