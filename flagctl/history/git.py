"""Git, asked by its own commands through GitPython, which finds and runs them."""

from __future__ import annotations

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
_STATES = {
    "rebase-merge": ("rebase", "git rebase --continue` or `git rebase --abort"),
    "rebase-apply": ("rebase", "git rebase --continue` or `git rebase --abort"),
    "MERGE_HEAD": ("merge", "git commit` or `git merge --abort"),
    "CHERRY_PICK_HEAD": ("cherry-pick", "git cherry-pick --continue` or `git cherry-pick --abort"),
    "REVERT_HEAD": ("revert", "git revert --continue` or `git revert --abort"),
    "BISECT_LOG": ("bisect", "git bisect reset"),
}
_FIELDS = "%H%x00%ct%x00%an%x00%ae%x00%s%x00" + "%x00".join(
    f"%(trailers:key={key},valueonly,unfold,separator=%x0A)" for key in ("Flag", "Environment", "Reason")
)
_COUNT = _FIELDS.count("%x00") + 1


class Head(msgspec.Struct, frozen=True):
    """A commit and its committer's time, whole seconds since the epoch."""

    commit: str
    time: int


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One commit of the log; flags, environments and reason from its trailers, empty where it has none."""

    commit: str
    time: int
    author: str
    email: str
    subject: str
    flags: tuple[str, ...]
    environments: tuple[str, ...]
    reason: str


class Git:
    """The work tree around `root`, the folder that holds `flags/`. Paths are relative to `root`."""

    def __init__(self, root: Path) -> None:
        """Raises UsageError when `root` is in no Git work tree, OutsideError when Git fails or is not there."""
        self.root = root
        for name in _OF_A_HOOK:
            os.environ.pop(name, None)
        try:
            import git
        except ImportError as error:
            raise OutsideError("Git is not installed, or not on PATH", hint="apt install git") from error
        self._git = git.Git(str(root))
        self._git.update_environment(**_QUIET)
        status, out, err = self.run("rev-parse", "--is-inside-work-tree", "--absolute-git-dir", "--show-prefix")
        if status and "not a git repository" in err:
            raise UsageError(f"{root} is in no Git repository", hint="make one with `git init`, or use --no-commit")
        if status:
            raise OutsideError(f"Git does not read {root}: {_last(err)}", hint=_instead(err))
        inside, self.folder, self.prefix = out.split("\n")[:3]
        if inside != "true":
            raise UsageError(f"{root} is in a Git repository without a work tree", hint="work in a clone of it")

    @classmethod
    def find(cls, root: Path) -> Git | None:
        """The repository around `root`, None when it is in none; raises OutsideError as above."""
        try:
            return cls(root)
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

    def start(self, *arguments: str) -> Any:
        """A git command as a running process with stdin and stdout; the caller ends it."""
        from subprocess import PIPE

        return self._git.execute(["git", *arguments], as_process=True, istream=PIPE)

    def read(self, *arguments: str) -> str:
        """A git command's stdout; raises OutsideError with Git's own words when it fails."""
        status, out, err = self.run(*arguments)
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
        status, out, _ = self.run("symbolic-ref", "--quiet", "--short", "HEAD")
        return "" if status else out.strip()

    def head(self) -> Head | None:
        """The current commit, None before the first."""
        status, out, _ = self.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        return None if status else Head(out.strip(), int(self.read("show", "-s", "--format=%ct", out.strip())))

    def resolve(self, revision: str) -> str:
        """The commit that a revision names; raises UsageError."""
        status, out, _ = self.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        if status:
            raise UsageError(f'"{revision}" is no commit, branch or tag', hint="git log --oneline shows commits")
        return out.strip()

    def is_ancestor(self, older: str, newer: str) -> bool | None:
        """Whether `newer` has `older` in its history, both being the same included; None when one is unknown."""
        status, _, _ = self.run("merge-base", "--is-ancestor", older, newer)
        return {0: True, 1: False}.get(status)

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

    def log(self, key: str = "", environment: str = "", limit: int | None = None) -> Iterator[Entry]:
        """Commits that touched a flag's files ("": any file) in an environment ("": all), newest first.

        Entries come as Git finds them. The key must be one that files can have.
        """
        if self.head() is None:
            return
        folder = f"flags/{environment or '*'}" if key else f"flags/{environment}".rstrip("/")
        paths = [folder]
        if key:
            paths = [f":(glob){folder}/**/{key}.yaml", ":(glob,exclude)flags/*/segments/**"]
        count = [] if limit is None else [f"--max-count={limit}"]
        process = self.start("log", "-z", f"--format={_FIELDS}", *count, "--", *paths)
        process.stdin.close()
        rest = b""
        while block := process.stdout.read1(1 << 16):
            *fields, rest = (rest + block).split(b"\0")
            whole = len(fields) - len(fields) % _COUNT
            yield from map(_entry, (fields[i : i + _COUNT] for i in range(0, whole, _COUNT)))
            rest = b"\0".join([*fields[whole:], rest])
        if rest:
            yield _entry(rest.split(b"\0"))
        if process.wait():
            raise OutsideError("git log failed", hint="git fsck looks for damage")


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


def _entry(fields: list[bytes]) -> Entry:
    commit, time, author, email, subject, flags, environments, reason = map(_text, fields)
    return Entry(
        commit=commit.strip(),
        time=int(time),
        author=author,
        email=email,
        subject=subject,
        flags=tuple(flags.splitlines()),
        environments=tuple(environments.splitlines()),
        reason=" ".join(reason.split()),
    )


def _text(data: bytes | str) -> str:
    return data if isinstance(data, str) else data.decode("utf-8", "replace")


def _last(err: str) -> str:
    lines = [line for line in err.strip().splitlines() if line.strip()]
    said = [line for line in lines if line.startswith(("fatal:", "error:"))] or lines[-1:]
    return said[0].removeprefix("fatal: ").removeprefix("error: ").rstrip(".") if said else "it said nothing"


def _instead(err: str) -> str:
    # Git prints what to type on a line of its own, indented: `git config --global --add safe.directory ...`.
    return next((line.strip() for line in err.splitlines() if line.startswith("\t")), "")
