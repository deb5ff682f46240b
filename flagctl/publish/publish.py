"""Publish: make a compiled snapshot the live one of its environment, or say why not.

The swap of the live key decides: who loses it has written nothing. What stands beside it (the flagd definition,
subsets) and its entry in the history follow, and the next publish writes them should this one die before.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from flagctl.compile.snapshot import content, digest
from flagctl.errors import OutsideError, RefusedError
from flagctl.publish.draft import Draft
from flagctl.publish.live import Live, history_key, live_key, read_canary, read_live
from flagctl.publish.receipt import Receipt, changes
from flagctl.stores.base import LostRaceError, Release

if TYPE_CHECKING:
    from collections.abc import Callable

    from flagctl.publish.floor import Floor
    from flagctl.stores.base import Store, Stored

_COMMIT_LENGTH = 12
_STEPS = 6
_ATTEMPTS = 20
"""How often a key beside the live one is tried again while other publishers write it."""


def publish(
    draft: Draft,
    store: Store,
    *,
    is_ancestor: Callable[[str, str], bool | None],
    elapsed: Callable[[], float],
    allow_older: bool = False,
    dry_run: bool = False,
    made_from: str | None = None,
    again: bool = False,
    floor: Callable[[], Floor] | None = None,
    above: int = -1,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Receipt:
    """Make a draft live in `store` under the next version, and say what changed.

    is_ancestor: (a, b) to whether commit a is b or came before it; None when the history can't tell.
    elapsed: seconds since the publish began.
    made_from: the token of the live snapshot that the draft was made from; with another one live the race is lost.
    again: under a new version also when the same is live already.
    floor: asked where nothing is live; the next version is above what it says.
    above: a version that the next one has to be above in any case; what is live and not above it is published again.
    report: told of each step, as (done, in all).

    Raises RefusedError for a commit older than the live one (unless `allow_older`) and for a live file
    that this must not overwrite, LostRaceError when somebody else was faster, OutsideError when the store
    fails or gives back other bytes.
    """
    environment, commit = draft.environment, draft.document["commit"]
    with nullcontext() if dry_run else store.hold(environment):
        live = read_live(store, environment)
        report(1, _STEPS)
        if made_from is not None and (live is None or live.stored.token != made_from):
            raise LostRaceError(f"{environment} at {store.url} was published to meanwhile", hint="run it again")
        same = live is not None and _says_the_same(live, draft)
        if live is not None and same and live.version > above and not again and _related(commit, live, is_ancestor):
            return _complete(live, draft, store, elapsed, dry_run)
        if live is not None and not allow_older:
            refuse_older(commit, live.commit, environment, is_ancestor, store.url, same=same)
        before = live.version if live else 0
        elsewhere = floor() if floor is not None and live is None else None
        lowest = max(above, elsewhere.version if elsewhere else 0) + 1
        version = max(next_version(store, environment, before), lowest)
        document, data = draft.final(version=version)
        report(2, _STEPS)
        if dry_run:
            return _receipt("planned", store, live, draft, document, data, elapsed, elsewhere=elsewhere)
        beside = draft.companions(document, data)
        report(3, _STEPS)
        about = {"version": str(version), "commit": commit or "", "digest": digest(data)}
        if live is not None:
            # Its publisher may have died before it came to this.
            store.keep(history_key(environment, before, live.commit), live.stored.data)
        stored = _release(store, environment, Release(data, beside, about), live.stored.token if live else None)
        report(4, _STEPS)
        _follow(store, environment, data, beside)
        report(5, _STEPS)
        _keep(store, history_key(environment, version, commit), data)
        store.confirm(environment)
        return _receipt(
            "published", store, live, draft, document, data, elapsed,
            stored=stored, wrote=tuple(beside), elsewhere=elsewhere,
        )  # fmt: skip


def next_version(store: Store, environment: str, live: int) -> int:
    """Above all that were ever written, a canary included: Redis keeps no history of these."""
    canary = read_canary(store, environment)
    return max(store.newest(environment, live), canary[0]["version"] if canary else 0) + 1


def _says_the_same(live: Live, draft: Draft) -> bool:
    # Bytes are compared, not data: to Python 1, 1.0 and true are equal, to a flag they are not.
    if content(live.parts) != draft.parts:
        return False
    return draft.sign is None or draft.final(**live.about())[1] == live.stored.data


def _related(ours: str, live: Live, is_ancestor: Callable[[str, str], bool | None]) -> bool:
    """Whether one of our commit and the live one has the other in its history: else nobody could verify it."""
    theirs = live.commit
    return theirs is not None and (ours == theirs or bool(is_ancestor(theirs, ours) or is_ancestor(ours, theirs)))


def _complete(live: Live, draft: Draft, store: Store, elapsed: Callable[[], float], dry_run: bool) -> Receipt:
    """What is live stays; what its publisher did not come to is written."""
    data = live.stored.data
    document, _ = draft.final(**live.about())
    beside = draft.companions(document, data)
    missing = [key for key, wanted in beside.items() if (found := store.get(key)) is None or found.data != wanted]
    if not dry_run:
        _follow(store, draft.environment, data, {key: beside[key] for key in missing})
        _keep(store, history_key(draft.environment, live.version, live.commit), data)
        store.confirm(draft.environment)
    outcome: Any = "completed" if missing else "unchanged"
    return _receipt(outcome, store, live, draft, document, data, elapsed, stored=live.stored, wrote=tuple(missing))


def _release(store: Store, environment: str, release: Release, token: str | None) -> Stored:
    """Swap the live key and read it back, which alone decides: an answer that got lost may have been a yes."""
    key = live_key(environment)
    failure: OutsideError | LostRaceError | None = None
    try:
        store.release(key, release, token)
    except (OutsideError, LostRaceError) as error:
        failure = error
    try:
        found = store.get(key)
    except OutsideError as error:
        raise failure or OutsideError(
            f"{store.url} took version {release.about['version']} of {environment}, but it can't be read back: "
            f"{error.message}",
            hint="publish again; when it is live this is seen, and nothing is written twice",
        ) from error
    if found is not None and found.data == release.data:
        return found
    if failure is None:
        live = read_live(store, environment)
        if live is not None and live.version > int(release.about["version"]):
            return live.stored  # it was live, and somebody went on from it
        raise OutsideError(
            f"{store.url} gave back other bytes for {key} than were written",
            hint="don't rely on this version: look at the place itself, then publish again",
        )
    raise failure


def _follow(store: Store, environment: str, data: bytes, beside: dict[str, bytes]) -> None:
    """Write and read back what stands beside the live snapshot, while it is the live one.

    The key's token is read before the live snapshot is. So a newer version's publisher, who writes these keys
    after the live one, either is seen here or makes the swap fail.
    """
    for key, wanted in beside.items():
        for _ in range(_ATTEMPTS):
            found = store.get(key)
            if found is not None and found.data == wanted:
                break
            live = store.get(live_key(environment))
            if live is None or live.data != data:
                return  # a newer version is live, and its publisher writes the rest
            try:
                store.swap(key, wanted, found.token if found else None)
            except LostRaceError:
                continue
        else:
            raise OutsideError(
                f"{store.url} doesn't keep {key} as it is written; the snapshot itself is live",
                hint="look whether something else writes there, then publish again",
            )


def _keep(store: Store, key: str, data: bytes) -> None:
    try:
        store.keep(key, data)
    except OutsideError as error:
        raise OutsideError(
            f"the snapshot is live, but not yet in the history: {error.message}",
            hint="publish again: only what is missing is written",
        ) from error


def _receipt(
    outcome: Any,
    store: Store,
    live: Live | None,
    draft: Draft,
    document: dict[str, Any],
    data: bytes,
    elapsed: Callable[[], float],
    *,
    stored: Stored | None = None,
    wrote: tuple[str, ...] = (),
    elsewhere: Floor | None = None,
) -> Receipt:
    return Receipt(
        environment=draft.environment,
        target=store.url,
        outcome=outcome,
        version=document["version"],
        previous_version=live.version if live else None,
        commit=document.get("commit"),
        digest=digest(data),
        bytes=len(data),
        stored_bytes=stored.size if stored else None,
        beside=tuple(key.partition("/")[2] for key in wrote),
        changes=changes(live.flags if live else {}, draft.flags),
        caution=store.caution,
        floor=elsewhere.version if elsewhere else 0,
        unasked=elsewhere.unasked if elsewhere else (),
        signed_by=document.get("signature", {}).get("key"),
        seconds=elapsed(),
    )


def refuse_older(
    ours: str,
    theirs: str | None,
    environment: str,
    is_ancestor: Callable[[str, str], bool | None],
    target: str,
    *,
    same: bool = False,
) -> None:
    """Raise RefusedError unless our commit has the live one in its history. same: both say the same."""
    if ours == theirs:
        return
    where, mine = f"{environment} at {target}", ours[:_COMMIT_LENGTH]
    if theirs is None:
        raise RefusedError(
            f"{where} is of no commit, so {mine} may be older", hint="publish without comparing: --allow-older"
        )
    older, newer = is_ancestor(ours, theirs), is_ancestor(theirs, ours)
    where += f" is of commit {theirs[:_COMMIT_LENGTH]}"
    alike = "; both say the same, but what is live can't be verified from this history" if same else ""
    if older:
        raise RefusedError(
            f"{where}, which is newer than {mine}",
            hint="publish a newer commit, or go back on purpose with --allow-older",
        )
    if older is None or newer is None:
        raise RefusedError(
            f"{where}, which this clone doesn't have, so it can't be compared with {mine}{alike}",
            hint="fetch the whole history (git fetch --unshallow; in GitHub Actions fetch-depth: 0); if the branch was "
            "rewritten (git push --force) and that commit is gone for good, publish without comparing: --allow-older",
        )
    if not newer:
        raise RefusedError(
            f"{where}, which is not in the history of {mine}: the branch was rewritten (git push --force), "
            f"or this is another branch{alike}",
            hint=f"--allow-older publishes the same as of {mine}"
            if same
            else "merge what is live into what you publish, or replace it on purpose with --allow-older",
        )
