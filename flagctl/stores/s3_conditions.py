"""Whether an S3 service keeps to If-Match and If-None-Match when writing: tried once, and remembered.

Amazon S3 does, as MinIO, R2 and others do; some services answer 501, some take the header and write all the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

import flagctl
from flagctl.stores.s3_client import code_of, status_of

UNSUPPORTED = ("NotImplemented", "501")
_KEY = ".flagctl/conditions"
_NEVER = '"00000000000000000000000000000000"'


def supported(client: Any, bucket: str, prefix: str) -> bool:
    """Whether conditions are kept to, from memory or by trying with an object of our own below `prefix`."""
    memory = _Memory(client, bucket)
    known = memory.read()
    if known is None:
        known = _try(client, bucket, f"{prefix}{_KEY}-{secrets.token_hex(4)}")
        memory.write(known)
    return known


def forget(client: Any, bucket: str) -> None:
    """Try again next time."""
    _Memory(client, bucket).write(None)


def _try(client: Any, bucket: str, key: str) -> bool:
    place = {"Bucket": bucket, "Key": key}
    token = client.put_object(**place, Body=b"flagctl tries what conditions do")["ETag"]
    try:
        refused = [_is_refused(client, place, condition) for condition in ({"IfNoneMatch": "*"}, {"IfMatch": _NEVER})]
        if not all(refused):
            return False
        client.put_object(**place, Body=b"flagctl tried what conditions do", IfMatch=token)
    except client.exceptions.ClientError as error:
        if code_of(error) in UNSUPPORTED or status_of(error) in (400, 412, 501):
            return False
        raise
    finally:
        # Who may not delete leaves a small object behind.
        with contextlib.suppress(client.exceptions.ClientError):
            client.delete_object(**place)
    return True


def _is_refused(client: Any, place: dict[str, str], condition: dict[str, str]) -> bool:
    try:
        client.put_object(**place, Body=b"this must not be written", **condition)
    except client.exceptions.ClientError as error:
        if status_of(error) == 412:
            return True
        raise
    return False


class _Memory:
    """What was found out about a bucket, in a small file of the user's cache folder; never fails aloud."""

    def __init__(self, client: Any, bucket: str) -> None:
        folder = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111  # never raises
        self._path = Path(folder) / "flagctl" / "s3-conditions.json"
        self._name = f"{flagctl.__version__} {client.meta.endpoint_url} {bucket}"

    def _all(self) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def read(self) -> bool | None:
        known = self._all().get(self._name)
        return known if isinstance(known, bool) else None

    def write(self, known: bool | None) -> None:
        temporary = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}")
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps({**self._all(), self._name: known}, indent=1, sort_keys=True))
            temporary.replace(self._path)
