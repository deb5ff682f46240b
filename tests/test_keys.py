"""Keys from making them to retiring them, as a person and as CI do it, and what happens to a careless one."""

from __future__ import annotations

import base64
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flagtree import flag, problems

from flagctl.signing import ONE_LINE, PrivateKey, PublicKey, public_key, public_line, verify

Run = Callable[..., Any]
LINE = ONE_LINE + base64.b64encode(b"7" * 32).decode()
MINE = PrivateKey.read(LINE, origin="it")
DAY = 86400


def listed(flagctl: Run, **env: str) -> list[dict[str, Any]]:
    done = flagctl("key", "list", "--json", env=env)
    assert done.returncode == 0, done.stderr
    keys: list[dict[str, Any]] = json.loads(done.stdout)["keys"]
    return keys


def live(repo: Path, where: str = "production/snapshot.json") -> bytes:
    return (repo / "published" / where).read_bytes()


def add_key(repo: Path, git: Run, name: str, public: str, more: str = "") -> None:
    file = repo / "flags/flagctl.yaml"
    text = file.read_text()
    start = "" if "\nkeys:" in text else "keys:\n"
    file.write_text(f"{text}{start}  - {{name: {name}, public: {public}{more}}}\n")
    git(repo, "commit", "-qam", "A key")


def test_a_new_key_is_its_owners_alone_and_its_public_half_is_in_settings(
    repo: Path, home: Path, flagctl: Run, git: Run
) -> None:
    before = (repo / "flags/flagctl.yaml").read_text()
    done = flagctl("key", "new", "release-2027", "--until", "2099-01-01", "--reason", "first")
    assert done.returncode == 0, done.stderr
    file = home / ".config/flagctl/keys/release-2027"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert str(file) in done.stderr
    assert "BEGIN" not in done.stdout + done.stderr
    assert (repo / "flags/flagctl.yaml").read_text().startswith(before)
    key = PrivateKey.read(file.read_text(), origin="it")
    assert public_line(key.public, "release-2027") in (repo / "flags/flagctl.yaml").read_text()
    assert "Reason: first" in git(repo, "log", "-1", "--format=%B")
    assert git(repo, "status", "--porcelain") == ""
    (entry,) = listed(flagctl)
    assert (entry["name"], entry["state"], entry["until"], entry["at_hand"]) == (
        "release-2027", "valid", "2099-01-01T00:00:00Z", False,
    )  # fmt: skip
    said = subprocess.run(["ssh-keygen", "-l", "-f", str(file)], capture_output=True, text=True, check=True).stdout
    assert entry["fingerprint"] == said.split()[1]
    assert listed(flagctl, FLAGCTL_SIGNING_KEY_FILE=str(file))[0]["at_hand"]


def test_a_dry_run_makes_no_key(repo: Path, home: Path, flagctl: Run) -> None:
    done = flagctl("key", "new", "k", "-n", "--json")
    assert (done.returncode, json.loads(done.stdout)["private_key"]) == (0, None), done.stderr
    assert not (home / ".config/flagctl").exists()
    assert listed(flagctl) == []


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["new", "k", "--file", "flags/key"], 5, "lies in the repository"),
        (["new", "k", "--file", "key"], 5, "lies in the repository"),
        (["new", "a/b"], 2, "can't name a key"),
        (["new", "k", "--until", "soon"], 2, "is no time"),
        (["new", "k", "--until", "2020-01-01"], 2, "is over, so nobody would believe the key"),
        (["rotate", "k"], 2, "no key is in use"),
        (["rotate", "k", "--retire", "j"], 2, 'no key "j"'),
        (["new", "k", "--from", "2027-01-02", "--until", "2027-01-01"], 1, "retired before it begins"),
    ],
)
def test_a_key_that_can_not_be_made_leaves_nothing_behind(
    repo: Path, home: Path, flagctl: Run, git: Run, arguments: list[str], code: int, told: str
) -> None:
    done = flagctl("key", *arguments)
    assert (done.returncode, told in done.stderr) == (code, True), done.stderr
    assert git(repo, "status", "--porcelain") == ""
    assert not list(home.rglob("keys/*"))


