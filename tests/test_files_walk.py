"""Which files there are: by their names, never outside the tree, never waiting for one."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from flagctl.errors import OutsideError
from flagctl.files.walk import DiskTree, Entry, classify, find


def write(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("a: 1\n")


def test_paths_are_all_files_below_flags_sorted_and_hidden_ones_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "flags/b/z.yaml", "flags/b/a/x.yaml", "flags/flagctl.yaml", "flags/b/.x.yaml", "flags/.git/y.yaml")
    write(tmp_path, "flags/b/README.md", "other/x.yaml")
    tree = DiskTree(tmp_path)
    assert tree.paths() == ["flags/b/README.md", "flags/b/a/x.yaml", "flags/b/z.yaml", "flags/flagctl.yaml"]
    assert tree.paths("flags/b/a") == ["flags/b/a/x.yaml"]
    assert tree.paths("flags/c") == []
    assert tree.refused == {}


def test_links_that_leave_their_environment_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "secret.yaml", "flags/staging/a.yaml", "flags/production/b.yaml", "flags/production-2/c.yaml")
    links = {
        "out": "../../secret.yaml",
        "across": "../staging/a.yaml",
        "sibling": "../production-2/c.yaml",
        "folder": "../staging",
        "dangling": "nowhere.yaml",
        "loop": "loop.yaml",
        "inside": "b.yaml",
    }
    for name, target in links.items():
        (tmp_path / f"flags/production/{name}.yaml").symlink_to(target)
    (tmp_path / "flags/attributes.yaml").symlink_to("staging/a.yaml")
    tree = DiskTree(tmp_path)
    assert [path for path in tree.paths() if "/production/" in path] == [
        "flags/production/b.yaml",
        "flags/production/inside.yaml",
    ]
    leaves, no_file = "is a symbolic link that leaves flags/production", "is a symbolic link to no file"
    assert tree.refused == {
        "flags/attributes.yaml": "is a symbolic link that leaves flags/attributes.yaml",
        "flags/production/out.yaml": leaves,
        "flags/production/across.yaml": leaves,
        "flags/production/sibling.yaml": leaves,
        "flags/production/folder.yaml": leaves,
        "flags/production/dangling.yaml": no_file,
        "flags/production/loop.yaml": no_file,
    }


def test_what_is_refused_is_not_read_either(tmp_path: Path) -> None:
    write(tmp_path, "secret.yaml", "flags/p/a.yaml")
    (tmp_path / "flags/p/out.yaml").symlink_to("../../secret.yaml")
    (tmp_path / "flags/p/in.yaml").symlink_to("a.yaml")
    tree = DiskTree(tmp_path)
    assert tree.read("flags/p/in.yaml") == b"a: 1\n"
    with pytest.raises(OutsideError, match=r"flags/p/out\.yaml is a symbolic link that leaves flags/p"):
        tree.read("flags/p/out.yaml")


def test_a_root_reached_by_a_link_is_no_way_out(tmp_path: Path) -> None:
    write(tmp_path, "real/flags/p/a.yaml")
    (tmp_path / "real/flags/p/b.yaml").symlink_to("a.yaml")
    (tmp_path / "linked").symlink_to("real")
    assert DiskTree(tmp_path / "linked").paths() == ["flags/p/a.yaml", "flags/p/b.yaml"]


def test_what_is_no_file_is_refused_and_reading_it_never_waits(tmp_path: Path) -> None:
    write(tmp_path, "flags/p/x.yaml/inner.yaml")
    os.mkfifo(tmp_path / "flags/p/pipe.yaml")
    tree = DiskTree(tmp_path)
    assert tree.paths() == ["flags/p/x.yaml/inner.yaml"]
    assert tree.refused == {"flags/p/x.yaml": "is a folder, not a file", "flags/p/pipe.yaml": "is no regular file"}
    errors: list[str] = []

    def read(path: str) -> None:
        try:
            tree.read(path)
        except OutsideError as error:
            errors.append(error.message)

    for path in ("flags/p/pipe.yaml", "flags/p/x.yaml", "flags/p/gone.yaml", "flags/p/a\0b"):
        waiting = threading.Thread(target=read, args=(path,), daemon=True)
        waiting.start()
        waiting.join(5)
        assert not waiting.is_alive()
    assert errors[0] == "flags/p/pipe.yaml is no regular file"
    assert errors[2] == "flags/p/gone.yaml can't be read: No such file or directory"
    assert len(errors) == 4


def test_a_name_that_is_not_utf_8_is_refused_in_print(tmp_path: Path) -> None:
    folder = tmp_path / "flags/p"
    folder.mkdir(parents=True)
    try:
        (Path(os.fsdecode(bytes(folder) + b"/\xff.yaml"))).write_text("")
    except OSError:
        pytest.fail("this file system refuses the name itself: the test says nothing")
    tree = DiskTree(tmp_path)
    assert tree.paths() == []
    assert tree.refused == {"flags/p/\\xff.yaml": "has a name that is not UTF-8"}
    print(*tree.refused)


def test_refusals_are_noted_anew(tmp_path: Path) -> None:
    write(tmp_path, "flags/p/a.yaml")
    (tmp_path / "flags/p/b.yaml").symlink_to("gone")
    tree = DiskTree(tmp_path)
    tree.paths()
    assert set(tree.refused) == {"flags/p/b.yaml"}
    (tmp_path / "flags/p/b.yaml").unlink()
    tree.paths()
    assert tree.refused == {}


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    write(tmp_path, "flags/p/a.yaml")
    for size in (0, 1, 3_000_000):
        (tmp_path / "flags/p/a.yaml").write_bytes(b"x" * size)
        assert DiskTree(tmp_path).read("flags/p/a.yaml") == b"x" * size


@pytest.mark.parametrize(
    ("path", "kind", "environment", "name"),
    [
        ("flags/flagctl.yaml", "settings", "", ""),
        ("flags/attributes.yaml", "attributes", "", ""),
        ("flags/other.yaml", "other", "", ""),
        ("flags/production/a.yaml", "flag", "production", "a"),
        ("flags/production/x/y/a.b.yaml", "flag", "production", "a.b"),
        ("flags/production/flagctl.yaml", "flag", "production", "flagctl"),
        ("flags/production/segments.yaml", "flag", "production", "segments"),
        ("flags/production/segments/a.yaml", "segment", "production", "a"),
        ("flags/production/segments/x/a.yaml", "segment", "production", "a"),
        ("flags/production/x/segments/a.yaml", "flag", "production", "a"),
        ("flags/tests/a.yaml", "test", "", "a"),
        ("flags/tests/x/a.yaml", "test", "", "a"),
        ("flags/production/a.yml", "other", "", ""),
        ("flags/production/README.md", "other", "", ""),
    ],
)
def test_a_path_says_what_a_file_is(path: str, kind: str, environment: str, name: str) -> None:
    assert classify(path) == Entry(path, kind, environment, name)  # type: ignore[arg-type]


def test_a_flag_is_found_by_name_alone(tmp_path: Path) -> None:
    write(tmp_path, "flags/p/segments/a.yaml", "flags/p/x/a.yaml", "flags/q/b.yaml", "flags/p/xa.yaml")
    assert find(tmp_path, "p", "a") == "flags/p/x/a.yaml"
    assert find(DiskTree(tmp_path), "p", "b") is None
    assert find(tmp_path, "nowhere", "a") is None
