"""`flagctl test`."""

from enum import StrEnum
from typing import Annotated

import typer

from flagctl.cli.exits import Exit
from flagctl.cli.options import AnyEnvironment, At, Clock, Json, complete_key


class _Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"


def command(
    ctx: typer.Context,
    keys: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY]...", help="Only these flags and segments.", autocompletion=complete_key),
    ] = None,
    environment: AnyEnvironment = None,
    format: Annotated[_Format, typer.Option("--format", help="How to print what came out.")] = _Format.TEXT,
    as_json: Json = False,
    coverage: Annotated[bool, typer.Option("--coverage", help="Say which rules, variants, … nothing reaches.")] = False,
    at: At = None,
    clock: Clock = None,
) -> Exit:
    """Run the expectations in flags/tests.

    Each case is answered as a service would answer it, and compared with what the file expects.
    Exits with 1 when one fails, or can't run.

    \b
    Examples:
      flagctl test
      flagctl test wishlist-gallery -e production --coverage
      flagctl test --format junit > report.xml
    """
    from flagctl.check import coverage as covering
    from flagctl.check.expect import run_expectations
    from flagctl.cli.formats import tests

    out, only = ctx.obj.out, keys or []
    project, now = ctx.obj.then(at, clock)
    reading = project.read()
    report = run_expectations(reading.repository, now, keys=only, environment=environment)
    reach = None
    if coverage:
        reach = covering.coverage(reading.repository, report.reached, keys=only, environment=environment)
    line_of = tests.lines_of(reading)
    unread = [problem for problem in reading.problems if problem.severity == "error"]
    problems = tests.located([*unread, *report.problems], line_of)
    if as_json or format is _Format.JSON:
        out.json(tests.document(report, problems, reach, line_of))
    elif format is _Format.JUNIT:
        out.data(tests.junit(report, problems, reading.repository, line_of))
    else:
        tests.text(out, report, reading.repository, reach, line_of)
    if problems:
        from flagctl.cli.formats import problems as shown

        shown.show_on_stderr(out, problems)
    out.say(tests.summary(report, problems, reach))
    return Exit.NO if report.failed or problems else Exit.DONE
