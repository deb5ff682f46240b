"""`flagctl bisect`."""

from typing import Annotated

import typer

from flagctl.cli.options import Attributes, Clock, ContextFile, EnvironmentOption, Json, Key, User


def command(
    ctx: typer.Context,
    key: Key,
    environment: EnvironmentOption,
    good: Annotated[str, typer.Option(metavar="REV", help="A revision where the answer was right.")],
    bad: Annotated[str, typer.Option(metavar="REV", help="A later one where it is not.")] = "HEAD",
    user: User = None,
    attributes: Attributes = None,
    source: ContextFile = None,
    clock: Clock = None,
    as_json: Json = False,
) -> None:
    """Find the commit that changed somebody's answer.

    Halves the versions of the flag and of what it depends on between two revisions (first parents only) and asks
    each at the same time, that of --bad unless --clock says another. Where several commits changed the
    answer it names one of them; `flagctl why` names all, and what the clock did.

    \b
    Examples:
      flagctl bisect wishlist-gallery -e production --user ada --good v1.4
      flagctl bisect wishlist-gallery -e production -u ada -a plan=pro --good HEAD~200 --bad HEAD~10
    """
    from flagctl.cli.formats import why as format
    from flagctl.cli.person import person
    from flagctl.history.git import Git
    from flagctl.history.why import bisect

    session = ctx.obj
    project, now = session.project(), None if clock is None else session.now(clock)
    context = person(session, environment, user, attributes, source)
    transition, entry = bisect(Git(project.root, bare=True), environment, key, context, good, bad, now)
    if as_json:
        session.out.json(format.bisect_document(transition, entry, flag=key, environment=environment))
    else:
        format.lines(session.out, transition, {entry.commit.commit: entry})
