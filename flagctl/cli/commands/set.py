"""`flagctl set`."""

from typing import Annotated

import typer

from flagctl.cli.options import Direct, DryRun, EnvironmentOption, Json, Key, NoCommit, OverrideFreeze, Reason

Users = list[str] | None


def command(
    ctx: typer.Context,
    key: Key,
    fields: Annotated[Users, typer.Argument(metavar="[PATH=VALUE]...", help="Any field; no value removes it.")] = None,
    *,
    environment: EnvironmentOption,
    on: Annotated[bool | None, typer.Option("--on/--off", help="The kill switch; see above.")] = None,
    rollout: Annotated[str | None, typer.Option(metavar="PERCENT", help="The rest get off_variant.")] = None,
    serve: Annotated[str | None, typer.Option(metavar="VARIANT", help="Everybody no rule catches gets it.")] = None,
    split: Annotated[str | None, typer.Option(metavar="A=50,B=50", help="Percentages of the variants.")] = None,
    allow: Annotated[Users, typer.Option(metavar="USER", help="This user gets `on`. Repeatable.")] = None,
    deny: Annotated[Users, typer.Option(metavar="USER", help="This user gets the off variant. Repeatable.")] = None,
    unset_user: Annotated[Users, typer.Option(metavar="USER", help="No override for this user. Repeatable.")] = None,
    owner: Annotated[str | None, typer.Option(metavar="TEAM", help="Or 'TEAM <EMAIL>'.")] = None,
    expires: Annotated[str | None, typer.Option(metavar="DATE", help="Or 30d from now, or never.")] = None,
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="What it does.")] = None,
    unset: Annotated[Users, typer.Option(metavar="PATH", help="Remove a field. Repeatable.")] = None,
    reason: Reason = None,
    override_freeze: OverrideFreeze = None,
    no_commit: NoCommit = False,
    direct: Direct = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Change a flag in one environment, and commit it.

    Only the value changes: comments, quotes and order stay. The result is checked first, the diff shown,
    and this file alone committed. --off sends everybody to the off variant; --on undoes that, and where
    the flag is on already and serves `off`, it serves `on`. Members of lists go by name or number; `-` adds.

    \b
    Examples:
      flagctl set wishlist-gallery -e production --rollout 25 --reason "first quarter"
      flagctl set wishlist-gallery -e staging rules/beta/rollout=50 tags/-=web --unset expires_at
    """
    from flagctl.cli.editing import flag_file
    from flagctl.cli.formats.changes import show
    from flagctl.errors import UsageError
    from flagctl.files.changes import Wish, granted
    from flagctl.history.change import Route, apply, text_of

    project, now = ctx.obj.writable(), ctx.obj.now()
    wish = Wish(
        on=on, rollout=rollout, serve=serve, split=split, owner=owner, expires=expires, description=description,
        allow=tuple(allow or ()), deny=tuple(deny or ()), unset_users=tuple(unset_user or ()),
        fields=tuple(fields or ()), unset=tuple(unset or ()),
    )  # fmt: skip
    if not wish.words():
        raise UsageError("nothing to set", hint=f"flagctl set {key} -e {environment} --rollout 25")
    path = flag_file(project, environment, key)
    before = text_of(project, path)
    after, notes = granted(before, wish, now)
    changed = apply(
        project, {path: after}, before={path: before}, message=f"Set {key} in {environment}: {wish.words()}",
        trailers=[("Flag", key), ("Environment", environment)],
        reason=reason, override_freeze=override_freeze, commit=not no_commit, dry_run=dry_run, now=now,
        route=None if direct else Route(kind="set", where=environment, keys=(key,), forge=ctx.obj.forge),
    )  # fmt: skip
    show(ctx.obj.out, changed, what=f"{key} is so in {environment} already", dry_run=dry_run, as_json=as_json,
         flag=key, environment=environment, notes=notes)  # fmt: skip
    for note in notes:
        ctx.obj.out.warn(note)
