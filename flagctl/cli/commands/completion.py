"""`flagctl completion SHELL`."""

from enum import StrEnum
from typing import Annotated

import typer


class Shell(StrEnum):
    """Shells that completion can be made for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def command(
    ctx: typer.Context, shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")]
) -> None:
    """Print a script that completes commands, environments and keys.

    \b
    Examples:
      source <(flagctl completion bash)
      flagctl completion fish > ~/.config/fish/completions/flagctl.fish
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]  # typer says nothing of exports

    ctx.obj.out.data(get_completion_script(prog_name="flagctl", complete_var="_FLAGCTL_COMPLETE", shell=shell.value))
