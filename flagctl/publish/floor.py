"""Where nothing is live: which version readers may hold from before, by what the environment's other targets say.

A place that was emptied would count from 1 again, and readers, who never step back, would wait until it is beyond
the version that they hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from flagctl.errors import FlagctlError
from flagctl.publish.live import read_live
from flagctl.publish.publish import next_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flagctl.stores.base import Store


class Floor(msgspec.Struct, frozen=True):
    """The highest version of other targets, 0 for none, and the URLs of those that could not be asked."""

    version: int = 0
    unasked: tuple[str, ...] = ()


def floor_of(others: Iterable[Store], environment: str, known: Mapping[str, int]) -> Floor:
    """What other targets say.

    known: by URL, versions that were live before this run, which also has published there meanwhile.
    """
    highest, unasked = 0, []
    for store in others:
        if store.url in known:
            highest = max(highest, known[store.url])
            continue
        try:
            live = read_live(store, environment)
            highest = max(highest, next_version(store, environment, live.version if live else 0) - 1)
        except FlagctlError:
            unasked.append(store.url)
    return Floor(highest, tuple(unasked))
