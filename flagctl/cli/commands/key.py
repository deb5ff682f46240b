"""`flagctl key ...`."""

from pathlib import Path
from typing import Annotated

import typer

from flagctl.cli.options import DryRun, Json, NoCommit, Reason

Name = Annotated[str, typer.Argument(metavar="NAME", help="Named in every signature, such as release-2027.")]
File = Annotated[Path | None, typer.Option("--file", metavar="FILE", help="Where the private half goes.")]
Since = Annotated[str | None, typer.Option("--from", metavar="DATE", help="Believed from then on.")]
Until = Annotated[str | None, typer.Option(metavar="DATE", help="Retired from then on.")]
Line = Annotated[bool, typer.Option("--line", help="One line, for an environment variable, and not OpenSSH's format.")]


def new(
    ctx: typer.Context, name: Name, file: File = None, line: Line = False, since: Since = None, until: Until = None,
    reason: Reason = None, no_commit: NoCommit = False, dry_run: DryRun = False, as_json: Json = False,
) -> None:  # fmt: skip
    """Make an Ed25519 key, and list its public half in settings.

    The private half is written for you alone, outside the repository: by default to
    ~/.config/flagctl/keys/NAME. `publish` finds it by FLAGCTL_SIGNING_KEY (the key itself), by
    FLAGCTL_SIGNING_KEY_FILE or _COMMAND, or by signing: in settings. An OpenSSH key does as well.

    \b
    Examples:
      flagctl key new release-2027 --until 2028-01-01
      flagctl key new ci --file /run/secrets/flagctl --line --json
    """
    from flagctl.cli import keyring

    keyring.make(ctx.obj, name, file, line=line, since=since, until=until,
                 options={"reason": reason, "commit": not no_commit, "dry_run": dry_run}, as_json=as_json)  # fmt: skip


def list_keys(ctx: typer.Context, as_json: Json = False) -> None:
    """List the keys of settings, and which is at hand.

    \b
    Examples:
      flagctl key list
      flagctl key list --json
    """
    from flagctl.cli import keyring
    from flagctl.cli.formats import keys as shown
    from flagctl.publish.keys import known

    settings, now = ctx.obj.project().settings(), ctx.obj.now()
    found = known(settings, keyring.key_at_hand(ctx.obj, settings), now)
    if as_json:
        ctx.obj.out.json(shown.document(found))
    elif found:
        ctx.obj.out.table(*shown.table(found))
    else:
        ctx.obj.out.say("no keys: snapshots are not signed; flagctl key new NAME starts")


def rotate(
    ctx: typer.Context, name: Name, file: File = None, line: Line = False,
    retire: Annotated[str | None, typer.Option(metavar="NAME", help="The old one, if there are several.")] = None,
    after: Annotated[str, typer.Option(metavar="SPAN", help="When the old one is retired, or a date.")] = "30d",
    reason: Reason = None, no_commit: NoCommit = False, dry_run: DryRun = False, as_json: Json = False,
) -> None:  # fmt: skip
    """Make the key that follows; both are believed until the old one retires.

    \b
    Examples:
      flagctl key rotate release-2028
      flagctl key rotate release-2028 --retire release-2027 --after 7d
    """
    from flagctl.cli import keyring

    keyring.make(ctx.obj, name, file, line=line, retire=(retire, after),
                 options={"reason": reason, "commit": not no_commit, "dry_run": dry_run}, as_json=as_json)  # fmt: skip


GROUP = {"new": new, "list": list_keys, "rotate": rotate}
