"""`flagctl init`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from flagctl.errors import UsageError


def command(
    ctx: typer.Context,
    directory: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="Where; default: here.")] = None,
    environments: Annotated[
        str | None,
        typer.Option(metavar="A,B,C", help="In the order of promotion.  [default: development,staging,production]"),
    ] = None,
    action: Annotated[
        str | None,
        typer.Option(
            metavar="OWNER/REPO@SHA",
            help="The commit of flagctl that GitHub's workflows run; default: the one that pip installed here.",
        ),
    ] = None,
    github: Annotated[bool, typer.Option("--github/--no-github", help="Write workflows for GitHub.")] = True,
) -> None:
    """Start a flag repository, or complete one.

    Writes flags/ with settings, attributes and an example flag with its tests, schema/ for editors,
    .gitattributes and .gitignore, tells Git how flag files merge, and writes .github/workflows/ that check, plan,
    approve, publish and look after flags. What is there already is kept as it is.

    \b
    Examples:
      flagctl init
      flagctl init services/flags --environments dev,prod --no-github
    """
    from flagctl.cli import hosting
    from flagctl.files.start import ENVIRONMENTS, in_git, start
    from flagctl.project import find_root

    out = ctx.obj.out
    root = Path(ctx.obj.chdir or Path.cwd(), directory or ".").resolve()
    around = find_root(root)
    if around and root.is_relative_to(around / "flags"):
        raise UsageError(f"{root} is inside the flag repository in {around}", hint=f"flagctl init {around}")
    names = [name.strip() for name in environments.split(",")] if environments is not None else ENVIRONMENTS
    uses = hosting.action(action) if github else ""
    made = start(root, names)
    if uses:
        made += hosting.workflows(root, uses)
    for file in made:
        out.data(f"{'created' if file.created else 'kept   '} {file.path}")
        if file.advice:
            out.warn(f"{file.path}: {file.advice}")
    if environments is not None and around == root:
        out.warn("flags/flagctl.yaml was there already, so --environments changed nothing", "add them to that file")
    if in_git(root):
        from flagctl.history import driver, graph
        from flagctl.history.git import Git

        driver.install(Git(root), sys.executable)
        if graph.set_up(Git(root)):
            out.data("created .git/objects/info/commit-graph, by which the log of a flag is found")
    else:
        out.say(f"hint: Git is the database; `git init {root}` and `flagctl init` once more make a repository of it")
    if github:
        out.say("what GitHub has to be told, once: docs/github.md of flagctl" if uses else hosting.UNKNOWN)
    out.say(
        "next: flagctl check, flagctl test, git add --all, git commit" if any(f.created for f in made) else "complete"
    )
