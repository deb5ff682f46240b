"""The edge: help, exit codes, streams, and what happens when something breaks."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from servers import until

from flagctl import errors
from flagctl.cli.app import COMMANDS
from flagctl.cli.exits import Exit, code_of
from flagctl.cli.output import Output, clean, colour_wanted

NAMES = [(name, text) for section in COMMANDS.values() for name, text in section.items()]


@pytest.mark.parametrize(("name", "line"), NAMES)
def test_the_table_of_commands_says_what_the_command_says_and_every_help_has_two_examples(name: str, line: str) -> None:
    module = import_module(f"flagctl.cli.commands.{name.replace('-', '_')}")
    functions = getattr(module, "GROUP", None)
    if functions is None:
        functions = {name: module.command}
        assert (module.command.__doc__ or "").splitlines()[0].strip() == line
    for command, function in functions.items():
        examples = [row for row in (function.__doc__ or "").splitlines() if "flagctl " in row]
        assert len(examples) >= 2, f"{name} {command} shows fewer than two examples"


def test_the_page_about_the_command_line_is_up_to_date(tmp_path: Path) -> None:
    root = Path(__file__).parent.parent
    made = tmp_path / "cli.md"
    subprocess.run([sys.executable, root / "docs" / "make_cli.py", made], check=True)
    assert made.read_text() == (root / "docs" / "cli.md").read_text(), "run python docs/make_cli.py"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--version"], 0, "flagctl 0."),
        (["--help"], 0, "Everyday:"),
        (["chek"], 2, "Did you mean 'check'"),
        (["check", "--no-such-option"], 2, "flagctl check --help"),
        (["show"], 2, "missing argument"),
        (["-C", "/nowhere/at/all", "check"], 2, "is no folder"),
        (["list"], 2, "flagctl init"),
        (["--nonsense"], 2, "flagctl --help"),
        (["-C"], 2, "error: option '-C' requires an argument\nhint: flagctl --help shows what it takes"),
        (["completion"], 2, "error: missing argument 'SHELL'. Choose from: bash, zsh, fish\n"),
    ],
)
def test_exit_codes_and_words_outside_a_repository(
    tmp_path: Path, flagctl: Any, arguments: list[str], code: int, words: str
) -> None:
    done = flagctl(*arguments, cwd=tmp_path.parent)
    assert (done.returncode, words in done.stdout + done.stderr) == (code, True), done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_repository_is_found_from_below_by_option_and_by_variable(flagctl: Any, repo: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for run in (
        flagctl("config", "show", "--json", cwd=repo / "flags" / "production"),
        flagctl("-C", repo, "config", "show", "--json", cwd=elsewhere),
        flagctl("config", "show", "--json", cwd=elsewhere, env={"FLAGCTL_REPO": str(repo)}),
    ):
        assert run.returncode == 0, run.stderr
        assert "production" in run.stdout


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ProblemsError("x", []), Exit.NO),
        (errors.UsageError("x"), Exit.USAGE),
        (errors.OutsideError("x"), Exit.OUTSIDE),
        (errors.RefusedError("x"), Exit.REFUSED),
        (errors.FlagctlError("x"), Exit.USAGE),
    ],
)
def test_every_kind_of_error_has_its_exit_code(error: errors.FlagctlError, code: Exit) -> None:
    assert code_of(error) is code


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, naïve, 日本", "plain, naïve, 日本"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\rb\x07", "a\\rb\\x07"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("user\u202etxt.exe", "user\\u202etxt.exe"),
        ("\x9b31m", "\\x9b31m"),
        ("\ud800", "\\ud800"),
    ],
)
def test_text_from_outside_can_not_steer_the_terminal(text: str, shown: str) -> None:
    assert clean(text) == shown
    stream = io.StringIO()
    Output(stream, stream, {}).data(text)
    assert stream.getvalue() == shown + "\n"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


ROWS = [
    ["checkout-button-text", "on control + rules v1", "scheduled 2027-01-11 v1", "checkout"],
    ["漢字" * 6, "off", "on 50/50", "a-team-of-a-very-long-name"],
]


@pytest.mark.parametrize("columns", [200, 80, 60, 30])
def test_a_table_fits_its_terminal_and_breaks_between_words(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    stream, headers = _Terminal(), ["FLAG", "DEVELOPMENT", "PRODUCTION", "OWNER"]
    Output(stream, stream, {}).table(headers, ROWS)
    text = re.sub("\x1b\\[[0-9]*m", "", stream.getvalue())
    lines, words = text.splitlines(), text.split()
    assert max(map(cell_len, lines)) <= columns
    assert sorted("".join(words)) == sorted("".join(" ".join(row) for row in [headers, *ROWS]).replace(" ", ""))
    if columns >= 60:
        assert "checkout-button-text" in words
    if columns >= 80:
        assert {"DEVELOPMENT", "2027-01-11", "scheduled", "a-team-of-a-very-long-name"} <= set(words)
    if columns == 200:
        assert len(lines) == 3


@pytest.mark.parametrize(
    ("stream", "environ", "wanted"),
    [
        (io.StringIO(), {}, False),
        (_Terminal(), {}, True),
        (_Terminal(), {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (io.StringIO(), {"FORCE_COLOR": "1"}, True),
        (_Terminal(), {"TERM": "dumb"}, False),
    ],
)
def test_colour_follows_the_stream_and_the_two_variables(stream: Any, environ: dict[str, str], wanted: bool) -> None:
    assert colour_wanted(stream, environ) is wanted


@pytest.mark.parametrize(
    ("stream", "seconds", "drawn"), [(_Terminal, 2.0, True), (_Terminal, 0.5, False), (io.StringIO, 2.0, False)]
)
def test_progress_is_drawn_on_a_terminal_after_a_second(
    monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO], seconds: float, drawn: bool
) -> None:
    narration, clock = stream(), iter([100.0])
    monkeypatch.setattr("flagctl.cli.output.time.monotonic", lambda: next(clock, 100.0 + seconds))
    with Output(io.StringIO(), narration, {}).progress("reading flag files") as report:
        report(200, 1000)
        report(400, 1000)
    assert ("reading flag files" in narration.getvalue()) is drawn


def test_progress_is_drawn_also_while_nothing_is_reported() -> None:
    narration = _Terminal()
    with Output(io.StringIO(), narration, {}).progress("production -> s3://slow") as report:
        report(3, 6)
        until(lambda: " 50%" in narration.getvalue(), 20)
    assert "production -> s3://slow" in narration.getvalue()


def test_what_is_said_meanwhile_stands_above_the_progress() -> None:
    narration = _Terminal()
    out = Output(io.StringIO(), narration, {"NO_COLOR": "1"})
    with out.progress("production -> s3://slow"):
        until(lambda: "s3://slow" in narration.getvalue(), 20)
        out.warn("waiting for [another] publisher", "x" * 200)
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", narration.getvalue()).replace("\r", "\n").split("\n")
    assert "warning: waiting for [another] publisher" in lines
    assert f"hint: {'x' * 200}" in lines


def test_no_progress_is_drawn_over_a_question(monkeypatch: pytest.MonkeyPatch) -> None:
    narration, clock = _Terminal(), iter([100.0])
    monkeypatch.setattr("flagctl.cli.output.time.monotonic", lambda: next(clock, 102.0))
    out = Output(io.StringIO(), narration, {})
    with out.progress("comparing") as report:

        def typed() -> str:
            report(1, 2)
            return "y"

        monkeypatch.setattr("builtins.input", typed)
        assert out.confirm("Go on?")
        report(2, 2)
    assert narration.getvalue() == "Go on? [y/N]: "


def test_a_reader_that_has_enough_is_no_error(flagctl: Any, repo: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    process = subprocess.Popen(
        [sys.executable, "-m", "flagctl", "--help"], stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    _, narration = process.communicate(timeout=60)
    assert (process.returncode, narration) in {(Exit.PIPE, ""), (Exit.NO, "")}


def test_a_full_disk_below_stdout_is_the_world_s_failure(repo: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-m", "flagctl", "list"], cwd=repo, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == Exit.OUTSIDE
    assert done.stderr == b"error: can't write the output: No space left on device\n"


@pytest.mark.parametrize(
    ("asked", "wanted"), [("list >&-", 0), ("list 2>&-", 0), ("list >&- 2>&-", 0), ("show nosuch 2>&-", 2)]
)
def test_a_stream_that_is_closed_is_no_mistake(repo: Path, asked: str, wanted: int) -> None:
    command = f"exec {shlex.quote(sys.executable)} -m flagctl {asked}"
    done = subprocess.run(["sh", "-c", command], cwd=repo, capture_output=True, text=True)
    assert (done.returncode, "Traceback" in done.stderr + done.stdout) == (wanted, False), done.stderr


def test_init_counts_its_folder_from_here_whatever_the_variable_says(flagctl: Any, repo: Path, tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    done = flagctl("init", "new", cwd=here, env={"FLAGCTL_REPO": str(repo)})
    assert done.returncode == 0, done.stderr
    assert (here / "new" / "flags" / "flagctl.yaml").is_file()


def test_problems_of_an_error_come_in_the_order_of_their_lines(flagctl: Any, repo: Path) -> None:
    flag = repo / "flags" / "production" / "wishlist-edit.yaml"
    flag.write_text(
        "description: x\nowner: {team: a}\ndefault: {srve: on}\nexpires_at: 2027-01-01T00:00:00\nenabled: no\n"
    )
    done = flagctl("eval", "wishlist-edit", "-e", "production", "--user", "u")
    lines = [row.split(":")[1] for row in done.stderr.splitlines() if row.startswith("flags/")]
    assert (done.returncode, lines) == (Exit.NO, ["3", "4", "5"])


def test_ctrl_c_ends_with_130_and_no_traceback(repo: Path, tmp_path: Path) -> None:
    waiting = tmp_path / "context"
    os.mkfifo(waiting)
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "flagctl",
            "-C",
            repo,
            "eval",
            "wishlist-gallery",
            "-e",
            "production",
            "--context",
            waiting,
        ],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    )
    narration = None
    with waiting.open("w"):  # opens only when the command reads, so it is in the middle of its work now
        for _ in range(6):
            process.send_signal(signal.SIGINT)
            # Python can't be interrupted between its last look for signals and read(2); a person presses it again.
            with contextlib.suppress(subprocess.TimeoutExpired):
                _, narration = process.communicate(timeout=10)
                break
    assert narration is not None
    assert process.returncode == Exit.INTERRUPTED
    assert "Traceback" not in narration


def test_a_mistake_of_ours_leaves_a_log_to_paste(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from flagctl.cli.commands import schema\n"
        "def command() -> None:\n"
        "    'Break.'\n"
        "    raise ZeroDivisionError('on purpose')\n"
        "schema.command = command\n"
        "from flagctl.cli.main import main\n"
        "sys.exit(main(['schema']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=os.environ | {"TMPDIR": str(tmp_path)}
    )
    assert done.returncode == Exit.CRASH
    (log,) = tmp_path.glob("flagctl-crash-*.log")
    assert str(log) in done.stderr
    assert "on purpose" in log.read_text()


def test_completion_offers_environments_and_keys_from_file_names_alone(repo: Path) -> None:
    (repo / "flags" / "production" / "broken.yaml").write_text("{{{")

    def complete(*words: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-m", "flagctl"],
            cwd=repo,
            capture_output=True,
            text=True,
            env=os.environ
            | {
                "_FLAGCTL_COMPLETE": "complete_bash",
                "COMP_WORDS": " ".join(words),
                "COMP_CWORD": str(len(words) - 1),
            },
        )
        return done.stdout.split()

    assert complete("flagctl", "sho") == ["show"]
    assert complete("flagctl", "eval", "wish") == ["wishlist-edit", "wishlist-gallery"]
    assert complete("flagctl", "eval", "bro") == ["broken"]
    assert complete("flagctl", "eval", "x", "-e", "prod") == ["production"]
