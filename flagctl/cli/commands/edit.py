"""`flagctl edit`."""

import typer

from flagctl.cli.options import Direct, DryRun, EnvironmentOption, Key, NoCommit, OverrideFreeze, Reason
from flagctl.errors import FlagctlError, ProblemsError


def command(
    ctx: typer.Context,
    key: Key,
    *,
    environment: EnvironmentOption,
    reason: Reason = None,
    override_freeze: OverrideFreeze = None,
    no_commit: NoCommit = False,
    direct: Direct = False,
    dry_run: DryRun = False,
) -> None:
    """Edit a flag file; it is checked before it is kept.

    Opens a copy in $VISUAL or $EDITOR. With errors it goes back to the editor, or stays behind as a
    draft; the flag's file changes only when all is well.

    \b
    Examples:
      flagctl edit wishlist-gallery -e staging
      EDITOR="code --wait" flagctl edit wishlist-gallery -e production --reason "new rule for staff"
    """
    from flagctl.cli.editing import Draft, flag_file, show_problems
    from flagctl.cli.formats.changes import show
    from flagctl.history.change import Route, apply, text_of

    out, project = ctx.obj.out, ctx.obj.writable()
    path = flag_file(project, environment, key)
    before = text_of(project, path)
    draft = Draft(f"{key}.yaml", before)
    while True:
        after = draft.edited(out)
        try:
            changed = apply(
                project, {path: after}, before={path: before}, message=f"Edit {key} in {environment}",
                trailers=[("Flag", key), ("Environment", environment)],
                reason=reason, override_freeze=override_freeze, commit=not no_commit, dry_run=dry_run,
                now=ctx.obj.now(),
                route=None if direct else Route(kind="edit", where=environment, keys=(key,), forge=ctx.obj.forge),
            )  # fmt: skip
        except ProblemsError as error:
            if out.interactive and show_problems(out, error) and out.confirm("edit again?"):
                continue
            out.say(f"your draft is kept: {draft.path}")
            raise
        except FlagctlError:
            out.say(f"your draft is kept: {draft.path}")
            raise
        break
    draft.discard()
    show(out, changed, what="the draft says the same", dry_run=dry_run)
