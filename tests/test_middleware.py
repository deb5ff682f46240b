"""Previews in a browser: the same story before a real ASGI server and a real WSGI server, with real cookies."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import subprocess
import sys
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from conftest import SMALL
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from snapshots import arms, flag, snapshot
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from web import Browser, asgi_server, wsgi_server

from flagctl.client import Client
from flagctl.client.cookie import Kept, Seal
from flagctl.client.middleware import AsgiPreview, WsgiPreview
from flagctl.client.previews import Asked, Previews
from flagctl.client.tokens import TokenError, Tokens
from flagctl.compile.snapshot import encode
from flagctl.errors import UsageError
from flagctl.signing import PrivateKey, public_line

SECRET, OLD = "s" * 32, "o" * 32
FLAGS = {"gallery": flag(default={"serve": "off"}), "page": arms()}
NOW = 1_800_000_000
CLAIM = {"claim": "groups", "value": "release"}


def client_of(folder: Path, environment: str = "staging", **parts: Any) -> Client:
    data = encode({**snapshot(FLAGS), "environment": environment, **parts})
    return Client(f"file:{folder}/none", environment, bootstrap=data, cache=False, start=False)


@pytest.fixture
def flags(tmp_path: Path) -> Iterator[Client]:
    with client_of(tmp_path) as client:
        yield client


@pytest.fixture
def production(tmp_path: Path) -> Iterator[Client]:
    with client_of(tmp_path, "production", protected=True, preview=CLAIM) as client:
        yield client


def answers(flags: Client) -> str:
    return f"gallery={flags.enabled('gallery')} page={flags.variant('page')}"


def starlette_app(flags: Client) -> Any:
    together = asyncio.Barrier(8)

    async def page(request: Request) -> PlainTextResponse:
        return PlainTextResponse(answers(flags), headers={"Cache-Control": "public, max-age=60"})

    def page_in_a_thread(request: Request) -> PlainTextResponse:
        return PlainTextResponse(answers(flags))

    async def stream(request: Request) -> StreamingResponse:
        async def parts() -> Any:
            for _ in range(3):
                await asyncio.sleep(0)
                yield answers(flags) + "\n"

        return StreamingResponse(parts())

    async def meet(request: Request) -> PlainTextResponse:
        before = answers(flags)
        await asyncio.wait_for(together.wait(), 30)  # all eight are in the middle of their request now
        assert answers(flags) == before
        return PlainTextResponse(before)

    paths = {"/": page, "/thread": page_in_a_thread, "/stream": stream, "/meet": meet}
    return Starlette(routes=[Route(path, endpoint) for path, endpoint in paths.items()])


def wsgi_app(flags: Client) -> Any:
    together = threading.Barrier(8, timeout=30)

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Cache-Control", "public, max-age=60")])
        path = environ["PATH_INFO"]
        if path == "/stream":
            return (answers(flags).encode() + b"\n" for _ in range(3))
        if path == "/meet":
            before = answers(flags)
            together.wait()
            assert answers(flags) == before
        return [answers(flags).encode()]

    return app


Serve = Callable[..., str]
BOTH = {"asgi": (starlette_app, AsgiPreview, asgi_server), "wsgi": (wsgi_app, WsgiPreview, wsgi_server)}


@pytest.fixture(params=BOTH)
def serve(request: pytest.FixtureRequest) -> Iterator[Serve]:
    """serve(client, **options) -> the address of a real server with the middleware before an application."""
    make, middleware, server = BOTH[request.param]
    served = []
    with ExitStack() as stack:

        def start(flags: Client, secrets: Any = SECRET, **options: Any) -> str:
            served.append(flags)
            return stack.enter_context(server(middleware(make(flags), flags, secrets, **options)))

        yield start
    assert [client._scopes for client in served] == [0] * len(served), "a preview outlived its request"


PLAIN = "gallery=False page=a"


def test_a_developer_looks_at_a_page_that_is_not_there_yet(flags: Client, serve: Serve) -> None:
    address = serve(flags)
    ada, bob = Browser(address), Browser(address)
    assert (ada.get("/").text, ada.get("/").preview) == (PLAIN, None)

    first = ada.get("/?preview_flags=gallery:true,page:b")
    assert (first.text, first.preview) == ("gallery=True page=b", "active gallery=on page=b")
    assert first.headers["Cache-Control"] == "no-store, private", "no cache may show it to anybody else"
    assert "HttpOnly; SameSite=Lax" in (first.cookie or "")
    assert "Max-Age" not in (first.cookie or ""), "it ends with the browser"

    again = ada.get("/?other=parameter")
    assert (again.text, again.cookie) == ("gallery=True page=b", None), "the cookie carries it"
    assert (bob.get("/").text, bob.get("/").headers["Cache-Control"]) == (PLAIN, "public, max-age=60")

    assert ada.get("/?flag_page=c").text == "gallery=True page=c", "one flag more, or another variant of it"
    assert ada.get("/?flag_gallery=").preview == "active page=c", "one less"
    assert ada.get("/?preview_flags=gallery:on").preview == "active gallery=on", "these and no others"

    last = ada.get("/?preview_flags=")
    assert (last.text, last.preview, ada.cookies()) == (PLAIN, "ended", {})
    assert (ada.get("/").text, ada.get("/").preview) == (PLAIN, None)


def test_what_there_is_not_is_ignored_and_told(flags: Client, serve: Serve) -> None:
    ada = Browser(serve(flags))
    first = ada.get("/?preview_flags=galery:true,page:zzz&flag_gallery=true")
    assert first.text == "gallery=True page=a"
    assert first.preview == "active gallery=on; ignored galery=unknown-flag; ignored page=unknown-variant"
    assert ada.get("/").preview == "active gallery=on"
    assert ada.get("/?preview_flags=nonsense").preview == "active gallery=on; ignored preview_flags=no-pairs"
    bob = Browser(ada.address)
    assert (bob.get("/?flag_id=7").preview, bob.cookies()) == ("ignored id=unknown-flag", {})


@pytest.mark.parametrize(
    "evil", ["a%0d%0aSet-Cookie:%20x=1", "%0aX-Evil:1", "%ff%fe", "é", "x" * 3000, "%00", "a%3b b=c"]
)
def test_no_header_can_be_smuggled_in(flags: Client, serve: Serve, evil: str) -> None:
    answer = Browser(serve(flags)).get(f"/?preview_flags={urlsafe(evil)}:true&flag_{urlsafe(evil)}=1")
    assert answer.status == 200
    assert answer.preview is not None
    assert set(answer.preview.replace("; ", " ").split()) <= {
        "ignored", "?=unknown-flag", "preview_flags=no-pairs", "a=unknown-flag", "X-Evil=unknown-flag",
    }  # fmt: skip
    assert answer.cookie is None
    assert "X-Evil" not in answer.headers


def urlsafe(text: str) -> str:
    return text.replace("é", "%C3%A9").replace(" ", "%20")


@pytest.mark.parametrize("path", ["/stream", "/thread"])
def test_it_holds_until_the_last_byte(flags: Client, serve: Serve, path: str) -> None:
    answer = Browser(serve(flags)).get(f"{path}?flag_gallery=true")
    assert set(answer.text.split("\n")) - {""} == {"gallery=True page=a"}


def test_requests_at_the_same_time_do_not_see_each_others_preview(flags: Client, serve: Serve) -> None:
    address = serve(flags)
    wanted = [f"gallery={on} page={arm}" for on in (True, False) for arm in "abca"]

    def ask(number: int) -> str:
        on, arm = number < 4, "abca"[number % 4]
        return Browser(address).get(f"/meet?preview_flags=gallery:{str(on).lower()},page:{arm}").text

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == wanted


def test_an_application_that_fails_leaves_no_preview_behind(flags: Client) -> None:
    def fails(environ: Any, start_response: Any) -> Any:
        raise LookupError(answers(flags))

    def fails_later(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        yield b"a"
        raise LookupError(answers(flags))

    environ = {"QUERY_STRING": "flag_gallery=true"}
    with pytest.raises(LookupError, match="gallery=True"):
        WsgiPreview(fails, flags, SECRET)(dict(environ), lambda *_: None)
    body: Any = WsgiPreview(fails_later, flags, SECRET)(dict(environ), lambda *_: None)
    assert next(body) == b"a"
    with pytest.raises(LookupError, match="gallery=True"):
        next(body)
    body.close()
    body.close()
    assert (answers(flags), flags._scopes) == (PLAIN, 0)


def test_a_websocket_has_it_too(flags: Client) -> None:
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": answers(flags)})

    async def keep(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "scheme": "wss", "query_string": b"flag_gallery=true", "headers": []}
    asyncio.run(AsgiPreview(app, flags, SECRET)(scope, None, keep))  # type: ignore[arg-type]
    assert sent[1]["text"] == "gallery=True page=a"
    assert dict(sent[0]["headers"])[b"x-flagctl-preview"] == b"active gallery=on"
    assert dict(sent[0]["headers"])[b"set-cookie"].endswith(b"; Secure")


# The cookie


def cookie_of(flags: Client, secret: Any = SECRET, **more: Any) -> str:
    kept = Kept(**{"environment": flags.environment, "flags": {"gallery": "on"}} | more)
    return f"flagctl_preview={Seal(secret).write(kept)}"


@pytest.mark.parametrize(
    ("secrets", "said"),
    [
        (SECRET, "active gallery=on"),
        ([OLD, SECRET], "active gallery=on"),
        ([SECRET, OLD], "active gallery=on"),
        (OLD, "ignored cookie=bad-signature"),
    ],
)
def test_secrets_are_changed_one_after_the_other(flags: Client, serve: Serve, secrets: Any, said: str) -> None:
    assert Browser(serve(flags, secrets)).get("/", Cookie=cookie_of(flags)).preview == said


@pytest.mark.parametrize("secret", ["", "short", [], ["s" * 31], ["s" * 32, "x"]])
def test_a_secret_that_can_be_guessed_is_none(flags: Client, secret: Any) -> None:
    with pytest.raises(UsageError, match="32 bytes"):
        Previews(flags, secret)


def test_no_byte_of_a_cookie_can_be_changed(flags: Client) -> None:
    good = cookie_of(flags)
    start = len("flagctl_preview=")
    previews = Previews(flags, SECRET)
    assert previews.decide(Asked("", good, "", False)).flags == {"gallery": "on"}
    for position in range(start, len(good)):
        for letter in "A_.":
            bad = good[:position] + letter + good[position + 1 :]
            if bad != good:
                assert not previews.decide(Asked("", bad, "", False)).flags, bad
        assert not previews.decide(Asked("", good[:position], "", False)).flags


@given(st.text(alphabet='abc.=-_%;\\"\x00é😀', max_size=40))
def test_no_cookie_of_a_stranger_raises(text: str) -> None:
    assert Seal(SECRET).read(text) is None


def test_too_many_flags_are_refused_and_what_was_stays(tmp_path: Path) -> None:
    many = {f"flag-{number:03}-{'x' * 60}": flag() for number in range(60)}
    data = encode({**snapshot(many | FLAGS), "environment": "staging"})
    with Client("file:none", "staging", bootstrap=data, cache=False, start=False) as client:
        previews = Previews(client, SECRET)
        query = "preview_flags=" + ",".join(f"{key}:on" for key in many)
        found = previews.decide(Asked(query, cookie_of(client), "", False))
        assert (dict(found.flags), found.headers[0][1]) == (
            {"gallery": "on"},
            "active gallery=on; refused too-many-flags",
        )


def test_a_query_of_a_stranger_is_answered_in_few_words(flags: Client) -> None:
    query = "preview_flags=" + ",".join(f"f{number}:x" for number in range(20_000)) + ",gallery:on"
    found = Previews(flags, SECRET).decide(Asked(query, "", "", False))
    assert found.flags == {"gallery": "on"}
    assert len(found.headers[0][1]) <= 1000
    assert found.headers[0][1].startswith("active gallery=on; ignored f0=unknown-flag; ignored f1=unknown-flag")


# Protected environments


class Signers:
    """Keys of an identity provider, and what it publishes of them."""

    def __init__(self) -> None:
        self.rsa, self.other = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
        self.ec = ec.generate_private_key(ec.SECP256R1())
        self.pem = self.rsa.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        public = [("RS256", "r1", self.rsa), ("ES256", "e1", self.ec)]
        keys = [self.jwk(algorithm, key) | {"kid": name} for algorithm, name, key in public]
        self.jwks = encode({"keys": [*keys, {"kty": "OKP", "crv": "Ed25519", "x": "AA"}, {"kty": "RSA"}, 7]})

    @staticmethod
    def jwk(algorithm: str, key: Any) -> dict[str, Any]:
        found: dict[str, Any] = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
        return found


@pytest.fixture(scope="module")
def signers() -> Signers:
    return Signers()


def now() -> int:
    return int(time.time())


def claims(**other: Any) -> dict[str, Any]:
    given = {"aud": "shop", "iss": "https://login", "exp": now() + 600, "groups": ["staff", "release"], **other}
    return {name: value for name, value in given.items() if value is not None}


def token(key: Any, algorithm: str, kid: str | None = None, **other: Any) -> str:
    return jwt.encode(claims(**other), key, algorithm, headers={"kid": kid} if kid else None)


def confused(signers: Signers) -> str:
    """Signed by HMAC with the public key, which everybody has; made by hand, since PyJWT will not."""
    head = f"{part({'alg': 'HS256', 'kid': 'r1', 'typ': 'JWT'})}.{part(claims())}"
    return f"{head}.{part(hmac.new(signers.pem, head.encode(), hashlib.sha256).digest())}"


HS = "h" * 40
TOKENS: dict[str, tuple[Callable[[Signers], str], str]] = {
    "RS256": (lambda s: token(s.rsa, "RS256", "r1"), "active"),
    "ES256": (lambda s: token(s.ec, "ES256", "e1"), "active"),
    "no kid": (lambda s: token(s.ec, "ES256"), "active"),
    "several audiences": (lambda s: token(s.ec, "ES256", aud=["other", "shop"]), "active"),
    "claim as words": (lambda s: token(s.ec, "ES256", groups="staff release"), "active"),
    "claim as one value": (lambda s: token(s.ec, "ES256", groups="release"), "active"),
    "alg none": (lambda s: jwt.encode(claims(), None, "none"), "refused token-algorithm"),
    "alg none with a kid": (lambda s: jwt.encode(claims(), None, "none", {"kid": "r1"}), "refused token-algorithm"),
    "public key as secret": (confused, "refused token-algorithm"),
    "a secret where keys are": (lambda s: token(HS, "HS256"), "refused token-algorithm"),
    "RS512": (lambda s: token(s.rsa, "RS512", "r1"), "refused token-algorithm"),
    "PS256": (lambda s: token(s.rsa, "PS256", "r1"), "refused token-algorithm"),
    "another's key": (lambda s: token(s.other, "RS256", "r1"), "refused token-signature"),
    "another's key without kid": (lambda s: token(s.other, "RS256"), "refused token-signature"),
    "the kid of another key": (lambda s: token(s.ec, "ES256", "r1"), "refused token-algorithm"),
    "unknown kid": (lambda s: token(s.rsa, "RS256", "r9"), "refused token-unknown-key"),
    "expired": (lambda s: token(s.rsa, "RS256", "r1", exp=now() - 60), "refused token-expired"),
    "no end": (lambda s: token(s.rsa, "RS256", "r1", exp=None), "refused token-lacks-a-claim"),
    "not yet": (lambda s: token(s.rsa, "RS256", "r1", nbf=now() + 300), "refused token-not-yet-valid"),
    "wrong audience": (lambda s: token(s.rsa, "RS256", "r1", aud="blog"), "refused token-audience"),
    "no audience": (lambda s: token(s.rsa, "RS256", "r1", aud=None), "refused token-lacks-a-claim"),
    "wrong issuer": (lambda s: token(s.rsa, "RS256", "r1", iss="https://evil"), "refused token-issuer"),
    "no issuer": (lambda s: token(s.rsa, "RS256", "r1", iss=None), "refused token-lacks-a-claim"),
    "wrong claim": (lambda s: token(s.rsa, "RS256", "r1", groups=["staff"]), "refused token-claim"),
    "no claim": (lambda s: token(s.rsa, "RS256", "r1", groups=None), "refused token-claim"),
    "part of the claim": (lambda s: token(s.rsa, "RS256", "r1", groups="release-not"), "refused token-claim"),
    "a changed payload": (lambda s: spoilt(token(s.rsa, "RS256", "r1", groups=["staff"])), "refused token-signature"),
    "no token": (lambda s: "x.y", "refused token-damaged"),
    "nothing": (lambda s: "", "refused token-damaged"),
    "far too long": (lambda s: "a" * 9000, "refused token-too-long"),
}


def spoilt(good: str) -> str:
    head, _, signature = good.split(".")
    return ".".join([head, jwt.encode(claims(), HS, "HS256").split(".")[1], signature])


@pytest.fixture
def tokens(signers: Signers, tmp_path: Path) -> Tokens:
    place = tmp_path / "jwks.json"
    place.write_bytes(signers.jwks)
    return Tokens(jwks=place, audience="shop", issuer="https://login", cookie="sso")


@pytest.mark.parametrize("name", TOKENS)
def test_which_tokens_allow_a_preview_in_production(
    production: Client, signers: Signers, tokens: Tokens, name: str
) -> None:
    make, said = TOKENS[name]
    given = make(signers)
    previews = Previews(production, SECRET, tokens=tokens)
    for asked in (
        Asked("flag_gallery=true", "", f"Bearer {given}", True),
        Asked("flag_gallery=true", f"sso={given}", "", True),
    ):
        found = previews.decide(asked)
        assert found.headers[0][1].startswith(said)
        assert bool(found.flags) is (said == "active")
        assert (len(found.headers) > 1) is (said == "active"), "a cookie is set only where it is allowed"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda s: token(HS, "HS256"), ""),
        (lambda s: token("x" * 40, "HS256"), "token-signature"),
        (lambda s: token(s.rsa, "RS256"), "token-algorithm"),
        (lambda s: jwt.encode(claims(), None, "none"), "token-algorithm"),
    ],
)
def test_a_shared_secret_is_hs256_and_nothing_else(signers: Signers, make: Callable[[Signers], str], said: str) -> None:
    tokens = Tokens(secret=HS, audience="shop")
    if not said:
        assert tokens.claims(make(signers))["groups"] == ["staff", "release"]
        return
    with pytest.raises(TokenError, match=f"^{said}$"):
        tokens.claims(make(signers))


PIECES = st.one_of(
    st.text(max_size=20), st.integers(), st.none(), st.floats(), st.lists(st.text(max_size=3), max_size=2)
)


@given(
    st.one_of(st.text(max_size=60), st.dictionaries(st.sampled_from(["alg", "kid", "crit", "typ", "b64"]), PIECES)),
    st.dictionaries(st.sampled_from(["exp", "aud", "iss", "nbf", "iat", "sub", "jti"]), PIECES),
)
def test_no_token_of_a_stranger_raises(head: Any, payload: Any) -> None:
    """Also one that is signed: an identity provider may make odd ones."""
    tokens = Tokens(secret=HS, audience="shop")
    given = [head] if isinstance(head, str) else [f"{part(head)}.{part(payload)}.AA"]
    signed = part({"alg": "HS256"}) + "." + part(payload)
    given.append(f"{signed}.{part(hmac.new(HS.encode(), signed.encode(), hashlib.sha256).digest())}")
    for text in given:
        with pytest.raises(TokenError, match=r"^token-[a-z-]+$"):
            tokens.claims(text)


def part(data: Any) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "options",
    [{}, {"secret": "short"}, {"secret": HS, "jwks": "x"}, {"jwks": "http://login.example.com/jwks.json"},
     {"secret": HS, "audience": ""}, {"secret": "-----BEGIN PUBLIC KEY-----\n" + "A" * 60}],
)  # fmt: skip
def test_what_can_not_be_safe_is_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Tokens(**{"audience": "shop"} | options)


@pytest.mark.parametrize(
    ("wanted", "said", "holds"),
    [
        ({"claim": "p"}, {"p": True}, True), ({"claim": "p"}, {"p": "yes"}, True), ({"claim": "p"}, {"p": ["x"]}, True),
        ({"claim": "p"}, {"p": False}, False), ({"claim": "p"}, {"p": "false"}, False), ({"claim": "p"}, {}, False),
        ({"claim": "p"}, {"p": []}, False), ({"claim": "p"}, {"p": None}, False), ({"claim": "p"}, {"p": ""}, False),
        ({"claim": "p", "value": True}, {"p": True}, True), ({"claim": "p", "value": True}, {"p": 1}, False),
        ({"claim": "p", "value": 1}, {"p": 1}, True), ({"claim": "p", "value": 1}, {"p": True}, False),
        ({"claim": "p", "value": "a"}, {"p": ["b", "a"]}, True), ({"claim": "p", "value": "a"}, {"p": {"a": 1}}, False),
    ],
)  # fmt: skip
def test_when_a_claim_is_carried(tmp_path: Path, wanted: Any, said: Any, holds: bool) -> None:
    with client_of(tmp_path, protected=True, preview=wanted) as client:
        assert client.preview_claim is not None
        assert client.preview_claim.holds(said) is holds


def test_a_release_manager_previews_in_production(
    production: Client, signers: Signers, tokens: Tokens, serve: Serve
) -> None:
    address = serve(production, tokens=tokens)
    stranger, manager = Browser(address), Browser(address)
    refused = stranger.get("/?flag_gallery=true")
    assert (refused.text, refused.preview, stranger.cookies()) == (PLAIN, "refused no-token", {})

    bearer = {"Authorization": f"Bearer {token(signers.rsa, 'RS256', 'r1', exp=now() + 600)}"}
    first = manager.get("/?flag_gallery=true", **bearer)
    assert (first.text, first.preview) == ("gallery=True page=a", "active gallery=on")
    (cookie,) = manager.jar
    assert cookie.expires is not None
    assert now() + 590 <= cookie.expires <= now() + 601, "it does not outlive the token"
    assert manager.get("/").text == "gallery=True page=a", "without the token: the cookie says that there was one"
    assert manager.get("/?flag_page=b").preview == "active gallery=on page=b"

    mine = f"flagctl_preview={manager.cookies()['flagctl_preview']}"
    assert stranger.get("/", Cookie=mine.replace(".", ".A")).preview == "ignored cookie=bad-signature"
    assert manager.get("/?preview_flags=").preview == "ended"


def test_a_cookie_is_good_for_what_it_was_given_for(tmp_path: Path, production: Client, tokens: Tokens) -> None:
    """One secret may serve several environments; the browser keeps a cookie as long as it likes."""
    at = [NOW]
    claim = '{"claim":"groups","value":"release"}'

    def told(client: Client, **kept: Any) -> str:
        previews = Previews(client, SECRET, tokens=tokens, now=lambda: at[0])
        return previews.decide(Asked("", cookie_of(client, **kept), "", True)).headers[0][1]

    assert told(production, until=NOW + 1, claim=claim) == "active gallery=on"
    at[0] += 1
    assert told(production, until=NOW + 1, claim=claim) == "ignored cookie=expired"
    assert told(production, until=NOW + 9) == "ignored cookie=not-allowed"
    assert told(production, claim=claim) == "ignored cookie=not-allowed"
    assert told(production, environment="staging", until=NOW + 9, claim=claim) == "ignored cookie=another-environment"
    with client_of(tmp_path, "production", protected=True, preview={"claim": "admin"}) as stricter:
        assert told(stricter, until=NOW + 9, claim=claim) == "ignored cookie=not-allowed"
    with client_of(tmp_path, "production", protected=True) as closed:
        assert told(closed, until=NOW + 9, claim=claim) == "ignored cookie=not-allowed"


def test_within_the_leeway_a_token_is_good_for_one_request(
    production: Client, signers: Signers, tokens: Tokens
) -> None:
    late = token(signers.rsa, "RS256", "r1", exp=now() - 3)
    found = Previews(production, SECRET, tokens=tokens).decide(Asked("flag_gallery=on", "", f"bearer {late}", True))
    assert (dict(found.flags), [name for name, _ in found.headers]) == ({"gallery": "on"}, ["X-Flagctl-Preview"])


@pytest.mark.parametrize(
    ("parts", "with_tokens"), [({"protected": True, "preview": CLAIM}, False), ({"protected": True}, True)]
)
def test_without_tokens_or_a_claim_nobody_may(
    tmp_path: Path, signers: Signers, tokens: Tokens, parts: Any, with_tokens: bool
) -> None:
    with client_of(tmp_path, **parts) as client:
        previews = Previews(client, SECRET, tokens=tokens if with_tokens else None)
        good = f"Bearer {token(signers.rsa, 'RS256', 'r1')}"
        assert previews.decide(Asked("flag_gallery=on", "", good, True)).headers == [
            ("X-Flagctl-Preview", "refused protected-environment")
        ]


def test_from_settings_to_the_browser(
    make_repo: Callable[..., Path], flagctl: Any, signers: Signers, tokens: Tokens
) -> None:
    key = PrivateKey.new()
    public = public_line(key.public, "k")
    settings = f"{{claim: groups, value: release}}\nkeys: [{{name: k, public: {public}}}]\n"
    root = make_repo({**SMALL, "flags/flagctl.yaml": f"{SMALL['flags/flagctl.yaml']}preview: {settings}"}, name="shop")
    done = flagctl("publish", "production", cwd=root, env={"FLAGCTL_SIGNING_KEY": key.line()})
    assert done.returncode == 0, done.stderr
    source = f"file:{root}/published"
    with Client(source, "production", public_keys={"k": public}, cache=False) as client:
        previews = Previews(client, SECRET, tokens=tokens)
        good, poor = (f"Bearer {token(signers.rsa, 'RS256', 'r1', groups=groups)}" for groups in ("release", "staff"))
        query = "preview_flags=wishlist-gallery:true"
        assert previews.decide(Asked(query, "", good, True)).flags == {"wishlist-gallery": "on"}
        assert previews.decide(Asked(query, "", poor, True)).headers[0][1] == "refused token-claim"


def test_without_a_snapshot_nobody_may(tmp_path: Path) -> None:
    with Client(f"file:{tmp_path}/none", "staging", cache=False, start=False) as client:
        found = Previews(client, SECRET).decide(Asked("flag_gallery=on", cookie_of(client), "", True))
        assert not found.flags
        assert found.headers == [("X-Flagctl-Preview", "ignored cookie=not-allowed; refused protected-environment")]


# Keys from an address


class Provider(ThreadingHTTPServer):
    """An identity provider that publishes its keys."""

    daemon_threads = True

    def __init__(self) -> None:
        self.body, self.status, self.asked = b"", 200, 0
        super().__init__(("127.0.0.1", 0), Publishes)


class Publishes(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        provider: Any = self.server
        provider.asked += 1
        self.send_response(provider.status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(provider.body)))
        self.end_headers()
        self.wfile.write(provider.body)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def provider(signers: Signers) -> Iterator[Provider]:
    with Provider() as server:
        server.body = signers.jwks
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_keys_are_read_seldom_and_new_ones_are_found(signers: Signers, provider: Provider) -> None:
    at = [0.0]
    url = f"http://127.0.0.1:{provider.server_port}/jwks.json"
    tokens = Tokens(jwks=url, audience="shop", monotonic=lambda: at[0])
    for _ in range(3):
        tokens.claims(token(signers.rsa, "RS256", "r1"))
    assert provider.asked == 1

    provider.body = encode({"keys": [Signers.jwk("RS256", signers.other) | {"kid": "r2"}]})
    new = token(signers.other, "RS256", "r2")
    for _ in range(3):  # a stranger who invents names of keys does not make us ask and ask
        with pytest.raises(TokenError, match="token-unknown-key"):
            tokens.claims(new)
    assert provider.asked == 1
    at[0] += 31
    assert tokens.claims(new)["aud"] == "shop"
    assert provider.asked == 2

    provider.status, at[0] = 500, at[0] + 301
    assert tokens.claims(new)["aud"] == "shop", "the old keys are kept while there are no others"
    assert provider.asked == 3


@pytest.mark.parametrize(("status", "body"), [(500, None), (302, None), (200, b"{}"), (200, b"<html>"), (200, b"[]")])
def test_without_keys_nobody_is_believed(signers: Signers, provider: Provider, status: int, body: bytes | None) -> None:
    provider.status, provider.body = status, provider.body if body is None else body
    tokens = Tokens(jwks=f"http://127.0.0.1:{provider.server_port}/jwks.json", audience="shop")
    with pytest.raises(TokenError, match="no-keys"):
        tokens.claims(token(signers.rsa, "RS256", "r1"))
    assert provider.asked == 1, "a redirect may lead anywhere"


def test_the_library_for_tokens_is_loaded_by_the_first_token_only() -> None:
    script = "import sys, flagctl.client.middleware; print('jwt' in sys.modules, 'cryptography' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
