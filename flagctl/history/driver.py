"""What Git calls to merge a flag file: by structure, and where that can't be done line by line as Git does it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from flagctl.errors import RefusedError
from flagctl.files import edit
from flagctl.files.become import become
from flagctl.files.merge import Conflict, merge, same

if TYPE_CHECKING:
    from pathlib import Path

    from flagctl.history.git import Git

NAME = "flagctl"


def run(git: Git, base: Path, ours: Path, theirs: Path) -> tuple[str, tuple[Conflict, ...] | None]:
    """The merged text of three versions of a file, and its conflicts, between whose sides markers stand.

    None stands for conflicts that Git's own merge found, where a side is no YAML that can be edited.
    """
    raw = [path.read_bytes() for path in (base, ours, theirs)]
    lines, clean = _by_lines(git, base, ours, theirs)
    try:
        # CR LF would make every line of the other side a change.
        texts = [data.decode().replace("\r\n", "\n") for data in raw]
        old, mine, yours = (edit.read(text) if text.strip() else UNSET for text in texts)
        done = merge(old, mine, yours)
        if not done.conflicts:
            if clean and same(_read(lines), done.data):
                return lines, ()  # it has the comments of both sides
            return become(texts[1], done.data, texts[2]), ()
        return _marked(texts, (old, mine, yours), done.conflicts), done.conflicts
    except (RefusedError, UnicodeDecodeError):
        return lines, () if clean else None


def install(git: Git, interpreter: str) -> None:
    """Tell Git of this clone what `merge=flagctl` in .gitattributes means."""
    command = f"{shlex.quote(interpreter)} -m flagctl merge-driver %O %A %B %P"
    git.read("config", f"merge.{NAME}.driver", command)
    git.read("config", f"merge.{NAME}.name", "flag files, by structure")


def installed(git: Git) -> bool:
    """Whether Git of this clone knows."""
    return not git.run("config", "--get", f"merge.{NAME}.driver")[0]


def _by_lines(git: Git, base: Path, ours: Path, theirs: Path) -> tuple[str, bool]:
    status, out, err = git.run(
        "merge-file", "-p", "-L", "ours", "-L", "base", "-L", "theirs", str(ours), str(base), str(theirs)
    )
    if status > 127 or status < 0:
        raise RefusedError(f"git merge-file failed: {err.strip()}")
    return out, status == 0


def _marked(texts: list[str], sides: tuple[Any, Any, Any], conflicts: tuple[Conflict, ...]) -> str:
    """The merged text, with both sides of what is to be decided."""

    def settled(*wanted: Conflict) -> list[str]:
        done = merge(*sides, settle=lambda found: "theirs" if found in wanted else "ours")
        return become(texts[1], done.data, texts[2]).splitlines(keepends=True)

    mine, yours = settled(), settled(*conflicts)
    places = {conflict.spelled: list(_changes(mine, settled(conflict))) for conflict in conflicts}
    said: list[str] = []
    last = 0
    for start, end, other_start, other_end in _changes(mine, yours):
        names = [name for name, spans in places.items() if any(a <= end and start <= b for a, b, *_ in spans)]
        label = ", ".join(names)
        said += mine[last:start]
        said += [
            f"<<<<<<< ours: {label}\n",
            *_whole(mine[start:end]),
            "=======\n",
            *_whole(yours[other_start:other_end]),
        ]
        said.append(f">>>>>>> theirs: {label}\n")
        last = end
    return "".join([*said, *mine[last:]])


def _changes(old: list[str], new: list[str]) -> Iterator[tuple[int, int, int, int]]:
    for kind, *span in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            yield span[0], span[1], span[2], span[3]


def _whole(lines: list[str]) -> list[str]:
    return [line if line.endswith("\n") else line + "\n" for line in lines]


def _read(text: str) -> Any:
    try:
        return edit.read(text)
    except RefusedError:
        return UNSET
