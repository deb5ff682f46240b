"""One target among several that fails: it is told, the others have their turn, and running it again ends right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from servers import free_port, redis_server
from test_store_hangs import hanging

from flagctl.cli.formats.verified import ago
from flagctl.errors import FlagctlError, OutsideError, RefusedError, UsageError
from flagctl.publish.several import Failure, Job, each
from flagctl.stores.masking import named

Run = Callable[..., Any]
TARGETS = ["file:a", "file:b", "file:c"]


@pytest.fixture
def three(repo: Path, git: Run) -> Path:
    """The small repository with three targets, where Ada may break glass."""
    settings = repo / "flags/flagctl.yaml"
    text = settings.read_text().replace('["file:published"]', json.dumps(TARGETS))
    settings.write_text(f"{text}    break_glass: [ada@example.com]\n")
    git(repo, "commit", "-qam", "Three targets")
    return repo


def block(repo: Path, folder: str) -> Callable[[], None]:
    """Put a file where a target's folder was; gives back what undoes it."""
    place, aside = repo / folder, repo / f"{folder}.aside"
    if place.exists():
        place.rename(aside)
    place.write_text("a file")

    def undo() -> None:
        place.unlink()
        if aside.exists():
            aside.rename(place)

    return undo


def outcomes(done: Any) -> dict[str, str]:
    """What a run says of each target."""
    said = json.loads(done.stdout)
    receipts = {receipt["target"]: receipt["outcome"] for receipt in said["receipts"]}
    return receipts | {failure["target"]: "failed" for failure in said["failures"]}


def versions(repo: Path) -> list[int]:
    return [json.loads((repo / at / "production/snapshot.json").read_bytes())["version"] for at in "abc"]


def test_the_targets_behind_one_that_fails_are_published_to(three: Path, flagctl: Run) -> None:
    undo = block(three, "b")
    done = flagctl("publish", "production", "--json")
    assert (done.returncode, outcomes(done)) == (
        4,
        dict(zip(TARGETS, ["published", "failed", "published"], strict=True)),
    )
    assert "error: production -> file:b: can't" in done.stderr
    assert "hint: a file stands where a folder is needed" in done.stderr
    assert "1 of 3 targets failed; the others are done" in done.stderr
    undo()
    done = flagctl("publish", "production", "--json")
    assert (done.returncode, outcomes(done)) == (
        0,
        dict(zip(TARGETS, ["unchanged", "published", "unchanged"], strict=True)),
    )


def test_a_canary_is_settled_where_a_run_before_did_not_come(three: Path, flagctl: Run) -> None:
    assert flagctl("publish", "production").returncode == 0
    assert flagctl("set", "wishlist-edit", "-e", "production", "--off", "-r", "try").returncode == 0
    assert flagctl("publish", "production", "--canary", "10%").returncode == 0
    undo = block(three, "a")
    done = flagctl("publish", "production", "--promote-canary", "--json")
    assert (done.returncode, outcomes(done)) == (
        4,
        dict(zip(TARGETS, ["failed", "published", "published"], strict=True)),
    )
    undo()
    done = flagctl("publish", "production", "--promote-canary", "--json")
    assert (done.returncode, outcomes(done)) == (0, {"file:a": "published"})
    assert "left as it is: there is no canary of production at file:b" in done.stderr
    assert versions(three) == [3, 3, 3]
    done = flagctl("publish", "production", "--abort-canary")
    assert (done.returncode, done.stderr.count("there is no canary")) == (5, 1), "none anywhere is a mistake"


def test_glass_is_broken_wherever_it_can_be(three: Path, flagctl: Run) -> None:
    assert flagctl("publish", "production").returncode == 0
    block(three, "a")
    done = flagctl("kill", "wishlist-edit", "-e", "production", "--reason", "orders fail", "--yes", "--json")
    assert (done.returncode, outcomes(done)) == (
        4,
        dict(zip(TARGETS, ["failed", "published", "published"], strict=True)),
    )
    assert "turned wishlist-edit off in production, BUT NOT AT file:a, until" in done.stderr
    for at in "bc":
        live = json.loads((three / at / "production/snapshot.json").read_bytes())
        assert live["flags"]["wishlist-edit"]["enabled"] is False


