"""`flagctl target ...`."""

import typer

from flagctl.cli.exits import Exit
from flagctl.cli.options import AnyEnvironment, Json


def list_targets(ctx: typer.Context, environment: AnyEnvironment = None, as_json: Json = False) -> Exit:
    """List targets, and check that each can be used.

    Each target of settings is reached, and tried whether it can be written; nothing of an environment is written.
    Exits with 1 when one can't be used.

    \b
    Examples:
      flagctl target list
      flagctl target list -e production --json
    """
    from flagctl.cli.formats import status as shown
    from flagctl.cli.standing import reached

    out = ctx.obj.out
    rows = reached(ctx.obj.project(), environment)
    if as_json:
        out.json(shown.targets_document(rows))
    else:
        out.table(*shown.targets_table(rows))
        for hint in dict.fromkeys(hint for _, _, _, hint in rows if hint):
            out.say(f"hint: {hint}")
    return Exit.NO if any(error for _, _, error, _ in rows) else Exit.DONE


GROUP = {"list": list_targets}
