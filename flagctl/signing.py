"""Ed25519 signatures of snapshots: making them, and telling whether a snapshot may be believed.

A signature is over the canonical bytes of the document without its `signature`. Keys are sorted and there are no
blanks, so these bytes are the published ones with one piece cut out: a reader verifies what it received, without
writing it anew, and no second spelling of the same document passes.

    {..., "segments":{...},"signature":{"algorithm":"ed25519","key":"release-2026","value":"<base64>"},"version":7}
                          |<------------------------------ cut out -------------------------------->|
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from flagctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FORMAT = "flagctl/snapshot/1"
_FAMILY = re.compile(r"flagctl/snapshot/([0-9]+)")
_SIGNED = re.compile(
    rb',"signature":\{"algorithm":"ed25519","key":"([A-Za-z0-9._-]{1,128})","value":"([A-Za-z0-9+/]{86}==)"\}'
    rb'(?=,"version":[0-9]+\}\Z)'
)
_EMPTIED = " (if the place was emptied on purpose, flagctl publish --above {} goes on from there)"
_LONGEST_END = 400
"""More bytes than a signature and a version take at the end of a document."""
ONE_LINE = "flagctl-private-ed25519:"
"""Our spelling of a private key in one line, for environment variables: this, and the base64 of the 32 bytes."""
PRIVATE = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----|flagctl-private-ed25519:[A-Za-z0-9+/]{43}=")
"""What a file holds that holds a private key."""
_SSH = b"\0\0\0\x0bssh-ed25519\0\0\0\x20"

State = Literal[
    "ok", "damaged", "newer-format", "unsigned", "unknown-key", "early-key", "retired-key", "bad-signature",
    "wrong-environment", "step-back",
]  # fmt: skip


class PublicKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key to believe: from `since` on and before `until` (seconds since the epoch; None: without bound)."""

    name: str
    raw: bytes
    since: int | None = None
    until: int | None = None

    def state(self, now: float) -> Literal["ok", "early-key", "retired-key"]:
        """Whether it may be used at a time."""
        if self.since is not None and now < self.since:
            return "early-key"
        return "retired-key" if self.until is not None and now >= self.until else "ok"


class _Head(msgspec.Struct):
    """What has to be looked at before a snapshot is believed; its flags are read over, and no more."""

    format: Any = None
    environment: Any = None
    version: Any = None
    audience: Any = None
    canary: Any = msgspec.UNSET
    signature: Any = msgspec.UNSET
    flags: msgspec.Raw = msgspec.Raw(b"null")


_ANYTHING = _Head | list[msgspec.Raw] | str | float | bool | None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a snapshot may be believed, and if not why.

    message: a sentence; key: the name of the key it says it is signed by, "" for none; canary: its `canary` block,
    None for one that has none. version: 0 where that can't be told.
    """

    state: State
    message: str
    key: str = ""
    version: int = 0
    canary: Any = None
    data: bytes = b""

    @property
    def ok(self) -> bool:
        """It may."""
        return self.state == "ok"

    @property
    def document(self) -> dict[str, Any] | None:
        """What it says, also when it is not to be believed; None where that can't be told. Parsed at every call."""
        try:
            return msgspec.json.decode(self.data, type=dict[str, Any])
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None


def verify(
    data: bytes,
    keys: Sequence[PublicKey],
    *,
    environment: str,
    now: float,
    audience: str | None = None,
    held: int | None = None,
    canary: bool = False,
) -> Verdict:
    """Whether the bytes of a snapshot may take the place of what a reader has.

    keys: whom to believe; none: the signature is not looked at. environment, audience, canary: what was asked for.
    held: the version the reader has, None for none; only a lower one is a step back.
    """
    try:
        data.decode()  # what is read over is not looked into
        head = msgspec.json.decode(data, type=_ANYTHING)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        return Verdict(state="damaged", message=f"this is no JSON document: {error}")
    if not isinstance(head, _Head) or not isinstance(head.format, str):
        return Verdict(state="damaged", message="this is no snapshot: it names no format")
    version = head.version if type(head.version) is int and head.version >= 0 else None
    tried = None if head.canary is msgspec.UNSET else head.canary

    def verdict(state: State, message: str, key: str = "") -> Verdict:
        return Verdict(state=state, message=message, key=key, version=version or 0, canary=tried, data=data)

    if head.format != FORMAT:
        if _FAMILY.fullmatch(head.format):
            return verdict("newer-format", f"it is in the format {head.format}, and this reads {FORMAT}")
        return verdict("damaged", f"it is in the format {head.format!r}, and this reads {FORMAT}")
    if version is None or not bytes(head.flags).startswith(b"{"):
        return verdict("damaged", "its version or its flags make no sense")
    name = ""
    if keys:
        state, name, message = _signature(data, head, keys, now)
        if state != "ok":
            return verdict(state, message, name)
    if head.environment != environment:
        return verdict("wrong-environment", f"it is of {head.environment!r}, not of {environment!r}", name)
    if head.audience != audience:
        found, wanted = (f"for {one!r}" if one else "the whole" for one in (head.audience, audience))
        return verdict("wrong-environment", f"it is {found}, not {wanted}", name)
    if (head.canary is not msgspec.UNSET) is not canary:
        return verdict("wrong-environment", f"it is {'no' if canary else 'a'} canary", name)
    if held is not None and version < held:
        said = f"it is version {version}, older than version {held} seen before{_EMPTIED.format(held)}"
        return verdict("step-back", said, name)
    return verdict("ok", f"signed by {name}" if name else "not signed", name)


