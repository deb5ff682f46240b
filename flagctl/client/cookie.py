"""What a browser keeps of a preview: a cookie that only we can write, bound to the environment and to a claim."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

import msgspec

from flagctl.errors import UsageError

LARGEST = 3000
"""Bytes of a value that every browser keeps: with name and attributes 4096 are promised (RFC 6265, 6.1)."""
_LEAST_SECRET = 32


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """A preview. until: seconds since the epoch, None: as long as the browser lives. claim: what a token said that
    allowed it, None: it needed none.
    """

    environment: str = msgspec.field(name="e")
    flags: dict[str, str] = msgspec.field(name="f")
    until: int | None = msgspec.field(name="x", default=None)
    claim: str | None = msgspec.field(name="c", default=None)


class Seal:
    """Writes and reads such cookies: `<payload>.<HMAC-SHA256>`, both URL-safe base64."""

    def __init__(self, secrets: str | bytes | Sequence[str | bytes]) -> None:
        """secrets: the first one writes, all of them read, so that they can be changed one after the other."""
        several = [secrets] if isinstance(secrets, str | bytes) else list(secrets)
        self._secrets = [one.encode() if isinstance(one, str) else one for one in several]
        if not self._secrets or any(len(one) < _LEAST_SECRET for one in self._secrets):
            raise UsageError(
                f"a secret for preview cookies has to be {_LEAST_SECRET} bytes of chance",
                hint="python -c 'import secrets; print(secrets.token_urlsafe(32))'",
            )

    def write(self, kept: Kept) -> str | None:
        """The value of the cookie; None for one that is too large."""
        payload = urlsafe_b64encode(msgspec.json.encode(kept, order="sorted")).rstrip(b"=")
        value = payload + b"." + _mac(self._secrets[0], payload)
        return value.decode() if len(value) <= LARGEST else None

    def read(self, value: str) -> Kept | None:
        """What was written; None for what we did not write."""
        payload, dot, mac = value.encode("utf-8", "replace").partition(b".")
        if not dot or len(value) > LARGEST:
            return None
        sound = [hmac.compare_digest(mac, _mac(secret, payload)) for secret in self._secrets]
        if not any(sound):
            return None
        try:
            return msgspec.json.decode(urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)), type=Kept)
        except ValueError:
            return None


def _mac(secret: bytes, payload: bytes) -> bytes:
    # The name keeps a secret that signs other things too from making cookies of ours.
    digest = hmac.new(secret, b"flagctl/preview-cookie/1:" + payload, hashlib.sha256).digest()
    return urlsafe_b64encode(digest).rstrip(b"=")


def named(header: str, name: str) -> list[str]:
    """The values of the cookies of a name in a Cookie header (RFC 6265, 4.2); there may be several, of other paths."""
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return [value.strip('"') for found, _, value in pairs if found == name]


def header(name: str, value: str, *, secure: bool, seconds: int | None) -> str:
    """The Set-Cookie header; without seconds the cookie ends with the browser, with 0 at once."""
    age = "" if seconds is None else f"; Max-Age={seconds}"
    return f"{name}={value}; Path=/{age}; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}"
