"""The repository as it was: `--at`, versions that agree everywhere, `diff`, `blame`, the archive, `log --verify`."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import SMALL
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from test_log import FLAG, KEY, OTHER, SEGMENT, Repo, branch, merge

from flagctl.client import Client
from flagctl.client.provider import FlagctlProvider
from flagctl.errors import UsageError
from flagctl.history.moment import moment
from flagctl.model import times

GitRun = Callable[..., str]
Run = Callable[..., Any]
NOW = times.seconds("2026-03-31T12:00:00Z") or 0


@pytest.fixture
def people(repo: Path, git: GitRun) -> Iterator[Repo]:
    people = Repo(repo, git)
    people.clock = times.seconds("2026-09-01T00:00:00Z") or 0
    os.environ["GIT_AUTHOR_DATE"] = os.environ["GIT_COMMITTER_DATE"] = f"{people.clock} +0000"
    git(repo, "commit", "-q", "--amend", "--no-edit", "--reset-author")
    yield people
    for name in ("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"):
        os.environ.pop(name, None)


MOMENTS: list[tuple[str, str | None]] = [
    ("2026-03-01", "2026-03-01T00:00:00Z"),
    ("2026-03-01T10:00:00+02:00", "2026-03-01T08:00:00Z"),
    ("3 days ago", "2026-03-28T12:00:00Z"),
    ("3.days.ago", "2026-03-28T12:00:00Z"),
    ("an hour ago", "2026-03-31T11:00:00Z"),
    ("90 minutes", "2026-03-31T10:30:00Z"),
    ("2 weeks ago", "2026-03-17T12:00:00Z"),
    ("1 month ago", "2026-02-28T12:00:00Z"),
    ("13 months ago", "2025-02-28T12:00:00Z"),
    ("1 year ago", "2025-03-31T12:00:00Z"),
    ("Yesterday", "2026-03-30T12:00:00Z"),
    ("now", "2026-03-31T12:00:00Z"),
    ("999999 years ago", None),
    ("soon", None),
    ("HEAD~3", None),
    ("3 days hence", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "wanted"), MOMENTS)
def test_what_people_type_for_a_time(text: str, wanted: str | None) -> None:
    found = moment(text, NOW)
    assert (None if found is None else times.text(found)) == wanted


@pytest.fixture
def shares(people: Repo) -> Repo:
    """Rollouts of 25, 50 and 75 on 1, 2 and 3 September, midnight."""
    people.clock += 86_400 - 3600
    people.edit("rollout: 25", "rollout: 50", "Half")
    people.clock += 86_400 - 3600
    people.edit("rollout: 50", "rollout: 75", "More")
    return people


def default(flagctl: Run, *arguments: str, **more: Any) -> Any:
    done = flagctl("show", KEY, "-e", "production", "--json", *arguments, **more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["environments"]["production"]["flag"]["default"]["rollout"]


@pytest.mark.parametrize(
    ("at", "share"),
    [
        ("HEAD", 75), ("HEAD~1", 50), ("start", 25), ("2026-09-02", 50), ("2026-09-01T23:59:59Z", 25),
        ("2026-09-03", 75), ("2030-01-01", 75), ("@v1", 25), (f"{KEY}@v2", 50), ("refs/tags/2026-09-03", 25),
    ],
)  # fmt: skip
def test_a_flag_as_it_was(shares: Repo, flagctl: Run, at: str, share: int) -> None:
    shares.git("tag", "start", "HEAD~2")
    shares.git("tag", "2026-09-03", "HEAD~2")
    (shares.root / FLAG).unlink()
    assert default(flagctl, "--at", at) == share
    if at.startswith("@v"):
        assert default(flagctl, "--version", at[2:]) == share


@pytest.mark.parametrize(
    ("at", "code", "words"),
    [
        ("nonsense", 2, "neither a revision nor a date"),
        ("--all", 2, "neither a revision nor a date"),
        ("HEAD^{tree}", 2, "neither a revision nor a date"),
        ("2020-01-01", 2, "there was no commit yet"),
        ("@v9", 2, "there is 1 to 3; flagctl log wishlist-gallery -e production shows them"),
        ("other@v1", 2, "neither now nor before"),
    ],
)
def test_a_time_that_never_was(shares: Repo, flagctl: Run, at: str, code: int, words: str) -> None:
    done = flagctl("show", KEY, "-e", "production", f"--at={at}")
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr


def test_a_shallow_clone_does_not_reach_back(shares: Repo, flagctl: Run, git: GitRun, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{shares.root}", "shallow")
    assert default(flagctl, "--at", "2026-09-03", cwd=tmp_path / "shallow") == 75
    done = flagctl("list", "--at", "2026-09-01", cwd=tmp_path / "shallow")
    assert done.returncode == 5
    assert "fetch-depth: 0" in done.stderr


def test_the_clock_of_then_moves_a_ramp_as_it_did(people: Repo, flagctl: Run) -> None:
    ramp = "ramp: {variant: on, from: 0, to: 100, start: 2026-09-02, duration: 10d, step: 10}"
    people.edit("rollout: 25", ramp, "Ramp")
    people.clock += 20 * 86_400
    people.edit(ramp, "serve: off", "Enough")

    def answer(*arguments: str) -> Any:
        done = flagctl("eval", KEY, "-e", "production", "--user", "u-3", "--json", *arguments)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        return found["at"], found["reason"], found["variant"]

    assert answer("--at", "2026-09-01T12:00:00Z") == ("2026-09-01T12:00:00Z", "SPLIT", "off")
    assert answer("--at", "2026-09-13") == ("2026-09-13T00:00:00Z", "SPLIT", "on")
    assert answer("--at", "HEAD~1", "--clock", "2026-09-13")[2] == "on"
    assert answer("--at", "HEAD~1") == ("2026-09-01T01:00:00Z", "SPLIT", "off")
    assert answer("--clock", "2026-09-13") == ("2026-09-13T00:00:00Z", "DEFAULT", "off")


def test_every_reading_command_travels(shares: Repo, flagctl: Run, git: GitRun, tmp_path: Path) -> None:
    shares.write(
        "flags/tests/x.yaml",
        f"flag: {KEY}\ntests:\n  - {{environment: production, expect: {{variant: on}}, bucket: 30}}\n",
    )
    shares.edit("rollout: 75", "rolout: 75", "Broken")
    assert flagctl("check").returncode == 1
    assert flagctl("check", "--at", "HEAD~1").returncode == 0
    assert flagctl("test", "--at", "HEAD~1").returncode == 0
    assert "on 50 % + rules v2" in flagctl("list", "--at", "2026-09-02").stdout
    built = flagctl("build", "production", "--at", "HEAD~1")
    document = json.loads(built.stdout)
    assert document["commit"] == git(shares.root, "rev-parse", "HEAD~1").strip()
    git(tmp_path, "clone", "-q", "--bare", str(shares.root), "bare.git")
    bare = tmp_path / "bare.git"
    assert flagctl("build", "production", "--at", "HEAD~1", cwd=bare).stdout == built.stdout
    assert default(flagctl, "--at", "@v2", cwd=bare) == 50


def answered(target: Path) -> set[int]:
    """The flag's version as applications are told it: by our client, OpenFeature's SDK and flagd's definition."""
    with Client(f"file:{target}", "production", cache=False) as client:
        mine = client.details(KEY, user="ada").version
    api.set_provider_and_wait(FlagctlProvider(f"file:{target}", "production", cache=False))
    try:
        details = api.get_client().get_boolean_details(KEY, False, EvaluationContext("ada"))
    finally:
        api.shutdown()
        api.clear_providers()
    flagd = json.loads((target / "production/flagd.json").read_text())["flags"][KEY]["metadata"]["version"]
    assert mine is not None
    return {mine, int(details.flag_metadata["version"]), int(flagd)}


