"""A place that lost its data: versions go on from what readers hold, so that these follow again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from servers import Place, until
from test_publish import A, B, send, snapshot

from flagctl.client import Client
from flagctl.publish.floor import Floor, floor_of
from flagctl.publish.receipt import words
from flagctl.stores import open_store
from flagctl.stores.folder import FolderStore

Flagctl = Callable[..., Any]


@pytest.fixture
def cache(make_place: Callable[[str], Place]) -> Place:
    """A corner of a Redis."""
    return make_place("redis")


def wipe(cache: Place) -> None:
    prefix = cache.url.partition("prefix=")[2]
    server = redis.Redis.from_url(cache.url.partition("?")[0])
    assert server.delete(*server.keys(f"{prefix}:*"))


@pytest.fixture
def aimed(repo: Path, git: Callable[..., str]) -> Callable[..., None]:
    """aimed(*urls): production's targets from the next commit on."""

    def aim(*urls: str) -> None:
        settings = repo / "flags/flagctl.yaml"
        settings.write_text(settings.read_text().replace('["file:published"]', json.dumps(urls)))
        git(repo, "commit", "-qam", "Targets")

    return aim


@pytest.fixture
def change(repo: Path, git: Callable[..., str]) -> Callable[[], None]:
    """change(): a commit that production's snapshot shows."""
    file = repo / "flags/production/wishlist-gallery.yaml"

    def commit() -> None:
        file.write_text(file.read_text().replace("rollout: 25", "rollout: 50"))
        git(repo, "commit", "-qam", "Half of them")

    return commit


@pytest.fixture
def follower(cache: Place, flagctl: Flagctl, aimed: Callable[..., None]) -> Iterator[Callable[..., Client]]:
    """follower(*targets, said): a client of the cache that has version 7, published to these targets."""
    clients: list[Client] = []

    def follow(*targets: str, said: list[str]) -> Client:
        aimed(*targets)
        done = flagctl("publish", "production", "--above", "6")
        assert done.stdout.count("published version 7, the first") == len(targets), done.stderr
        heard = lambda event: said.append(event.message)  # noqa: E731
        clients.append(Client(cache.url, "production", cache=False, refresh=0.05, on_event=heard))
        assert clients[0].version == 7
        return clients[0]

    yield follow
    for client in clients:
        client.close()


@pytest.mark.parametrize("first", ["file", "redis"])
def test_versions_go_on_from_those_of_the_other_targets(
    cache: Place, follower: Callable[..., Client], flagctl: Flagctl, change: Callable[[], None], first: str
) -> None:
    targets = ["file:published", cache.url] if first == "file" else [cache.url, "file:published"]
    client = follower(*targets, said=[])
    wipe(cache)
    change()
    done = flagctl("publish", "production")
    assert done.returncode == 0, done.stderr
    assert "published version 8, where nothing was live, above version 7 of the other targets" in done.stdout
    assert "--above the one it holds" in done.stdout
    assert done.stdout.count("published version 8") == 2
    until(lambda: client.version == 8)


def test_the_other_targets_count_also_when_only_one_is_published_to(
    cache: Place, follower: Callable[..., Client], flagctl: Flagctl
) -> None:
    client = follower("file:published", cache.url, said=[])
    wipe(cache)
    done = flagctl("publish", "production", "--target", cache.url, "--json")
    receipt = json.loads(done.stdout)["receipts"][0]
    assert (receipt["version"], receipt["floor"], receipt["unasked"]) == (8, 7, [])
    until(lambda: client.version == 8)


def test_where_no_other_target_tells_a_reader_does(
    cache: Place, follower: Callable[..., Client], flagctl: Flagctl
) -> None:
    said: list[str] = []
    client = follower(cache.url, said=said)
    wipe(cache)
    assert "published version 1, the first" in flagctl("publish", "production").stdout
    told = until(lambda: [message for message in said if "flagctl publish --above 7" in message])
    assert "version 1, older than version 7" in told[0]
    assert client.version == 7
    done = flagctl("publish", "production", "--above", "7", "--dry-run")
    assert "would publish version 8, after version 1" in done.stdout, done.stderr
    assert "published version 8, after version 1" in flagctl("publish", "production", "--above", "7").stdout
    until(lambda: client.version == 8)
    assert "version 8 is live already" in flagctl("publish", "production", "--above", "7").stdout


@pytest.mark.parametrize("arguments", [["--canary", "10"], ["--promote-canary"], ["--abort-canary"]])
def test_above_is_for_a_regular_publish(flagctl: Flagctl, arguments: list[str]) -> None:
    done = flagctl("publish", "production", "--above", "7", *arguments)
    assert (done.returncode, "--above is for a regular publish" in done.stderr) == (2, True), done.stderr


def test_a_floor_is_asked_only_where_nothing_is_live(tmp_path: Path) -> None:
    store = FolderStore(tmp_path, "file:x")
    asked: list[int] = []

    def floor() -> Floor:
        asked.append(1)
        return Floor(41)

    assert send(store, snapshot(A, x=1), floor=floor).version == 42
    assert send(store, snapshot(B, x=2), floor=floor).version == 43
    assert send(store, snapshot(B, x=2), floor=floor, above=7).outcome == "unchanged"
    assert len(asked) == 1


def test_others_that_do_not_answer_are_named_and_what_they_published_before_this_run_counts(tmp_path: Path) -> None:
    up, behind = FolderStore(tmp_path / "up", "file:up"), FolderStore(tmp_path / "behind", "file:behind")
    send(up, snapshot(A, x=1), above=4)
    send(behind, snapshot(A, x=1), above=8)
    (tmp_path / "behind/production/snapshot.json").unlink()  # its history still tells
    down: Any = open_store("redis://127.0.0.1:1/0?timeout=1", tmp_path)
    assert floor_of([up, down], "production", {}) == Floor(5, (down.url,))
    assert floor_of([up, behind], "production", {}) == Floor(9)
    assert floor_of([up, down], "production", {"file:up": 3, down.url: 0}) == Floor(3)
    said = words(send(FolderStore(tmp_path / "new", "file:new"), snapshot(A), floor=lambda: Floor(0, (down.url,))))
    assert f"can't ask {down.url}" in said
    assert "published version 1, the first" in said
