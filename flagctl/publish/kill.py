"""Break glass: one flag off at once in what is live, for a while, without waiting for a merge.

The live snapshot itself is published again with the flag off until a moment (compile/kill.py). Readers follow by the
clock alone; a regular publish, which is made from a commit, ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from flagctl.compile.kill import killed
from flagctl.errors import RefusedError, UsageError
from flagctl.problems import did_you_mean
from flagctl.publish.draft import Draft, Maker, Sign
from flagctl.publish.live import Live, read_live
from flagctl.publish.publish import publish
from flagctl.publish.receipt import Receipt
from flagctl.stores.base import LostRaceError

if TYPE_CHECKING:
    from flagctl.stores.base import Store

_ATTEMPTS = 10


def kill(
    store: Store,
    environment: str,
    key: str,
    until: int,
    *,
    sign: Sign | None,
    beside: Mapping[str, Maker],
    elapsed: Callable[[], float],
) -> Receipt:
    """Turn a flag off at one target, until a moment (seconds since the epoch); other kills there stay.

    Raises what `require_live` raises, LostRaceError after many tries.
    """
    for attempt in range(_ATTEMPTS):
        live = require_live(store, environment, key)
        document = killed(msgspec.json.decode(live.stored.data), key, until)
        draft = Draft(document, sign=sign, beside=beside)
        try:
            return publish(
                draft, store, is_ancestor=lambda ours, theirs: None, elapsed=elapsed, made_from=live.stored.token,
                allow_older=True,
            )  # fmt: skip
        except LostRaceError:
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("the loop returns or raises")


def require_live(store: Store, environment: str, key: str) -> Live:
    """What is live and holds the flag. Raises RefusedError when nothing is, UsageError when the flag is not in it."""
    live = read_live(store, environment)
    if live is None:
        raise RefusedError(f"nothing is live in {environment} at {store.url}, so nothing can be turned off")
    if key not in live.flags:
        hint = did_you_mean(key, live.flags) or f"flagctl list -e {environment} shows the flags"
        raise UsageError(f'no flag "{key}" is live in {environment} at {store.url}', hint=hint)
    return live
