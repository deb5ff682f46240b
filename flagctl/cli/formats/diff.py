"""Differences between two sides: for people, as Markdown, and as `flagctl/diff/1`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flagctl.cli.formats.log import escaped, one_line
from flagctl.cli.output import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagctl.cli.comparing import Comparison
    from flagctl.cli.output import Output
    from flagctl.plan.compare import Pair


def title(pair: Pair) -> str:
    """«checkout in production», «segment eu in staging», «settings»."""
    name = f"segment {pair.key}" if pair.kind == "segment" else pair.key
    return f"{name} in {pair.environment}" if pair.environment else name


def verdict(pair: Pair, comparison: Comparison) -> str:
    """«only in staging», «same», "" for one whose changes say it."""
    if pair.verdict == "only in old":
        return f"only in {comparison.old}"
    if pair.verdict == "only in new":
        return f"only in {comparison.new}"
    return {"same": "same", "unreadable": "can't be read; flagctl check says why"}.get(pair.verdict, "")


def text(out: Output, comparison: Comparison, *, everything: bool) -> None:
    """A block for each that differs, a line for each on one side only; `everything`: also what is the same."""
    same = 0
    for pair in comparison.pairs:
        same += pair.verdict == "same"
        if pair.verdict == "same" and not everything:
            continue
        said = verdict(pair, comparison)
        out.data(out.style(title(pair), "bold") + (f": {clean(said)}" if said else ""), styled=True)
        for change in pair.changes if pair.verdict == "different" else ():
            out.data(f"    {one_line(change.words)}", styled=True)
    out.say(f"{comparison.old} → {comparison.new}: {len(comparison.pairs) - same} different, {same} the same")


def markdown(comparison: Comparison) -> Iterator[str]:
    """A table of what is not the same."""
    yield f"| {escaped(comparison.old)} → {escaped(comparison.new)} | what |"
    yield "|---|---|"
    for pair in comparison.pairs:
        if pair.verdict != "same":
            words = [change.words for change in pair.changes] if pair.verdict == "different" else []
            said = "<br>".join(map(escaped, words or [verdict(pair, comparison)]))
            yield f"| {escaped(title(pair))} | {said} |"


def document(comparison: Comparison) -> dict[str, Any]:
    """The JSON document."""
    return {
        "format": "flagctl/diff/1",
        "old": comparison.old,
        "new": comparison.new,
        "differs": comparison.differs,
        "pairs": [
            {
                "kind": pair.kind,
                "key": pair.key,
                "environment": pair.environment or None,
                "verdict": verdict(pair, comparison) or pair.verdict,
                "changes": [
                    {name: getattr(change, name) for name in ("path", "old", "new", "words", "meaning")}
                    for change in pair.changes
                ],
            }
            for pair in comparison.pairs
        ],
    }
