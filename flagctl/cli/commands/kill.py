"""`flagctl kill`."""

from typing import Annotated, Any

import typer

from flagctl.cli.options import EnvironmentOption, Json, Key, Yes


def command(
    ctx: typer.Context,
    key: Key,
    *,
    environment: EnvironmentOption,
    reason: Annotated[str, typer.Option("--reason", "-r", metavar="TEXT", help="Why; it is kept for ever.")],
    ttl: Annotated[str, typer.Option(metavar="MINUTES", help="How long; also 90m or 4h.")] = "60",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Break glass: turn a flag off at once, for a while.

    Without waiting for a merge, what is live is published again with the flag off. By the clock alone it
    comes back as it was; the next regular publish ends it earlier. Only people that `break_glass` of the
    environment names may do it. The branch flagctl/kill/KEY keeps the change with who, why and until when;
    it is pushed, and an urgent pull request opened at GitHub (GITHUB_TOKEN) or GitLab (GITLAB_TOKEN), whose
    merge makes it last. Run again, both are brought up to date. Where that can't be, the flag is off all the
    same, and you are told what to do next.

    \b
    Examples:
      flagctl kill checkout-flow -e production --reason "orders fail"
      flagctl kill checkout-flow -e production --reason "orders fail" --ttl 4h --yes --json
    """
    from flagctl.cli import breakglass
    from flagctl.cli.editing import confirmed
    from flagctl.cli.formats.receipts import tell
    from flagctl.cli.keyring import signer_of
    from flagctl.publish.receipt import Receipt

    out = ctx.obj.out
    kill = breakglass.prepare(ctx.obj.project(), key, environment, ttl, now=ctx.obj.now())
    sign = signer_of(ctx.obj)(kill.settings)
    confirmed(out, kill.question(), yes)
    commit = kill.record(reason)
    outcomes: list[Any] = []
    try:
        tell(out, kill.send(sign, warn=out.warn), outcomes, receipts=not as_json)
    finally:
        if any(isinstance(one, Receipt) for one in outcomes):
            breakglass.announce(kill, commit, reason, outcomes, out=out, forge=ctx.obj.forge, as_json=as_json)
