"""Writes docs/cli.md from what `--help` says: `python docs/make_cli.py [FILE]`."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

from flagctl.cli.app import COMMANDS

HEAD = """\
# The command line

Made from `--help` by `docs/make_cli.py`; a test fails when it is stale.

stdout is data, stderr is narration. Exit codes: 0 done or yes; 1 the answer is no; 2 used wrongly; 3 changes
pending (with `--exit-code`); 4 the world outside failed; 5 refused; 70 our fault; 130 interrupted; 141 nobody
reads on.
"""


def help_of(*command: str) -> str:
    """What `flagctl COMMAND --help` prints on a page 100 columns wide."""
    done = subprocess.run(
        [sys.executable, "-m", "flagctl", *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "100", "NO_COLOR": "1", "PATH": "/usr/bin:/bin"},
    )
    return done.stdout.rstrip()


def page() -> str:
    """The whole page."""
    parts = [HEAD, f"```text\n{help_of()}\n```\n"]
    for section, commands in COMMANDS.items():
        parts.append(f"## {section}\n")
        for name in commands:
            group = getattr(import_module(f"flagctl.cli.commands.{name.replace('-', '_')}"), "GROUP", ())
            helps = "\n\n".join([help_of(name), *(help_of(name, member) for member in group)])
            parts.append(f"### flagctl {name}\n\n```text\n{helps}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "cli.md"
    target.write_text(page(), encoding="utf-8")
