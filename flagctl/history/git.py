"""Git, asked by its own commands: GitPython runs those that write or look at the work tree, `look` and `start` the
ones that only read, for loading GitPython takes as long as a whole `flagctl eval`.
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

import msgspec

from flagctl.errors import OutsideError, RefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# Git exports these in hooks and to aliases: with them it would look into the surrounding repository.
_OF_A_HOOK = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_PREFIX", "GIT_NAMESPACE", "GIT_GRAFT_FILE", "GIT_SHALLOW_FILE",
    "GIT_INTERNAL_SUPER_PREFIX", "GIT_QUARANTINE_PATH", "GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS",
)  # fmt: skip
# Nobody is there to be asked for a password, and looking must not take the index lock from somebody's `git add`.
_QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
# People's own settings may not change what we read.
_PLAIN = tuple(
    part
    for setting in ("log.showRoot=true", "log.showSignature=false", "log.follow=false", "core.quotePath=false",
                    "trailer.separators=:")
    for part in ("-c", setting)
)  # fmt: skip
# Git holds every commit that it walks past: taken in huge pages (glibc, where the kernel offers them) that memory costs
# a fifth of the log of one file less. Whoever has tunables of their own keeps them.
_MEMORY = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
_STATES = {
    "rebase-merge": ("rebase", "git rebase --continue` or `git rebase --abort"),
    "rebase-apply": ("rebase", "git rebase --continue` or `git rebase --abort"),
    "MERGE_HEAD": ("merge", "git commit` or `git merge --abort"),
    "CHERRY_PICK_HEAD": ("cherry-pick", "git cherry-pick --continue` or `git cherry-pick --abort"),
    "REVERT_HEAD": ("revert", "git revert --continue` or `git revert --abort"),
    "BISECT_LOG": ("bisect", "git bisect reset"),
}


DEEPEN = "git fetch --unshallow; in GitHub Actions give actions/checkout `fetch-depth: 0`"
"""What brings the history that a shallow clone lacks."""


class Head(msgspec.Struct, frozen=True):
    """A commit and its committer's time, whole seconds since the epoch."""

    commit: str
    time: int


