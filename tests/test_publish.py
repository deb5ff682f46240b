"""Publishing: the next version or nothing, never an older one by accident, and a receipt that says what happened."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from conftest import SMALL
from hypothesis import given
from hypothesis import strategies as st

from flagctl.compile.snapshot import encode
from flagctl.errors import OutsideError, RefusedError
from flagctl.publish.draft import Draft
from flagctl.publish.live import history_key, live_key
from flagctl.publish.publish import publish
from flagctl.publish.receipt import Changes, Receipt, changes, document, words
from flagctl.stores.base import LostRaceError, Release, Stored
from flagctl.stores.folder import FolderStore

A, B, C = (letter * 40 for letter in "abc")
LIVE = live_key("production")


def snapshot(commit: str | None, environment: str = "production", **flags: Any) -> dict[str, Any]:
    """As `build` makes one, but with plain values for flags: publishing does not look inside."""
    return {
        "format": "flagctl/snapshot/1",
        "environment": environment,
        "version": 0,
        "commit": commit,
        "commit_time": "2026-11-24T09:00:00Z",
        "bucketing": "portable",
        "protected": False,
        "attributes": {},
        "segments": {},
        "flags": flags,
    }


def send(store: FolderStore, what: dict[str, Any], older: bool | None = False, **options: Any) -> Receipt:
    """older: whether it is of an older commit than the live one, None for unknown."""
    drafted = {name: options.pop(name) for name in ("sign", "beside") if name in options}

    def is_ancestor(first: str, second: str) -> bool | None:
        return older if older is None or first == what["commit"] else not older

    return publish(Draft(what, **drafted), store, is_ancestor=is_ancestor, elapsed=lambda: 0.25, **options)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "published", "file:published")


def everything(store: FolderStore) -> dict[str, tuple[bytes, int]]:
    """Key to bytes and inode: equal before and after exactly when nothing was written."""
    return {key: ((store.root / key).read_bytes(), (store.root / key).stat().st_ino) for key in store.keys("")}


def live(store: FolderStore) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((store.root / LIVE).read_bytes())
    return result


def test_versions_rise_by_one_and_each_stays_in_the_history(store: FolderStore) -> None:
    first = send(store, snapshot(A, x=1, y=1))
    second = send(store, snapshot(B, y=2, z=1))
    assert first.changes == Changes(added=("x", "y"))
    assert second.changes == Changes(added=("z",), changed=("y",), removed=("x",))
    assert [(r.outcome, r.version, r.previous_version) for r in (first, second)] == [
        ("published", 1, None),
        ("published", 2, 1),
    ]
    assert live(store) == snapshot(B, y=2, z=1) | {"version": 2}
    assert store.keys("") == [
        "production/history/1-aaaaaaaaaaaa.json",
        "production/history/2-bbbbbbbbbbbb.json",
        LIVE,
    ]
    files = everything(store)
    assert files[LIVE][0] == files["production/history/2-bbbbbbbbbbbb.json"][0]
    assert (second.bytes, second.seconds, second.target) == (len(files[LIVE][0]), 0.25, "file:published")
    assert second.digest.startswith("sha256:")


def test_environments_count_by_themselves(store: FolderStore) -> None:
    send(store, snapshot(A, x=1))
    send(store, snapshot(B, x=2))
    assert send(store, snapshot(B, "staging", x=2)).version == 1


@pytest.mark.parametrize("older", [True, False])
def test_publishing_what_is_live_already_changes_nothing(store: FolderStore, older: bool) -> None:
    send(store, snapshot(A, x=1))
    before = everything(store)
    receipt = send(store, snapshot(B, x=1), older)
    assert (receipt.outcome, receipt.version, receipt.commit) == ("unchanged", 1, A)
    assert receipt.changes == Changes()
    assert everything(store) == before


def test_a_dry_run_says_what_would_be_and_writes_nothing(store: FolderStore) -> None:
    receipt = send(store, snapshot(A, x=1), dry_run=True)
    assert (receipt.outcome, receipt.version) == ("planned", 1)
    assert not store.root.exists()


@pytest.mark.parametrize(("before", "after"), [(1, True), (1, 1.0), (0, False), ([1], [True])])
def test_values_that_only_python_holds_for_equal_are_a_change(store: FolderStore, before: Any, after: Any) -> None:
    send(store, snapshot(A, x={"value": before}))
    receipt = send(store, snapshot(B, x={"value": after}))
    assert (receipt.version, receipt.changes) == (2, Changes(changed=("x",)))


def test_tuples_of_the_model_are_lists_in_the_live_file_and_no_change(store: FolderStore) -> None:
    send(store, snapshot(A, x={"value": ("a", "b")}))
    assert send(store, snapshot(B, x={"value": ("a", "b")})).outcome == "unchanged"


def test_a_segment_alone_makes_a_version(store: FolderStore) -> None:
    send(store, snapshot(A, x=1))
    receipt = send(store, snapshot(B, x=1) | {"segments": {"staff": {"when": []}}})
    assert (receipt.version, receipt.changes) == (2, Changes())
    assert "none changed; only segments, settings or the commit did" in words(receipt)


@pytest.mark.parametrize(
    ("older", "told", "hint"),
    [
        (True, "is of commit aaaaaaaaaaaa, which is newer than bbbbbbbbbbbb", "--allow-older"),
        (None, "which this clone doesn't have", "git fetch --unshallow"),
    ],
)
def test_a_commit_that_is_older_or_may_be_is_refused_unless_asked_for(
    store: FolderStore, older: bool | None, told: str, hint: str
) -> None:
    send(store, snapshot(A, x=1))
    before = everything(store)
    with pytest.raises(RefusedError) as caught:
        send(store, snapshot(B, x=2), older)
    assert told in caught.value.message
    assert hint in caught.value.hint
    assert everything(store) == before
    assert send(store, snapshot(B, x=2), older, allow_older=True).version == 2


def test_history_is_asked_whether_one_came_before_the_other(store: FolderStore) -> None:
    asked: list[tuple[str, str]] = []

    def is_ancestor(first: str, second: str) -> bool:
        asked.append((first, second))
        return (first, second) == (A, B)

    for commit in (A, B, B):
        draft = Draft(snapshot(commit, x=len(asked), y=commit))
        publish(draft, store, is_ancestor=is_ancestor, elapsed=lambda: 0.0)
    assert sorted(asked) == [(A, B), (B, A)]


def test_a_commit_whose_history_lacks_the_live_one_is_refused_unless_asked_for(store: FolderStore) -> None:
    send(store, snapshot(A, x=1))
    rewritten = Draft(snapshot(B, x=2))
    with pytest.raises(RefusedError) as caught:
        publish(rewritten, store, is_ancestor=lambda first, second: False, elapsed=lambda: 0.0)
    assert "aaaaaaaaaaaa, which is not in the history of bbbbbbbbbbbb" in caught.value.message
    assert "--allow-older" in caught.value.hint
    assert live(store)["version"] == 1
    assert send(store, snapshot(B, x=2), None, allow_older=True).version == 2


@pytest.mark.parametrize(
    ("known", "told"), [(False, "which is not in the history of bbbbbbbbbbbb"), (None, "which this clone doesn't have")]
)
def test_what_says_the_same_as_of_a_commit_that_is_gone_is_told_and_replaced_when_asked_for(
    store: FolderStore, known: bool | None, told: str
) -> None:
    send(store, snapshot(A, x=1))
    before = everything(store)

    def again(**options: Any) -> Receipt:
        draft = Draft(snapshot(B, x=1))
        return publish(draft, store, is_ancestor=lambda first, second: known, elapsed=lambda: 0.0, **options)

    for options in ({}, {"dry_run": True}):
        with pytest.raises(RefusedError, match=f"of commit aaaaaaaaaaaa, {told}.*both say the same") as caught:
            again(**options)
        assert "--allow-older" in caught.value.hint
    assert everything(store) == before
    receipt = again(allow_older=True)
    assert (receipt.outcome, receipt.version, receipt.commit, receipt.changes) == ("published", 2, B, Changes())
    assert again().outcome == "unchanged"


def test_the_same_commit_compiled_otherwise_is_no_older_one(store: FolderStore) -> None:
    send(store, snapshot(A, x=1))
    assert send(store, snapshot(A, x=2), older=True).version == 2


def test_a_live_file_of_no_commit_can_not_be_compared(store: FolderStore) -> None:
    store.put(LIVE, json.dumps(snapshot(None, x=1) | {"version": 3}).encode())
    with pytest.raises(RefusedError, match="is of no commit"):
        send(store, snapshot(B, x=2))
    assert send(store, snapshot(B, x=2), allow_older=True).version == 4


def changed(**fields: Any) -> bytes:
    return json.dumps(snapshot(A, x=1) | {"version": 1} | fields).encode()


@pytest.mark.parametrize(
    ("data", "told", "hint"),
    [
        (b"", "is damaged", "production/history/"),
        (changed()[:-9], "is damaged", "production/history/"),
        (b"\xff\xfe\x00", "is damaged", "production/history/"),
        (b"[" * 100_000, "is no snapshot", "production/history/"),
        (b'{"flags":' + b"[" * 100_000, "is damaged", "production/history/"),
        (changed(x="ä").replace(b"\\u00e4", b"\xe4"), "is damaged", "production/history/"),
        (b"[1]", "is no snapshot", "production/history/"),
        (b'{"hello": 1}', "is no snapshot", "production/history/"),
        (changed(format="flagctl/snapshot/2"), "'flagctl/snapshot/2'", "update flagctl"),
        (changed(format="something/1"), "'something/1'", "production/history/"),
        (changed(environment="staging"), "holds the environment 'staging'", "targets"),
        (changed(version="1"), "make no sense", "production/history/"),
        (changed(version=True), "make no sense", "production/history/"),
        (changed(version=-1), "make no sense", "production/history/"),
        (changed(flags=[]), "make no sense", "production/history/"),
        (changed(commit="--upload-pack=x"), "make no sense", "production/history/"),
        (changed(commit=5), "make no sense", "production/history/"),
    ],
)
@pytest.mark.parametrize("allow_older", [False, True])
def test_a_live_file_that_makes_no_sense_is_never_overwritten(
    store: FolderStore, data: bytes, told: str, hint: str, allow_older: bool
) -> None:
    store.put(LIVE, data)
    before = everything(store)
    with pytest.raises(RefusedError) as caught:
        send(store, snapshot(B, x=2), allow_older=allow_older)
    assert told in caught.value.message
    assert hint in caught.value.hint
    assert everything(store) == before


def test_readers_are_not_asked_to_step_back_after_the_live_file_was_removed_or_restored(store: FolderStore) -> None:
    for number, commit in enumerate((A, B, C)):
        send(store, snapshot(commit, x=number))
    (store.root / LIVE).unlink()
    assert send(store, snapshot(A, x=9)).version == 4
    store.put(LIVE, (store.root / history_key("production", 1, A)).read_bytes())
    assert send(store, snapshot(B, x=10)).version == 5
    store.put("production/history/README.json", b"not ours")
    assert send(store, snapshot(C, x=11)).version == 6


def flagd(document: dict[str, Any]) -> bytes:
    return json.dumps({"flags": {}, "metadata": {"version": document["version"]}}).encode()


def test_what_stands_beside_is_made_of_the_version_that_went_out(store: FolderStore) -> None:
    receipt = send(store, snapshot(A, x=1), beside={"flagd.json": flagd})
    assert (receipt.beside, receipt.outcome) == (("flagd.json",), "published")
    assert json.loads(everything(store)["production/flagd.json"][0])["metadata"]["version"] == 1
    send(store, snapshot(B, x=2), beside={"flagd.json": flagd})
    assert json.loads(everything(store)["production/flagd.json"][0])["metadata"]["version"] == 2
    assert send(store, snapshot(B, x=2), beside={"flagd.json": flagd}).outcome == "unchanged"


@pytest.mark.parametrize("lost", ["production/flagd.json", history_key("production", 2, B)])
def test_a_publish_that_was_cut_short_after_the_swap_is_finished_by_the_next(store: FolderStore, lost: str) -> None:
    beside = {"flagd.json": flagd}
    send(store, snapshot(A, x=1), beside=beside)
    send(store, snapshot(B, x=2), beside=beside)
    whole = {key: data for key, (data, _) in everything(store).items()}
    (store.root / lost).unlink()
    before = everything(store)
    planned = send(store, snapshot(B, x=2), beside=beside, dry_run=True)
    assert everything(store) == before
    done = send(store, snapshot(B, x=2), beside=beside)
    assert {key: data for key, (data, _) in everything(store).items()} == whole
    assert (done.outcome, done.version, done.beside) == (planned.outcome, 2, planned.beside)
    assert (done.outcome == "completed") == ("flagd" in lost)
    (store.root / lost).unlink()
    send(store, snapshot(C, x=3), beside=beside)
    assert (history_key("production", 2, B) in everything(store)) is True


def test_a_signature_is_made_of_the_bytes_without_it(store: FolderStore) -> None:
    signed: list[bytes] = []

    def sign(data: bytes) -> dict[str, Any]:
        signed.append(data)
        return {"length": len(data)}

    send(store, snapshot(A, x=1), sign=sign)
    document = live(store)
    assert document.pop("signature") == {"length": len(signed[0])}
    assert encode(document) == signed[0]
    assert send(store, snapshot(B, x=1), sign=sign).outcome == "unchanged"
    assert send(store, snapshot(B, x=1)).outcome == "unchanged"


def test_another_key_is_a_reason_to_publish_again(store: FolderStore) -> None:
    send(store, snapshot(A, x=1), sign=lambda data: {"key": "old"})
    receipt = send(store, snapshot(A, x=1), sign=lambda data: {"key": "new"})
    assert (receipt.outcome, receipt.version, receipt.signed_by) == ("published", 2, "new")
    assert live(store)["signature"] == {"key": "new"}


class Forgetful(FolderStore):
    """A disk that says it wrote."""

    def get(self, key: str) -> Stored | None:
        found = super().get(key)
        return found and Stored(found.data.replace(b"x", b"y"), found.token)


def test_what_comes_back_is_compared_with_what_was_written(tmp_path: Path) -> None:
    with pytest.raises(OutsideError, match=r"gave back other bytes for production/snapshot\.json"):
        send(Forgetful(tmp_path, "file:x"), snapshot(A, x=1))


class Lockless(FolderStore):
    """A place that can't keep others waiting, as an object store."""

    def hold(self, environment: str) -> AbstractContextManager[None]:
        (self.root / environment).mkdir(parents=True, exist_ok=True)
        return nullcontext()


