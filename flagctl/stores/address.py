"""Where a target is, as its URL and its options say it; what makes no sense is told before anything is opened.

file:published                                      a folder, counted from the one that holds flags/
s3://bucket/prefix                                  any S3-compatible service; see `endpoint`
redis://host:6379/0, rediss:// with TLS             one Redis server
redis+sentinel://host:26379,host:26379/name/0       the primary that Sentinels know by that name; rediss+sentinel://
redis+cluster://host:7000,host:7001                 a Redis Cluster; rediss+cluster://
http://, https://                                   to be read only

Options stand beside `url` in settings, or in the URL's query: s3://bucket/flags?endpoint=https://s3.example.com
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from flagctl.errors import UsageError
from flagctl.problems import did_you_mean
from flagctl.stores.masking import named, secrets_in

Option = str | int | bool

_S3: dict[str, Any] = {
    "endpoint": str, "region": str, "path_style": bool, "encryption": ("aws:kms", "AES256"), "kms_key": str,
    "storage_class": str, "cache_control": str, "races": ("lease", "refuse"), "timeout": int,
}  # fmt: skip
_REDIS: dict[str, Any] = {
    "username": str, "password_env": str, "sentinel_password_env": str, "prefix": str, "replicas": int,
    "ca_file": str, "timeout": int,
}  # fmt: skip
_KINDS = {
    "file": ("file", {}),
    "s3": ("s3", _S3),
    **{
        f"{scheme}{form}": ("redis", _REDIS) for scheme in ("redis", "rediss") for form in ("", "+sentinel", "+cluster")
    },
    "http": ("http", {"timeout": int}),
    "https": ("http", {"timeout": int}),
}
_FORMS = (
    "file:published, s3://bucket/prefix, redis://host:6379/0, redis+sentinel://host:26379/name, redis+cluster://host"
)


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A target's place.

    kind: which store serves it. shown: the URL with nothing secret in it, and with those options beside it that say
    where it is; secrets: what was taken out.
    hosts: (name, port) each, the port 0 for the usual one. path: unquoted.
    """

    kind: str
    scheme: str
    url: str
    shown: str
    username: str = ""
    password: str = ""
    hosts: tuple[tuple[str, int], ...] = ()
    path: str = ""
    options: dict[str, Option] = {}
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Address({self.shown!r})"


def parse(url: str, options: Mapping[str, Option] | None = None) -> Address:
    """The address of a target; raises UsageError, in which nothing secret stands."""
    shown = named(url, options)
    secrets = secrets_in(url)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise UsageError(f"the target {shown!r} is not a URL", hint=f"a target is {_FORMS}") from None
    if not parts.scheme:
        raise UsageError(f"the target {shown!r} says no scheme", hint=f"did you mean file:{shown}?")
    if parts.scheme not in _KINDS:
        raise UsageError(
            f"the target {shown!r} needs {parts.scheme}:, which flagctl doesn't know",
            hint=did_you_mean(parts.scheme, _KINDS) or f"a target is {_FORMS}",
        )
    kind, known = _KINDS[parts.scheme]
    if kind == "file":
        return _folder(url, parts.netloc, parts.path, bool(parts.query or parts.fragment), options)
    if kind == "http":
        said = _options({}, options or {}, known, shown)
        return Address(kind=kind, scheme=parts.scheme, url=url, shown=shown, options=said, secrets=tuple(secrets))
    if kind == "redis" and "@" in parts.path + parts.query + parts.fragment:
        raise UsageError(
            f"the target {shown!r} has a password with a / ? or # in it",
            hint="write them as %2F, %3F and %23; or keep the password out of the URL with password_env",
        )
    said = _options(dict(parse_qsl(parts.query, keep_blank_values=True)), options or {}, known, shown)
    user, at, rest = parts.netloc.rpartition("@")
    if kind == "s3" and at:
        raise UsageError(
            f"the target {shown!r} carries credentials",
            hint="leave them out: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role are found anyway",
        )
    if not rest.strip(","):
        what = "bucket" if kind == "s3" else "host"
        raise UsageError(f"the target {shown!r} names no {what}", hint=f"a target is {_FORMS}")
    username, _, password = user.partition(":")
    secrets += [piece for piece in (unquote(username), unquote(password)) if piece]
    address = Address(
        kind=kind,
        scheme=parts.scheme,
        url=url,
        shown=shown,
        username=unquote(username),
        password=unquote(password),
        hosts=((rest, 0),) if kind == "s3" else tuple(_host(host, shown) for host in rest.split(",") if host),
        path=unquote(parts.path).strip("/"),
        options=said,
        secrets=tuple(dict.fromkeys(secrets)),
    )
    if kind == "redis":
        _look_at_redis(address)
    elif "@" in str(said.get("endpoint", "")):
        raise UsageError(f"the endpoint of the target {shown!r} carries credentials", hint="leave them out")
    return address


