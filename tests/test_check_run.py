"""One pass over everything: what is allowed where, what settings weigh, and in which order problems come."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
from flagtree import FLAG, NOW, TextTree, flag, problems, reading

from flagctl.check.run import check, located
from flagctl.check.select import selected
from flagctl.errors import UsageError
from flagctl.files.repository import read_repository
from flagctl.files.walk import DiskTree

SALT = "default:\n  rollout: 25\n  salt: wünsche"
WHY = "flagctl: allow non-ascii-salt — only Python reads it"


def told(text: str) -> list[tuple[str, int]]:
    return [(p.rule, p.line) for p in problems(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{SALT}    # {WHY}\n", []),
        (f"{SALT} #{WHY}\n", []),
        (f"{SALT}    # see below; # {WHY}\n", []),
        (f"{SALT}    # {WHY.replace('—', '-')}\n", []),
        (f"{SALT}    # {WHY.replace('—', '--')}\n", []),
        (f"{SALT}    # {WHY.replace('—', '–')}\n", []),
        (SALT.replace("  salt", f"  # {WHY}\n  salt") + "\n", []),
        (SALT.replace("  salt", f"  # {WHY}\n\n  # more about it\n  salt") + "\n", []),
        (SALT.replace("  salt", f"# {WHY}\n  salt") + "\n", []),
        # elsewhere it allows nothing
        (f"{SALT}\n# {WHY}\n", [("non-ascii-salt", 5), ("allow-unused", 6)]),
        (SALT.replace("25", f"25    # {WHY}") + "\n", [("allow-unused", 4), ("non-ascii-salt", 5)]),
        (SALT.replace("  rollout", f"  # {WHY}\n  rollout") + "\n", [("allow-unused", 4), ("non-ascii-salt", 6)]),
        # without a reason, or of another rule, it allows nothing either
        (f"{SALT}    # flagctl: allow non-ascii-salt\n", [("non-ascii-salt", 5), ("allow-reason", 5)]),
        (f"{SALT}    # flagctl: allow non-ascii-salt —\n", [("non-ascii-salt", 5), ("allow-reason", 5)]),
        (f"{SALT}    # flagctl: allow non-ascii-salt because\n", [("non-ascii-salt", 5), ("allow-reason", 5)]),
        (f"{SALT}    # flagctl: allow expired — no\n", [("non-ascii-salt", 5), ("allow-unused", 5)]),
        (f"{SALT}    # flagctl: allow non-asci-salt — no\n", [("non-ascii-salt", 5), ("unknown-rule", 5)]),
        (f"{SALT}    # flagctl: allow\n", [("non-ascii-salt", 5), ("unknown-rule", 5)]),
        # what only looks like a comment is none
        (f"{SALT.replace('wünsche', repr('wü # ' + WHY))}\n", [("non-ascii-salt", 5)]),
        (f"{SALT}    # flagctl: disallow\n", [("non-ascii-salt", 5)]),
    ],
)
def test_a_comment_allows_one_problem_in_one_place(text: str, expected: list[tuple[str, int]]) -> None:
    assert told(flag(text)) == expected


def test_two_comments_above_a_line_and_one_behind_it_allow_three_problems() -> None:
    text = flag(
        "rules:\n"
        "  # flagctl: allow unknown-attribute — declared next week\n"
        "  # flagctl: allow unknown-variant — so is this\n"
        "  - {name: a, when: [{attribute: nope, exists: true}, {segment: s}], serve: maybe}"
        "  # flagctl: allow unknown-segment - and this\n"
    )
    assert told(text) == []


def test_a_problem_of_the_whole_file_is_allowed_at_its_head() -> None:
    files = {
        "flags/flagctl.yaml": "environments: {staging: {}, production: {promotes_from: staging}}\n",
        FLAG: f"# Made for Christmas.\n# flagctl: allow missing-upstream — a hotfix\n---\n{flag()}",
    }
    assert problems(files) == []
    files[FLAG] = files[FLAG].replace("allow", "about")
    assert [(p.rule, p.line, p.column) for p in problems(files)] == [("missing-upstream", 4, 1)]


@pytest.mark.parametrize(
    "text",
    [
        "# flagctl: allow yaml-syntax — no\ndescription: [\n",
        flag("enabled: sometimes    # flagctl: allow schema — no\n"),
        flag("enabeld: true    # flagctl: allow unknown-field — no\n"),
        flag("default: {rollout: 200}    # flagctl: allow percent — no\n"),
    ],
)
def test_what_makes_a_file_useless_can_not_be_allowed(text: str) -> None:
    found = {p.rule for p in problems(text)}
    assert found - {"firm-rule"} <= {"yaml-syntax", "schema", "unknown-field", "percent"}
    assert len(found - {"firm-rule"}) == 1


def test_a_note_of_an_experiment_that_looks_mistyped_may_be_allowed() -> None:
    text = "default:\n  split: {on: 50, off: 50}\n  experiment: {name: x, layers: y}"
    assert told(flag(text)) == [("unknown-field", 5)]
    assert told(flag(f"{text}    # flagctl: allow unknown-field — layers of the page\n")) == []


def test_no_comment_is_called_unused_while_something_could_not_be_read() -> None:
    files = {
        "flags/production/segments/friends.yaml": "# flagctl: allow unused-segment — next week\n"
        "when: [{attribute: country, equals: DE}]\n"
    }
    assert problems(files) == []
    assert [p.rule for p in problems(files | {FLAG: "description: ["})] == ["yaml-syntax"]


def settings(*severities: str) -> dict[str, str]:
    return {
        "flags/flagctl.yaml": f"environments: {{production: {{}}}}\ncheck: {{severity: {{{', '.join(severities)}}}}}\n"
    }


@pytest.mark.parametrize(
    ("severities", "expected"),
    [
        ([], ["warning", "error"]),
        (["non-ascii-salt: error"], ["error", "error"]),
        (["split-sum: warning"], ["warning", "warning"]),
        (["non-ascii-salt: off"], ["error"]),
        (["non-ascii-salt: off", "split-sum: off"], []),
    ],
)
def test_settings_weigh_rules(severities: list[str], expected: list[str]) -> None:
    files = settings(*severities) | {
        "flags/production/a.yaml": flag(f"{SALT}\n"),
        "flags/production/b.yaml": flag("default: {split: {on: 1, off: 1}}\n"),
    }
    assert [p.severity for p in problems(files)] == expected


def test_settings_weigh_what_is_wrong_with_comments_too() -> None:
    text = flag("# flagctl: allow expired — no\n")
    assert [p.severity for p in problems({FLAG: text})] == ["warning"]
    assert [p.severity for p in problems(settings("allow-unused: error") | {FLAG: text})] == ["error"]
    assert problems(settings("allow-unused: off") | {FLAG: text}) == []


def test_settings_can_lower_an_expiry_of_any_age() -> None:
    assert [p.severity for p in problems(settings("expired: warning") | {FLAG: flag(expires_at="2020-01-01")})] == [
        "warning"
    ]


def test_settings_that_name_no_rule_or_one_that_stands_firm_are_told() -> None:
    found = problems(settings("splitsum: error", "schema: off", "yaml-syntax: error") | {FLAG: flag("enabled: 1\n")})
    assert [(p.rule, p.file, p.line, p.hint) for p in found] == [
        ("unknown-rule", "flags/flagctl.yaml", 2, "did you mean split-sum?"),
        ("firm-rule", "flags/flagctl.yaml", 2, "take this line away"),
        ("schema", FLAG, 4 - 1, found[2].hint),
    ]


def test_problems_come_by_file_and_place_whatever_found_them() -> None:
    files = {
        "flags/production/b.yaml": flag("default: {serve: of}\nrequires: [{flag: nope}]\n"),
        "flags/production/a/c.yaml": flag("rules:\n  - {name: x, when: [{segment: s}], serve: o}\n"),
        "flags/production/a/d.yaml": "description: [\n",
    }
    found = problems(files)
    assert [(p.file, p.line, p.column) for p in found] == sorted((p.file, p.line, p.column) for p in found)
    assert [p.rule for p in found] == [
        "unknown-segment",
        "unknown-variant",
        "yaml-syntax",
        "unknown-variant",
        "unknown-flag",
    ]
    assert all(p.line and p.column for p in found)


class CountingTree(TextTree):
    def __init__(self, files: dict[str, str]) -> None:
        super().__init__(files)
        self.read_paths: list[str] = []

    def read(self, path: str) -> bytes:
        self.read_paths.append(path)
        return super().read(path)


def test_only_files_with_problems_or_comments_are_looked_at_again() -> None:
    tree = CountingTree(
        {
            "flags/production/fine.yaml": flag(),
            "flags/production/wrong.yaml": flag("default: {serve: of}\noverrides: {nobody: [me]}\n"),
            "flags/production/allowed.yaml": flag(f"{SALT}    # {WHY}\n"),
        }
    )
    found = read_repository(tree)
    tree.read_paths.clear()
    assert len(check(found, NOW)) == 2
    assert sorted(tree.read_paths) == ["flags/production/allowed.yaml", "flags/production/wrong.yaml"]


def test_lines_of_warnings_can_be_left_for_later() -> None:
    allowed = f"{SALT}    # {WHY}\n"
    files = {
        "flags/production/a.yaml": flag(f"{SALT}\n"),
        "flags/production/b.yaml": flag(allowed),
        "flags/production/c.yaml": flag("default: {serve: nothing}\n"),
    }
    read = reading(files)
    later = check(read, NOW, placed=False)
    assert [(problem.file[-6:], problem.rule, problem.line) for problem in later] == [
        ("a.yaml", "non-ascii-salt", 0),
        ("c.yaml", "unknown-variant", 3),
    ]
    assert located(later, read) == check(read, NOW)


def test_a_file_that_vanished_meanwhile_keeps_its_problems_without_a_line() -> None:
    tree = TextTree({FLAG: flag("default: {serve: of}\n")})
    found = read_repository(tree)
    del tree.files[FLAG]
    assert [(p.rule, p.line) for p in check(found, NOW)] == [("unknown-variant", 0)]


def test_nothing_is_shown_of_what_a_refused_link_leads_to(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("password: hunter2\n")
    production = tmp_path / "repo" / "flags" / "production"
    production.mkdir(parents=True)
    (tmp_path / "repo" / "flags" / "flagctl.yaml").write_text("environments: {production: {}}\n")
    (production / "link.yaml").symlink_to(secret)
    (problem,) = check(read_repository(DiskTree(tmp_path / "repo")), NOW)
    assert (problem.rule, problem.file, problem.line) == ("file-access", "flags/production/link.yaml", 0)


def test_the_garbage_collector_is_left_as_it_was() -> None:
    assert gc.isenabled()
    problems(flag())
    assert gc.isenabled()


FILES = {
    "flags/flagctl.yaml": "environments: {staging: {}, production: {}}\n",
    "flags/staging/web/gallery.yaml": flag(),
    "flags/production/web/gallery.yaml": flag(),
    "flags/production/web/edit.yaml": flag(),
    "flags/production/segments/staff.yaml": "when: [{attribute: country, equals: DE}]\n",
    "flags/tests/gallery.yaml": "tests: [{expect: {variant: off}}]\n",
}


@pytest.mark.parametrize(
    ("names", "environment", "here", "expected"),
    [
        ([], None, "", {*FILES, "flags/attributes.yaml"}),
        (["gallery"], None, "", {path for path in FILES if path.endswith("gallery.yaml")}),
        (["gallery"], "production", "", {"flags/production/web/gallery.yaml"}),
        (["staff", "edit"], None, "", {"flags/production/segments/staff.yaml", "flags/production/web/edit.yaml"}),
        (["flags/production/web"], None, "", {path for path in FILES if path.startswith("flags/production/web/")}),
        (["web/edit.yaml"], None, "flags/production", {"flags/production/web/edit.yaml"}),
        (["flags/flagctl.yaml"], None, "flags/production", {"flags/flagctl.yaml"}),
        (["."], "staging", "", {"flags/staging/web/gallery.yaml", "flags/flagctl.yaml", "flags/attributes.yaml"}),
    ],
)
def test_files_are_chosen_by_key_path_and_environment(
    tmp_path: Path, names: list[str], environment: str | None, here: str, expected: set[str]
) -> None:
    chosen = selected(reading(FILES), [], names=names, environment=environment, root=tmp_path, here=tmp_path / here)
    assert chosen == expected


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ({"names": ["galery"]}, '"galery" is no flag', "did you mean gallery?"),
        ({"names": ["../secrets"]}, "is no flag", ""),
        ({"environment": "prodution"}, 'no environment "prodution"', "did you mean production?"),
    ],
)
def test_a_name_that_is_nothing_is_said(tmp_path: Path, arguments: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        selected(reading(FILES), [], root=tmp_path, here=tmp_path, **arguments)
    assert message in caught.value.message
    assert caught.value.hint == hint
