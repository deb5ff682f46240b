"""Break glass: one flag off at once in what is live, for a while, without waiting for a merge.

The live snapshot itself is published again with the flag off until a moment (compile/kill.py). Readers follow by the
clock alone; a regular publish, which is made from a commit, ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from flagctl.compile.kill import killed
from flagctl.errors import RefusedError, UsageError
from flagctl.problems import did_you_mean
from flagctl.publish.draft import Draft, Maker, Sign
from flagctl.publish.live import Live, read_live, require_believed
from flagctl.publish.publish import publish
from flagctl.publish.receipt import Receipt
from flagctl.signing import PublicKey
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
    keys: Sequence[PublicKey],
    now: float,
    elapsed: Callable[[], float],
) -> Receipt:
    """Turn a flag off at one target, until a moment (seconds since the epoch); other kills there stay.

    keys: whose signature what is live must have, so that nobody else's content is signed; none: anybody's.
    Raises what `require_live` raises, LostRaceError after many tries.
    """
    for attempt in range(_ATTEMPTS):
        live = require_live(store, environment, key, keys, now)
        try:
            document = killed(msgspec.json.decode(live.stored.data), key, until)
        except (AttributeError, KeyError, TypeError):
            raise RefusedError(f"what is live in {environment} at {store.url} makes no sense") from None
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


def require_live(store: Store, environment: str, key: str, keys: Sequence[PublicKey], now: float) -> Live:
    """What is live, to be believed, and holds the flag.

    Raises RefusedError when nothing is, or something else, UsageError when the flag is not in it.
    """
    live = read_live(store, environment)
    if live is None:
        raise RefusedError(f"nothing is live in {environment} at {store.url}, so nothing can be turned off")
    require_believed(live.stored.data, keys, environment=environment, now=now, where=store.url)
    if key not in live.flags:
        hint = did_you_mean(key, live.flags) or f"flagctl list -e {environment} shows the flags"
        raise UsageError(f'no flag "{key}" is live in {environment} at {store.url}', hint=hint)
    return live
