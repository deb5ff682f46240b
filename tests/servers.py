"""Real servers that tests publish to: S3 with conditional writes and without, Redis alone, in a cluster, with Sentinel.

Each is started once for a run (for a worker of pytest-xdist) when a test first asks for it. A `Place` gives each test
a corner of its own.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from flagctl.stores import open_store

BUCKET = "flags"
KINDS = ["file", "s3", "s3-unconditional", "redis", "redis-cluster", "redis-sentinel"]


class Place(NamedTuple):
    """A target that nobody else uses, of one of KINDS."""

    kind: str
    url: str

    def open(self) -> Any:
        """Its store."""
        return open_store(self.url, Path("/"))


def free_port(count: int = 1) -> int:
    """The first of some ports in a row that nobody listens on."""
    while True:
        first = secrets.randbelow(15_000) + 15_000
        try:
            for port in range(first, first + count):
                with socket.socket() as found:
                    found.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first


def answers(url: str) -> bool:
    """Whether an HTTP server answers, whatever it says."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """What the condition gives as soon as that is something."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "the server did not come up in time"
        time.sleep(0.02)
    return found


@contextmanager
def running(*command: str, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is killed in the end."""
    quiet: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, **(quiet | options))
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def ping(port: int, **options: Any) -> bool:
    """Whether a Redis answers."""
    import redis

    try:
        return bool(redis.Redis(port=port, socket_timeout=5, **options).ping())
    except redis.RedisError:
        return False


@contextmanager
def redis_server(folder: Path, port: int, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Redis that keeps nothing on disk."""
    folder.mkdir(parents=True, exist_ok=True)
    common = ("--port", str(port), "--dir", str(folder), "--save", "", "--bind", "127.0.0.1")
    with running("redis-server", *common, *options) as process:
        until(lambda: process.poll() is not None or ping(port))
        assert process.poll() is None
        yield process


@contextmanager
def redis_cluster(folder: Path) -> Iterator[list[int]]:
    """Three nodes that share the slots."""
    from contextlib import ExitStack

    import redis

    first = free_port(3)
    ports = [first, first + 1, first + 2]
    bus = free_port(3)
    with ExitStack() as stack:
        for number, port in enumerate(ports):
            options = ("--cluster-enabled", "yes", "--cluster-port", str(bus + number), "--appendonly", "no")
            stack.enter_context(redis_server(folder / str(port), port, *options))
        nodes = ",".join(f"127.0.0.1:{port}" for port in ports).split(",")
        create = ["redis-cli", "--cluster", "create", *nodes, "--cluster-yes"]
        subprocess.run(create, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        until(lambda: all(redis.Redis(port=p).cluster("info")["cluster_state"] == "ok" for p in ports))
        yield ports


class Sentinel(NamedTuple):
    """A primary and a replica, watched by a Sentinel."""

    port: int
    primary: int
    replica: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """As flagctl takes it."""
        return f"redis+sentinel://127.0.0.1:{self.port}/mymaster/0"


@contextmanager
def redis_sentinel(folder: Path) -> Iterator[Sentinel]:
    """They fail over when the primary is gone for half a second."""
    import redis

    port = free_port(3)
    primary, replica = port + 1, port + 2
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "sentinel.conf"
    file.write_text(
        f"port {port}\nbind 127.0.0.1\nsentinel monitor mymaster 127.0.0.1 {primary} 1\n"
        "sentinel down-after-milliseconds mymaster 500\nsentinel failover-timeout mymaster 2000\n"
    )
    with (
        redis_server(folder / "primary", primary) as process,
        redis_server(folder / "replica", replica, "--replicaof", "127.0.0.1", str(primary)),
        running("redis-server", str(file), "--sentinel"),
    ):
        until(lambda: redis.Redis(port=primary).info("replication").get("slave0", {}).get("state") == "online")
        until(lambda: ping(port))
        until(lambda: redis.Redis(port=port).execute_command("SENTINEL", "replicas", "mymaster"))
        yield Sentinel(port, primary, replica, process)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that both S3 servers take, and nobody else's."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test:tester")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def bucket_at(endpoint: str) -> str:
    """The endpoint, after a bucket was made there."""
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test:tester",
        aws_secret_access_key="testing",
        config=Config(s3={"addressing_style": "path"}),
    )
    client.create_bucket(Bucket=BUCKET)
    return endpoint


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """moto: conditional writes as Amazon's."""
    port = free_port()
    with running(sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)):
        until(lambda: answers(f"http://127.0.0.1:{port}/moto-api/"))
        yield bucket_at(f"http://127.0.0.1:{port}")


@pytest.fixture(scope="session")
def unconditional_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """OpenStack Swift: answers 501 to If-Match."""
    port = free_port(4)
    folder = tmp_path_factory.mktemp("swift")
    script = str(Path(__file__).parent / "swift_server.py")
    process = subprocess.Popen(
        [sys.executable, script, str(folder), str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=(folder / "log").open("wb"),
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        assert process.stdout.readline() == b"ready\n", (folder / "log").read_text()
        yield bucket_at(f"http://127.0.0.1:{port}")
    finally:
        process.stdin.close()
        process.wait(30)


@pytest.fixture(scope="session")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """One Redis."""
    port = free_port()
    with redis_server(tmp_path_factory.mktemp("redis"), port):
        yield port


@pytest.fixture(scope="session")
def cluster_ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[int]]:
    """A cluster of three."""
    with redis_cluster(tmp_path_factory.mktemp("cluster")) as ports:
        yield ports


@pytest.fixture(scope="session")
def sentinel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sentinel]:
    """A Sentinel pair that nobody makes fail over."""
    with redis_sentinel(tmp_path_factory.mktemp("sentinel")) as found:
        yield found


@pytest.fixture
def make_place(request: pytest.FixtureRequest, tmp_path: Path, aws: None) -> Callable[[str], Place]:
    """make_place(kind) -> a Place; its server runs."""

    def make(kind: str) -> Place:
        corner = secrets.token_hex(6)
        if kind == "file":
            return Place(kind, f"file:{tmp_path}/{corner}")
        if kind.startswith("s3"):
            endpoint = request.getfixturevalue("s3_endpoint" if kind == "s3" else "unconditional_endpoint")
            return Place(kind, f"s3://{BUCKET}/{corner}?endpoint={endpoint}")
        if kind == "redis":
            return Place(kind, f"redis://127.0.0.1:{request.getfixturevalue('redis_port')}/0?prefix={corner}")
        if kind == "redis-cluster":
            hosts = ",".join(f"127.0.0.1:{port}" for port in request.getfixturevalue("cluster_ports"))
            return Place(kind, f"redis+cluster://{hosts}?prefix={corner}")
        return Place(kind, f"{request.getfixturevalue('sentinel').url}?prefix={corner}")

    return make


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, make_place: Callable[[str], Place]) -> Place:
    """One of each kind."""
    return make_place(request.param)
