"""The table of commands, and a group that imports only the one that was asked for."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from flagctl import __version__
from flagctl.cli.output import Output
from flagctl.cli.session import Session

COMMANDS: dict[str, dict[str, str]] = {
    "Everyday": {
        "new": "Start a flag.",
        "set": "Change a flag in one environment, and commit it.",
        "promote": "Make what changed in one environment to the next.",
        "check": "Find what is wrong in flag files.",
        "plan": "Say what merging would do, and to whom.",
        "publish": "Send an environment's snapshot to where services read it.",
        "eval": "Answer as a service would, and explain why.",
        "log": "Show who changed what, when and why.",
        "rollback": "Bring back an earlier state, as a new change.",
    },
    "Look": {
        "list": "List flags and their state in every environment.",
        "show": "Show one flag in all environments side by side.",
        "diff": "Compare environments, moments or versions, flag by flag.",
        "blame": "Say who last changed each line of a flag, and why.",
        "why": "Say when somebody's answer changed, and what did it.",
        "bisect": "Find the commit that changed somebody's answer.",
        "approvals": "Say which approvals a change needs by its content, and which it has.",
        "drift": "Show how far each environment lags behind the one it is promoted from.",
        "simulate": "Show the split that a flag gives, among people who do not exist.",
        "history": "Hand out the whole audit log for an archive.",
        "test": "Run the expectations in flags/tests.",
        "build": "Compile an environment to a snapshot, or to a flag definition for flagd.",
        "status": "Show what is live where, and how far it lags behind.",
        "verify": "Prove that what is published is what its commit says.",
        "target": "List targets, and check that each can be used.",
        "rule": "List and explain the rules that `check` applies.",
        "schema": "Print the JSON Schema of a kind of file.",
    },
    "Change": {
        "kill": "Break glass: turn a flag off at once, for a while.",
        "edit": "Edit a flag file; it is checked before it is kept.",
        "rename": "Give a flag another key, everywhere.",
        "remove": "Remove a flag.",
        "fmt": "Lay out flag files in the standard way.",
    },
    "Set up": {
        "codeowners": "Write CODEOWNERS from owners and settings.",
        "init": "Start a flag repository, or complete one.",
        "config": "Show the settings in force.",
        "key": "Make, list and rotate the keys that sign snapshots.",
        "doctor": "Look for what would stand in your way.",
        "merge-driver": "Merge flag files by structure, in Git's own merges.",
        "completion": "Print a script that completes commands, environments and keys.",
        "tour": "See the whole loop in a temporary repository.",
    },
}
_HELP = {name: text for section in COMMANDS.values() for name, text in section.items()}


class LazyGroup(TyperGroup):
    """Commands by name; `cli/commands/<name>.py` is imported when its command runs or shows its help."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = dict.fromkeys(_HELP)  # type: ignore[assignment]  # names only: for «did you mean»

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, built from its module's `command` function or `GROUP` of functions."""
        if cmd_name not in _HELP:
            return None
        module = import_module(f"flagctl.cli.commands.{cmd_name.replace('-', '_')}")
        app = _typer()
        group = getattr(module, "GROUP", None)
        if group is None:
            app.command(cmd_name)(module.command)
        else:
            app.callback()(_described(_HELP[cmd_name]))
            for name, function in group.items():
                app.command(name)(function)
        command = get_command(app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The sections of the table, without importing a command."""
        for section, commands in COMMANDS.items():
            with formatter.section(section):
                formatter.write_dl(list(commands.items()))


def _described(text: str) -> Any:
    def callback() -> None: ...

    callback.__doc__ = text
    return callback


def _typer(**settings: Any) -> typer.Typer:
    return typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        **settings,
    )


def _version(wanted: bool) -> None:
    if wanted:
        Output().data(f"flagctl {__version__}")
        raise typer.Exit


app = _typer(cls=LazyGroup, no_args_is_help=True)


@app.callback()
def root(
    ctx: typer.Context,
    directory: Annotated[
        Path | None,
        typer.Option("-C", metavar="DIR", help="Look for the flag repository from here (or set FLAGCTL_REPO)."),
    ] = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which.")] = False,
) -> None:
    """Feature flags as YAML in Git: checked, compiled, published and evaluated in-process.

    The way of a change: new, set, check, plan, promote, publish. Beside it: eval, log, rollback.
    """
    ctx.obj = Session(Output(), directory)
