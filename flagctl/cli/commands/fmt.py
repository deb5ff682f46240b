"""`flagctl fmt`."""

from typing import Annotated

import typer

from flagctl.cli.exits import Exit
from flagctl.cli.options import AnyEnvironment


def command(
    ctx: typer.Context,
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY]...", help="Only these flags. Default: all.")
    ] = None,
    environment: AnyEnvironment = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 when a file would change.")] = False,
) -> int:
    """Lay out flag files in the standard way.

    Keys in their usual order, LF, no byte-order mark, no stray blanks. Comments stay with their keys, and
    what the files say is never changed. Prints the files that change; commits nothing.

    \b
    Examples:
      flagctl fmt
      flagctl fmt wishlist-gallery --check
    """
    from flagctl.files.fmt import untidy
    from flagctl.files.write import write

    out, project = ctx.obj.out, ctx.obj.project()
    found = untidy(project.tree, keys or (), environment or "")
    for path, text in found.texts.items():
        if not check:
            write((project.root / path).resolve(), text.encode())
        out.data(path)
    for path, why in found.unreadable.items():
        out.warn(f"{path} was left alone: {why}", "flagctl check says where")
    said = "would change" if check else "changed"
    out.say(f"{len(found.texts)} of {found.count} files {said}")
    return Exit.NO if check and found.texts else Exit.DONE
