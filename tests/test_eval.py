"""`flagctl eval`, as a person runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

WHEN = ("--clock", "2026-12-01T00:00:00Z")
GALLERY = "flags/production/wishlist-gallery.yaml"


def evaluated(flagctl: Callable[..., Any], *arguments: str, **more: Any) -> Any:
    done = flagctl("eval", "-e", "production", "--json", *WHEN, *arguments, **more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_value_variant_and_reason_are_one_small_block(flagctl: Callable[..., Any]) -> None:
    done = flagctl("eval", "wishlist-gallery", "-e", "production", "-a", "email=ada@example.com")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["value    true", "variant  on", "reason   TARGETING_MATCH, rule staff"]


def test_json_names_its_format(flagctl: Callable[..., Any]) -> None:
    assert evaluated(flagctl, "wishlist-gallery", "--user", "ada", "-a", "email=ada@example.com") == {
        "format": "flagctl/eval/1",
        "environment": "production",
        "at": "2026-12-01T00:00:00Z",
        "version": 1,
        "flag": "wishlist-gallery",
        "value": True,
        "variant": "on",
        "reason": "TARGETING_MATCH",
        "rule": "staff",
        "experiment": None,
        "error_code": None,
        "error_message": None,
    }


def test_the_user_is_the_targeting_key(flagctl: Callable[..., Any]) -> None:
    variants = {evaluated(flagctl, "wishlist-gallery", "--user", f"user-{n}")["variant"] for n in range(12)}
    assert variants == {"on", "off"}
    assert evaluated(flagctl, "wishlist-gallery")["reason"] == "DEFAULT"


def test_every_step_is_explained_with_file_and_line(repo: Path, flagctl: Callable[..., Any]) -> None:
    done = flagctl("eval", "wishlist-edit", "-e", "production", "--user", "ada", "--explain")
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()[5:]]
    text = (repo / GALLERY).read_text().splitlines()
    told = {said: place for place, said in lines}
    for said, file_line in [
        ("rule staff — no", "name: staff"),
        ("email ends with @example.com — no: email is missing", "email, ends_with"),
        ("default", "rollout: 25"),
    ]:
        file, _, number = told[said].rpartition(":")
        assert file == GALLERY
        assert file_line in text[int(number) - 1]
    bucket = next(said for said in told if said.startswith("bucket"))
    assert 'of 100,000 under salt "wishlist-gallery": o' in bucket
    assert told[bucket] == f"{GALLERY}:{text.index('  rollout: 25') + 1}"
    required = next(said for said in told if said.startswith("requires"))
    assert told[required] == "flags/production/wishlist-edit.yaml:4"


def test_steps_are_data_too(flagctl: Callable[..., Any]) -> None:
    steps = evaluated(flagctl, "wishlist-gallery", "--explain")["steps"]
    rule = next(step for step in steps if step["text"].startswith("rule staff"))
    assert rule == {"file": GALLERY, "line": 6, "depth": 0, "text": "rule staff — no", "outcome": False}


def test_a_step_of_a_segment_points_into_its_file(repo: Path, flagctl: Callable[..., Any]) -> None:
    folder = repo / "flags/production/segments"
    folder.mkdir()
    (folder / "pros.yaml").write_text("when:\n  - {attribute: plan, equals: pro}\n")
    flag = repo / GALLERY
    flag.write_text(flag.read_text().replace('{attribute: email, ends_with: "@example.com"}', "{segment: pros}"))
    done = flagctl("eval", "wishlist-gallery", "-e", "production", "-a", "plan=pro", "--explain")
    assert "rule staff" in done.stdout
    place = next(line.split()[0] for line in done.stdout.splitlines() if "plan is pro — yes" in line)
    assert place == "flags/production/segments/pros.yaml:2"


def test_all_flags_are_a_table(flagctl: Callable[..., Any]) -> None:
    done = flagctl("eval", "--all", "-e", "production", "-a", "email=a@example.com")
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["FLAG", "VALUE", "VARIANT", "REASON", "RULE"],
        ["wishlist-edit", "true", "on", "DEFAULT"],
        ["wishlist-gallery", "true", "on", "TARGETING_MATCH", "staff"],
    ]
    document = evaluated(flagctl, "--all")
    assert document["format"] == "flagctl/eval-all/1"
    assert set(document["flags"]) == {"wishlist-edit", "wishlist-gallery"}


def test_all_flags_can_be_explained(flagctl: Callable[..., Any]) -> None:
    blocks = flagctl("eval", "--all", "-e", "production", "--explain").stdout.split("\n\n")
    assert [block.splitlines()[0] for block in blocks[::2]] == ["wishlist-edit", "wishlist-gallery"]


def test_a_preview_reaches_a_required_flag(flagctl: Callable[..., Any]) -> None:
    found = evaluated(flagctl, "wishlist-edit", "--preview", "wishlist-gallery:true")
    assert (found["value"], found["reason"]) == (True, "DEFAULT")
    assert evaluated(flagctl, "wishlist-edit", "--preview", "wishlist-edit:false")["rule"] == "preview"


def test_time_may_be_given(repo: Path, flagctl: Callable[..., Any]) -> None:
    flag = repo / GALLERY
    flag.write_text(flag.read_text() + "expires_at: 2026-12-01T00:00:00Z\n")
    before = flagctl("eval", "wishlist-gallery", "-e", "production", "--clock", "2026-11-30T23:59:59Z").stdout
    assert "DISABLED" not in before
    assert evaluated(flagctl, "wishlist-gallery")["reason"] == "DISABLED"


def test_a_context_comes_from_a_file_or_stdin_and_attributes_lie_over_it(
    tmp_path: Path, flagctl: Callable[..., Any]
) -> None:
    context = json.dumps({"targetingKey": "ada", "email": "ada@example.com"})
    file = tmp_path / "context.json"
    file.write_text(context)
    assert evaluated(flagctl, "wishlist-gallery", "--context", str(file))["rule"] == "staff"
    assert evaluated(flagctl, "wishlist-gallery", "--context", "-", input=context)["rule"] == "staff"
    assert evaluated(flagctl, "wishlist-gallery", "--context", "-", "-a", "email=x", input=context)["rule"] is None


def test_an_undeclared_attribute_is_a_warning_with_a_hint(flagctl: Callable[..., Any]) -> None:
    done = flagctl("eval", "wishlist-gallery", "-e", "production", "-a", "emial=ada@example.com")
    assert done.returncode == 0
    assert 'attribute "emial" is not declared' in done.stderr
    assert "did you mean email?" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["wishlist-galery", "-e", "production"], ['no flag "wishlist-galery" in production', "wishlist-gallery?"]),
        (["wishlist-gallery", "-e", "prodution"], ['no environment "prodution"', "did you mean production?"]),
        (["-e", "production"], ["name one flag, or say --all"]),
        (["wishlist-gallery", "--all", "-e", "production"], ["name one flag, or say --all"]),
        (["wishlist-gallery"], ["--environment"]),
        (["wishlist-gallery", "-e", "production", "-a", "age=old"], ["age is declared as integer", "hint:"]),
        (["wishlist-gallery", "-e", "production", "--clock", "soon"], ['"soon" is no time']),
        (["wishlist-gallery", "-e", "production", "--at", "soon"], ["neither a revision nor a date"]),
        (["wishlist-gallery", "-e", "production", "--preview", "wishlist-gallery:onn"], ["did you mean on?"]),
        (["wishlist-gallery", "-e", "production", "--context", "-"], ["the context is no JSON"]),
    ],
)
def test_wrong_use_says_what_to_type(flagctl: Callable[..., Any], arguments: list[str], words: list[str]) -> None:
    done = flagctl("eval", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert all(word in done.stderr for word in words), done.stderr


def test_a_context_that_can_not_be_read_is_said(tmp_path: Path, flagctl: Callable[..., Any]) -> None:
    done = flagctl("eval", "wishlist-gallery", "-e", "production", "--context", tmp_path / "none.json")
    assert done.returncode == 4
    assert "none.json can't be read" in done.stderr


@pytest.mark.parametrize("arguments", [["wishlist-gallery"], ["wishlist-edit"], ["--all"]])
def test_a_flag_in_question_with_problems_is_not_answered(
    repo: Path, flagctl: Callable[..., Any], arguments: list[str]
) -> None:
    flag = repo / GALLERY
    flag.write_text(flag.read_text().replace("rollout:", "rolout:"))
    done = flagctl("eval", *arguments, "-e", "production")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{GALLERY}:11:3: error" in done.stderr
    assert "rollout" in done.stderr


def test_problems_of_other_files_are_in_nobodys_way(repo: Path, flagctl: Callable[..., Any]) -> None:
    (repo / "flags/production/broken.yaml").write_text("{")
    (repo / "flags/development/wishlist-gallery.yaml").write_text("{")
    assert flagctl("eval", "wishlist-edit", "-e", "production").returncode == 0


@pytest.mark.parametrize("file", ["flags/flagctl.yaml", "flags/attributes.yaml"])
def test_what_all_flags_share_must_be_sound(repo: Path, flagctl: Callable[..., Any], file: str) -> None:
    (repo / file).write_text("surprise: 1\n")
    done = flagctl("eval", "wishlist-gallery", "-e", "production")
    assert done.returncode == 1
    assert file in done.stderr


def test_an_answer_that_failed_is_a_no(repo: Path, flagctl: Callable[..., Any]) -> None:
    # check forbids it, eval reads one flag and its needs only
    flag = repo / GALLERY
    flag.write_text(flag.read_text().replace("serve: on", "serve: purple"))
    done = flagctl("eval", "wishlist-gallery", "-e", "production", "-a", "email=ada@example.com")
    assert done.returncode == 1
    assert "error    PARSE_ERROR" in done.stdout


def test_text_from_files_can_not_steer_the_terminal(repo: Path, flagctl: Callable[..., Any]) -> None:
    flag = repo / GALLERY
    flag.write_text(flag.read_text().replace("name: staff", 'name: "sta\\e[2Jff"'))
    done = flagctl("eval", "wishlist-gallery", "-e", "production", "-a", "email=ada@example.com", "--explain")
    assert "\x1b" not in done.stdout
    assert "sta\\x1b[2Jff" in done.stdout
