"""Bucketing: known vectors, and that buckets are stateless, monotone, even and independent."""

from __future__ import annotations

import json
import math
import random
import uuid
from collections.abc import Callable
from typing import Any

import mmh3
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from snapshots import evaluator, flag, rollout, snapshot

from flagctl.compile.snapshot import encode
from flagctl.evaluate.bucket import BUCKETS, FOREIGN, GENERATIONS, bucket, key_text
from flagctl.evaluate.evaluator import Evaluator
from flagctl.model.flag import Ramp

generations = st.sampled_from(sorted(GENERATIONS))
keys = st.text(min_size=1) | st.integers(-(2**63), 2**64 - 1)
percents = st.integers(0, BUCKETS).map(lambda share: share / 1000)
salts = st.text()
ascii_text = st.text(st.characters(max_codepoint=127), max_size=150)


def scaled(hashed: int) -> int:
    return hashed * 100_000 // 2**32


@pytest.mark.parametrize(
    ("text", "hashed"),
    [
        # MurmurHash3_x86_32 with seed 0, as widely published
        ("", 0),
        ("test", 0xBA6BD213),
        ("Hello, world!", 0xC0363E43),
        ("The quick brown fox jumps over the lazy dog", 0x2E4FF723),
    ],
)
def test_flagd_2_hashes_the_text_itself(text: str, hashed: int) -> None:
    for cut in range(len(text) + 1):
        assert bucket("flagd-2", text[:cut], text[cut:]) == scaled(hashed)


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, "60"),
        (3, "63"),
        (23, "77"),
        (24, "7818"),
        (120, "7878"),
        (255, "78ff"),
        (256, "790100"),
        (65_536, "7a00010000"),
    ],
)
def test_flagd_3_hashes_the_cbor_of_the_text(size: int, head: str) -> None:
    text = "a" * size
    expected = scaled(mmh3.hash(bytes.fromhex(head) + text.encode(), 0, signed=False))
    assert bucket("flagd-3", "", text) == expected


def test_flagd_3_counts_bytes_not_characters() -> None:
    assert bucket("flagd-3", "", "é" * 12) == scaled(mmh3.hash(b"\x78\x18" + "é".encode() * 12, 0, signed=False))


def test_the_two_flagd_generations_tell_themselves_apart_by_this_key() -> None:
    # A published document recognises its engine by it
    assert [bucket(generation, "", "wsr") * 3 // BUCKETS == 1 for generation in ("flagd-2", "flagd-3")] == [True, False]


@given(salt=ascii_text, value=ascii_text)
@example(salt="", value="")
@example(salt="s" * 119, value="v")
@example(salt="s" * 60, value="v" * 59)
def test_both_flagd_generations_agree_with_portable_on_its_padded_key(salt: str, value: str) -> None:
    text = (salt + ":" + value + "." * 120)[:120]
    assert bucket("portable", salt, value) == bucket("flagd-3", "", text) == bucket("flagd-2", "xx", text)


@pytest.mark.parametrize(
    ("seed", "user", "expected"),
    [
        # LaunchDarkly's published vectors for flag "hashKey" with salt "saltyA"
        (None, "userKeyA", 0.42157587),
        (None, "userKeyB", 0.6708485),
        (None, "userKeyC", 0.10343106),
        (61, "userKeyA", 0.09801207),
        (61, "userKeyB", 0.14483777),
        (61, "userKeyC", 0.9242641),
    ],
)
def test_launchdarkly_keeps_its_assignment(seed: int | None, user: str, expected: float) -> None:
    foreign = {"algorithm": "launchdarkly-sha1", "salt": "saltyA"} | ({} if seed is None else {"seed": seed})
    assert FOREIGN["launchdarkly-sha1"](foreign, "hashKey", user) == int(expected * BUCKETS)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("ada", "ada"),
        (" ", " "),
        (0, "0"),
        (-7, "-7"),
        (2**64 - 1, "18446744073709551615"),
        (-(2**63), "-9223372036854775808"),
        *((value, None) for value in ("", None, True, False, 1.0, 1.5, 2**64, -(2**63) - 1, ["ada"], {"a": 1}, b"ada")),
    ],
)
def test_only_text_and_integers_of_64_bits_have_a_bucket(value: object, text: str | None) -> None:
    assert key_text(value) == text


