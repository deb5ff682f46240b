"""A client of a real folder: what it starts with, when it is fresh, what it refuses, and what it never does."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from snapshots import ADA, arms, flag, rollout, snapshot

from flagctl.client import Client, Event
from flagctl.client.aio import AsyncClient
from flagctl.client.keeper import Clock
from flagctl.compile.snapshot import encode
from flagctl.errors import OutsideError, UsageError
from flagctl.signing import PrivateKey, public_line
from flagctl.stores.base import Stored

START = 1_800_000_000.0


class Hands(Clock):
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.passed = 0.0
        super().__init__(lambda: START + self.passed, lambda: 500.0 + self.passed)

    def turn(self, seconds: float) -> None:
        self.passed += seconds


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def published(tmp_path: Path) -> Callable[..., bytes]:
    """published(version, flags, **parts) -> the bytes that production's live file holds from now on."""

    def publish(version: int, flags: dict[str, Any] | None = None, **parts: Any) -> bytes:
        data = encode(document(flags or {"gallery": flag()}, version=version, **parts))
        put(tmp_path, data)
        return data

    return publish


def put(folder: Path, data: bytes) -> None:
    place = folder / "published/production/snapshot.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.with_suffix(".new").write_bytes(data)
    place.with_suffix(".new").replace(place)


@pytest.fixture
def opened(tmp_path: Path, hands: Hands) -> Iterator[Callable[..., Client]]:
    """opened(**options) -> a client of the folder that nothing drives but its test; closed in the end."""
    with ExitStack() as stack:

        def open_client(source: str = "", **options: Any) -> Client:
            options = {"start": False, "clock": hands, "cache": tmp_path / "cache"} | options
            client = Client(source or f"file:{tmp_path}/published", "production", **options)
            return stack.enter_context(client)

        yield open_client


