"""How long publishing takes beside the bare uploads of the same bytes, and how soon a Redis subscriber has a version.

    python benchmarks/publish.py [--flags 10000] [--runs 5]

Starts moto (S3) and redis-server on this machine. Publishing, building and each bare upload is a fresh process with
warm caches; each figure is the median of several rounds of all of them. In each round one flag has changed, and flagd's
engine is asked first, as is the default in a protected environment: about what changed, and in a line of its own about
all flags. The exit code is 1 when a limit is missed: 1.5 times the sum of the bare uploads and the build; 20 ms for 100
flags, 200 ms for 10,000.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from generate import generate

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

UPLOADS = {
    "to the folder": """
for i, data in enumerate(pieces):
    with open(f"{target}/{i}.part", "wb") as file:
        file.write(data)
        os.fsync(file.fileno())
    os.replace(f"{target}/{i}.part", f"{target}/{i}")
""",
    "to S3": """
import boto3
from botocore.config import Config
config = Config(s3={"addressing_style": "path"})
client = boto3.client("s3", endpoint_url=target, region_name="us-east-1", config=config)
for i, data in enumerate(pieces):
    client.put_object(Bucket="flags", Key=f"bare/{i}", Body=data)
""",
    "to Redis": """
import redis
client = redis.Redis(port=int(target))
for i, data in enumerate(pieces):
    client.set(f"bare/{i}", data)
""",
}
PUBLISH, UNTESTED = "publish", "publish --no-self-test"
COLD = "publish, all flags self-tested anew"
"""As from a clone whose first publish it is, but for the other caches."""
READ = "import os, sys\ntarget, *files = sys.argv[1:]\npieces = [open(file, 'rb').read() for file in files]\n"

SUBSCRIBER = """
import gc, sys, time
gc.disable()
from pathlib import Path
import msgspec
from flagctl.stores import open_reader
store = open_reader(sys.argv[1], Path("/"))
watch = store.watch("production")
watch.wait(0)
print("ready", flush=True)
token = ""
while True:
    if watch.wait(60):
        found = store.read_if_changed("production/snapshot.json", token)
        document = msgspec.json.decode(found.data, type=dict[str, msgspec.Raw])
        flags = msgspec.json.decode(document["flags"], type=dict[str, msgspec.Raw])  # each is parsed on first use
        token = found.token
        print(msgspec.json.decode(document["version"]), time.monotonic_ns(), flush=True)
"""


def timed(folder: Path, *command: str) -> float:
    """Seconds that `python COMMAND` takes; its failure ends the benchmark."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    done = subprocess.run([sys.executable, *command], cwd=folder, env=environ, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"python {command[:4]} ended with {done.returncode}:\n{done.stderr.decode()}")
    return time.perf_counter() - start


def publishing(flags: int, runs: int, work: Path, endpoint: str, port: int) -> bool:
    """Print the table of publishing; whether it is within the limit."""
    repository = work / "repository"
    generate(repository, 3 * flags)
    settings = repository / "flags/flagctl.yaml"
    targets = f'["file:published", "s3://flags/shop?endpoint={endpoint}", "redis://127.0.0.1:{port}/0"]'
    settings.write_text(settings.read_text().replace('["file:published"]', targets))
    git = ("git", "-C", str(repository), "-c", "user.name=x", "-c", "user.email=x@example.com")
    commit = [[*git, "add", "-A"], [*git, "commit", "-qm", "Flags"]]
    for command in ([*git, "init", "-q", "-b", "main"], *commit):
        subprocess.run(command, check=True)
    flagctl = ("-m", "flagctl")
    publish = (*flagctl, "publish", "production")
    timed(repository, *publish)
    flag = next((repository / "flags/production").rglob("flag-*.yaml"))
    places = {"to the folder": str(work / "bare"), "to S3": endpoint, "to Redis": str(port)}
    (work / "bare").mkdir()
    rounds: dict[str, list[float]] = {}

    def change(words: str) -> None:
        lines = flag.read_text().splitlines()
        found = [f"description: {words}." if line.startswith("description:") else line for line in lines]
        flag.write_text("\n".join(found) + "\n")
        for command in commit:
            subprocess.run(command, check=True)
        timed(repository, *flagctl, "check")  # the cache is warm, as after `check` in CI

    for number in range(runs):
        change(f"Round {number}")
        rounds.setdefault("build", []).append(timed(repository, *flagctl, "build", "production", "-o", "out.json"))
        rounds.setdefault(PUBLISH, []).append(timed(repository, *publish))
        for name, code in UPLOADS.items():
            rounds.setdefault(name, []).append(
                timed(work, "-c", READ + code, places[name], *pieces(name, repository, work))
            )
        change(f"Round {number}, once more")
        rounds.setdefault(UNTESTED, []).append(timed(repository, *publish, "--no-self-test"))
        change(f"Round {number}, and again")
        for passed in repository.glob(".git/flagctl/*.selftest"):
            passed.unlink()
        rounds.setdefault(COLD, []).append(timed(repository, *publish))
    return report(rounds, repository, flags)


