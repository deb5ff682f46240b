"""Being told by the operating system that something in a folder was replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_HIDDEN = "."
_MOUNTED = ".."
"""Kubernetes replaces a mounted ConfigMap by renaming the link `..data`."""


class FolderWatch:
    """Tells of files written or renamed into a folder, by Linux's inotify(7). One object serves one thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._inotify: Any = None
        self._behind = True
        """Something may have happened before anybody watched."""

    def fileno(self) -> int:
        """Readable when `wait` has something to tell. Raises OSError where there is no folder, or no inotify."""
        if self._inotify is None:
            from inotify_simple import INotify, flags

            inotify = INotify(nonblocking=True)
            try:
                inotify.add_watch(
                    self._folder,
                    flags.MOVED_TO | flags.CLOSE_WRITE | flags.DELETE_SELF | flags.MOVE_SELF | flags.ONLYDIR,
                )
            except OSError:
                inotify.close()
                raise
            self._inotify = inotify
        return int(self._inotify.fileno())

    def wait(self, timeout: float) -> bool:
        """Whether something was replaced since the last call; waits so many seconds. Raises OSError for no folder."""
        self.fileno()
        told, self._behind = self._behind, False
        for event in self._inotify.read(timeout=0 if told else round(timeout * 1000)):
            if not event.name:  # the folder itself went, or there were more events than fit
                raise OSError(f"{self._folder} was removed or renamed")
            told = told or not event.name.startswith(_HIDDEN) or event.name.startswith(_MOUNTED)
        return told

    def close(self) -> None:
        """Stop watching."""
        if self._inotify is not None:
            self._inotify.close()
            self._inotify, self._behind = None, True
