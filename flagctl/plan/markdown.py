"""A plan as a comment on a pull request: short first, details folded, never longer than GitHub allows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from flagctl.model import times
from flagctl.plan import sentences
from flagctl.plan.plan import EnvironmentPlan, FlagPlan, Plan
from flagctl.plan.population import Tally
from flagctl.problems import Problem

LIMIT = 65_536
"""Characters of a comment: GitHub answers 422 to a longer one."""
MARK = "<!-- flagctl plan -->"
"""The first line, by which the comment is found again and updated."""

_SIGNS = {"added": "🟢", "removed": "🔴", "changed": "🟡", "touched": "🔵"}
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~@])")
_SEVERITIES = {"error": "❌", "warning": "⚠️"}
_MOMENTS = 10
_PROBLEMS = 20


def comment(plan: Plan, limit: int = LIMIT) -> str:
    """The whole plan if it fits; else the least important flags lose first their details, then their lines."""
    for depth in _depths(plan):
        said = "\n".join(_comment(plan, depth))
        if len(said) <= limit:
            return said
    tail = "\n\n… cut here; `flagctl plan` shows all of it"
    return said[: limit - len(tail)].rpartition("\n")[0] + tail


def _depths(plan: Plan) -> Iterator[tuple[int, int]]:
    """(flags with details, flags with a line) of each environment, less and less."""
    most = max((len(part.flags) for part in plan.environments), default=0)
    details = most
    while details:
        yield details, most
        details = details * 3 // 4
    lines = most
    while lines:
        yield 0, lines
        lines = lines * 3 // 4
    yield 0, 0


def text(of: str) -> str:
    """Text that Markdown takes for nothing else, and that calls nobody by name."""
    return _SPECIAL.sub(r"\\\1", " ".join(of.split())).replace("\\@", "@\u200b")


def code(of: str) -> str:
    """Text in back-ticks."""
    return "`" + " ".join(of.split()).replace("`", "'") + "`"


def _comment(plan: Plan, depth: tuple[int, int]) -> Iterator[str]:
    yield MARK
    yield "## flagctl plan"
    yield ""
    yield f"{text(plan.head)} on top of {text(plan.base)}."
    if not plan:
        yield ""
        yield "Nothing changes."
        return
    yield from _problems("new", plan.new)
    yield from _problems("fixed", plan.fixed)
    if plan.shared:
        yield ""
        yield from (f"* {text(change.words)}" for change in plan.shared[:20])
    for part in plan.environments:
        yield from _environment(part, depth)


def _problems(what: str, problems: tuple[Problem, ...]) -> Iterator[str]:
    if problems:
        yield ""
    for one in problems[:_PROBLEMS]:
        label = "✅ fixed" if what == "fixed" else f"{_SEVERITIES[one.severity]} new {one.severity}"
        yield f"* {label}: {code(one.file)} {text(one.message)} ({code(one.rule)})"
    if len(problems) > _PROBLEMS:
        yield f"* {len(problems) - _PROBLEMS} more {what}"


def _environment(part: EnvironmentPlan, depth: tuple[int, int]) -> Iterator[str]:
    details, lines = depth
    yield ""
    yield f"### {text(part.name)}{' 🔒' if part.protected else ''}"
    yield ""
    for need in part.approvals:
        yield f"* {'🧊' if need.kind == 'freeze' else '✋'} {text(need.text)}"
    for name, changes in list(part.segments.items())[: max(lines, 1)]:
        yield f"* segment {code(name)}: {text('; '.join(change.words for change in changes))}"
    if part.flags and lines:
        yield ""
        yield "| flag | what | who gets something else |"
        yield "|---|---|---|"
        yield from (_row(flag) for flag in part.flags[:lines])
    if len(part.flags) > lines:
        yield ""
        yield f"… and {len(part.flags) - lines} flags more; `flagctl plan` shows them."
    for flag in part.flags[:details]:
        yield from _details(flag)


def _row(flag: FlagPlan) -> str:
    what = [change.words for change in flag.changes] or list(flag.because)
    return f"| {_SIGNS[flag.status]} {code(flag.key)} | {_short(what, 3)} | {_short(_who(flag), 4)} |"


def _who(flag: FlagPlan) -> list[str]:
    if flag.impact or not flag.coming:
        return sentences.lines(flag.impact)
    first = flag.coming[0]
    return [f"from {times.text(first.at)}: {line}" for line in sentences.lines(first)]


def _short(lines: list[str], most: int) -> str:
    shown = [text(line if len(line) < 200 else f"{line[:199]}…") for line in lines[:most]]
    if len(lines) > most:
        shown.append(f"… {len(lines) - most} more")
    return "<br>".join(shown)


def _details(flag: FlagPlan) -> Iterator[str]:
    if flag.lints:
        yield ""
        yield from (f"> ⚠️ {code(flag.key)}: {text(lint.text)} ({code(lint.id)})" for lint in flag.lints)
    body = list(_body(flag))
    if body:
        yield ""
        yield f"<details><summary>{flag.key}</summary>"
        yield ""
        yield from body
        yield ""
        yield "</details>"


def _body(flag: FlagPlan) -> Iterator[str]:
    changes = [change.words for change in flag.changes]
    if len(changes) + len(flag.because) > 1:
        yield from (f"* {text(line)}" for line in (*changes, *flag.because))
    lines = sentences.lines(flag.impact)
    if len(lines) > 1 or flag.coming:
        yield from _listed("now", lines)
    moments = [flag.impact, *flag.coming]
    for last, found in pairwise(moments[: _MOMENTS + 1]):
        yield from _listed(f"from {times.text(found.at)}", sentences.news(found, last))
    if len(flag.coming) > _MOMENTS:
        yield f"* … {len(flag.coming) - _MOMENTS - 1} moments more"
        yield from _listed(f"at last, from {times.text(moments[-1].at)}", sentences.news(*moments[:-3:-1]))
    if flag.tally is not None:
        yield from _tally(flag.tally)


def _listed(label: str, lines: list[str]) -> Iterator[str]:
    yield f"* **{label}**"
    yield from (f"  * {text(line)}" for line in sentences.short(lines))


def _tally(tally: Tally) -> Iterator[str]:
    yield ""
    yield f"{tally.moved:,} of {sum(tally.counts.values()):,} contexts move."
    yield ""
    yield "| from | to | contexts |"
    yield "|---|---|--:|"
    for (before, after), count in sorted(tally.counts.items(), key=lambda item: -item[1]):
        yield f"| {text(sentences.variant(before))} | {text(sentences.variant(after))} | {count:,} |"
