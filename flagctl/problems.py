"""Problems: mistakes in files, returned as data, many at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

Severity = Literal["error", "warning", "off"]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One mistake at one place.

    file: path relative to the flag repository's root, with forward slashes.
    pointer: JSON pointer (RFC 6901) into the file's data; "" is the whole file. Line and column are
        looked up when the problem is shown, unless `line` says them already (YAML that can't be parsed).
    at_key: the place is the key that the pointer ends in, not its value.
    """

    rule: str
    message: str
    file: str
    pointer: str = ""
    at_key: bool = False
    severity: Severity = "error"
    hint: str = ""
    line: int = 0
    column: int = 0


def pointer(*parts: str | int) -> str:
    """A JSON pointer from its reference tokens, escaped as RFC 6901 says."""
    return "".join("/" + str(p).replace("~", "~0").replace("/", "~1") for p in parts)


def parts_of(pointer: str) -> list[str]:
    """The reference tokens of a JSON pointer, unescaped."""
    return [p.replace("~1", "/").replace("~0", "~") for p in pointer.split("/")[1:]]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """«did you mean X?» where a known name is close to `word`, else an empty text."""
    from difflib import get_close_matches

    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else ""
