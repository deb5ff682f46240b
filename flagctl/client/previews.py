"""Previews in a browser: what a request asks for, whether it may, and what the browser is told.

`?preview_flags=gallery:true,page:treatment` previews these flags and no others, `?flag_gallery=true` one more,
`?flag_gallery=` one less, and an empty `?preview_flags=` ends it. A cookie carries it from request to request. This
knows no framework: `middleware` puts it before ASGI and WSGI applications.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import msgspec

from flagctl.client.cookie import Kept, Seal, header, named
from flagctl.client.held import NAME
from flagctl.client.scope import parse_preview
from flagctl.client.tokens import TokenError
from flagctl.errors import UsageError

if TYPE_CHECKING:
    from flagctl.client.client import Client
    from flagctl.client.tokens import Tokens

HEADER = "X-Flagctl-Preview"
_COOKIE = re.compile(r"[A-Za-z0-9_.-]+")
_ALL, _ONE = "preview_flags", "flag_"
_MOST = 50
"""Flags in one preview, and words in one answer."""


class Asked(msgspec.Struct, frozen=True):
    """The parts of a request that matter; header values as text, "" where there is none."""

    query: str
    cookies: str
    authorization: str
    secure: bool


class Decision(msgspec.Struct, frozen=True):
    """What becomes of a request. flags: what to preview. headers: to be added to the response.

    private: the response is this browser's alone, so no cache may keep it.
    """

    flags: Mapping[str, str] = {}
    headers: Sequence[tuple[str, str]] = ()
    private: bool = False


NOTHING = Decision()


class Previews:
    """Decides about the previews of one client's flags."""

    def __init__(
        self,
        client: Client,
        secrets: str | bytes | Sequence[str | bytes],
        *,
        tokens: Tokens | None = None,
        cookie: str = "flagctl_preview",
        secure: bool | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """secrets: what the cookie is signed with; the first one signs, the others are still believed.

        tokens: whose tokens allow a preview in a protected environment; without, nobody may. secure: whether the cookie
        is for https: only; None: when the request came by it. Raises UsageError for a secret that is too short.
        """
        if not _COOKIE.fullmatch(cookie):
            raise UsageError(f"{cookie!r} is no name for a cookie")
        self.client = client
        self._seal = Seal(secrets)
        self._tokens = tokens
        self._cookie = cookie
        self._secure = secure
        self._now = now

    def waits(self, asked: Asked) -> bool:
        """Whether deciding may take a look at the network, for the keys of tokens."""
        return self._tokens is not None and self.client.protected and bool(_wishes(asked.query))

    def decide(self, asked: Asked) -> Decision:
        """What becomes of a request."""
        wishes = _wishes(asked.query)
        if not wishes and self._cookie not in asked.cookies:
            return NOTHING
        said: list[str] = []
        kept = self._kept(asked, said)
        flags = {} if kept is None else dict(kept.flags)
        cookie = None
        if wishes:
            wanted = _merged(flags, wishes, said)
            if not wanted:
                flags = {}
                if self._cookie in asked.cookies:
                    said.append("ended")
                    cookie = self._header(asked, "", 0)
            else:
                flags, cookie = self._begin(asked, wanted, flags, kept, said)
        chosen = self._known(flags, said)
        if chosen:
            said.insert(0, "active " + " ".join(f"{key}={variant}" for key, variant in chosen.items()))
        headers = [(HEADER, _safe("; ".join(said)))] if said else []
        if cookie is not None:
            headers.append(("Set-Cookie", cookie))
        return Decision(chosen, headers, private=bool(chosen) or cookie is not None)

    def _kept(self, asked: Asked, said: list[str]) -> Kept | None:
        """What the browser brings along, if it may still be used."""
        values = named(asked.cookies, self._cookie)
        why = ""
        for value in values:
            kept = self._seal.read(value)
            why = "bad-signature" if kept is None else self._unfit(kept)
            if not why:
                return kept
        if why:
            said.append(f"ignored cookie={why}")
        return None

    def _unfit(self, kept: Kept) -> str:
        if kept.environment != self.client.environment:
            return "another-environment"
        if kept.until is not None and self._now() >= kept.until:
            return "expired"
        if self.client.protected and (kept.until is None or kept.claim is None or kept.claim != self._claim()):
            return "not-allowed"
        return ""

    def _begin(
        self, asked: Asked, wanted: dict[str, str], before: dict[str, str], kept: Kept | None, said: list[str]
    ) -> tuple[dict[str, str], str | None]:
        """The flags to preview from now on, and the header that keeps them; as before where that is refused."""
        until = None
        if self.client.protected:
            try:
                until = self._allowed(asked)
            except TokenError as error:
                if kept is None:
                    said.append(f"refused {error}")
                    return before, None
                until = kept.until  # a token allowed it, until then
        chosen = self._known(wanted, said)
        if not chosen:
            return before, None
        now = self._now()
        if until is not None and until <= now:  # within the leeway: for this request, and no longer
            return chosen, None
        value = self._seal.write(Kept(self.client.environment, chosen, until, self._claim() if until else None))
        if value is None or len(chosen) > _MOST:
            said.append("refused too-many-flags")
            return before, None
        return chosen, self._header(asked, value, None if until is None else int(until - now))

    def _allowed(self, asked: Asked) -> int:
        """When the token ends that allows it. Raises TokenError."""
        wanted = self.client.preview_claim
        if self._tokens is None or wanted is None:
            raise TokenError("protected-environment")
        kind, _, bearer = asked.authorization.partition(" ")
        found = [bearer.strip()] if kind.lower() == "bearer" else []
        if self._tokens.cookie:
            found += named(asked.cookies, self._tokens.cookie)
        error = TokenError("no-token")
        for token in found:
            try:
                claims = self._tokens.claims(token)
            except TokenError as why:
                error = why
                continue
            if wanted.holds(claims):
                return int(claims["exp"])
            error = TokenError("token-claim")
        raise error

    def _claim(self) -> str | None:
        """The claim that is asked for now; a cookie that another one allowed is no longer good."""
        wanted = self.client.preview_claim
        return None if wanted is None else msgspec.json.encode(wanted).decode()

    def _known(self, flags: Mapping[str, str], said: list[str]) -> dict[str, str]:
        """The flags and variants that there are; the others are told."""
        chosen: dict[str, str] = {}
        for key, text in flags.items():
            variant = self.client.known_variant(key, text)
            if variant is not None:
                chosen[key] = variant
                continue
            why = "unknown-variant" if self.client.knows(key) else "unknown-flag"
            note = f"ignored {key if NAME.fullmatch(key) else '?'}={why}"
            if len(said) < _MOST and note not in said:  # a query may be long, and whoever wrote it patient
                said.append(note)
        return chosen

    def _header(self, asked: Asked, value: str, seconds: int | None) -> str:
        secure = asked.secure if self._secure is None else self._secure
        return header(self._cookie, value, secure=secure, seconds=seconds)


def _wishes(query: str) -> list[tuple[str, str]]:
    """The parameters of a query that are about previews."""
    if _ALL not in query and _ONE not in query:
        return []
    return [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if _is_wish(name)]


def _is_wish(name: str) -> bool:
    return name == _ALL or (name.startswith(_ONE) and len(name) > len(_ONE))


def _merged(before: Mapping[str, str], wishes: Sequence[tuple[str, str]], said: list[str]) -> dict[str, str]:
    """What is previewed after these wishes, read from left to right."""
    flags = dict(before)
    for name, value in wishes:
        if name == _ALL:
            flags = parse_preview(value)
            if value and not flags:
                said.append(f"ignored {_ALL}=no-pairs")
                flags = dict(before)
        elif value:
            flags[name.removeprefix(_ONE)] = value
        else:
            flags.pop(name.removeprefix(_ONE), None)
    return flags


def _safe(text: str) -> str:
    """As a header's value may be: no line ends, ASCII, bounded."""
    return re.sub(r"[^ -~]", "?", text)[:1000]
