"""`flagctl approvals`."""

import os
from typing import Annotated

import typer

from flagctl.cli.exits import Exit
from flagctl.cli.options import Clock, Json


def command(
    ctx: typer.Context,
    ref: Annotated[
        str | None,
        typer.Argument(
            metavar="[REF|PR]", help="A revision, or a pull request by number or URL; in GitHub Actions: the event's."
        ),
    ] = None,
    base: Annotated[str | None, typer.Option(metavar="REV", help="Compare with this; default: as `plan`.")] = None,
    override: Annotated[
        str | None, typer.Option("--override-freeze", metavar="REASON", help="Let the change through a freeze.")
    ] = None,
    again: Annotated[
        str | None,
        typer.Option(metavar="WORKFLOW", help="After a review: run GitHub's workflow of that file name again instead."),
    ] = None,
    as_json: Json = False,
    clock: Clock = None,
) -> Exit:
    """Say which approvals a change needs by its content, and which it has.

    The settings before the change count. Approvals given before the last push do not, nor does the author's own.
    Exits with 1 while any is missing.

    \b
    Examples:
      flagctl approvals
      flagctl approvals 42 --json
    """
    from flagctl.cli import approving

    session = ctx.obj
    if again is not None:
        session.out.say(f"runs again: {approving.again(session.project(), ref, os.environ, again)}")
        return Exit.DONE
    found = approving.approvals(
        session.project(), ref, os.environ, now=session.now(clock), base=base, overridden=bool(override)
    )
    if found.note:
        session.out.warn(found.note)
    if as_json:
        session.out.json(approving.document(found))
    else:
        for verdict in found.verdicts:
            session.out.data(approving.line(verdict))
    if override:
        session.out.say(f"the freeze is overridden: {override}")
    if not found.verdicts:
        session.out.say("no approval is needed")
    elif found.missing:
        session.out.say(f"{found.missing} missing")
    return Exit.NO if found.missing else Exit.DONE
