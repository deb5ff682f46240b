"""A version for a few instances first: beside the live one, then everybody's, or taken back.

Versions only rise, also for those who took the canary: it takes a number of its own; promoting it publishes its
content under the next one, and so does aborting it with the content that is live. Any regular publish ends it too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import msgspec

from flagctl.compile.snapshot import content, digest
from flagctl.errors import OutsideError, RefusedError
from flagctl.model.flag import WHOLE
from flagctl.publish.draft import Draft, Maker, Sign
from flagctl.publish.live import Live, canary_key, history_key, read_canary, read_live, require_believed
from flagctl.publish.publish import next_version, publish, refuse_older
from flagctl.publish.receipt import Receipt, changes
from flagctl.signing import PublicKey

if TYPE_CHECKING:
    from flagctl.stores.base import Store


class NoCanaryError(RefusedError):
    """There is none that could be promoted or aborted."""


def start(
    draft: Draft,
    store: Store,
    share: int,
    *,
    is_ancestor: Callable[[str, str], bool | None],
    elapsed: Callable[[], float],
    allow_older: bool = False,
    dry_run: bool = False,
) -> Receipt:
    """Put a draft beside what is live, for `share` thousandths of a percent of the instances.

    Raises RefusedError when nothing is live, when the same is, or for an older commit; OutsideError, LostRaceError.
    """
    environment, commit = draft.environment, draft.document["commit"]
    with nullcontext() if dry_run else store.hold(environment):
        live = _live(store, environment)
        if content(live.parts) == draft.parts:
            raise RefusedError(f"{environment} at {store.url} says the same already, so there is nothing to try out")
        if not allow_older:
            refuse_older(commit, live.commit, environment, is_ancestor, store.url)
        # The salt is the commit's: a larger share of one commit only adds instances, another commit draws anew.
        block = {"share": share, "salt": f"canary:{commit[:12]}"}
        tried = Draft({**draft.document, "canary": block}, sign=draft.sign)
        version = next_version(store, environment, live.version)
        document, data = tried.final(version=version)
        if not dry_run:
            found = read_canary(store, environment)
            there = found[1] if found else store.get(canary_key(environment))
            store.swap(canary_key(environment), data, there.token if there else None)
            store.keep(history_key(environment, version, commit), data)
            back = store.get(canary_key(environment))
            if back is None or back.data != data:
                raise OutsideError(f"{store.url} gave back other bytes for the canary than were written")
        return Receipt(
            environment=environment,
            target=store.url,
            outcome="planned" if dry_run else "canary",
            version=version,
            previous_version=live.version,
            commit=document["commit"],
            digest=digest(data),
            bytes=len(data),
            changes=changes(live.flags, tried.flags),
            seconds=elapsed(),
            caution=store.caution,
            signed_by=document.get("signature", {}).get("key"),
            share=share,
        )


def promote(
    store: Store,
    environment: str,
    *,
    sign: Sign | None,
    beside: Mapping[str, Maker],
    keys: Sequence[PublicKey],
    now: float,
    **options: Any,
) -> Receipt:
    """Make the canary's content live, under the next version. Raises RefusedError when there is none to be believed.

    keys: whose signature it must have, so that nobody else's content is signed. options: those of `publish`.
    """
    live = _live(store, environment)
    document, data = _current(store, environment, live)
    require_believed(data, keys, environment=environment, now=now, where=store.url, canary=True)
    del document["canary"]
    draft = Draft(document, sign=sign, beside=beside)
    return publish(draft, store, made_from=live.stored.token, **options)


def abort(
    store: Store,
    environment: str,
    *,
    sign: Sign | None,
    beside: Mapping[str, Maker],
    keys: Sequence[PublicKey],
    now: float,
    **options: Any,
) -> Receipt:
    """Publish what is live once more, above the canary. Raises RefusedError when there is none; otherwise as above."""
    live = _live(store, environment)
    _current(store, environment, live)
    require_believed(live.stored.data, keys, environment=environment, now=now, where=store.url)
    draft = Draft(msgspec.json.decode(live.stored.data), sign=sign, beside=beside)
    return publish(draft, store, made_from=live.stored.token, again=True, **options)


def share_of(text: str) -> int | None:
    """Thousandths of a percent of `10%` or `0.5`; None for what is none above 0 and below 100."""
    try:
        share = float(text.strip().removesuffix("%")) * 1000
    except ValueError:
        return None
    return round(share) if 1 <= share < WHOLE else None


def _live(store: Store, environment: str) -> Live:
    live = read_live(store, environment)
    if live is None:
        raise RefusedError(
            f"nothing is live in {environment} at {store.url}", hint=f"flagctl publish {environment} comes first"
        )
    return live


def _current(store: Store, environment: str, live: Live) -> tuple[dict[str, Any], bytes]:
    """The canary that counts, and its bytes."""
    found = read_canary(store, environment)
    if found is None or found[0]["version"] <= live.version:
        ended = "" if found is None else f": version {live.version}, which is live, came after it"
        raise NoCanaryError(f"there is no canary of {environment} at {store.url}{ended}", hint="publish --canary 10%")
    return found[0], found[1].data
