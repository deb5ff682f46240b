"""What every store promises, asked of each against a real server."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from publisher import send
from servers import Place, free_port, redis_server

from flagctl.errors import OutsideError
from flagctl.stores import open_store
from flagctl.stores.base import UNCHANGED, LostRaceError, Release
from flagctl.stores.packing import pack, pack_ahead, unpack

LIVE = "production/snapshot.json"
BESIDE = "production/flagd.json"
ABOUT = {"version": "1", "commit": "a" * 40, "digest": "sha256:0"}
LARGE = bytes(range(256)) * 8000


def test_what_was_put_is_read_back_and_listed(place: Place) -> None:
    store = place.open()
    assert store.get(LIVE) is None
    assert store.keys("") == []
    for data in (b"one", b"", b"\x1f\x8bno gzip", LARGE):
        store.put(LIVE, data)
        found = store.get(LIVE)
        assert found is not None
        assert found.data == data
    store.put("staging/snapshot.json", b"{}")
    store.put(BESIDE, b"{}")
    assert place.open().keys("") == [BESIDE, LIVE, "staging/snapshot.json"]
    assert store.keys("production/") == [BESIDE, LIVE]
    assert store.keys("production/s") == [LIVE]
    assert store.keys("prod*") == []


def test_what_is_large_is_kept_small_where_readers_unpack_it(place: Place) -> None:
    store = place.open()
    store.put(LIVE, LARGE)
    found = store.get(LIVE)
    assert (found.size < len(LARGE) / 10) == (place.kind != "file")


def test_swap_writes_only_over_what_was_read(place: Place) -> None:
    store, other = place.open(), place.open()
    store.swap(LIVE, b"one", None)
    first = store.get(LIVE)
    other.swap(LIVE, b"two", first.token)
    second = store.get(LIVE)
    for stale in (first.token, None):
        with pytest.raises(LostRaceError, match=r"snapshot\.json"):
            store.swap(LIVE, b"three", stale)
    with pytest.raises(LostRaceError):
        store.swap("production/other.json", b"", first.token)
    assert store.get(LIVE).data == b"two"
    assert store.get("production/other.json") is None
    assert second.token != first.token


def test_a_release_writes_what_belongs_beside_it_in_the_same_step_or_not_at_all(place: Place) -> None:
    store = place.open()
    store.put(BESIDE, b"old")
    store.release(LIVE, Release(b"one", {BESIDE: b"beside one"}, ABOUT), None)
    assert store.get(LIVE).data == b"one"
    assert store.get(BESIDE).data == (b"beside one" if place.kind.startswith("redis") else b"old")
    before = store.get(BESIDE).data
    with pytest.raises(LostRaceError):
        store.release(LIVE, Release(b"two", {BESIDE: b"beside two"}, {**ABOUT, "version": "2"}), None)
    assert (store.get(LIVE).data, store.get(BESIDE).data) == (b"one", before)


def test_a_reader_is_told_cheaply_that_nothing_changed(place: Place) -> None:
    writer, reader = place.open(), place.open()
    assert reader.read_if_changed(LIVE, "") is None
    writer.release(LIVE, Release(b"one", {}, ABOUT), None)
    first = reader.read_if_changed(LIVE, "")
    assert first.data == b"one"
    assert reader.read_if_changed(LIVE, first.token) is UNCHANGED
    writer.release(LIVE, Release(b"two", {}, {**ABOUT, "version": "2"}), first.token)
    second = reader.read_if_changed(LIVE, first.token)
    assert second.data == b"two"
    assert reader.read_if_changed(LIVE, second.token) is UNCHANGED
    assert second.modified == pytest.approx(first.modified, abs=60)


def test_the_history_keeps_what_is_there_and_knows_the_newest_version(place: Place) -> None:
    store = place.open()
    assert store.newest("production", 0) == 0
    assert store.newest("production", 4) == 4
    for version in (9, 10):
        store.keep(f"production/history/{version}-abc.json", b"%d" % version)
    store.keep("production/history/10-abc.json", b"other")
    store.keep("production/history/README.json", b"not ours")
    if place.kind.startswith("redis"):
        assert store.keys("") == []
        token = None
        for version in ("9", "10"):
            store.release(LIVE, Release(version.encode(), {}, {**ABOUT, "version": version}), token)
            token = store.get(LIVE).token
        with pytest.raises(LostRaceError):
            store.release(LIVE, Release(b"8", {}, {**ABOUT, "version": "8"}), token)
    else:
        assert store.get("production/history/10-abc.json").data == b"10"
    assert [store.newest("production", live) for live in (0, 8, 9, 12)] == [10, 10, 10, 12]
    assert store.newest("staging", 0) == 0


def test_publishers_of_one_environment_wait_for_each_other_or_need_not(place: Place) -> None:
    store = place.open()
    with store.hold("production"):
        store.swap(LIVE, b"one", None)
        with place.open().hold("staging"):
            pass
    with store.hold("production"):
        store.swap(LIVE, b"two", store.get(LIVE).token)
    assert store.keys("") == [LIVE]


def test_looking_whether_it_can_be_written_to_leaves_nothing_behind(place: Place) -> None:
    place.open().probe()
    assert place.open().keys("") == []


def test_an_object_that_serves_a_while_sees_what_others_write(make_place: Callable[[str], Place], place: Place) -> None:
    store, other = place.open(), place.open()
    for number in range(5):
        found = store.get(LIVE)
        store.swap(LIVE, b"%d" % number, found.token if found else None)
        assert other.get(LIVE).data == b"%d" % number


@pytest.mark.parametrize("cut", [0, 1, 40_000, 140_000, 300_000, -9, None])
def test_what_is_packed_ahead_gives_the_same_bytes(cut: int | None) -> None:
    data = b"".join(b'"flag-%d":{"mark":%d},' % (i, i * i % 977) for i in range(15_000)) + b'"version":7}'
    other = b"x" + data
    expected = [pack.__wrapped__(data), pack.__wrapped__(other)]
    pack_ahead(data[:cut])
    pack.cache_clear()
    assert [pack(data), pack(other)] == expected
    assert [unpack(pack(data), "x"), unpack(pack(other), "x")] == [data, other]


def test_redis_over_tls(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    plain, port = free_port(), free_port()
    tls = ("--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key))
    with redis_server(tmp_path / "redis", plain, *tls, "--tls-auth-clients", "no"):
        options = {"ca_file": str(certificate)}
        assert send(open_store(f"rediss://localhost:{port}/0", Path("/"), options), 1).version == 1
        with pytest.raises(OutsideError, match=r"(?i)certificate"):
            send(open_store(f"rediss://localhost:{port}/0", Path("/")), 2)
