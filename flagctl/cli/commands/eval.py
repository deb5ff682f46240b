"""`flagctl eval`."""

from typing import Annotated

import typer

from flagctl.cli.exits import Exit
from flagctl.cli.options import AnyKey, At, Attributes, Clock, ContextFile, EnvironmentOption, Json, User
from flagctl.errors import UsageError


def command(
    ctx: typer.Context,
    environment: EnvironmentOption,
    key: AnyKey = "",
    user: User = None,
    attributes: Attributes = None,
    source: ContextFile = None,
    at: At = None,
    clock: Clock = None,
    preview: Annotated[
        list[str] | None, typer.Option(metavar="FLAG:VARIANT,...", help="Show the answer under session overrides.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say every step, with file and line.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Answer every flag of the environment.")] = False,
    batch: Annotated[
        str | None, typer.Option(metavar="FILE", help="Answer every row of a .parquet, .csv or .jsonl file.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Where --batch writes rows and answers.")
    ] = None,
    user_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="The --batch column that is the targeting key.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="Only these columns of --batch and its answers.")
    ] = None,
    prefix: Annotated[str, typer.Option(metavar="TEXT", help="Before the names of the columns --batch adds.")] = "",
    as_json: Json = False,
) -> Exit:
    """Answer as a service would, and explain why.

    With --at the flags and the clock are those of then. --explain and --json tell the flag's version, too.

    \b
    Examples:
      flagctl eval wishlist-gallery -e production --user ada -a plan=pro -a age:=42 --explain
      flagctl eval --all -e staging --context context.json --clock 2027-01-01T00:00:00Z
      flagctl eval wishlist-gallery -e production --user ada --at '3 days ago'
    """
    from flagctl.cli import asking, batching
    from flagctl.cli.formats import answers

    session = ctx.obj
    if bool(key) is everything:
        raise UsageError("name one flag, or say --all", hint="flagctl eval KEY -e ENV, or flagctl eval --all -e ENV")
    project, now = session.then(at, clock, key=key, environment=environment, only=True)
    question = asking.Question(
        context=None if source is None else asking.read_text(source),
        attributes=attributes or [],
        user=user,
        previews=preview or [],
        now=now,
        explain=explain,
    )
    wanted = batching.wanted(batch, output, user_column, columns, prefix)
    if wanted is not None:
        done = batching.batch(project, environment, key or None, question, wanted)
        answers.batch(session.out, done, as_json=as_json)
        return Exit.DONE
    asked = asking.ask(project, environment, key or None, question, versioned=explain or as_json)
    for warning, hint in asked.warnings:
        session.out.warn(warning, hint)
    if as_json:
        session.out.json(answers.every_document(asked) if everything else answers.one_document(asked))
    elif everything:
        answers.every(session.out, asked)
    else:
        answers.one(session.out, asked.answers[0], asked.versions.text(environment, key))
    return Exit.NO if asked.failed else Exit.DONE
