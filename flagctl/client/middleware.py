"""Previews for web applications (`pip install flagctl[preview]` for protected environments).

    flags = Client("redis://cache:6379/0", environment="staging")
    app = AsgiPreview(app, flags, secrets=os.environ["PREVIEW_SECRET"])

In a protected environment, where settings name the claim (`preview: {claim: groups, value: release-managers}`):

    tokens = Tokens(jwks="https://login.example.com/.well-known/jwks.json", audience="shop", cookie="CF_Authorization")
    app = AsgiPreview(app, flags, secrets=[NEW, OLD], tokens=tokens)

What a query and the cookie mean is told in `previews`. While a request is answered, streaming included, every question
of this client is answered with the preview; the header X-Flagctl-Preview says what was previewed, ignored or refused.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from contextlib import AbstractContextManager
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from flagctl.client.previews import NOTHING, Asked, Decision, Previews
from flagctl.client.tokens import Tokens as Tokens

if TYPE_CHECKING:
    from flagctl.client.client import Client

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Message, Receive, Send], Awaitable[None]]
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_OURS = "no-store, private"


class AsgiPreview:
    """Stands before an ASGI application (Starlette, FastAPI, Django, Litestar, Quart); asyncio only."""

    def __init__(self, app: AsgiApp, client: Client, secrets: Any, **options: Any) -> None:
        """secrets, options: as of Previews."""
        self.app = app
        self.previews = Previews(client, secrets, **options)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request or WebSocket."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        asked = _asked(scope)
        if self.previews.waits(asked):
            decision = await asyncio.to_thread(self.previews.decide, asked)
        else:
            decision = self.previews.decide(asked)
        if decision is NOTHING:
            await self.app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept"):
                given = [
                    (name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers", ())
                ]
                both = [(name.lower().encode(), value.encode("latin-1")) for name, value in _with(given, decision)]
                message = {**message, "headers": both}
            await send(message)

        with self.previews.client.preview(decision.flags):
            await self.app(scope, receive, answer)


class WsgiPreview:
    """Stands before a WSGI application (Flask, Django, Pyramid, Bottle)."""

    def __init__(self, app: WsgiApp, client: Client, secrets: Any, **options: Any) -> None:
        """secrets, options: as of Previews."""
        self.app = app
        self.previews = Previews(client, secrets, **options)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        asked = Asked(
            environ.get("QUERY_STRING", ""),
            environ.get("HTTP_COOKIE", ""),
            environ.get("HTTP_AUTHORIZATION", ""),
            environ.get("wsgi.url_scheme") == "https",
        )
        decision = self.previews.decide(asked)
        if decision is NOTHING:
            return self.app(environ, start_response)

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            return start_response(status, _with(headers, decision), *([exc_info] if exc_info else []))

        # The body is made after this returns, between other requests of the same thread: a context of its own holds
        # the preview from the first line to the last.
        context, scope = copy_context(), self.previews.client.preview(decision.flags)
        context.run(scope.__enter__)
        try:
            return _Body(context.run(self.app, environ, start), context, scope)
        except BaseException:
            context.run(scope.__exit__, *sys.exc_info())
            raise


class _Body:
    """A response's body, made inside a context."""

    def __init__(self, body: Iterable[bytes], context: Context, scope: AbstractContextManager[None]) -> None:
        self._body = body
        self._context = context
        self._scope: AbstractContextManager[None] | None = scope
        self._parts: Iterator[bytes] = context.run(iter, body)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return self._context.run(next, self._parts)

    def close(self) -> None:
        """End the body, then the preview; servers call it also when the browser went away."""
        scope, self._scope = self._scope, None
        if scope is None:
            return
        try:
            if hasattr(self._body, "close"):
                self._context.run(self._body.close)
        finally:
            self._context.run(scope.__exit__, None, None, None)


def _asked(scope: Message) -> Asked:
    found: dict[bytes, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.lower(), []).append(value.decode("latin-1"))
    # HTTP/2 may send a cookie header in pieces.
    cookies, authorization = "; ".join(found.get(b"cookie", ())), found.get(b"authorization", [""])[0]
    query = scope.get("query_string", b"").decode("latin-1")
    return Asked(query, cookies, authorization, scope.get("scheme") in ("https", "wss"))


def _with(headers: list[tuple[str, str]], decision: Decision) -> list[tuple[str, str]]:
    """The headers of a response and ours; where it is one browser's alone, what it says to caches is replaced."""
    if decision.private:
        headers = [(name, value) for name, value in headers if name.lower() not in ("cache-control", "expires")]
        headers.append(("Cache-Control", _OURS))
    return [*headers, *decision.headers]
