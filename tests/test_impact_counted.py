"""The blast radius of random changes of random flags, counted out (see counted_impact)."""

from __future__ import annotations

from fractions import Fraction

import counted_impact


def test_exact_shares_are_those_of_all_100_000_buckets() -> None:
    moved = 0
    for found in counted_impact.in_every_bucket(1_000, 12):
        assert {move: Fraction(count, found.total) for move, count in found.moved.items()} == found.told, found.where
        moved += bool(found.told)
    assert moved > 4


def test_every_share_is_that_of_200_000_people_as_far_as_chance_lets_it() -> None:
    draws = []
    for found in counted_impact.for_people(5_000, 7):
        assert found.far() == {}, found.where
        draws.append(found.draws if found.told else 0)
    assert {1, 2} <= {min(count, 2) for count in draws}  # exact ones and expected ones
