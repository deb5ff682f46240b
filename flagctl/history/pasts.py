"""A file's past: what each commit made of it, through moves and renames, and which version that was.

A version is a change of meaning (flagctl/plan/diff.py) on the first-parent history; a creation and a removal are
changes, too. A file keeps its count when it moves to another folder or gets another key, and when it comes again
where it was. Content that can't be read is passed over: the next readable one is compared with the last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from flagctl.errors import UsageError
from flagctl.files.pieces import Pieces
from flagctl.files.understand import Parsed, understand
from flagctl.files.walk import Entry, classify
from flagctl.history.touches import Touch
from flagctl.plan import diff
from flagctl.plan.change import Change
from flagctl.problems import Problem, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from flagctl.history.git import Git
    from flagctl.history.travel import Blobs

Event = Literal["created", "changed", "renamed", "moved", "respelt", "removed", "unreadable"]
_ALIKE = 0.5
_SHARED = {"tests"}
_MANY = 40
"""Files that went and came in one commit, beyond which only exact copies are taken for renames."""
_DIFFS: dict[str, Callable[[Any, Any], tuple[Change, ...]]] = {
    "flag": diff.flags,
    "segment": diff.segments,
    "attributes": lambda old, new: diff.attributes(old or {}, new or {}),
    "settings": diff.settings,
}


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False, kw_only=True):
    """What one commit did to one flag, segment, or the settings or attributes (without environment and key).

    version: the count after it. old, new: the blobs compared, "" for none. problem: why it can't be read.
    source: where its content stands, if it is a link.
    """

    kind: str
    environment: str
    key: str
    path: str
    event: Event
    version: int
    old: str
    new: str
    old_path: str
    changes: tuple[Change, ...] = ()
    problem: str = ""
    source: str = ""

    @property
    def meaning(self) -> bool:
        """Whether it made a version."""
        return diff.means(self.changes)


class Past(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a file stands: its versions so far, the last readable blob ("" when it is gone) and its path then.

    source: where its content stands, if it is a link.
    """

    version: int = 0
    blob: str = ""
    path: str = ""
    source: str = ""


class Models:
    """Files of the past, understood; each blob once."""

    def __init__(self, blobs: Blobs, *, bulk: bool = False) -> None:
        self._blobs = blobs
        self._bulk = bulk
        self._known: dict[tuple[str, str], Parsed[Any]] = {}
        self._pieces = Pieces()

    def get(self, path: str, blob: str) -> Parsed[Any]:
        """What a blob means at a path; of "" nothing."""
        if not blob:
            return Parsed(model=None)
        entry = classify(path)
        known = self._known.get((entry.name, blob))
        if known is None:
            raw = self._blobs.read(blob)
            known = self._known[entry.name, blob] = understand(entry, raw, bulk=self._bulk, pieces=self._pieces)
        return known

    def fetch(self, blobs: Iterable[str]) -> None:
        """Read contents that will be understood soon."""
        self._blobs.fetch(blob for blob in blobs if blob)

    def forget(self, path: str, blob: str) -> None:
        """It will hardly be asked for again: among thousands, that counts."""
        if self._bulk:
            self._known.pop((classify(path).name, blob), None)

    def text(self, blob: str) -> str:
        """A blob's text, bytes that are not UTF-8 replaced."""
        return self._blobs.peek(blob).decode("utf-8-sig", "replace")


def take(past: Past, touch: Touch, models: Models) -> tuple[Past, Row]:
    """The next step of a file's past. `past` is the old path's where it moved."""
    entry = classify(touch.path)
    kind = entry.kind
    found = models.get(touch.path, touch.new)
    before = models.get(past.path, past.blob).model

    def row(event: Event, version: int, changes: tuple[Change, ...] = (), problem: str = "") -> Row:
        return Row(
            kind=kind, environment=entry.environment, key=entry.name, path=touch.path, event=event, version=version,
            old=past.blob or touch.old, new=touch.new, old_path=touch.old_path, changes=changes, problem=problem,
            source=touch.source,
        )  # fmt: skip

    if touch.new and (touch.problem or found.model is None):
        why = f"it is {touch.problem}" if touch.problem else _why(found.problems)
        kept = Past(past.version, past.blob, past.path or touch.path, touch.source)
        return kept, row("unreadable", past.version, problem=why)
    changes = _DIFFS[kind](before, found.model)
    version = past.version + diff.means(changes)
    if past.blob:
        models.forget(past.path, past.blob)
    after = Past(version, touch.new, touch.path, touch.source)
    return after, row(_event(past, touch, changes), version, changes)


