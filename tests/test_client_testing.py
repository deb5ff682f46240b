"""What tests of applications use: chosen answers, clients without a source, and pytest's fixture."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from snapshots import arms, flag, snapshot

from flagctl.client import Client
from flagctl.client.testing import Flags, from_folder, override
from flagctl.compile.snapshot import encode
from flagctl.errors import ProblemsError, UsageError


@pytest.fixture
def flags() -> Iterator[Client]:
    data = encode(snapshot({"gallery": flag(default={"serve": "off"}), "page": arms()}))
    with Client("file:none", "production", bootstrap=data, cache=False, start=False) as client:
        yield client


def in_a_thread(function: Any) -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def test_one_client_answers_what_the_test_says_in_its_own_thread(flags: Client) -> None:
    with Flags() as other, override(flags, {"gallery": True, "page-size": 50}):
        assert flags.enabled("gallery") is True
        assert flags.value("page-size", default=20) == 50, "also of a flag there is not"
        assert flags.variant("page") == "a", "other flags answer as ever"
        assert flags.details("gallery").rule == "forced"
        with override(flags, {"gallery": False}):
            assert flags.enabled("gallery") is False
        assert flags.enabled("gallery") is True
        assert other.enabled("gallery") is False
        assert in_a_thread(lambda: flags.enabled("gallery")) is False
    assert flags.enabled("gallery") is False
    assert flags.value("page-size", default=20) == 20


def test_without_a_client_all_of_them_do_in_all_threads(flags: Client) -> None:
    with override({"gallery": True}), Flags({"gallery": False}) as later:
        assert flags.enabled("gallery") is True
        assert later.enabled("gallery") is True, "one that was opened inside the block"
        assert in_a_thread(lambda: flags.enabled("gallery")) is True
        with override(flags, {"gallery": False}):
            assert (flags.enabled("gallery"), later.enabled("gallery")) == (False, True)
        with override({"gallery": 7}):
            assert flags.value("gallery", default=0) == 7
    assert (flags.enabled("gallery"), later.enabled("gallery")) == (False, False)


def test_blocks_may_end_in_another_order_than_they_began(flags: Client) -> None:
    one, two = override({"gallery": True}), override({"page": "mine"})
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    assert (flags.enabled("gallery"), flags.value("page", default="")) == (False, "mine")
    two.__exit__(None, None, None)
    assert flags.value("page", default="") == "A"


@pytest.mark.parametrize("everywhere", [False, True])
def test_it_stands_before_functions_and_coroutines(flags: Client, everywhere: bool) -> None:
    before = override({"gallery": True}) if everywhere else override(flags, {"gallery": True})

    @before
    def plain(number: int) -> tuple[int, bool]:
        return number, flags.enabled("gallery")

    @before
    async def waiting(number: int) -> tuple[int, bool]:
        await asyncio.sleep(0)
        return number, flags.enabled("gallery")

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(waiting(1), waiting(2), asyncio.to_thread(plain, 3))

    assert plain(1) == plain(1) == (1, True)
    assert asyncio.run(all_at_once()) == [(1, True), (2, True), (3, True)]
    assert flags.enabled("gallery") is False
    assert plain.__name__ == "plain"
    assert waiting.__name__ == "waiting"


def test_it_ends_when_the_test_fails(flags: Client) -> None:
    with pytest.raises(LookupError), override({"gallery": True}):
        raise LookupError
    assert flags.enabled("gallery") is False


@pytest.mark.parametrize("arguments", [({"a": 1}, {"b": 2}), (Flags(),)])
def test_what_is_no_override(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(UsageError, match="takes values, or a client and values"):
        override(*arguments)


def test_a_client_of_flags_that_a_test_says() -> None:
    with Flags({"gallery": True, "checkout": "treatment", "size": 5, "rate": 0.5, "box": {"a": [1]}}) as flags:
        assert flags.enabled("gallery") is True
        assert flags.variant("checkout") == flags.value("checkout", default="") == "treatment"
        assert (flags.value("size", default=1), flags.value("rate", default=1.0)) == (5, 0.5)
        assert flags.value("box", default={}) == {"a": [1]}
        details = flags.details("gallery", user="ada")
        assert (details.reason, details.variant, details.error_code) == ("STATIC", "on", None)
        assert flags.value("nothing", default="x") == "x"
        with flags.preview("gallery:off"):
            assert flags.enabled("gallery") is False
        heard: list[str] = []
        flags.on_change("size", heard.append)
        flags.set({"size": 6})
        assert in_a_thread(lambda: flags.value("size", default=1)) == 6
        flags.unset("size")
        assert flags.details("size").error_code == "FLAG_NOT_FOUND"
        assert heard == ["size", "size"]
        assert threading.active_count() == 1 or not [t for t in threading.enumerate() if t.name == "flagctl-client"]
        with pytest.raises(UsageError, match="size has no value"):
            flags.set({"size": None})


def test_a_client_of_the_files_as_they_lie_there(repo: Path) -> None:
    with from_folder(repo, "production") as flags:
        assert flags.enabled("wishlist-gallery", email="ada@example.com") is True
        assert flags.protected is True
        assert flags.details("wishlist-gallery", email="ada@example.com").rule == "staff"
    with pytest.raises(UsageError, match='no environment "nowhere"'):
        from_folder(repo, "nowhere")
    with pytest.raises(UsageError, match=r"no flags/flagctl\.yaml"):
        from_folder(repo.parent, "production")
    (repo / "flags/production/broken.yaml").write_text("description: [")
    with pytest.raises(ProblemsError, match=r"flags/production/broken\.yaml"):
        from_folder(repo, "production")


def test_pytest_has_the_fixture(flagctl_flags: Flags) -> None:
    assert flagctl_flags.enabled("gallery") is False
    flagctl_flags.set({"gallery": True})
    assert flagctl_flags.enabled("gallery") is True
    assert flagctl_flags.keys() == ["gallery"], "and nothing of another test"


USER = """
import sys

def test_before():
    loaded = [name for name in sys.modules if name.startswith("flagctl")]
    assert loaded == ["flagctl", "flagctl.pytest_plugin"], loaded
    assert not {"msgspec", "mmh3", "re2", "redis", "cryptography"} & set(sys.modules)

def test_first(flagctl_flags):
    flagctl_flags.set({"gallery": True})
    assert flagctl_flags.enabled("gallery")

def test_second(flagctl_flags):
    assert not flagctl_flags.enabled("gallery")
"""


def test_the_plugin_costs_runs_that_do_not_use_it_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_user.py").write_text(USER)
    plugin = ["-p", "flagctl.pytest_plugin"]  # what an installed flagctl adds; others' plugins may load anything
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugin, "--rootdir", str(tmp_path), str(tmp_path / "test_user.py")],
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