def test_who_loses_a_race_is_refused_and_the_winner_stays(tmp_path: Path) -> None:
    store = Lockless(tmp_path, "file:x")
    send(store, snapshot(A, x=1))

    def somebody_is_faster(first: str, second: str) -> bool:
        if second == A:
            send(store, snapshot(C, x=3))
        return second == B

    with pytest.raises(LostRaceError):
        publish(Draft(snapshot(B, x=2)), store, is_ancestor=somebody_is_faster, elapsed=lambda: 0.0)
    assert (live(store)["version"], live(store)["commit"]) == (2, C)
    assert store.keys("production/history/") == [history_key("production", 1, A), history_key("production", 2, C)]
    assert send(store, snapshot(B, x=2)).version == 3


class Unheard(FolderStore):
    """A place whose answer gets lost, after the write was done or before."""

    done = True

    def swap(self, key: str, data: bytes, token: str | None) -> None:
        if self.done:
            super().swap(key, data, token)
        raise OutsideError("no answer within 5 seconds")


def test_an_answer_that_got_lost_may_have_been_a_yes(tmp_path: Path) -> None:
    store = Unheard(tmp_path, "file:x")
    assert send(store, snapshot(A, x=1)).outcome == "published"
    store.done = False
    with pytest.raises(OutsideError, match="no answer"):
        send(store, snapshot(B, x=2))
    assert live(store)["version"] == 1