def _event(past: Past, touch: Touch, changes: Sequence[Change]) -> Event:
    if not touch.new:
        return "removed"
    if not past.blob:
        return "created"
    if classify(touch.old_path).name != classify(touch.path).name:
        return "renamed"
    if changes:
        return "changed"
    return "respelt" if touch.path == touch.old_path else "moved"


def _why(problems: Sequence[Problem]) -> str:
    first = problems[0] if problems else Problem(rule="", message="it can't be read", file="")
    return f"line {first.line}: {first.message}" if first.line else first.message


def paired(touches: Iterable[Touch], models: Models) -> list[Touch]:
    """The files of one commit that flags and the like stand in; one that went and one that came are a move."""
    known = [touch for touch in touches if _is_ours(touch.path)]
    gone = [touch for touch in known if not touch.new]
    come = [touch for touch in known if not touch.old]
    if not gone or not come:
        return known
    moves: dict[str, Touch] = {}
    for alike in (_same_name, _same_bytes, lambda old, new: _similar(old, new, models)):
        if alike not in (_same_name, _same_bytes) and max(len(gone), len(come)) > _MANY:
            break
        for new in list(come):
            old = next((old for old in gone if _same_place(old, new) and alike(old, new)), None)
            if old is not None:
                gone.remove(old)
                come.remove(new)
                moves[new.path] = msgspec.structs.replace(new, old=old.old, old_path=old.path)
    went = {touch.old_path for touch in moves.values()}
    return [moves.get(touch.path, touch) for touch in known if touch.path not in went]


def _is_ours(path: str) -> bool:
    hidden = any(part.startswith(".") for part in path.split("/"))
    return not hidden and classify(path).kind in _DIFFS


def _same_place(old: Touch, new: Touch) -> bool:
    one, other = classify(old.path), classify(new.path)
    return (one.kind, one.environment) == (other.kind, other.environment)


def _same_name(old: Touch, new: Touch) -> bool:
    return classify(old.path).name == classify(new.path).name


def _same_bytes(old: Touch, new: Touch) -> bool:
    return old.old == new.new


def _similar(old: Touch, new: Touch, models: Models) -> bool:
    from difflib import SequenceMatcher

    one, other = (models.text(blob).splitlines() for blob in (old.old, new.new))
    return SequenceMatcher(None, one, other, autojunk=False).ratio() >= _ALIKE


def paths(git: Git, revision: str, environment: str = "") -> list[str]:
    """The files of flags and the like at a revision, of one environment or all."""
    folder = f"flags/{environment}".rstrip("/")
    listed = git.read("ls-tree", "-r", "-z", "--name-only", revision, "--", *git.spec(f"{folder}/")).split("\0")
    if git.bare:
        listed = [path.removeprefix(git.prefix) for path in listed]
    return [path for path in listed if path.endswith(".yaml") and "/." not in path]


def files_of(git: Git, commit: str, key: str, environment: str, there: Sequence[str]) -> list[str]:
    """Where a flag stands at a commit, in one environment or ("") each, or stood last where it is gone.

    there: `paths` of that commit and environment. Raises UsageError when it never was.
    """
    ending = f"/{key}.yaml"
    flags = [
        entry for entry in map(classify, filter(lambda path: path.endswith(ending), there)) if entry.kind == "flag"
    ]
    found = {entry.environment: entry.path for entry in flags}
    if len(found) < (
        1 if environment else len({path.split("/")[1] for path in there if path.count("/") > 1} - _SHARED)
    ):
        for entry in _gone(git, commit, key, environment or "*"):
            found.setdefault(entry.environment, entry.path)
    if not found:
        names = {entry.name for entry in map(classify, there) if entry.kind == "flag"}
        where = f" in {environment}" if environment else ""
        hint = did_you_mean(key, names) or "flagctl list shows the flags there are"
        raise UsageError(f'no flag "{key}"{where}, neither now nor before', hint=hint)
    return [found[name] for name in sorted(found)]


def _gone(git: Git, commit: str, key: str, environment: str) -> list[Entry]:
    """Where a flag was removed, latest first. No filter helps Git with a folder that is not known."""
    (scope,) = git.spec(f"flags/{environment}/**/{key}.yaml")
    listed = git.read("log", "--first-parent", "--format=", "--name-only", "-z", "--no-renames", "--no-relative",
                      "--diff-merges=first-parent", "--diff-filter=D", commit, "--", f":(glob){scope}")  # fmt: skip
    names = (name.strip("\n").removeprefix(git.prefix) for name in listed.split("\0") if name.strip("\n"))
    return [entry for entry in map(classify, names) if entry.kind == "flag"]