def test_glass_is_broken_elsewhere_while_a_target_hangs(three: Path, flagctl: Run, git: Run, tmp_path: Path) -> None:
    """The servers say nothing until the flag is off at the folder; then they are gone, and the kill may end."""
    assert flagctl("publish", "production").returncode == 0
    with hanging(b"") as port:
        settings = three / "flags/flagctl.yaml"
        target = f"redis://127.0.0.1:{port}/0?timeout=60"
        settings.write_text(settings.read_text().replace(json.dumps(TARGETS), json.dumps([target, "file:c"])))
        git(three, "commit", "-qam", "One that hangs")
        command = [sys.executable, "-m", "flagctl", "kill", "wishlist-edit", "-e", "production", "-r", "x", "--yes"]
        with subprocess.Popen(command, cwd=three, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "production -> file:c: published version 2, after version 1\n"
            assert process.poll() is None, "it still waits for the other"
            process.kill()


def test_who_reads_no_further_stops_no_publish(three: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "flagctl", "publish", "production"]
    done = subprocess.run(command, cwd=three, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, versions(three)) == (141, [1, 1, 1]), done.stderr


def raising(error: FlagctlError) -> Callable[[], Any]:
    def act() -> Any:
        raise error

    return act


def jobs(*acts: Callable[[], Any]) -> list[Job]:
    return [Job("production", f"file:{number}", act) for number, act in enumerate(acts)]


@pytest.mark.parametrize(
    ("errors", "kind", "told"),
    [
        ([OutsideError("x"), None], OutsideError, "1 of 2 targets failed; the others are done"),
        ([None, RefusedError("x")], RefusedError, "1 of 2 targets failed; the others are done"),
        ([RefusedError("x"), OutsideError("y")], OutsideError, "2 of 2 targets failed; nothing was done at any"),
        ([UsageError("x"), RefusedError("y"), None], RefusedError, "2 of 3 targets failed"),
        ([OutsideError("alone")], OutsideError, "^alone$"),
    ],
)
@pytest.mark.parametrize("at_once", [False, True])
def test_one_error_in_the_end_stands_for_all(errors: list[Any], kind: type, told: str, at_once: bool) -> None:
    found: list[Any] = []

    def run() -> Iterator[Any]:
        yield from each(jobs(*(raising(one) if one else lambda: "done" for one in errors)), at_once=at_once)  # type: ignore[arg-type, return-value]

    with pytest.raises(kind, match=told) as caught:
        found.extend(run())
    assert type(caught.value) is kind
    if len(errors) > 1:
        failures = sorted(one.error for one in found if isinstance(one, Failure))
        assert failures == sorted(one.message for one in errors if one)
        assert found.count("done") == errors.count(None)


def test_at_once_means_that_nobody_waits_for_another() -> None:
    over = threading.Event()
    first, second = each(jobs(lambda: over.wait(30) and "late", lambda: over.set() or "early"), at_once=True)  # type: ignore[arg-type, return-value]
    assert sorted([str(first), str(second)]) == ["early", "late"]


def test_two_places_of_one_url_have_names_of_their_own(repo: Path, flagctl: Run, git: Run, tmp_path: Path) -> None:
    port = free_port()
    with redis_server(tmp_path / "redis", port):
        redis.Redis(port=port).config_set("requirepass", "s3cr3t")
        url = f"redis://127.0.0.1:{port}/0"
        targets = [{"url": url, "prefix": prefix, "password_env": "REDIS_WORD"} for prefix in ("one", "two")]
        settings = repo / "flags/flagctl.yaml"
        settings.write_text(settings.read_text().replace('["file:published"]', json.dumps(targets)))
        git(repo, "commit", "-qam", "Two places")
        word = {"REDIS_WORD": "s3cr3t"}
        names = [f"{url}?prefix=one", f"{url}?prefix=two"]
        # The name that is shown, and the URL that settings say, both bring the options of settings with them.
        for target, found in ((names[0], names[:1]), (url, names)):
            done = flagctl("publish", "production", "--target", target, "--json", env=word)
            assert done.returncode == 0, done.stderr
            assert [receipt["target"] for receipt in json.loads(done.stdout)["receipts"]] == found
            assert flagctl("verify", target, env=word).returncode == 0
        assert [row["target"] for row in json.loads(flagctl("target", "list", "--json").stdout)["targets"]] == names


@pytest.mark.parametrize(
    ("url", "options", "shown"),
    [
        ("s3://b/x", {"endpoint": "http://h:9", "timeout": 3}, "s3://b/x?endpoint=http://h:9"),
        ("s3://b/x?region=r", {"endpoint": "http://u:s3cr3t@h"}, "s3://b/x?region=r&endpoint=http://***@h"),
        ("redis://:s3cr3t@h/0", {"prefix": "p", "password_env": "V"}, "redis://***@h/0?prefix=p"),
        ("file:a?b", {}, "file:a?b"),
    ],
)
def test_what_makes_it_another_place_is_in_its_name(url: str, options: dict[str, Any], shown: str) -> None:
    assert named(url, options) == shown


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(-1, "just now"), (-59, "just now"), (-7300, "in 2 hours, by its own clock"), (130, "2 minutes ago")],
)
def test_a_place_whose_clock_is_ahead(seconds: int, told: str) -> None:
    assert ago(seconds) == told
