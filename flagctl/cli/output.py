"""stdout is data, stderr is narration; text from files and people can't steer the terminal."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TextIO

from flagctl.errors import OutsideError

# C0 and C1 controls, and the characters that re-order text (Unicode TR 36, 3.3: bidirectional overrides).
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SECRETS = [
    (re.compile(r"(flagctl-private-ed25519:)[A-Za-z0-9+/=]+"), r"\1***"),
    (re.compile(r"(://[^/\s:@\"']*:)[^/\s@\"']+@"), r"\1***@"),
]
"""Signing keys in one line, and passwords in URLs, with what takes their place."""
_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}


class StdoutClosed(Exception):  # noqa: N818 - not a mistake of anybody's
    """Whoever read our output has enough of it (`flagctl list | head`)."""


def masked(text: str) -> str:
    """The text without keys and passwords, wherever they came from."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


def clean(text: str) -> str:
    """The text masked, and with control characters made visible: `\\x1b` instead of an escape."""
    if ":" in text and ("://" in text or "flagctl-private" in text):
        text = masked(text)
    # What is unsafe is not printable; asking that takes a tenth of the time of the pattern.
    return text if text.isprintable() else _UNSAFE.sub(lambda found: repr(found.group())[1:-1], text)


def colour_wanted(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """NO_COLOR (no-color.org) wins over FORCE_COLOR, both over whether the stream is a terminal."""
    if environ.get("NO_COLOR"):
        return False
    return bool(environ.get("FORCE_COLOR")) or (stream.isatty() and environ.get("TERM") != "dumb")


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unwritten(error) from error


def _unwritten(error: OSError) -> Exception:
    if isinstance(error, BrokenPipeError):
        return StdoutClosed()
    return OutsideError(f"can't write the output: {error.strerror}")


def _fitted(widths: list[int], words: list[int], room: int) -> list[int]:
    """Column widths for `room`: lines break between words; only where that is too little are cells cut.

    The first column last of all: a key that is cut in two can neither be read nor copied.
    """
    widths = widths.copy()
    for least in (words, [words[0], *(min(word, 8) for word in words[1:])], [1] * len(words)):
        while sum(widths) > room and (wide := [i for i, width in enumerate(widths) if width > least[i]]):
            widths[max(wide, key=widths.__getitem__)] -= 1
    return widths


def _print_above(bar: Any, text: str) -> None:
    from rich.text import Text

    bar.console.print(Text.from_ansi(text.removesuffix("\n")), soft_wrap=True)


class Output:
    """The two streams. Colour never carries meaning alone; a pipe never changes the format."""

    def __init__(
        self, stdout: TextIO | None = None, stderr: TextIO | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        environ = os.environ if environ is None else environ
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr
        self._colour_out = colour_wanted(self.stdout, environ)
        self._colour_err = colour_wanted(self.stderr, environ)
        self._above_bar: Callable[[str], None] | None = None
        self._hide_bar: Callable[[], None] = lambda: None

    @property
    def interactive(self) -> bool:
        """Somebody is there to be asked: stdin and stderr are terminals."""
        return sys.stdin is not None and sys.stdin.isatty() and self.stderr.isatty()

    def style(self, text: str, style: str, *, err: bool = False) -> str:
        """`text` cleaned and in a style such as "red bold", where the stream shows colour."""
        text = clean(text)
        if not (self._colour_err if err else self._colour_out) or not text:
            return text
        return f"\x1b[{';'.join(_CODES[name] for name in style.split())}m{text}\x1b[0m"

    def data(self, text: str, *, end: str = "\n", styled: bool = False) -> None:
        """What was asked for, on stdout. `styled` says that the text went through `style` piece by piece."""
        self._write(self.stdout, (text if styled else clean(text)) + end)

    def data_bytes(self, data: bytes) -> None:
        """Bytes for a program to read, as they are."""
        with _writing():
            self.stdout.flush()
            self.stdout.buffer.write(data)
            self.stdout.buffer.flush()

    def json(self, document: Any) -> None:
        """A JSON document on stdout, indented, ASCII so that no terminal can be steered by it."""
        import json

        self._write(self.stdout, masked(json.dumps(document, indent=2, ensure_ascii=True)) + "\n")

    def say(self, text: str, *, styled: bool = False) -> None:
        """Narration, on stderr."""
        self._write(self.stderr, (text if styled else clean(text)) + "\n")

    def warn(self, text: str, hint: str = "") -> None:
        """A warning with an optional hint, on stderr."""
        self._labelled("warning", "yellow bold", text, hint)

    def fail(self, text: str, hint: str = "") -> None:
        """What went wrong and what to do next, on stderr."""
        self._labelled("error", "red bold", text, hint)

    def table(self, headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """A table on stdout: drawn by rich on a terminal, columns aligned by spaces elsewhere."""
        if not self.stdout.isatty():
            grid = [list(map(clean, headers)), *(list(map(clean, row)) for row in rows)]
            widths = [max(len(row[i]) for row in grid) for i in range(len(headers))]
            for row in grid:
                line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
                self._write(self.stdout, line.rstrip() + "\n")
            return
        from rich.cells import cell_len
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        columns = [[clean(cell) for cell in column] for column in zip(headers, *rows, strict=True)]
        console = Console(file=self.stdout, no_color=not self._colour_out)
        wanted = [max(map(cell_len, column)) for column in columns]
        words = [max(cell_len(word) for cell in column for word in cell.split(" ")) for column in columns]
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for column, width in zip(columns, _fitted(wanted, words, console.width - 2 * len(columns) + 2), strict=True):
            table.add_column(column[0], overflow="fold", width=width)
        for cells in zip(*(column[1:] for column in columns), strict=True):
            table.add_row(*map(Text, cells))
        console.print(table)

    @contextmanager
    def progress(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """A progress bar on stderr for work that lasts over a second, on a terminal only.

        Yields report(done, total), to be called now and then; the bar moves also while it is not. A question to
        the person ends it.
        """
        if not self.stderr.isatty():
            yield lambda done, total: None
            return
        bar: Any = None
        over = False
        start = time.monotonic()
        reached: dict[str, Any] = {"completed": 0, "total": None}
        lock = threading.Lock()

        def draw() -> None:
            nonlocal bar
            with lock:
                if bar is None and not over:
                    from rich.console import Console
                    from rich.progress import Progress

                    bar = Progress(console=Console(file=self.stderr, no_color=not self._colour_err), transient=True)
                    bar.add_task(clean(what), **reached)
                    self._above_bar = partial(_print_above, bar)
                    bar.start()

        def report(done: int, total: int) -> None:
            reached.update(completed=done, total=total)
            if bar is not None:
                bar.update(bar.task_ids[0], **reached)
            elif time.monotonic() - start > 1:
                draw()

        def hide() -> None:
            nonlocal over
            silence.cancel()
            with lock:
                over = True
                if bar is not None:
                    self._above_bar = None
                    bar.stop()

        silence = threading.Timer(1, draw)
        silence.daemon = True
        silence.start()
        self._hide_bar = hide
        try:
            yield report
        finally:
            hide()

    def ask(self, question: str, default: str = "") -> str:
        """A line from the person at the terminal; call only when `interactive`."""
        self._hide_bar()  # it would draw over the question, and over what is typed
        self.stderr.write(clean(question) + (f" [{clean(default)}]" if default else "") + ": ")
        self.stderr.flush()
        return input().strip() or default

    def confirm(self, question: str) -> bool:
        """Yes or no from the person at the terminal; anything but y or yes is no."""
        return self.ask(f"{question} [y/N]").lower() in {"y", "yes"}

    def _labelled(self, label: str, style: str, text: str, hint: str) -> None:
        self._write(self.stderr, f"{self.style(label, style, err=True)}: {clean(text)}\n")
        if hint:
            self._write(self.stderr, f"{self.style('hint', 'cyan', err=True)}: {clean(hint)}\n")

    def _write(self, stream: TextIO, text: str) -> None:
        try:  # not `_writing`: entering it takes longer than writing a line
            if self._above_bar is not None and stream is self.stderr:
                return self._above_bar(text)
            stream.write(text)
            stream.flush()
        except OSError as error:
            raise _unwritten(error) from error
