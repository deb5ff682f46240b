"""Commits and the flag files that each touched, streamed from `git log --raw`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import msgspec

from flagctl.errors import OutsideError, RefusedError
from flagctl.history.git import DEEPEN

if TYPE_CHECKING:
    from flagctl.history.git import Git

_FORMAT = "%H%x00%P%x00%ct%x00%an%x00%ae%x00%cn%x00%ce%x00%s%x00%b%x00%(trailers:only,unfold)"
_FIELDS = 10
_OPTIONS = (
    "-z", "--raw", "--no-abbrev", "--no-renames", "--no-relative", "--no-color", "--encoding=UTF-8",
    "--diff-merges=first-parent", "--no-ext-diff", "-O/dev/null",
)  # fmt: skip
_MERGED = re.compile(r"^Merge pull request (#\d+)")
_SQUASHED = re.compile(r"\((#\d+|!\d+)\)$")
_AT_GITLAB = re.compile(r"^See merge request \S*?(!\d+)$", re.MULTILINE)
_ORIGINS = (
    ("revert of", "This reverts", re.compile(r"^This reverts commit ([0-9a-f]{7,64})", re.MULTILINE)),
    (
        "cherry-picked from",
        "(cherry picked",
        re.compile(r"^\(cherry picked from commit ([0-9a-f]{7,64})\)", re.MULTILINE),
    ),
)


class Commit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One commit. time: the committer's, whole seconds. trailers: in order, as git-interpret-trailers(1) reads them."""

    commit: str
    parents: tuple[str, ...]
    time: int
    author: str
    email: str
    committer: str
    committer_email: str
    subject: str
    body: str = ""
    trailers: tuple[tuple[str, str], ...] = ()

    def trailer(self, key: str) -> tuple[str, ...]:
        """The values of a trailer; its case does not count."""
        wanted = key.lower()
        return tuple(value for name, value in self.trailers if name.lower() == wanted)

    @property
    def reason(self) -> str:
        """Why, as its trailer says; "" without one."""
        return self._said("Reason")

    @property
    def override(self) -> str:
        """Why it was made in a freeze, as its trailer says; "" without one."""
        return self._said("Override-Freeze")

    def _said(self, key: str) -> str:
        return "; ".join(" ".join(value.split()) for value in self.trailer(key) if value.strip())

    @property
    def pull(self) -> str:
        """The pull request that it came with: «#12», «!12» at GitLab, "" when it names none."""
        found = _MERGED.search(self.subject) or _SQUASHED.search(self.subject) or _AT_GITLAB.search(self.body)
        return found[1] if found else ""

    @property
    def origin(self) -> str:
        """«revert of 1f2e3d…», «cherry-picked from …», «promoted from staging», "" for a change of its own."""
        for words, sign, pattern in _ORIGINS:
            # Most messages hold neither; asking for a word takes a tenth of the time of the pattern.
            if sign in self.body and (match := pattern.search(self.body)):
                return f"{words} {match[1][:10]}"
        promoted = self.trailer("Promoted-From")
        return f"promoted from {promoted[0]}" if promoted else ""


class Landed(msgspec.Struct, frozen=True, kw_only=True):
    """A commit of the first-parent history, told by those who wrote what it brought.

    sides: of a merge the commits it brought that touched what is told of, newest first.
    """

    commit: Commit
    sides: tuple[Commit, ...] = ()

    @property
    def author(self) -> str:
        """Who wrote it: of a merge, those who wrote what it brought."""
        if not self.sides:
            return self.commit.author
        return ", ".join(dict.fromkeys(side.author for side in self.sides[::-1]))

    @property
    def emails(self) -> tuple[str, ...]:
        """Their addresses."""
        return tuple(dict.fromkeys(side.email for side in self.sides[::-1])) or (self.commit.email,)

    @property
    def committer(self) -> str:
        """Who landed it, where that is somebody else; "" otherwise."""
        landed = self.commit.author if self.sides else self.commit.committer
        return "" if landed == self.author else landed

    @property
    def reason(self) -> str:
        """Why: its trailers; without one the subject, of a merge that of what it brought."""
        said = [reason for commit in (self.commit, *self.sides[::-1]) if (reason := commit.reason)]
        subjects = [side.subject for side in self.sides[::-1]] or [self.commit.subject]
        return "; ".join(dict.fromkeys(said or subjects))

    @property
    def override(self) -> str:
        """Why it was made although its environment was frozen; "" where it was not."""
        said = [override for commit in (self.commit, *self.sides[::-1]) if (override := commit.override)]
        return "; ".join(dict.fromkeys(said))

    @property
    def came_by(self) -> str:
        """«#12», «revert of 1f2e3d4c5b», «promoted from staging, #13», or ""."""
        found = [commit.origin for commit in (self.commit, *self.sides[::-1])] + [self.commit.pull]
        return ", ".join(dict.fromkeys(word for word in found if word))


class Touch(msgspec.Struct, frozen=True, gc=False):
    """What a commit did to one file, against its first parent; blobs are "" where there is none.

    old_path: where it stood before, the same unless it moved. link: it was a symbolic link, or is one now.
    flagctl/history/links.py adds what that means: source, where the content stands, and problem, why there is none.
    """

    path: str
    old: str
    new: str
    old_path: str
    link: bool = False
    source: str = ""
    problem: str = ""


