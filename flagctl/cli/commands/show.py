"""`flagctl show`."""

import typer

from flagctl.cli.options import AnyEnvironment, Clock, Json, Key


def command(
    ctx: typer.Context, key: Key, environment: AnyEnvironment = None, clock: Clock = None, as_json: Json = False
) -> None:
    """Show one flag in all environments side by side.

    \b
    Examples:
      flagctl show wishlist-gallery
      flagctl show checkout-flow -e production --json
    """
    from flagctl.cli.formats import flags
    from flagctl.model import overview

    out, now = ctx.obj.out, ctx.obj.now(clock)
    reading = ctx.obj.project().read()
    line = overview.one(reading.repository, key, environment or "", now)
    if as_json:
        out.json(flags.show_document(line, reading))
        return
    held = {name: reading.repository.environments[name].flags[key] for name in line.states}
    if held:
        same, beside = overview.sheet(held, now)
        out.data(out.style(key, "bold"), styled=True)
        for label, said in same:
            out.data(f"{label:14}{said}")
        out.data("")
        files = ("file", [line.files[name] for name in held])
        out.table(["", *held], [[label, *cells] for label, cells in [*beside, files]])
    unread = overview.unread([line], list(line.files))
    if unread:
        out.warn(f"can't be read: {', '.join(unread)}", "flagctl check says why")
