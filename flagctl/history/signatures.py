"""Whether commits are signed, by Git's own verification of GPG, SSH and X.509 signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flagctl.history.git import Git

GOOD = "G"
UNKNOWN = "N", ""
"""Of a commit that Git said nothing about."""
UNCHECKED = "E"
_WORDS = {
    "G": "good",
    "B": "bad",
    "U": "by a key nobody vouches for",
    "X": "good, but expired",
    "Y": "good, by an expired key",
    "R": "by a revoked key",
    "E": "not checked: Git has no key for it, or no gpg.ssh.allowedSignersFile",
    "N": "missing",
}


def states(git: Git, commits: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Git's letter for each commit (see %G? in git-log(1)), and who signed it, "" for nobody known."""
    if not commits:
        return {}
    told = "\n".join(dict.fromkeys(commits)) + "\n"
    those = ("log", "--no-walk=unsorted", "--stdin", "-z")
    _, out, err = git.look(*those, "--format=%H%x09%G?%x09%GS", told=told)
    found = {}
    for record in filter(None, out.split("\0")):
        commit, letter, signer = record.split("\t", 2)
        found[commit.strip()] = letter, signer.strip()
    if "allowedSignersFile" in err:
        # Without that file Git says of each SSH signature that there is none.
        for record in filter(None, git.look(*those, "--format=raw", told=told)[1].split("\0")):
            head = record.partition("\n\n")[0]
            if "\ngpgsig" in head:
                found[head.split()[1]] = UNCHECKED, ""
    return found


def words(letter: str, signer: str) -> str:
    """«good (ada@example.com)», «missing»."""
    said = _WORDS.get(letter, f"unknown ({letter})")
    return f"{said} ({signer})" if signer else said