@given(generation=generations, salt=salts, value=st.text())
def test_a_bucket_lies_in_range_for_any_text(generation: str, salt: str, value: str) -> None:
    assert 0 <= bucket(generation, salt, value) < BUCKETS


@given(generation=generations, salt=salts, key=keys, shares=st.tuples(percents, percents))
def test_raising_a_rollout_takes_the_flag_from_nobody(
    generation: str, salt: str, key: str | int, shares: tuple[float, float]
) -> None:
    less, more = (
        evaluator({"f": flag(default=rollout(share, salt))}, bucketing=generation).evaluate(
            "f", {"targetingKey": key}, 0
        )
        for share in sorted(shares)
    )
    assert (less.value, more.value) != (True, False)


@st.composite
def ramps(draw: st.DrawFn) -> Ramp:
    low, high = sorted(draw(st.tuples(st.integers(0, BUCKETS), st.integers(0, BUCKETS))))
    step = draw(st.integers(max(1, (high - low) // 50), BUCKETS))
    return Ramp("on", low, high, draw(st.integers(0, 100)), draw(st.integers(1, 10_000)), step)


@given(ramp=ramps(), key=keys, times=st.tuples(st.integers(-10, 10_200), st.integers(-10, 10_200)))
def test_a_ramp_takes_the_flag_from_nobody_as_time_goes_on(ramp: Ramp, key: str | int, times: tuple[int, int]) -> None:
    outcome = {"ramp": ramp.steps(), "variant": "on", "rest": "off", "bucket_by": "targetingKey", "salt": "f"}
    answers = evaluator({"f": flag(default=outcome)})
    early, late = (answers.evaluate("f", {"targetingKey": key}, now).value for now in sorted(times))
    assert (early, late) != (True, False)


@given(
    share=percents,
    key=keys,
    others=st.dictionaries(st.text(min_size=1), percents.map(lambda share: flag(default=rollout(share))), max_size=4),
    asked_before=st.lists(keys, max_size=4),
)
def test_an_assignment_depends_on_the_flag_alone(
    share: float, key: str | int, others: dict[str, Any], asked_before: list[str | int]
) -> None:
    one = flag(default=rollout(share))
    alone = evaluator({"f": one}).evaluate("f", {"targetingKey": key}, 0)
    company = Evaluator(json.loads(encode(snapshot(others | {"f": one}))))
    for other in asked_before:
        company.evaluate("f", {"targetingKey": other, "x": 1}, 10**9)
    assert company.evaluate("f", {"targetingKey": key, "plan": "pro"}, 10**9) == alone


def deviation(count: int, of: int, share: float) -> float:
    """How many standard deviations a count lies from what chance would give."""
    return abs(count - of * share) / math.sqrt(of * share * (1 - share))


@pytest.mark.parametrize("generation", GENERATIONS)
def test_shares_over_200_000_people_are_what_the_file_says(generation: str) -> None:
    buckets = [bucket(generation, "checkout", f"user-{number}") for number in range(200_000)]
    for percent in (0.1, 1, 5, 12.5, 25, 50, 90):
        reached = sum(number < percent * 1000 for number in buckets)
        assert deviation(reached, len(buckets), percent / 100) < 5, percent


def uuids(count: int) -> list[str]:
    dice = random.Random(7)
    return [str(uuid.UUID(int=dice.getrandbits(128), version=4)) for _ in range(count)]


PEOPLE: dict[str, Callable[[int], list[str]]] = {
    "uuid": uuids,
    "integer": lambda count: [str(number) for number in range(count)],
    "email": lambda count: [f"person{number}@example.com" for number in range(count)],
}


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("people", PEOPLE)
def test_two_flags_draw_independently(generation: str, people: str) -> None:
    users = PEOPLE[people](50_000)
    for one, other in (("checkout", "wishlist"), ("flag-1", "flag-2")):
        pairs = [(bucket(generation, one, user), bucket(generation, other, user)) for user in users]
        for p, q in ((0.5, 0.5), (0.3, 0.6), (0.1, 0.1)):
            both = sum(a < p * BUCKETS and b < q * BUCKETS for a, b in pairs)
            assert deviation(both, len(users), p * q) < 5, (one, other, p, q)
