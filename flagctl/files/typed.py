"""What people type for a value, as the value a flag file holds; UsageError says what was expected."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from flagctl.errors import UsageError
from flagctl.files.read import load
from flagctl.model import times

_NUMBER = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}0*)?%?")
_OWNER = re.compile(r"\s*([^<>]*[^<>\s])\s*(?:<([^<>\s]+)>)?\s*")
_TEXTS = frozenset({"description", "documentation_url", "team", "email", "name", "flag", "attribute", "segment", "salt",
                    "layer", "tags", "overrides", "duration"})  # fmt: skip
_VARIANTS = frozenset({"serve", "variant", "off_variant"})
_DAY = 86400


def percentage(text: str) -> int | float:
    """`25`, `12.5` or `25%`: 0 to 100, up to three decimals."""
    number = float(text.rstrip("%")) if _NUMBER.fullmatch(text) else -1.0
    if not 0 <= number <= 100:
        raise UsageError(f'"{text}" is no percentage', hint="0 to 100, up to three decimals: 25, 0.5")
    return int(number) if number.is_integer() else number


def shares(text: str) -> dict[str, int | float]:
    """`a=50,b=50`."""
    found: dict[str, int | float] = {}
    for part in text.split(","):
        name, sign, share = part.partition("=")
        if not sign or not name.strip() or name.strip() in found:
            raise UsageError(f'"{text}" is no split', hint="each variant once, with its percentage: control=50,blue=50")
        found[name.strip()] = percentage(share.strip())
    return found


def expiry(text: str, now: float) -> str | None:
    """A date or time, kept as typed; `30d` from now, as a date where it is whole days; `never` is None."""
    if text == "never":
        return None
    if times.microseconds(text) is not None:
        return text.replace(" ", "T")
    seconds = times.duration(text)
    if seconds is None:
        raise UsageError(f'"{text}" is no date', hint="2027-03-01, 2027-03-01T09:00:00Z, 30d from now, or never")
    try:
        found = times.text(now + seconds)
    except OverflowError:
        raise UsageError(f'"{text}" from now is beyond the calendar', hint="never") from None
    return found[:10] if seconds % _DAY == 0 else found


def owner(text: str) -> dict[str, str]:
    """`growth` or `growth <growth@example.com>`."""
    found = _OWNER.fullmatch(text)
    if found is None:
        raise UsageError(f'"{text}" is no owner', hint="growth, or growth <growth@example.com>")
    team, email = found.groups()
    return {"team": team, "email": email} if email else {"team": team}


def value(text: str, parts: Sequence[str], *, boolean: bool) -> Any:
    """The value typed for the field at `parts`: YAML where it reads as such and text can't be meant.

    Fields that hold text get text: `salt=10` is "10". boolean: the flag's variants are `on` and `off`.
    """
    names = [part for part in parts if part != "-" and not part.isdecimal()]
    field = names[-1] if names else ""
    if field in _VARIANTS:
        return {"true": "on", "false": "off"}.get(text, text) if boolean else text
    if text[:1] in ("[", "{", '"', "'"):
        data, problems = load(f"value: {text}\n".encode(), "")
        if data is None or list(data) != ["value"]:
            reason = problems[0].message if problems else "it ends early"
            raise UsageError(f"{text} can't be read: {reason}", hint="quote it for your shell: 'tags=[web, new]'")
        return data["value"]
    if field in _TEXTS or names[:1] == ["overrides"] or field.startswith("semver_") or re.search(r"\s|:|#", text):
        return text
    data, _ = load(f"value: {text}\n".encode(), "")
    return text if data is None or list(data) != ["value"] else data["value"]
