"""`flagctl drift`."""

import typer

from flagctl.cli.exits import Exit
from flagctl.cli.options import AnyEnvironment, Clock, Json


def command(ctx: typer.Context, environment: AnyEnvironment = None, as_json: Json = False, clock: Clock = None) -> Exit:
    """Show how far each environment lags behind the one it is promoted from.

    A cell says how many changes are missing and for how long; `flagctl diff` says which. «apart» means that this
    environment was changed last, by itself. What `promote` never moves does not count. Exits with 1 when anything lags.

    \b
    Examples:
      flagctl drift
      flagctl drift -e production --json
    """
    from flagctl.history.git import DEEPEN, Git
    from flagctl.history.pace import touched
    from flagctl.model.repository import require_environment
    from flagctl.plan import drift

    session = ctx.obj
    project, now = session.project(), session.now(clock)
    repository = project.read().repository
    if environment is not None:
        require_environment(environment, repository.settings.environments)
    git = Git.find(project.root, bare=True)
    if git is not None and git.shallow:
        session.out.warn("this clone is shallow: since when something lags, and by whose change, may be wrong", DEEPEN)
    found = drift.drift(repository, {} if git is None else touched(git), environment)
    if as_json:
        session.out.json(drift.document(found, now))
    elif found.flags:
        names = list(found.upstream)
        heads = ["FLAG", *(f"{name.upper()} ← {found.upstream[name]}" for name in names)]
        cells = [
            [key, *(lags[name].text(now) if name in lags else "=" for name in names)]
            for key, lags in found.flags.items()
        ]
        session.out.table(heads, cells)
    flags = f"{len(found.flags)} flag{'s' * (len(found.flags) != 1)}"
    session.out.say(f"{flags} behind or apart, {found.steady} the same")
    return Exit.NO if found.flags else Exit.DONE
