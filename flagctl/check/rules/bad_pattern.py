"""A regular expression is not one that RE2 reads.

`matches` and `not_matches` use RE2, which answers in linear time whatever the text: there are no back-references and no
look-around. A pattern that can't be read matches nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from flagctl.check.view import View
from flagctl.evaluate.operators import compile_pattern
from flagctl.model.condition import OPERATORS
from flagctl.problems import Problem

ID = "bad-pattern"
SEVERITY = "error"
BAD = """\
description: Show the new player.
owner: {team: media}
rules:
  - name: staff
    when:
      - {attribute: email, matches: "^(anna|ben@example[.]com$"}    # <- a bracket is left open
    serve: on
"""
GOOD = """\
description: Show the new player.
owner: {team: media}
rules:
  - name: staff
    when:
      - {attribute: email, matches: "^(anna|ben)@example[.]com$"}
    serve: on
"""


def check_conditions(view: View) -> Iterator[Problem]:
    """Patterns of all conditions."""
    for test, place in view.tests:
        if OPERATORS[test.operator].takes == "pattern":
            reason = _wrong(str(test.value))
            if reason:
                message = f"the pattern can't be read: {reason}"
                yield view.problem(ID, message, f"{place}/{test.operator}", hint=_hint(reason, str(test.value)))


@lru_cache(maxsize=4096)
def _wrong(pattern: str) -> str:
    """RE2's own words about what is wrong, "" for nothing."""
    import re2

    try:
        compile_pattern(pattern)
    except re2.error as error:
        said = error.args[0]
        return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    except UnicodeEncodeError:
        return "it holds half a character, a lone surrogate"
    return ""


def _hint(reason: str, pattern: str) -> str:
    if "(?=" in pattern or "(?!" in pattern or "(?<" in pattern:
        return "RE2 has no look-around; use two conditions, one of them under not:"
    if reason.startswith("invalid escape sequence") and reason[-1:].isdigit():
        return "RE2 has no back-references"
    if reason.startswith("pattern too large"):
        return "ask for fewer repetitions, or take several conditions"
    return "the syntax is RE2's: https://github.com/google/re2/wiki/Syntax"
