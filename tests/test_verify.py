"""What is live is proven, or it is said exactly what is wrong: `verify` and a reader with keys, side by side."""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from servers import Place

from flagctl.cli.verification import verify_all
from flagctl.compile.snapshot import encode
from flagctl.errors import OutsideError
from flagctl.project import Project
from flagctl.publish.verify import Verified
from flagctl.signing import ONE_LINE, PrivateKey, PublicKey, public_line, verify
from flagctl.stores.packing import unpack

Run = Callable[..., Any]
LINE, OLD = (ONE_LINE + base64.b64encode(seed * 32).decode() for seed in (b"7", b"8"))
MINE, RETIRED, STRANGER = (
    PrivateKey.read(ONE_LINE + base64.b64encode(seed * 32).decode(), origin="it") for seed in (b"7", b"8", b"9")
)
KEYS = [PublicKey(name="k", raw=MINE.public), PublicKey(name="old", raw=RETIRED.public, until=1_000_000_000)]
NOW = 1_800_000_000
MORE = f"""\
audiences: {{web: {{tags: [web]}}}}
keys:
  - {{name: k, public: "{public_line(MINE.public, "k")}"}}
  - {{name: old, public: "{public_line(RETIRED.public, "old")}", until: 2001-09-09}}
"""


TEMPLATE: list[Path] = []


