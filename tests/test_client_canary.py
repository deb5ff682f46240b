"""A client and the versions that are tried out by some instances first: what it takes, and what it keeps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from servers import Place
from snapshots import flag, snapshot

from flagctl.client import Client, Event
from flagctl.client.keeper import Clock
from flagctl.compile.snapshot import encode
from flagctl.errors import UsageError
from flagctl.evaluate.bucket import in_canary
from flagctl.publish import canary
from flagctl.publish.draft import Draft
from flagctl.publish.live import canary_key, live_key
from flagctl.publish.publish import publish
from flagctl.signing import PrivateKey, public_line

A, B, C = (letter * 40 for letter in "abc")
MINE = PrivateKey.new()
TRUST = {"public_keys": {"k": public_line(MINE.public, "k")}}
OLD, NEW, OTHER = flag(default={"serve": "off"}), flag(), flag(ttl=600)


def instance(*fates: tuple[str, int, bool]) -> str:
    """An instance for which (commit, share) says this, each."""
    for name in (f"pod-{number}" for number in range(100_000)):
        blocks = [({"share": share, "salt": f"canary:{commit[:12]}"}, wanted) for commit, share, wanted in fates]
        if all(in_canary(block, name) is wanted for block, wanted in blocks):
            return name
    raise AssertionError("no such instance")


def sign(data: bytes) -> dict[str, str]:
    return MINE.sign(data, "k")


def draft(commit: str, gallery: dict[str, Any]) -> Draft:
    return Draft({**snapshot({"gallery": gallery}), "commit": commit, "commit_time": None}, sign=sign)


OPTIONS: dict[str, Any] = {
    "is_ancestor": lambda ours, theirs: ours < theirs,  # A, B, C in this order
    "elapsed": lambda: 0.0,
}
AGAIN: dict[str, Any] = {**OPTIONS, "sign": sign, "beside": {}, "keys": [], "now": 0}


class Hands(Clock):
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.passed = 0.0
        super().__init__(lambda: 1e9 + self.passed, lambda: 500 + self.passed)


Open = Callable[..., Client]


@pytest.fixture
def opened() -> Iterator[Open]:
    with ExitStack() as stack:

        def open_client(store: Any, name: str, **options: Any) -> Client:
            given = {"start": False, "cache": False, "canary": name, **TRUST, **options}
            client = stack.enter_context(Client(store, "production", **given))
            client.tick()
            return client

        yield open_client


@pytest.fixture
def store(tmp_path: Path) -> Any:
    place = Place("file", f"file://{tmp_path}/published").open()
    publish(draft(A, OLD), place, **OPTIONS)
    return place


def seen(*clients: Client) -> list[tuple[int | None, bool, bool]]:
    for client in clients:
        client.tick(told=True)
    return [(client.version, client.canary, client.enabled("gallery")) for client in clients]


def test_from_the_first_instance_to_everybody(place: Place, opened: Open) -> None:
    store = place.open()
    publish(draft(A, OLD), store, **OPTIONS)
    early = instance((B, 10_000, True))
    late = instance((B, 10_000, False), (B, 50_000, True))
    never = instance((B, 50_000, False))
    clients = [opened(place.open(), name) for name in (early, late, never, "")]
    assert seen(*clients) == [(1, False, False)] * 4

    canary.start(draft(B, NEW), store, 10_000, **OPTIONS)
    assert seen(*clients) == [(2, True, True), *[(1, False, False)] * 3]
    canary.start(draft(B, NEW), store, 50_000, **OPTIONS)
    assert seen(*clients) == [(3, True, True), (3, True, True), (1, False, False), (1, False, False)]
    assert [client.age < 60 and not client.error for client in clients] == [True] * 4
    canary.promote(store, "production", **AGAIN)
    assert seen(*clients) == [(4, False, True)] * 4
    assert [client.figures.refused + client.figures.failures for client in clients] == [0] * 4


def test_a_canary_that_is_taken_back_is_left_for_what_is_live(store: Any, opened: Open) -> None:
    client = opened(store, instance((B, 10_000, True)))
    canary.start(draft(B, NEW), store, 10_000, **OPTIONS)
    assert seen(client) == [(2, True, True)]
    canary.abort(store, "production", **AGAIN)
    assert seen(client) == [(3, False, False)]
    assert seen(client) == [(3, False, False)], "the old canary still lies there"
    assert client.error == ""


def test_one_that_starts_in_the_middle_has_it_at_once(store: Any, opened: Open) -> None:
    canary.start(draft(B, NEW), store, 10_000, **OPTIONS)
    events: list[Event] = []
    client = opened(store, instance((B, 10_000, True)), on_event=events.append)
    assert (client.version, client.canary, client.origin) == (2, True, "source")
    assert [(event.kind, event.version) for event in events] == [("ready", 1), ("changed", 2)]


def test_a_canary_that_leaves_it_behind_is_held_and_said_to_be_old(store: Any, opened: Open) -> None:
    """The next canary draws others, and what is live has a lower number: there is nothing to go to."""
    hands = Hands()
    name = instance((B, 10_000, True), (C, 10_000, False))
    client = opened(store, name, clock=hands)
    canary.start(draft(B, NEW), store, 10_000, **OPTIONS)
    assert seen(client) == [(2, True, True)]
    canary.start(draft(C, OTHER), store, 10_000, **OPTIONS)
    hands.passed += 400
    assert seen(client) == [(2, True, True)]
    assert "version 2, a canary, is held and is not offered to this client any more" in client.error
    assert (client.age, client.details("gallery").reason) == (400, "STALE")
    publish(draft(C, OTHER), store, **OPTIONS)
    assert seen(client) == [(4, False, True)]
    assert (client.error, client.age) == ("", 0)


def test_neither_a_lower_canary_nor_a_lower_live_one_takes_it_back(store: Any, opened: Open) -> None:
    client = opened(store, instance((B, 10_000, True)))
    first = store.get(live_key("production")).data
    canary.start(draft(B, NEW), store, 10_000, **OPTIONS)
    early = store.get(canary_key("production")).data
    publish(draft(B, NEW), store, **OPTIONS)
    canary.start(draft(B, OLD), store, 10_000, **OPTIONS)
    assert seen(client) == [(4, True, False)]
    store.put(canary_key("production"), early)
    assert seen(client) == [(4, True, False)]
    store.put(live_key("production"), first)
    assert seen(client) == [(4, True, False)]
    assert client.figures.refused == 1, "what is live is older than what was live"


SPOILT: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("half of it", lambda data: data[:100], "no JSON"),
    ("another's", lambda data: data.replace(b'"enabled":true', b'"enabled":null'), "does not fit"),
    ("a live one", lambda data: encode(draft(B, NEW).final(version=9)[0]), "it is no canary"),
    ("for nobody", lambda data: tried("x"), "its canary block makes no sense"),
]


def tried(block: Any) -> bytes:
    return Draft({**draft(B, NEW).document, "canary": block}, sign=sign).final(version=9)[1]


@pytest.mark.parametrize(("spoil", "said"), [row[1:] for row in SPOILT], ids=[row[0] for row in SPOILT])
def test_a_canary_that_is_not_to_be_believed_spoils_nothing(
    store: Any, opened: Open, spoil: Callable[[bytes], bytes], said: str
) -> None:
    hands = Hands()
    client = opened(store, "pod", clock=hands)
    canary.start(draft(B, NEW), store, 99_999, **OPTIONS)
    store.put(canary_key("production"), spoil(store.get(canary_key("production")).data))
    hands.passed += 50
    assert seen(client, client) == [(1, False, False)] * 2
    assert re.search(f"the canary from the source is refused: .*{said}", client.error)
    assert (client.age, client.figures.refused) == (0, 1), "what is live is confirmed all the same"
    canary.start(draft(B, NEW), store, 99_999, **OPTIONS)
    assert [sight[1:] for sight in seen(client)] == [(True, True)]
    assert client.error == ""


def test_the_disk_keeps_what_everybody_has(store: Any, opened: Open, tmp_path: Path) -> None:
    canary.start(draft(B, NEW), store, 99_999, **OPTIONS)
    options = {"cache": tmp_path / "cache"}
    assert seen(opened(store, "pod", **options)) == [(2, True, True)]
    (tmp_path / "published/production/snapshot.json").unlink()
    client = opened(store, "pod", **options)
    assert (client.version, client.origin, client.canary) == (1, "disk", False)


def test_a_canary_is_of_the_whole(store: Any) -> None:
    with pytest.raises(UsageError, match="of a whole environment"):
        Client(store, "production", canary="pod", audience="web")


def test_publish_canary_reaches_the_chosen_and_nobody_else(
    repo: Path, flagctl: Callable[..., Any], opened: Open
) -> None:
    assert flagctl("publish", "production").returncode == 0
    source = f"file:{repo}/published"
    everyone = {name: opened(source, name, public_keys=()) for name in (f"pod-{number}" for number in range(20))}
    assert flagctl("set", "wishlist-edit", "-e", "production", "--off", "-r", "try").returncode == 0
    assert flagctl("publish", "production", "--canary", "40%").returncode == 0
    for client in everyone.values():
        client.tick(told=True)
    took = {name for name, client in everyone.items() if client.canary}
    assert 0 < len(took) < 20
    assert {client.version for client in everyone.values()} == {1, 2}
    assert flagctl("publish", "production", "--abort-canary").returncode == 0
    for client in everyone.values():
        client.tick(told=True)
    assert {(client.version, client.canary) for client in everyone.values()} == {(3, False)}
