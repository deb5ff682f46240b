"""The module for browsers in a real Chromium, before an OFREP server that answers from a Client of ours."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML
from selenium import webdriver
from snapshots import arms, flag, rule, snapshot, test
from specs import specs
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from web import asgi_server

from flagctl.client import Client
from flagctl.client.middleware import AsgiPreview, Tokens
from flagctl.client.testing import Memory
from flagctl.compile.snapshot import encode

MODULE = Path(__file__).parent.parent / "flagctl/client/browser/flagctl.mjs"
FLAGS = {
    "gallery": flag(default={"serve": "off"}),
    "page": arms(),
    "size": flag(type="integer", variants={"big": 50, "off": 10}, default={"serve": "big"}),
    "box": flag(type="object", variants={"full": {"a": [1]}, "off": {}}, default={"serve": "full"}),
    "german": flag(rules=[rule("de", test("country", "equals", "DE"), serve="on")], default={"serve": "off"}),
}
_REASONS = {"STATIC", "TARGETING_MATCH", "SPLIT", "DISABLED"}


class Ofrep:
    """OFREP over a client, as small as can be; everything it gets and gives is held against the specification."""

    def __init__(self, flags: Client) -> None:
        self.flags = flags
        self.asked: list[tuple[str, str, int]] = []
        self.wrong: list[str] = []
        self.broken = False
        self._components = YAML(typ="safe", pure=True).load(specs("ofrep") / "openapi.yaml")["components"]
        # As its own text says: a code default has no value. As it is written it fits every flag, so that none is valid,
        # and neither is a whole number, which is an integer and a float.
        schemas = self._components["schemas"]
        schemas["codeDefaultFlag"]["not"] = {"required": ["value"]}
        success = schemas["evaluationSuccess"]["allOf"][1]
        success["anyOf"] = success.pop("oneOf")
        paths = {"/ofrep/v1/evaluate/flags": self.all, "/ofrep/v1/evaluate/flags/{key:path}": self.one}
        routes = [Route(path, endpoint, methods=["POST"]) for path, endpoint in paths.items()]
        routes += [Route("/", self.page), Route("/flagctl.mjs", self.module)]
        self.app = Starlette(routes=routes)

    def fits(self, document: Any, name: str) -> Any:
        schema = {"$ref": f"#/components/schemas/{name}", "components": self._components}
        found = jsonschema.Draft202012Validator(schema).iter_errors(document)
        self.wrong += [f"{name}: {error.message}" for error in found]
        return document

    def answer(self, key: str, context: dict[str, Any]) -> dict[str, Any]:
        found = self.flags.details(key, context)
        if found.error_code is not None:
            return {"key": key, "errorCode": found.error_code, "errorDetails": found.error_message}
        reason = found.reason if found.reason in _REASONS else "UNKNOWN"
        return {"key": key, "value": found.value, "variant": found.variant, "reason": reason}

    def note(self, request: Request, status: int) -> int:
        self.asked.append((request.url.path.rpartition("/")[2], request.url.query, status))
        return status

    async def one(self, request: Request) -> Response:
        context = self.fits(await request.json(), "evaluationRequest")["context"]
        answer = self.answer(request.path_params["key"], context)
        missing = answer.get("errorCode") == "FLAG_NOT_FOUND"
        self.fits(answer, "flagNotFound" if missing else "serverEvaluationSuccess")
        return JSONResponse(answer, self.note(request, 404 if missing else 200))

    async def all(self, request: Request) -> Response:
        if self.broken:
            return Response("oops", self.note(request, 500))
        context = self.fits(await request.json(), "bulkEvaluationRequest")["context"]
        answer = self.fits({"flags": [self.answer(key, context) for key in FLAGS]}, "bulkEvaluationSuccess")
        etag = f'"{hashlib.sha256(encode(answer)).hexdigest()[:16]}"'
        if request.headers.get("If-None-Match") == etag:
            return Response(status_code=self.note(request, 304), headers={"ETag": etag})
        return JSONResponse(answer, self.note(request, 200), {"ETag": etag})

    async def page(self, request: Request) -> Response:
        return HTMLResponse("<!doctype html><title>shop</title>")

    async def module(self, request: Request) -> Response:
        return Response(MODULE.read_bytes(), media_type="text/javascript")


@pytest.fixture(scope="module")
def chromium() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for argument in ("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-dev-shm-usage",
                     "disable-background-networking", "disable-component-update", "disable-sync"):  # fmt: skip
        options.add_argument(f"--{argument}")
    service = webdriver.ChromeService(shutil.which("chromedriver") or "chromedriver")
    driver = webdriver.Chrome(options, service)
    driver.set_script_timeout(30)
    yield driver
    driver.quit()


class Tab:
    """A page of the shop in a tab of its own."""

    def __init__(self, chromium: webdriver.Chrome, address: str) -> None:
        self.chromium, self.address = chromium, address
        chromium.switch_to.new_window("tab")
        self.handle = chromium.current_window_handle

    def open(self, query: str = "") -> Tab:
        self.chromium.switch_to.window(self.handle)
        self.chromium.get(f"{self.address}/{query}")
        return self

    def run(self, script: str, options: str = '{context: {targetingKey: "ada"}}') -> Any:
        """What a script gives back that has `flags`; what it throws is an error."""
        self.chromium.switch_to.window(self.handle)
        return self.chromium.execute_async_script(SCRIPT.replace("OPTIONS", options).replace("BODY", script))


SCRIPT = """
const done = arguments[arguments.length - 1];
(async () => {
  const { Flags, parsePreview, mergePreview } = await import("/flagctl.mjs");
  const flags = new Flags(location.origin, OPTIONS);
  return await (async () => { BODY })();
})().then(done, error => done(`thrown: ${error.stack}`));
"""
Shop = Callable[..., tuple[Ofrep, Tab]]


@pytest.fixture
def shop(chromium: webdriver.Chrome) -> Iterator[Shop]:
    """shop(**middleware options) -> the OFREP server, and a tab."""
    with ExitStack() as stack:
        servers = []

        def start(protected: Any = None, **options: Any) -> tuple[Ofrep, Tab]:
            data = encode({**snapshot(FLAGS), "environment": "staging", **(protected or {})})
            client = Client(Memory(data), "staging", cache=False, start=False)
            client.tick()
            ofrep = Ofrep(stack.enter_context(client))
            servers.append(ofrep)
            address = stack.enter_context(asgi_server(AsgiPreview(ofrep.app, client, "s" * 32, **options)))
            return ofrep, Tab(chromium, address)

        yield start
        assert [ofrep.wrong for ofrep in servers] == [[]] * len(servers)
    chromium.delete_all_cookies()


LOOK = "await flags.load(); return [flags.enabled('gallery'), flags.details('page', '').variant, flags.said];"


def test_flags_in_a_page(shop: Shop) -> None:
    ofrep, tab = shop()
    found = tab.open().run(
        """
        const before = flags.details("gallery", true);
        const loaded = await flags.load();
        return [before.value, before.errorCode, loaded, flags.enabled("gallery"), flags.value("page", ""),
                flags.value("size", 20), flags.value("box", {}), flags.value("size", "text"), flags.value("none", 7),
                flags.details("size", true).errorCode, flags.details("none").errorCode,
                flags.value("constructor", 1), flags.enabled("__proto__")];
        """
    )
    assert found == [True, "PROVIDER_NOT_READY", True, False, "A", 50, {"a": [1]}, "text", 7, "TYPE_MISMATCH",
                     "FLAG_NOT_FOUND", 1, False]  # fmt: skip
    found = tab.run(
        """
        const one = await flags.evaluate("german", false, {country: "DE"});
        const none = await flags.evaluate("no such/flag?", 7);
        return [one.value, one.reason, none.value, none.errorCode, (await flags.evaluate("size", "x")).errorCode];
        """
    )
    assert found == [True, "TARGETING_MATCH", 7, "FLAG_NOT_FOUND", "TYPE_MISMATCH"]
    assert {query for _, query, _ in ofrep.asked} == {""}


def test_a_preview_lasts_as_long_as_the_tab(shop: Shop) -> None:
    ofrep, ada = shop()
    bob = Tab(ada.chromium, ada.address)
    # The page itself stands behind the middleware too: its cookie must not leak into what other tabs are answered.
    assert ada.open("?preview_flags=gallery:true,page:b").run(LOOK) == [True, "b", "active gallery=on page=b"]
    assert ofrep.asked[-1][1] == "preview_flags=gallery%3Atrue%2Cpage%3Ab"
    assert ada.open("?other=1").run(LOOK) == [True, "b", "active gallery=on page=b"], "sessionStorage carries it"
    assert bob.open().run(LOOK) == [False, "a", ""], "another tab has a session of its own"
    assert ada.open("?flag_page=c").run(LOOK)[:2] == [True, "c"]
    assert ada.open("?flag_gallery=").run(LOOK)[:2] == [False, "c"]
    assert ada.open("?flag_nonsense=1").run(LOOK)[2] == "active page=c; ignored nonsense=unknown-flag"
    one = ada.run("return (await flags.evaluate('page', '')).variant")
    assert one == "c", "a single question carries it too"
    assert ada.open("?preview_flags=").run(LOOK) == [False, "a", ""]
    assert ada.open().run("return [flags.preview, sessionStorage.length]") == [{}, 1]


def test_answers_are_kept_with_their_etag_and_for_their_context_only(shop: Shop) -> None:
    ofrep, tab = shop()
    tab.open().run("await flags.load(); await flags.load();")
    tab.open()
    assert tab.run("return flags.value('size', 0)") == 50, "the next page has them before it asks"
    assert tab.run("return [await flags.load(), flags.value('size', 0)]") == [True, 50]
    assert [status for _, _, status in ofrep.asked] == [200, 304, 304]
    other = '{context: {targetingKey: "bob"}}'
    assert tab.run("return flags.value('size', 0)", other) == 0
    ofrep.broken = True
    found = tab.run(
        """
        const same = await flags.load(), size = flags.value("size", 0);
        const changed = await flags.load({targetingKey: "bob"});
        return [same, size, changed, flags.value("size", 0)];
        """
    )
    assert found == [False, 50, False, 0], "a failure keeps ada's answers, and bob never gets them"
    assert tab.run("flags.setPreview('page:b'); await flags.load(); return flags.value('page', 'mine')") == "mine"


def test_whatever_the_server_does_the_callers_default_is_answered(shop: Shop) -> None:
    _, tab = shop()
    found = tab.open().run(
        """
        const { Flags: Any } = await import("/flagctl.mjs");
        const results = [];
        const answers = [() => { throw new TypeError("offline") }, async () => new Response("<html>"),
          async () => new Response("null"), async () => new Response('{"flags": 7}'), async () => Response.error(),
          async () => new Response('{"flags": [null]}'), async () => new Response("{}", {status: 401}),
          (_, {signal}) => new Promise((_, no) => signal.addEventListener("abort", () => no(signal.reason)))];
        for (const answer of answers) {
          window.fetch = answer;
          const flags = new Any("https://nowhere.example", {context: {targetingKey: "x"}, timeout: 50});
          results.push([await flags.load(), flags.value("size", 20), (await flags.evaluate("size", 21)).value]);
        }
        return results;
        """
    )
    assert found == [[False, 20, 21]] * 8


def test_a_browser_that_forbids_storage_previews_the_page_alone(shop: Shop) -> None:
    _, tab = shop()
    tab.open("?flag_gallery=true")
    tab.run(
        "Object.defineProperty(window, 'sessionStorage', {get() { throw new DOMException('no', 'SecurityError') }})"
    )
    assert tab.run(LOOK)[:2] == [True, "a"]
    assert tab.open().run(LOOK)[:2] == [True, "a"], "the first look, before it was forbidden, was kept"


@pytest.mark.parametrize(
    ("before", "query", "after"),
    [
        ("", "preview_flags=a:true,b:x", "a:true,b:x"),
        ("a:true", "preview_flags=b:x", "b:x"),
        ("a:true", "preview_flags=", ""),
        ("a:true", "preview_flags=nonsense", "a:true"),
        ("a:true", "flag_b=x&flag_a=", "b:x"),
        ("a:true", "flag_=x&flags=y", "a:true"),
        ("", "preview_flags=a:1&flag_b=2", "a:1,b:2"),
        ("", "preview_flags=%20a%20:%20on%20,:x,b:", "a:on"),
        ("", "preview_flags=a:b:c", "a:b:c"),
    ],
)
def test_the_module_and_the_middleware_read_a_query_alike(shop: Shop, before: str, query: str, after: str) -> None:
    from flagctl.client.previews import _merged, _wishes
    from flagctl.client.scope import parse_preview

    _, tab = shop()
    script = f"return [...mergePreview(parsePreview({before!r}), {query!r})].map(pair => pair.join(':')).join(',')"
    assert tab.open().run(script) == after
    merged = _merged(parse_preview(before), _wishes(query), [])
    assert ",".join(f"{key}:{variant}" for key, variant in merged.items()) == after


def test_a_protected_environment_asks_for_a_token(shop: Shop) -> None:
    import time

    import jwt

    protected = {"protected": True, "preview": {"claim": "preview"}}
    _, tab = shop(protected, tokens=Tokens(secret="h" * 40, audience="shop"))
    token = jwt.encode({"aud": "shop", "exp": int(time.time()) + 60, "preview": True}, "h" * 40, "HS256")
    assert tab.open("?flag_gallery=true").run(LOOK) == [False, "a", "refused no-token"]
    for given in (f"'{token}'", f"async () => '{token}'"):
        options = f"{{context: {{targetingKey: 'ada'}}, token: {given}}}"
        assert tab.run(LOOK, options) == [True, "a", "active gallery=on"]
    assert tab.run(LOOK) == [False, "a", "refused no-token"], "no cookie was kept"


def test_with_cookies_the_tab_still_has_the_last_word(shop: Shop) -> None:
    _, tab = shop()
    options = '{context: {targetingKey: "ada"}, credentials: "same-origin"}'
    assert tab.open("?flag_gallery=true").run(LOOK, options)[0] is True
    assert tab.run("flags.setPreview('');" + LOOK, options) == [False, "a", "ended"]
