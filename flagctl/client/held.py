"""A snapshot in hand, and how it is made from bytes that came from somewhere."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal
from weakref import WeakValueDictionary

import msgspec

from flagctl.errors import FlagctlError, OutsideError, UsageError
from flagctl.evaluate.bucket import in_canary
from flagctl.evaluate.engine import Engine
from flagctl.signing import PublicKey, Verdict, public_key, verify

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""Of an environment, an audience, a flag."""
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
    source. ttl: the shortest `cache_ttl_seconds` of its flags. canary: whether it is for some instances only.
    """

    engine: Engine
    version: int
    digest: str
    token: str
    origin: Origin
    ttl: int
    canary: bool = False


class Trust(msgspec.Struct, frozen=True):
    """What a snapshot has to be. keys: whom to believe, none to believe anybody; now: the clock, for keys that end.

    instance: which of the service's instances this is, as canaries choose them; "" for one that takes no canary.
    """

    environment: str
    audience: str | None
    keys: Sequence[PublicKey]
    now: Callable[[], float]
    instance: str = ""

    def judge(self, data: bytes, origin: Origin, *, held: int | None = None, canary: bool = False) -> Verdict:
        """Whether these bytes are to be believed. Raises NotBelievedError, also for a version below `held`."""
        now = self.now()
        asked = self.environment, self.audience, tuple(self.keys), canary
        verdict = _known(data, asked, now, held)
        if verdict is None:
            verdict = verify(
                data,
                self.keys,
                environment=self.environment,
                audience=self.audience,
                now=now,
                held=held,
                canary=canary,
            )
            if not verdict.ok:
                raise _refused(
                    verdict.state, f"the {'canary' if canary else 'snapshot'} from the {origin}", verdict.message
                )
            _Lately.judged = asked, now, verdict
        return verdict

    def chosen(self, verdict: Verdict) -> bool:
        """Whether a canary is for this instance. Raises NotBelievedError where it does not say whom it is for."""
        try:
            return in_canary(verdict.canary, self.instance)
        except Exception as error:
            raise _refused(
                "damaged", "the canary from the source", f"its canary block makes no sense: {error!r}"
            ) from None


class _Lately:
    """What was found out last, for other clients that are given the very same bytes in the same turn."""

    judged: tuple[tuple[Any, ...], float, Verdict] | None = None
    made: tuple[bytes, Held] | None = None


def forget() -> None:
    """The turn is over, and nothing needs to be kept for the next client."""
    _Lately.judged = _Lately.made = None


def _known(data: bytes, asked: tuple[Any, ...], now: float, held: int | None) -> Verdict | None:
    found = _Lately.judged
    if found is None or found[2].data is not data or found[0] != asked or not 0 <= now - found[1] < 1:
        return None
    return found[2] if held is None or held <= found[2].version else None


def made(verdict: Verdict, token: str, origin: Origin) -> Held:
    """The snapshot that was found to be believed. Raises NotBelievedError where it can't be evaluated."""
    known = _Lately.made
    if known is not None and known[0] is verdict.data and (known[1].token, known[1].origin) == (token, origin):
        return known[1]
    digest = hashlib.sha256(verdict.data).hexdigest()
    engine = _ENGINES.get(digest)
    if engine is None:
        try:
            engine = _ENGINES[digest] = Engine.load(verdict.data)
        except OutsideError as error:
            raise _refused("damaged", f"the snapshot from the {origin}", str(error)) from None
    held = Held(
        engine=engine,
        version=engine.version,
        digest=digest,
        token=token,
        origin=origin,
        ttl=engine.shortest_ttl(),
        canary=verdict.canary is not None,
    )
    _Lately.made = verdict.data, held
    return held


def _refused(state: str, what: str, why: str) -> NotBelievedError:
    return NotBelievedError(state, f"{what} is refused: {why}")


def believed(keys: Mapping[str, str] | Sequence[PublicKey]) -> Sequence[PublicKey]:
    """Public keys, of which each may be given as a name and the line of an OpenSSH .pub file. Raises UsageError."""
    hint = 'public_keys={"release-2026": "ssh-ed25519 AAAA..."}, named as flagctl.yaml names them'
    if isinstance(keys, Mapping):
        if not keys:
            raise UsageError("public_keys= names no key, so nothing could be believed", hint=f"{hint}; or leave it out")
        return [PublicKey(name=name, raw=public_key(text)) for name, text in keys.items()]
    if isinstance(keys, str) or not all(isinstance(key, PublicKey) for key in keys):
        raise UsageError("public_keys= needs the name of each key, which a signature says too", hint=hint)
    return keys


def named(environment: str, audience: str | None) -> str:
    """The key of a snapshot. Raises UsageError for what can't be the name of an environment or an audience."""
    for what, name in (("environment", environment), *([] if audience is None else [("audience", audience)])):
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise UsageError(f"{name!r} is no name of an {what}", hint=f'{what}="production", as in flagctl.yaml')
    return f"{environment}/{audience}/snapshot.json" if audience else f"{environment}/snapshot.json"
