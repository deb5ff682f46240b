"""Snapshot and context to answer. Applications import this room: it loads no YAML, Git, Typer or schema library."""