def test_versions_agree_wherever_they_are_told(shares: Repo, flagctl: Run) -> None:
    def told() -> set[Any]:
        listed = json.loads(flagctl("list", KEY, "--json").stdout)["flags"][0]["environments"]["production"]
        shown = json.loads(flagctl("show", KEY, "--json").stdout)["environments"]["production"]
        logged = json.loads(flagctl("log", KEY, "-e", "production", "-n", "1", "--json").stdout)["entries"][0]
        everything = json.loads(flagctl("log", "-e", "production", "--json").stdout)["entries"]
        mine = next(entry for entry in everything if entry["flag"] == KEY)
        found = {listed["version"], shown["version"], logged["version"], mine["version"]}
        if not shares.git("status", "--porcelain", "flags").strip():
            flags = json.loads(flagctl("build", "production").stdout)["flags"]
            found.add(flags[KEY]["metadata"]["version"])
            assert flagctl("publish", "production", "--target", "file:out").returncode == 0
            live = json.loads((shares.root / "out/production/snapshot.json").read_text())
            found.add(live["flags"][KEY]["metadata"]["version"])
            found |= answered(shares.root / "out")
        for more in ([], ["--at", "HEAD"]):
            asked = ("eval", KEY, "-e", "production", "--user", "ada", *more)
            found.add(json.loads(flagctl(*asked, "--json").stdout)["version"])
            assert "version" not in flagctl(*asked).stdout
            explained = flagctl(*asked, "--explain").stdout
            found.add(int(explained.partition("version  v")[2].split("\n")[0].rstrip("+")))
        return found

    assert told() == {3}
    shares.edit("# Why", "# Because", "Words")
    assert told() == {3}
    text = (shares.root / FLAG).read_text()
    (shares.root / FLAG).write_text(text.replace("rollout: 75", "rollout: 80"))
    assert "on 80 % + rules v3+" in flagctl("list", KEY).stdout
    assert told() == {3}
    shares.commit("Now")
    assert told() == {4}


