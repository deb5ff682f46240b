"""S3 and what speaks its protocol as a store: each key is an object, the live one replaced under a condition.

<prefix>/<environment>/snapshot.json                      gzip, Content-Encoding says so
<prefix>/<environment>/flagd.json                         as it is: flagd's s3:// sync does not unpack
<prefix>/<environment>/history/<version>-<commit>.json    gzip, never replaced
<prefix>/<environment>/.lease/<ticket>                    only where conditions are not supported, see s3_lease
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from flagctl.errors import RefusedError
from flagctl.stores import s3_conditions
from flagctl.stores.base import UNCHANGED, LostRaceError, Release, Stored, history_prefix, newest_of, wait_silently
from flagctl.stores.packing import is_strange, pack, unpack
from flagctl.stores.s3_client import body_of, client_for, code_of, outside
from flagctl.stores.s3_lease import Lease

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagctl.stores.address import Address

_PLAIN = "flagd.json"
"""The name of what is not compressed."""
_FOR_GOOD = "public, max-age=31536000, immutable"
_LOST = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")


class S3Store:
    """A bucket, or a prefix in one. One object serves one thread."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.url = address.shown
        self.caution = ""
        self.waiting = wait_silently
        self.bucket = address.hosts[0][0]
        self.prefix = f"{address.path}/" if address.path else ""
        self._client: Any = None
        self._conditions: bool | None = None
        self._lease: Lease | None = None

    @property
    def client(self) -> Any:
        """boto3's client, made on first use."""
        if self._client is None:
            self._client = client_for(self.address)
        return self._client

    def place(self, key: str) -> dict[str, str]:
        """Where a key is, in S3's words."""
        return {"Bucket": self.bucket, "Key": self.prefix + key}

    def get(self, key: str) -> Stored | None:
        """See Reader. The token is the object's ETag."""
        return self._get(key)

    def read_if_changed(self, key: str, token: str) -> Stored | None:
        """See Reader. Asks with If-None-Match."""
        return self._get(key, IfNoneMatch=token)

    def _get(self, key: str, **condition: str) -> Stored | None:
        with outside(self.address, f"read {key} from"):
            try:
                answer = self.client.get_object(**self.place(key), **condition)
                raw = body_of(answer, self.address)
            except self.client.exceptions.ClientError as error:
                code = code_of(error)
                if code in ("304", "NotModified"):
                    return UNCHANGED
                if code in ("NoSuchKey", "404"):
                    return None
                raise
        return Stored(
            data=unpack(raw, f"{key} at {self.url}"),
            token=answer["ETag"],
            size=len(raw),
            modified=answer["LastModified"].timestamp(),
            strange=is_strange(raw),
        )

    def put(self, key: str, data: bytes) -> None:
        """See Store."""
        with outside(self.address, f"write {key} to"):
            self._put(key, data)

    def _put(self, key: str, data: bytes, **more: Any) -> None:
        options = self.address.options
        said: dict[str, Any] = {"CacheControl": options.get("cache_control", "no-cache")}
        if "storage_class" in options:
            said["StorageClass"] = options["storage_class"]
        if "encryption" in options or "kms_key" in options:
            said["ServerSideEncryption"] = options.get("encryption", "aws:kms")
        if "kms_key" in options:
            said["SSEKMSKeyId"] = options["kms_key"]
        if not key.endswith(_PLAIN):
            data, said["ContentEncoding"] = pack(data), "gzip"
        self.client.put_object(**self.place(key), **{**said, **more}, Body=data, ContentType="application/json")

    def swap(self, key: str, data: bytes, token: str | None) -> None:
        """See Store."""
        self._swap(key, data, token, {})

    def release(self, key: str, release: Release, token: str | None) -> None:
        """See Store. What the version is stands in the object's metadata too."""
        self._swap(key, release.data, token, {f"flagctl-{name}": value for name, value in release.about.items()})

    def _swap(self, key: str, data: bytes, token: str | None, about: dict[str, str]) -> None:
        if not self._can_race_safely():
            if self._lease is not None:
                self._lease.check()
            found = self.get(key)
            if (found.token if found else None) != token:
                raise self._lost(key)
            with outside(self.address, f"write {key} to"):
                self._put(key, data, Metadata=about)
            return
        condition = {"IfMatch": token} if token else {"IfNoneMatch": "*"}
        with outside(self.address, f"write {key} to"):
            try:
                self._put(key, data, Metadata=about, **condition)
            except self.client.exceptions.ClientError as error:
                # An object that is gone is no longer the one whose token was read.
                if code_of(error) in _LOST or (token and code_of(error) in ("NoSuchKey", "404")):
                    raise self._lost(key) from None
                if code_of(error) in s3_conditions.UNSUPPORTED:
                    s3_conditions.forget(self.client, self.bucket)
                raise

    def _lost(self, key: str) -> LostRaceError:
        return LostRaceError(
            f"somebody else wrote {key} at {self.url} meanwhile; nothing of ours was written",
            hint="publish again: it is compared with what is live now",
        )

    def _can_race_safely(self) -> bool:
        """Whether the service keeps to conditions; looked at once and remembered."""
        if self._conditions is None:
            with outside(self.address, "write to"):
                self._conditions = s3_conditions.supported(self.client, self.bucket, self.prefix)
        return self._conditions

    @contextmanager
    def hold(self, environment: str) -> Iterator[None]:
        """See Store. Conditions exclude races; where there are none, a lease does, or nothing is published."""
        if self._can_race_safely():
            yield
            return
        if self.address.options.get("races") == "refuse":
            raise RefusedError(
                f"{self.url} does not support conditional writes, so two publishers could overwrite each other",
                hint="«races: lease» beside the target's url publishes under a lease object",
            )
        self.caution = (
            "this service has no conditional writes: a lease object keeps other flagctl publishers away, "
            "but nothing keeps other tools away"
        )
        with (
            outside(self.address, "lock"),
            Lease(self.client, self.bucket, self.prefix + environment, self.url, waiting=self.waiting) as lease,
        ):
            self._lease = lease
            try:
                yield
            finally:
                self._lease = None

    def confirm(self, environment: str) -> None:
        """See Store; what was written stays."""

    def newest(self, environment: str, live: int) -> int:
        """See Store. The whole history is listed only when nothing is live, or something older than the newest is."""
        history = history_prefix(environment)
        if live and not self.keys(f"{history}{live + 1}-"):
            return live
        return newest_of(self.keys(history), live)

    def keep(self, key: str, data: bytes) -> None:
        """See Store."""
        with outside(self.address, f"write {key} to"):
            try:
                self.client.head_object(**self.place(key))
            except self.client.exceptions.ClientError as error:
                if code_of(error) not in ("404", "NoSuchKey", "NotFound"):
                    raise
                self._put(key, data, CacheControl=_FOR_GOOD)

    def keys(self, prefix: str) -> list[str]:
        """See Store; leases are no keys."""
        found = []
        with outside(self.address, "list"):
            pages = self.client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix + prefix):
                found += [entry["Key"].removeprefix(self.prefix) for entry in page.get("Contents", ())]
        return sorted(key for key in found if "/." not in f"/{key}")

    def probe(self) -> None:
        """See Store. Writes and removes an object of its own, to see what conditions do."""
        with outside(self.address, "write to"):
            s3_conditions.forget(self.client, self.bucket)
            self._conditions = s3_conditions.supported(self.client, self.bucket, self.prefix)
