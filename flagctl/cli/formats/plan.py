"""A plan on a terminal: what changes, for whom, and what is worth a second look."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from flagctl.cli.output import clean
from flagctl.model import times
from flagctl.plan import sentences

if TYPE_CHECKING:
    from flagctl.cli.output import Output
    from flagctl.plan.plan import EnvironmentPlan, FlagPlan, Plan
    from flagctl.plan.population import Tally
    from flagctl.problems import Problem

_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow"), "touched": ("›", "cyan")}
_MOMENTS = 6


def show_as(out: Output, plan: Plan, how: str) -> None:
    """The plan as "text", "json" or "markdown"."""
    from flagctl.plan import document, markdown

    if how == "json":
        out.json(document.document(plan))
    elif how == "markdown":
        out.data(markdown.comment(plan))
    else:
        show(out, plan)


def show(out: Output, plan: Plan) -> None:
    """The plan, the worst first."""
    out.data(out.style(f"Plan: {plan.head} on top of {plan.base}", "bold"), styled=True)
    for problem in plan.new:
        _problem(out, f"new {problem.severity}", "red bold" if problem.severity == "error" else "yellow bold", problem)
    for problem in plan.fixed:
        _problem(out, "fixed", "green", problem)
    if plan.shared:
        out.data("")
        out.data(out.style("everywhere", "bold"), styled=True)
        for change in plan.shared:
            out.data(f"  {change.words}")
    for part in plan.environments:
        _environment(out, part)


def summary(plan: Plan) -> str:
    """The plan in one sentence."""
    if not plan:
        return "nothing changes"
    parts = []
    for part in plan.environments:
        felt = sum(bool(flag.impact or flag.coming) for flag in part.flags)
        flags = f"{len(part.flags)} flag{'s' * (len(part.flags) != 1)}"
        parts.append(f"{part.name}: {flags}, {felt or 'none'} that anybody notices")
    if plan.new:
        parts.append(f"{len(plan.new)} new problem{'s' * (len(plan.new) > 1)}")
    if plan.people is not None:
        parts.append(f"{plan.people:,} contexts evaluated")
    return "; ".join(parts) or "only settings, attributes or problems change"


def _problem(out: Output, label: str, style: str, problem: Problem) -> None:
    said = clean(f"{problem.file}: {problem.message} [{problem.rule}]")
    out.data(f"{out.style(label, style)}: {said}", styled=True)


def _environment(out: Output, part: EnvironmentPlan) -> None:
    out.data("")
    said = f"{part.name}, protected" if part.protected else part.name
    out.data(out.style(said, "bold"), styled=True)
    for need in part.approvals:
        out.data(f"  {out.style(need.text, 'yellow')}", styled=True)
    for name, changes in part.segments.items():
        for change in changes:
            out.data(f"  segment {name}: {change.words}")
    for flag in part.flags:
        _flag(out, flag)


def _flag(out: Output, flag: FlagPlan) -> None:
    sign, style = _SIGNS[flag.status]
    out.data("")
    out.data(f"  {out.style(sign, style)} {out.style(flag.key, 'bold')}  {out.style(flag.owner, 'dim')}", styled=True)
    for said in [change.words for change in flag.changes] + list(flag.because):
        out.data(f"      {said}")
    _who(out, "now" if flag.coming else "who", sentences.lines(flag.impact), quiet=not flag.impact)
    moments = [flag.impact, *flag.coming]
    for last, found in pairwise(moments[: _MOMENTS + 1]):
        _who(out, times.text(found.at), sentences.news(found, last))
    left = len(flag.coming) - _MOMENTS
    if left > 0:
        said = f"… {left - 1} more, then {times.text(moments[-1].at)}"
        _who(out, said, sentences.news(moments[-1], moments[-2]))
    for lint in flag.lints:
        out.data(f"    {out.style('beware', 'yellow bold')} {clean(lint.text)} [{lint.id}]", styled=True)
    if flag.tally is not None:
        _tally(out, flag.tally)


def _who(out: Output, label: str, lines: list[str], *, quiet: bool = False) -> None:
    if len(lines) == 1:
        line = out.style(lines[0], "dim") if quiet else clean(lines[0])
        out.data(f"    {out.style(label, 'cyan')}  {line}", styled=True)
        return
    out.data(f"    {out.style(label, 'cyan')}", styled=True)
    for line in sentences.short(lines):
        out.data(f"      {line}")


def _tally(out: Output, tally: Tally) -> None:
    total = sum(tally.counts.values())
    out.data(f"    {out.style('counted', 'cyan')}  {tally.moved:,} of {total:,} contexts move", styled=True)
    names = [sorted({sentences.variant(move[side]) for move in tally.counts}) for side in (0, 1)]
    cells = {(sentences.variant(a), sentences.variant(b)): count for (a, b), count in tally.counts.items()}
    head = ["from \\ to", *names[1]]
    grid = [head, *([old, *(f"{cells.get((old, new), 0):,}" for new in names[1])] for old in names[0])]
    widths = [max(len(row[column]) for row in grid) for column in range(len(head))]
    for row in grid:
        numbers = "".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        out.data(f"      {row[0].ljust(widths[0])}{numbers}")
