"""A whole tree read at once, and one flag with what it needs; the cache that may never be wrong."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import flagctl
from flagctl.files.cache import Cache
from flagctl.files.repository import Reading, read_closure, read_repository
from flagctl.files.walk import DiskTree

FLAG = "description: x\nowner: {team: t}\n"
SETTINGS = "environments: {development: {}, production: {promotes_from: development}}\n"


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    for path, text in files.items():
        (root / "flags" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "flags" / path).write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def told(reading: Reading) -> list[tuple[str, str, str]]:
    return [(problem.file.removeprefix("flags/"), problem.rule, problem.message) for problem in reading.problems]


def test_everything_is_read_into_its_place(tmp_path: Path) -> None:
    write(tmp_path, {
        "flagctl.yaml": SETTINGS,
        "attributes.yaml": "attributes: {plan: {type: string}}\n",
        "production/a/b/c.yaml": FLAG + "enabled: false  # flagctl: allow rule-x — because\n",
        "development/c.yaml": FLAG,
        "development/segments/s.yaml": "when: [{attribute: plan, exists: true}]\n",
        "tests/c.yaml": "tests: [{expect: {variant: on}}, {expect: {variant: off}}]\n",
        "production/CODEOWNERS": "x",
    })  # fmt: skip
    reading = read_repository(DiskTree(tmp_path))
    repository = reading.repository
    assert reading.problems == []
    assert list(repository.environments) == ["development", "production"]
    assert repository.environments["production"].flags["c"].enabled is False
    assert repository.environments["production"].flag_files == {"c": "flags/production/a/b/c.yaml"}
    assert repository.environments["development"].segment_files == {"s": "flags/development/segments/s.yaml"}
    assert set(repository.environments["development"].segments) == {"s"}
    assert set(repository.attributes) == {"plan"}
    assert [expectation.pointer for expectation in repository.expectations] == ["/tests/0", "/tests/1"]
    assert reading.allows == {"flags/production/a/b/c.yaml"}
    assert len(reading.files) == 6
    assert reading.text("flags/development/c.yaml") == FLAG


def test_bad_files_are_problems_and_the_others_are_read(tmp_path: Path) -> None:
    write(tmp_path, {
        "flagctl.yaml": SETTINGS,
        "production/good.yaml": FLAG,
        "production/latin.yaml": "description: grün".encode("latin-1"),
        "production/empty.yaml": "",
        "production/crlf.yaml": FLAG.replace("\n", "\r\n"),
        "production/huge.yaml": b"#" * 10_000_000,
        "production/deep.yaml": "a: " + "[" * 100 + "]" * 100,
        "production/typo.yaml": FLAG + "enabeld: true\n",
        "production/wrong.yml": FLAG,
        "production/_odd.yaml": FLAG,
        "production/schnee☃.yaml": FLAG,
        "production/folder.yaml/inner.yaml": FLAG,
        "stray.yaml": FLAG,
    })  # fmt: skip
    (tmp_path / "outside.yaml").write_text(FLAG)
    (tmp_path / "flags/production/link.yaml").symlink_to("../../outside.yaml")
    (tmp_path / "flags/production/gone.yaml").symlink_to("nowhere")
    os.mkfifo(tmp_path / "flags/production/pipe.yaml")
    reading = read_repository(DiskTree(tmp_path))
    production = reading.repository.environments["production"]
    assert set(production.flags) == {"good", "crlf", "inner"}
    assert set(production.flag_files) == {"good", "crlf", "inner", "latin", "empty", "huge", "deep", "typo"}
    assert sorted(told(reading)) == sorted([
        ("production/_odd.yaml", "file-name", '"_odd" can\'t be the name of a flag'),
        ("production/crlf.yaml", "line-ends", "lines end in CR LF, as on Windows"),
        ("production/deep.yaml", "yaml-limits", "nested too deeply: at most 32 levels are read"),
        ("production/empty.yaml", "schema", "the file is empty"),
        ("production/folder.yaml", "file-access", "flags/production/folder.yaml is a folder, not a file"),
        ("production/gone.yaml", "file-access", "flags/production/gone.yaml is a symbolic link to no file"),
        ("production/huge.yaml", "yaml-limits", "expected at most 1 MB, found 10 MB"),
        ("production/latin.yaml", "yaml-encoding", "the file is not UTF-8: byte 0xFC does not belong here"),
        ("production/link.yaml", "file-access",
         "flags/production/link.yaml is a symbolic link that leaves flags/production"),
        ("production/pipe.yaml", "file-access", "flags/production/pipe.yaml is no regular file"),
        ("production/schnee☃.yaml", "file-name", '"schnee☃" can\'t be the name of a flag'),
        ("production/typo.yaml", "unknown-field", 'unknown field "enabeld" in a flag'),
        ("production/wrong.yml", "file-name", "a file that ends in .yml is not read"),
        ("stray.yaml", "file-name",
         "this file is neither settings nor attributes nor in an environment's folder"),
    ])  # fmt: skip


class Vanishing(DiskTree):
    """Files that go away between being listed and being read."""

    def paths(self, under: str = "flags") -> list[str]:
        return [*super().paths(under), "flags/production/vanished.yaml"]


def test_a_file_that_vanishes_while_reading_is_a_problem(tmp_path: Path) -> None:
    write(tmp_path, {"flagctl.yaml": SETTINGS, "production/a.yaml": FLAG})
    reading = read_repository(Vanishing(tmp_path))
    message = "flags/production/vanished.yaml can't be read: No such file or directory"
    assert told(reading) == [("production/vanished.yaml", "file-access", message)]
    assert set(reading.repository.environments["production"].flags) == {"a"}


def test_keys_that_clash_are_problems_of_the_later_file(tmp_path: Path) -> None:
    write(tmp_path, {
        "flagctl.yaml": SETTINGS,
        "production/a/one.yaml": FLAG,
        "production/b/one.yaml": FLAG + "enabled: false\n",
        "production/b/ONE.yaml": FLAG,
        "production/segments/one.yaml": "when: [{segment: x}]\n",
        "development/one.yaml": FLAG,
        "tests/one.yaml": "tests: [{expect: {variant: on}}]\n",
    })  # fmt: skip
    reading = read_repository(DiskTree(tmp_path))
    first = "flags/production/a/one.yaml"
    assert told(reading) == [
        ("production/b/ONE.yaml", "key-clash", f'flag "ONE" differs only in case from one in {first}'),
        ("production/b/one.yaml", "key-clash", f'flag "one" also stands in {first}'),
    ]
    assert reading.repository.environments["production"].flag_files == {"one": first}


@pytest.mark.parametrize(
    ("text", "rule"), [(None, "file-access"), ("environments: 3\n", "schema"), ("a: [", "yaml-syntax")]
)
def test_without_settings_the_environments_are_the_folders(tmp_path: Path, text: str | None, rule: str) -> None:
    write(tmp_path, {"production/a.yaml": FLAG} | ({} if text is None else {"flagctl.yaml": text}))
    reading = read_repository(DiskTree(tmp_path))
    assert [found for _, found, _ in told(reading)] == [rule]
    assert set(reading.repository.environments["production"].flags) == {"a"}


def test_nothing_at_all_is_one_problem(tmp_path: Path) -> None:
    assert told(read_repository(DiskTree(tmp_path))) == [
        ("flagctl.yaml", "file-access", "there is no flags/flagctl.yaml")
    ]


@pytest.mark.parametrize("on", [True, False])
def test_the_garbage_collector_is_left_as_it_was_found(tmp_path: Path, on: bool) -> None:
    write(tmp_path, {"flagctl.yaml": SETTINGS})
    try:
        (gc.enable if on else gc.disable)()
        read_repository(DiskTree(tmp_path))
        assert gc.isenabled() == on
    finally:
        gc.enable()


# --- one flag with what it needs

CHAIN: dict[str, str | bytes] = {
    "flagctl.yaml": SETTINGS,
    "attributes.yaml": "attributes: {plan: {type: string}}\n",
    "production/x/a.yaml": FLAG + "requires: [{flag: b}, {flag: gone}]\n",
    "production/b.yaml": FLAG
    + "requires: [{flag: a}]\n"
    + "rules: [{name: r, serve: on, when: [{any: [{not: {segment: s}}, {all: [{segment: t}]}]}]}]\n",
    "production/c.yaml": "broken: [",
    "production/segments/s.yaml": "when: [{segment: u}]\n",
    "production/segments/t.yaml": "when: [{segment: t}]\n",
    "production/segments/u.yaml": "when: [{attribute: plan, exists: true}]\n",
    "production/segments/v.yaml": "when: [",
    "production/segments/a.yaml": "when: [",
    "development/a.yaml": "broken: [",
}  # fmt: skip


def test_a_closure_holds_what_the_flag_needs_and_reads_nothing_else(tmp_path: Path) -> None:
    reading = read_closure(DiskTree(write(tmp_path, CHAIN)), "production", "a")
    production = reading.repository.environments["production"]
    assert reading.problems == []
    assert (set(production.flags), set(production.segments)) == ({"a", "b"}, {"s", "t", "u"})
    assert set(reading.repository.attributes) == {"plan"}
    assert set(reading.files) == {
        "flags/flagctl.yaml", "flags/attributes.yaml", "flags/production/x/a.yaml", "flags/production/b.yaml",
        "flags/production/segments/s.yaml", "flags/production/segments/t.yaml", "flags/production/segments/u.yaml",
    }  # fmt: skip


def test_a_closure_needs_no_attributes_and_refuses_linked_ones(tmp_path: Path) -> None:
    write(tmp_path, {"flagctl.yaml": SETTINGS, "production/a.yaml": FLAG})
    assert read_closure(DiskTree(tmp_path), "production", "a").problems == []
    (tmp_path / "other.yaml").write_text("attributes: {plan: {type: string}}\n")
    (tmp_path / "flags/attributes.yaml").symlink_to("../other.yaml")
    reading = read_closure(DiskTree(tmp_path), "production", "a")
    assert [(file, rule) for file, rule, _ in told(reading)] == [("attributes.yaml", "file-access")]
    assert reading.repository.attributes == {}


def test_a_closure_is_part_of_the_whole(tmp_path: Path) -> None:
    tree = DiskTree(write(tmp_path, CHAIN))
    whole = read_repository(tree).repository.environments["production"]
    part = read_closure(tree, "production", "a").repository.environments["production"]
    assert part.flags.items() <= whole.flags.items()
    assert part.segments.items() <= whole.segments.items()


@pytest.mark.parametrize(("environment", "key"), [("production", "nothing"), ("nowhere", "a")])
def test_a_closure_of_nothing_is_empty(tmp_path: Path, environment: str, key: str) -> None:
    reading = read_closure(DiskTree(write(tmp_path, CHAIN)), environment, key)
    assert reading.problems == []
    assert all(not place.flags for place in reading.repository.environments.values())


def test_a_closure_says_what_is_wrong_with_its_files_clashes_included(tmp_path: Path) -> None:
    write(tmp_path, CHAIN | {"production/y/a.yaml": FLAG, "production/b.yaml": FLAG + "enabled: maybe\n"})
    reading = read_closure(DiskTree(tmp_path), "production", "a")
    assert [(file, rule) for file, rule, _ in told(reading)] == [
        ("production/y/a.yaml", "key-clash"),
        ("production/b.yaml", "schema"),
    ]


def test_a_closure_of_good_files_loads_no_heavy_library(tmp_path: Path) -> None:
    write(tmp_path, CHAIN)
    code = (
        "import sys; from pathlib import Path; from flagctl.files.walk import DiskTree\n"
        "from flagctl.files.repository import read_closure\n"
        f"read_closure(DiskTree(Path({str(tmp_path)!r})), 'production', 'a')\n"
        "heavy = {'ruamel', 'jsonschema', 'jsonschema_rs', 'git', 'typer', 'rich'}\n"
        "print(*heavy & {name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


# --- the cache


def read(root: Path) -> Reading:
    return read_repository(DiskTree(root), cache=Cache(root / "cache"))


def same(one: Reading, other: Reading) -> bool:
    return (one.repository, one.problems, one.allows) == (other.repository, other.problems, other.allows)


contents = st.sampled_from(
    [
        FLAG,
        FLAG + "enabled: false\n",
        FLAG + "x: 1\n",
        "a: [",
        "",
        FLAG.replace("\n", "\r\n"),
        FLAG + "# flagctl: allow a\n",
    ]
)
trees = st.dictionaries(
    st.sampled_from(["production/a.yaml", "production/x/a.yaml", "development/a.yaml", "production/b.yaml"]), contents
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(trees, min_size=2, max_size=4))
def test_a_cached_reading_is_the_reading(
    tmp_path_factory: pytest.TempPathFactory, versions: list[dict[str, str]]
) -> None:
    root = tmp_path_factory.mktemp("r")
    for files in versions:
        for old in (root / "flags").rglob("*.yaml"):
            old.unlink()
        write(root, {"flagctl.yaml": SETTINGS, **files})
        for _ in range(2):
            assert same(read(root), read_repository(DiskTree(root)))


EVERYTHING: dict[str, str | bytes] = CHAIN | {
    "tests/a.yaml": "tests: [{at: 2027-01-01, bucket: 1, context: {a: [1.0, null]}, expect: {value: 1}}]\n",
    "production/numbers.yaml": FLAG + "type: object\nvariants: {a: {b: [1, 1.0, null, x]}}\noff_variant: a\n",
    "production/rich.yaml": FLAG
    + "default: {split: {on: 1.5, off: 98.5}, experiment: {name: e, slots: [0, 5]}}\n"
    + "schedule: [{at: 2027-01-01, default: {ramp: "
    + "{variant: on, from: 1, to: 2, start: 2027-01-01, duration: 1h, step: 1}}}]\n",
}  # fmt: skip


def test_whatever_a_file_can_say_survives_the_cache_types_included(tmp_path: Path) -> None:
    write(tmp_path, EVERYTHING)
    first, second = read(tmp_path), read(tmp_path)
    assert same(first, second)
    assert repr(first.repository) == repr(second.repository)


def test_an_unchanged_repository_is_not_written_again_and_a_change_is_read_alone(tmp_path: Path) -> None:
    write(tmp_path, EVERYTHING)
    read(tmp_path)
    written = (tmp_path / "cache").stat().st_ino
    read(tmp_path)
    assert (tmp_path / "cache").stat().st_ino == written
    write(tmp_path, {"production/numbers.yaml": FLAG})
    cache = Cache(tmp_path / "cache")
    misses = []
    original = cache.put
    cache.put = lambda entry, digest, parsed: (misses.append(entry.path), original(entry, digest, parsed))  # type: ignore[assignment, func-returns-value]
    read_repository(DiskTree(tmp_path), cache=cache)
    assert misses == ["flags/production/numbers.yaml"]


def test_what_is_gone_leaves_the_cache_with_the_next_change(tmp_path: Path) -> None:
    write(tmp_path, {"flagctl.yaml": SETTINGS, **{f"production/f{n}.yaml": FLAG for n in range(100)}})
    read(tmp_path)
    large = (tmp_path / "cache").stat().st_size
    for n in range(99):
        (tmp_path / f"flags/production/f{n}.yaml").unlink()
    write(tmp_path, {"production/new.yaml": FLAG})
    read(tmp_path)
    assert (tmp_path / "cache").stat().st_size < large / 10


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:10],
        lambda data: data[:-1],
        lambda data: data[:40],
        lambda data: data + b"x",
        lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:],
        lambda data: bytes(len(data)),
        lambda data: bytes([data[0] ^ 1]) + data[1:],
    ],
)
def test_a_damaged_cache_is_as_good_as_none(tmp_path: Path, damage: object) -> None:
    write(tmp_path, EVERYTHING)
    right = read(tmp_path)
    good = (tmp_path / "cache").read_bytes()
    (tmp_path / "cache").write_bytes(damage(good))  # type: ignore[operator]
    assert same(read(tmp_path), right)
    assert (tmp_path / "cache").read_bytes() == good


def test_another_version_s_cache_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, EVERYTHING)
    read(tmp_path)
    ours = (tmp_path / "cache").read_bytes()
    monkeypatch.setattr(flagctl, "__version__", "0.0.0")
    assert Cache(tmp_path / "cache")._known == {}
    read(tmp_path)
    assert (tmp_path / "cache").read_bytes()[16:] == ours[16:]
    assert (tmp_path / "cache").read_bytes()[:16] != ours[:16]


def test_a_cache_that_cannot_be_read_or_written_is_done_without(tmp_path: Path) -> None:
    write(tmp_path, EVERYTHING)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/x").write_text("")
    assert same(read(tmp_path), read_repository(DiskTree(tmp_path)))
    (tmp_path / "file").write_text("")
    reading = read_repository(DiskTree(tmp_path), cache=Cache(tmp_path / "file/below/cache"))
    assert same(reading, read_repository(DiskTree(tmp_path)))
    assert {path.name for path in tmp_path.iterdir()} == {"cache", "file", "flags"}


def test_many_writers_at_once_leave_a_whole_cache(tmp_path: Path) -> None:
    write(tmp_path, EVERYTHING)
    right = read_repository(DiskTree(tmp_path))
    caches = [Cache(tmp_path / "cache") for _ in range(8)]
    threads = [
        threading.Thread(target=read_repository, args=(DiskTree(tmp_path),), kwargs={"cache": c}) for c in caches
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert same(read(tmp_path), right)
    assert {path.name for path in tmp_path.iterdir()} == {"cache", "flags"}


def test_the_cache_lies_in_the_git_folder_one_for_each_flag_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "one").mkdir()
    places = {Cache.beside(tmp_path / name).path for name in ("", "one", "two")}
    assert {place.parent for place in places} == {tmp_path.resolve() / ".git/flagctl"}
    assert len(places) == 3


def test_without_a_git_folder_the_cache_lies_in_the_user_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    (tmp_path / "work/.git").write_text("gitdir: elsewhere\n")  # a linked work tree
    assert Cache.beside(tmp_path / "work").path.parent == tmp_path / "home/flagctl"
