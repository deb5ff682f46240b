"""docs/architecture.md, held: imports go down, heavy libraries have one home, nothing below the edge has a clock."""

from __future__ import annotations

import ast
import re
import tomllib
from itertools import accumulate, chain
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
LINES = [
    ["cli"],
    ["serve"],
    ["history", "publish", "client", "vendors", "insight", "notify"],
    ["check", "plan", "project"],
    ["files", "compile", "evaluate"],
    ["model", "stores", "signing"],
    ["errors"],  # a ProblemsError carries problems
    ["problems"],
]
HEIGHT = {room: len(LINES) - number for number, line in enumerate(LINES) for room in line}
HOMES = {
    "typer": {"cli"},
    "rich": {"cli"},
    "git": {"history"},
    "ruamel": {"files"},
    "yaml_rs": {"files"},
    "jsonschema": {"files"},
    "jsonschema_rs": {"files"},
    "boto3": {"stores"},
    "botocore": {"stores"},
    "redis": {"stores"},
    "polars": {"evaluate", "plan", "client"},
    "polars_hash": {"evaluate"},
    "vl_convert": {"cli"},
    "openfeature": {"client", "publish"},
    "opentelemetry": {"client"},
}
"""Which rooms may load what, anywhere, also inside a function or for types only."""

APPLICATIONS = ["client", "evaluate"]
ON_PURPOSE = {
    "flagctl/client/provider.py",
    "flagctl/client/aio.py",
    "flagctl/client/middleware.py",
    "flagctl/client/sinks.py",
    "flagctl/client/telemetry.py",
}
"""What an application imports because it wants it, and has what it needs; nothing else in `client` may."""

BATCH = "flagctl.evaluate.batch"
"""The one part of these rooms that may load its library, so nothing else in them loads it."""


class Import(NamedTuple):
    """One imported module, the file and line that ask for it, and whether that is for the type checker alone."""

    module: str
    file: str
    line: int
    types_only: bool

    @property
    def room(self) -> str:
        return room_of(self.file)

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module}"


def room_of(file: str) -> str:
    return Path(file).parts[1].removesuffix(".py")


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imports_in(tree: ast.AST, file: str, *, types_only: bool = False) -> list[Import]:
    found: list[Import] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, file, node.lineno, types_only) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: write imports in full"
            # `from flagctl import problems` names a room as well as `from flagctl.problems import Problem` does.
            names = [f"flagctl.{alias.name}" for alias in node.names] if node.module == "flagctl" else [node.module]
            found += [Import(str(name), file, node.lineno, types_only) for name in names]
        else:
            found += imports_in(node, file, types_only=types_only or is_for_types(node))
    return found


def sources() -> dict[str, ast.Module]:
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_bytes())
        for path in sorted((ROOT / "flagctl").rglob("*.py"))
        if path.parent != ROOT / "flagctl" or path.stem in HEIGHT
    }


SOURCES = sources()
IMPORTS = [found for file, tree in SOURCES.items() for found in imports_in(tree, file)]


def test_the_imports_were_found() -> None:
    sample = ast.parse("if TYPE_CHECKING:\n  import git\ndef f():\n  from flagctl import problems\n")
    assert imports_in(sample, "flagctl/check/x.py") == [
        Import("git", "flagctl/check/x.py", 2, True),
        Import("flagctl.problems", "flagctl/check/x.py", 4, False),
    ]
    assert len(IMPORTS) > 100
    assert {found.room for found in IMPORTS} >= {"cli", "publish", "stores", "model"}


def test_every_room_stands_in_the_plan_of_the_house() -> None:
    unknown = {file for file in SOURCES if room_of(file) not in HEIGHT}
    assert not unknown


def test_imports_go_down_only() -> None:
    wrong = []
    for found in IMPORTS:
        package, _, rest = found.module.partition(".")
        room = rest.partition(".")[0]
        if package == "flagctl" and room in HEIGHT and room != found.room and HEIGHT[room] >= HEIGHT[found.room]:
            wrong.append(str(found))
    assert not wrong