class Overtaken(FolderStore):
    """A place where somebody publishes a newer version between our live key and what belongs beside it."""

    overtaking = False

    def release(self, key: str, release: Release, token: str | None) -> None:
        super().release(key, release, token)
        if self.overtaking:
            self.overtaking = False
            send(self, snapshot(C, x=3), beside={"flagd.json": flagd})


def test_who_is_overtaken_leaves_what_the_newer_one_wrote(tmp_path: Path) -> None:
    store = Overtaken(tmp_path, "file:x")
    store.overtaking = True
    assert send(store, snapshot(A, x=1), beside={"flagd.json": flagd}).version == 1
    assert json.loads((tmp_path / "production/flagd.json").read_bytes())["metadata"]["version"] == 2
    assert live(store)["version"] == 2
    assert len(store.keys("production/history/")) == 2


FLAGS = st.dictionaries(st.text(max_size=3), st.integers(0, 2), max_size=6)


@given(FLAGS, FLAGS)
def test_changes_lead_from_one_snapshot_to_the_other(before: dict[str, int], after: dict[str, int]) -> None:
    what = changes(before, after)
    assert (
        {key: value for key, value in before.items() if key not in what.removed + what.changed}
        | {key: after[key] for key in what.added + what.changed}
    ) == after
    assert not set(what.added) & set(before)
    assert all(before[key] != after[key] for key in what.changed)


