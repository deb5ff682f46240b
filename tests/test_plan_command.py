"""`flagctl plan` as a person and as CI run it, in real Git repositories."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import jsonschema
import polars
import pytest
from test_plan import SCHEMA

from flagctl.errors import UsageError
from flagctl.model.repository import Attribute
from flagctl.plan.people import contexts

Run = Callable[..., "subprocess.CompletedProcess[str]"]
GitRun = Callable[..., str]
GALLERY = "flags/production/wishlist-gallery.yaml"


def raise_to(repo: Path, share: int) -> None:
    path = repo / GALLERY
    path.write_text(path.read_text().replace("rollout: 25", f"rollout: {share}"))


def test_the_work_tree_is_compared_with_main(flagctl: Run, repo: Path, git: GitRun) -> None:
    assert "nothing changes" in flagctl("plan").stderr
    raise_to(repo, 60)
    done = flagctl("plan")
    assert done.returncode == 0
    assert "everyone else: off → on 35.000 %" in done.stdout
    assert "requires wishlist-gallery, which changes" in done.stdout
    assert done.stderr == "production: 2 flags, 2 that anybody notices\n"
    assert flagctl("plan", "--exit-code").returncode == 3
    assert flagctl("plan", "--exit-code", "-e", "development").returncode == 0


def test_what_the_base_gained_since_is_nobodys_change_here(flagctl: Run, repo: Path, git: GitRun) -> None:
    git(repo, "checkout", "-qb", "work")
    raise_to(repo, 30)
    git(repo, "commit", "-qam", "thirty")
    git(repo, "checkout", "-q", "main")
    other = repo / "flags/development/wishlist-gallery.yaml"
    other.write_text(other.read_text().replace("25", "99"))
    git(repo, "commit", "-qam", "elsewhere")
    done = flagctl("plan", "--base", "main", "--head", "work", "--json")
    assert "main has changed flags since" in done.stderr
    document = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    assert [part["environment"] for part in document["environments"]] == ["production"]
    (moved,) = document["environments"][0]["flags"][0]["impact"]["groups"]
    assert (moved["moves"], moved["exact"]) == ([{"before": "off", "after": "on", "share": 5000}], True)


def test_origin_is_the_base_where_there_is_one(flagctl: Run, repo: Path, git: GitRun, tmp_path: Path) -> None:
    git(repo, "init", "-q", "--bare", str(tmp_path / "origin.git"))
    git(repo, "remote", "add", "origin", str(tmp_path / "origin.git"))
    git(repo, "push", "-q", "origin", "main")
    raise_to(repo, 30)
    git(repo, "commit", "-qam", "on main, but not pushed")
    assert "origin/main" in flagctl("plan").stdout
    assert "off → on 5.000 %" in flagctl("plan").stdout


def test_new_problems_are_shown_errors_first(flagctl: Run, repo: Path) -> None:
    (repo / "flags/production/broken.yaml").write_text("description: x\nowner: {team: a}\nrules: 3\n")
    (repo / "flags/production/any.yaml").write_text("description: x\nowner: {team: a}\n")
    done = flagctl("plan")
    assert "new error: flags/production/broken.yaml: " in done.stdout
    assert "new warning: flags/production/any.yaml: flag any is not in development" in done.stdout
    assert done.returncode == 0
    markdown = flagctl("plan", "--format", "markdown").stdout
    assert done.stdout.index("new error") < done.stdout.index("new warning")
    assert "* ❌ new error: `flags/production/broken.yaml` " in markdown
    assert "* ⚠️ new warning: `flags/production/any.yaml` " in markdown


def test_what_settings_say_otherwise_is_told_field_by_field(flagctl: Run, repo: Path, git: GitRun) -> None:
    path = repo / "flags/flagctl.yaml"
    said = path.read_text() + "    approvals: {required: 2, from: [sre]}\nteams:\n  sre: {members: ['@ada', '@bob']}\n"
    path.write_text(said)
    git(repo, "commit", "-qam", "Approvals")
    path.write_text(said.replace("required: 2", "required: 1").replace(", '@bob'", "") + "bucketing: flagd-3\n")
    lines = [line.strip() for line in flagctl("plan", "--base", "HEAD").stdout.splitlines()]
    assert lines[2:6] == [
        "everywhere",
        "bucketing portable → flagd-3: everybody is assigned anew",
        "environments/production/approvals/required 2 → 1",
        "teams/sre/members lost @bob",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--base", "nonsense"], '"nonsense" is no commit'),
        (["--head", "nonsense"], '"nonsense" is no commit'),
        (["-e", "prodution"], "did you mean production?"),
        (["--until", "tomorrow"], '"tomorrow" is no time'),
        (["--population", "people.txt"], "its name has to end in one of .csv, .jsonl, .ndjson, .parquet"),
        (["--population", "people.csv"], "there is no file people.csv"),
    ],
)
def test_what_makes_no_sense_is_refused(flagctl: Run, repo: Path, arguments: list[str], said: str) -> None:
    raise_to(repo, 30)
    done = flagctl("plan", *arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_people_in_a_file_are_counted(flagctl: Run, repo: Path) -> None:
    raise_to(repo, 100)
    rows = "".join(f"user-{number},a@b.c\n" for number in range(100)) + "user-x,x@example.com\n"
    (repo / "people.csv").write_text(f"targetingKey,email\n{rows}")
    (repo / "people.jsonl").write_text(
        "".join(
            json.dumps(dict(zip(("targetingKey", "email"), row.split(","), strict=True))) + "\n" for row in rows.split()
        )
    )
    counts = []
    for option in (("--population", "people.csv"), ("--contexts", "people.jsonl")):
        document = json.loads(flagctl("plan", "--json", *option).stdout)
        assert document["people"] == 101
        counts.append([flag["counts"] for flag in document["environments"][0]["flags"]])
    assert counts[0] == counts[1]
    moved = counts[0][0]["moved"]
    assert 55 < moved < 95
    assert counts[0][0]["matrix"] == [
        {"before": "off", "after": "on", "count": moved},
        {"before": "on", "after": "on", "count": 101 - moved},
    ]
    text = flagctl("plan", "--population", "people.csv").stdout
    assert f"{moved} of 101 contexts move" in text


ATTRIBUTES = {"age": Attribute(name="age", type="integer"), "account.id": Attribute(name="account.id", type="integer")}


def read(path: Path, text: str) -> list[object]:
    path.write_text(text)
    return list(contexts(path, ATTRIBUTES))


def test_a_csv_is_typed_as_attributes_are_declared(tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", '\ufefftargetingKey,age,account.id\n"a,b",42,7\nbob,,\n') == [
        {"targetingKey": "a,b", "age": 42, "account": {"id": 7}},
        {"targetingKey": "bob"},
    ]


def test_parquet_keeps_its_types_and_dots_lead_into_objects(tmp_path: Path) -> None:
    path = tmp_path / "people.parquet"
    polars.DataFrame({"targetingKey": ["a", "b"], "age": [42, None], "account.id": [7, 8]}).write_parquet(path)
    assert list(contexts(path, ATTRIBUTES)) == [
        {"targetingKey": "a", "age": 42, "account": {"id": 7}},
        {"targetingKey": "b", "account": {"id": 8}},
    ]
    path.write_bytes(b"PAR1 no")
    with pytest.raises(UsageError, match="can't be read as Parquet"):
        list(contexts(path, ATTRIBUTES))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "", "a.csv:1: no header line"),
        ("a.csv", "targetingKey,aeg\n", "a.csv:1: column 'aeg' is no declared attribute"),
        ("a.csv", "targetingKey,age\na,1\nb,old\n", 'a.csv:3: age is declared as integer, and "old" is none'),
        ("a.jsonl", '{"targetingKey": "a"}\n\n{oops}\n', "a.jsonl:3: no context"),
        ("a.jsonl", "[1]\n", "a.jsonl:1: no context"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path / name, text)
    assert said in caught.value.message
