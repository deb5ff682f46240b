"""`flagctl remove`."""

import typer

from flagctl.cli.options import Direct, DryRun, Json, Key, NoCommit, OverrideFreeze, Reason, TheseEnvironments, Yes


def command(
    ctx: typer.Context,
    key: Key,
    environments: TheseEnvironments = None,
    yes: Yes = False,
    reason: Reason = None,
    override_freeze: OverrideFreeze = None,
    no_commit: NoCommit = False,
    direct: Direct = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Remove a flag.

    Services that still ask for it get their own default. Refused while other flags require it. Its tests
    go with the last environment that has it.

    \b
    Examples:
      flagctl remove old-search --yes --reason "everybody has the new one"
      flagctl remove old-search -e development --dry-run
    """
    from flagctl.cli.editing import confirmed
    from flagctl.cli.formats.changes import show
    from flagctl.files.moves import removed
    from flagctl.history.change import Route, apply

    out, project = ctx.obj.out, ctx.obj.writable()
    texts = removed(project.read().repository, key, environments or ())
    names = sorted({path.split("/")[1] for path in texts} - {"tests"})
    if not dry_run:
        confirmed(out, f"Remove {key} from {', '.join(names)}?", yes)
    changed = apply(
        project, texts, message=f"Remove {key} from {', '.join(names)}",
        trailers=[("Flag", key), *(("Environment", name) for name in names)],
        reason=reason, override_freeze=override_freeze, commit=not no_commit, dry_run=dry_run, now=ctx.obj.now(),
        route=None if direct else Route(kind="remove", where="-".join(names), keys=(key,), forge=ctx.obj.forge),
    )  # fmt: skip
    show(out, changed, what=f"{key} is not there", dry_run=dry_run, as_json=as_json, flag=key, environments=names)
