"""A kill inside a snapshot: off from now, and from its end on as if it had never been."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snapshots import ADA, flag, rollout
from snapshots import snapshot as whole_of

from flagctl.compile.kill import killed
from flagctl.evaluate.evaluator import Evaluator

UNTIL = 50


def answers(document: dict[str, Any], at: int) -> tuple[Any, ...]:
    found = Evaluator(document).evaluate("f", ADA, at)
    return found.variant, found.reason if found.reason == "DISABLED" else ""


moments = st.integers(1, 100)
entries = st.builds(
    lambda at, enabled, share: {"at": at}
    | ({} if enabled is None else {"enabled": enabled})
    | ({} if share is None else {"default": rollout(share)}),
    moments, st.sampled_from([None, True, False]), st.sampled_from([None, 0, 100]),
)  # fmt: skip
schedules = st.lists(entries, max_size=5, unique_by=lambda entry: entry["at"]).map(
    lambda found: sorted((entry for entry in found if len(entry) > 1), key=lambda entry: entry["at"])
)


@given(schedules, st.booleans(), moments)
def test_it_is_off_until_the_end_and_then_as_it_would_have_been(
    schedule: list[dict[str, Any]], enabled: bool, until: int
) -> None:
    before = whole_of({"f": flag(enabled=enabled, schedule=schedule), "g": flag()})
    after = killed(before, "f", until)
    for at in range(102):
        assert answers(after, at) == (("off", "DISABLED") if at < until else answers(before, at)), at
    assert after["flags"]["g"] == before["flags"]["g"]
    assert after["kills"] == {"f": until}
    times = [entry["at"] for entry in after["flags"]["f"]["schedule"]]
    assert times == sorted(set(times)), "a schedule names a time once"


@given(schedules, st.booleans(), moments, moments)
def test_killing_twice_is_killing_until_the_later_end(
    schedule: list[dict[str, Any]], enabled: bool, one: int, other: int
) -> None:
    before = whole_of({"f": flag(enabled=enabled, schedule=schedule)})
    assert killed(killed(before, "f", one), "f", other) == killed(before, "f", max(one, other))


def test_kills_of_different_flags_do_not_mind_their_order() -> None:
    before = whole_of({"f": flag(), "g": flag()})
    assert killed(killed(before, "f", 5), "g", 6) == killed(killed(before, "g", 6), "f", 5)


@pytest.mark.parametrize("key", ["f"])
def test_what_is_killed_is_a_copy(key: str) -> None:
    before = whole_of({"f": flag()})
    killed(before, key, UNTIL)
    assert before == whole_of({"f": flag()})
