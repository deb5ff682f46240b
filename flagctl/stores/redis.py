"""Redis as a store: one server, the primary that Sentinels name, or a cluster.

flagctl:{production}:snapshot       the live snapshot, gzip
flagctl:{production}:flagd          what stands beside it, gzip
flagctl:{production}:version        the highest version ever published there
flagctl:{production}:versions       a stream: version, commit and digest of each publish
flagctl:{production}:changes        a pub/sub channel: a version number for each publish

The braces keep all keys of an environment in one slot of a cluster. One script does a publish: it looks whether what
is live is what the publisher saw, and then writes everything and tells subscribers, or nothing.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from flagctl.errors import OutsideError, UsageError
from flagctl.stores.base import UNCHANGED, LostRaceError, Release, Stored, wait_silently
from flagctl.stores.packing import is_strange, pack, unpack
from flagctl.stores.redis_client import connect, in_time, outside

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from flagctl.stores.address import Address
    from flagctl.stores.redis_watch import Watch

_RESERVED = ("version", "versions", "changes")
_KEPT = 1000
"""Entries that the stream keeps, or a few more."""

# The stream comes first: where its key holds something else, this fails before anything is written. Whether memory
# is short is looked at by Redis before the script runs, for the script as a whole.
_RELEASE = """
local live, version, stream = KEYS[1], KEYS[2], KEYS[3]
local found = redis.call('GET', live)
if (found and redis.sha1hex(found) or '') ~= ARGV[1] then return {'lost', 'token'} end
local newest = tonumber(redis.call('GET', version) or '0') or 0
if newest >= tonumber(ARGV[2]) then return {'lost', 'version'} end
redis.call('XADD', stream, 'MAXLEN', '~', ARGV[5], '*', 'version', ARGV[2], 'commit', ARGV[3], 'digest', ARGV[4])
redis.call('SET', live, ARGV[7])
redis.call('SET', version, ARGV[2])
for i = 4, #KEYS do redis.call('SET', KEYS[i], ARGV[i + 4]) end
local told = redis.pcall('PUBLISH', ARGV[6], ARGV[2])
if type(told) == 'table' and told.err then return {'untold', told.err} end
return {'done', tostring(told)}
"""
_SWAP = """
local found = redis.call('GET', KEYS[1])
if (found and redis.sha1hex(found) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""


class RedisStore:
    """Redis as a store. One object serves one thread; it connects when it is first needed."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.url = address.shown
        self.caution = ""
        self.waiting = wait_silently
        self.prefix = str(address.options.get("prefix", "flagctl"))
        # Sentinel exists to fail over: what no replica has is lost then. Elsewhere that is the owner's choice.
        asked = address.options.get("replicas", 1 if "+sentinel" in address.scheme else 0)
        self._replicas = int(asked)
        self._client: Any = None

    @property
    def client(self) -> Any:
        """redis-py's client, connected on first use."""
        if self._client is None:
            self._client = connect(self.address)
        return self._client

    def name(self, key: str) -> str:
        """The Redis key of one of ours."""
        environment, _, rest = key.partition("/")
        rest = rest.removesuffix(".json")
        if rest in _RESERVED:
            raise UsageError(f"{key} can't be published to Redis: the name {rest} is taken there")
        return f"{self.prefix}:{{{environment}}}:{rest}"

    def _own(self, environment: str, what: str) -> str:
        return f"{self.prefix}:{{{environment}}}:{what}"

    @contextmanager
    def _asking(self, doing: str) -> Iterator[Any]:
        with outside(self.address, doing):
            yield self.client

    @contextmanager
    def _reading(self, key: str) -> Iterator[Any]:
        with self._asking(f"read {key} from") as client, in_time(client, self.address):
            yield client

    def get(self, key: str) -> Stored | None:
        """See Reader. The token is a digest of what lies there and the number of the newest publish."""
        name, stream = self.name(key), self._own(key.partition("/")[0], "versions")
        with self._reading(key) as client:
            # In this order: a publish between the two makes the token too old, never the bytes.
            last = client.xrevrange(stream, count=1)
            raw = client.get(name)
        return self._stored(key, raw, last[0][0].decode() if last else "")

    def _stored(self, key: str, raw: bytes | None, number: str) -> Stored | None:
        if raw is None:
            return None
        return Stored(
            data=unpack(raw, f"{key} at {self.url}"),
            token=f"{hashlib.sha1(raw, usedforsecurity=False).hexdigest()}@{number}",
            size=len(raw),
            modified=int(number.partition("-")[0]) / 1000 if number else None,
            strange=is_strange(raw),
        )

    def read_if_changed(self, key: str, token: str) -> Stored | None:
        """See Reader. While nothing was published, one number is read; a canary is written without one."""
        number = token.partition("@")[2]
        if number and not key.endswith("/canary.json"):
            with self._reading(key) as client:
                last = client.xrevrange(self._own(key.partition("/")[0], "versions"), count=1)
                if last and last[0][0].decode() == number:
                    return UNCHANGED
                found = self._stored(key, client.get(self.name(key)), last[0][0].decode() if last else "")
        else:
            found = self.get(key)
        return UNCHANGED if found is not None and found.token == token else found

    def watch(self, environment: str, after: str = "") -> Watch:
        """Who is told of each publish of an environment; `after`: a token of what is at hand already."""
        from flagctl.stores.redis_watch import Watch

        names = self._own(environment, "changes"), self._own(environment, "versions")
        return Watch(self.address, *names, after.partition("@")[2])

    def put(self, key: str, data: bytes) -> None:
        """See Store."""
        with self._asking(f"write {key} to") as client:
            client.set(self.name(key), pack(data))

    def swap(self, key: str, data: bytes, token: str | None) -> None:
        """See Store."""
        with self._asking(f"write {key} to") as client:
            if not client.eval(_SWAP, 1, self.name(key), _digest(token), pack(data)):
                raise self._lost(key)

    def release(self, key: str, release: Release, token: str | None) -> None:
        """See Store. Everything is written in one step."""
        environment = key.partition("/")[0]
        keys = [self.name(key), self._own(environment, "version"), self._own(environment, "versions")]
        keys += [self.name(other) for other in release.beside]
        about = [release.about[name] for name in ("version", "commit", "digest")]
        arguments = [_digest(token), *about, _KEPT, self._own(environment, "changes"), pack(release.data)]
        arguments += [pack(data) for data in release.beside.values()]
        with self._asking(f"publish {environment} to") as client:
            answer, why = client.eval(_RELEASE, len(keys), *keys, *arguments)
            if answer == b"lost":
                raise self._lost(key)
            if answer == b"untold":
                self.caution = f"subscribers were not told of it: {why.decode('utf-8', 'replace')}"

    def _lost(self, key: str) -> LostRaceError:
        return LostRaceError(
            f"somebody else wrote {key} at {self.url} meanwhile; nothing of ours was written",
            hint="publish again: it is compared with what is live now",
        )

    def confirm(self, environment: str) -> None:
        """See Store. As many replicas as were asked for have to have it."""
        if not self._replicas:
            return
        name = self._own(environment, "version")
        wait = int(self.address.options.get("timeout", 5)) * 1000 // 2
        with self._asking(f"publish {environment} to") as client:
            # WAIT is about all that was written before the connection's last command, by anybody.
            client.get(name)
            target = {"target_nodes": client.get_node_from_key(name)} if hasattr(client, "get_node_from_key") else {}
            have = client.execute_command("WAIT", self._replicas, wait, **target)
        if have < self._replicas:
            raise OutsideError(
                f"{self.url} took it, but {have} of {self._replicas} replicas confirmed it: a failover would lose it",
                hint="look at the replicas, then publish again; «replicas: 0» beside the target's url asks for none",
            )

    def newest(self, environment: str, live: int) -> int:
        """See Store."""
        with self._asking(f"read {environment} from") as client:
            found = client.get(self._own(environment, "version"))
        return max(live, int(found) if found is not None and found.isdigit() else 0)

    def keep(self, key: str, data: bytes) -> None:
        """See Store; Redis keeps no history."""

    def keys(self, prefix: str) -> list[str]:
        """See Store."""
        start = f"{self.prefix}:{{"
        with self._asking("list") as client:
            names = [name.decode() for name in client.scan_iter(match=f"{_literal(start)}*", count=1000)]
        found = []
        for name in names:
            environment, _, rest = name.removeprefix(start).partition("}:")
            if rest not in _RESERVED:
                found.append(f"{environment}/{rest}.json")
        return sorted(key for key in found if key.startswith(prefix))

    def hold(self, environment: str) -> AbstractContextManager[None]:
        """See Store; the script excludes races."""
        return nullcontext()

    def probe(self) -> None:
        """See Store."""
        with self._asking("write to") as client:
            client.ping()
            if "+cluster" in self.address.scheme:
                return
            about = client.info("replication")
            if about.get("role") == "slave":
                raise OutsideError(
                    f"{self.url} is a replica, and replicas are read-only",
                    hint="name the primary, or use redis+sentinel://",
                )


def _digest(token: str | None) -> str:
    return token.partition("@")[0] if token else ""


def _literal(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "*?[]^\\" else letter for letter in text)
