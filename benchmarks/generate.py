"""Write a flag repository of many files, the same one for the same numbers.

    python benchmarks/generate.py DIR --files 10000 [--expectations 40000]

A third of the flag files stands in each of three environments; a file is about 1 KB. Every kind of rule,
outcome and reference occurs, in shares as a large product has them.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

ENVIRONMENTS = ("development", "staging", "production")
TEAMS = ("growth", "checkout", "search", "platform", "mobile", "payments")
COUNTRIES = ("DE", "FR", "NL", "US", "GB", "JP", "BR", "IN")
PLANS = ("free", "pro", "enterprise")
SEGMENTS = 20

SETTINGS = """\
environments:
  development: {}
  staging: {promotes_from: development}
  production: {promotes_from: staging, protected: true, targets: ["file:published"]}
"""

ATTRIBUTES = """\
attributes:
  email: {type: string, private: true}
  country: {type: string, values: [DE, FR, NL, US, GB, JP, BR, IN]}
  plan: {type: string, values: [free, pro, enterprise]}
  age: {type: integer}
  app_version: {type: semver}
  signed_up: {type: datetime}
  roles: {type: array, items: string}
  account.id: {type: string}
"""


def _segment(dice: random.Random, number: int) -> str:
    nested = f"  - {{segment: segment-{number - 1}}}\n" if number % 5 == 4 else ""
    return (
        f"description: Audience {number}, kept by {dice.choice(TEAMS)}.\n"
        f"owner: {{team: {dice.choice(TEAMS)}}}\n"
        "when:\n" + nested + f"  - {{attribute: plan, in: [{', '.join(dice.sample(PLANS, 2))}]}}\n"
        f"  - any:\n"
        f"      - {{attribute: country, in: [{', '.join(dice.sample(COUNTRIES, 3))}]}}\n"
        f"      - {{attribute: app_version, semver_gte: {number % 7}.{number % 10}.1}}\n"
    )


def _conditions(dice: random.Random) -> list[str]:
    """Conditions on different attributes in some order: rules that share none can't shadow each other.

    Few match a pattern: `check` points those out, for flagd can't say them.
    """
    tested = "matches: '^[a-z]+[0-9]{2,4}@test[.]example$'" if dice.random() < 0.01 else "ends_with: '@test.example'"
    choices = [
        "      - {attribute: email, ends_with: [\"@example.com\", '@example.org']}\n",
        f"      - {{attribute: country, in: [{', '.join(dice.sample(COUNTRIES, 3))}]}}\n",
        f"      - {{attribute: age, gte: {dice.randint(16, 80)}}}\n",
        f"      - {{attribute: app_version, semver_gte: {dice.randint(1, 9)}.{dice.randint(0, 9)}.0}}\n",
        f"      - {{segment: segment-{dice.randrange(SEGMENTS)}}}\n",
        "      - {attribute: roles, includes_any: [admin, support]}\n",
        f"      - not: {{attribute: signed_up, before: 202{dice.randint(0, 6)}-01-01T00:00:00Z}}\n",
        f"      - any:\n          - {{attribute: account.id, equals: account-{dice.randrange(10**4)}}}\n"
        f"          - {{attribute: email, {tested}}}\n",
    ]
    dice.shuffle(choices)
    return choices


def _boolean(dice: random.Random, number: int) -> tuple[str, str]:
    """(head, tail) of a boolean flag's file: what stands before and after its rules."""
    requires = f"requires:\n  - flag: flag-{number - number % 10:05}\n" if number % 10 in (3, 7) else ""
    overrides = "".join(f"    - user-{dice.randrange(10**6)}\n" for _ in range(dice.randint(1, 4)))
    head = f"{requires}overrides:\n  on:\n{overrides}  off: [user-x{number}@example.com]\n"
    tail = dice.choice(
        (
            "default:\n  serve: off\n",
            f"default:\n  rollout: {dice.randint(1, 99)}\n",
            "default:\n  ramp: {variant: on, from: 1, to: 100, start: 2026-06-01T08:00:00Z, duration: 7d, step: 5}\n",
            f"default:\n  rollout: 12.5\n  bucket_by: account.id\n  salt: salt-{number}\n",
        )
    )
    if number % 8 == 0:
        tail += "schedule:\n  - {at: 2027-01-01T09:00:00Z, enabled: true, default: {rollout: 10}}\n"
    return head, tail


