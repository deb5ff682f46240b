"""Where a Recorder's batches go: JSON lines, Parquet, Redis, a function of the application's own."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from flagctl.errors import UsageError
from flagctl.stores import open_log

if TYPE_CHECKING:
    from flagctl.client.recorder import Batch


class JsonLines:
    """Exposures as one JSON object a line, added to a file; several processes may share it."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    def write(self, batch: Batch) -> None:
        """See Sink."""
        if batch.exposures:
            with self._path.open("ab", buffering=0) as file:
                file.write(b"".join(msgspec.json.encode(row) + b"\n" for row in batch.exposures))


class Parquet:
    """Exposures as Parquet files in a folder, one for each batch; needs polars: `pip install flagctl[batch]`."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Raises UsageError where polars is not installed."""
        if find_spec("polars") is None:
            raise UsageError("Parquet needs polars, which is not installed", hint='pip install "flagctl[batch]"')
        self._folder = Path(folder)
        self._number = count()

    def write(self, batch: Batch) -> None:
        """See Sink. A file has its name once it is whole."""
        if not batch.exposures:
            return
        import polars

        rows = [
            {**row, "attributes": msgspec.json.encode(row.get("attributes", {})).decode()} for row in batch.exposures
        ]
        name = f"exposures-{rows[0]['time']:.3f}-{os.getpid()}-{next(self._number)}.parquet"
        self._folder.mkdir(parents=True, exist_ok=True)
        whole = self._folder / f".{name}"
        polars.DataFrame(rows, infer_schema_length=None).write_parquet(whole)
        whole.replace(self._folder / name)


class Redis:
    """Exposures and counts as two streams, `flagctl:{environment}:exposures` and `…:usage`, each entry with a field
    `json`; the oldest entries go when there are more than `keep`."""

    def __init__(self, url: str, keep: int = 1_000_000) -> None:
        """Connects when there is something to write. Raises UsageError for a URL that names no Redis."""
        self._keep = keep
        self._log = open_log(url)

    def write(self, batch: Batch) -> None:
        """See Sink."""
        usage = [
            {"flag": flag, "variant": variant, "reason": reason, "error": error, "count": number}
            for (flag, variant, reason, error), number in batch.tally.items()
        ]
        streams = {"exposures": list(map(msgspec.json.encode, batch.exposures))}
        if usage:
            streams["usage"] = [msgspec.json.encode({"version": batch.version, "counts": usage})]
        self._log.append(batch.environment, streams, self._keep)


class Call:
    """Batches to a function."""

    def __init__(self, function: Callable[[Batch], None]) -> None:
        self.write = function
