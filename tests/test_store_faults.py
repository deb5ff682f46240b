"""What goes wrong between a publisher and a server: nothing is told to be done that isn't, and a retry ends right."""

from __future__ import annotations

import json
import re
import secrets
import signal
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from proxy import faulty_s3
from publisher import LIVE, send
from servers import Place, Sentinel, free_port, redis_sentinel, redis_server, until
from test_store_hangs import hanging

from flagctl.errors import FlagctlError, OutsideError, RefusedError
from flagctl.stores import open_store, s3_client


def version(store: Any) -> int | None:
    found = store.get(LIVE)
    return found and json.loads(found.data)["version"]


def fails(call: Callable[[], Any]) -> bool:
    try:
        call()
    except OutsideError:
        return True
    return False


@pytest.fixture
def faulty(make_place: Callable[[str], Place], monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Place, list[str]]]:
    """A place in S3 behind a faulty connection, and the faults to come."""
    monkeypatch.setattr(s3_client, "_ATTEMPTS", 2)
    with faulty_s3(make_place("s3").url, "PUT") as (url, faults):
        yield Place("s3", url), faults


@pytest.mark.parametrize("fault", ["500", "503", "lost", "done but lost", "silence", "done but silent"])
def test_one_failure_of_s3_is_got_over(faulty: tuple[Place, list[str]], fault: str) -> None:
    place, faults = faulty
    assert send(place.open(), 1).version == 1
    faults.append(fault)
    receipt = send(place.open(), 2)
    assert (receipt.outcome, receipt.version, faults) == ("published", 2, [])
    assert version(place.open()) == 2


@pytest.mark.parametrize(
    ("fault", "words"),
    [("500", "the service failed, also when it was asked again .not now"), ("503", "fewer requests"),
     ("lost", "can't write production/snapshot.json"),
     ("silence", "can't write production/snapshot.json .* Read timeout")],
)  # fmt: skip
def test_lasting_failures_of_s3_are_told_and_what_was_live_is_live(
    faulty: tuple[Place, list[str]], fault: str, words: str
) -> None:
    place, faults = faulty
    send(place.open(), 1)
    faults += [fault] * 2
    with pytest.raises(OutsideError, match=words):
        send(place.open(), 2)
    assert version(place.open()) == 1
    assert place.open().keys("production/history/2-") == []
    assert send(place.open(), 2).version == 2


