"""What `init` adds for GitHub: the workflows, and the commit of flagctl that they run."""

from __future__ import annotations

import json
import os
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flagctl.files.start import Made

UNKNOWN = """\
no workflows for GitHub: this flagctl was not installed from a commit there
hint: flagctl init --action OWNER/REPOSITORY@COMMIT names the flagctl to run there; --no-github wants none"""


def action(reference: str | None) -> str:
    """What the workflows say in `uses:`; "" where nobody knows.

    reference: OWNER/REPOSITORY@COMMIT; None: where this flagctl was installed from, if that is a commit at GitHub.
    Raises UsageError.
    """
    from flagctl.files.workflows import action_of

    known = reference if reference is not None else _installed_from()
    return action_of(known) if known else ""


def workflows(root: Path, uses: str) -> list[Made]:
    """Write GitHub's workflows for the flag repository in `root`, at the top of the Git repository around it.

    What was made, by path from `root`. Raises OutsideError, ProblemsError.
    """
    from msgspec.structs import replace

    from flagctl.cli.keyring import repository_folder
    from flagctl.files import workflows as texts
    from flagctl.files.start import complete
    from flagctl.history.git import Git
    from flagctl.history.propose import main_branch
    from flagctl.project import Project

    project = Project(root)
    top = repository_folder(project)
    folder = "" if root == top else root.relative_to(top).as_posix()
    git = Git.find(root)
    branch = main_branch(git) if git else "main"
    made = complete(top, texts.workflows(project.settings(), uses, folder, branch))
    return [replace(one, path=Path(os.path.relpath(top / one.path, root)).as_posix()) for one in made]


def commit_noted(direct_url: str) -> str:
    """OWNER/REPOSITORY@COMMIT of what pip notes as direct_url.json; "" for what is no commit at GitHub."""
    from flagctl.history.forge import place_of

    try:
        noted = json.loads(direct_url)
        place = place_of(noted["url"])
        commit = noted["vcs_info"]["commit_id"]
    except (ValueError, KeyError):
        return ""
    return f"{place.path}@{commit}" if place and place.host == "github.com" else ""


def _installed_from() -> str:
    try:
        return commit_noted(distribution("flagctl").read_text("direct_url.json") or "")
    except PackageNotFoundError:
        return ""
