"""`flagctl verify`."""

from typing import Annotated

import typer

from flagctl.cli.exits import Exit
from flagctl.cli.options import AnyEnvironment, Json


def command(
    ctx: typer.Context,
    source: Annotated[
        str | None,
        typer.Argument(metavar="[SOURCE]", help="A file or a URL; none: all targets."),
    ] = None,
    environment: AnyEnvironment = None,
    as_json: Json = False,
) -> Exit:
    """Prove that what is published is what its commit says.

    The snapshot is built anew from the commit that it names, and compared byte by byte; its signature has
    to be by a key that settings list and that is not retired. At a target, the flagd definition, the parts
    for audiences, a canary, and whether an older version was put back are looked at too. Exits with 1 when
    something differs, and says what; with 4 when it can't be told, because this clone lacks the history.

    \b
    Examples:
      flagctl verify
      flagctl verify https://flags.example.com/production/snapshot.json
      flagctl verify file:published -e production --json
    """
    from flagctl.cli.formats import verified as shown
    from flagctl.cli.verification import verify_all

    out, now = ctx.obj.out, ctx.obj.now()
    found = []
    for one in verify_all(ctx.obj.project(), source, environment, now=now):
        found.append(one)
        if not as_json:
            out.data("\n".join(shown.words(one, now)))
    if as_json:
        out.json(shown.document(found))
    if all(one.ok for one in found):
        return Exit.DONE
    return Exit.NO if any(not one.ok and not one.error for one in found) else Exit.OUTSIDE
