"""What a service imports, as seen from outside: mypy finds its types, and what is not installed is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SERVICE = """
from collections.abc import Callable
from typing import assert_type
from uuid import UUID

from flagctl.client import Client, Details, Event
from flagctl.client.aio import AsyncClient
from flagctl.client.middleware import AsgiPreview, Tokens
from flagctl.client.provider import FlagctlProvider
from flagctl.client.recorder import Batch, Recorder
from flagctl.client.sinks import Call, JsonLines, Redis
from flagctl.client.testing import Flags, override

flags = Client("redis://cache", environment="production", public_keys={"release": "ssh-ed25519 AAAA"})
assert_type(flags.enabled("gallery", {"plan": "pro"}, user="ada", country="DE"), bool)
assert_type(flags.variant("page", user=1), str | None)
assert_type(flags.value("size", default=20), int)
assert_type(flags.value("box", default={"a": [1]}), dict[str, list[int]])
assert_type(flags.details("size", default=20), Details)
assert_type(flags.on_change("size", print), Callable[[], None])


class Mine:
    def write(self, mine: Batch) -> None: ...


Recorder(flags, sinks=[JsonLines("rows"), Redis("redis://cache"), Call(print), Mine()])
FlagctlProvider(flags, track=lambda name, context, details: None)
tokens = Tokens(audience="shop", secret="s" * 32)


@override(flags, {"gallery": True})
def page(number: int) -> str:
    return ""


@override({"gallery": True})
async def later() -> int:
    return 1


assert_type(page(1), str)


async def service() -> None:
    async with await AsyncClient.open("redis://cache", "production", wait=1) as client:
        assert_type(client, AsyncClient)
    assert_type(await later(), int)


def heard(event: Event) -> None:
    assert_type(event.keys, tuple[str, ...])


with flags.preview("gallery:true"), flags.frozen(), Flags({"gallery": True}) as forced:
    assert_type(forced, Flags)
flags.enabled(gallery=True)  # type: ignore[call-arg]
flags.value("size")  # type: ignore[call-arg]
flags.enabled("gallery", user=UUID("12345678123456781234567812345678"))  # type: ignore[arg-type]
"""


def test_a_service_is_checked_strictly(tmp_path: Path) -> None:
    (tmp_path / "service.py").write_text(SERVICE)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "service.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "Success: no issues found in 1 source file\n")


@pytest.mark.parametrize(
    ("lacks", "code", "said"),
    [
        ("openfeature", "import flagctl.client.provider", 'pip install "flagctl[openfeature]"'),
        ("opentelemetry", "import flagctl.client.telemetry", 'pip install "flagctl[telemetry]"'),
        ("jwt", "flagctl.client.tokens.Tokens(audience='shop', jwks='keys.json')", 'pip install "flagctl[preview]"'),
        ("polars", "flagctl.client.sinks.Parquet('rows')", 'pip install "flagctl[batch]"'),
    ],
)
def test_what_is_not_installed_is_told_where_it_is_needed(lacks: str, code: str, said: str) -> None:
    script = f"""
import sys
sys.modules[{lacks!r}] = None
import flagctl.client.sinks, flagctl.client.tokens
try:
    {code}
except (ModuleNotFoundError, flagctl.errors.UsageError) as error:
    print(error, getattr(error, "hint", ""))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said in done.stdout
