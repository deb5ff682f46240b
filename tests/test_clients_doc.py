"""What docs/clients.md tells people to write works, one block after the other, with the sample repository published."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from web import Browser, asgi_server, wsgi_server

from flagctl.client.testing import Flags

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs/clients.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture
def sample(tmp_path: Path, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch, flagctl: Run) -> Path:
    """The sample repository with production published to its folder; the working directory."""
    root = tmp_path / "sample"
    for folder in ("flags", "schema"):
        shutil.copytree(ROOT / folder, root / folder)
    git(tmp_path, "init", "-q", "-b", "main", str(root))
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "Start")
    assert flagctl("publish", "production", cwd=root).returncode == 0
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def run(sample: Path) -> Iterator[Callable[[str], dict[str, Any]]]:
    """run(words) -> the names in force after the next block, in which these words stand."""
    held: dict[str, Any] = {}
    waiting = list(BLOCKS)

    def next_block(words: str) -> dict[str, Any]:
        block = waiting.pop(0)
        assert words in block
        exec(compile(block.replace("redis://cache:6379/0", f"file:{sample}/published"), words, "exec"), held)
        return held

    yield next_block
    assert not waiting, "a block that nobody ran"
    held["flags"].close()
    held["api"].shutdown()
    held["api"].clear_providers()


def test_every_block(run: Callable[[str], dict[str, Any]], sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = run("import Client")
    flags = names["flags"]
    assert (flags.origin, names["arm"]) == ("source", flags.variant("checkout-flow", user="ada"))
    assert (names["details"].value, names["details"].reason) == (50, "DEFAULT")
    assert flags.enabled("wishlist-gallery", user="ada", country="DE") is flags.enabled(
        "wishlist-gallery", {"targetingKey": "ada", "country": "DE"}
    )

    run("on_change")
    live = sample / "published/production/snapshot.json"
    document = json.loads(live.read_text())
    document["version"] += 1
    document["flags"]["wishlist-limit"]["variants"]["small"] = 30
    live.write_text(json.dumps(document, sort_keys=True, separators=(",", ":")))
    assert flags.refresh()
    assert "wishlist-limit may answer differently" in capsys.readouterr().out

    run("FlagctlProvider")
    assert names["limit"] == 30

    run("AsyncClient")
    assert asyncio.run(names["service"]()) is flags.enabled("wishlist-gallery", user="ada")

    names["wsgi_app"], names["asgi_app"] = application(flags)
    run("AsgiPreview")
    for server, app in ((wsgi_server, names["wsgi_app"]), (asgi_server, names["asgi_app"])):
        with server(app) as address:
            answer = Browser(address).get("/?preview_flags=checkout-flow:express")
            assert (answer.text, answer.preview) == (flags.variant("checkout-flow", user="ada"), "refused no-token")
    with flags.preview("wishlist-gallery:true"):
        assert flags.enabled("wishlist-gallery")

    run("Recorder")
    for number in range(200):
        flags.variant("checkout-flow", user=f"user-{number}", country="DE", app_version="2.5.0", user_agent="Firefox")
    names["recorder"].flush()
    rows = [json.loads(line) for line in (sample / "exposures.jsonl").read_text().splitlines()]
    assert len(rows) > 5
    assert {row["flag"] for row in rows} == {"checkout-flow"}
    assert all(row["attributes"] == {"country": "DE"} for row in rows)
    assert names["usage"]["flags"]["checkout-flow"]["evaluations"] >= 1

    run("flagctl_flags")
    with Flags() as empty:
        names["test_the_gallery_is_shown"](empty)
    names["test_five_items"]()
    assert flags.value("wishlist-limit", default=20) == 30


def application(flags: Any) -> tuple[Any, Any]:
    """One for WSGI and one for ASGI that answer with a variant."""

    def wsgi(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [flags.variant("checkout-flow", user="ada").encode()]

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": flags.variant("checkout-flow", user="ada").encode()})

    return wsgi, asgi


def test_its_links_and_options_are_there() -> None:
    from inspect import signature

    from flagctl.client import Client

    options = set(re.findall(r"`(\w+)=[^`]*`", TEXT)) - {"user"}
    assert {
        "public_keys",
        "bootstrap",
        "cache",
        "refresh",
        "audience",
        "canary",
        "on_event",
        "wait",
        "require",
    } <= options
    assert options <= set(signature(Client.__init__).parameters)
    assert (ROOT / "flagctl/client/browser/flagctl.mjs").is_file()
    assert len(TEXT.splitlines()) <= 150
