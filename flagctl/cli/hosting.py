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
    from flagctl.project import Project

    project = Project(root)
    top = repository_folder(project)
    folder = "" if root == top else root.relative_to(top).as_posix()
    made = complete(top, texts.workflows(project.settings(), uses, folder))
    return [replace(one, path=Path(os.path.relpath(top / one.path, root)).as_posix()) for one in made]


def _installed_from() -> str:
    """OWNER/REPOSITORY@COMMIT that pip noted when it installed flagctl from GitHub; "" for any other way."""
    from flagctl.history.forge import place_of

    try:
        noted = json.loads(distribution("flagctl").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return ""
    place = place_of(noted.get("url", ""))
    commit = noted.get("vcs_info", {}).get("commit_id", "")
    return f"{place.path}@{commit}" if place and place.host == "github.com" and commit else ""
