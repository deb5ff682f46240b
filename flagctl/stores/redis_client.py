"""redis-py's clients for the three forms of Redis, and its errors in our words."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from flagctl.errors import FlagctlError, OutsideError, UsageError
from flagctl.stores.masking import scrub
from flagctl.stores.patience import cut_after

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagctl.stores.address import Address

_USUAL = {"redis": 6379, "sentinel": 26379, "cluster": 6379}
_TIMEOUT = 5
_SENTINEL = 2
"""Seconds that a Sentinel may take."""

_UNREACHABLE = "is it running, and is the address right?"
_WORDS = (
    ("OutOfMemoryError", "it is out of memory",
     "raise its maxmemory or remove something, then publish again; what was live is still live"),
    ("ReadOnlyError", "it is a read-only replica",
     "name the primary, or use redis+sentinel://; after a failover publish again"),
    ("BusyLoadingError", "it is still loading its data", "publish again in a moment"),
    ("InvalidResponse", "what answers there is no Redis", "look at the address"),
    ("MasterNotFoundError", "the Sentinels know no primary that is up",
     "look at the Sentinels, the name in the URL, and sentinel_password_env; during a failover try again in a moment"),
    ("ClusterDownError", "the cluster is down", "«redis-cli cluster info» says why; then publish again"),
    ("SlotNotCoveredError", "no node serves the environment's slot",
     "«redis-cli cluster info» says why; then publish again"),
    ("MasterDownError", "its primary is down", "publish again after the failover"),
    ("TryAgainError", "its slots are on the move", "publish again when the resharding is done"),
    ("ClusterError", "its slots are on the move", "publish again when the resharding is done"),
    ("AuthenticationError", "it doesn't accept user and password",
     "look at the URL, or at the variable that password_env names"),
    ("NoPermissionError", "its user lacks a right",
     "publishing needs ~flagctl:* &flagctl:* +@read +@write +@scripting +@connection +publish +info; "
     "in a cluster +cluster too"),
    ("CertificateError", "its certificate is not by an authority that is known here, or of another name",
     "say which authority signed it with `ca_file`, and call the host as its certificate does"),
    ("ConnectTimeout", "it can't be reached in time", _UNREACHABLE),
    ("TimeoutError", "it did not answer in time", "publish again; when what was sent did arrive this is seen"),
    ("MaxConnectionsError", "it takes no more connections", "try again in a moment"),
)  # fmt: skip
_SIGNS = {
    "OutOfMemoryError": "OOM ",
    "MasterDownError": "MASTERDOWN",
    "ConnectTimeout": "Timeout connecting",
    "CertificateError": "CERTIFICATE_VERIFY_FAILED",
    "AuthenticationError": "invalid username-password",
}
"""What stands in errors that have, or may have, no class of their own."""


@contextmanager
def outside(address: Address, doing: str) -> Iterator[None]:
    """Errors of redis-py and of sockets as OutsideError, with nothing secret in them."""
    from redis.exceptions import RedisClusterException, RedisError

    try:
        yield
    except FlagctlError:
        raise
    except (RedisError, RedisClusterException, OSError) as error:
        raise _told(address, doing, error) from None


def _said(error: Exception) -> str:
    """The library's words in one line, without the objects that it prints of Sentinels that don't answer."""
    said, _, asked = str(error).strip().partition("\n")[0].partition(" : ")
    if "MasterNotFoundError" not in {kind.__name__ for kind in type(error).__mro__}:
        return f"{said} : {asked}" if asked else said
    return "; ".join([said, *dict.fromkeys(re.findall(r"> - (.+?)(?=, <redis|$)", asked))])


def _told(address: Address, doing: str, error: Exception) -> OutsideError:
    kinds = {kind.__name__ for kind in type(error).__mro__}
    said = scrub(_said(error), address.secrets) or type(error).__name__
    for name, words, hint in _WORDS:
        if name in kinds or _SIGNS.get(name, "\0") in said:
            return OutsideError(f"can't {doing} {address.shown}: {words} ({said})", hint=hint)
    unreachable = kinds & {"ConnectionError", "RedisClusterException"} or isinstance(error, OSError)
    hint = _UNREACHABLE if unreachable else ""
    return OutsideError(f"can't {doing} {address.shown}: {said}", hint=hint)


def _timeout(address: Address) -> int:
    return int(address.options.get("timeout", _TIMEOUT))


@contextmanager
def in_time(client: Any, address: Address) -> Iterator[None]:
    """Answers may not take for ever in here: redis-py waits for the rest of one as long as some of it comes."""
    cut = client.disconnect_connection_pools if "+cluster" in address.scheme else client.connection_pool.disconnect
    with cut_after(_timeout(address), cut):
        yield


def connect(address: Address) -> Any:
    """A client for an address; connections are made when they are needed."""
    import redis
    from redis.backoff import ExponentialWithJitterBackoff
    from redis.retry import Retry

    form = address.scheme.partition("+")[2]
    timeout = _timeout(address)
    hosts = [(name, port or _USUAL[form or "redis"]) for name, port in address.hosts]
    settings: dict[str, Any] = {
        "username": str(address.options.get("username", "")) or address.username or None,
        "password": _secret(address, "password_env") or address.password or None,
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "health_check_interval": 30,
        "client_name": "flagctl",
    }
    if address.scheme.startswith("rediss"):
        settings |= {"ssl": True, "ssl_ca_certs": address.options.get("ca_file")}
    if form == "cluster":
        from redis.cluster import ClusterNode, RedisCluster

        with outside(address, "reach"):
            return RedisCluster(startup_nodes=[ClusterNode(*host) for host in hosts], **settings)
    # A command is sent again only where the connection broke: a script that did its work answers then that somebody
    # was faster, and reading back tells that it was this one. Who was silent for so long is not asked again: redis-py
    # would, at each of the steps of a connection, sixteen times in all.
    settings["retry"] = Retry(
        ExponentialWithJitterBackoff(cap=1, base=0.05), 3, supported_errors=(redis.ConnectionError,)
    )
    path = address.path.split("/") if address.path else []
    if form == "sentinel":
        from redis.sentinel import Sentinel

        # One that hangs is asked again before each connection: it must not eat up the time of the others.
        own: dict[str, Any] = dict.fromkeys(("socket_timeout", "socket_connect_timeout"), min(timeout, _SENTINEL))
        own["retry"] = Retry(ExponentialWithJitterBackoff(cap=1, base=0.05), 0)
        own["password"] = _secret(address, "sentinel_password_env") or None
        sentinel = Sentinel(hosts, sentinel_kwargs=own, **settings)
        return sentinel.master_for(path[0], db=int(path[1]) if path[1:] else 0)
    return redis.Redis(host=hosts[0][0], port=hosts[0][1], db=int(path[0]) if path else 0, **settings)


def _secret(address: Address, option: str) -> str:
    name = str(address.options.get(option, ""))
    if not name:
        return ""
    value = os.environ.get(name, "")
    if not value:
        raise UsageError(f"{address.shown} takes its password from {name}, which is not set", hint=f"export {name}=...")
    return value