# diff


def test_two_environments_side_by_side(shares: Repo, flagctl: Run) -> None:
    shares.write("flags/development/new.yaml", "description: New.\nowner: {team: growth}\n")
    done = flagctl("diff", "development", "production", "--exit-code")
    assert done.returncode == 3
    assert done.stdout.splitlines() == ["new: only in development", KEY, "    rollout 25 → 75"]
    assert done.stderr.splitlines() == ["development → production: 2 different, 1 the same"]
    everything = flagctl("diff", "development", "production", "--all").stdout
    assert "wishlist-edit: same" in everything
    document = json.loads(flagctl("diff", "development", "production", "--json").stdout)
    assert document["format"] == "flagctl/diff/1"
    assert {pair["key"]: pair["verdict"] for pair in document["pairs"]} == {
        "new": "only in development", KEY: "different", "wishlist-edit": "same",
    }  # fmt: skip
    assert flagctl("diff", "development", "production", "--format", "markdown").stdout.splitlines()[-1] == (
        "| wishlist-gallery | rollout 25 → 75 |"
    )
    then = flagctl("diff", "development", "production", "--at", "HEAD~3", "--exit-code")
    assert (then.returncode, then.stdout) == (0, "")


def test_two_moments_and_two_versions(shares: Repo, flagctl: Run) -> None:
    file = shares.root / FLAG
    file.write_text(file.read_text().replace("rollout: 75", "rollout: 80"))
    said = f"{KEY} in production"
    assert flagctl("diff").stdout.splitlines() == [said, "    rollout 75 → 80"]
    assert flagctl("diff", "HEAD~2", "HEAD").stdout.splitlines() == [said, "    rollout 25 → 75"]
    assert flagctl("diff", "2026-09-01T01:00:00Z", ".").stdout.splitlines() == [said, "    rollout 25 → 80"]
    assert flagctl("diff", "-e", "development", "HEAD~2").stdout == ""
    options = (KEY, "-e", "production")
    assert flagctl("diff", *options, "--from", "1", "--to", "3").stdout.splitlines() == [said, "    rollout 25 → 75"]
    assert flagctl("diff", *options, "--from", "v2").stdout.splitlines() == [said, "    rollout 50 → 80"]
    assert flagctl("diff", *options, "--to", "HEAD").stdout.splitlines() == [said, "    rollout 50 → 75"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["production", "HEAD"], "an environment is compared with another"),
        (["a", "b", "c"], "there are two sides"),
        (["nonsense"], "neither a revision nor a date"),
        (["development", "production", "-e", "production"], "-e says nothing"),
        (["--from", "3"], "are for one flag"),
        ([KEY, "--from", "3"], "in one environment"),
        ([KEY, "-e", "production", "--from", "7"], "there is 1 to 3"),
        (["-e", "prod"], "there are development, production"),
        (["development", "production", "--flag", "nothing"], "on either side"),
    ],
)
def test_what_diff_can_not_compare(shares: Repo, flagctl: Run, arguments: list[str], words: str) -> None:
    done = flagctl("diff", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


# blame


def test_each_line_has_who_wrote_it(shares: Repo, flagctl: Run) -> None:
    shares.edit("- {attribute: email", "- {attribute: age, gt: 17}\n      - {attribute: email", "Adults\n\nReason: law",
                author="Bob <b@x>")  # fmt: skip
    text = (shares.root / FLAG).read_text()
    blocks = "attribute: email\n        ends_with:\n          - '@example.com'"
    shares.write(FLAG, text.replace('{attribute: email, ends_with: "@example.com"}', blocks), "Layout")
    shares.git("mv", FLAG, "flags/production/gallery-of-wishes.yaml")
    shares.git("rm", "-q", OTHER)
    shares.commit("Another name (#9)")
    done = flagctl("blame", "gallery-of-wishes", "-e", "production")
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in done.stdout.splitlines()]
    assert [row[1:] for row in rows] == [
        ["Ada Example", "2026-09-01", "enabled on", "Start"],
        ["Ada Example", "2026-09-01", "rule staff", "Start"],
        ["Bob", "2026-09-03", "age is over 17", "law"],
        ["Ada Example", "2026-09-01", "email ends with @example.com", "Start"],
        ["Ada Example", "2026-09-01", "on", "Start"],
        ["Ada Example", "2026-09-03", "default 75 % on, the rest off", "More"],
    ]
    document = json.loads(flagctl("blame", "gallery-of-wishes", "-e", "production", "--json").stdout)
    assert (document["format"], document["lines"][2]["author"]) == ("flagctl/blame/1", "Bob")
    gone = flagctl("blame", "wishlist-edit", "-e", "production")
    assert gone.returncode == 2
    assert "any more" in gone.stderr