RECEIPT = Receipt(
    environment="production",
    target="file:published",
    outcome="published",
    version=8,
    previous_version=7,
    commit=A,
    digest="sha256:12",
    bytes=12345,
    changes=Changes(added=tuple("abcdefghijk"), removed=("old",)),
    seconds=0.1234,
)


def test_a_receipt_in_words() -> None:
    assert words(RECEIPT).splitlines() == [
        "production -> file:published: published version 8, after version 7",
        "  commit  aaaaaaaaaaaa",
        "  flags   added a, b, c, d, e, f, g, h and 3 more; removed old",
        "  digest  sha256:12",
        "  size    12,345 bytes in 0.12 s",
    ]


def test_a_receipt_in_json() -> None:
    assert json.loads(json.dumps(document([RECEIPT]))) == {
        "format": "flagctl/receipt/1",
        "receipts": [
            {
                "environment": "production",
                "target": "file:published",
                "outcome": "published",
                "version": 8,
                "previous_version": 7,
                "commit": A,
                "digest": "sha256:12",
                "bytes": 12345,
                "stored_bytes": None,
                "beside": [],
                "caution": "",
                "share": None,
                "signed_by": None,
                "override_freeze": None,
                "floor": 0,
                "unasked": [],
                "seconds": 0.123,
                "flags": {"added": [*"abcdefghijk"], "changed": [], "removed": ["old"]},
            }
        ],
        "failures": [],
    }


