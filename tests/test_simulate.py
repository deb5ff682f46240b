"""`flagctl simulate`: made-up people, the split they get, the one they should get, and a picture of both."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import pytest
from random_flags import Limits, world
from snapshots import NOW, OFF, arms, flag, rollout, rule, snapshot, split
from snapshots import test as condition

from flagctl.errors import UsageError
from flagctl.evaluate.evaluator import Evaluator
from flagctl.evaluate.simulate import Simulation, expected, simulate, wilson

HALF = {"name": "e", "traffic": 50_000}
LEFT = {"name": "x", "layer": "l", "slots": [0, 30_000]}
RIGHT = {"name": "y", "layer": "l", "slots": [30_000, 100_000]}
NEEDS_G = [{"flag": "g", "variant": "on"}]


def simulated(flags: dict[str, Any], users: int = 5_000, context: Any = None, **more: Any) -> Simulation:
    document = snapshot(flags) | {"attributes": {"age": {"type": "integer"}, "account.id": {"type": "integer"}}}
    options: dict[str, Any] = {"users": users, "seed": 0, "report": lambda done, total: None} | more
    return simulate(document, "f", context or {}, NOW, **options)


@pytest.mark.parametrize(
    ("hits", "users", "low", "high"),
    [  # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_the_published_one(hits: int, users: int, low: float, high: float) -> None:
    assert wilson(hits, users) == pytest.approx((low, high), abs=5e-5)
    assert wilson(users - hits, users) == pytest.approx((1 - high, 1 - low), abs=5e-5)


EXPECTED: list[tuple[str, dict[str, Any], dict[str, float]]] = [
    ("one outcome", {"f": arms(default=split("a", 12_500, "b", 100_000))}, {"a": 0.125, "b": 0.875}),
    ("nothing drawn", {"f": flag()}, {"on": 1}),
    (
        "traffic passes on",
        {"f": arms(rules=[rule("r", **split("a", 50_000, "b", 100_000, experiment=HALF))])},
        {"a": 0.25 + 0.5, "b": 0.25},
    ),
    (
        "one layer, two experiments",
        {
            "f": arms(
                rules=[
                    rule("x", **split("a", 100_000, salt="1", experiment=LEFT)),
                    rule("y", **split("b", 100_000, salt="2", experiment=RIGHT)),
                ],
                default={"serve": "c"},
            )
        },
        {"a": 0.3, "b": 0.7},
    ),
    (
        "two flags, two salts",
        {
            "f": flag(requires=NEEDS_G, default=rollout(20)),
            "g": flag(default=rollout(50, "g")),
        },
        {"on": 0.1, "off": 0.9},
    ),
    (
        "two flags, one salt: the same people",
        {"f": flag(requires=NEEDS_G, default=rollout(20)), "g": flag(default=rollout(50))},
        {"on": 0.2, "off": 0.8},
    ),
    (
        "a ramp half-way",
        {
            "f": flag(
                default={
                    "ramp": [[0, 1_000], [NOW, 40_000], [NOW + 1, 100_000]],
                    "variant": "on",
                    "rest": "off",
                    "salt": "s",
                    "bucket_by": "targetingKey",
                }
            )
        },
        {"on": 0.4, "off": 0.6},
    ),
    (
        "another product's bucketing",
        {"f": flag(default=rollout(30), foreign_bucketing={"algorithm": "launchdarkly-sha1", "salt": "x"})},
        {"on": 0.3, "off": 0.7},
    ),
]


@pytest.mark.parametrize(("flags", "shares"), [each[1:] for each in EXPECTED], ids=[each[0] for each in EXPECTED])
def test_what_is_expected_follows_from_the_weights(flags: dict[str, Any], shares: dict[str, float]) -> None:
    found = expected(snapshot(flags), "f", {"targetingKey": "ada"}, NOW)
    assert found is not None
    assert {variant: share for variant, share in found.items() if share} == pytest.approx(shares)


def test_simulated_people_get_what_is_expected() -> None:
    """Random flags with everything in them: each share is within five standard deviations of its expectation."""
    compared = drawn = 0
    for seed in range(30):
        dice = Random(seed)
        made = world(dice, flags=10, limits=Limits(json=True))
        # The portable key is cut after 120 characters: a salt as long gives everybody the same bucket.
        if made.settings.bucketing == "portable":
            made.environment.flags = {
                key: flag for key, flag in made.environment.flags.items() if "9" * 130 not in repr(made.closure(key))
            }
        for key in made.document["flags"]:
            now = dice.choice(made.moments(key))
            found = simulate(made.document, key, {}, now, users=400, seed=seed, report=lambda done, total: None)
            for share in found.shares:
                if share.expected is not None:
                    spread = math.sqrt(share.expected * (1 - share.expected) / 400)
                    assert abs(share.share - share.expected) <= 5 * spread + 1e-9, (seed, key, found)
                    compared += 1
                    drawn += 0.01 < share.expected < 0.99
    assert compared > 250
    assert drawn > 50


def test_the_same_seed_makes_the_same_people_and_another_makes_others() -> None:
    flags = {"f": flag(default=rollout(50))}
    assert simulated(flags) == simulated(flags)
    assert simulated(flags) != simulated(flags, seed=1)


@pytest.mark.parametrize("by", ["age", "account.id", "account.name"])
def test_people_differ_in_what_they_are_bucketed_by(by: str) -> None:
    found = simulated({"f": flag(default=rollout(50, by=by))}, context={"account": {"plan": "pro"}})
    assert list(found.varied) == [by]
    assert all(2_300 < share.users < 2_700 for share in found.shares)


def test_what_is_given_does_not_vary() -> None:
    found = simulated({"f": flag(default=rollout(50))}, context={"targetingKey": "ada"})
    only = Evaluator(snapshot({"f": flag(default=rollout(50))})).evaluate("f", {"targetingKey": "ada"}, NOW).variant
    assert (found.shares[0].variant, found.shares[0].users) == (only, 5_000)
    assert found.varied == []


def test_nothing_is_expected_of_rules_that_ask_for_what_is_made_up() -> None:
    odd = rule("r", condition("targetingKey", "ends_with", ["7"]))
    found = simulated({"f": flag(rules=[odd], default=OFF | {}), "g": flag()}, users=1_000)
    assert [share.expected for share in found.shares] != [None, None]  # nothing is bucketed, so nothing is made up
    found = simulated({"f": flag(rules=[odd], default=rollout(1))}, users=1_000)
    assert [share.expected for share in found.shares] == [None, None]
    assert (100, "on", "TARGETING_MATCH", "r") in [tuple(each) for each in found.decided]


def test_a_flag_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(UsageError, match='there is no segment "s"'):
        simulated({"f": flag(rules=[rule("r", {"segment": "s"})])})


SIMULATE = ("simulate", "wishlist-gallery", "-e", "production", "--users", "2000")


def test_the_split_is_a_table(flagctl: Callable[..., Any]) -> None:
    done = flagctl(*SIMULATE)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["VARIANT", "USERS", "SHARE", "95", "%", "(WILSON)", "EXPECTED"]
    assert [(line[0], line[-1]) for line in lines[1:3]] == [("off", "75%"), ("on", "25%")]
    assert lines[3] == []
    assert [line[1:] for line in lines[4:]] == [["off,", "SPLIT,", "by", "default"], ["on,", "SPLIT,", "by", "default"]]


def test_json_says_how_the_bounds_are_made(flagctl: Callable[..., Any]) -> None:
    options = ("-a", "email=a@example.com", "--clock", "2027-01-01", "--seed", "3", "--json")
    document = json.loads(flagctl(*SIMULATE, *options).stdout)
    assert document | {"shares": []} == {
        "format": "flagctl/simulate/1",
        "environment": "production",
        "flag": "wishlist-gallery",
        "at": "2027-01-01T00:00:00Z",
        "seed": 3,
        "interval": {"method": "wilson", "confidence": 0.95},
        "users": 2000,
        "shares": [],
        "varied": ["targetingKey"],
        "decided": [{"users": 2000, "variant": "on", "reason": "TARGETING_MATCH", "rule": "staff"}],
    }
    assert document["shares"][0] == {
        "variant": "on",
        "users": 2000,
        "share": 1.0,
        "low": pytest.approx(0.99808, abs=1e-5),
        "high": 1.0,
        "expected": 1.0,
    }


def test_the_picture_shows_bars_their_bounds_and_what_is_configured(repo: Path, flagctl: Callable[..., Any]) -> None:
    done = flagctl(*SIMULATE, "--plot", "split.svg")
    assert done.stderr == "drawn to split.svg\n"
    drawing = ElementTree.parse(repo / "split.svg")
    texts = ["".join(node.itertext()) for node in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert {"wishlist-gallery in production", "off", "on", "share that is configured"} <= set(texts)
    assert any(text.startswith(("75", "74", "76")) and text.endswith(")") for text in texts)
    roles = Counter(node.get("aria-roledescription") for node in drawing.iter())
    assert (roles["bar"], roles["rule mark"], roles["tick"]) == (2, 2, 6)


def test_a_png_is_drawn_too(repo: Path, flagctl: Callable[..., Any]) -> None:
    assert flagctl(*SIMULATE, "--plot", "split.png").returncode == 0
    data = (repo / "split.png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(data[16:20], "big") > 1_000


def test_a_picture_of_another_format_is_refused_before_anything_is_done(flagctl: Callable[..., Any]) -> None:
    done = flagctl(*SIMULATE, "--plot", "split.gif")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == 'error: "split.gif" is no name of a picture\nhint: end it in .svg or .png\n'


def test_without_the_extra_it_says_what_to_install(repo: Path) -> None:
    script = (
        "import sys; sys.modules['vl_convert'] = None\nfrom flagctl.cli.main import main\nsys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", script, *SIMULATE, "--plot", "split.svg"]
    done = subprocess.run(command, cwd=repo, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "--plot needs vl-convert-python" in done.stderr
    assert 'pip install "flagctl[plot]"' in done.stderr
