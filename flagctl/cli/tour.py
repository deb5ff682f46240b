"""The tour's guide: runs each step as a person would, in a repository that is gone afterwards."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from flagctl.cli.exits import Exit
from flagctl.cli.output import StdoutClosed
from flagctl.cli.tour_steps import CHANGE, LOG, NEXT, OPENING, SERVES, SERVICE, Step
from flagctl.errors import OutsideError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flagctl.cli.output import Output

_PATIENCE = 60
"""Seconds after which a silent service counts as broken."""


def surroundings(environ: Mapping[str, str]) -> dict[str, str]:
    """Environment variables for the tour's commands: an identity of its own, and nothing of the person's Git.

    Their settings may sign commits, run hooks or point to another repository; GitHub's variables change what
    `check` prints.
    """
    kept = {key: value for key, value in environ.items() if not key.startswith(("GIT_", "FLAGCTL_", "GITHUB_"))}
    name, email = "Ada Example", "ada@example.com"
    return kept | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_PAGER": "cat",
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": email,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": email,
    }


class Guide:
    """One walk through the tour in `folder`."""

    def __init__(self, out: Output, folder: Path, environ: Mapping[str, str]) -> None:
        self.out = out
        self.folder = folder
        self.environ = surroundings(environ)
        self._broken_off = False

    def walk(self) -> None:
        """Show everything. Raises OutsideError as soon as something goes otherwise than it should."""
        self._run(("git", "init", "--quiet", "--initial-branch=main"), shown=False)
        for step in OPENING:
            self.show(step)
        (self.folder / "service.py").write_text(SERVICE, encoding="utf-8")
        self._announce(SERVES)
        self.out.data("".join(f"  | {line}\n" for line in SERVICE.splitlines()))
        with self._service() as service:
            self._hear(service)
            for step in CHANGE:
                self.show(step)
            self._hear(service)
        self.show(LOG)

    def break_off(self, *signal_and_frame: object) -> None:
        """End after the command that runs now.

        A signal that raised at once could do so before we know of the command that was just started; it
        would write into a folder that is being removed.
        """
        self._broken_off = True

    def _go_on(self) -> None:
        if self._broken_off:
            raise KeyboardInterrupt

    def show(self, step: Step) -> None:
        """A heading, why, and each command with what it says."""
        self._announce(step)
        for command in step.commands:
            self._run(command)

    def _announce(self, step: Step) -> None:
        self.out.data("\n" + self.out.style(f"== {step.title}", "bold"), styled=True)
        self.out.data(self.out.style(step.why, "dim"), styled=True)

    def _prompt(self, command: tuple[str, ...]) -> None:
        self.out.data(self.out.style(f"$ {shlex.join(command)}", "cyan"), styled=True)

    def _arguments(self, command: tuple[str, ...]) -> list[str]:
        run_as = {"flagctl": [sys.executable, "-m", "flagctl"], "python": [sys.executable]}
        return [*run_as.get(command[0], [command[0]]), *command[1:]]

    def _run(self, command: tuple[str, ...], *, shown: bool = True) -> None:
        if shown:
            self._prompt(command)
        try:
            process = subprocess.Popen(
                self._arguments(command), cwd=self.folder, env=self.environ, stdin=subprocess.DEVNULL
            )
        except FileNotFoundError as error:
            raise OutsideError(f"can't run {command[0]}", hint="apt-get install git") from error
        code = process.wait()
        self._go_on()
        if code in (Exit.PIPE, -signal.SIGPIPE):
            raise StdoutClosed
        if code:
            raise OutsideError(
                f"`{shlex.join(command)}` ended with exit code {code}; the tour expected 0",
                hint="its own words stand above; `flagctl tour --keep` leaves the repository to look at",
            )

    @contextmanager
    def _service(self) -> Iterator[subprocess.Popen[str]]:
        command = SERVES.commands[0]
        self._prompt(command)
        with subprocess.Popen(
            self._arguments(command),
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,  # else Ctrl-C reaches it first, and its traceback the terminal
        ) as service:
            try:
                yield service
            finally:
                service.kill()
                service.wait()

    def _hear(self, service: subprocess.Popen[str]) -> None:
        """Print the next line the service prints; it wakes us, nothing sleeps."""
        assert service.stdout is not None
        alarm = threading.Timer(_PATIENCE, service.kill)
        alarm.start()
        try:
            line = service.stdout.readline()
        finally:
            alarm.cancel()
        self._go_on()
        if not line:
            raise OutsideError(
                "the service ended, or did not see the published snapshot in a minute",
                hint="its own words stand above; `flagctl tour --keep` leaves the repository to look at",
            )
        self.out.data(self.out.style(line.rstrip("\n"), "green"), styled=True)


def tour(out: Output, environ: Mapping[str, str], *, keep: bool) -> None:
    """Walk through a temporary repository; it is removed at the end, also of a tour that broke off."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="flagctl-tour-"))
    except OSError as error:
        raise OutsideError(
            f"no room for the tour: {error}", hint="TMPDIR names the folder for temporary files"
        ) from error
    guide = Guide(out, folder, environ)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, guide.break_off)
    try:
        guide.walk()
    finally:
        if keep:
            out.say(f"the repository of the tour is {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    out.data("\n" + out.style("== What to try next", "bold"), styled=True)
    out.data(out.style("In the folder you cloned, whose flags/ holds a sample product:", "dim"), styled=True)
    program = _program()
    width = max(len(command) for command, _ in NEXT) + len(program) + 1
    for command, what in NEXT:
        out.data(f"  {out.style(f'{program} {command}'.ljust(width), 'cyan')}  {what}", styled=True)


def _program() -> str:
    """How to call flagctl from here: by name, or by the path of the environment we run in."""
    if shutil.which("flagctl"):
        return "flagctl"
    beside = Path(sys.executable).parent / "flagctl"
    return os.path.relpath(beside) if beside.is_relative_to(Path.cwd()) else str(beside)
