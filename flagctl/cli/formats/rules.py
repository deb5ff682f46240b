"""Rules of `check` for people: what each is for, with an example of a mistake and of how to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flagctl.cli.output import clean

if TYPE_CHECKING:
    from flagctl.check.catalogue import Files, Rule

EXAMPLE = "flags/production/example.yaml"


def page(rule: Rule) -> str:
    """All there is to say, as plain text."""
    parts = [f"{rule.id} ({_kind(rule)})", rule.why]
    parts += [f"{head}:\n\n{_indented(files)}" for head, files in _examples(rule)]
    return "\n\n".join([*parts, _silencing(rule)])


def markdown(rule: Rule) -> str:
    """The same as Markdown."""
    parts = [rule.why]
    parts += [f"{head}:\n\n```yaml\n{clean(_joined(files))}```" for head, files in _examples(rule)]
    return "\n\n".join([*parts, _silencing(rule)])


def document(rule: Rule) -> dict[str, Any]:
    """One rule for programs."""
    return {"id": rule.id, "severity": rule.severity, "title": rule.title, "why": rule.why, "firm": rule.firm}


def _kind(rule: Rule) -> str:
    return f"{rule.severity}, can't be silenced" if rule.firm else rule.severity


def _silencing(rule: Rule) -> str:
    if rule.firm:
        return "A file with this problem can't be used, so it can be neither allowed nor lowered."
    return (
        f"Allow one, at the end of its line or above it:    # flagctl: allow {rule.id} — reason\n"
        f"For all, error, warning or off in flags/flagctl.yaml:    check: {{severity: {{{rule.id}: off}}}}"
    )


def _examples(rule: Rule) -> Iterator[tuple[str, Files]]:
    if rule.bad is not None:
        yield "Wrong", rule.bad
    if rule.good is not None:
        yield "Right", rule.good


def _joined(files: Files) -> str:
    if isinstance(files, str):
        return files
    return "\n".join(f"# {path}\n{text}" for path, text in files.items())


def _indented(files: Files) -> str:
    return "\n".join(f"    {line}".rstrip() for line in clean(_joined(files)).rstrip("\n").split("\n"))
