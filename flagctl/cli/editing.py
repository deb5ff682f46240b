"""What the commands that change flags share: finding the file, asking, and the person's own editor."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from flagctl.errors import OutsideError, ProblemsError, RefusedError, UsageError
from flagctl.model.repository import require_environment
from flagctl.problems import did_you_mean

if TYPE_CHECKING:
    from flagctl.cli.output import Output
    from flagctl.project import Project


def flag_file(project: Project, environment: str, key: str) -> str:
    """The path of a flag's file, found by names alone; raises UsageError with what is near."""
    from flagctl.files.walk import classify, find

    path = find(project.tree, environment, key)
    if path is not None:
        return path
    if not (project.root / "flags" / environment).is_dir():
        known = sorted(folder.name for folder in (project.root / "flags").iterdir() if folder.is_dir())
        known = [name for name in known if name != "tests"]
        require_environment(environment, known)
    keys = [entry.name for entry in map(classify, project.tree.paths(f"flags/{environment}")) if entry.kind == "flag"]
    hint = did_you_mean(key, keys) or f"flagctl new {key} -e {environment}"
    raise UsageError(f'no flag "{key}" in {environment}', hint=hint)


def asked(out: Output, given: str | None, question: str, option: str, default: str = "") -> str:
    """What was given, else what the person at the terminal says; raises UsageError where nobody is there."""
    if given is not None:
        return given
    said = out.ask(question, default) if out.interactive else default
    if not said:
        raise UsageError(f"{option} is missing", hint=f'{option} "{question}"')
    return said


def confirmed(out: Output, question: str, yes: bool) -> None:
    """Returns when it may be done; raises RefusedError when the person says no or is not there."""
    if yes:
        return
    if not out.interactive:
        raise RefusedError(f"{question} Nobody is here to be asked", hint="--yes")
    if not out.confirm(question):
        raise RefusedError("nothing was changed")


def show_problems(out: Output, error: ProblemsError) -> bool:
    """The error with its problems, on stderr; true when there are any to mend."""
    from flagctl.cli.formats.problems import show_on_stderr

    show_on_stderr(out, error.problems)
    out.fail(error.message, error.hint)
    return bool(error.problems)


class Draft:
    """A copy of a file for a person to edit, kept until it is discarded."""

    def __init__(self, name: str, text: str) -> None:
        try:
            self.path = Path(tempfile.mkdtemp(prefix="flagctl-edit-"), name)
            self.path.write_bytes(text.encode())
        except OSError as error:
            raise OutsideError(f"no draft can be written: {error}", hint="set TMPDIR to a folder with space") from error

    def edited(self, out: Output) -> str:
        """The text after the person's editor; raises UsageError without one, OutsideError when it fails."""
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ("vi" if out.interactive else "")
        if not editor:
            self.discard()
            raise UsageError("no editor is set and nobody is at a terminal", hint="EDITOR=nano, or use flagctl set")
        try:
            code = subprocess.run([*shlex.split(editor), str(self.path)], check=False).returncode
        except (OSError, ValueError) as error:
            raise OutsideError(f"the editor {editor} can't be started: {error}", hint="set EDITOR") from error
        if code:
            raise OutsideError(f"the editor ended with {code}; nothing was changed", hint=f"your draft: {self.path}")
        try:
            return self.path.read_bytes().decode()
        except (OSError, UnicodeDecodeError) as error:
            raise OutsideError(f"the draft can't be read: {error}", hint=f"it is {self.path}") from error

    def discard(self) -> None:
        """Away with it."""
        self.path.unlink(missing_ok=True)
        self.path.parent.rmdir()
