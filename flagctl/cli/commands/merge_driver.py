"""`flagctl merge-driver`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from flagctl.cli.exits import Exit
from flagctl.errors import OutsideError, UsageError


def command(
    ctx: typer.Context,
    base: Annotated[Path | None, typer.Argument(metavar="BASE", help="Git's %O.")] = None,
    ours: Annotated[Path | None, typer.Argument(metavar="OURS", help="Git's %A; the result is written there.")] = None,
    theirs: Annotated[Path | None, typer.Argument(metavar="THEIRS", help="Git's %B.")] = None,
    path: Annotated[str, typer.Argument(metavar="PATH", help="Git's %P: what the file is called.")] = "",
    install: Annotated[bool, typer.Option("--install", help="Let Git of this clone merge flag files so.")] = False,
) -> Exit:
    """Merge flag files by structure, in Git's own merges.

    Git calls it for files that .gitattributes gives `merge=flagctl`, once --install (or `flagctl init`) has told this
    clone of it. Two people who add different rules or users do not conflict; a field that both changed does, and stands
    between markers that name it. Exit code 1 then.

    \b
    Examples:
      flagctl merge-driver --install
      flagctl merge-driver %O %A %B %P
    """
    from flagctl.history import driver
    from flagctl.history.git import Git

    out = ctx.obj.out
    if install:
        driver.install(Git(ctx.obj.project().root), sys.executable)
        out.say("Git merges flag files by structure in this clone, where .gitattributes says merge=flagctl")
        return Exit.DONE
    if base is None or ours is None or theirs is None:
        raise UsageError("BASE, OURS and THEIRS are missing", hint="Git names them; flagctl merge-driver --install")
    try:
        text, conflicts = driver.run(Git(ctx.obj.directory), *(file.resolve() for file in (base, ours, theirs)))
        ours.write_bytes(text.encode())
    except OSError as error:
        raise OutsideError(f"{error.filename} can't be read or written: {error.strerror}") from error
    for conflict in conflicts or ():
        out.say(f"{path or ours}: both sides changed {conflict.spelled}")
    return Exit.NO if conflicts is None or conflicts else Exit.DONE