class Step(msgspec.Struct, frozen=True):
    """A commit and the files below `flags/` that it touched."""

    commit: Commit
    touches: tuple[Touch, ...]


def first_parents(
    git: Git, revision: str, paths: Sequence[str] = ("flags",), *, oldest_first: bool = False
) -> Iterator[Step]:
    """The first-parent history that touched `paths`; a merge is compared with what it was merged into.

    A path is taken literally, so that the commit-graph's filters find it; several at once make Git look everywhere.
    """
    order = ["--reverse"] if oldest_first else []
    return _log(git, "--first-parent", *order, *revision.split(), "--", *git.spec(*paths))


def of_commit(git: Git, commit: Commit, folder: str) -> tuple[Touch, ...]:
    """Everything that one commit touched below a folder."""
    steps = list(_log(git, "--first-parent", "--max-count=1", commit.commit, "--", *git.spec(folder)))
    return steps[0].touches if steps else ()


def all_commits(git: Git, revision: str) -> Iterator[Step]:
    """Every commit, the ones of merged branches directly behind their merge."""
    return _log(git, "--topo-order", revision)


def merged(git: Git, merge: Commit, paths: Sequence[str]) -> list[Commit]:
    """The commits that a merge brought and that touched these files, newest first; merges are left out."""
    if len(merge.parents) < 2:
        return []
    span = [merge.commit, f"^{merge.parents[0]}"]
    return [step.commit for step in _log(git, "--no-merges", "--full-history", *span, "--", *git.spec(*paths))]


def commits(git: Git, names: Sequence[str]) -> list[Commit]:
    """These commits, in this order."""
    if not names:
        return []
    with _running(git, "log", "--no-walk=unsorted", "--stdin", "-z", f"--format={_FORMAT}") as process:
        with suppress(BrokenPipeError):
            process.stdin.write("\n".join(names).encode() + b"\n")
            process.stdin.close()
        return [step.commit for step in _steps(process.stdout, git.prefix)]


def require_whole(git: Git) -> None:
    """Raises RefusedError in a shallow clone: what it lacks would be passed over in silence."""
    if git.shallow:
        raise RefusedError(
            "this clone lacks the history: it is shallow",
            hint=DEEPEN,
        )


def _log(git: Git, *arguments: str) -> Iterator[Step]:
    with _running(git, "log", *_OPTIONS, f"--format={_FORMAT}", *arguments) as process:
        process.stdin.close()
        yield from _steps(process.stdout, git.prefix)
        if process.wait():
            raise OutsideError("git log failed", hint="git fsck looks for damage")


@contextmanager
def _running(git: Git, *arguments: str) -> Iterator[Any]:
    """Git while it is read from; ended when the reader has enough, also by Ctrl-C."""
    process = git.start("--literal-pathspecs", *arguments)
    try:
        yield process
    finally:
        process.kill()
        for stream in (process.stdin, process.stdout):
            with suppress(OSError):
                stream.close()
        process.wait()


def _tokens(stream: Any) -> Iterator[str]:
    rest = b""
    while block := stream.read1(1 << 16):
        whole, found, rest = (rest + block).rpartition(b"\0")
        if found:
            yield from whole.decode("utf-8", "replace").split("\0")
    if rest.strip():
        yield rest.decode("utf-8", "replace")


def _steps(stream: Any, prefix: str) -> Iterator[Step]:
    tokens = _tokens(stream)
    fields: list[str] = []
    touches: list[Touch] = []
    for token in tokens:
        if len(fields) < _FIELDS:
            fields.append(token)
            continue
        said = token.lstrip("\n")
        if said.startswith(":"):
            if (touch := _touch(said, tokens, prefix)) is not None:
                touches.append(touch)
            continue
        yield Step(_commit(fields), tuple(touches))
        fields, touches = [said], []
    if len(fields) == _FIELDS:
        yield Step(_commit(fields), tuple(touches))


def _touch(about: str, tokens: Iterator[str], prefix: str) -> Touch | None:
    was, mode, old, new, _ = about.split(" ")
    path = next(tokens)
    if not path.startswith(f"{prefix}flags/"):
        return None
    path = path[len(prefix) :]
    before, after = ("" if blob.strip("0") == "" else blob for blob in (old, new))
    return Touch(path, before, after, path, "120000" in (mode, was.lstrip(":")))


def _commit(fields: list[str]) -> Commit:
    commit, parents, time, author, email, committer, committer_email, subject, body, trailers = fields
    pairs = (line.partition(":") for line in trailers.split("\n") if line)
    return Commit(
        commit=commit,
        parents=tuple(parents.split()),
        time=int(time),
        author=author,
        email=email,
        committer=committer,
        committer_email=committer_email,
        subject=subject,
        body=body,
        # With `trailer.NAME.key = "Reason: "`, as Git's manual has it, Git writes «Reason: : value».
        trailers=tuple((name.strip(), value.lstrip(": \t").strip()) for name, _, value in pairs),
    )
