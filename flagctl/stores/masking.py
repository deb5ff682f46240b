"""URLs and texts with nothing secret in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

# A password may hold any character, though it should not: all before the last @ is taken for one. In s3: the
# query may hold an endpoint with an @ of its own.
_USER = re.compile(r"^((?:[A-Za-z][A-Za-z0-9+.-]*:)?//)(?:(?<!s3://)(?<!S3://).*|[^?#]*)@", re.DOTALL)
_OPTION = re.compile(r"([?&;])([^=&;#]*)=([^&;#]*)")
_HARMLESS = frozenset(
    ("region", "path_style", "encryption", "storage_class", "cache_control", "races", "prefix", "replicas", "timeout",
     "password_env", "sentinel_password_env", "username", "ca_file", "endpoint")
)  # fmt: skip
"""Options whose values may be shown; the value of any other may be a token."""
_PLACES = ("endpoint", "prefix")
HIDDEN = "***"


def mask(url: str) -> str:
    """The URL as it may be shown: without user and password, and without the values of unknown options."""
    if url[:5].lower() == "file:":
        return url
    return _OPTION.sub(_shown, _without_user(url).partition("#")[0])


def named(url: str, options: Mapping[str, object] | None = None) -> str:
    """A place as it may be shown: the masked URL, with those options beside it that make it another place."""
    said = [f"{name}={options[name]}" for name in _PLACES if options and name in options]
    return mask(f"{url}{'&' if '?' in url else '?'}{'&'.join(said)}" if said else url)


def secrets_in(url: str) -> list[str]:
    """The pieces of a URL that `mask` takes out, as they are spelled."""
    if url[:5].lower() == "file:":
        return []
    found = [match[0].partition("//")[2][:-1] for match in [_USER.match(url)] if match]
    found += [piece for user in found for piece in user.split(":", 1)]
    found += [match[3] for match in _OPTION.finditer(url) if _shown(match) != match[0]]
    return [piece for piece in dict.fromkeys(found) if piece]


def scrub(text: str, secrets: Iterable[str]) -> str:
    """A library's own words without these secrets, which its errors may repeat."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) > 2:
            text = text.replace(secret, HIDDEN)
    return text


def _without_user(url: str) -> str:
    return _USER.sub(rf"\g<1>{HIDDEN}@", url)


def _shown(option: re.Match[str]) -> str:
    before, name, value = option.groups()
    if name == "endpoint":
        return f"{before}{name}={_without_user(value)}"
    return option[0] if name in _HARMLESS or not value else f"{before}{name}={HIDDEN}"
