"""Starting a flag repository, or completing one; nothing that is there is ever overwritten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from flagctl.errors import OutsideError, UsageError
from flagctl.files import templates
from flagctl.files.schema import names, schema_text
from flagctl.files.walk import ATTRIBUTES, KEY, SETTINGS
from flagctl.files.write import write

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENTS = ("development", "staging", "production")


class Made(msgspec.Struct, frozen=True):
    """A file that a flag repository has. advice: what to do about one that was kept though it differs."""

    path: str
    created: bool
    advice: str = ""


def start(root: Path, environments: Sequence[str] = ENVIRONMENTS) -> list[Made]:
    """Create what is missing of a flag repository in `root`; the folder is made as needed.

    Settings say that a repository has been started, and are written last: a start that was interrupted is
    taken up where it ended, and an example that was removed stays away.
    Raises UsageError for environments that can't be, and OutsideError.
    """
    _refuse_impossible(environments)
    if root.exists() and not root.is_dir():
        raise UsageError(f"{root} is a file", hint="name a folder, or one that does not exist yet")
    files = {f"schema/{name}.schema.json": schema_text(name) for name in names()}
    files |= {".gitattributes": templates.GITATTRIBUTES, ".gitignore": templates.GITIGNORE}
    files[ATTRIBUTES] = templates.attributes()
    example = templates.example(environments)
    if not (root / SETTINGS).exists() and not _holds_flags(root, environments, example):
        files |= example
    files[SETTINGS] = templates.settings(environments)
    return [_make(root, path, text) for path, text in files.items()]


def complete(top: Path, files: Mapping[str, str]) -> list[Made]:
    """Create what is missing of the files that a forge looks for in a repository; text by path. Raises OutsideError."""
    return [_make(top, path, text) for path, text in files.items()]


def in_git(folder: Path) -> bool:
    """Whether a folder, which need not exist yet, lies in a Git work tree."""
    return any((above / ".git").exists() for above in (folder, *folder.parents))


def _make(root: Path, path: str, text: str) -> Made:
    file = root / path
    if not file.exists() and not file.is_symlink():
        write(file, text.encode())
        return Made(path, created=True)
    try:
        found = file.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise OutsideError(f"{file} can't be read: {error.strerror}") from error
    return Made(path, created=False, advice=_advice(path, found, text))


def _advice(path: str, found: str, wanted: str) -> str:
    same = found.replace("\r\n", "\n") == wanted
    if path.startswith(".github/"):
        return "" if same else "not what fits the settings now; delete it and run init again to get that"
    if path.startswith("schema/"):
        return "" if same else "not this flagctl's; delete it and run init again to get the new one"
    if path.startswith("flags/"):
        return ""
    lines = set(found.splitlines())
    missing = [line for line in wanted.splitlines() if not line.startswith("#") and line not in lines]
    return f"consider adding: {'; '.join(missing)}" if missing else ""


def _holds_flags(root: Path, environments: Iterable[str], example: Iterable[str]) -> bool:
    ours = {root / path for path in example}
    return any(file not in ours for name in environments for file in (root / "flags" / name).glob("**/*.yaml"))


def _refuse_impossible(environments: Sequence[str]) -> None:
    if not environments:
        raise UsageError("a flag repository has at least one environment", hint="--environments development,production")
    seen: set[str] = set()
    for name in environments:
        if not KEY.fullmatch(name) or name.lower() == "tests":
            raise UsageError(
                f'"{name}" can\'t be an environment',
                hint="a letter or digit, then letters, digits, dots, dashes and underscores; not tests",
            )
        if name.lower() in seen:
            raise UsageError(f'environment "{name}" is named twice', hint="case does not tell two environments apart")
        seen.add(name.lower())