class Git:
    """The work tree around `root`, the folder that holds `flags/`. Paths are relative to `root`."""

    def __init__(self, root: Path, *, bare: bool = False) -> None:
        """Raises UsageError when `root` is in no Git work tree, OutsideError when Git fails or is not there.

        bare: a repository without a work tree will do; the root is then itself, or what would be a folder in it.
        """
        self.root = root
        self._start = next(folder for folder in (root, *root.parents) if folder.is_dir())
        for name in _OF_A_HOOK:
            os.environ.pop(name, None)
        status, out, err = self.look("rev-parse", "--is-shallow-repository", "--is-inside-work-tree",
                                     "--absolute-git-dir", "--show-prefix", "--git-common-dir")  # fmt: skip
        if status and "not a git repository" in err:
            hint = "make one with `git init`" + ("" if bare else ", or use --no-commit")
            raise UsageError(f"{root} is in no Git repository", hint=hint)
        if status:
            raise OutsideError(f"Git does not read {root}: {_last(err)}", hint=_instead(err))
        shallow, inside, self.folder, self.prefix, common = [*out.split("\n"), ""][:5]
        self.common = self._start / common
        self.shallow = shallow == "true"
        self.bare = inside != "true"
        if self.bare and not bare:
            raise UsageError(f"{root} is in a Git repository without a work tree", hint="work in a clone of it")
        if self.bare and self._start != root:
            self.prefix = f"{root.relative_to(self._start).as_posix()}/"

    @functools.cached_property
    def _git(self) -> Any:
        try:
            import git
        except ImportError as error:
            raise OutsideError("Git is not installed, or not on PATH", hint="apt install git") from error
        runner = git.Git(str(self._start))
        runner.update_environment(**_QUIET)
        return runner

    @classmethod
    def find(cls, root: Path, *, bare: bool = False) -> Git | None:
        """The repository around `root`, None when it is in none; raises OutsideError as above."""
        try:
            return cls(root, bare=bare)
        except UsageError:
            return None

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """A git command's exit code, stdout and stderr. Raises OutsideError when it can't be started."""
        from git.exc import GitCommandNotFound

        try:
            status, out, err = self._git.execute(
                ["git", *arguments],
                with_extended_output=True,
                with_exceptions=False,
                stdout_as_string=False,
                strip_newline_in_stdout=False,
            )
        except (GitCommandNotFound, OSError) as error:
            raise OutsideError("Git could not be started", hint="is it installed, and on PATH?") from error
        return status, _text(out), _text(err)

    def start(self, *arguments: str, stderr: bool = False) -> Any:
        """A git command as a running process with stdin and stdout (and stderr, if asked for); the caller ends it."""
        import subprocess

        pipe = subprocess.PIPE
        try:
            return subprocess.Popen(
                ["git", *_PLAIN, *arguments],
                cwd=self._start,
                env=_MEMORY | os.environ | _QUIET,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe if stderr else subprocess.DEVNULL,
            )
        except OSError as error:
            raise _unstarted(error) from error

    def look(self, *arguments: str, told: str = "") -> tuple[int, str, str]:
        """Exit code, stdout and stderr of a git command that only reads; `told` is its stdin."""
        import subprocess

        try:
            done = subprocess.run(
                ["git", *_PLAIN, *arguments],
                cwd=self._start,
                env=_MEMORY | os.environ | _QUIET,
                input=told.encode(),
                capture_output=True,
                check=False,
            )
        except OSError as error:
            raise _unstarted(error) from error
        return done.returncode, _text(done.stdout), _text(done.stderr)

    def spec(self, *paths: str) -> list[str]:
        """Paths as Git takes them: without a work tree there is no folder to start from, so they begin at the top."""
        return [self.prefix + path for path in paths] if self.bare else list(paths)

    @property
    def relative(self) -> str:
        """The option of `git log` that names files from the root."""
        return f"--relative={self.prefix}" if self.bare else "--relative"

    def files(self, commit: str, *paths: str) -> Iterator[tuple[str, str, str]]:
        """The files of a commit at or below these paths: mode, Git's name for the content, path."""
        for record in self.read("ls-tree", "-r", "-z", commit, "--", *self.spec(*paths)).split("\0"):
            about, _, path = record.partition("\t")
            if about:
                mode, _, name = about.split(" ")
                yield mode, name, path.removeprefix(self.prefix) if self.bare else path

    def read(self, *arguments: str) -> str:
        """A reading git command's stdout; raises OutsideError with Git's own words when it fails."""
        status, out, err = self.look(*arguments)
        if status:
            raise OutsideError(f"git {arguments[0]} failed: {_last(err)}")
        return out

    def busy(self) -> tuple[str, str] | None:
        """What Git is in the middle of (merge, rebase, ...) and the commands that end it."""
        for file, state in _STATES.items():
            if os.path.lexists(os.path.join(self.folder, file)):  # noqa: PTH118 - Git's own spelling of the folder
                return state
        return None

    def branch(self) -> str:
        """The branch that HEAD is on, "" when it is detached."""
        status, out, _ = self.look("symbolic-ref", "--quiet", "--short", "HEAD")
        return "" if status else out.strip()

    def head(self) -> Head | None:
        """The current commit, None before the first."""
        status, out, _ = self.look("log", "-1", "--format=%H %ct", "HEAD", "--")
        if status:
            return None
        commit, _, time = out.strip().partition(" ")
        return Head(commit, int(time))

    def resolve(self, revision: str) -> str:
        """The commit that a revision names; raises UsageError."""
        status, out, _ = self.look("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        if status:
            self.require_commit()
            hint = DEEPEN if self.shallow else "git log --oneline shows commits"
            raise UsageError(
                f'"{revision}" is no commit, branch or tag{" in this shallow clone" * self.shallow}', hint=hint
            )
        return out.strip()

    def require_commit(self) -> None:
        """Raises UsageError before the first commit."""
        if self.head() is None:
            raise UsageError("nothing is committed yet", hint='git add . && git commit --message "Start"')

    def is_ancestor(self, older: str, newer: str) -> bool | None:
        """Whether `newer` has `older` in its history, both being the same included; None when one is unknown."""
        status, _, _ = self.look("merge-base", "--is-ancestor", older, newer)
        return {0: True, 1: False}.get(status)

    def follows(self, newer: str, older: str) -> bool:
        """Whether `older` stands on the first-parent history of `newer`."""
        span = ("rev-list", "--first-parent", "--parents", newer, f"^{older}")
        oldest = self.look(*span)[1].strip().rpartition("\n")[2].split()
        return newer == older or oldest[1:2] == [older]

    def clean(self, path: str = "flags") -> bool:
        """Whether everything below `path` is as committed, with no file that Git does not know."""
        return not self._status([path])

    def states(self, paths: Sequence[str]) -> dict[str, str]:
        """ "untracked", "ignored" or "changed" for each of these files that is not as committed.

        A file that is not there yet is ignored if it would be.
        """
        found = {path: "untracked" if code == "??" else "changed" for path, code in self._status(paths).items()}
        status, out, err = self.run("-c", "core.quotePath=false", "check-ignore", "--", *paths)
        if status > 1:
            raise OutsideError(f"git check-ignore failed: {_last(err)}")
        return found | dict.fromkeys(out.splitlines(), "ignored")

    def _status(self, paths: Sequence[str]) -> dict[str, str]:
        out = self.read(
            "--literal-pathspecs", "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--",
            *paths,
        )  # fmt: skip
        # Git names them from the top of the work tree.
        return {line[3:].removeprefix(self.prefix): line[:2] for line in out.split("\0") if line}

    def commit(self, paths: Sequence[str], message: str) -> str:
        """Commit these files as they are in the work tree, and nothing else, whatever is staged; its hash.

        Hooks run. Raises RefusedError when one says no, OutsideError when Git fails; what was staged of
        these files is then as it was.
        """
        literal = "--literal-pathspecs"
        unknown = [path for path, state in self.states(paths).items() if state == "untracked"]
        try:
            if unknown:
                # `commit --only` takes files that the index knows.
                self._checked(self.run(literal, "add", "--intent-to-add", "--", *unknown))
            self._checked(
                self.run(literal, "commit", "--quiet", "--only", "--cleanup=whitespace", "-m", message, "--", *paths)
            )
        except BaseException:
            if unknown:
                self.run("update-index", "--force-remove", "--", *unknown)
            raise
        return self.read("rev-parse", "HEAD").strip()

    def _checked(self, answer: tuple[int, str, str]) -> None:
        status, out, err = answer
        if not status:
            return
        if "index.lock" in err:
            raise OutsideError(
                "Git's index is locked", hint=f"another git is at work; if none is, remove {self.folder}/index.lock"
            )
        if "tell me who you are" in err or "ident name" in err or "auto-detect email" in err:
            raise OutsideError(
                "Git does not know who you are",
                hint='git config --global user.name "Your Name"; git config --global user.email you@example.com',
            )
        if not any(line.startswith(("fatal:", "error:")) for line in err.splitlines()):
            raise RefusedError(f"a Git hook refused the commit: {_last(err or out)}", hint=err.strip())
        raise OutsideError(f"Git could not commit: {_last(err)}", hint=_instead(err))


def _unstarted(error: OSError) -> OutsideError:
    if isinstance(error, FileNotFoundError) and error.filename == "git":
        return OutsideError("Git is not installed, or not on PATH", hint="apt install git")
    return OutsideError(f"Git could not be started: {error}", hint="is it installed, and on PATH?")


def message(subject: str, trailers: Sequence[tuple[str, str]]) -> str:
    """A commit message that ends in trailers as git-interpret-trailers(1) reads them.

    Lines of a value after the first are indented, so that none can be taken for a trailer of its own;
    empty ones, which would end the trailers, are left out.
    """
    lines = []
    for key, value in trailers:
        first, *rest = [line.strip() for line in value.splitlines() if line.strip()] or [""]
        lines += [f"{key}: {first}", *(f"  {line}" for line in rest)]
    return f"{subject}\n\n" + "\n".join(lines) + "\n"


def _text(data: bytes | str) -> str:
    return data if isinstance(data, str) else data.decode("utf-8", "replace")


def _last(err: str) -> str:
    lines = [line for line in err.strip().splitlines() if line.strip()]
    said = [line for line in lines if line.startswith(("fatal:", "error:"))] or lines[-1:]
    return said[0].removeprefix("fatal: ").removeprefix("error: ").rstrip(".") if said else "it said nothing"


def _instead(err: str) -> str:
    # Git prints what to type on a line of its own, indented: `git config --global --add safe.directory ...`.
    return next((line.strip() for line in err.splitlines() if line.startswith("\t")), "")
