"""`flagctl codeowners`."""

from typing import Annotated

import typer

from flagctl.cli.exits import Exit
from flagctl.cli.options import DryRun


def command(
    ctx: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 when it is stale.")] = False,
    dry_run: DryRun = False,
) -> Exit:
    """Write CODEOWNERS from owners and settings.

    The forge's branch protection then asks the same people as `flagctl approvals`. Only the part between flagctl's
    two lines is written; with `owner: true` each flag belongs to its team, else to those whom `from` names.

    \b
    Examples:
      flagctl codeowners
      flagctl codeowners --check
    """
    from flagctl.cli.keyring import repository_folder
    from flagctl.files.write import write
    from flagctl.history.change import diff
    from flagctl.history.git import Git
    from flagctl.history.owners import texts
    from flagctl.plan.codeowners import BEGIN, lines

    out, project = ctx.obj.out, ctx.obj.project()
    repository = project.read().repository
    file, now, wanted = texts(Git(project.root), repository)
    if BEGIN not in now and not any(lines(repository)):
        out.say("nothing to write: settings ask nobody for approvals, or nobody whom a forge knows")
        return Exit.DONE
    if now == wanted:
        out.say(f"{file} is up to date")
        return Exit.DONE
    path = file.relative_to(repository_folder(project)).as_posix()
    out.data(diff({path: now or None}, {path: wanted}), end="")
    if check:
        out.say(f"{path} is stale; flagctl codeowners writes it anew")
        return Exit.NO
    if not dry_run:
        write(file, wanted.encode())
        out.say(f"{path} written")
    return Exit.DONE
