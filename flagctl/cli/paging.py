"""Long output through the person's pager, as Git does it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO, cast

from flagctl.cli.output import StdoutClosed

if TYPE_CHECKING:
    from flagctl.cli.output import Output
    from flagctl.project import Project


@contextmanager
def paged(out: Output, project: Project) -> Iterator[None]:
    """Data goes through the pager that Git would use, when stdout is a terminal."""
    command = _pager(project) if out.stdout.isatty() else ""
    if command in ("", "cat"):
        yield
        return
    # As Git has it: quit if one screen is enough, keep colour, leave the screen as it is.
    environ = {"LESS": "FRX", "LV": "-c"} | dict(os.environ)
    terminal, pipe = out.stdout, subprocess.PIPE
    # A Ctrl-C while the pager starts would leave it behind: it counts once there is somebody to wait for it.
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    with subprocess.Popen(command, shell=True, stdin=pipe, env=environ, encoding="utf-8", errors="replace") as pager:
        out.stdout = cast("TextIO", pager.stdin)
        try:
            signal.signal(signal.SIGINT, before)
            if pressed:
                raise KeyboardInterrupt
            with suppress(StdoutClosed):
                yield
        finally:
            out.stdout = terminal
            with suppress(OSError):
                cast("TextIO", pager.stdin).close()
            _wait(pager)


def _wait(pager: subprocess.Popen[str]) -> None:
    # Ctrl-C is the pager's, too; it stays until the person quits it.
    while True:
        try:
            pager.wait()
            return
        except KeyboardInterrupt:
            continue


def _pager(project: Project) -> str:
    from flagctl.history.git import Git

    return Git(project.root, bare=True).look("var", "GIT_PAGER")[1].strip()
