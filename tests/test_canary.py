"""A canary: a few instances first, then everybody or nobody, and versions that only rise for all of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from servers import Place
from snapshots import snapshot as document_of

from flagctl.errors import RefusedError
from flagctl.evaluate.bucket import in_canary
from flagctl.publish import canary
from flagctl.publish.draft import Draft
from flagctl.publish.live import canary_key, live_key
from flagctl.publish.publish import publish
from flagctl.publish.receipt import Receipt, words
from flagctl.signing import PrivateKey, PublicKey, verify

A, B, C = (letter * 40 for letter in "abc")
MINE = PrivateKey.new()
KEYS = [PublicKey(name="k", raw=MINE.public)]
INSTANCES = [f"pod-{number}" for number in range(4000)]


def fate(instance: str) -> tuple[bool, ...]:
    """Whether an instance takes the canaries of the story below."""
    shares = ((B, 10_000), (B, 50_000), (C, 10_000))
    return tuple(in_canary({"share": share, "salt": f"canary:{commit[:12]}"}, instance) for commit, share in shares)


DIFFERENT = list({fate(instance): instance for instance in INSTANCES}.values())
"""One instance of each fate."""


def sign(data: bytes) -> dict[str, str]:
    return MINE.sign(data, "k")


def draft(commit: str, **flags: Any) -> Draft:
    return Draft({**document_of(flags), "commit": commit, "commit_time": "2026-11-24T09:00:00Z"}, sign=sign)


def options(older: bool = False) -> dict[str, Any]:
    newer = {(B, A): False, (A, B): True, (C, A): False, (A, C): True, (C, B): False, (B, C): True}
    return {"is_ancestor": lambda ours, theirs: newer[ours, theirs] or older, "elapsed": lambda: 0.0}


class Reader:
    """A client as ours are: takes the higher version of those that are for it, and never steps back."""

    def __init__(self, store: Any, instance: str) -> None:
        self.store, self.instance, self.version, self.flags = store, instance, 0, {}

    def look(self) -> int:
        live = verify(
            self.store.get(live_key("production")).data, KEYS, environment="production", now=0, held=self.version
        )
        assert live.ok or (live.state == "step-back" and self.version_is_the_canarys), live
        found = self.store.get(canary_key("production"))
        tried = found and verify(found.data, KEYS, environment="production", now=0, canary=True)
        offered = [live.document]
        if tried and tried.ok and in_canary(tried.document["canary"], self.instance):
            offered.append(tried.document)
        best = max(offered, key=lambda document: document["version"])
        assert best["version"] >= self.version, "a step back"
        self.version, self.flags = best["version"], best["flags"]
        self.version_is_the_canarys = "canary" in best
        return self.version

    version_is_the_canarys = False


def test_a_canary_is_tried_by_some_and_versions_only_rise(place: Place) -> None:
    store = place.open()
    publish(draft(A, x=1), store, **options())
    receipt = canary.start(draft(B, x=2), store, 10_000, **options())
    assert (receipt.outcome, receipt.version, receipt.previous_version, receipt.share) == ("canary", 2, 1, 10_000)
    readers = [Reader(store, instance) for instance in DIFFERENT]
    first = [reader.look() for reader in readers]
    assert len(readers) == 6
    assert first.count(2) == 2

    # A larger share of the same commit: nobody leaves, others come.
    assert canary.start(draft(B, x=2), store, 50_000, **options()).version == 3
    second = [reader.look() for reader in readers]
    assert all(now == 3 for before, now in zip(first, second, strict=True) if before == 2)
    assert second.count(3) > first.count(2)

    # Taken back: what was live is live again, under a number above the canary's.
    receipt = canary.abort(store, "production", sign=sign, beside={}, keys=KEYS, now=0, **options())
    assert (receipt.version, receipt.changes.changed) == (4, ())
    assert {reader.look() for reader in readers} == {4}
    assert all(reader.flags == {"x": 1} for reader in readers)

    # Once more, and then everybody's.
    assert canary.start(draft(C, x=3), store, 10_000, **options()).version == 5
    assert {reader.look() for reader in readers} == {4, 5}
    receipt = canary.promote(store, "production", sign=sign, beside={}, keys=KEYS, now=0, **options())
    assert (receipt.version, receipt.commit, receipt.changes.changed) == (6, C, ("x",))
    assert {reader.look() for reader in readers} == {6}
    assert all(reader.flags == {"x": 3} for reader in readers)
    assert "canary" not in json.loads(store.get(live_key("production")).data)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    return Place("file", f"file://{tmp_path}/published").open()


def test_a_regular_publish_ends_a_canary_with_a_number_above_it(store: Any) -> None:
    publish(draft(A, x=1), store, **options())
    canary.start(draft(B, x=2), store, 10_000, **options())
    assert publish(draft(C, x=3), store, **options()).version == 3
    for settle in (canary.promote, canary.abort):
        with pytest.raises(RefusedError, match="version 3, which is live, came after it"):
            settle(store, "production", sign=sign, beside={}, keys=KEYS, now=0, **options())


def test_what_is_no_canary(store: Any) -> None:
    with pytest.raises(RefusedError, match="nothing is live"):
        canary.start(draft(B, x=2), store, 10_000, **options())
    publish(draft(B, x=1), store, **options())
    with pytest.raises(RefusedError, match="says the same already"):
        canary.start(draft(C, x=1), store, 10_000, **options())
    with pytest.raises(RefusedError, match="which is newer than"):
        canary.start(draft(A, x=2), store, 10_000, **options())
    for settle in (canary.promote, canary.abort):
        with pytest.raises(RefusedError, match="there is no canary"):
            settle(store, "production", sign=sign, beside={}, keys=KEYS, now=0, **options())
    assert store.get(canary_key("production")) is None
    receipt = canary.start(draft(C, x=2), store, 10_000, **options(), dry_run=True)
    assert (receipt.outcome, receipt.version) == ("planned", 2)
    assert store.get(canary_key("production")) is None
    assert canary.start(draft(A, x=2), store, 10_000, **options(older=True), allow_older=True).version == 2


def test_what_somebody_else_put_there_is_never_signed(store: Any) -> None:
    publish(draft(A, x=1), store, **options())
    canary.start(draft(B, x=2), store, 10_000, **options())
    for key, settle in ((canary_key("production"), canary.promote), (live_key("production"), canary.abort)):
        sound = store.get(key).data
        store.put(key, sound.replace(b'"x":', b'"y":'))
        with pytest.raises(RefusedError, match="not to be believed: its signature by k does not fit"):
            settle(store, "production", sign=sign, beside={}, keys=KEYS, now=0, **options())
        store.put(key, sound)


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff", b"[]", b'{"version": 9}', b"[" * 100_000])
def test_a_damaged_canary_is_in_nobodys_way(store: Any, damage: bytes) -> None:
    publish(draft(A, x=1), store, **options())
    store.put(canary_key("production"), damage)
    assert publish(draft(B, x=2), store, **options()).version == 2
    assert canary.start(draft(C, x=3), store, 10_000, **options()).version == 3


def test_who_takes_a_canary_is_as_many_as_its_share_says_and_the_salt_draws_them() -> None:
    def taken(share: int, salt: str) -> set[str]:
        return {instance for instance in INSTANCES if in_canary({"share": share, "salt": salt}, instance)}

    small, large, other = taken(10_000, "canary:aa"), taken(50_000, "canary:aa"), taken(10_000, "canary:bb")
    assert small < large
    assert 300 < len(small) < 500
    assert 1900 < len(large) < 2100
    assert len(small & other) < 100
    assert taken(0, "s") == set()
    assert taken(100_000, "s") == set(INSTANCES)
    assert in_canary({"share": 32087, "salt": "canary:aaaaaaaaaaaa"}, "pod-7") is True  # readers elsewhere must agree
    assert in_canary({"share": 32086, "salt": "canary:aaaaaaaaaaaa"}, "pod-7") is False


@pytest.mark.parametrize(
    ("text", "share"),
    [("10%", 10_000), ("10", 10_000), (" 0.5 % ", 500), ("0.5%", 500), ("0.001%", 1), ("0", None), ("100%", None),
     ("-1", None), ("ten", None), ("", None), ("nan", None)],
)  # fmt: skip
def test_a_share_is_a_percentage(text: str, share: int | None) -> None:
    assert canary.share_of(text) == share


def test_the_story_on_the_command_line(repo: Path, flagctl: Callable[..., Any]) -> None:
    assert flagctl("publish", "production").returncode == 0
    assert flagctl("set", "wishlist-edit", "-e", "production", "--off", "-r", "try").returncode == 0
    done = flagctl("publish", "production", "--canary", "10%")
    assert (done.returncode, "version 2, as a canary for 10 % beside version 1" in done.stdout) == (0, True), (
        done.stderr
    )
    done = flagctl("status")
    assert "1 (+ canary 2)" in done.stdout
    assert "canary version 2 for 10 % of the instances" in done.stdout
    done = flagctl("verify", "-e", "production")
    assert (done.returncode, "production as a canary version 2: this is what" in done.stdout) == (0, True), done.stdout
    assert flagctl("publish", "production", "--promote-canary", "-n").returncode == 0
    done = flagctl("publish", "production", "--promote-canary", "--json")
    (receipt,) = json.loads(done.stdout)["receipts"]
    assert (receipt["outcome"], receipt["version"], receipt["flags"]["changed"]) == ("published", 3, ["wishlist-edit"])
    done = flagctl("publish", "production", "--abort-canary")
    assert (done.returncode, "there is no canary" in done.stderr) == (5, True)
    for wrong in (["--canary", "0"], ["--canary", "5%", "--abort-canary"], ["--promote-canary", "--abort-canary"]):
        assert flagctl("publish", "production", *wrong).returncode == 2


def test_a_receipt_says_that_it_is_a_canary(store: Any) -> None:
    publish(draft(A, x=1), store, **options())
    receipt: Receipt = canary.start(draft(B, x=2), store, 500, **options())
    assert words(receipt).splitlines()[0].endswith("published version 2, as a canary for 0.5 % beside version 1")