def _options(
    query: dict[str, str], beside: Mapping[str, Option], known: Mapping[str, Any], shown: str
) -> dict[str, Option]:
    for name in [*query, *beside]:
        if name not in known:
            hint = did_you_mean(name, known) or (f"known: {', '.join(known)}" if known else "it takes no options")
            raise UsageError(f"the target {shown!r} has the unknown option {name}", hint=hint)
    found = {name: _value(name, text, known[name], shown) for name, text in query.items()}
    for name, value in beside.items():
        if name in found:
            raise UsageError(f"the target {shown!r} says {name} twice", hint="in its URL and beside it: leave one out")
        found[name] = _value(name, value, known[name], shown)
    return found


def _value(name: str, value: Option, kind: Any, shown: str) -> Option:
    if isinstance(kind, tuple):
        fits, expected = value in kind, " or ".join(kind)
    elif kind is bool:
        value = {"true": True, "false": False}.get(str(value).lower(), value)
        fits, expected = isinstance(value, bool), "true or false"
    elif kind is int:
        value = int(value) if str(value).isascii() and str(value).isdigit() else value
        fits, expected = isinstance(value, int) and not isinstance(value, bool), "a whole number"
    else:
        fits, expected = isinstance(value, str) and bool(value), "a text"
    if not fits:
        raise UsageError(f"the target {shown!r} has {name}: {value!r}; expected {expected}")
    return value


def _folder(url: str, host: str, path: str, more: bool, options: Mapping[str, Option] | None) -> Address:
    supported = "a folder is file:published (beside flags/) or file:///srv/flags"
    if host not in ("", "localhost"):
        raise UsageError(
            f"the target {url!r} names the host {host!r}, but a folder is on this machine",
            hint=f"for a folder beside flags/ write file:{host}{path}; an absolute path needs file:///",
        )
    path = unquote(path)
    if not path or "\0" in path or more:
        raise UsageError(f"the target {url!r} names no folder", hint=f"{supported}; write ? as %3F and # as %23")
    if options:
        raise UsageError(f"the target {url!r} has the unknown option {min(options)}", hint="it takes no options")
    return Address(kind="file", scheme="file", url=url, shown=url, path=path)


def _host(text: str, shown: str) -> tuple[str, int]:
    name, _, port = (
        text.rpartition(":") if text.count(":") == 1 or (text.startswith("[") and "]:" in text) else (text, "", "")
    )
    if not name or (port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536)):
        raise UsageError(f"the target {shown!r} names no host and port that make sense", hint="host:6379")
    return name.strip("[]"), int(port or 0)


def _look_at_redis(address: Address) -> None:
    parts = address.path.split("/") if address.path else []
    form = address.scheme.partition("+")[2]
    if form == "sentinel" and (not parts or not parts[0] or parts[0].isdigit()):
        raise UsageError(
            f"the target {address.shown!r} doesn't say which primary: Sentinels know several by name",
            hint="redis+sentinel://host:26379/mymaster/0",
        )
    database = parts[1:] if form == "sentinel" else parts
    if form == "cluster" and database not in ([], ["0"]):
        raise UsageError(
            f"the target {address.shown!r} names a database, and a cluster has only one", hint="leave it out"
        )
    if len(database) > 1 or not all(part.isascii() and part.isdigit() for part in database):
        raise UsageError(
            f"the target {address.shown!r} names no database that makes sense", hint="a number, such as /0"
        )
    if form == "" and len(address.hosts) > 1:
        raise UsageError(
            f"the target {address.shown!r} names several hosts",
            hint="redis+sentinel:// and redis+cluster:// take several",
        )
