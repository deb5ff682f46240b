"""Tokens that allow a preview in a protected environment: JSON Web Tokens (`pip install flagctl[preview]`).

A key decides which algorithm a token has to be signed with, never the token: RSA is RS256, P-256 is ES256, a secret is
HS256. So nobody can use a public key as a secret, and `none` is no algorithm. A token has to name its audience and its
end.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flagctl.errors import UsageError

if TYPE_CHECKING:
    from jwt import PyJWK

_LONGEST = 8192
_LARGEST = 1 << 20
_TIMEOUT = 5.0
_KEPT = 300.0
"""Seconds for which keys are not read again, and, for a key that is not among them, the least between two tries."""
_AT_MOST_EVERY = 30.0
_ALGORITHMS = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("oct", None): "HS256"}
_LEAST_SECRET = 32


class TokenError(Exception):
    """A token is not to be believed; its text is one word of ours, such as `token-expired`."""


class Tokens:
    """Whose tokens are believed, and for whom they have to be."""

    def __init__(
        self,
        *,
        audience: str,
        issuer: str | Sequence[str] | None = None,
        jwks: str | os.PathLike[str] | None = None,
        secret: str | bytes | None = None,
        cookie: str = "",
        leeway: float = 10,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """jwks: the file or the https: address of a JSON Web Key Set; secret: what HS256 is signed with; one of them.

        audience: what `aud` has to name; issuer: what `iss` has to be, None for whatever it is. cookie: where a token
        may stand beside `Authorization: Bearer`, such as the one that a proxy for signing in sets; there is no query
        parameter for it, because addresses end in logs. leeway: seconds by which clocks may differ.

        Raises UsageError for what can't be safe. Keys are read when they are first needed.
        """
        if (jwks is None) == (secret is None):
            raise UsageError("tokens need either jwks= or secret=", hint="jwks=https://…/.well-known/jwks.json")
        if find_spec("jwt") is None:
            raise UsageError("tokens need PyJWT, which is not installed", hint='pip install "flagctl[preview]"')
        if not audience:
            raise UsageError("tokens need an audience", hint="without one a token for another service would do")
        self.cookie = cookie
        self._audience = audience
        self._issuer = issuer
        self._leeway = leeway
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._place = jwks
        self._keys: list[PyJWK] = []
        self._read_at = self._tried_at = float("-inf")
        if secret is not None:
            self._keys, self._read_at = [_secret(secret)], float("inf")
        elif isinstance(jwks, str) and "://" in jwks:
            address = urlsplit(jwks)
            if address.scheme != "https" and address.hostname not in ("127.0.0.1", "::1", "localhost"):
                raise UsageError("keys have to come over https:", hint="or from a file")

    def claims(self, token: str) -> Mapping[str, Any]:
        """What a token says. Raises TokenError; may wait for the key set."""
        import jwt

        if len(token) > _LONGEST:
            raise TokenError("token-too-long")
        try:
            header = jwt.get_unverified_header(token)
            for key in self._candidates(header.get("kid"), header.get("alg")):
                try:
                    return self._believe(token, key)
                except jwt.InvalidSignatureError:
                    continue
        except TokenError:
            raise
        except Exception as error:  # whatever a library makes of a stranger's text
            raise TokenError(_WORDS.get(type(error).__name__, "token-damaged")) from None
        raise TokenError("token-signature")

    def _believe(self, token: str, key: PyJWK) -> Mapping[str, Any]:
        import jwt

        found: Mapping[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            audience=self._audience,
            issuer=self._issuer,
            leeway=self._leeway,
            options={"require": ["exp", "aud", *(["iss"] if self._issuer else [])]},
        )
        return found

    def _candidates(self, name: Any, algorithm: Any) -> list[PyJWK]:
        """The keys that may have signed it. Raises TokenError when there is none."""
        for again in (False, True):
            named = [key for key in self._known(again) if name is None or key.key_id in (None, name)]
            if named:
                break
        else:
            raise TokenError("token-unknown-key")
        fitting = [key for key in named if key.algorithm_name == algorithm]
        if not fitting:
            raise TokenError("token-algorithm")
        return fitting

    def _known(self, again: bool) -> list[PyJWK]:
        now = self._monotonic()
        with self._lock:
            old = now - self._read_at > _KEPT
            if (old or again) and now - self._tried_at > _AT_MOST_EVERY:
                self._tried_at = now
                try:
                    self._keys, self._read_at = _keys_in(_read(self._place)), now
                except (OSError, ValueError) as error:
                    if not self._keys:
                        raise TokenError("no-keys") from error
            if not self._keys:
                raise TokenError("no-keys")
            return self._keys


_WORDS = {
    "ExpiredSignatureError": "token-expired",
    "ImmatureSignatureError": "token-not-yet-valid",
    "InvalidAudienceError": "token-audience",
    "InvalidIssuerError": "token-issuer",
    "InvalidAlgorithmError": "token-algorithm",
    "InvalidKeyError": "token-algorithm",
    "MissingRequiredClaimError": "token-lacks-a-claim",
}


def _secret(secret: str | bytes) -> PyJWK:
    from base64 import urlsafe_b64encode

    from jwt import PyJWK

    raw = secret.encode() if isinstance(secret, str) else secret
    if len(raw) < _LEAST_SECRET or raw.lstrip().startswith((b"-----BEGIN", b"ssh-")):
        raise UsageError(f"the secret of tokens has to be {_LEAST_SECRET} bytes of chance", hint="or use jwks=")
    return PyJWK({"kty": "oct", "k": urlsafe_b64encode(raw).decode()}, algorithm="HS256")


def _keys_in(data: bytes) -> list[PyJWK]:
    """The keys of a set that can be used. Raises ValueError when it is no set or holds none."""
    import json

    from jwt import PyJWK, PyJWTError

    document = json.loads(data)
    found = []
    for key in document.get("keys", ()) if isinstance(document, dict) else ():
        algorithm = _algorithm(key) if isinstance(key, dict) else None
        if algorithm is not None:
            try:
                found.append(PyJWK(key, algorithm=algorithm))
            except (PyJWTError, ValueError, TypeError, KeyError):
                continue
    if not found:
        raise ValueError("there is no key in it that signs RS256, ES256 or HS256")
    return found


def _algorithm(key: Mapping[str, Any]) -> str | None:
    fits = _ALGORITHMS.get((str(key.get("kty")), key.get("crv") if key.get("kty") == "EC" else None))
    usable = key.get("use", "sig") == "sig" and key.get("alg", fits) == fits
    return fits if usable else None


def _read(place: Any) -> bytes:
    """The bytes of a key set. Raises OSError."""
    if not isinstance(place, str) or "://" not in place:
        with open(place, "rb") as file:  # noqa: PTH123 - a path or a text
            return file.read(_LARGEST)
    import urllib.request

    class Straight(urllib.request.HTTPRedirectHandler):
        """Follows no redirect: it may lead away from https:."""

        def redirect_request(self, *_: Any) -> None:
            return None

    with urllib.request.build_opener(Straight).open(place, timeout=_TIMEOUT) as answer:
        data: bytes = answer.read(_LARGEST)
        return data