# history export and log --verify


def test_an_archive_holds_everything(shares: Repo, flagctl: Run) -> None:
    shares.write(SEGMENT, "when: [{attribute: country, in: [DE]}]\n", "A segment")
    shares.edit("# Why", "# Because", "Words")
    lines = [json.loads(line) for line in flagctl("history", "export").stdout.splitlines()]
    assert {line["format"] for line in lines} == {"flagctl/log-entry/1"}
    assert [line["event"] for line in lines[:2]] == ["respelt", "created"]
    assert {line["signature"] for line in lines} == {"missing"}
    assert {line["kind"] for line in lines} == {"flag", "segment", "settings", "attributes"}
    rows = list(csv.DictReader(io.StringIO(flagctl("history", "export", "--format", "csv").stdout)))
    assert [(row["flag_key"], row["new_value"]) for row in rows[:1]] == [(KEY, "comments and layout only")]
    assert rows[1]["flag_key"] == "segment:eu"
    assert [row["new_value"] for row in rows if row["path"] == "default/rollout"] == ["75", "50"]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """An SSH key; nobody vouches for it yet."""
    file = tmp_path / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada", "-f", str(file)], check=True)
    return file


def breaches(flagctl: Run, code: int, *arguments: str) -> list[list[str]]:
    done = flagctl("log", "--verify", "--json", *arguments)
    assert done.returncode == code, done.stderr
    document = json.loads(done.stdout)
    assert document["format"] == "flagctl/log-verify/1"
    return [breach["broken"] for breach in document["breaches"]]


