"""Times as flag files and contexts write them: RFC 3339 with a zone, or a date alone (its midnight UTC)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?([Zz]|[+-][0-9]{2}:[0-5][0-9]))?"
)
_DURATION = re.compile(r"(?:[0-9]+[smhdw])+")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_START = _EPOCH.replace(tzinfo=None)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(text: str) -> int | None:
    """Microseconds since the Unix epoch, or None when `text` is no RFC 3339 time with a zone and no date.

    Digits after the sixth decimal are dropped, unless nothing would be left of a fraction. A leap second (:60) is
    no time here, as in Python.
    """
    found = _RFC3339.fullmatch(text)
    if found is None:
        return None
    date, clock, fraction, zone = found.groups()
    if clock is None:
        clock, zone = "00:00:00", "Z"
    try:
        moment = datetime.fromisoformat(f"{date}T{clock}{'+00:00' if zone in 'Zz' else zone}")
    except ValueError:
        return None
    fraction = fraction or ""
    return (moment - _EPOCH) // _MICROSECOND + (int((fraction + "000000")[:6]) or bool(fraction.strip("0")))


def seconds(text: str) -> int | None:
    """Whole seconds since the Unix epoch: the first whole second at or after the time; None as above."""
    micro = microseconds(text)
    return None if micro is None else -(-micro // 1_000_000)


def text(epoch: float) -> str:
    """RFC 3339 UTC text of whole seconds, one fixed width: `2026-11-24T09:00:00Z`."""
    return f"{(_START + timedelta(seconds=int(epoch // 1))).isoformat()}Z"


def duration(text: str) -> int | None:
    """Seconds of a duration such as `90m`, `24h`, `7d` or `1d12h`; None when it is none or is zero."""
    if not _DURATION.fullmatch(text):
        return None
    return sum(int(n) * _SECONDS[unit] for n, unit in re.findall(r"([0-9]+)([smhdw])", text)) or None