@pytest.mark.parametrize("library", sorted(HOMES))
def test_a_heavy_library_lives_in_one_room(library: str) -> None:
    homes = HOMES[library]
    wrong = [str(found) for found in IMPORTS if found.module.split(".")[0] == library and found.room not in homes]
    assert not wrong


def test_what_applications_import_loads_nothing_heavy() -> None:
    heavy = set(HOMES) | {"flagctl.files", "flagctl.history", "flagctl.cli", "asyncio", "dataclasses", BATCH}
    wrong = [
        str(found)
        for found in IMPORTS
        if found.room in APPLICATIONS
        and not found.types_only
        and not found.file.startswith(BATCH.replace(".", "/"))
        and found.file not in ON_PURPOSE
        and not heavy.isdisjoint(accumulate(found.module.split("."), "{}.{}".format))
    ]
    assert not wrong


def test_what_is_imported_on_purpose_is_imported_by_nothing_else() -> None:
    modules = {file.removesuffix(".py").replace("/", ".") for file in ON_PURPOSE}
    assert not [str(found) for found in IMPORTS if found.module in modules and found.room in APPLICATIONS]


def test_answers_for_many_load_no_library_but_their_own() -> None:
    allowed = {"polars", "polars_hash"}
    inside = [found for found in IMPORTS if found.file.startswith(BATCH.replace(".", "/"))]
    assert allowed <= {found.module.split(".")[0] for found in inside}
    assert not [str(found) for found in inside if found.module.split(".")[0] in set(HOMES) - allowed]


CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time")}


def below_the_edge() -> list[tuple[str, ast.Call]]:
    return [
        (file, node)
        for file, tree in SOURCES.items()
        if room_of(file) != "cli"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    ]


def test_nothing_below_cli_prints_or_reads_the_clock() -> None:
    wrong = []
    for file, call in below_the_edge():
        match call.func:
            case ast.Name(id="print" | "input"):
                wrong.append(f"{file}:{call.lineno} talks to the terminal")
            case ast.Attribute(value=ast.Name(id=module), attr=name) if (module, name) in CLOCKS:
                wrong.append(f"{file}:{call.lineno} reads the clock")
    assert not wrong


ROOMS = [
    folder
    for folder in sorted(path.parent for path in (ROOT / "flagctl").rglob("__init__.py"))
    # a file each for a rule, a command and a kind of result: their names say what is in them
    if folder != ROOT / "flagctl" and folder.name not in ("rules", "commands", "formats")
]


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_room_says_what_each_of_its_files_is_for(room: Path) -> None:
    listed = re.findall(r"^(\w+/?)  +\S", (room / "__init__.py").read_text().split('"""')[1], re.MULTILINE)
    held = {path.stem for path in room.glob("*.py")} | {
        f"{path.name}/" for path in room.iterdir() if path.is_dir() and path.name != "__pycache__"
    }
    assert sorted(listed) == sorted(held - {"__init__"}), "say in __init__.py, in a line, what the file is for"


def test_files_stay_small_enough_to_read() -> None:
    lengths = {file: len((ROOT / file).read_text().splitlines()) for file in SOURCES}
    too_long = {
        file: length
        for file, length in lengths.items()
        if length > (80 if file.startswith("flagctl/cli/commands/") else 400)
    }
    assert not too_long


def test_a_decision_says_what_each_library_is_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *chain.from_iterable(project["optional-dependencies"].values())]
    names = {re.split(r"[^\w.-]", one, maxsplit=1)[0] for one in wanted}
    page = (ROOT / "docs/decisions/0009-what-flagctl-depends-on.md").read_text()
    told = set(re.split(r"[^\w.-]+", " ".join(line for line in page.splitlines() if line.startswith("|"))))
    assert len(names) > 15
    assert names - told == set()
