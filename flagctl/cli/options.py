"""Arguments and options that several commands share, in one wording."""

from pathlib import Path
from typing import Annotated

import typer


def _flags_folder(ctx: typer.Context) -> Path | None:
    """flags/ of the repository for tab completion: by names alone, silent when there is none."""
    from flagctl.project import find_root

    root = ctx.find_root()
    start = root.params.get("directory")
    found = find_root(Path(start) if start else Path.cwd())
    return found / "flags" if found else None


def complete_environment(ctx: typer.Context, incomplete: str) -> list[str]:
    """Environments whose names begin with what was typed, from folder names alone."""
    flags = _flags_folder(ctx)
    if flags is None:
        return []
    names = (folder.name for folder in sorted(flags.iterdir()) if folder.is_dir() and folder.name != "tests")
    return [name for name in names if name.startswith(incomplete)]


def complete_key(ctx: typer.Context, incomplete: str) -> list[str]:
    """Flag keys that begin with what was typed, from file names alone."""
    flags = _flags_folder(ctx)
    if flags is None:
        return []
    environment = ctx.params.get("environment") or "*"
    if not isinstance(environment, str):
        environment = "*"
    found = {
        path.stem
        for path in flags.glob(f"{environment}/**/*.yaml")
        if "segments" not in path.parts[len(flags.parts) :] and path.relative_to(flags).parts[0] != "tests"
    }
    return sorted(key for key in found if key.startswith(incomplete))


Key = Annotated[str, typer.Argument(metavar="KEY", help="The flag's key.", autocompletion=complete_key)]
AnyKey = Annotated[str, typer.Argument(metavar="[KEY]", help="Only this flag.", autocompletion=complete_key)]
EnvironmentOption = Annotated[
    str,
    typer.Option("--environment", "-e", metavar="ENV", help="The environment.", autocompletion=complete_environment),
]
AnyEnvironment = Annotated[
    str | None,
    typer.Option(
        "--environment", "-e", metavar="ENV", help="Only this environment.", autocompletion=complete_environment
    ),
]
TheseEnvironments = Annotated[
    list[str] | None,
    typer.Option(
        "--environment", "-e", metavar="ENV", help="Only this one; repeatable. Default: all.",
        autocompletion=complete_environment,
    ),
]  # fmt: skip
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Show what would change; write nothing.")]
Reason = Annotated[str | None, typer.Option("--reason", "-r", metavar="TEXT", help="Why, for the commit and the log.")]
Direct = Annotated[bool, typer.Option("--direct", help="Commit right here, also in a protected environment.")]
OverrideFreeze = Annotated[
    str | None, typer.Option("--override-freeze", metavar="REASON", help="Do it although the environment is frozen.")
]
NoCommit = Annotated[bool, typer.Option("--no-commit", help="Write the file, leave the commit to me.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
Clock = Annotated[
    str | None, typer.Option("--clock", metavar="TIME", help="Answer as at this time (RFC 3339), not as of now.")
]
At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="REV|DATE",
        help="As it was then, by the clock of then: HEAD~3, a tag, 2026-11-01, '3 days ago', @v7.",
    ),
]
User = Annotated[str | None, typer.Option("--user", "-u", metavar="USER", help="The targeting key of whoever asks.")]
Attributes = Annotated[
    list[str] | None,
    typer.Option("--attribute", "-a", metavar="NAME=VALUE", help="Typed by attributes.yaml; NAME:=JSON as it is."),
]
ContextFile = Annotated[
    str | None, typer.Option("--context", metavar="FILE", help="A context as a JSON object; - is stdin.")
]