def test_a_reason_a_merge_and_a_signature_are_asked_for(shares: Repo, flagctl: Run, key: Path, tmp_path: Path) -> None:
    assert breaches(flagctl, 1) == [["no reason"], ["no reason"]]
    assert breaches(flagctl, 0, "--until", "2026-09-01T12:00:00Z") == []
    shares.edit("rollout: 75", "rollout: 76", "x\n\nReason: because")
    shares.edit("protected: true", "protected: true\n    require_merge: true\n    require_signed: true", "y",
                "flags/flagctl.yaml")  # fmt: skip
    # The commit that brought these rules is judged by those before it, and lacks a reason.
    since = ("--since", times.text(shares.clock))
    assert breaches(flagctl, 1, *since) == [["no reason"]]

    for name, value in {"gpg.format": "ssh", "user.signingkey": f"{key}.pub"}.items():
        shares.git("config", name, value)
    branch(shares, "topic", "rollout: 76", "rollout: 77")
    since = ("--since", times.text(shares.clock + 1))
    shares.git("config", "commit.gpgsign", "true")
    merge(shares, "Merge pull request #5 from x/topic", "topic")
    unchecked = "signature not checked: Git has no key for it, or no gpg.ssh.allowedSignersFile"
    assert breaches(flagctl, 1, *since) == [[unchecked]]
    allowed = tmp_path / "allowed"
    allowed.write_text(f"somebody@example.com {(tmp_path / 'id.pub').read_text()}")
    shares.git("config", "gpg.ssh.allowedSignersFile", str(allowed))
    assert breaches(flagctl, 0, *since) == []
    text = flagctl("log", KEY, "-e", "production", "-n", "1", "--signatures").stdout
    assert "signature good (somebody@example.com)" in text
    assert "(#5, committed by Ada Example, signature good" in text

    shares.edit("rollout: 77", "rollout: 78", "Alone\n\nReason: in a hurry")
    assert breaches(flagctl, 1, *since) == [["came by no merge"]]
    shares.edit("require_merge: true", "require_merge: false", "Z\n\nReason: r (#6)", "flags/flagctl.yaml")
    assert breaches(flagctl, 1, *since) == [["came by no merge"], ["came by no merge"]]
    shares.git("config", "commit.gpgsign", "false")
    shares.edit("rollout: 78", "rollout: 79", "Now allowed\n\nReason: r")
    text = flagctl("log", "--verify").stdout.splitlines()[0]
    assert "production: wishlist-gallery  signature missing" in text
    assert breaches(flagctl, 0, "-e", "development") == []


APPROVALS = "protected: true\n    approvals: {required: 2}\n    break_glass: [ada@example.com]"
BY = "Reviewed-by: Eve <eve@example.com>\n"


@pytest.mark.parametrize(
    ("message", "broken"),
    [
        ("Merge branch 'topic'", ["merged without a pull request, and nobody is said to have approved it"]),
        (f"Merge branch 'topic'\n\n{BY}Approved-by: Max <max@example.com>", []),
        (f"Merge branch 'topic'\n\n{BY}", ["1 of 2 approvals: Eve <eve@example.com>"]),
        (
            f"Merge branch 'topic'\n\n{BY}Approved-by: Bob <bob@example.com>",
            ["1 of 2 approvals: Eve <eve@example.com>"],
        ),
        ("Merge branch 'topic'\n\nReviewed-by: Bob <BOB@example.com>", ["0 of 2 approvals: only by its author"]),
        ("Merge pull request #7 from x/topic", []),
        ("Merge branch 'topic'\n\nSee merge request group/flags!7", []),
    ],
)
def test_a_merge_has_the_approvals_that_git_can_see(
    shares: Repo, flagctl: Run, message: str, broken: list[str]
) -> None:
    shares.edit("protected: true", APPROVALS, "Rules\n\nReason: r", "flags/flagctl.yaml")
    since = ("--since", times.text(shares.clock + 1))
    branch(shares, "topic", "rollout: 75", "rollout: 76")
    merge(shares, message, "topic")
    assert breaches(flagctl, 1 if broken else 0, *since) == ([broken] if broken else [])
    found = json.loads(flagctl("log", "--verify", "--json", *since).stdout)
    assert [one["where"] for one in found["approved_elsewhere"]] == [
        number for number in ("#7", "!7") if number in message
    ]
    squashed = shares.edit("rollout: 76", "rollout: 77", "Squashed (#8)\n\nReason: r")
    assert (
        json.loads(flagctl("log", "--verify", "--json", *since).stdout)["approved_elsewhere"][0]["commit"] == squashed
    )
    shares.edit("rollout: 77", "rollout: 78", "Straight to main\n\nReason: r")
    assert breaches(flagctl, 1, *since)[0] == ["came by no merge, where approvals are asked for"]