def document(flags: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {**snapshot(flags), **parts}


Open = Callable[..., Client]
Publish = Callable[..., bytes]


def kinds(events: list[Event]) -> list[str]:
    return [event.kind for event in events]


def test_what_a_service_writes(published: Publish, opened: Open) -> None:
    published(7, {"gallery": flag(default=rollout(100)), "page": arms(), "size": flag(**SIZE)})
    flags = opened()
    flags.tick()

    assert flags.enabled("gallery", user="ada", country="DE") is True
    assert flags.enabled("gallery", {"targetingKey": "ada"}) is True
    assert flags.enabled("gallery") is False, "without a user there is no bucket"
    assert flags.variant("page", user="ada") == "a"
    assert flags.value("size", default=20, user="ada") == 50
    details = flags.details("size", default=20, user="ada")
    assert (details.value, details.variant, details.reason, details.snapshot_version) == (50, "big", "STATIC", 7)
    assert (details.metadata["owner"], details.age) == ("growth", 0)


SIZE = {"type": "integer", "variants": {"big": 50, "off": 10}, "default": {"serve": "big"}}


@pytest.mark.parametrize(
    ("default", "value", "code"),
    [
        (20, 50, None),
        (20.0, 50.0, None),
        (None, 50, None),
        ("20", "20", "TYPE_MISMATCH"),
        (True, True, "TYPE_MISMATCH"),
        ({}, {}, "TYPE_MISMATCH"),
    ],
)
def test_a_value_is_of_the_type_of_its_default(
    published: Publish, opened: Open, default: Any, value: Any, code: str | None
) -> None:
    published(1, {"size": flag(**SIZE)})
    flags = opened()
    flags.tick()
    details = flags.details("size", default=default)
    assert (details.value, type(details.value), details.error_code) == (value, type(value), code)
    assert flags.value("size", default=default) == value
    assert type(flags.value("size", default=default)) is type(value)


def test_a_flag_there_is_not_is_the_callers_default(published: Publish, opened: Open) -> None:
    published(1)
    flags = opened()
    flags.tick()
    assert flags.enabled("galery") is False
    assert flags.variant("galery") is None
    assert flags.value("galery", default="x") == "x"
    assert flags.details("galery", default=3).error_code == "FLAG_NOT_FOUND"


# What it starts with


def test_without_anything_the_callers_defaults_answer(opened: Open) -> None:
    flags = opened()
    flags.tick()
    assert flags.value("gallery", default=5) == 5
    details = flags.details("gallery", default=True)
    assert (details.value, details.reason, details.error_code) == (True, "ERROR", "PROVIDER_NOT_READY")
    assert (flags.version, flags.age) == (None, float("inf"))
    assert "snapshot.json is not at" in flags.error


def test_the_source_comes_before_the_disk_and_the_disk_before_the_bootstrap(
    published: Publish, opened: Open, tmp_path: Path
) -> None:
    bootstrap = published(1)
    published(2)
    first = opened(start=True)
    assert (first.version, first.origin) == (2, "source")

    (tmp_path / "published/production/snapshot.json").unlink()
    second = opened(start=True, bootstrap=bootstrap)
    assert (second.version, second.origin) == (2, "disk")

    third = opened(start=True, bootstrap=bootstrap, cache=False)
    assert (third.version, third.origin) == (1, "bootstrap")
    path = tmp_path / "bundled.json"
    path.write_bytes(bootstrap)
    assert opened(cache=tmp_path / "none", bootstrap=path).version == 1


def test_a_source_that_comes_back_takes_over_from_the_disk(published: Publish, opened: Open, tmp_path: Path) -> None:
    published(2)
    opened().tick()
    live = tmp_path / "published/production/snapshot.json"
    live.rename(tmp_path / "away")
    flags = opened()
    assert (flags.version, flags.origin) == (2, "disk")
    published(3)
    flags.tick(told=True)
    assert (flags.version, flags.origin) == (3, "source")


def test_what_the_disk_kept_is_as_old_as_when_it_was_last_confirmed(
    published: Publish, opened: Open, hands: Hands, tmp_path: Path
) -> None:
    published(2)
    first = opened()
    first.tick()
    hands.turn(100)
    first.tick()
    (tmp_path / "published/production/snapshot.json").unlink()
    hands.turn(50)
    assert opened().age == pytest.approx(50, abs=0.01)


@pytest.mark.parametrize("cut", [0, 10, 200, -1])
def test_half_a_file_on_the_disk_is_none(published: Publish, opened: Open, tmp_path: Path, cut: int) -> None:
    published(2)
    opened().tick()
    (tmp_path / "published/production/snapshot.json").unlink()
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(kept.read_bytes()[:cut])
    assert opened().version is None


def test_it_raises_only_when_asked_to(opened: Open) -> None:
    with pytest.raises(OutsideError, match=r"no snapshot of production: .*snapshot\.json is not at"):
        opened(start=True, require=True)
    assert opened(start=True).version is None


def test_a_disk_that_can_not_be_written_is_counted(published: Publish, opened: Open, tmp_path: Path) -> None:
    published(1)
    (tmp_path / "file").write_text("no folder")
    flags = opened(cache=tmp_path / "file" / "cache")
    flags.tick()
    assert (flags.version, flags.figures.cache_failures) == (1, 1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"source": Path("/srv/flags")}, "the source is a PosixPath, not a URL; file:/srv/flags"),
        ({"source": None}, "the source is a NoneType, not a URL; redis://HOST:6379/0, s3://…, https://…, file:…"),
        ({"source": "reddis://cache"}, "needs reddis:, which flagctl doesn't know; did you mean redis?"),
        ({"source": "cache:6379"}, "needs cache:, which flagctl doesn't know"),
        ({"source": "/srv/flags"}, "says no scheme; did you mean file:/srv/flags?"),
        ({"environment": ""}, "'' is no name of an environment; environment=\"production\""),
        ({"environment": "../production"}, "is no name of an environment"),
        ({"environment": None}, "None is no name of an environment"),
        ({"audience": "a/b"}, "'a/b' is no name of an audience"),
        ({"audience": "web", "canary": "pod-1"}, "a canary is of a whole environment"),
        ({"refresh": 0}, "refresh=0 is no number of seconds"),
        ({"refresh": float("nan")}, "refresh=nan is no number of seconds"),
        ({"public_keys": {}}, "names no key, so nothing could be believed"),
        ({"public_keys": "ssh-ed25519 AAAA"}, 'needs the name of each key.*public_keys={"release-2026"'),
        ({"public_keys": ["ssh-ed25519 AAAA"]}, "needs the name of each key"),
        ({"public_keys": {"release": "ssh-rsa AAAA"}}, "no Ed25519 public key; write the line of the .pub file"),
    ],
)
def test_what_makes_no_sense_is_told_at_once(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    given = {"source": f"file:{tmp_path}", "environment": "production", "cache": False, "start": False} | options
    with pytest.raises(UsageError) as caught:
        Client(**given)
    assert re.search(re.escape(said).replace(r"\.\*", ".*"), f"{caught.value.message}; {caught.value.hint}")


@pytest.mark.parametrize(
    ("bootstrap", "said"),
    [
        (b"{}", "the snapshot from the bootstrap is refused: this is no snapshot"),
        ("gone.json", "the bootstrap snapshot can't be read: .*gone.json"),
    ],
)
def test_a_bootstrap_that_is_none_is_told_beside_what_is_wrong_with_the_source(
    opened: Open, tmp_path: Path, bootstrap: Any, said: str
) -> None:
    events: list[Event] = []
    flags = opened(start=True, bootstrap=bootstrap, on_event=events.append)
    assert re.search(f"snapshot.json is not at .*; {said}", flags.error)
    assert (flags.version, events[-1].message) == (None, flags.error)
    with pytest.raises(OutsideError, match=said):
        opened(start=True, bootstrap=bootstrap, require=True)


def test_who_hears_nothing_reads_in_the_log_what_is_wrong(
    published: Publish, opened: Open, hands: Hands, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    flags = opened(refresh=1000)
    flags.tick()
    published(1)
    flags.tick(told=True)
    (tmp_path / "published/production/snapshot.json").unlink()
    hands.turn(301)
    flags.tick()
    assert [(record.levelname, record.name) for record in caplog.records] == [
        ("WARNING", "flagctl.client"),
        ("INFO", "flagctl.client"),
        ("WARNING", "flagctl.client"),
    ]
    first, second, third = (record.getMessage() for record in caplog.records)
    assert re.fullmatch("flags of production: error: production/snapshot.json is not at file:.*", first)
    assert second == "flags of production: ready: version 1 from the source"
    assert third.startswith("flags of production: stale: ")


# How fresh it is


def test_answers_say_when_they_are_older_than_their_flag_allows(
    published: Publish, opened: Open, hands: Hands, tmp_path: Path
) -> None:
    published(1, {"patient": flag(ttl=600), "quick": flag(ttl=60)})
    events: list[Event] = []
    flags = opened(on_event=events.append, refresh=1000)
    flags.tick()
    (tmp_path / "published/production/snapshot.json").unlink()
    hands.turn(59.9)
    flags.tick()
    assert flags.details("quick").reason == "STATIC"
    hands.turn(0.2)
    flags.tick()
    assert (flags.details("quick").reason, flags.details("quick").value) == ("STALE", True)
    assert flags.details("patient").reason == "STATIC"
    assert kinds(events) == ["ready", "stale"]
    published(1, {"patient": flag(ttl=600), "quick": flag(ttl=60)})
    flags.tick(told=True)
    assert flags.details("quick").reason == "STATIC"
    assert kinds(events) == ["ready", "stale", "ready"]


@pytest.mark.parametrize(
    ("stale", "age", "value", "reason", "code"),
    [
        ("serve", 1000, True, "STALE", None),
        ("default", 99, True, "STALE", None),
        ("default", 101, "mine", "STALE", None),
        ("error", 99, True, "STALE", None),
        ("error", 101, "mine", "ERROR", "GENERAL"),
    ],
)
def test_past_max_stale_seconds_the_flag_says_what_is_answered(
    published: Publish, opened: Open, hands: Hands, stale: str, age: int, value: Any, reason: str, code: str | None
) -> None:
    published(1, {"gallery": flag(ttl=60, stale=stale, max_stale=100)})
    flags = opened(refresh=5000)
    flags.tick()
    hands.turn(age)
    flags.tick()
    answer = flags.details("gallery", default=None)
    assert (answer.reason, answer.error_code) == (reason, code)
    assert flags._answers.value("gallery", ADA, START, "mine") == value


def test_a_flag_that_expires_does_so_by_the_clients_clock(published: Publish, opened: Open, hands: Hands) -> None:
    page = {**SIZE, "type": "object", "variants": {"big": {"rows": [50]}, "off": {}}, "expires_at": START + 100}
    published(1, {"gallery": flag(expires_at=START + 100), "core": _needs("gallery"), "page": flag(**page)})
    flags = opened()
    flags.tick()
    for passed, expected in ((0, True), (99, True), (100, False)):
        hands.passed = passed
        for _ in range(15):  # by the readable evaluator at first, then by a function
            assert flags.enabled("gallery") is flags.enabled("core", {"country": "DE"}) is expected
            assert flags.value("page", default={}) == ({"rows": [50]} if expected else {})
            assert flags.enabled("page") is False


def _needs(key: str) -> dict[str, Any]:
    return flag(requires=[{"flag": key, "variant": "on"}])


def test_asking_for_an_old_flag_starts_a_look_at_once(published: Publish, opened: Open) -> None:
    published(1, {"gallery": flag(ttl=1)})
    looked = threading.Event()
    turned = Hands()
    flags = opened(clock=turned, start=True, refresh=3600, on_event=lambda event: looked.set())
    looked.clear()
    turned.turn(30)  # nobody told the thread, so it waits for its hour to pass
    flags._choose()
    published(2, {"gallery": flag(ttl=1)}, commit="b" * 40)
    assert flags.value("gallery", default=False) is True, "the answer does not wait for the look"
    assert looked.wait(10)


def test_the_same_bytes_confirm_and_do_not_swap(published: Publish, opened: Open, hands: Hands) -> None:
    published(1)
    flags = opened()
    flags.tick()
    engine = flags._keeper.held.engine  # type: ignore[union-attr]
    hands.turn(80)
    published(1)
    flags.tick()
    assert flags.age == 0
    assert flags._keeper.held.engine is engine  # type: ignore[union-attr]
    assert flags.figures.installed == 1


# What it believes


@pytest.fixture(scope="module")
def key() -> PrivateKey:
    return PrivateKey.new()


def signed(key: PrivateKey, version: int, **parts: Any) -> bytes:
    plain = document({"gallery": flag()}, version=version, **parts)
    return encode({**plain, "signature": key.sign(encode(plain), "release")})


REFUSED: list[tuple[str, Callable[[PrivateKey, bytes], bytes], str]] = [
    ("no signature", lambda key, good: encode(document({"gallery": flag()}, version=9)), "it is not signed"),
    ("another key", lambda key, good: signed(PrivateKey.new(), 9), "does not fit"),
    ("a changed byte", lambda key, good: good.replace(b'"enabled":true', b'"enabled":tru3', 1), "no JSON"),
    ("a changed value", lambda key, good: good.replace(b'"enabled":true', b'"enabled":null', 1), "does not fit"),
    ("another environment", lambda key, good: signed(key, 9, environment="staging"), "not of 'production'"),
    ("another format", lambda key, good: signed(key, 9, format="flagctl/snapshot/2"), "flagctl/snapshot/2"),
    ("an older version", lambda key, good: signed(key, 4), "older than version 5"),
    ("nothing", lambda key, good: b"", "no JSON"),
]


@pytest.mark.parametrize(("spoil", "said"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_not_to_be_believed_is_refused_and_the_old_one_kept(
    opened: Open,
    tmp_path: Path,
    hands: Hands,
    key: PrivateKey,
    spoil: Callable[[PrivateKey, bytes], bytes],
    said: str,
) -> None:
    events: list[Event] = []
    good = signed(key, 5)
    put(tmp_path, good)
    flags = opened(public_keys={"release": public_line(key.public, "release")}, on_event=events.append)
    flags.tick()
    put(tmp_path, spoil(key, good))
    flags.tick(told=True)
    assert (flags.version, flags.enabled("gallery")) == (5, True)
    assert flags.figures.refused == 1
    assert kinds(events) == ["ready", "error"]
    assert said in flags.error
    hands.turn(120)
    flags.tick()
    assert flags.age == 120, "what is refused confirms nothing"
    assert flags.figures.refused == 1, "the same bytes are looked at once"
    put(tmp_path, signed(key, 6))
    flags.tick(told=True)
    assert (flags.version, flags.error) == (6, "")


def test_the_disk_is_not_believed_either(opened: Open, tmp_path: Path, key: PrivateKey) -> None:
    put(tmp_path, signed(key, 5))
    opened().tick()
    (tmp_path / "published/production/snapshot.json").unlink()
    stranger = PrivateKey.new()
    assert opened(public_keys={"release": public_line(stranger.public, "release")}).version is None
    assert opened(public_keys={"release": public_line(key.public, "release")}).version == 5


@pytest.mark.parametrize("start", [True, False], ids=["a thread", "whoever opens it, as asyncio's does"])
def test_a_process_that_starts_takes_no_step_back_from_what_another_one_kept(
    published: Publish, opened: Open, tmp_path: Path, start: bool
) -> None:
    """Its source lost its data and was published to anew, while nobody was there to refuse it."""
    published(7)
    with opened(start=True):
        pass
    published(2, {"gallery": flag(enabled=False)})
    events: list[Event] = []
    with opened(start=start, require=True, on_event=events.append) as flags:
        if not start:
            flags.tick(told=True)
        assert (flags.version, flags.origin, flags.enabled("gallery")) == (7, "disk", True)
        assert (kinds(events), flags.figures.refused) == (["ready", "error"], 1)
        (kept,) = (tmp_path / "cache").iterdir()
        for words in ("version 2, older than version 7", "publish --above 7", str(kept)):
            assert words in events[-1].message
        assert flags.error == events[-1].message
    published(8, {"gallery": flag(enabled=False)})
    with opened(start=start) as flags:
        if not start:
            flags.tick(told=True)
        assert (flags.version, flags.origin, flags.enabled("gallery")) == (8, "source", False)


def test_what_is_not_believed_on_the_disk_holds_nothing_back(opened: Open, tmp_path: Path, key: PrivateKey) -> None:
    put(tmp_path, signed(PrivateKey.new(), 7))
    with opened(start=True):
        pass
    put(tmp_path, signed(key, 2))
    with opened(start=True, public_keys={"release": public_line(key.public, "release")}) as flags:
        assert (flags.version, flags.origin, flags.error) == (2, "source", "")


def test_places_that_share_a_cache_folder_hold_nothing_back_from_one_another(
    published: Publish, opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two programs that call their folders alike, each of them in a folder of its own, are two places too."""
    published(7)
    monkeypatch.chdir(tmp_path)
    with opened("file:published", start=True) as flags:
        assert flags.version == 7
    other = tmp_path / "other"
    put(other, encode(document({"gallery": flag()}, version=2)))
    monkeypatch.chdir(other)
    with opened("file:published", start=True) as flags:
        assert (flags.version, flags.error) == (2, "")
    with opened(f"file:{tmp_path}/published", start=True) as flags:
        assert flags.version == 7
    for folder, audience in (("staging", None), ("production/web", "web")):
        environment = folder.partition("/")[0]
        place = other / "published" / folder / "snapshot.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        about = {"environment": environment} | ({"audience": audience} if audience else {})
        place.write_bytes(encode(document({"gallery": flag()}, version=1, **about)))
        with Client("file:published", environment, audience=audience, cache=tmp_path / "cache") as flags:
            assert (flags.version, flags.error) == (1, "")


# Being told


def test_a_listener_hears_of_its_flag_only(published: Publish, opened: Open) -> None:
    needs = {"requires": [{"flag": "gallery", "variant": "on"}]}
    published(1, {"gallery": flag(), "edit": flag(**needs), "other": flag()})
    heard: list[str] = []
    flags = opened()
    flags.tick()
    for name in ("gallery", "edit", "other"):
        flags.on_change(name, heard.append)
    published(2, {"gallery": flag(enabled=False), "edit": flag(**needs), "other": flag()})
    flags.tick(told=True)
    assert sorted(heard) == ["edit", "gallery"], "a flag changes with what it requires"


def test_a_change_of_a_segment_is_a_change_of_all_who_ask_for_it(published: Publish, opened: Open) -> None:
    asks = {"rules": [{"name": "in", "when": [{"segment": "outer"}], "serve": "off"}]}
    segments = {"outer": {"when": [{"segment": "inner"}]}, "inner": {"when": []}}
    published(1, {"gallery": flag(**asks), "other": flag()}, segments=segments)
    events: list[Event] = []
    flags = opened(on_event=events.append)
    flags.tick()
    changed = segments | {"inner": {"when": [{"attribute": "country", "op": "equals", "value": "DE"}]}}
    published(2, {"gallery": flag(**asks), "other": flag()}, segments=changed)
    flags.tick(told=True)
    assert events[-1].kind == "changed"
    assert events[-1].keys == ("gallery",)


def test_a_listener_that_fails_is_counted_and_spoils_nothing(
    published: Publish, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(event: Event) -> None:
        raise RuntimeError("not mine")

    heard: list[Event] = []
    published(1)
    flags = opened(on_event=fails)
    end = flags.on_event(heard.append)
    flags.tick()
    assert (kinds(heard), flags.figures.listener_failures, flags.version) == (["ready"], 1, 1)
    assert "a listener failed" in caplog.text
    assert "RuntimeError: not mine" in caplog.text
    end()
    published(2, commit="c" * 40)
    flags.tick(told=True)
    assert kinds(heard) == ["ready"]


def test_a_folder_tells_of_a_publish_long_before_the_next_look(published: Publish, opened: Open) -> None:
    published(1)
    heard = threading.Event()
    flags = opened(start=True, refresh=3600, clock=None)
    flags.on_change("gallery", lambda key: heard.set())
    published(2, {"gallery": flag(enabled=False)})
    assert heard.wait(10)
    assert (flags.version, flags.enabled("gallery")) == (2, False)


# One piece of work


def test_a_preview_holds_in_its_block_for_its_thread(published: Publish, opened: Open) -> None:
    published(1, {"gallery": flag(enabled=False), "page": arms()})
    flags = opened()
    flags.tick()
    elsewhere: list[bool] = []
    with flags.preview("gallery:true, page:zzz ,nothing:on,page:b,broken"):
        assert flags.enabled("gallery") is True
        assert flags.variant("page") == "b"
        with flags.preview({"page": "c"}):
            assert (flags.variant("page"), flags.enabled("gallery")) == ("c", True)
        thread = threading.Thread(target=lambda: elsewhere.append(flags.enabled("gallery")))
        thread.start()
        thread.join()
        assert opened().enabled("gallery") is False, "another client has nothing to do with it"
    assert elsewhere == [False]
    assert (flags.enabled("gallery"), flags.variant("page")) == (False, "a")


def test_frozen_work_sees_one_snapshot(published: Publish, opened: Open) -> None:
    published(1)
    flags = opened()
    flags.tick()
    with flags.frozen():
        before = flags.enabled("gallery")
        published(2, {"gallery": flag(enabled=False)})
        flags.tick(told=True)
        assert (before, flags.enabled("gallery"), flags.version) == (True, True, 2)
    assert flags.enabled("gallery") is False


# Threads and processes


def test_a_child_of_a_fork_goes_on_with_a_thread_of_its_own(published: Publish, opened: Open) -> None:
    published(1)
    flags = opened(start=True, clock=None)
    forks = multiprocessing.get_context("fork")
    ready, answers = forks.Event(), forks.SimpleQueue()

    def child() -> None:
        answers.put((os.getpid(), flags.enabled("gallery"), threading.active_count()))
        told = threading.Event()
        flags.on_change("gallery", lambda key: told.set())
        ready.set()
        answers.put((told.wait(20), flags.enabled("gallery"), flags.version))

    process = forks.Process(target=child)
    process.start()
    pid, enabled, threads = answers.get()
    assert (pid != os.getpid(), enabled, threads) == (True, True, 2)
    assert ready.wait(20)
    published(2, {"gallery": flag(enabled=False)})
    assert answers.get() == (True, False, 2)
    process.join(20)
    assert process.exitcode == 0
    assert flags.refresh()
    assert flags.version == 2


def test_a_client_that_nobody_uses_takes_its_thread_with_it(published: Publish, tmp_path: Path) -> None:
    published(1)
    flags = Client(f"file:{tmp_path}/published", "production", cache=False)
    assert flags._feed is not None
    thread = flags._feed._thread
    del flags
    thread.join(10)
    assert not thread.is_alive()


def test_a_closed_client_still_answers(published: Publish, opened: Open) -> None:
    published(1)
    flags = opened(start=True, clock=None)
    flags.close()
    flags.close()
    assert flags.enabled("gallery") is True
    began = time.monotonic()
    assert flags.refresh(timeout=60) is False, "nobody asks any more"
    assert time.monotonic() - began < 30


def test_many_threads_and_swaps_see_no_mixture(published: Publish, opened: Open) -> None:
    """In each version both flags serve the same; under `frozen` nobody ever sees them differ."""
    published(1)
    flags = opened(clock=None)
    flags.tick()
    wrong: list[tuple[bool, bool]] = []
    done = threading.Event()

    def asks() -> None:
        while not done.is_set():
            with flags.frozen():
                pair = flags.enabled("one"), flags.enabled("two")
                if pair[0] is not pair[1]:
                    wrong.append(pair)

    threads = [threading.Thread(target=asks) for _ in range(4)]
    for thread in threads:
        thread.start()
    for version in range(2, 200):
        state = bool(version % 2)
        published(version, {"one": flag(enabled=state), "two": flag(enabled=state)})
        flags.tick(told=True)
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert flags.version == 199


# asyncio


def test_a_task_keeps_an_asyncio_client_fresh_without_a_thread(published: Publish, tmp_path: Path) -> None:
    async def service() -> None:
        source = f"file:{tmp_path}/published"
        async with await AsyncClient.open(source, "production", cache=False, refresh=3600) as flags:
            assert flags.enabled("gallery") is True
            assert not [thread.name for thread in threading.enumerate() if thread.name == "flagctl-client"]
            told = asyncio.Event()
            loop = asyncio.get_running_loop()
            flags.on_change("gallery", lambda key: loop.call_soon_threadsafe(told.set))
            published(2, {"gallery": flag(enabled=False)})
            await asyncio.wait_for(told.wait(), 10)
            assert flags.enabled("gallery") is False
            with flags.preview("gallery:on"):
                inside = await asyncio.create_task(asks(flags))
            assert (inside, await asks(flags)) == (True, False)

    async def asks(flags: Client) -> bool:
        return flags.enabled("gallery")

    published(1)
    asyncio.run(service())


def test_an_asyncio_client_raises_only_when_asked_to(tmp_path: Path) -> None:
    async def service(**options: Any) -> int | None:
        async with await AsyncClient.open(f"file:{tmp_path}/none", "production", cache=False, **options) as flags:
            return flags.version

    assert asyncio.run(service()) is None
    with pytest.raises(OutsideError, match="no snapshot of production"):
        asyncio.run(service(require=True))


class Slow:
    """A place that takes its time, and that can tell of changes."""

    url = "slow"

    def __init__(self) -> None:
        self.go_on, self.asked = threading.Event(), threading.Event()
        self.watches: list[Slow.Watch] = []

    class Watch:
        closed = False

        def fileno(self) -> int:
            return 0

        def close(self) -> None:
            self.closed = True

    def watch(self, environment: str) -> Slow.Watch:
        self.watches.append(self.Watch())
        self.asked.set()
        self.go_on.wait(60)
        return self.watches[-1]

    def get(self, key: str) -> Stored | None:
        return None

    def read_if_changed(self, key: str, token: str) -> Stored | None:
        return None


def test_an_asyncio_client_that_is_closed_while_it_begins_to_listen_leaves_nothing_open() -> None:
    async def service(place: Slow) -> None:
        client = await AsyncClient.open(place, "production", cache=False)
        await asyncio.get_running_loop().run_in_executor(None, place.asked.wait, 60)
        await client.aclose()
        place.go_on.set()

    place = Slow()
    asyncio.run(service(place))
    assert [watch.closed for watch in place.watches] == [True]


def test_an_asyncio_client_that_nobody_waits_for_any_more_ends(tmp_path: Path) -> None:
    async def service() -> set[str]:
        looks = threading.Event()

        class Hanging(Slow):
            def read_if_changed(self, key: str, token: str) -> Stored | None:
                looks.set()
                self.go_on.wait(60)
                return None

        place = Hanging()
        opening = asyncio.create_task(AsyncClient.open(place, "production", cache=False, wait=60))
        await asyncio.get_running_loop().run_in_executor(None, looks.wait, 60)
        opening.cancel()
        await asyncio.wait([opening])
        await asyncio.sleep(0)
        names = {task.get_name() for task in asyncio.all_tasks()}
        place.go_on.set()
        return names

    assert "flagctl-client" not in asyncio.run(service())
