"""A snapshot in hand, and how it is made from bytes that came from somewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Literal
from weakref import WeakValueDictionary

import msgspec

from flagctl.errors import FlagctlError, OutsideError
from flagctl.evaluate.engine import Engine
from flagctl.signing import PublicKey, public_key, verify

Origin = Literal["source", "disk", "bootstrap"]
_ENGINES: WeakValueDictionary[str, Engine] = WeakValueDictionary()
"""By digest: clients of one process that hold the same snapshot share what was made of it."""


class NotBelievedError(FlagctlError):
    """A snapshot was there and must not be used; `state` says why in a word (`flagctl.signing.State`)."""

    def __init__(self, state: str, message: str) -> None:
        super().__init__(message, hint="the snapshot held before stays in use; look at it with `flagctl verify`")
        self.state = state


class Held(msgspec.Struct, frozen=True, eq=False, kw_only=True, weakref=True):
    """One snapshot that answers.

    digest: SHA-256 of its bytes, hexadecimal. token: what its source knows these bytes by, "" where it has no
    source. ttl: the shortest `cache_ttl_seconds` of its flags.
    """

    engine: Engine
    version: int
    digest: str
    token: str
    origin: Origin
    ttl: int


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot has to be. keys: whom to believe, none to believe anybody; now: the clock, for keys that end."""

    environment: str
    audience: str | None
    keys: Sequence[PublicKey]
    now: Callable[[], float]

    def take(self, data: bytes, token: str, origin: Origin, held: Held | None) -> Held:
        """The snapshot that these bytes are. Raises NotBelievedError, also for one older than `held`."""
        verdict = verify(
            data,
            self.keys,
            environment=self.environment,
            audience=self.audience,
            now=self.now(),
            held=held.version if held is not None else None,
        )
        if not verdict.ok:
            raise NotBelievedError(verdict.state, f"the snapshot from the {origin} is refused: {verdict.message}")
        digest = hashlib.sha256(data).hexdigest()
        engine = _ENGINES.get(digest)
        if engine is None:
            try:
                engine = _ENGINES[digest] = Engine.load(data)
            except OutsideError as error:
                raise NotBelievedError("damaged", f"the snapshot from the {origin} is refused: {error}") from None
        return Held(
            engine=engine,
            version=engine.version,
            digest=digest,
            token=token,
            origin=origin,
            ttl=engine.shortest_ttl(),
        )


def believed(keys: Mapping[str, str] | Sequence[PublicKey]) -> Sequence[PublicKey]:
    """Public keys, of which each may be given as a name and the line of an OpenSSH .pub file. Raises UsageError."""
    if isinstance(keys, Mapping):
        return [PublicKey(name=name, raw=public_key(text)) for name, text in keys.items()]
    return keys
