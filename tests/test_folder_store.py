"""A folder as a store: whole files or nothing, one publisher at a time, errors that say what to do."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from flagctl.errors import OutsideError, RefusedError, UsageError
from flagctl.stores import open_store
from flagctl.stores.base import LostRaceError
from flagctl.stores.folder import FolderStore

LIVE = "production/snapshot.json"


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "published", "file:published")


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_what_was_put_is_read_back_and_listed(store: FolderStore) -> None:
    assert store.get(LIVE) is None
    assert store.keys("") == []
    store.put(LIVE, b"one")
    store.put("production/history/1-abc.json", b"one")
    store.put("staging/snapshot.json", b"")
    found, empty = store.get(LIVE), store.get("staging/snapshot.json")
    assert (found and found.data, empty and empty.data) == (b"one", b"")
    assert store.keys("production/") == ["production/history/1-abc.json", LIVE]
    assert store.keys("production/history/2-") == []
    assert store.keys("") == ["production/history/1-abc.json", LIVE, "staging/snapshot.json"]


def test_swap_writes_only_over_what_was_read(store: FolderStore) -> None:
    store.swap(LIVE, b"one", None)
    first = store.get(LIVE)
    assert first is not None
    store.swap(LIVE, b"two", first.token)
    for stale in (first.token, None):
        with pytest.raises(LostRaceError):
            store.swap(LIVE, b"three", stale)
    with pytest.raises(RefusedError):
        store.swap("production/other", b"", first.token)
    now = store.get(LIVE)
    assert now is not None
    assert now.data == b"two"
    assert store.keys("") == [LIVE]


def test_other_users_can_read_what_is_published(store: FolderStore) -> None:
    before = os.umask(0o022)
    try:
        store.put(LIVE, b"{}")
    finally:
        os.umask(before)
    assert stat.S_IMODE((store.root / LIVE).stat().st_mode) == 0o644


def test_nothing_but_the_files_and_the_lock_stays_behind(store: FolderStore) -> None:
    store.put(LIVE, b"one")
    leftover = store.root / "production" / "history" / ".3-abc.json.0123.tmp"
    leftover.parent.mkdir()
    leftover.write_bytes(b"cut sho")
    assert store.keys("production/history/") == []
    store.put(LIVE, b"two")
    assert files_in(store.root) == ["production/.lock", LIVE]


def test_a_write_that_fails_half_way_leaves_the_old_file_alone(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(LIVE, b"old")
    really_write = os.write

    def disk_is_full_after_three_bytes(descriptor: int, data: memoryview) -> int:
        if len(data) <= 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return really_write(descriptor, data[:3])

    monkeypatch.setattr("flagctl.stores.folder.os.write", disk_is_full_after_three_bytes)
    with pytest.raises(OutsideError) as caught:
        store.put(LIVE, b"newer and longer")
    assert "No space left on device" in caught.value.message
    assert "free some space" in caught.value.hint
    assert (store.root / LIVE).read_bytes() == b"old"
    assert files_in(store.root) == ["production/.lock", LIVE]


def test_a_short_write_is_continued(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    really_write = os.write
    monkeypatch.setattr("flagctl.stores.folder.os.write", lambda fd, data: really_write(fd, data[:7]))
    store.put(LIVE, bytes(range(100)))
    assert (store.root / LIVE).read_bytes() == bytes(range(100))


@pytest.mark.parametrize("blocked", ["published", "published/production", "published/production/history"])
def test_a_file_where_a_folder_is_needed_is_said_and_kept(store: FolderStore, tmp_path: Path, blocked: str) -> None:
    file = tmp_path / blocked
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("mine")
    with pytest.raises(OutsideError, match=blocked.replace("/", ".")) as caught:
        store.put("production/history/1-abc.json", b"{}")
    assert "a file stands where a folder is needed" in caught.value.hint
    assert file.read_text() == "mine"


def test_a_folder_where_the_file_belongs_is_said(store: FolderStore) -> None:
    (store.root / LIVE).mkdir(parents=True)
    with pytest.raises(OutsideError, match=r"can't read .*snapshot\.json"):
        store.get(LIVE)
    with pytest.raises(OutsideError, match=r"can't write .*snapshot\.json"):
        store.put(LIVE, b"{}")


def test_probing_finds_a_target_that_can_not_be_written_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for hopeless in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(OutsideError, match="can't write to"):
            FolderStore(hopeless, "file:x").probe()
    FolderStore(tmp_path / "not" / "there" / "yet", "file:x").probe()
    assert files_in(tmp_path) == ["file"]


HOLDER = """
import sys
from pathlib import Path
from flagctl.stores.folder import FolderStore
with FolderStore(Path(sys.argv[1]), "file:x").hold("production"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_publisher_waits_for_the_first_and_is_told_when_that_takes_too_long(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flagctl.stores.folder._PATIENCE", 2)
    monkeypatch.setattr("flagctl.stores.folder.WAITS", 0)
    said: list[str] = []
    store.waiting = lambda what, hint: said.append(what)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(store.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        store.put("staging/snapshot.json", b"another environment is free")
        with pytest.raises(OutsideError, match="another publisher has held"), store.hold("production"):
            pass
        assert said == [
            f"waiting for another publisher, which holds {store.root}/production/.lock, for at most 0 seconds"
        ]
        holder.kill()
        holder.wait()
        with store.hold("production"):
            store.put(LIVE, b"the kernel let go of a dead publisher's lock")
    assert store.keys("production/") == [LIVE]


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("file:published", "base/published"),
        ("file:a/../b%20c", "base/a/../b c"),
        ("file:///srv/flags", "/srv/flags"),
        ("file:/srv/flags", "/srv/flags"),
        ("file://localhost/srv/flags", "/srv/flags"),
        ("FILE:published", "base/published"),
    ],
)
def test_targets_that_are_folders(tmp_path: Path, url: str, folder: str) -> None:
    store = open_store(url, tmp_path / "base")
    assert isinstance(store, FolderStore)
    assert store.root == tmp_path / folder
    assert store.url == url
    assert not (tmp_path / "base").exists()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("published", "did you mean file:published?"),
        ("", "says no scheme"),
        ("file:", "names no folder"),
        ("file://published", "for a folder beside flags/ write file:published"),
        ("file://server/share", "names the host 'server'"),
        ("file:a?b", "write ? as %3F"),
        ("file:a#b", "# as %23"),
        ("file:a%00b", "names no folder"),
        ("http://[half", "is not a URL"),
    ],
)
def test_targets_that_are_none_say_what_would_be(tmp_path: Path, url: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_store(url, tmp_path)
    assert words in f"{caught.value.message}\n{caught.value.hint}"
