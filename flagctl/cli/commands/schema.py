"""`flagctl schema`."""

from typing import Annotated

import typer


def command(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Which; without it, their names are listed.")
    ] = None,
) -> None:
    """Print the JSON Schema of a kind of file.

    Editors complete and explain flag files with it: `flagctl init` writes all of them to schema/.

    \b
    Examples:
      flagctl schema
      flagctl schema flag > flag.schema.json
    """
    from flagctl.files.schema import names, schema_text

    ctx.obj.out.data("\n".join(names()) if name is None else schema_text(name).rstrip("\n"))