@pytest.mark.parametrize(
    ("author", "new", "broken"),
    [
        ("Ada <ada@example.com>", "enabled: false", []),
        ("Bob <bob@example.com>", "enabled: false", ["killed by bob@example.com, whom break_glass does not name",
                                                     "came by no merge, where approvals are asked for"]),
        ("Ada <ada@example.com>", "enabled: false\ntags: [x]", ["says it is a kill, and does more than turn off",
                                                               "came by no merge, where approvals are asked for"]),
    ],
)  # fmt: skip
def test_a_kill_is_listed_with_who_and_whether_settings_let_them(
    shares: Repo, flagctl: Run, author: str, new: str, broken: list[str]
) -> None:
    shares.edit("protected: true", APPROVALS, "Rules\n\nReason: r", "flags/flagctl.yaml")
    shares.edit("tags: [wishlist, web]", "enabled: true", "On\n\nReason: r (#3)")
    since = ("--since", times.text(shares.clock + 1))
    message = f"Kill it\n\nBreak-Glass: {author.split('<')[1][:-1]}\nReason: it burns"
    commit = shares.edit("enabled: true", new, message, author=author)
    assert breaches(flagctl, 1 if broken else 0, *since) == ([broken] if broken else [])
    kills = json.loads(flagctl("log", "--verify", "--json", *since).stdout)["kills"]
    assert [(kill["commit"], kill["allowed"]) for kill in kills] == ([] if "tags" in new else [(commit, not broken)])
    done = flagctl("log", "--verify", *since)
    if not broken:
        assert done.stdout.startswith(f"{commit[:10]}  ")
        assert done.stdout.endswith("killed by ada@example.com, as allowed\n")
        assert "1 by breaking the glass" in done.stderr


def test_gpg_signatures_are_verified(
    shares: Repo, flagctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Path(tempfile.mkdtemp(prefix="gpg", dir="/tmp"))  # the agent's socket wants a short path
    monkeypatch.setenv("GNUPGHOME", str(home))
    gpg = ["gpg", "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback"]
    try:
        subprocess.run([*gpg, "--quick-generate-key", "Ada <ada@example.com>", "ed25519", "sign", "never"], check=True)
        shares.edit("protected: true", "protected: true\n    require_signed: true", "y\n\nReason: r",
                    "flags/flagctl.yaml")  # fmt: skip
        since = ("--since", times.text(shares.clock + 1))
        shares.git("config", "user.signingkey", "ada@example.com")
        shares.git("config", "commit.gpgsign", "true")
        shares.edit("rollout: 75", "rollout: 76", "Signed\n\nReason: r")
        assert breaches(flagctl, 0, *since) == []
        shares.git("config", "commit.gpgsign", "false")
        shares.edit("rollout: 76", "rollout: 77", "Not signed\n\nReason: r")
        assert breaches(flagctl, 1, *since) == [["signature missing"]]
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], check=False)
        shutil.rmtree(home, ignore_errors=True)


READING = [
    ["list"],
    ["show", KEY, "-e", "production", "--version", "1"],
    ["log", "--all"],
    ["log", KEY, "-e", "production"],
    ["log", "gone", "-e", "production"],
    ["log", "--verify"],
    ["eval", KEY, "-e", "production", "-u", "ada", "--at", "@v2", "--explain"],
    ["diff", KEY, "-e", "production", "--from", "1", "--to", "2"],
    ["build", "production", "--at", "HEAD~1"],
    ["check"],
    ["blame", KEY, "-e", "production"],
    ["why", KEY, "-e", "production", "-u", "ada"],
    ["bisect", KEY, "-e", "production", "-u", "ada", "--good", "HEAD~1"],
    ["history", "export", "--format", "csv"],
    ["plan", "--base", "HEAD~1", "--head", "HEAD"],
    ["drift"],
    ["status"],
]


