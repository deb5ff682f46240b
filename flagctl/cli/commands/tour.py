"""`flagctl tour`."""

import os
from typing import Annotated

import typer


def command(
    ctx: typer.Context,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the repository there afterwards, and say where.")] = False,
) -> None:
    """See the whole loop in a temporary repository.

    Each command is printed before it runs: a flag is made, changed, checked, published, and read by a
    service that sees the next change while it runs. Needs Git and nothing else.

    \b
    Examples:
      flagctl tour
      flagctl tour --keep
    """
    from flagctl.cli.tour import tour

    tour(ctx.obj.out, os.environ, keep=keep)
