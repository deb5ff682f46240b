"""A compiled document on its way to several targets: each part is turned into bytes once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from flagctl.compile.audience import subset
from flagctl.compile.snapshot import content, encode_value, join
from flagctl.publish.flagd import FlagdMaker
from flagctl.stores.packing import pack_ahead

if TYPE_CHECKING:
    from flagctl.model.repository import Audience, Settings

Maker = Callable[[dict[str, Any]], bytes]
"""Makes the bytes of something that stands beside the live snapshot from the final document."""
Sign = Callable[[bytes], dict[str, str]]
"""Makes the `signature` of canonical bytes without one."""

FLAGD = "flagd.json"


class Draft:
    """A snapshot document whose version is not settled.

    sign: must give the same for the same bytes, or what is
    live already would be published again and again.
    beside: names such as `flagd.json` to what makes their bytes.
    """

    def __init__(
        self,
        document: dict[str, Any],
        *,
        sign: Sign | None = None,
        beside: Mapping[str, Maker] | None = None,
    ) -> None:
        self.document = {name: value for name, value in document.items() if name != "signature"}
        self.environment: str = document["environment"]
        self.sign = sign
        self.beside = dict(beside or {})
        self._parts = {name: encode_value(value) for name, value in self.document.items()}
        self._made: dict[tuple[str, bytes], bytes] = {}

    def prepare(self) -> None:
        """Do ahead what needs no version: compiling for flagd, and packing all but the ends, where versions stand.

        For places that keep both packed: done between looking what is live and the swap, others win more races.
        """
        made = [join(self._parts)]
        if FLAGD in self.beside:
            made.append(self.beside[FLAGD](self.document))
        for data in made:
            pack_ahead(data[: data.rfind(b'"version":')])

    @cached_property
    def flags(self) -> dict[str, msgspec.Raw]:
        """Each flag as it is spelled."""
        return msgspec.json.decode(self._parts["flags"], type=dict[str, msgspec.Raw])

    @property
    def parts(self) -> dict[str, bytes]:
        """The canonical bytes of what the document says, by field, without when and by whom it was published."""
        return content(self._parts)

    def final(self, **about: Any) -> tuple[dict[str, Any], bytes]:
        """The document with these fields, signed, and its canonical bytes."""
        document = {**self.document, **about}
        parts = {**self._parts, **{name: encode_value(value) for name, value in about.items()}}
        data = join(parts)
        if self.sign is None:
            return document, data
        document["signature"] = signature = self.sign(data)
        return document, join({**parts, "signature": encode_value(signature)})

    def companions(self, document: dict[str, Any], data: bytes) -> dict[str, bytes]:
        """Keys and bytes of what stands beside a final document; made once for the same bytes."""
        found = {}
        for name, make in self.beside.items():
            known = self._made.get((name, data))
            if known is None:
                known = self._made[name, data] = make(document)
            found[f"{self.environment}/{name}"] = known
        return found


def audience_key(name: str) -> str:
    """Where the part of an environment that is for an audience stands, below the environment."""
    return f"{name}/snapshot.json"


def makers(settings: Settings, sign: Sign | None, flagd: Maker | None = None) -> dict[str, Maker]:
    """What stands beside a snapshot: the parts for audiences, under the version of the whole, each signed itself.

    flagd: makes the flagd definition; None for one without a memory.
    """

    def maker(audience: Audience) -> Maker:
        def make(document: dict[str, Any]) -> bytes:
            return Draft(subset(document, audience), sign=sign).final()[1]

        return make

    return {
        FLAGD: flagd or FlagdMaker(),
        **{audience_key(audience.name): maker(audience) for audience in settings.audiences.values()},
    }
