"""Publish: make a compiled snapshot the live one of its environment, or say why not (DESIGN 4)."""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import msgspec

from flagctl.compile.snapshot import FORMAT, content, digest, encode
from flagctl.errors import OutsideError, RefusedError
from flagctl.publish.receipt import Outcome, Receipt, changes

if TYPE_CHECKING:
    from collections.abc import Callable

    from flagctl.stores.base import Store

_FAMILY = re.compile(r"flagctl/snapshot/[0-9]+")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_COMMIT_LENGTH = 12


class _Live(msgspec.Struct, frozen=True):
    """What is live, verified."""

    document: dict[str, Any]
    data: bytes
    token: str
    version: int


def live_key(environment: str) -> str:
    """Where readers look."""
    return f"{environment}/snapshot.json"


def history_key(environment: str, version: int, commit: str) -> str:
    """Where a version stays for good."""
    return f"{environment}/history/{version}-{commit[:_COMMIT_LENGTH]}.json"


def publish(
    document: dict[str, Any],
    store: Store,
    *,
    is_ancestor: Callable[[str, str], bool | None],
    elapsed: Callable[[], float],
    allow_older: bool = False,
    dry_run: bool = False,
) -> Receipt:
    """Make `document` live in `store` under the next version, and say what changed.

    document: a compiled snapshot of a commit; its version does not count.
    is_ancestor: (a, b) to whether commit a is b or came before it; None when the history can't tell.
    elapsed: seconds since the publish began.

    Raises RefusedError for a commit older than the live one (unless `allow_older`) and for a live file
    that this must not overwrite, OutsideError when the store fails or gives back other bytes.
    """
    environment = document["environment"]
    with nullcontext() if dry_run else store.hold(environment):
        live = _read_live(store, environment)
        # Bytes are compared, not data: to Python 1, 1.0 and true are equal, to a flag they are not.
        if live is not None and encode(content(live.document)) == encode(content(document)):
            return _receipt("unchanged", store, live, live.document, live.data, elapsed)
        if live is not None and not allow_older:
            _refuse_older(document, live.document.get("commit"), is_ancestor, store.url)
        document = {**document, "version": _next_version(store, document, live.version if live else 0)}
        data = encode(document)
        if dry_run:
            return _receipt("planned", store, live, document, data, elapsed)
        _write(store, document, data, live.token if live else None)
        return _receipt("published", store, live, document, data, elapsed)


def _receipt(
    outcome: Outcome,
    store: Store,
    live: _Live | None,
    document: dict[str, Any],
    data: bytes,
    elapsed: Callable[[], float],
) -> Receipt:
    return Receipt(
        environment=document["environment"],
        target=store.url,
        outcome=outcome,
        version=document["version"],
        previous_version=live.version if live else None,
        commit=document.get("commit"),
        digest=digest(data),
        bytes=len(data),
        changes=changes(live.document["flags"] if live else {}, document["flags"]),
        seconds=elapsed(),
    )


def _write(store: Store, document: dict[str, Any], data: bytes, token: str | None) -> None:
    live = live_key(document["environment"])
    own = history_key(document["environment"], document["version"], document["commit"])
    store.put(own, data)
    store.swap(live, data, token)
    for key in (own, live):
        found = store.get(key)
        if found is None or found.data != data:
            raise OutsideError(
                f"{store.url} gave back other bytes for {key} than were written",
                hint="don't rely on this version: look at the place itself, then publish again",
            )


def _refuse_older(
    document: dict[str, Any], theirs: str | None, is_ancestor: Callable[[str, str], bool | None], target: str
) -> None:
    ours = document["commit"]
    if ours == theirs:
        return
    where = f"{document['environment']} at {target}"
    older = is_ancestor(ours, theirs) if theirs else None
    of = f"commit {theirs[:_COMMIT_LENGTH]}" if theirs else "no commit"
    if older:
        raise RefusedError(
            f"{where} is of {of}, which is newer than {ours[:_COMMIT_LENGTH]}",
            hint="publish a newer commit, or go back on purpose with --allow-older",
        )
    if older is None:
        raise RefusedError(
            f"{where} is of {of}, which this clone can't compare with {ours[:_COMMIT_LENGTH]}",
            hint="fetch the whole history (git fetch --unshallow; in GitHub Actions fetch-depth: 0), "
            "or publish without comparing: --allow-older",
        )


def _next_version(store: Store, document: dict[str, Any], live: int) -> int:
    """One above all that were ever written, so that no reader is ever asked to step back.

    Live and newest differ after somebody removed or restored the live file, and after a publisher died
    between its history file and the live one: publishing the same again finishes that publish.
    """
    environment, commit = document["environment"], document["commit"]
    names = (key.rpartition("/")[2].partition("-")[0] for key in store.keys(f"{environment}/history/"))
    newest = max((int(name) for name in names if name.isascii() and name.isdigit()), default=0)
    if newest > live:
        recorded = store.get(history_key(environment, newest, commit))
        if recorded is not None and recorded.data == encode({**document, "version": newest}):
            return newest
    return max(newest, live) + 1


def _read_live(store: Store, environment: str) -> _Live | None:
    found = store.get(live_key(environment))
    if found is None:
        return None
    where = f"{live_key(environment)} at {store.url}"
    repair = f"put the newest file of {environment}/history/ in its place, or remove it and publish again"
    try:
        document = json.loads(found.data)
    except ValueError as error:
        raise RefusedError(f"{where} is damaged: {error}", hint=repair) from None
    except RecursionError:
        raise RefusedError(f"{where} is damaged: it is nested too deeply", hint=repair) from None
    if not isinstance(document, dict) or not isinstance(document.get("format"), str):
        raise RefusedError(f"{where} is no snapshot", hint=repair)
    if document["format"] != FORMAT:
        newer = _FAMILY.fullmatch(document["format"])
        raise RefusedError(
            f"{where} is in the format {document['format']!r}; this flagctl writes {FORMAT!r}",
            hint="update flagctl; an older one must not take over" if newer else repair,
        )
    if document.get("environment") != environment:
        raise RefusedError(
            f"{where} holds the environment {document.get('environment')!r}, not {environment!r}",
            hint="was it copied there, or is this another repository's target? look at `targets` in flags/flagctl.yaml",
        )
    version, flags, commit = (document.get(key) for key in ("version", "flags", "commit"))
    commit_is_one = commit is None or (isinstance(commit, str) and _COMMIT.fullmatch(commit))
    if type(version) is not int or version < 0 or not isinstance(flags, dict) or not commit_is_one:
        raise RefusedError(f"{where} is damaged: its version, commit or flags make no sense", hint=repair)
    return _Live(document, found.data, found.token, version)
