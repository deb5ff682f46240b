"""The flagd definition of a snapshot as bytes, with a memory of flags that were compiled before.

A flag's part of the definition depends on the flag, on what it requires, and on what all flags share. Under a digest of
these it is kept, so that a publish compiles what changed. The bytes are the same with a memory and without.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from flagctl.compile.flagd import definition, in_order
from flagctl.compile.snapshot import encode_value, join
from flagctl.files.cache import keep, kept
from flagctl.files.repository import collector_off

if TYPE_CHECKING:
    from pathlib import Path

_ROOMS = ("compile", "model")
"""The code that makes these bytes."""
_SIZE = 16
_SHARED = ("bucketing", "attributes", "segments")
"""What every flag may be compiled with."""
_spell = msgspec.json.Encoder(order="deterministic").encode


class FlagdMaker:
    """Makes the flagd flag definition of a snapshot, without what flagd can't say.

    Its flags are made once for the same flags: another target may be at another version, which only metadata say.
    path: where what was compiled is remembered from one run to the next, None for nowhere.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._flags: Any = None
        self._made = b""
        self._sources: dict[str, bytes] | None = None

    def __call__(self, document: dict[str, Any]) -> bytes:
        """The bytes."""
        self._make(document)
        return around(document, self._made)

    def sources(self, document: dict[str, Any]) -> dict[str, bytes]:
        """For each flag a digest of all that its part is made from; empty where something can't be spelled for it."""
        self._make(document)
        if self._sources is None:
            self._sources = _keys(document) or {}
        return self._sources

    def parts(self, document: dict[str, Any]) -> dict[str, msgspec.Raw]:
        """The canonical bytes of each flag that flagd can say."""
        self._make(document)
        return msgspec.json.decode(self._made, type=dict[str, msgspec.Raw])

    def _make(self, document: dict[str, Any]) -> None:
        if self._flags is not document["flags"]:
            with collector_off():
                self._sources = None if self._path is None else _keys(document)
                self._made = _compiled(document, self._path, self._sources)
            self._flags = document["flags"]


def around(document: dict[str, Any], flags: bytes) -> bytes:
    """The definition of a snapshot with these flags, canonical bytes themselves, in place of its own."""
    rest = definition({**document, "flags": {}}).document
    return join({name: encode_value(part) for name, part in rest.items()} | {"flags": flags})


def _compiled(document: Mapping[str, Any], path: Path | None, keys: dict[str, bytes] | None) -> bytes:
    """The canonical bytes of the definition's flags."""
    if path is None or keys is None:
        return encode_value(definition(document).document["flags"])
    known = _load(path)
    missing = {name for name, key in keys.items() if key not in known}
    if missing:
        wanted = with_required(document["flags"], missing)
        some = {name: flag for name, flag in document["flags"].items() if name in wanted}
        made = definition({**document, "flags": some}).document["flags"]
        for name in missing:
            known[keys[name]] = encode_value(made[name]) if name in made else b""
        keep(path, msgspec.msgpack.encode({key: known[key] for key in keys.values()}), _ROOMS)
    return join({name: known[key] for name, key in keys.items() if len(known[key])})


def _keys(document: Mapping[str, Any]) -> dict[str, bytes] | None:
    """For each flag a digest of all that its part is made from; None where something can't be spelled for it."""
    flags = document["flags"]
    keys: dict[str, bytes] = {}
    try:
        shared = hashlib.blake2b(_spell([document[name] for name in _SHARED]), digest_size=_SIZE).digest()
        for name in in_order(
            {name: [need["flag"] for need in flag.get("requires", ())] for name, flag in flags.items()}
        ):
            seen = hashlib.blake2b(shared + _spell(flags[name]), digest_size=_SIZE)
            for need in flags[name].get("requires", ()):
                if need["flag"] not in flags:
                    seen.update(b"\0" * _SIZE)
                elif need["flag"] in keys:
                    seen.update(keys[need["flag"]])
                else:
                    return None  # a circle
            keys[name] = seen.digest()
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None
    return keys


def with_required(flags: Mapping[str, Any], names: Iterable[str]) -> set[str]:
    """The names, and those of all flags that they require, one through another."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in flags and name not in found:
            found.add(name)
            waiting += [need["flag"] for need in flags[name].get("requires", ())]
    return found


def _load(path: Path) -> dict[bytes, bytes | memoryview]:
    body = kept(path, _ROOMS)
    try:
        return {} if body is None else msgspec.msgpack.decode(body, type=dict[bytes, memoryview])
    except msgspec.MsgspecError:
        return {}
