"""`flagctl why`."""

from typing import Annotated

import typer

from flagctl.cli.options import Attributes, ContextFile, EnvironmentOption, Json, Key, User


def command(
    ctx: typer.Context,
    key: Key,
    environment: EnvironmentOption,
    user: User = None,
    attributes: Attributes = None,
    source: ContextFile = None,
    since: Annotated[str, typer.Option(metavar="TIME", help="From then on: a date, or '30 days ago'.")] = "",
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Up to then.  [default: now]")] = None,
    as_json: Json = False,
) -> None:
    """Say when somebody's answer changed, and what did it.

    Looks at each version that the flag, and all that it depends on (segments, required flags, settings), had
    on the branch (first parents only), and between them at what schedules, ramps and expiries did. So every
    change is found, also one that was taken back. Over 1,000 versions are bisected: what changed and changed
    back between two that answer alike is then not seen, and a warning says so. A commit counts from its
    committer's time on. A flag that got another key is another flag: ask again with the old key for what was
    before.

    \b
    Examples:
      flagctl why wishlist-gallery -e production --user ada
      flagctl why wishlist-gallery -e production -u ada -a plan=pro --since '30 days ago' --json
    """
    from flagctl.cli.formats import why as format
    from flagctl.cli.person import person
    from flagctl.history.git import Git
    from flagctl.history.moment import required
    from flagctl.history.why import why

    session = ctx.obj
    project, now = session.project(), session.now(until)
    context = person(session, environment, user, attributes, source)
    story = why(
        Git(project.root, bare=True), environment, key, context, required(since, session.now()) if since else 0, now
    )
    if as_json:
        session.out.json(format.document(story, flag=key, environment=environment))
    else:
        format.show(session.out, story, since, until or "")