def _signature(data: bytes, head: _Head, keys: Sequence[PublicKey], now: float) -> tuple[State, str, str]:
    if head.signature is msgspec.UNSET:
        return "unsigned", "", "it is not signed"
    start = max(0, len(data) - _LONGEST_END)
    found = _SIGNED.search(data, start)
    value = base64.b64decode(found[2]) if found else b""
    # The last letter of base64 holds four bits that decoding drops: two spellings of one signature.
    if found is None or base64.b64encode(value) != found[2]:
        return "bad-signature", "", "its signature is not written as signatures are"
    name = found[1].decode()
    named = [key for key in keys if key.name == name]
    if not named:
        return "unknown-key", name, f"it is signed by {name}, and {', '.join(key.name for key in keys)} are believed"
    states = {key.state(now): key for key in named}
    if "ok" not in states:
        state: State = next(iter(states))
        return (
            state,
            name,
            f"it is signed by {name}, which {'is retired' if state == 'retired-key' else 'begins later'}",
        )
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        signed = data[: found.start()] + data[found.end() :]
        Ed25519PublicKey.from_public_bytes(states["ok"].raw).verify(value, signed)
    except (InvalidSignature, ValueError):
        return "bad-signature", name, f"its signature by {name} does not fit: somebody changed it"
    return "ok", name, ""


def public_key(text: str) -> bytes:
    """The 32 bytes of a public key: an OpenSSH line (`ssh-ed25519 AAAA... comment`) or their base64.

    Raises UsageError that never repeats the text: it may be a private key put in the wrong place.
    """
    words = text.split()
    try:
        blob = base64.b64decode(words[1] if words[:1] == ["ssh-ed25519"] else "".join(words), validate=True)
    except (binascii.Error, ValueError, IndexError):
        blob = b""
    raw = blob.removeprefix(_SSH)
    if len(raw) != 32 or (words[0] == "ssh-ed25519") is not blob.startswith(_SSH):
        private = PRIVATE.search(text.encode("utf-8", "replace"))
        kind = "private key where a public one belongs" if private else "text that is no Ed25519 public key"
        raise UsageError(f"found a {kind}", hint="write the line of the .pub file: ssh-ed25519 AAAA...")
    return raw


class PrivateKey:
    """A private key at hand; `public` is its public half, 32 bytes. Says nothing of itself in a repr."""

    def __init__(self, key: Any) -> None:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        self._key = key
        self.public: bytes = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @classmethod
    def new(cls) -> PrivateKey:
        """One that nobody had before."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def read(cls, text: str, *, origin: str, passphrase: Callable[[], str] | None = None) -> PrivateKey:
        """From OpenSSH's or another PEM format, line breaks also written as `\\n`, or from our one line.

        origin: where the text is from, for errors, which never repeat it. passphrase: asked where one is needed.
        """
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

        text = text.strip().replace("\\n", "\n")
        hint = "make one with `flagctl key new NAME` or `ssh-keygen -t ed25519`"
        if text.startswith(ONE_LINE):
            try:
                return cls(
                    Ed25519PrivateKey.from_private_bytes(base64.b64decode(text.removeprefix(ONE_LINE), validate=True))
                )
            except ValueError:
                raise UsageError(f"{origin} holds a damaged private key", hint=hint) from None
        pem = f"{text}\n".encode("utf-8", "replace")
        load = load_ssh_private_key if b"BEGIN OPENSSH" in pem else load_pem_private_key
        word: bytes | None = None
        try:
            try:
                key: Any = load(pem, None)
            except (TypeError, ValueError) as error:
                if not isinstance(error, TypeError) and "password" not in str(error).lower():
                    raise
                if passphrase is None:
                    raise UsageError(
                        f"the private key in {origin} has a passphrase", hint="set FLAGCTL_SIGNING_PASSPHRASE"
                    ) from None
                word = passphrase().encode()
                key = load(pem, word)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            why = "does not open with this passphrase" if word is not None else "holds no private key that can be read"
            raise UsageError(f"{origin} {why}", hint="" if word is not None else hint) from None
        if not isinstance(key, Ed25519PrivateKey):
            raise UsageError(f"{origin} holds a key of another kind than Ed25519", hint=hint)
        return cls(key)

    def sign(self, data: bytes, name: str) -> dict[str, str]:
        """The `signature` of a document: `data` are its canonical bytes without one."""
        value = base64.b64encode(self._key.sign(data)).decode()
        return {"algorithm": "ed25519", "key": name, "value": value}

    def pem(self) -> str:
        """The key as OpenSSH's own programs read it, without a passphrase."""
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        text: bytes = self._key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        return text.decode()

    def line(self) -> str:
        """The key in one line, for an environment variable."""
        return ONE_LINE + base64.b64encode(self._key.private_bytes_raw()).decode()


def public_line(raw: bytes, comment: str) -> str:
    """A public key as the line of an OpenSSH .pub file."""
    return f"ssh-ed25519 {base64.b64encode(_SSH + raw).decode()} {comment}"


def holds_half_of(text: str, publics: Sequence[bytes]) -> bool:
    """Whether a text with a private key in it holds the private half of one of these public keys.

    An OpenSSH key with a passphrase tells too: its public half is not encrypted. Others with one do not.
    """
    for body in re.findall(r"-----BEGIN OPENSSH PRIVATE KEY-----([^-]*)-----END", text.replace("\\n", "\n")):
        try:
            blob = base64.b64decode("".join(body.split()))
        except ValueError:
            continue
        if any(_SSH + raw in blob for raw in publics):
            return True
    for key in re.findall(
        r"-----BEGIN PRIVATE KEY-----[^-]*-----END PRIVATE KEY-----|flagctl-private-ed25519:\S+", text
    ):
        try:
            if PrivateKey.read(key, origin="a file").public in publics:
                return True
        except UsageError:
            continue
    return False
