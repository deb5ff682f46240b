"""Problems as people, GitHub, code scanning and programs get them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from flagtree import flag

from flagctl.check.catalogue import catalogue
from flagctl.cli.formats import problems as shown
from flagctl.cli.formats import problems_github, problems_json, problems_sarif, rules
from flagctl.cli.output import Output
from flagctl.problems import Problem

CHECKOUT = Problem(
    rule="split-sum",
    message="split adds up to 90, not 100",
    hint="10 % are missing",
    file="flags/production/checkout.yaml",
    pointer="/default/split",
    line=2,
    column=3,
)
TEXT = "default:\n  split: {a: 50, b: 40}\n"


def written(problem: Problem, text: str | None) -> str:
    stream = io.StringIO()
    shown.text(Output(stream, stream, {}), [problem], lambda _: text)
    return stream.getvalue()


def at(line: int, column: int, **more: Any) -> Problem:
    return Problem(rule="r", message="m", file="f.yaml", line=line, column=column, **more)


def test_a_problem_is_shown_with_its_line_a_caret_and_a_hint() -> None:
    assert written(CHECKOUT, TEXT) == (
        "flags/production/checkout.yaml:2:3: error: split adds up to 90, not 100 [split-sum]\n"
        "    split: {a: 50, b: 40}\n"
        "    ^\n"
        "  hint: 10 % are missing\n"
    )


@pytest.mark.parametrize(
    ("problem", "text", "expected"),
    [
        (at(0, 0), "a: b\n", "f.yaml: error: m [r]\n"),
        (at(1, 1, severity="warning"), None, "f.yaml:1:1: warning: m [r]\n"),
        (at(9, 1), "a: b\n", "f.yaml:9:1: error: m [r]\n"),
        (at(1, 1), "\n", "f.yaml:1:1: error: m [r]\n"),
        (at(1, 4), "a: b\r\n", "f.yaml:1:4: error: m [r]\n  a: b\n     ^\n"),
        (at(1, 99), "a: b\n", "f.yaml:1:99: error: m [r]\n  a: b\n      ^\n"),
        (at(1, 2), "\tx\n", "f.yaml:1:2: error: m [r]\n      x\n      ^\n"),
        (at(1, 4), "日本: x\n", "f.yaml:1:4: error: m [r]\n  日本: x\n       ^\n"),
        (at(1, 4), "e\u0301a: x\n", "f.yaml:1:4: error: m [r]\n  e\u0301a: x\n    ^\n"),
        (at(1, 3), "\x1b[31m: x\n", "f.yaml:1:3: error: m [r]\n  \\x1b[31m: x\n       ^\n"),
    ],
)
def test_the_caret_stands_under_the_place_whatever_the_line_holds(problem: Problem, text: str, expected: str) -> None:
    assert written(problem, text) == expected


def test_a_line_of_any_length_is_cut_around_the_place() -> None:
    source, caret = written(at(1, 50_001), "x" * 50_000 + "!" + "y" * 50_000).splitlines()[1:]
    assert len(source) < 130
    assert source[len(caret) - 1] == "!"
    assert source[2] == source[-1] == "…"


def test_what_files_say_can_not_steer_the_terminal() -> None:
    told = written(at(1, 1, hint="\x1b[2Jhint"), "\x1b[2J\n") + written(
        Problem(rule="r\x1b", message="m\x1b", file="f\x1b.yaml"), None
    )
    assert "\x1b" not in told


def test_colours_leave_the_words_as_they_are() -> None:
    stream = io.StringIO()
    shown.text(Output(stream, stream, {"FORCE_COLOR": "1"}), [CHECKOUT], lambda _: TEXT)
    assert "\x1b[31;1merror\x1b[0m: split adds up" in stream.getvalue()


def test_a_problem_told_on_stderr_leaves_stdout_alone() -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    shown.show_on_stderr(Output(stdout, stderr, {}), [CHECKOUT])
    assert stdout.getvalue() == ""
    assert stderr.getvalue().startswith("flags/production/checkout.yaml:2:3: error: split adds up")


@pytest.mark.parametrize(
    ("severities", "files", "expected"),
    [
        ("", 210, "no problems in 210 files"),
        ("e", 1, "1 error in 1 file"),
        ("eeew", 210, "3 errors, 1 warning in 210 files"),
        ("ww", 12345, "2 warnings in 12,345 files"),
        ("", 0, "no problems in 0 files"),
    ],
)
def test_the_summary_counts(severities: str, files: int, expected: str) -> None:
    found = [at(1, 1, severity="error" if letter == "e" else "warning") for letter in severities]
    assert shown.summary(found, files) == expected


@pytest.mark.parametrize(
    ("problem", "folder", "expected"),
    [
        (
            CHECKOUT,
            "",
            "::error file=flags/production/checkout.yaml,line=2,col=3,title=flagctl split-sum"
            "::split adds up to 90, not 100%0Ahint: 10 %25 are missing",
        ),
        (at(0, 0, severity="warning"), "services/web", "::warning file=services/web/f.yaml,title=flagctl r::m"),
        (
            Problem(rule="r", message="50%\r\n::error::x", file="a,b:c%.yaml", line=1, column=2),
            "",
            "::error file=a%2Cb%3Ac%25.yaml,line=1,col=2,title=flagctl r::50%25%0D%0A::error::x",
        ),
    ],
)
def test_github_gets_one_escaped_line_each(problem: Problem, folder: str, expected: str) -> None:
    assert problems_github.lines([problem], folder) == [expected]


def test_programs_get_all_there_is() -> None:
    assert problems_json.document([CHECKOUT, at(0, 0, severity="warning")], 7) == {
        "format": "flagctl/check/1",
        "problems": [
            {
                "rule": "split-sum",
                "severity": "error",
                "message": "split adds up to 90, not 100",
                "hint": "10 % are missing",
                "file": "flags/production/checkout.yaml",
                "line": 2,
                "column": 3,
                "pointer": "/default/split",
            },
            {
                "rule": "r",
                "severity": "warning",
                "message": "m",
                "hint": "",
                "file": "f.yaml",
                "line": 0,
                "column": 0,
                "pointer": "",
            },
        ],
        "counts": {"errors": 1, "warnings": 1, "files": 7},
    }


def test_code_scanning_gets_results_that_name_their_rule() -> None:
    odd = Problem(rule="expired", severity="warning", message="m", file="flags/ü b#c.yaml")
    document = json.loads(json.dumps(problems_sarif.document([CHECKOUT, odd], catalogue(), "shop")))
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    known = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in known] == list(catalogue())
    for rule in known:
        assert rule["defaultConfiguration"]["level"] in ("error", "warning")
        assert rule["shortDescription"]["text"]
        assert rule["help"]["text"]
        assert rule["help"]["markdown"].count("```") % 2 == 0
    first, second = run["results"]
    for result in (first, second):
        assert known[result["ruleIndex"]]["id"] == result["ruleId"]
    assert first["level"] == "error"
    assert first["message"]["text"] == "split adds up to 90, not 100 (hint: 10 % are missing)"
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "shop/flags/production/checkout.yaml"},
        "region": {"startLine": 2, "startColumn": 3},
    }
    place = second["locations"][0]["physicalLocation"]
    assert "region" not in place
    assert unquote(place["artifactLocation"]["uri"]) == "shop/flags/ü b#c.yaml"
    assert place["artifactLocation"]["uri"].isascii()
    assert "#" not in place["artifactLocation"]["uri"]


def test_a_rules_page_says_why_what_is_wrong_and_how_to_live_with_it() -> None:
    page = rules.page(catalogue()["split-sum"])
    assert page.startswith("split-sum (error)\n\nThe weights of a split do not add up to 100.\n\nWhoever")
    assert "\n    default:\n      split: {control: 50, one-page: 20, express: 20}    # <- adds up to 90\n" in page
    assert "# flagctl: allow split-sum — reason" in page
    assert "allow yaml-syntax" not in rules.page(catalogue()["yaml-syntax"])
    assert "# flags/production/basket.yaml\n" in rules.page(catalogue()["slot-overlap"])


# ---- the command ----

WRONG = {
    "flags/flagctl.yaml": "environments: {staging: {}, production: {promotes_from: staging}}\n",
    "flags/attributes.yaml": "attributes: {}\n",
    "flags/staging/a.yaml": flag("default: {serve: of}\n"),
    "flags/production/b.yaml": flag(),
}
Flagctl = Callable[..., Any]


@pytest.fixture
def wrong(make_repo: Callable[..., Path]) -> Path:
    return make_repo(WRONG, "wrong")


@pytest.mark.parametrize(
    ("arguments", "code", "rules_", "summary"),
    [
        ([], 1, ["missing-upstream", "unknown-variant"], "1 error, 1 warning in 4 files"),
        (["--strict"], 1, ["missing-upstream", "unknown-variant"], "1 error, 1 warning in 4 files"),
        (["-e", "production"], 0, ["missing-upstream"], "1 warning in 3 files"),
        (["-e", "production", "--strict"], 1, ["missing-upstream"], "1 warning in 3 files"),
        (["a"], 1, ["unknown-variant"], "1 error in 1 file"),
        (["flags/attributes.yaml", "--strict"], 0, [], "no problems in 1 file"),
    ],
)
def test_check_shows_what_was_asked_for_and_says_no_on_errors(
    flagctl: Flagctl, wrong: Path, arguments: list[str], code: int, rules_: list[str], summary: str
) -> None:
    text = flagctl("check", *arguments, cwd=wrong)
    assert text.returncode == code, text.stderr
    assert [line.split("[")[-1][:-1] for line in text.stdout.splitlines() if line.startswith("flags/")] == rules_
    assert text.stderr == f"{summary}\n"
    as_json = flagctl("check", *arguments, "--json", cwd=wrong)
    assert (as_json.returncode, as_json.stderr) == (code, f"{summary}\n")
    assert [problem["rule"] for problem in json.loads(as_json.stdout)["problems"]] == rules_


def test_check_annotates_by_itself_under_github_actions_with_paths_from_the_repositorys_top(
    flagctl: Flagctl, make_repo: Callable[..., Path]
) -> None:
    top = make_repo({f"services/shop/{path}": text for path, text in WRONG.items()}, "monorepo")
    shop = top / "services" / "shop"
    here = flagctl("check", cwd=shop, env={"GITHUB_ACTIONS": "true"})
    assert [line.split(",")[0] for line in here.stdout.splitlines()] == [
        "::warning file=services/shop/flags/production/b.yaml",
        "::error file=services/shop/flags/staging/a.yaml",
    ]
    told = flagctl("check", "--format", "text", cwd=shop, env={"GITHUB_ACTIONS": "true"})
    assert told.stdout.startswith("flags/production/b.yaml:1:1: warning: ")
    sarif = json.loads(flagctl("check", "--format", "sarif", cwd=shop).stdout)
    locations = [result["locations"][0]["physicalLocation"] for result in sarif["runs"][0]["results"]]
    assert [place["artifactLocation"]["uri"] for place in locations] == [
        "services/shop/flags/production/b.yaml",
        "services/shop/flags/staging/a.yaml",
    ]


def test_the_clock_of_check_can_be_set(flagctl: Flagctl, make_repo: Callable[..., Path]) -> None:
    repo = make_repo({**WRONG, "flags/staging/a.yaml": flag(expires_at="2030-01-01")}, "clock")
    for clock, rule in (("2029-01-01", ""), ("2029-12-24", "[expires-soon]"), ("2030-01-02", "[expired]")):
        done = flagctl("check", "a", "--clock", clock, cwd=repo)
        assert (bool(done.stdout), rule in done.stdout) == (bool(rule), True)


def test_rules_are_listed_and_shown(flagctl: Flagctl, tmp_path: Path) -> None:
    listed = flagctl("rule", "list", cwd=tmp_path)
    assert [line.split()[0] for line in listed.stdout.splitlines()[1:]] == list(catalogue())
    documents = json.loads(flagctl("rule", "list", "--json", cwd=tmp_path).stdout)
    assert {rule["id"]: rule["severity"] for rule in documents["rules"]} == {
        r.id: r.severity for r in catalogue().values()
    }
    assert flagctl("rule", "show", "expired", cwd=tmp_path).stdout == rules.page(catalogue()["expired"]) + "\n"
    unknown = flagctl("rule", "show", "expried", cwd=tmp_path)
    assert (unknown.returncode, unknown.stderr) == (2, 'error: no rule "expried"\nhint: did you mean expired?\n')
