"""`flagctl doctor`."""

import typer

from flagctl.cli.exits import Exit
from flagctl.cli.options import Json
from flagctl.cli.output import clean

_STYLES = {"ok": "green", "warn": "yellow bold", "fail": "red bold"}


def command(ctx: typer.Context, as_json: Json = False) -> Exit:
    """Look for what would stand in your way.

    The installation, Git, the repository, its settings and targets. Exit code 1 when something fails.

    \b
    Examples:
      flagctl doctor
      flagctl -C ../shop doctor --json
    """
    from flagctl.cli.examination import document, examine

    out, findings = ctx.obj.out, examine(ctx.obj.directory)
    if as_json:
        out.json(document(findings))
    else:
        for found in findings:
            out.data(
                f"{out.style(found.state.ljust(4), _STYLES[found.state])}  "
                f"{out.style(found.about.ljust(10), 'bold')} {clean(found.text)}",
                styled=True,
            )
            if found.hint:
                out.data(f"      {out.style('hint:', 'cyan')} {clean(found.hint)}", styled=True)
    return Exit.NO if any(found.state == "fail" for found in findings) else Exit.DONE
