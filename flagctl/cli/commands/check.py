"""`flagctl check`."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flagctl.cli.exits import Exit
from flagctl.cli.options import AnyEnvironment, At, Clock, Json, complete_key


class _Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


def command(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY|PATH]...",
            help="Show only what is wrong in these flags or files.",
            autocompletion=complete_key,
        ),
    ] = None,
    environment: AnyEnvironment = None,
    format: Annotated[
        _Format | None, typer.Option("--format", help="How to print; under GitHub Actions: github, else: text.")
    ] = None,
    as_json: Json = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 on warnings, too.")] = False,
    at: At = None,
    clock: Clock = None,
) -> Exit:
    """Find what is wrong in flag files.

    Everything is checked in one pass, and each problem is shown at its place with a hint.
    `flagctl rule show RULE` explains the rule in [brackets]. Exits with 1 when there are errors.

    \b
    Examples:
      flagctl check
      flagctl check wishlist-gallery -e production
      flagctl check --format sarif > flagctl.sarif
    """
    from flagctl.check.catalogue import catalogue
    from flagctl.check.run import check
    from flagctl.check.select import selected
    from flagctl.cli.formats import problems as shown
    from flagctl.cli.formats import problems_github, problems_json, problems_sarif
    from flagctl.history.leaks import committed_keys
    from flagctl.history.owners import stale

    out, (project, now) = ctx.obj.out, ctx.obj.then(at, clock)
    if format is None:
        format = _Format.GITHUB if os.environ.get("GITHUB_ACTIONS") == "true" else _Format.TEXT
    reading = project.read()
    repository = reading.repository
    elsewhere = [*committed_keys(project.root, repository.settings), *stale(project.root, repository)]
    every = check(reading, now, others=elsewhere)
    files = selected(reading, every, names=names or [], environment=environment, root=project.root, here=Path.cwd())
    problems = [problem for problem in every if problem.file in files]
    folder = shown.folder_in_git(project.root)
    if as_json or format is _Format.JSON:
        out.json(problems_json.document(problems, len(files)))
    elif format is _Format.SARIF:
        out.json(problems_sarif.document(problems, catalogue(), folder))
    elif format is _Format.GITHUB:
        for line in problems_github.lines(problems, folder):
            out.data(line)
    else:
        shown.text(out, problems, shown.texts_of(reading))
    out.say(shown.summary(problems, len(files)))
    failing = {"error", "warning"} if strict else {"error"}
    return Exit.NO if any(problem.severity in failing for problem in problems) else Exit.DONE
