"""Semantic versions (semver.org 2.0.0) as sortable keys; `2` and `2.0` are padded to `2.0.0`."""

from __future__ import annotations

import re

_NUMBER = r"(0|[1-9][0-9]*)"
_TAIL = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_VERSION = rf"v?{_NUMBER}(?:\.{_NUMBER}(?:\.{_NUMBER}(?:-({_TAIL}))?(?:\+{_TAIL})?)?)?"
_LONGEST = 256

Key = tuple[int, int, int, tuple[tuple[int, int, str], ...]]
_RELEASE: tuple[tuple[int, int, str], ...] = ((2, 0, ""),)


def key(text: str) -> Key | None:
    """A tuple that sorts as semver.org's precedence does; None when `text` is no version.

    A leading `v` is dropped, build metadata does not count, and a pre-release needs all three numbers
    (flagd's engines disagree on partial versions with one).
    """
    found = re.fullmatch(_VERSION, text) if len(text) <= _LONGEST else None
    if found is None:
        return None
    major, minor, patch, pre = found.groups()
    tail = _RELEASE
    if pre is not None:
        identifiers = pre.split(".")
        if any(i.isdigit() and len(i) > 1 and i[0] == "0" for i in identifiers):
            return None
        tail = tuple((0, int(i), "") if i.isdigit() else (1, 0, i) for i in identifiers)
    return int(major), int(minor or 0), int(patch or 0), tail
