"""`flagctl rename`."""

from typing import Annotated

import typer

from flagctl.cli.options import Direct, DryRun, Json, Key, NoCommit, OverrideFreeze, Reason


def command(
    ctx: typer.Context,
    key: Key,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The key it gets.")],
    reason: Reason = None,
    override_freeze: OverrideFreeze = None,
    no_commit: NoCommit = False,
    direct: Direct = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Give a flag another key, everywhere.

    Its files in every environment and its tests move, in one commit. Nobody gets another variant by it:
    bucketed outcomes keep the old key as their salt. Refused while other flags require it. Services that
    ask for the old key get their own default from then on. With a protected environment among them, all of it
    goes by one branch, to be reviewed.

    \b
    Examples:
      flagctl rename wishlist-galery wishlist-gallery --reason "a typo"
      flagctl rename old-search search --dry-run
    """
    from flagctl.cli.formats.changes import show
    from flagctl.files.moves import renamed
    from flagctl.history.change import Route, apply, text_of

    project = ctx.obj.writable()
    repository = project.read().repository
    names = [name for name, held in repository.environments.items() if key in held.flag_files]
    seen: dict[str, str] = {}
    texts = renamed(repository, key, new, lambda path: seen.setdefault(path, text_of(project, path)))
    changed = apply(
        project, texts, before=seen, message=f"Rename {key} to {new}",
        trailers=[("Flag", key), ("Flag", new), *(("Environment", name) for name in names)],
        reason=reason, override_freeze=override_freeze, commit=not no_commit, dry_run=dry_run, now=ctx.obj.now(),
        route=None if direct else Route(kind="rename", where="-".join(names), keys=(key,), forge=ctx.obj.forge),
    )  # fmt: skip
    show(ctx.obj.out, changed, what=f"{key} is its key", dry_run=dry_run, as_json=as_json, flag=key, new=new)