Flagctl = Callable[..., Any]


@pytest.fixture
def published(repo: Path) -> Path:
    return repo / "published" / "production" / "snapshot.json"


def test_publish_sends_the_commit_and_not_what_lies_around(
    repo: Path, published: Path, flagctl: Flagctl, git: Callable[..., str]
) -> None:
    file = repo / "flags/production/wishlist-gallery.yaml"
    file.write_text(file.read_text().replace("rollout: 25", "rollout: 50"))
    done = flagctl("publish", "production")
    assert done.returncode == 0, done.stderr
    assert "published version 1, the first" in done.stdout
    assert "flags/production/wishlist-gallery.yaml" in done.stderr
    assert "not published" in done.stderr
    head = git(repo, "rev-parse", "HEAD").strip()
    document = json.loads(published.read_bytes())
    assert (document["commit"], document["version"]) == (head, 1)
    assert document["flags"]["wishlist-gallery"]["default"]["split"][0] == ["on", 25_000]

    git(repo, "commit", "-qam", "More")
    done = flagctl("publish", "production", "--json")
    said = "flagd answers as flagctl in production: 2 of 2 flags asked\n"
    assert (done.returncode, done.stderr) == (0, said)
    receipt = json.loads(done.stdout)["receipts"][0]
    assert (receipt["version"], receipt["flags"]["changed"]) == (2, ["wishlist-gallery"])

    done = flagctl("publish", "production", "--rev", "HEAD~1")
    assert (done.returncode, "--allow-older" in done.stderr) == (5, True), done.stderr
    done = flagctl("publish", "production", "--rev", "HEAD~1", "--allow-older", "-n")
    assert (done.returncode, "would publish version 3" in done.stdout) == (0, True), done.stderr
    assert json.loads(published.read_bytes())["version"] == 2


def test_a_publish_without_a_target_says_how_to_name_one(repo: Path, published: Path, flagctl: Flagctl) -> None:
    done = flagctl("publish", "development")
    assert done.returncode == 2
    assert "no target" in done.stderr
    assert "--target" in done.stderr
    assert flagctl("publish", "development", "--target", "file:elsewhere").returncode == 0
    assert (repo / "elsewhere/development/snapshot.json").is_file()
    assert not published.exists()


def test_publishing_everything(repo: Path, published: Path, flagctl: Flagctl) -> None:
    done = flagctl("publish", "--all", "--target", "file:published", "--json")
    assert done.returncode == 0, done.stderr
    receipts = json.loads(done.stdout)["receipts"]
    assert [receipt["environment"] for receipt in receipts] == ["development", "production"]
    done = flagctl("publish", "--all")
    assert (done.returncode, done.stdout.count("is live already")) == (0, 1), done.stderr


