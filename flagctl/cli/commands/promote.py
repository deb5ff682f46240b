"""`flagctl promote`."""

from typing import Annotated

import typer

from flagctl.cli import options

Names = list[str] | None
_environment = {"autocompletion": options.complete_environment}


def command(
    ctx: typer.Context,
    keys: Annotated[
        Names, typer.Argument(metavar="[KEY]...", help="These flags.", autocompletion=options.complete_key)
    ] = None,
    *,
    source: Annotated[str, typer.Option("--from", metavar="ENV", help="[default: by settings]", **_environment)] = "",
    target: Annotated[str, typer.Option("--to", metavar="ENV", help="To this environment.", **_environment)] = "",
    tag: Annotated[str, typer.Option(metavar="TAG", help="Every flag with this tag.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Every flag.")] = False,
    take: Annotated[Names, typer.Option(metavar="[FIELD=]SIDE", help="source or target, in a conflict.")] = None,
    dependencies: Annotated[bool, typer.Option("--with-dependencies", help="Bring what the target lacks.")] = False,
    disabled: Annotated[bool, typer.Option("--disabled", help="New flags arrive turned off.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Another direction than the settings'.")] = False,
    yes: options.Yes = False,
    reason: options.Reason = None,
    override_freeze: options.OverrideFreeze = None,
    no_commit: options.NoCommit = False,
    direct: options.Direct = False,
    auto_merge: Annotated[
        bool, typer.Option("--auto-merge", help="Ask the forge to merge the pull request once it is approved.")
    ] = False,
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Make what changed in one environment to the next.

    Merges three ways: what changed in the source since the last promotion flows, deletions too; what only the
    target changed stays; a field that both changed is a conflict for you or --take to settle. Fields that settings
    call `owned` and rules with `promote: false` never move. A protected target gets a branch, to be reviewed.

    \b
    Examples:
      flagctl promote wishlist-gallery --to production --reason "tested for a week"
      flagctl promote --tag checkout --from staging --to production --take default/rollout=target -n
    """
    from flagctl.cli.editing import confirmed
    from flagctl.cli.formats import conflicts
    from flagctl.cli.formats.changes import show
    from flagctl.cli.preview import Preview
    from flagctl.history.change import Route, apply
    from flagctl.history.git import Git
    from flagctl.history.promote import Wanted, direction, promote, takes

    out, project = ctx.obj.out, ctx.obj.writable()
    reading = project.read()
    one, other = direction(reading.repository.settings, source, target, force=force)
    wanted = Wanted(source=one, target=other, keys=tuple(keys or ()), tag=tag, everything=everything,
                    take=takes(take or ()), disabled=disabled, dependencies=dependencies)  # fmt: skip
    found = promote(project, Git(project.root), reading, wanted, conflicts.asker(out, one, other))
    for note in found.notes:
        out.warn(note)
    conflicts.refuse(out, found.conflicts, (other, one), "Not promoted", "--take source, or --take FIELD=target")
    if found.removes and not dry_run:
        confirmed(out, f"This removes {', '.join(found.removes)}. Go on?", yes)
    preview = Preview(out, found.subject, ctx.obj.now(), quiet=as_json)
    changed = apply(
        project, found.texts, before=found.before, message=found.subject, trailers=found.trailers, reason=reason,
        override_freeze=override_freeze, commit=not no_commit, dry_run=dry_run, now=preview.now, preview=preview,
        route=None if direct else Route(kind="promote", where=f"{one}-{other}", keys=found.flags, always=True,
                                        forge=ctx.obj.forge, auto_merge=auto_merge),
    )  # fmt: skip
    show(out, changed, what=f"{other} has it all", dry_run=dry_run, as_json=as_json, flags=found.flags,
         source=one, target=other, plan=preview.document())  # fmt: skip