@pytest.fixture
def mono(tmp_path: Path, git: GitRun) -> Path:
    """A repository with flags in two of its folders, of which apps/shop has a past."""
    git(tmp_path, "init", "-q", "-b", "main", "mono")
    root = tmp_path / "mono"
    files = {f"apps/shop/{path}": text for path, text in SMALL.items()}
    files["apps/shop/flags/production/gone.yaml"] = files[f"apps/shop/{FLAG}"]
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "Start")
    flag = root / "apps/shop" / FLAG
    flag.write_text(flag.read_text().replace("rollout: 25", "rollout: 100"))
    (flag.parent / "gone.yaml").unlink()
    git(root, "commit", "-q", "-a", "-m", "For all")
    return root


def test_a_bare_repository_with_flags_in_a_folder_is_read_as_its_clone_is(
    mono: Path, tmp_path: Path, git: GitRun, flagctl: Run
) -> None:
    git(tmp_path, "clone", "-q", "--bare", "mono", "bare.git")
    for command in READING:
        wanted = flagctl("-C", str(mono / "apps/shop"), *command, cwd=tmp_path)
        assert (wanted.returncode, bool(wanted.stdout)) != (2, False), wanted.stderr
        for place in ("bare.git", "bare.git/apps", "bare.git/apps/shop"):
            found = flagctl("-C", place, *command, cwd=tmp_path)
            assert (found.returncode, found.stdout) == (wanted.returncode, wanted.stdout), (place, command)
    refused = flagctl("-C", "bare.git", "set", KEY, "-e", "development", "--off", cwd=tmp_path)
    assert (refused.returncode, "work in a clone" in refused.stderr) == (2, True)


def test_a_bare_repository_in_which_the_flags_are_not_found_says_where_to_look(
    mono: Path, tmp_path: Path, git: GitRun, flagctl: Run
) -> None:
    (mono / "apps/bank/flags").mkdir(parents=True)
    (mono / "apps/bank/flags/flagctl.yaml").write_text(SMALL["flags/flagctl.yaml"])
    git(mono, "add", "-A")
    git(mono, "commit", "-q", "-m", "Another")
    git(tmp_path, "clone", "-q", "--bare", "mono", "bare.git")
    said = flagctl("-C", "bare.git", "list", cwd=tmp_path)
    assert (said.returncode, said.stdout) == (2, "")
    assert "apps/bank, apps/shop" in said.stderr
    assert KEY in flagctl("-C", "bare.git/apps/shop", "list", cwd=tmp_path).stdout
    assert "HEAD" in flagctl("-C", "bare.git/lib", "list", cwd=tmp_path).stderr
    git(tmp_path / "bare.git", "symbolic-ref", "HEAD", "refs/heads/trunk")
    assert "trunk, on which nothing is committed" in flagctl("-C", "bare.git", "list", cwd=tmp_path).stderr


def test_a_flag_alone_is_asked_what_it_is_compared_with(shares: Repo, flagctl: Run) -> None:
    done = flagctl("diff", KEY, "-e", "production")
    assert done.returncode == 2
    assert f"{KEY} is a flag" in done.stderr
    assert f"flagctl diff {KEY} -e production --from 1" in done.stderr
    assert "neither a revision nor a date" in flagctl("diff", "nonsense", "-e", "production").stderr
    assert shares.git("tag", KEY) == ""
    assert flagctl("diff", KEY).returncode == 0


def test_a_version_needs_an_environment(shares: Repo, flagctl: Run) -> None:
    done = flagctl("show", KEY, "--version", "2")
    assert done.returncode == 2
    assert f"-e ENV --at {KEY}@v2" in done.stderr
    with pytest.raises(UsageError):
        shares.told("nothing")


# The commit-graph.


def test_init_writes_the_filters_that_doctor_looks_for(repo: Path, flagctl: Run, git: GitRun) -> None:
    assert "commit-graph" not in flagctl("doctor").stdout
    done = flagctl("init")
    assert done.returncode == 0
    assert "commit-graph" in done.stdout
    assert "commit-graph" not in flagctl("init").stdout
    assert "found by the commit-graph's filters" in flagctl("doctor").stdout
    assert git(repo, "config", "fetch.writeCommitGraph") == "true\n"
    graph = repo / ".git/objects/info/commit-graph"
    assert graph.exists() or list((repo / ".git/objects/info/commit-graphs").glob("*.graph"))
