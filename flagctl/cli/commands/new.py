"""`flagctl new`."""

from typing import Annotated

import typer

from flagctl.cli.options import Direct, DryRun, Json, NoCommit, OverrideFreeze, Reason, TheseEnvironments


def command(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The new flag's key.")],
    description: Annotated[str | None, typer.Option("-d", "--description", metavar="TEXT", help="Its use.")] = None,
    owner: Annotated[str | None, typer.Option(metavar="TEAM", help="Who answers for it; or 'TEAM <EMAIL>'.")] = None,
    environments: TheseEnvironments = None,
    kind: Annotated[str, typer.Option(metavar="KIND", help="release, experiment, ops, permission, permanent.")] = "",
    type_: Annotated[str, typer.Option("--type", metavar="TYPE", help="boolean, string, integer, number, object.")] = (
        "boolean"
    ),
    variants: Annotated[str, typer.Option(metavar="A=V,B=V", help="Names and values, unless boolean.")] = "",
    off_variant: Annotated[str, typer.Option(metavar="NAME", help="Default: the first variant.")] = "",
    expires: Annotated[str, typer.Option(metavar="DATE", help="Or 90d from now.")] = "",
    reason: Reason = None,
    override_freeze: OverrideFreeze = None,
    no_commit: NoCommit = False,
    direct: Direct = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Start a flag.

    One file in each environment, off until somebody says otherwise; so `set` can turn it on one after
    the other. What is missing is asked for at a terminal. Without --reason the description is the reason.
    With a protected environment among them, all of it goes by one branch, to be reviewed.

    \b
    Examples:
      flagctl new wishlist-gallery --owner growth --description "Show the wishlist gallery." --expires 90d
      flagctl new banner-colour --type string --variants plain=grey,loud=red -e development
    """
    from flagctl.cli.editing import asked
    from flagctl.cli.formats.changes import show
    from flagctl.files.newflag import Draft, added
    from flagctl.history.change import Route, apply

    out, project, now = ctx.obj.out, ctx.obj.writable(), ctx.obj.now()
    repository = project.read().repository
    added(repository, key, environments or (), "", schema=False)
    draft = Draft(
        description=asked(out, description, "what the flag does, in a sentence", "--description"),
        owner=asked(out, owner, "the team that answers for it", "--owner"),
        type=type_, kind=kind, variants=variants, off_variant=off_variant, expires=expires,
    )  # fmt: skip
    with_schema = (project.root / "schema" / "flag.schema.json").is_file()
    texts = added(repository, key, environments or (), draft.text(now), schema=with_schema)
    names = [path.split("/")[1] for path in texts]
    changed = apply(
        project, texts, message=f"New flag {key} in {', '.join(names)}",
        trailers=[("Flag", key), *(("Environment", name) for name in names)],
        reason=reason or draft.description, override_freeze=override_freeze, commit=not no_commit, dry_run=dry_run,
        now=now,
        route=None if direct else Route(kind="new", where="-".join(names), keys=(key,), forge=ctx.obj.forge),
    )  # fmt: skip
    show(out, changed, what=f"{key} is there already", dry_run=dry_run, as_json=as_json, flag=key, environments=names)
    if changed.commit and not changed.proposed:
        out.say(f"next: flagctl set {key} -e {names[0]} --on")
