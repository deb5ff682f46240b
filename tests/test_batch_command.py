"""`flagctl eval --batch`, as a person runs it: what it prints, and what is left when it fails."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EVAL = ("eval", "wishlist-gallery", "-e", "production")
USERS = "targetingKey,email\nada,ada@example.com\nbob,bob@mail.test\n"


@pytest.fixture
def users(repo: Path) -> Path:
    path = repo / "users.csv"
    path.write_text(USERS)
    return path


def test_rows_are_answered_and_counted(repo: Path, flagctl: Callable[..., Any], users: Path) -> None:
    done = flagctl(*EVAL, "--batch", "users.csv", "-o", "answers.csv")
    assert done.returncode == 0, done.stderr
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["VARIANT", "ROWS", "SHARE", "REASON", "RULE"],
        ["off", "1", "50.00%", "SPLIT"],
        ["on", "1", "50.00%", "TARGETING_MATCH", "staff"],
    ]
    assert done.stderr == "2 rows answered, written to answers.csv\n"
    assert (repo / "answers.csv").read_text() == (
        "targetingKey,email,variant,value,reason,rule\n"
        "ada,ada@example.com,on,true,TARGETING_MATCH,staff\n"
        "bob,bob@mail.test,off,false,SPLIT,\n"
    )


def test_the_count_is_data_too(flagctl: Callable[..., Any], users: Path) -> None:
    at = ("--clock", "2027-01-01", "--json")
    done = flagctl(
        *EVAL, "--batch", "users.csv", "-o", "a.jsonl", "-a", "email=x", "--preview", "wishlist-gallery:on", *at
    )
    assert json.loads(done.stdout) == {
        "format": "flagctl/eval-batch/1",
        "environment": "production",
        "at": "2027-01-01T00:00:00Z",
        "flag": "wishlist-gallery",
        "output": "a.jsonl",
        "rows": 2,
        "answers": [{"variant": "on", "reason": "TARGETING_MATCH", "rule": "preview", "rows": 2}],
    }


WRONG: list[tuple[list[str], str, bytes, str]] = [
    ([], "in.csv", b"", "in.csv has no header"),
    ([], "in.csv", b"a,a\n", 'in.csv has two columns "a"'),
    ([], "in.csv", b"targetingKey,email\na,1\nb,2,3\n", "in.csv can't be read: row 2 has 3 cells, the header 2"),
    ([], "in.csv", b'targetingKey,email\na,1\nb,"2\n', "in.csv can't be read: row 2: unexpected end of data"),
    ([], "in.csv", b"id\n1\n", "in.csv has no column targetingKey, and the answer depends on who asks"),
    (["--user-column", "ids"], "in.csv", b"id\n1\n", "hint: did you mean id?"),
    ([], "in.csv", b"targetingKey,rule\na,1\n", 'in.csv has a column "rule" already'),
    (
        ["-o", "o.csv"],
        "in.jsonl",
        b'{"a":{"b":1}}\n{"a":{"b":[2]}}\n',
        '"a.b" is a single value in line 1 and a list in line 2',
    ),
    (["--columns", ","], "in.csv", USERS.encode(), "--columns names none"),
    (["--columns", "variant,nam"], "in.csv", b"targetingKey,name\na,1\n", "hint: did you mean name?"),
    ([], "in.jsonl", b'{}\n\n{"a":\n', "in.jsonl, line 3: Input data was truncated"),
    ([], "in.jsonl", b"{}\n[1]\n", "in.jsonl, line 2: Expected `object`, got `array`"),
    ([], "in.jsonl", b'{}\n{"reason":1}\n', 'in.jsonl, line 2 has a "reason" already'),
    ([], "in.jsonl", b'{}\n{"a":"\xff"}\n', "in.jsonl can't be read: line 2: 'utf-8' codec can't decode"),
    (["--columns", "variant,nam"], "in.jsonl", b'{"name":1}\n', 'no row of in.jsonl has a "nam"'),
    ([], "in.parquet", b"targetingKey,email\n", "in.parquet can't be read: parquet: "),
    ([], "in.txt", b"", 'the name of "in.txt" says no format'),
    (["--explain"], "in.csv", USERS.encode(), "--explain does not go with --batch"),
    (["--user", "ada"], "in.csv", USERS.encode(), "--user does not go with --batch"),
]


@pytest.mark.parametrize(("options", "name", "data", "message"), WRONG)
def test_bad_input_is_named_and_nothing_written(
    repo: Path, flagctl: Callable[..., Any], options: list[str], name: str, data: bytes, message: str
) -> None:
    (repo / name).write_bytes(data)
    before = sorted(path.name for path in repo.iterdir())
    done = flagctl(*EVAL, "--batch", name, "-o", f"out{Path(name).suffix.replace('txt', 'csv')}", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert sorted(path.name for path in repo.iterdir()) == before


def test_a_cell_of_another_type_is_named_by_row_and_column(repo: Path, flagctl: Callable[..., Any]) -> None:
    flag = repo / "flags/production/wishlist-gallery.yaml"
    flag.write_text(
        flag.read_text().replace('{attribute: email, ends_with: "@example.com"}', "{attribute: age, gt: 3}")
    )
    (repo / "in.csv").write_text("targetingKey,age\na,1\nb,\nc,old\n")
    done = flagctl(*EVAL, "--batch", "in.csv", "-o", "out.csv")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        'error: in.csv, row 3, column age: age is declared as integer, and "old" is none',
        "hint: write integer values like 42",
    ]


def test_half_a_request_says_what_is_missing(flagctl: Callable[..., Any]) -> None:
    assert "--batch needs -o" in flagctl(*EVAL, "--batch", "users.csv").stderr
    assert "--prefix goes with --batch only" in flagctl(*EVAL, "--prefix", "x").stderr


def test_a_file_that_is_not_there_is_the_world_outside(flagctl: Callable[..., Any]) -> None:
    for kind in ("csv", "jsonl", "parquet"):
        done = flagctl(*EVAL, "--batch", f"no.{kind}", "-o", "out.csv")
        assert (done.returncode, done.stderr) == (4, f"error: no.{kind} is not there\n")


@pytest.fixture
def many(repo: Path) -> Path:
    path = repo / "many.csv"
    path.write_text("targetingKey,email\n" + "".join(f"user-{number},a@b.test\n" for number in range(2_000_000)))
    (repo / "out.csv").write_text("the answers of yesterday\n")
    return path


def test_ctrl_c_leaves_what_was_there(repo: Path, many: Path) -> None:
    command = [sys.executable, "-m", "flagctl", *EVAL, "--batch", "many.csv", "-o", "out.csv"]
    process = subprocess.Popen(
        command,
        cwd=repo,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    )
    deadline = time.monotonic() + 60
    while not list(repo.glob(".out.csv.*.tmp")):  # the file that it writes: it is at work now
        assert process.poll() is None
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGINT)
    shown, said = process.communicate(timeout=60)
    assert (process.returncode, shown) == (130, "")
    assert "Traceback" not in said
    assert (repo / "out.csv").read_text() == "the answers of yesterday\n"
    assert not list(repo.glob(".out.csv*"))


@pytest.mark.parametrize("into", ["out.csv", "out.parquet", "out.jsonl"])
def test_a_full_disk_leaves_what_was_there(repo: Path, many: Path, into: str) -> None:
    """A limit on the size of a file stands for the end of the disk."""
    command = [sys.executable, "-m", "flagctl", *EVAL, "--batch", "many.csv", "-o", into]
    limited = ["bash", "-c", 'ulimit -f 1000; exec "$@"', "bash", *command]
    done = subprocess.run(limited, cwd=repo, capture_output=True, text=True, timeout=60)
    assert done.returncode == 4
    assert (
        done.stderr == f"error: {into} can't be written: File too large\nhint: free some space; nothing was written\n"
    )
    assert (repo / "out.csv").read_text() == "the answers of yesterday\n"
    assert not list(repo.glob(".out*"))


def test_without_the_extra_it_says_what_to_install(repo: Path, users: Path) -> None:
    script = "import sys; sys.modules['polars'] = None\nfrom flagctl.cli.main import main\nsys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", script, *EVAL, "--batch", "users.csv", "-o", "out.csv"]
    done = subprocess.run(command, cwd=repo, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr == 'error: --batch needs polars, which is not installed\nhint: pip install "flagctl[batch]"\n'


def test_a_flag_that_leads_nowhere_is_refused(repo: Path, flagctl: Callable[..., Any], users: Path) -> None:
    flag = repo / "flags/production/wishlist-gallery.yaml"
    flag.write_text(flag.read_text().replace('{attribute: email, ends_with: "@example.com"}', "{segment: nobody}"))
    done = flagctl(*EVAL, "--batch", "users.csv", "-o", "out.csv")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == 'error: wishlist-gallery can\'t be answered: there is no segment "nobody"'
