"""`flagctl show`."""

from typing import Annotated

import typer

from flagctl.cli.options import AnyEnvironment, At, Clock, Json, Key
from flagctl.errors import ProblemsError


def command(
    ctx: typer.Context,
    key: Key,
    environment: AnyEnvironment = None,
    version: Annotated[int | None, typer.Option(min=1, metavar="N", help="As its version N was; needs -e.")] = None,
    at: At = None,
    clock: Clock = None,
    as_json: Json = False,
) -> None:
    """Show one flag in all environments side by side.

    \b
    Examples:
      flagctl show wishlist-gallery
      flagctl show checkout-flow -e production --version 3
      flagctl show checkout-flow --at '2 weeks ago' --json
    """
    from flagctl.cli import asking
    from flagctl.cli.formats import flags
    from flagctl.cli.versions import of_project
    from flagctl.model import overview

    out = ctx.obj.out
    project, now = ctx.obj.then(f"@v{version}" if version else at, clock, key=key, environment=environment)
    reading = project.read()
    line = overview.one(reading.repository, key, environment or "", now)
    versions = of_project(project)
    unread = overview.unread([line], list(line.files))
    if unread and not line.states:
        found = [asking.located(reading, problem) for problem in reading.problems if problem.file in unread]
        raise ProblemsError(f"{key} can't be shown", found)
    if as_json:
        out.json(flags.show_document(line, reading, versions))
        return
    held = {name: reading.repository.environments[name].flags[key] for name in line.states}
    same, beside = overview.sheet(held, now)
    out.data(out.style(key, "bold"), styled=True)
    for label, said in same:
        out.data(f"{label:14}{said}")
    out.data("")
    files = ("file", [line.files[name] for name in held])
    numbers = ("version", [versions.text(name, key) or overview.NOTHING for name in held])
    out.table(["", *held], [[label, *cells] for label, cells in [*beside, numbers, files]])
    if unread:
        out.warn(f"can't be read: {', '.join(unread)}", "flagctl check says why")
