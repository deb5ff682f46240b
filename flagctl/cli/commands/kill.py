"""`flagctl kill`."""

from typing import Annotated

import typer

from flagctl.cli.options import EnvironmentOption, Json, Key, Yes


def command(
    ctx: typer.Context,
    key: Key,
    *,
    environment: EnvironmentOption,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; it is kept for ever.")],
    ttl: Annotated[str, typer.Option(metavar="MINUTES", help="How long; also 90m or 4h.")] = "60",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Break glass: turn a flag off at once, for a while.

    Without waiting for a merge, what is live is published again with the flag off. By the clock alone it
    comes back as it was; the next regular publish ends it earlier. Only people that `break_glass` of the
    environment names may do it. A branch flagctl/kill/KEY keeps the change with who, why and until when:
    it is neither pushed, nor is a pull request opened yet. Do that yourself, or the flag comes back.

    \b
    Examples:
      flagctl kill checkout-flow -e production --reason "orders fail"
      flagctl kill checkout-flow -e production --reason "orders fail" --ttl 4h --yes --json
    """
    from flagctl.cli import breakglass
    from flagctl.cli.editing import confirmed
    from flagctl.cli.keyring import signer_of
    from flagctl.model import times
    from flagctl.publish.receipt import Receipt, words

    out = ctx.obj.out
    kill = breakglass.prepare(ctx.obj.project(), key, environment, ttl, now=ctx.obj.now())
    sign = signer_of(ctx.obj)(kill.settings)
    confirmed(out, kill.question(), yes)
    commit = kill.record(reason)
    receipts: list[Receipt] = []
    try:
        for receipt in kill.send(sign):
            receipts.append(receipt)
            if not as_json:
                out.data(words(receipt))
    finally:
        if as_json and receipts:
            out.json(breakglass.document(kill, commit, reason, receipts))
    out.warn(
        f"BREAK GLASS: {kill.person} turned {key} off in {environment} until {times.text(kill.until)}: {reason}",
        f"git push origin {kill.branch}, and open a pull request" if commit else "the flag has no file to change",
    )
