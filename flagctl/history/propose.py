"""A change as a branch of its own, for others to review, without touching the work tree or the current branch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import unquote

import msgspec

from flagctl.errors import OutsideError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagctl.history.git import Git

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+|\.\.+|\.lock$|\.$|^\.")
_DRAFT = "refs/flagctl/draft"
_USUAL = ("main", "master")


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """What a pull request says. branch: with the change; onto: the branch it is meant for.

    reviewers: people and teams who are asked, as @login and @org/team. auto_merge: merge it once it is approved.
    """

    branch: str
    onto: str
    title: str
    body: str = ""
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    auto_merge: bool = False


class Proposed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it. remote: where the branch was pushed to, "" for nowhere. url: the pull request's, or "".

    advice: what to do next, as the person types or opens it. lacking: see Opened. onto: the branch it is meant for.
    more: how many commits it brings beside its own, which that branch has here and not at the remote.
    """

    branch: str
    commit: str
    remote: str = ""
    url: str = ""
    advice: str = ""
    lacking: tuple[str, ...] = ()
    onto: str = ""
    more: int = 0


class Opened(NamedTuple):
    """A pull request that is open. lacking: what the forge would not add to it, and why."""

    url: str
    lacking: tuple[str, ...] = ()


class Forge(Protocol):
    """Where pull requests live."""

    def propose(self, proposal: Proposal) -> Opened:
        """Open a pull request, or bring the one of this branch up to date. Raises OutsideError when there is none."""


def branch_name(kind: str, where: str, keys: tuple[str, ...], content: str) -> str:
    """`flagctl/promote/staging-production/checkout-3f2a91c0`: the same for the same content."""
    import hashlib

    short = hashlib.blake2b(content.encode(), digest_size=4).hexdigest()
    what = keys[0] if len(keys) == 1 else f"{len(keys)}-flags"
    return f"flagctl/{kind}/{where}/{_UNSAFE.sub('-', what)}-{short}"


def propose(
    git: Git, texts: Mapping[str, str | None], message: str, proposal: Proposal, forge: Forge | None = None
) -> Proposed:
    """Commit these texts on HEAD as a branch, push it, and ask the forge for a pull request.

    Run again, the branch says what it would now. Raises what `offer` raises; the branch is made then.
    """
    commit = _commit(git, texts, message, proposal.branch)
    git.read("update-ref", f"refs/heads/{proposal.branch}", commit)
    done = offer(git, commit, proposal, forge, anew=True)
    beside = f"refs/remotes/{done.remote}/{proposal.onto}..{commit}^"
    more = git.run("rev-list", "--count", beside)[1].strip() if done.remote else ""
    return msgspec.structs.replace(done, onto=proposal.onto, more=int(more or 0))


def offer(git: Git, commit: str, proposal: Proposal, forge: Forge | None = None, *, anew: bool = False) -> Proposed:
    """Push the branch, which is at `commit`, and ask the forge for a pull request.

    anew: it may replace what the remote was last seen to have; else it only adds to that. Without a remote the branch
    stays here; without a forge the person is told how to open the pull request. Raises OutsideError when it is not
    pushed.
    """
    remote = remote_of(git)
    if not remote:
        advice = f"there is no remote; git merge {proposal.branch} takes it over"
        return Proposed(branch=proposal.branch, commit=commit, advice=advice)
    lease = ["--force-with-lease"] if anew else []
    status, _, err = git.run("push", "--quiet", *lease, remote, f"refs/heads/{proposal.branch}")
    if any(word in err for word in ("stale info", "(fetch first)", "(non-fast-forward)")):
        fetch = (
            f"git fetch {remote}, look at it" if anew else f"git fetch {remote} +{proposal.branch}:{proposal.branch}"
        )
        raise OutsideError(f"somebody else pushed to {proposal.branch}", hint=f"{fetch}, then run this again")
    if status:
        said = next(
            (line for line in err.splitlines() if line.startswith(("fatal:", "error:", "remote:"))), err.strip()
        )
        raise OutsideError(
            f"{remote} did not take the branch: {said}", hint=f"it is here: git push {remote} {proposal.branch}"
        )
    opened, advice = Opened(""), _told(err, proposal.branch) or _how(git, remote, proposal)
    if forge is not None:
        try:
            opened, advice = forge.propose(proposal), ""
        except OutsideError as error:  # the branch is there: the person can go on by hand
            advice = f"{error.message}; {advice}"
    return Proposed(
        branch=proposal.branch, commit=commit, remote=remote, url=opened.url, advice=advice, lacking=opened.lacking
    )


