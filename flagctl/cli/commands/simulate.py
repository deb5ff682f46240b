"""`flagctl simulate`."""

from typing import Annotated

import typer

from flagctl.cli.options import Attributes, Clock, ContextFile, EnvironmentOption, Json, Key


def command(
    ctx: typer.Context,
    key: Key,
    environment: EnvironmentOption,
    users: Annotated[
        int, typer.Option(min=1, max=10_000_000, metavar="N", help="How many synthetic people ask.")
    ] = 10_000,
    attributes: Attributes = None,
    source: ContextFile = None,
    clock: Clock = None,
    seed: Annotated[int, typer.Option(min=0, max=1_000_000, metavar="N", help="Other people for another number.")] = 0,
    plot: Annotated[str | None, typer.Option(metavar="FILE", help="Draw the split into a .svg or .png file.")] = None,
    as_json: Json = False,
) -> None:
    """Show the split that a flag gives, among people who do not exist.

    They have the attributes that you give and made-up values of what the flag buckets by. Each share stands
    beside its 95 % interval and what the flag's weights promise.

    \b
    Examples:
      flagctl simulate checkout-button-text -e production -a country=DE
      flagctl simulate wishlist-gallery -e production --users 100000 --clock 2027-03-01 --plot split.svg
    """
    from flagctl.cli import asking, simulation
    from flagctl.cli.formats import simulation as format

    session = ctx.obj
    picture = simulation.picture_path(plot)
    question = asking.Question(
        context=None if source is None else asking.read_text(source),
        attributes=attributes or [],
        user=None,
        previews=[],
        now=session.now(clock),
        explain=False,
    )
    done = simulation.simulate(session.project(), environment, key, question, users=users, seed=seed)
    for warning, hint in done.warnings:
        session.out.warn(warning, hint)
    if as_json:
        session.out.json(format.document(done))
    else:
        format.show(session.out, done)
    if picture is not None:
        simulation.draw(done, picture)
        session.out.say(f"drawn to {picture}")
