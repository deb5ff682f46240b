"""A commit on a branch that is not checked out: the work tree, the index and HEAD stay as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagctl.errors import OutsideError, RefusedError
from flagctl.history.propose import main_branch, on_main, remote_of

if TYPE_CHECKING:
    from flagctl.history.git import Git


def start(git: Git, branch: str) -> str:
    """The commit on which the next one of a branch goes: the branch's last, here or at the remote, unless it is merged.

    Else HEAD, or the remote's main branch as it was last seen where another is checked out. Raises UsageError before
    the first commit.
    """
    remote = remote_of(git)
    main = "" if on_main(git, remote) else _tip(git, f"refs/remotes/{remote}/{main_branch(git)}")
    main = main or git.resolve("HEAD")
    here = _tip(git, f"refs/heads/{branch}")
    for found in (_tip(git, f"refs/remotes/{remote}/{branch}"), here):
        if found and not git.is_ancestor(found, main) and (not here or git.is_ancestor(here, found)):
            return found
    return main


def _tip(git: Git, ref: str) -> str:
    return git.run("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")[1].strip()


def commit_aside(git: Git, branch: str, base: str, path: str, text: str, message: str) -> str:
    """Commit one file's new text on top of `base`, and put `branch` there; the commit's hash.

    path: relative to the folder that holds `flags/`. No hook runs. Raises RefusedError when the branch is checked out
    or went elsewhere meanwhile, OutsideError when Git does not know who you are or fails.
    """
    if git.branch() == branch:
        raise RefusedError(f"the branch {branch} is checked out", hint="git switch to another branch first")
    author, committer = (_identity(git, variable) for variable in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"))
    lines = [
        f"commit refs/heads/{branch}", f"author {author}", f"committer {committer}", _data(message), f"from {base}",
        f"M 100644 inline {git.prefix}{path}", _data(text), "done",
    ]  # fmt: skip
    process = git.start("fast-import", "--quiet", "--done", "--date-format=raw", stderr=True)
    try:
        process.stdin.write(("\n".join(lines) + "\n").encode())
        process.stdin.close()
    except BrokenPipeError:
        pass  # it says why below
    said = process.stderr.read().decode("utf-8", "replace")
    if process.wait():
        if "Not updating" in said:
            raise RefusedError(f"the branch {branch} went elsewhere meanwhile", hint="run the command again")
        raise OutsideError(f"Git could not commit to {branch}: {said.strip().splitlines()[0] if said.strip() else ''}")
    return _tip(git, f"refs/heads/{branch}")


def _identity(git: Git, variable: str) -> str:
    status, out, _ = git.run("var", variable)
    if status:
        raise OutsideError(
            "Git does not know who you are",
            hint='git config --global user.name "Your Name"; git config --global user.email you@example.com',
        )
    return out.strip()


def email(git: Git) -> str:
    """Who commits here, by the address that Git would write. Raises OutsideError when it knows none."""
    return _identity(git, "GIT_AUTHOR_IDENT").rpartition(">")[0].rpartition("<")[2]


def _data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}"