def remote_of(git: Git) -> str:
    """The remote that the current branch belongs to, else `origin` or the only one; "" for none."""
    remotes = git.read("remote").split()
    own = git.run("config", "--get", f"branch.{git.branch()}.remote")[1].strip()
    if own in remotes:
        return own
    return "origin" if "origin" in remotes else remotes[0] if len(remotes) == 1 else ""


def on_main(git: Git, remote: str) -> bool:
    """Whether the current branch is the one that the remote's people work from."""
    main = _main_of(git, remote)
    return git.branch() in ({main} if main else _USUAL)


def main_branch(git: Git) -> str:
    """The branch that people work from, as well as it can be known here."""
    here = git.branch()
    return _main_of(git, remote_of(git)) or (here if here in _USUAL else "main")


def _main_of(git: Git, remote: str) -> str:
    """What the remote calls its main branch, "" where it was never asked."""
    status, out, _ = git.run("symbolic-ref", "--quiet", "--short", f"refs/remotes/{remote}/HEAD")
    return out.strip().removeprefix(f"{remote}/") if not status else ""


def _commit(git: Git, texts: Mapping[str, str | None], message: str, branch: str) -> str:
    """A commit on HEAD with these files, that of the branch if it says so already; index and work tree stay."""
    head = git.head()
    if head is None:
        raise UsageError("nothing is committed yet", hint="git commit")
    tree = _tree(git, texts, head.commit)
    there = git.look("log", "-1", "--format=%H %T %P", f"refs/heads/{branch}", "--")[1].split()
    if there[1:] == [tree, head.commit]:
        return there[0]
    sign = git.look("config", "--type=bool", "--get", "commit.gpgsign")[1].strip() == "true"
    return _checked(git, "commit-tree", tree, "-p", head.commit, *(["-S"] if sign else []), "-m", message.rstrip("\n"))


def _tree(git: Git, texts: Mapping[str, str | None], head: str) -> str:
    """The tree of a commit with other texts of some files."""
    identity = _checked(git, "var", "GIT_COMMITTER_IDENT")
    lines = [f"commit {_DRAFT}\nmark :1\ncommitter {identity}\n".encode(), _data("draft"), f"from {head}\n".encode()]
    for path, text in texts.items():
        name = (git.prefix + path).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        if text is None:
            lines.append(f'D "{name}"\n'.encode())
        else:
            lines += [f'M 100644 inline "{name}"\n'.encode(), _data(text)]
    # The draft's name is all that is wanted of it: its ref is taken back before Git writes any.
    lines.append(f"get-mark :1\nreset {_DRAFT}\nfrom {'0' * len(head)}\n".encode())
    process = git.start("fast-import", "--quiet", "--force")
    out, _ = process.communicate(b"".join(lines))
    if process.returncode:
        raise OutsideError("Git could not write the commit", hint="git fsck looks for damage")
    return git.read("rev-parse", f"{out.decode().strip()}^{{tree}}").strip()


def _data(text: str) -> bytes:
    raw = text.encode()
    return b"data %d\n%s\n" % (len(raw), raw)


def _checked(git: Git, *words: str) -> str:
    status, out, err = git.run(*words)
    if status and ("tell me who you are" in err or "ident" in err):
        raise OutsideError(
            "Git does not know who you are",
            hint='git config --global user.name "Your Name"; git config --global user.email you@example.com',
        )
    if status:
        raise OutsideError(f"git {words[0]} failed: {err.strip().splitlines()[-1] if err.strip() else ''}")
    return out.strip()


def _told(said: str, branch: str) -> str:
    """Where the remote itself, in its answer to the push, says that a pull request is opened; "" where it does not."""
    for url in re.findall(r"^remote:\s+(https?://\S+)", said, re.MULTILINE):
        if branch in unquote(url):
            return f"open {url}"
    return ""


def _how(git: Git, remote: str, proposal: Proposal) -> str:
    """Where a pull request is opened by hand."""
    url = git.run("remote", "get-url", remote)[1].strip()
    found = re.fullmatch(r"(?:(https?)://|ssh://)?(?:[^@/]*@)?([^/:]+)(:\d+(?=/))?[:/](.+?)(?:\.git)?/?", url)
    if found is None or url.startswith(("/", ".", "file:")):
        return f"open a pull request from {proposal.branch} to {proposal.onto}"
    scheme, host, port, path = found.groups()
    place = f"{scheme}://{host}{port or ''}/{path}" if scheme else f"https://{host}/{path}"  # the port is that of ssh
    if "gitlab" in host:
        return f"open {place}/-/merge_requests/new?merge_request[source_branch]={proposal.branch}"
    return f"open {place}/compare/{proposal.onto}...{proposal.branch}?expand=1"