@pytest.fixture
def live(
    repo: Path, flagctl: Run, git: Run, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The live snapshot of a repository that signs and has an audience; versions 1 and 2 were published.

    Made once for all of these tests, and then copied.
    """
    monkeypatch.setenv("FLAGCTL_SIGNING_KEY", LINE)
    if TEMPLATE:
        shutil.rmtree(repo)
        shutil.copytree(TEMPLATE[0], repo)
        return repo / "published/production/snapshot.json"
    settings = repo / "flags/flagctl.yaml"
    text = settings.read_text().replace("development: {}", 'development: {targets: ["file:published"]}')
    settings.write_text(text + MORE)
    for file in repo.glob("flags/*/wishlist-gallery.yaml"):
        file.write_text(file.read_text().replace('email, ends_with: "@example.com"', "country, equals: DE"))
    git(repo, "commit", "-qam", "Sign")
    assert flagctl("publish", "--all").returncode == 0
    assert flagctl("set", "wishlist-gallery", "-e", "production", "--rollout", "50", "-r", "more").returncode == 0
    done = flagctl("publish", "production")
    assert done.returncode == 0, done.stderr
    TEMPLATE.append(tmp_path_factory.mktemp("template") / "repo")
    shutil.copytree(repo, TEMPLATE[0])
    return repo / "published/production/snapshot.json"


def verified(repo: Path, source: str | None = None, environment: str | None = "production") -> list[Verified]:
    return list(verify_all(Project.find(repo), source, environment, now=NOW))


def by_a_reader(data: bytes, held: int = 2) -> str:
    return verify(data, KEYS, environment="production", now=NOW, held=held).state


def signed(document: dict[str, Any], key: PrivateKey = MINE, name: str = "k") -> bytes:
    bare = {field: value for field, value in document.items() if field != "signature"}
    return encode({**bare, "signature": key.sign(encode(bare), name)})


def test_what_is_live_is_what_the_commit_says(repo: Path, live: Path, flagctl: Run, git: Run) -> None:
    head = git(repo, "rev-parse", "HEAD").strip()
    done = flagctl("verify", "-e", "production")
    assert done.returncode == 0, done.stderr
    whole, flagd, web = done.stdout.splitlines()
    sentence = f"version 2: this is what flags/production/ at {head[:12]} says, signed by k, published just now"
    assert whole == f"file:published: production {sentence}"
    assert flagd == f"file:published: production flagd.json of {sentence}".replace("signed by k", "not signed")
    assert web == f"file:published: production for web {sentence}"
    assert flagctl("verify").stdout.splitlines()[0].startswith("file:published: development version 1: this is")
    for source in ("published/production/snapshot.json", live, f"file://{live}", f"file:{live}"):
        done = flagctl("verify", source)
        assert (done.returncode, "this is what flags/production/" in done.stdout) == (0, True), done.stderr
    done = flagctl("verify", "published/production/web/snapshot.json", "--json")
    (found,) = json.loads(done.stdout)["snapshots"]
    assert (found["ok"], found["audience"], found["key"], found["version"], found["commit"]) == (
        True,
        "web",
        "k",
        2,
        head,
    )
    assert json.loads(done.stdout)["format"] == "flagctl/verify/1"


def flipped(data: bytes, _: Path) -> bytes:
    return data[:50] + bytes([data[50] ^ 4]) + data[51:]


def changed(data: bytes, _: Path) -> bytes:
    return data.replace(b'["on",50000]', b'["on",99000]')


def changed_and_signed(by: PrivateKey, name: str) -> Callable[[bytes, Path], bytes]:
    return lambda data, _: signed(json.loads(changed(data, _)), by, name)


def with_fields(by: PrivateKey = MINE, name: str = "k", **fields: Any) -> Callable[[bytes, Path], bytes]:
    return lambda data, _: signed({**json.loads(data), **fields}, by, name)


def unsigned(data: bytes, _: Path) -> bytes:
    return encode({name: value for name, value in json.loads(data).items() if name != "signature"})


def replayed(_: bytes, published: Path) -> bytes:
    return next(published.glob("production/history/1-*")).read_bytes()


def another_environment(_: bytes, published: Path) -> bytes:
    return (published / "development/snapshot.json").read_bytes()


def another_audience(_: bytes, published: Path) -> bytes:
    return (published / "production/web/snapshot.json").read_bytes()


def respelled(data: bytes, _: Path) -> bytes:
    return json.dumps(json.loads(data)).encode()


@pytest.mark.parametrize(
    ("tamper", "told", "reader"),
    [
        (flipped, "", "damaged bad-signature"),
        (changed, "its signature by k does not fit", "bad-signature"),
        (
            changed,
            'flags wishlist-gallery default split is [["on",99000],["off",100000]], and the commit says [["on",50000]',
            "",
        ),
        (changed_and_signed(MINE, "k"), "and the commit says", "ok"),  # only who has the commit can tell
        (changed_and_signed(STRANGER, "k"), "its signature by k does not fit", "bad-signature"),
        (changed_and_signed(STRANGER, "mallory"), "signed by mallory, and k, old are believed", "unknown-key"),
        (with_fields(RETIRED, "old"), "signed by old, which is retired", "retired-key"),
        (unsigned, "it is not signed", "unsigned"),
        (replayed, "it is version 1, older than version 2 seen before", "step-back"),
        (another_environment, "it is of 'development', not of 'production'", "wrong-environment"),
        (another_audience, "it is for 'web', not the whole", "wrong-environment"),
        (with_fields(canary={"share": 1, "salt": "x"}), "it is a canary", "wrong-environment"),
        (with_fields(format="flagctl/snapshot/2"), "it is in the format flagctl/snapshot/2", "newer-format"),
        (with_fields(flags={}), "flags wishlist-edit is missing", "ok"),
        (with_fields(protected=False), "protected is false, and the commit says true", "ok"),
        (
            with_fields(kills={"wishlist-edit": 5}),
            "flags wishlist-edit enabled is true, and the commit says false",
            "ok",
        ),
        (with_fields(extra=1), "extra is published, and the commit has none", "ok"),
        (with_fields(commit_time="2020-01-01T00:00:00Z"), "its commit_time is another", "ok"),
        (with_fields(commit=None), "it names no commit", "ok"),
        (respelled, "its signature is not written as signatures are", "bad-signature"),
        (lambda data, _: data[: len(data) // 2], "this is no JSON document", "damaged"),
        (lambda data, _: b"", "this is no JSON document", "damaged"),
    ],
)
def test_what_was_tampered_with_is_told(
    repo: Path, live: Path, tamper: Callable[[bytes, Path], bytes], told: str, reader: str
) -> None:
    live.write_bytes(tamper(live.read_bytes(), repo / "published"))
    found = verified(repo)[0]
    assert not found.ok
    assert any(told in line for line in (found.reason, *found.differences)), found
    assert not reader or by_a_reader(live.read_bytes()) in reader.split()


def test_a_flipped_byte_anywhere_is_found_by_verify_and_by_readers(repo: Path, live: Path) -> None:
    dice = random.Random(5)
    for file in (live, live.parent / "web/snapshot.json"):
        data = file.read_bytes()
        everywhere = range(len(data))
        for position in [0, len(data) - 1, *dice.sample(everywhere, 60)]:
            file.write_bytes(data[:position] + bytes([data[position] ^ 1 << dice.randrange(8)]) + data[position + 1 :])
            whole, *beside = verified(repo)
            assert [whole.ok, beside[-1].ok] == [file != live, file == live], position
        file.write_bytes(data)
    data = live.read_bytes()
    for position in everywhere:
        flip = data[:position] + bytes([data[position] ^ 1 << dice.randrange(8)]) + data[position + 1 :]
        assert by_a_reader(flip) != "ok", position


def test_verify_says_no_with_one_and_does_not_know_with_four(
    repo: Path, live: Path, flagctl: Run, tmp_path: Path
) -> None:
    data = live.read_bytes()
    live.write_bytes(changed(data, live))
    done = flagctl("verify", "-e", "production")
    assert (done.returncode, "production version 2: NO" in done.stdout) == (1, True), done.stderr
    live.write_bytes(signed({**json.loads(data), "commit": "f" * 40}))
    done = flagctl("verify", "-e", "production")
    assert (done.returncode, "this clone has no commit ffffffffffff" in done.stderr) == (4, True)
    assert "git fetch" in done.stderr
    live.unlink()
    done = flagctl("verify", "-e", "production")
    assert (done.returncode, "nothing is published" in done.stdout) == (1, True)
    for source, code, message in [("nowhere.json", 4, "can't be read"), ("file:elsewhere", 2, "-e ENV")]:
        done = flagctl("verify", source)
        assert (done.returncode, message in done.stderr) == (code, True), done.stderr


def test_a_repository_without_keys_proves_content_alone(repo: Path, flagctl: Run) -> None:
    assert flagctl("publish", "production").returncode == 0
    done = flagctl("verify")
    assert (done.returncode, "says, not signed, published" in done.stdout) == (0, True), done.stderr
    live = repo / "published/production/snapshot.json"
    live.write_bytes(live.read_bytes().replace(b"25000", b"26000"))
    assert flagctl("verify").returncode == 1


def test_a_part_for_an_audience_that_is_newer_than_what_is_live(repo: Path, live: Path, flagctl: Run, git: Run) -> None:
    settings = repo / "flags/flagctl.yaml"
    settings.write_text(settings.read_text().replace("audiences: {web: ", "audiences: {app: {tags: [web]}, web: "))
    git(repo, "commit", "-qam", "Another audience")
    assert "missing beside it was app/snapshot.json" in flagctl("publish", "production").stdout
    found = [(one.audience or one.beside, one.ok) for one in verified(repo)]
    assert found == [(None, True), ("flagd.json", True), ("app", True), ("web", True)]


def test_a_flagd_definition_that_is_not_the_snapshots_is_told(repo: Path, live: Path, flagctl: Run) -> None:
    file = live.with_name("flagd.json")
    file.write_bytes(file.read_bytes().replace(b"50", b"99"))
    done = flagctl("verify", "-e", "production")
    assert done.returncode == 1
    assert "production flagd.json of version 2: NO\n  it is not what version 2 of the snapshot says" in done.stdout
    file.unlink()
    assert "NO\n  it is not published" in flagctl("verify", "-e", "production").stdout


@contextmanager
def served(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def test_the_entry_in_the_history_is_looked_at_too(repo: Path, live: Path, flagctl: Run) -> None:
    (entry,) = live.parent.glob("history/2-*.json")
    entry.write_bytes(entry.read_bytes().replace(b"wishlist", b"wishlast", 1))
    done = flagctl("verify", "-e", "production")
    assert (done.returncode, f"history/{entry.name} of version 2: NO" in done.stdout) == (1, True), done.stdout


def test_a_version_that_is_not_to_be_believed_is_no_measure_for_other_parts(repo: Path, live: Path) -> None:
    live.write_bytes(re.sub(rb'"version":\d+}$', b'"version":900}', live.read_bytes()))
    assert [(one.audience, one.ok) for one in verified(repo)] == [(None, False), ("web", True)]


def test_what_can_not_be_told_of_one_target_hides_nothing_of_the_others(
    repo: Path, live: Path, flagctl: Run, git: Run
) -> None:
    settings = repo / "flags/flagctl.yaml"
    both = settings.read_text().replace(
        'protected: true\n    targets: ["file:published"]',
        'protected: true\n    targets: ["redis://127.0.0.1:1/0", "file:published"]',
    )
    settings.write_text(both)
    done = flagctl("verify", "-e", "production")
    assert done.returncode == 4, done.stderr
    assert "redis://127.0.0.1:1/0: production: CAN'T TELL" in done.stdout
    assert "file:published: production version 2: this is what" in done.stdout
    live.write_bytes(live.read_bytes().replace(b"wishlist", b"wishlast", 1))
    done = flagctl("verify", "-e", "production", "--json")
    assert done.returncode == 1, "what is wrong weighs more than what nobody knows"
    errors = [one["error"] for one in json.loads(done.stdout)["snapshots"]]
    assert "is it running" in json.loads(done.stdout)["snapshots"][0]["hint"]
    assert ("can't read production/snapshot.json" in errors[0], errors[1]) == (True, None)


def test_a_url_is_verified(repo: Path, live: Path, flagctl: Run) -> None:
    with served(repo / "published") as url:
        done = flagctl("verify", f"{url}/production/snapshot.json")
        assert (done.returncode, "signed by k, published just now" in done.stdout) == (0, True), done.stderr
        live.write_bytes((repo / "published/development/snapshot.json").read_bytes())
        done = flagctl("verify", f"{url}/production/snapshot.json")
        assert (done.returncode, "not of 'production'" in done.stdout) == (1, True), done.stdout
        done = flagctl("verify", f"{url}/production/nothing.json")
        assert (done.returncode, "there is nothing at http:" in done.stderr) == (4, True)


def stored(store: Any, kind: str, key: str) -> tuple[bytes, Callable[[bytes], object]]:
    """The bytes that a place really keeps, and what replaces them behind our back."""
    if kind == "file":
        return (store.root / key).read_bytes(), (store.root / key).write_bytes
    if kind == "s3":
        answer = store.client.get_object(**store.place(key))
        return answer["Body"].read(), lambda raw: store.client.put_object(**store.place(key), Body=raw)
    return store.client.get(store.name(key)), lambda raw: store.client.set(store.name(key), raw)


@pytest.mark.parametrize("kind", ["file", "s3", "redis"])
def test_a_flipped_byte_of_a_stored_object_is_found_in_every_kind_of_place(
    repo: Path, live: Path, flagctl: Run, make_place: Callable[[str], Place], kind: str
) -> None:
    place = make_place(kind)
    assert flagctl("publish", "production", "--target", place.url).returncode == 0
    project, key, store = Project.find(repo), "production/snapshot.json", place.open()
    raw, replace = stored(store, kind, key)
    said, dice = unpack(raw, key), random.Random(5)
    assert all(one.ok for one in verify_all(project, place.url, "production", now=NOW))
    unharmed = 0
    for number, position in enumerate(dice.sample(range(len(raw)), 60)):
        replace(raw[:position] + bytes([raw[position] ^ 1 << dice.randrange(8)]) + raw[position + 1 :])
        try:
            kept = store.get(key)
        except OutsideError:
            continue  # it does not even unpack
        found = kept.data
        unharmed += found == said
        assert (by_a_reader(found, held=1) == "ok") is (found == said), position
        if not number % 10:
            whole = next(verify_all(project, place.url, "production", now=NOW))
            assert whole.ok is (found == said and not kept.strange), position
    # Of gzip's own header some bytes say nothing about what is read, as do the bits that fill up its last byte.
    assert unharmed <= (0 if kind == "file" else 6)
    for position in range(10) if kind != "file" else ():
        for bit in range(8):
            replace(raw[:position] + bytes([raw[position] ^ 1 << bit]) + raw[position + 1 :])
            try:
                kept = store.get(key)
            except OutsideError:
                continue
            assert kept.strange or kept.data != said, (position, bit)
    if kind != "file":
        replace(gzip.compress(said))
        whole = next(verify_all(project, place.url, "production", now=NOW))
        told = ("it is compressed under a gzip header that flagctl does not write",)
        assert (whole.ok, whole.signature, whole.differences) == (False, "ok", told)
        assert by_a_reader(store.get(key).data, held=1) == "ok", "readers go on, whoever compressed it"


def test_a_clone_without_the_history_does_not_know(
    repo: Path, live: Path, flagctl: Run, git: Run, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repo}", "shallow")
    shutil.copytree(repo / "published", tmp_path / "shallow/published")
    done = flagctl("verify", "-e", "production", cwd=tmp_path / "shallow")
    assert (done.returncode, "this clone lacks the history" in done.stderr) == (4, True), done.stdout + done.stderr
    # What was published from such a clone is proven by a whole one all the same.
    done = flagctl("publish", "production", "--allow-older", cwd=tmp_path / "shallow")
    assert done.returncode == 0, done.stderr
    shutil.copytree(tmp_path / "shallow/published", repo / "published", dirs_exist_ok=True)
    assert all(one.ok for one in verified(repo))
