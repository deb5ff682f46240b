"""`flagctl list`."""

from typing import Annotated

import typer

from flagctl.cli.options import AnyEnvironment, At, Clock, Json


def command(
    ctx: typer.Context,
    pattern: Annotated[str, typer.Argument(metavar="[PATTERN]", help="Part of the key, or a glob: 'wish*'.")] = "",
    environment: AnyEnvironment = None,
    tag: Annotated[str, typer.Option(metavar="TAG", help="Only flags with this tag.")] = "",
    owner: Annotated[str, typer.Option(metavar="TEAM", help="Only flags of this team.")] = "",
    stale: Annotated[bool, typer.Option("--stale", help="Only flags that can or should go, and why.")] = False,
    at: At = None,
    clock: Clock = None,
    as_json: Json = False,
) -> None:
    """List flags and their state in every environment.

    A flag is on, off (nobody can get anything but its off variant), scheduled (off now, on by a date) or
    expired. Beside it stands who gets what by default; «rules» where rules or overrides decide first; then
    its version, with + where the file has changes that are not committed.
    With --stale: expired, expiring within 30 days, or a release that everybody or nobody has everywhere.

    \b
    Examples:
      flagctl list
      flagctl list checkout -e production
      flagctl list --stale --owner growth --json
    """
    from flagctl.cli.formats import flags
    from flagctl.cli.versions import of_project
    from flagctl.model import overview

    out = ctx.obj.out
    project, now = ctx.obj.then(at, clock)
    repository = project.read().repository
    names = [overview.chosen(repository, environment).name] if environment else list(repository.environments)
    found = overview.matching(
        overview.lines(repository, now),
        pattern=pattern,
        environment=environment or "",
        tag=tag,
        owner=owner,
        stale=stale,
    )
    versions = of_project(project)
    if as_json:
        out.json(flags.list_document(found, names, versions))
    elif found:
        out.table(*flags.list_table(found, names, versions, why=stale))
    else:
        out.say("no such flag" if pattern or environment or tag or owner or stale else "no flags yet: flagctl new KEY")
    unread = overview.unread(found, names)
    if unread:
        out.warn(f"can't be read: {', '.join(unread)}", "flagctl check says why")
