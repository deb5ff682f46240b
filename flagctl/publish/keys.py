"""Keys as settings list them and as they are at hand: who signs, who is believed, where the private half is."""

from __future__ import annotations

import base64
import hashlib
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from flagctl.errors import OutsideError, RefusedError, UsageError
from flagctl.signing import PrivateKey, PublicKey, public_key, public_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flagctl.model.repository import KeySource, Settings
    from flagctl.publish.draft import Sign

KEY, FILE, COMMAND, PASSPHRASE = (
    "FLAGCTL_SIGNING_KEY", "FLAGCTL_SIGNING_KEY_FILE", "FLAGCTL_SIGNING_KEY_COMMAND", "FLAGCTL_SIGNING_PASSPHRASE",
)  # fmt: skip
_PATIENCE = 60
"""Seconds that a secret manager may take."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A key that settings list, as `key list` shows it. at_hand: its private half is here."""

    name: str
    fingerprint: str
    since: int | None
    until: int | None
    state: Literal["ok", "early-key", "retired-key"]
    at_hand: bool


def believed(settings: Settings) -> list[PublicKey]:
    """The keys that settings list; raises UsageError for one that is none, which `check` tells with its place."""
    found = []
    for key in settings.keys:
        try:
            raw = public_key(key.public)
        except UsageError as error:
            raise UsageError(f"the key {key.name} in flags/flagctl.yaml: {error.message}", hint=error.hint) from None
        found.append(PublicKey(name=key.name, raw=raw, since=key.since, until=key.until))
    return found


def known(settings: Settings, private: PrivateKey | None, now: float) -> list[Known]:
    """All keys that settings list."""
    return [
        Known(
            name=key.name,
            fingerprint=fingerprint(key.raw),
            since=key.since,
            until=key.until,
            state=key.state(now),
            at_hand=private is not None and private.public == key.raw,
        )
        for key in believed(settings)
    ]


def fingerprint(raw: bytes) -> str:
    """As `ssh-keygen -l` prints it."""
    blob = base64.b64decode(public_line(raw, "").split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def private_key(
    source: KeySource, environ: Mapping[str, str], outside: Path, passphrase: Callable[[], str] | None
) -> PrivateKey | None:
    """The private key at hand, None when nothing says where one is; the environment wins over settings.

    outside: the folder a key must not lie in, the repository's. passphrase: asks for one; None: nobody is there.
    Raises UsageError or OutsideError when it can't be had, RefusedError for a file of the repository; none of them
    repeats what was found.
    """
    ask = (lambda: environ[PASSPHRASE]) if PASSPHRASE in environ else passphrase
    if environ.get(KEY):
        return PrivateKey.read(environ[KEY], origin=KEY, passphrase=ask)
    if environ.get(FILE):
        return PrivateKey.read(_file(environ[FILE], outside), origin=environ[FILE], passphrase=ask)
    if environ.get(COMMAND):
        return PrivateKey.read(_printed(environ[COMMAND]), origin=f"what {COMMAND} prints", passphrase=ask)
    if source.file:
        return PrivateKey.read(_file(source.file, outside), origin=source.file, passphrase=ask)
    if source.env and environ.get(source.env):
        return PrivateKey.read(environ[source.env], origin=source.env, passphrase=ask)
    if source.command:
        return PrivateKey.read(_printed(source.command), origin="what signing.command prints", passphrase=ask)
    return None


def signer(settings: Settings, private: PrivateKey | None, now: float) -> Sign | None:
    """What signs a snapshot's bytes; None in a repository without keys.

    Raises RefusedError when settings list keys and the one at hand is missing, not among them, or out of its time:
    readers would turn down what is published.
    """
    keys = believed(settings)
    if not keys:
        if private is not None:
            raise RefusedError(
                "there is a signing key, but settings list no keys, so nobody would check the signature",
                hint=f'in flags/flagctl.yaml: keys: [{{name: NAME, public: "{public_line(private.public, "NAME")}"}}]',
            )
        return None
    if private is None:
        hint = f"set {KEY}, {FILE} or {COMMAND}, or write signing: in flags/flagctl.yaml"
        raise RefusedError("snapshots are signed here, and no private key is at hand", hint=hint)
    own = [key for key in keys if key.raw == private.public]
    usable = [key for key in own if key.state(now) == "ok"]
    if not own:
        raise RefusedError(
            f"the private key at hand ({fingerprint(private.public)}) is not among the keys of flags/flagctl.yaml",
            hint="flagctl key list shows which there are",
        )
    if not usable:
        why = "is retired" if own[0].state(now) == "retired-key" else "is not valid yet"
        raise RefusedError(f"the key {own[0].name} {why}", hint="flagctl key list shows which may sign now")
    return lambda data: private.sign(data, usable[0].name)


def _file(name: str, outside: Path) -> str:
    path = Path(name).expanduser()
    path = path if path.is_absolute() else outside / path
    if path.resolve().is_relative_to(outside.resolve()):
        raise RefusedError(
            f"the signing key {name} lies in the repository", hint="move it elsewhere; if it was committed, replace it"
        )
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise OutsideError(f"the signing key {name} can't be read: {why}", hint=f"or set {KEY}") from None


def _printed(command: str) -> str:
    # Not repeated in errors: a command may carry a token, and its output is the key.
    try:
        words = shlex.split(command)
        done = subprocess.run(words, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
        why = "takes too long" if isinstance(error, subprocess.TimeoutExpired) else "can't be started"
        raise OutsideError(f"the command that prints the signing key {why}", hint="try it by itself") from None
    if done.returncode:
        raise OutsideError(
            f"the command that prints the signing key ended with {done.returncode}", hint="try it by itself"
        )
    return done.stdout