def test_a_rotation_gives_no_key_a_longer_life(repo: Path, flagctl: Run) -> None:
    assert flagctl("key", "new", "old", "--until", "3d").returncode == 0
    (before,) = listed(flagctl)
    done = flagctl("key", "rotate", "new")
    assert (done.returncode, "old is retired at" in done.stderr) == (0, True), done.stderr
    assert [key["until"] for key in listed(flagctl)] == [before["until"], None]
    assert flagctl("key", "rotate", "newer", "--retire", "old", "--after", "1d").returncode == 0
    assert listed(flagctl)[0]["until"] < before["until"]


def test_a_key_file_is_never_overwritten(repo: Path, home: Path, flagctl: Run, git: Run) -> None:
    file = home / "mine"
    file.write_text("precious")
    done = flagctl("key", "new", "k", "--file", file)
    assert (done.returncode, file.read_text()) == (5, "precious"), done.stderr


def test_the_story_of_a_rotation(repo: Path, home: Path, flagctl: Run, git: Run) -> None:
    keys = home / ".config/flagctl/keys"

    def believed_by_a_reader(now: float) -> str:
        """What a service makes of the live snapshot that has the keys settings list now."""
        done = flagctl("config", "show", "--json")
        assert done.returncode == 0
        from flagctl.project import Project
        from flagctl.publish.keys import believed

        keys = believed(Project.find(repo).settings())
        return verify(live(repo), keys, environment="production", now=now).state

    import time

    now = time.time()
    # A repository begins to sign.
    assert flagctl("key", "new", "release-2026").returncode == 0
    refused = flagctl("publish", "production")
    assert (refused.returncode, "no private key is at hand" in refused.stderr) == (5, True)
    old = {"FLAGCTL_SIGNING_KEY_FILE": str(keys / "release-2026")}
    assert flagctl("publish", "production", env=old).returncode == 0
    assert believed_by_a_reader(now) == "ok"

    # Add: both are believed, for thirty days.
    assert flagctl("key", "rotate", "release-2027").returncode == 0
    assert [(key["name"], key["state"], bool(key["until"])) for key in listed(flagctl)] == [
        ("release-2026", "valid", True), ("release-2027", "valid", False),
    ]  # fmt: skip
    unchanged = flagctl("publish", "production", env=old)
    assert "nothing to do" in unchanged.stdout, unchanged.stderr

    # Publish with the new one: the same content, but another signature, so it is a new version.
    new = {"FLAGCTL_SIGNING_KEY": (keys / "release-2027").read_text()}
    published = flagctl("publish", "production", "--json", env=new)
    (receipt,) = json.loads(published.stdout)["receipts"]
    assert (receipt["outcome"], receipt["version"], receipt["signed_by"]) == ("published", 2, "release-2027")
    assert json.loads(live(repo))["signature"]["key"] == "release-2027"
    assert believed_by_a_reader(now) == believed_by_a_reader(now + 31 * DAY) == "ok"

    # Retire: what the old key signed, signs or will sign is not believed any more.
    first = next(iter((repo / "published/production/history").glob("1-*")))
    (repo / "published/production/snapshot.json").write_bytes(first.read_bytes())
    assert believed_by_a_reader(now) == "ok"
    assert believed_by_a_reader(now + 31 * DAY) == "retired-key"


def ssh_key(folder: Path, passphrase: str = "") -> tuple[Path, str]:
    file = folder / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "ada", "-f", str(file)], check=True)
    return file, " ".join(file.with_suffix(".pub").read_text().split()[:2])


def printing(text: str) -> str:
    """A command that prints a text, as a secret manager does."""
    return f"{sys.executable} -c \"print('''{text}''')\""


