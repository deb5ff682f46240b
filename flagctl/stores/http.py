"""Snapshots over HTTP, to be read only: a web server or a CDN before a published folder or bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

from flagctl.errors import OutsideError
from flagctl.stores.base import UNCHANGED, Stored
from flagctl.stores.masking import scrub
from flagctl.stores.packing import unpack
from flagctl.stores.patience import read_all

if TYPE_CHECKING:
    from flagctl.stores.address import Address

_TIMEOUT = 10


class HttpReader:
    """Keys below a URL. The token is the answer's ETag, or its Last-Modified where it has none."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.url = address.shown

    def get(self, key: str) -> Stored | None:
        """See Reader."""
        return self.read_if_changed(key, "")

    def read_if_changed(self, key: str, token: str) -> Stored | None:
        """See Reader. Asks with If-None-Match or If-Modified-Since."""
        import urllib.error
        import urllib.request

        headers = {"Accept-Encoding": "gzip", "User-Agent": "flagctl"}
        if token:
            headers["If-Modified-Since" if token.endswith(" GMT") else "If-None-Match"] = token
        request = urllib.request.Request(self._place(key), headers=headers)
        self._sign_in(request)
        try:
            timeout = float(self.address.options.get("timeout", _TIMEOUT))
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                raw = read_all(answer.read1, timeout)
                found = answer.headers
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 304:
                return UNCHANGED
            if error.code in (404, 410):
                return None
            hint = "look at the credentials in the URL" if error.code in (401, 403) else "try again in a moment"
            raise OutsideError(f"can't read {key} from {self.url}: it answers {error.code}", hint=hint) from None
        except (OSError, ValueError, EOFError) as error:
            raise self._failed(key, error) from None
        except Exception as error:
            if type(error).__module__ != "http.client":
                raise
            raise self._failed(key, error) from None
        if found.get("Content-Length", "").isdigit() and int(found["Content-Length"]) != len(raw):
            raise OutsideError(f"can't read {key} from {self.url}: the answer was cut short", hint="try again")
        return Stored(
            data=unpack(raw, f"{key} at {self.url}"),
            token=found.get("ETag") or found.get("Last-Modified") or "",
            size=len(raw),
            modified=_seconds(found.get("Last-Modified")),
        )

    def _place(self, key: str) -> str:
        parts = urlsplit(self.address.url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, host, f"{parts.path.rstrip('/')}/{quote(key)}", parts.query, ""))

    def _sign_in(self, request: Any) -> None:
        from base64 import b64encode
        from urllib.parse import unquote

        user, at, _ = urlsplit(self.address.url).netloc.rpartition("@")
        if at:
            request.add_header("Authorization", f"Basic {b64encode(unquote(user).encode()).decode()}")

    def _failed(self, key: str, error: Exception) -> OutsideError:
        why = scrub(str(getattr(error, "reason", "") or error) or type(error).__name__, self.address.secrets)
        return OutsideError(f"can't read {key} from {self.url}: {why}", hint="is it running, and is the address right?")


def _seconds(date: str | None) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except ValueError:
        return None
