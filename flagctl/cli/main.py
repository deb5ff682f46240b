"""The edge: runs the command line and turns whatever comes out of it into an exit code."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from flagctl.cli.exits import Exit, code_of
from flagctl.cli.output import Output, StdoutClosed, masked
from flagctl.errors import FlagctlError, ProblemsError


def main(arguments: list[str] | None = None) -> int:
    """Run `flagctl` with these arguments (default: the process's); returns the exit code."""
    import typer
    import typer.completion

    from flagctl.cli.app import app

    out = Output()
    if "_FLAGCTL_COMPLETE" in os.environ:
        typer.completion.completion_init()  # type: ignore[attr-defined]
    try:
        code = typer.main.get_command(app).main(args=arguments, prog_name="flagctl", standalone_mode=False)
        sys.stdout.flush()
        return int(code or Exit.DONE)
    except typer.TyperException as error:
        _show_usage(out, error)
        return Exit.USAGE
    except typer.Abort:
        out.say("stopped")
        return Exit.INTERRUPTED
    except FlagctlError as error:
        _show(out, error)
        return code_of(error)
    except (StdoutClosed, BrokenPipeError):
        return Exit.PIPE
    except KeyboardInterrupt:
        out.say("interrupted")
        return Exit.INTERRUPTED
    except Exception as error:
        return _crash(out, error)


def run() -> NoReturn:
    """The console script."""
    # Starting makes tens of thousands of objects that stay; the default threshold looks through them again and again.
    gc.set_threshold(50_000, 20, 100)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - for as long as the process lives
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    code = main()
    try:
        sys.stdout.flush()
    except OSError:  # told already: a closed pipe, a full disk. The interpreter must not find it again when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    gc.freeze()  # the interpreter would look through everything once more before it lets go of it
    sys.exit(code)


def _show(out: Output, error: FlagctlError) -> None:
    if isinstance(error, ProblemsError) and error.problems:
        from flagctl.cli.formats.problems import show_on_stderr

        show_on_stderr(out, error.problems)
    out.fail(error.message, error.hint)


def _show_usage(out: Output, error: Any) -> None:
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return
    message = " ".join(error.format_message().rstrip(".").split())
    asked = error.ctx.command_path if getattr(error, "ctx", None) else "flagctl"
    out.fail(message[:1].lower() + message[1:], f"{asked} --help shows what it takes")


def _crash(out: Output, error: Exception) -> int:
    import platform
    import tempfile
    import traceback

    from flagctl import __version__
    from flagctl.stores.masking import mask

    report = (
        f"flagctl {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        f"arguments: {[mask(argument) for argument in sys.argv[1:]]!r}\n\n{''.join(traceback.format_exception(error))}"
    )
    out.fail(f"flagctl made a mistake: {type(error).__name__}: {error}")
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="flagctl-crash-", suffix=".log", delete=False, encoding="utf-8"
        ) as log:
            log.write(masked(report))
        out.say(f"hint: this is a bug in flagctl, not in your files; please report it with {log.name}")
    except OSError:
        out.say(report)
    return Exit.CRASH