@pytest.mark.parametrize("source", ["variable", "file", "command", "settings file", "settings env", "settings command"])
def test_where_the_private_half_may_be(repo: Path, home: Path, flagctl: Run, git: Run, source: str) -> None:
    file = home / "key"
    file.write_text(LINE)
    add_key(repo, git, "ci", f'"{public_line(MINE.public, "x")}"')
    environment = {
        "variable": {"FLAGCTL_SIGNING_KEY": LINE},
        "file": {"FLAGCTL_SIGNING_KEY_FILE": str(file)},
        "command": {"FLAGCTL_SIGNING_KEY_COMMAND": printing(LINE)},
        "settings env": {"RELEASE_KEY": LINE},
    }.get(source, {})
    said = {"settings file": "file: ~/key", "settings env": "env: RELEASE_KEY",
            "settings command": f"command: {json.dumps(f'cat {file}')}"}.get(source)  # fmt: skip
    if said:
        with (repo / "flags/flagctl.yaml").open("a") as settings:
            settings.write(f"signing: {{{said}}}\n")
        git(repo, "commit", "-qam", "Signing")
    done = flagctl("publish", "production", env=environment)
    assert done.returncode == 0, done.stderr
    keys = [PublicKey(name="ci", raw=MINE.public)]
    assert verify(live(repo), keys, environment="production", now=0).ok
    assert LINE.removeprefix(ONE_LINE) not in done.stdout + done.stderr


def test_an_openssh_key_with_a_passphrase_publishes(repo: Path, home: Path, flagctl: Run, git: Run) -> None:
    file, public = ssh_key(home, "open sesame")
    add_key(repo, git, "ada", f'"{public}"')
    at_hand = {"FLAGCTL_SIGNING_KEY_FILE": str(file)}
    refused = flagctl("publish", "production", env=at_hand)
    assert (refused.returncode, "FLAGCTL_SIGNING_PASSPHRASE" in refused.stderr) == (2, True)
    done = flagctl("publish", "production", env={**at_hand, "FLAGCTL_SIGNING_PASSPHRASE": "open sesame"})
    assert done.returncode == 0, done.stderr
    keys = [PublicKey(name="ada", raw=public_key(public))]
    assert verify(live(repo), keys, environment="production", now=0).ok


@pytest.mark.parametrize(
    ("key", "environment", "code", "told"),
    [
        ("", {"FLAGCTL_SIGNING_KEY": LINE}, 5, "settings list no keys"),
        ("other", {"FLAGCTL_SIGNING_KEY": LINE}, 5, "is not among the keys"),
        ("retired", {"FLAGCTL_SIGNING_KEY": LINE}, 5, "the key k is retired"),
        ("early", {"FLAGCTL_SIGNING_KEY": LINE}, 5, "the key k is not valid yet"),
        ("mine", {"FLAGCTL_SIGNING_KEY": "rubbish"}, 2, "FLAGCTL_SIGNING_KEY holds no private key"),
        ("mine", {"FLAGCTL_SIGNING_KEY_FILE": "/nowhere/key"}, 4, "can't be read: No such file"),
        ("mine", {"FLAGCTL_SIGNING_KEY_FILE": "flags/flagctl.yaml"}, 5, "lies in the repository"),
        ("mine", {"FLAGCTL_SIGNING_KEY_COMMAND": "false --token=hunter2"}, 4, "ended with 1"),
        ("mine", {"FLAGCTL_SIGNING_KEY_COMMAND": "/nowhere/vault hunter2"}, 4, "can't be started"),
        ("mine", {"FLAGCTL_SIGNING_KEY_COMMAND": "echo hunter2"}, 2, "holds no private key"),
    ],
)
def test_without_a_key_that_readers_believe_nothing_is_published(
    repo: Path, flagctl: Run, git: Run, key: str, environment: dict[str, str], code: int, told: str
) -> None:
    public = public_line(PrivateKey.new().public if key == "other" else MINE.public, "x")
    bounds = {"retired": ", until: 2020-01-01", "early": ", from: 2099-01-01"}
    if key:
        add_key(repo, git, "k", f'"{public}"', bounds.get(key, ""))
    done = flagctl("publish", "production", env=environment)
    assert (done.returncode, told in done.stderr) == (code, True), done.stderr
    assert not (repo / "published").exists()
    said = done.stdout + done.stderr
    assert not any(secret in said for secret in ("hunter2", "rubbish", LINE.removeprefix(ONE_LINE)))


def test_a_dry_run_needs_no_key(repo: Path, flagctl: Run, git: Run) -> None:
    add_key(repo, git, "k", f'"{public_line(MINE.public, "x")}"')
    done = flagctl("publish", "production", "-n")
    assert (done.returncode, "would publish version 1" in done.stdout) == (0, True), done.stderr


