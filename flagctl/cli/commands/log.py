"""`flagctl log`."""

from enum import StrEnum
from typing import Annotated

import typer

from flagctl.cli.exits import Exit
from flagctl.cli.options import AnyEnvironment, AnyKey, Json

Text = Annotated[str, typer.Option(metavar="TEXT")]


class _Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


def command(
    ctx: typer.Context,
    key: AnyKey = "",
    environment: AnyEnvironment = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="From then: a date, '3 days ago'.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Until then.")] = None,
    author: Annotated[str, typer.Option(metavar="TEXT", help="By whom: part of a name or an address.")] = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Whose reason contains this.")] = "",
    field: Annotated[str, typer.Option(metavar="PATH", help="That changed this: rollout, rules/staff.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Also comments, layout and moved files.")] = False,
    limit: Annotated[int | None, typer.Option("-n", "--limit", min=1, metavar="N", help="At most so many.")] = None,
    signatures: Annotated[bool, typer.Option("--signatures", help="Say whether each is signed; slower.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Look for what broke a protected environment's rules.")
    ] = False,
    format: Annotated[_Format, typer.Option("--format", help="How to print.")] = _Format.TEXT,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a CSV row for each changed field.")] = False,
    as_json: Json = False,
) -> Exit:
    """Show who changed what, when and why.

    One entry for each flag, environment and commit of the first-parent history, in the flag's own words, and
    which version of the flag it made. A merge is told by who wrote what it brought. With KEY, changes of
    segments and attributes that the flag uses are among them. A flag that got another key is another flag,
    whose past is told under both; a file that moved between folders is the same.

    With --verify: each commit that touched a protected environment and has no reason, came directly where
    settings ask for approvals or `require_merge`, was merged with fewer approvals than they ask for, or is not
    signed where `require_signed` asks for it; judged by the settings before it. Kills are listed. Exits with 1
    when a rule was broken. Whether a pull request that a commit names was merged as this commit, and who approved,
    the forge is asked, given GITHUB_TOKEN or GITLAB_TOKEN; without, the number is believed and counted. Of other
    merges Approved-by and Reviewed-by are read: a message proves nothing, a signature does.

    \b
    Examples:
      flagctl log wishlist-gallery -e production
      flagctl log --since '2 weeks ago' --field rollout --csv > rollouts.csv
    """
    from flagctl.cli import auditing
    from flagctl.history.audit import Wanted
    from flagctl.history.moment import required

    session = ctx.obj
    now = session.now()
    wanted = Wanted(
        environment=environment or "",
        since=None if since is None else required(since, now),
        until=None if until is None else required(until, now),
        author=author,
        reason=reason,
        field=field,
        everything=everything,
    )
    asked = auditing.Asked(key=key, wanted=wanted, limit=limit, signatures=signatures)
    if verify:
        return auditing.verify(session.out, session.project(), asked, session.forge, as_json=as_json)
    chosen = "json" if as_json else "csv" if as_csv else format.value
    auditing.show(session.out, session.project(), asked, chosen)
    return Exit.DONE
