"""`flagctl rollback`."""

from typing import Annotated

import typer

from flagctl.cli.options import (
    AnyEnvironment,
    AnyKey,
    Direct,
    DryRun,
    Json,
    NoCommit,
    OverrideFreeze,
    Reason,
    Yes,
)
from flagctl.errors import ProblemsError


def command(
    ctx: typer.Context,
    key: AnyKey = "",
    environment: AnyEnvironment = None,
    to: Annotated[str, typer.Option(metavar="VERSION|REV|DATE", help="Which state; see above.")] = "",
    undo: Annotated[str, typer.Option(metavar="COMMIT", help="Take back this commit, keep later ones.")] = "",
    yes: Yes = False,
    reason: Reason = None,
    override_freeze: OverrideFreeze = None,
    no_commit: NoCommit = False,
    direct: Direct = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Bring back an earlier state, as a new change.

    History is never rewritten: the flag's file as it was then, comments included, is committed anew. --to is
    a version (3), a revision (HEAD~3) or a date; without it, the version before. Without KEY the whole
    environment goes back, segments included. --undo takes back what one commit changed and keeps what came
    later, field by field; a field changed since is shown as a conflict, and nothing is done.

    \b
    Examples:
      flagctl rollback wishlist-gallery -e production --reason "errors at checkout"
      flagctl rollback --undo 3f2a91c --dry-run
    """
    from flagctl.cli.editing import confirmed
    from flagctl.cli.formats.changes import show
    from flagctl.cli.formats.conflicts import refuse
    from flagctl.cli.preview import Preview
    from flagctl.history import rollback
    from flagctl.history.change import Route, apply
    from flagctl.history.git import Git

    out, project = ctx.obj.out, ctx.obj.writable()
    wanted = rollback.rollback(project, Git(project.root), key, environment or "", to, undo, ctx.obj.now())
    refuse(out, wanted.conflicts, ("now", "without it"), wanted.subject)
    if wanted.removes and not dry_run:
        confirmed(out, f"This removes {', '.join(wanted.removes)}. Go on?", yes)
    preview = Preview(out, wanted.subject, ctx.obj.now(), quiet=as_json)
    try:
        changed = apply(
            project, wanted.texts, before=wanted.before, message=wanted.subject, trailers=wanted.trailers,
            reason=reason, override_freeze=override_freeze, commit=not no_commit, dry_run=dry_run,
            now=preview.now, preview=preview,
            route=None if direct else Route(kind="rollback", where="-".join(wanted.environments), keys=wanted.flags,
                                            forge=ctx.obj.forge),
        )  # fmt: skip
    except ProblemsError as error:
        raise rollback.gone(error, wanted.subject) or error from error
    show(out, changed, what="it is so already", dry_run=dry_run, as_json=as_json, subject=wanted.subject,
         plan=preview.document())  # fmt: skip
