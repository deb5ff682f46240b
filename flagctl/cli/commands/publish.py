"""`flagctl publish`."""

from typing import Annotated, Any

import typer

from flagctl.cli.options import DryRun, Json, OverrideFreeze, complete_environment


def command(
    ctx: typer.Context,
    environments: Annotated[
        list[str] | None, typer.Argument(metavar="ENV...", help="Which.", autocompletion=complete_environment)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every environment that has a target.")] = False,
    target: Annotated[str | None, typer.Option(metavar="URL", help="There, and not where settings say.")] = None,
    revision: Annotated[str, typer.Option("--rev", metavar="REV", help="The commit to publish.")] = "HEAD",
    canary: Annotated[str | None, typer.Option(metavar="PERCENT", help="Beside what is live, for a few first.")] = None,
    promote: Annotated[bool, typer.Option("--promote-canary", help="Make the canary everybody's.")] = False,
    abort: Annotated[bool, typer.Option("--abort-canary", help="Take the canary back.")] = False,
    allow_older: Annotated[
        bool, typer.Option("--allow-older", help="Also over what this history lacks, or what is newer.")
    ] = False,
    above: Annotated[
        int | None, typer.Option(metavar="VERSION", min=0, max=10**12, help="The next version is above this one.")
    ] = None,
    self_test: Annotated[
        bool | None,
        typer.Option("--self-test/--no-self-test", help="Ask flagd's engine first. Default: where protected."),
    ] = None,
    override_freeze: OverrideFreeze = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Send an environment's snapshot to where services read it.

    What is committed is published, never what lies around in the work tree. Nothing happens where the same
    is live already; a commit older than the live one, or without it in its history, is refused. Where
    settings list keys, it is signed: `flagctl key new --help` says where the private half is looked for. A
    canary is for those clients that take canaries, by a hash of their instance; any other publish ends it.
    With --self-test flagd's own engine answers first, about contexts made from the flags, and must agree.
    Versions go on from those of the other targets where one was emptied; readers that hold more say so:
    then --above. In a freeze nothing new is sent without --override-freeze; a canary may always be taken
    back.

    \b
    Examples:
      flagctl publish production
      flagctl publish --all --dry-run
      flagctl publish staging --target file:///srv/flags --rev v1.4
      flagctl publish production --canary 10%
      flagctl publish production --target redis://cache/0 --above 41
    """
    from flagctl.cli.formats.receipts import tell
    from flagctl.cli.keyring import signer_of
    from flagctl.cli.shipment import receipts_of
    from flagctl.publish.receipt import document

    out = ctx.obj.out
    sent = receipts_of(
        ctx.obj.project(), revision, environments or [], everything, target, say=out.say, warn=out.warn,
        signer=(lambda settings: None) if dry_run else signer_of(ctx.obj), now=ctx.obj.now(),
        self_test=self_test, canary=canary, promote=promote, abort=abort, above=above,
        allow_older=allow_older, override_freeze=override_freeze, dry_run=dry_run,
    )  # fmt: skip
    outcomes: list[Any] = []
    try:
        tell(out, sent, outcomes, receipts=not as_json)
    finally:
        # Whatever stops us half-way, what went out is said.
        if as_json and outcomes:
            out.json(document(outcomes))