def test_a_flag_repository_that_is_a_folder_of_a_monorepo(
    make_repo: Callable[..., Path], flagctl: Flagctl, git: Callable[..., str]
) -> None:
    mono = make_repo({"README": "everything"}, name="mono")
    shop = mono / "teams" / "shop"
    for path, text in SMALL.items():
        (shop / path).parent.mkdir(parents=True, exist_ok=True)
        (shop / path).write_text(text)
    git(mono, "add", "-A")
    git(mono, "commit", "-qm", "Flags")
    (mono / "README").write_text("not our business")
    (shop / "flags/production/new.yaml").write_text("")
    (shop / "flags/production/wishlist-edit.yaml").write_text("")
    done = flagctl("publish", "production", cwd=shop / "flags")
    assert done.returncode == 0, done.stderr
    assert "not published: flags/production/new.yaml, flags/production/wishlist-edit.yaml\n" in done.stderr
    assert (shop / "published/production/snapshot.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--all"),
        (["production", "--all"], "--all"),
        (["prodution"], "did you mean production?"),
        (["production", "--rev", "no-such-branch"], "no-such-branch"),
        (["production", "--target", "reddis://cache/0"], "did you mean redis?"),
    ],
)
def test_publish_used_wrongly(flagctl: Flagctl, published: Path, arguments: list[str], words: str) -> None:
    done = flagctl("publish", *arguments)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert not published.exists()


def test_an_error_in_the_environment_is_in_the_way_and_one_elsewhere_is_not(
    repo: Path, published: Path, flagctl: Flagctl, git: Callable[..., str]
) -> None:
    (repo / "flags/development/wishlist-edit.yaml").write_text("description: no owner\ndefault: {serve: maybe}\n")
    git(repo, "commit", "-qam", "Break development")
    assert flagctl("publish", "production").returncode == 0
    before = published.read_bytes()
    (repo / "flags/production/wishlist-edit.yaml").write_text("description: no owner\ndefault: {serve: maybe}\n")
    git(repo, "commit", "-qam", "Break production")
    done = flagctl("publish", "production")
    assert done.returncode == 1, done.stderr
    assert "flags/production/wishlist-edit.yaml" in done.stderr
    assert "flags/development" not in done.stderr
    assert published.read_bytes() == before


def test_what_was_sent_before_a_failure_has_its_receipt(repo: Path, flagctl: Flagctl, git: Callable[..., str]) -> None:
    settings = repo / "flags/flagctl.yaml"
    settings.write_text(settings.read_text().replace('["file:published"]', '["file:published", "file:blocked"]'))
    git(repo, "commit", "-qam", "Two targets")
    (repo / "blocked").write_text("a file")
    done = flagctl("publish", "production", "--json")
    assert done.returncode == 4, done.stderr
    assert [receipt["target"] for receipt in json.loads(done.stdout)["receipts"]] == ["file:published"]
    assert "a file stands where a folder is needed" in done.stderr


@pytest.mark.parametrize(
    "url",
    [
        "redis://flags:s3cr3t@127.0.0.1:1/0",
        "redis://:s3cr3t/x@127.0.0.1:1/0",
        "rediss+cluster://flags:s3cr3t@127.0.0.1:1",
        "s3://id:s3cr3t@bucket/x",
        "s3://bucket/x?token=s3cr3t",
        "https://host/x?sig=s3cr3t",
    ],
)
def test_a_password_in_a_url_is_shown_nowhere(repo: Path, flagctl: Flagctl, git: Callable[..., str], url: str) -> None:
    settings = repo / "flags/flagctl.yaml"
    settings.write_text(settings.read_text().replace('"file:published"', f'"{url}"'))
    git(repo, "commit", "-qam", "Elsewhere")
    for arguments in (
        ["publish", "production", "--target", url],
        ["publish", "production", "--target", url, "-n", "--json"],
        ["publish", "production"],
        ["doctor"],
        ["config", "show", "--json"],
        ["check"],
    ):
        done = flagctl(*arguments)
        assert done.returncode in ((0, 1) if arguments[0] in ("doctor", "config", "check") else (1, 2, 4)), done.stderr
        said = done.stdout + done.stderr
        # `check` shows the line that the problem stands in; it is in the repository already.
        assert "s3cr3t" not in "".join(line for line in said.splitlines() if "targets: [" not in line), said
