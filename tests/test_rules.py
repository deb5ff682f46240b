"""Every rule finds what its bad example shows, where it shows it, and nothing in its good example."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from flagtree import FLAG, problems

from flagctl.check.catalogue import Rule, catalogue

RULES = catalogue()
WITH_EXAMPLES = [rule for rule in RULES.values() if rule.bad is not None]
BESIDE = {"allow-reason": {"non-ascii-salt"}}
"""What a bad example shows beside its own rule, where that can't be helped."""


def files(example: str | Mapping[str, str] | None) -> dict[str, str]:
    assert example is not None
    return {FLAG: example} if isinstance(example, str) else dict(example)


def marked(example: dict[str, str]) -> set[tuple[str, int]]:
    return {
        (path, number)
        for path, text in example.items()
        for number, line in enumerate(text.split("\n"), 1)
        if "# <-" in line
    }


@pytest.mark.parametrize("rule", WITH_EXAMPLES, ids=lambda rule: rule.id)
def test_the_bad_example_shows_the_problem_at_the_marked_line_and_no_other(rule: Rule) -> None:
    bad = files(rule.bad)
    found = problems(bad)
    assert {(p.file, p.line) for p in found if p.rule == rule.id} == marked(bad), found
    assert {p.rule for p in found} - {rule.id} == BESIDE.get(rule.id, set()), found
    assert {p.severity for p in found if p.rule == rule.id} == {rule.severity}


@pytest.mark.parametrize("rule", WITH_EXAMPLES, ids=lambda rule: rule.id)
def test_the_good_example_has_no_problem_at_all(rule: Rule) -> None:
    assert problems(files(rule.good)) == []


def test_every_rule_says_why_and_what_is_found_while_reading_can_not_be_lowered() -> None:
    assert {rule.id for rule in RULES.values() if rule.bad is None} == {"file-access"}
    for rule in RULES.values():
        title, _, why = rule.why.partition("\n\n")
        assert title.endswith((".", ":")), rule.id
        assert why, f"{rule.id} does not say why it matters"
        assert len(title) <= 120
        assert not (rule.firm and rule.finds)