def pieces(name: str, repository: Path, work: Path) -> list[str]:
    """Files with the bytes that publishing puts into a place: snapshot, history entry, flagd definition."""
    from flagctl.stores.packing import pack

    published = repository / "published/production"
    snapshot, flagd = published / "snapshot.json", published / "flagd.json"
    small = {}
    for file in (snapshot, flagd):
        small[file] = work / f"{file.stem}.gz"
        small[file].write_bytes(pack(file.read_bytes()))
    found = {
        "to the folder": [snapshot, snapshot, flagd],
        "to S3": [small[snapshot], small[snapshot], flagd],
        "to Redis": [small[snapshot], small[flagd]],
    }
    return [str(file) for file in found[name]]


def report(rounds: dict[str, list[float]], repository: Path, flags: int) -> bool:
    """Print what was measured."""
    median = {name: statistics.median(seconds) for name, seconds in rounds.items()}
    published = repository / "published/production"
    sizes = {file.name: file.stat().st_size for file in published.glob("*.json")}
    print(f"{flags} flags: " + ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in sorted(sizes.items())))
    done = subprocess.run(
        [sys.executable, "-m", "flagctl", "publish", "production", "-n", "--json"],
        cwd=repository, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for receipt in json.loads(done.stdout)["receipts"]:
        kept = receipt["stored_bytes"] or 0
        print(f"  {receipt['target'].partition(':')[0]:6} keeps the snapshot in {100 * kept / receipt['bytes']:.1f} %")
    bare = sum(median[name] for name in ("build", *UPLOADS))
    for name, seconds in median.items():
        ratio = f"  {seconds / bare:5.2f} x (build + uploads)" if name in (PUBLISH, UNTESTED, COLD) else ""
        print(f"{name:36}{seconds * 1000:8.0f} ms{ratio}")
    print(f"{PUBLISH}: limit 1.5 x (build + uploads)")
    return median[PUBLISH] < 1.5 * bare


def latency(flags: int, limit: float, count: int, url: str) -> bool:
    """Print how long it takes from `publish` to a subscriber that holds the parsed snapshot."""
    from flagctl.compile.snapshot import snapshot
    from flagctl.files.repository import read_repository
    from flagctl.files.walk import DiskTree
    from flagctl.publish.draft import Draft, makers
    from flagctl.publish.publish import publish
    from flagctl.stores import open_store

    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder), 3 * flags)
        repository = read_repository(DiskTree(Path(folder))).repository
    store: Any = open_store(url, Path("/"))
    command = [sys.executable, "-c", SUBSCRIBER, url]
    waits = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as subscriber:
        assert subscriber.stdout is not None
        assert subscriber.stdout.readline() == "ready\n"
        for number in range(count):
            document = snapshot(
                repository.environments["production"],
                repository.settings,
                repository.attributes,
                commit=f"{number:040x}",
            )
            next(iter(document["flags"].values()))["metadata"]["description"] = f"Round {number}."
            draft = Draft(document, beside=makers(repository.settings, None))
            draft.prepare()  # as the command does before it looks at the first target
            start = time.monotonic_ns()
            receipt = publish(draft, store, is_ancestor=lambda a, b: True, elapsed=lambda: 0.0, allow_older=True)
            version, at = map(int, subscriber.stdout.readline().split())
            assert version == receipt.version
            waits.append((at - start) / 1e6)
        subscriber.kill()
    median = statistics.median(waits)
    print(
        f"{flags:6} flags, publish to subscriber: median {median:.1f} ms, worst {max(waits):.1f} ms  (limit {limit:g})"
    )
    return median < limit


def main() -> int:
    """See above."""
    from servers import answers, bucket_at, free_port, redis_server, running, until

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flags", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--latency-only", action="store_true", help="only how soon a subscriber has a version")
    said = parser.parse_args()
    os.environ |= {"AWS_ACCESS_KEY_ID": "test:tester", "AWS_SECRET_ACCESS_KEY": "testing"}
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        s3, port = free_port(), free_port()
        stack.enter_context(running(sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(s3)))
        stack.enter_context(redis_server(work / "redis", port))
        until(lambda: answers(f"http://127.0.0.1:{s3}/moto-api/"))
        good = [said.latency_only or publishing(said.flags, said.runs, work, bucket_at(f"http://127.0.0.1:{s3}"), port)]
        for flags, limit, count in ((100, 20, 50), (said.flags, 200, 10)):
            good.append(latency(flags, limit, count, f"redis://127.0.0.1:{port}/1?prefix=bench-{flags}"))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