KEYS = "environments: {{production: {{}}}}\nkeys:\n  - {{name: k, public: {0}}}\n"
PEM = MINE.pem()


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("flags/production/key.pem", PEM, [1]),
        ("flags/notes", "x\n\n  " + LINE, [3]),
        ("flags/production/a.yaml", flag(f"documentation_url: 'https://x/{LINE}'\n"), [3]),
        ("flags/attributes.yaml", "attributes: {}\n# " + LINE + "\n", [2]),
        ("flags/production/key.pub", public_line(MINE.public, "x"), []),
        ("flags/notes", "A PRIVATE KEY belongs elsewhere: flagctl-private-ed25519:...\n", []),
    ],
)
def test_a_private_key_below_flags_is_found(path: str, text: str, found: list[int]) -> None:
    assert [p.line for p in problems({path: text}) if p.rule == "private-key"] == found


def test_a_committed_private_key_is_found_anywhere_and_never_shown(
    repo: Path, home: Path, flagctl: Run, git: Run
) -> None:
    mine, public = ssh_key(home, "word")
    add_key(repo, git, "k", f'"{public}"')
    stranger = PrivateKey.new()
    files = {
        "deploy/key": mine.read_text(),
        "deploy/other": stranger.pem(),
        "README": f"Use {stranger.line()} for tests",
        ".hidden/env": "X=1\nKEY=" + mine.read_text().replace("\n", "\\n"),
    }
    for path, text in files.items():
        (repo / path).parent.mkdir(exist_ok=True)
        (repo / path).write_text(text)
    git(repo, "add", "-Af")
    done = flagctl("check")
    assert done.returncode == 1
    told = [line for line in done.stdout.splitlines() if "[private-key]" in line]
    assert [line.split(":")[:2] for line in told] == [[".hidden/env", "2"], ["deploy/key", "1"]], done.stdout
    settings = repo / "flags/flagctl.yaml"
    settings.write_text(settings.read_text().replace(public, LINE))
    for format in ("text", "json", "sarif", "github"):
        done = flagctl("check", "--format", format)
        assert done.returncode == 1
        assert "private-key" in done.stdout
        assert LINE.removeprefix(ONE_LINE) not in done.stdout + done.stderr


@pytest.mark.parametrize("path", ["deploy/key.pem", "flags/key.pem", "flags/development/key.pem"])
def test_nothing_is_published_while_a_private_key_lies_in_the_repository(
    repo: Path, home: Path, flagctl: Run, git: Run, path: str
) -> None:
    mine, public = ssh_key(home)
    add_key(repo, git, "k", f'"{public}"')
    leaked = repo / path
    leaked.parent.mkdir(exist_ok=True)
    shutil.copy(mine, leaked)
    git(repo, "add", "-Af")
    git(repo, "commit", "-qm", "By mistake")
    with_key = {"FLAGCTL_SIGNING_KEY_FILE": str(mine)}
    done = flagctl("publish", "production", env=with_key)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{path}:1:1: error: " in done.stderr
    assert f"git rm {path}" in done.stderr
    assert "flagctl key rotate" in done.stderr
    assert not (repo / "published").exists()

    settings = repo / "flags/flagctl.yaml"
    before = settings.read_text()
    settings.write_text(before + "check: {severity: {private-key: warning}}\n")
    git(repo, "commit", "-qam", "We know")
    assert flagctl("check").returncode == 0
    assert flagctl("publish", "production", "-n").returncode == 0
    settings.write_text(before)
    git(repo, "rm", "-q", path)
    git(repo, "commit", "-qam", "Away with it")
    assert flagctl("publish", "production", env=with_key).returncode == 0


@pytest.mark.parametrize("words", ["config show", "config show --json", "doctor", "check", "publish production"])
def test_passwords_in_urls_are_masked(repo: Path, flagctl: Run, words: str) -> None:
    settings = repo / "flags/flagctl.yaml"
    settings.write_text(settings.read_text().replace("file:published", "nosuch://ada:hunter2@example.com/x"))
    subprocess.run(["git", "-C", str(repo), "commit", "-qam", "x"], check=True, env=os.environ)
    done = flagctl(*words.split())
    said = done.stdout + done.stderr
    assert "***@example.com" in said
    assert "hunter2" not in said
