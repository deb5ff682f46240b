"""One file per command: it turns arguments into a call of one room's function and shows the result.

None of them postpones its annotations: Typer reads every one, and evaluating them from text takes longer than the
smallest command.
"""