def _string(dice: random.Random, number: int) -> tuple[str, str]:
    head = (
        "type: string\n"
        "variants:\n  control: the page as it was\n  one-page: all on one page\n  express: nothing but a button\n"
        "off_variant: control\n"
    )
    experiment = (
        f"  experiment:\n    name: exp-{number}\n    traffic: {dice.randint(10, 100)}\n"
        f"    hypothesis: fewer steps raise conversion\n    metrics: [conversion, revenue]\n"
    )
    tail = "default:\n  split: {control: 50, one-page: 25, express: 25}\n" + (experiment if number % 2 else "")
    return head, tail


def flag(number: int, environment: str) -> str:
    """One flag file. It differs between environments in everything that chance decides."""
    dice = random.Random(f"{number}/{environment}")
    team = TEAMS[number % len(TEAMS)]
    boolean = number % 4 != 1
    head, tail = _boolean(dice, number) if boolean else _string(dice, number)
    rules = ""
    conditions = _conditions(dice)
    for index in range(dice.randint(1, 3)):
        outcomes = ("serve: on", f"rollout: {dice.randint(1, 99)}") if boolean else ("serve: express", "serve: control")
        when = "".join(conditions.pop() for _ in range(dice.randint(1, 2)))
        rules += f"  - name: rule-{index}\n    when:\n{when}    {dice.choice(outcomes)}\n"
    return (
        "# yaml-language-server: $schema=../../schema/flag.schema.json\n"
        f"description: Feature number {number} of the benchmark, described in one honest sentence.\n"
        f"owner: {{team: {team}, email: {team}@example.com}}\n"
        f"documentation_url: https://wiki.example.com/features/{number}\n"
        f"tags: [{team}, benchmark]\n"
        f"kind: {'release' if boolean else 'experiment'}\n"
        f"{head}enabled: true\nexpires_at: 2031-0{number % 9 + 1}-01T00:00:00Z\ncache_ttl_seconds: 60\n"
        f"rules:\n{rules}{tail}"
    )


def _tests(number: int, expectations: int) -> str:
    """A test file whose one matrix expands to `expectations` cases of the flag's kill-switch-independent answer."""
    users = ", ".join(f"user-x{number}-{i}" for i in range(expectations))
    return (
        f"flag: flag-{number:05}\n"
        "tests:\n"
        "  - name: anybody gets some answer\n"
        "    environment: production\n"
        f"    matrix: {{targetingKey: [{users}]}}\n"
        "    context: {plan: free, country: DE, age: 30}\n"
        "    at: 2032-01-01T00:00:00Z\n"
        "    expect: {reason: DISABLED}\n"
    )


def generate(root: Path, files: int, expectations: int = 0) -> None:
    """Write `files` flag files (and a test file per 100 `expectations`) under `root`/flags."""
    flags = root / "flags"
    (flags / "tests").mkdir(parents=True, exist_ok=True)
    (flags / "flagctl.yaml").write_text(SETTINGS)
    (flags / "attributes.yaml").write_text(ATTRIBUTES)
    for place, environment in enumerate(ENVIRONMENTS):
        folder = flags / environment
        (folder / "segments").mkdir(parents=True, exist_ok=True)
        for number in range(SEGMENTS):
            text = _segment(random.Random(f"segment {number}"), number)
            (folder / "segments" / f"segment-{number}.yaml").write_text(text)
        for number in range((files + len(ENVIRONMENTS) - 1 - place) // len(ENVIRONMENTS)):
            team = folder / TEAMS[number % len(TEAMS)]
            team.mkdir(exist_ok=True)
            (team / f"flag-{number:05}.yaml").write_text(flag(number, environment))
    for number in range(-(-expectations // 100)):
        count = min(100, expectations - 100 * number)
        (flags / "tests" / f"flag-{number:05}.yaml").write_text(_tests(number, count))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--expectations", type=int, default=0)
    options = parser.parse_args()
    generate(options.root, options.files, options.expectations)


if __name__ == "__main__":
    main()