def test_s3_that_took_it_but_never_could_say_so_is_asked_what_is_live(faulty: tuple[Place, list[str]]) -> None:
    place, faults = faulty
    send(place.open(), 1)
    faults += ["done but lost", "silence"]
    assert send(place.open(), 2).outcome == "published"
    assert version(place.open()) == 2


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://no-such-bucket-here/x?endpoint={s3}", "there is no such bucket"),
        ("s3://flags/x?endpoint=http://127.0.0.1:1", "is it running"),
        ("redis://127.0.0.1:1/0", "is it running"),
        ("redis+sentinel://127.0.0.1:1/mymaster", "the Sentinels know no primary"),
        ("redis+cluster://127.0.0.1:1", "is it running"),
    ],
)
def test_who_is_not_there_is_named(
    s3_endpoint: str, aws: None, monkeypatch: pytest.MonkeyPatch, url: str, words: str
) -> None:
    monkeypatch.setattr(s3_client, "_ATTEMPTS", 1)
    store = open_store(url.format(s3=s3_endpoint), Path("/"))
    for call in (lambda: store.get(LIVE), lambda: store.put(LIVE, b""), store.probe):
        with pytest.raises(OutsideError) as caught:
            call()
        assert words in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://flags/x?endpoint=http://127.0.0.1:{}", "what answers there is no S3 service"),
        ("redis://127.0.0.1:{}/0", "what answers there is no Redis"),
        ("redis+cluster://127.0.0.1:{}", "is the address right?"),
    ],
)
def test_who_is_somebody_else_is_told(aws: None, url: str, words: str) -> None:
    with hanging(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") as port, pytest.raises(OutsideError) as caught:
        open_store(url.format(port), Path("/")).put(LIVE, b"")
    assert words in f"{caught.value.message} {caught.value.hint}"


def test_what_the_library_prints_of_sentinels_is_not_shown() -> None:
    with pytest.raises(OutsideError) as caught:
        open_store("redis+sentinel://127.0.0.1:1/mymaster", Path("/")).get(LIVE)
    assert "ConnectionError" in caught.value.message
    assert "<" not in caught.value.message


@pytest.mark.parametrize("form", ["redis://127.0.0.1:{}/0", "redis+cluster://127.0.0.1:{}"])
def test_a_wrong_password_is_told_and_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setenv("SOME_PASSWORD", "wr0ng-one")
    port = free_port()
    with redis_server(tmp_path, port):
        redis.Redis(port=port).config_set("requirepass", "the-right-one")
        store = open_store(form.format(port), Path("/"), {"password_env": "SOME_PASSWORD"})
        with pytest.raises(OutsideError, match="it doesn't accept user and password") as caught:
            store.get(LIVE)
    assert "password_env" in caught.value.hint
    assert "wr0ng" not in caught.value.message


def test_a_clock_that_is_wrong_is_told(make_place: Callable[[str], Place], monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore import auth

    store, now = make_place("s3-unconditional").open(), auth.get_current_datetime
    monkeypatch.setattr(auth, "get_current_datetime", lambda *more: now(*more) + timedelta(hours=3))
    with pytest.raises(OutsideError, match="the clock here is wrong") as caught:
        send(store, 1)
    assert "timedatectl" in caught.value.hint


def test_without_conditional_writes_publishing_says_so_or_refuses_as_settings_choose(
    make_place: Callable[[str], Place],
) -> None:
    place = make_place("s3-unconditional")
    receipt = send(place.open(), 1)
    assert "no conditional writes" in receipt.caution
    refusing = open_store(place.url, Path("/"), {"races": "refuse"})
    with pytest.raises(RefusedError, match="two publishers could overwrite each other") as caught:
        send(refusing, 2)
    assert "races: lease" in caught.value.hint
    assert version(place.open()) == 1


def test_s3_gets_what_settings_say(make_place: Callable[[str], Place]) -> None:
    place = make_place("s3")
    options = {"storage_class": "STANDARD_IA", "kms_key": "alias/flags", "cache_control": "max-age=10"}
    store: Any = open_store(place.url, Path("/"), options)
    send(store, 1)
    found = store.client.head_object(**store.place(LIVE))
    said = (found["StorageClass"], found["ServerSideEncryption"], found["SSEKMSKeyId"], found["CacheControl"])
    assert said == ("STANDARD_IA", "aws:kms", "alias/flags", "max-age=10")


def test_a_wrong_secret_key_is_told_and_not_shown(
    make_place: Callable[[str], Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = make_place("s3-unconditional")  # Swift checks signatures
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t-and-wrong")
    with pytest.raises(OutsideError, match="secret key") as caught:
        send(place.open(), 1)
    assert "s3cr3t" not in f"{caught.value.message} {caught.value.hint}"


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A Redis of one's own to do harm to."""
    port = free_port()
    with redis_server(tmp_path / "redis", port) as process:
        yield port, process


def test_redis_without_memory_keeps_what_was_live(own_redis: tuple[int, Any]) -> None:
    port, _ = own_redis
    store = open_store(f"redis://127.0.0.1:{port}/0", Path("/"))
    send(store, 1)
    admin = redis.Redis(port=port)
    before = {key: admin.dump(key) for key in admin.scan_iter()}
    admin.config_set("maxmemory", 1)
    with pytest.raises(OutsideError, match="out of memory") as caught:
        send(store, 2)
    assert "maxmemory" in caught.value.hint
    assert {key: admin.dump(key) for key in admin.scan_iter()} == before
    admin.config_set("maxmemory", 0)
    assert send(store, 2).version == 2


def test_a_replica_is_told_from_a_primary(sentinel: Sentinel) -> None:
    store = open_store(f"redis://127.0.0.1:{sentinel.replica}/0?prefix={secrets.token_hex(4)}", Path("/"))
    for call in (lambda: send(store, 1), store.probe):
        with pytest.raises(OutsideError, match="replica") as caught:
            call()
        assert "redis+sentinel://" in caught.value.hint


def test_a_key_that_holds_something_else_stops_a_publish_before_anything_is_written(redis_port: int) -> None:
    prefix = secrets.token_hex(4)
    store = open_store(f"redis://127.0.0.1:{redis_port}/0?prefix={prefix}", Path("/"))
    admin = redis.Redis(port=redis_port)
    admin.set(f"{prefix}:{{production}}:versions", "mine")
    with pytest.raises(OutsideError, match="WRONGTYPE"):
        send(store, 1)
    assert admin.keys(f"{prefix}:*") == [f"{prefix}:{{production}}:versions".encode()]


def test_who_may_write_but_not_tell_is_told(redis_port: int) -> None:
    prefix = secrets.token_hex(4)
    admin = redis.Redis(port=redis_port)
    admin.acl_setuser("mute", enabled=True, passwords=["+s3cr3t"], keys=["*"], commands=["+@all"], reset_channels=True)
    url = f"redis://mute:s3cr3t@127.0.0.1:{redis_port}/0?prefix={prefix}"
    receipt = send(open_store(url, Path("/")), 1)
    assert receipt.version == 1
    assert "subscribers were not told" in receipt.caution
    assert "s3cr3t" not in repr(receipt)
    wrong = open_store(url.replace("s3cr3t", "guessed-s3cr3t"), Path("/"))
    with pytest.raises(OutsideError, match="user and password") as caught:
        send(wrong, 2)
    assert "s3cr3t" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("kind", ["redis", "redis-cluster"])
def test_a_user_with_the_rights_that_are_asked_for_can_publish(
    make_place: Callable[[str], Place], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    url = make_place(kind).url.replace("prefix=", "prefix=flagctl:")
    ports = re.findall(r"127\.0\.0\.1:(\d+)", url)
    name = secrets.token_hex(4)
    monkeypatch.setenv("WORD", "s3cr3t")

    def allow(*rights: str) -> None:
        for port in ports:
            redis.Redis(port=int(port)).execute_command("ACL", "SETUSER", name, "reset", "on", ">s3cr3t", *rights)

    def store() -> Any:
        return open_store(url, Path("/"), {"username": name, "password_env": "WORD"})

    allow("~flagctl:*", "+@connection", "+info", "+cluster")
    with pytest.raises(OutsideError, match="its user lacks a right") as caught:
        send(store(), 1)
    asked = re.findall(r"[~&+][^\s;]+", caught.value.hint)
    assert "+@write" in asked
    allow(*asked)
    store().probe()
    assert send(store(), 1).caution == ""


class Cutting(socketserver.BaseRequestHandler):
    """Hands bytes on to Redis; cuts the connection after the script was answered, or before it is sent, or hangs."""

    upstream: int
    cuts: list[str]

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.upstream)) as redis_side:
            while data := self.request.recv(1 << 20):
                cut = self.cuts.pop(0) if b"XADD" in data and self.cuts else ""
                if cut == "silence":
                    threading.Event().wait(30)
                if cut in ("before", "silence"):
                    return
                redis_side.sendall(data)
                answer = redis_side.recv(1 << 20)
                if cut == "half":
                    self.request.sendall(answer[:3])
                    threading.Event().wait(30)
                if cut in ("after", "half"):
                    return
                self.request.sendall(answer)


@pytest.mark.parametrize(
    ("cuts", "published"),
    [(["before"], True), (["after"], True), (["after"] + ["before"] * 9, True), (["before"] * 9, False),
     (["silence"], False), (["half"], True)],
)  # fmt: skip
def test_an_answer_of_redis_that_got_lost(redis_port: int, cuts: list[str], published: bool) -> None:
    handler = type("Handler", (Cutting,), {"upstream": redis_port, "cuts": []})
    prefix = secrets.token_hex(4)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        store = open_store(f"redis://127.0.0.1:{server.server_address[1]}/0?prefix={prefix}&timeout=1", Path("/"))
        send(store, 1)
        handler.cuts[:] = cuts  # type: ignore[attr-defined]
        if published:
            assert send(store, 2).outcome == "published"
        else:
            with pytest.raises(OutsideError):
                send(store, 2)
        assert version(store) == (2 if published else 1)
        handler.cuts.clear()  # type: ignore[attr-defined]
        assert send(store, 2).version == 2
        server.shutdown()


def test_a_failover_in_the_midst_loses_nothing_that_was_told_to_be_published(tmp_path: Path) -> None:
    with redis_sentinel(tmp_path) as found:
        store = open_store(f"{found.url}?timeout=2", Path("/"))
        told = [send(store, mark).version for mark in range(1, 6)]
        found.process.send_signal(signal.SIGKILL)
        found.process.wait()
        failures: list[FlagctlError] = []

        def again() -> Any:
            try:
                return send(store, 6)
            except FlagctlError as error:
                failures.append(error)
                return None

        until(lambda: failures or again())
        until(lambda: redis.Redis(port=found.replica).info("replication")["role"] == "master")
        until(lambda: not fails(store.probe))
        assert version(store) in (told[-1], told[-1] + 1), "the new primary lacks what was confirmed"
        # It has no replica yet, and says so rather than promise what a second failover would lose.
        for _ in range(2):
            with pytest.raises(OutsideError, match="0 of 1 replicas confirmed it"):
                send(store, 7)
        with redis_server(tmp_path / "primary", found.primary, "--replicaof", "127.0.0.1", str(found.replica)):
            until(lambda: redis.Redis(port=found.replica).info("replication").get("connected_slaves"))
            until(lambda: redis.Redis(port=found.primary).info("replication")["master_link_status"] == "up")
            until(lambda: not fails(store.probe))
            last = send(store, 8)
            assert last.version > told[-1]
            assert version(store) == last.version
    assert all(isinstance(error, OutsideError) for error in failures)


def test_slots_that_move_while_somebody_publishes(cluster_ports: list[int]) -> None:
    prefix = secrets.token_hex(4)
    hosts = ",".join(f"127.0.0.1:{port}" for port in cluster_ports)
    store = open_store(f"redis+cluster://{hosts}?prefix={prefix}", Path("/"))
    send(store, 1)
    nodes = {port: redis.Redis(port=port) for port in cluster_ports}
    slot = nodes[cluster_ports[0]].execute_command("CLUSTER", "KEYSLOT", "{production}")
    names = {port: node.execute_command("CLUSTER", "MYID") for port, node in nodes.items()}
    here = next(port for port, node in nodes.items() if node.execute_command("CLUSTER", "COUNTKEYSINSLOT", slot))
    there = next(port for port in cluster_ports if port != here)
    nodes[there].execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", names[here])
    nodes[here].execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", names[there])
    keys = nodes[here].execute_command("CLUSTER", "GETKEYSINSLOT", slot, 10_000)
    mine = sorted(key for key in keys if key.startswith(prefix.encode()))
    move = ("MIGRATE", "127.0.0.1", there, "", 0, 5000, "KEYS")
    nodes[here].execute_command(*move, mine[0])
    with pytest.raises(OutsideError, match="on the move"):
        send(store, 2)
    nodes[here].execute_command(*move, *[key for key in keys if key != mine[0]])
    for port in (there, here):
        nodes[port].execute_command("CLUSTER", "SETSLOT", slot, "NODE", names[there])
    assert send(store, 2).version == 2
    assert version(store) == 2
    assert set(nodes[there].keys(f"{prefix}:*")) >= set(mine)


def test_a_subscriber_is_told_and_finds_what_it_missed(redis_port: int) -> None:
    prefix = secrets.token_hex(4)
    store: Any = open_store(f"redis://127.0.0.1:{redis_port}/0?prefix={prefix}", Path("/"))
    send(store, 1)
    token = store.get(LIVE).token
    told, fresh = store.watch("production", token), store.watch("production")
    assert (told.wait(0.05), fresh.wait(0.05), fresh.wait(0.05)) == (False, True, False)
    send(store, 2)
    assert (told.wait(5), told.wait(0.05)) == (True, False)
    redis.Redis(port=redis_port).client_kill_filter(_type="pubsub")
    send(store, 3)
    missed = []
    for _ in range(3):
        try:
            missed.append(told.wait(0.05))
        except OutsideError:
            missed.append("cut off")
    assert missed.count(True) == 1
    send(store, 4)
    started = time.monotonic()
    assert told.wait(30)
    assert time.monotonic() - started < 20
    told.close()
    fresh.close()
