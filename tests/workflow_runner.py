"""A runner for GitHub's workflows: each `run:` is run as GitHub runs it, by bash, with its files and variables.

What can't run here is done by hand, and nothing else is taken: `actions/checkout` is a clone of the bare repository
(for a pull request, of the merge of both sides), flagctl's own action is its own steps. An expression of a kind that is
not known, a job that wants what its permissions do not give, or a missing piece of the event is an error.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from github_server import NAME, OWNER, TOKEN, GitHubServer
from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent
ACTION = ROOT / ".github/actions/flagctl/action.yml"
_TOKENS = re.compile(r"\s*(?:('[^']*')|([A-Za-z_][\w-]*(?:\.[\w-]+)*(?:\(\))?)|(==|!=|&&|!))")
_GIVEN = {"vars", "secrets"}
"""Where GitHub takes a name that is not there for ''."""
_WANTED = [
    (r"GET .*/pulls/.*", "pull-requests", "read"),
    (r"(POST|PATCH) .*/issues/.*", "pull-requests", "write"),
    (r"POST .*/actions/.*", "actions", "write"),
]


def load(text: str) -> Any:
    return YAML(typ="safe").load(text)


def value_of(expression: str, contexts: dict[str, Any]) -> Any:
    """What an expression of GitHub's comes to; ValueError for one that is not of the few kinds in use."""
    tokens: list[tuple[str, str, str]] = []
    end = 0
    while end < len(expression.rstrip()):
        found = _TOKENS.match(expression, end)
        if found is None:
            raise ValueError(f"not known: {expression[end:]!r} in {expression!r}")
        tokens.append((found[1] or "", found[2] or "", found[3] or ""))
        end = found.end()

    def single() -> Any:
        text, name, sign = tokens.pop(0) if tokens else ("", "", "")
        if text:
            return text[1:-1]
        if sign == "!":
            return not single()
        if name == "cancelled()":
            return False
        if not name or name.endswith(")"):
            raise ValueError(f"not known: {name or sign!r} in {expression!r}")
        first, *rest = name.split(".")
        at = contexts[first]
        for part in rest:
            at = at.get(part, "") if first in _GIVEN else at[part]
        return at

    def compared() -> Any:
        left = single()
        if tokens and tokens[0][2] in {"==", "!="}:
            sign = tokens.pop(0)[2]
            return (left == single()) is (sign == "==")
        return left

    value = compared()
    while tokens:
        if tokens.pop(0)[2] != "&&":
            raise ValueError(f"not known: {expression!r}")
        right = compared()
        value = right if value else value
    return value


def filled(text: Any, contexts: dict[str, Any]) -> str:
    """A text with its `${{ }}` replaced."""
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: str(value_of(found[1], contexts)), str(text))


def holds(condition: Any, contexts: dict[str, Any], failed: bool) -> bool:
    """Whether an `if:` lets a step run; without `cancelled()` none runs after a failure."""
    text = "" if condition is None else str(condition)
    if failed and "cancelled()" not in text:
        return False
    inner = re.fullmatch(r"\s*\$\{\{(.*)\}\}\s*", text)
    return not text or bool(value_of(inner[1] if inner else text, contexts))


class Done(NamedTuple):
    """What a job did. printed: by step. skipped: the steps whose `if:` did not hold, or the job."""

    ok: bool
    printed: dict[str, str]
    summary: str
    skipped: list[str]


class Runner:
    """Runs jobs for one event. event: its payload. variables, secrets: of the repository. extra: more of the machine's
    environment, what GitHub gives a job that may ask for an id token among it."""

    def __init__(self, folder: Path, server: GitHubServer, path: str, event_name: str, event: dict[str, Any]) -> None:
        self.folder = folder
        self.server = server
        self.path = path
        self.event_name = event_name
        self.event = event
        self.variables: dict[str, str] = {}
        self.secrets: dict[str, str] = {}
        self.id_token: dict[str, str] = {}
        self.extra: dict[str, str] = {}
        self._count = 0

    def run(self, text: str, job_name: str, **matrix: str) -> Done:
        """One job of a workflow, or of one cell of its matrix."""
        workflow = load(text)
        assert self.event_name in workflow["on"], f"not started by {self.event_name}"
        assert workflow["permissions"] == {}
        job = workflow["jobs"][job_name]
        for name, value in matrix.items():
            assert value in job["strategy"]["matrix"][name]
        contexts = self._contexts(matrix)
        for group in (workflow.get("concurrency"), job.get("concurrency")):
            if group:
                filled(group["group"], contexts)
        if not holds(job.get("if"), contexts, failed=False):
            return Done(True, {}, "", [job_name])
        self._count += 1
        temporary = self.folder / f"run-{self._count}"
        temporary.mkdir(parents=True)
        seen = len(self.server.seen)
        environ = self._environ(temporary, job["permissions"])
        shell = workflow["defaults"]["run"]
        done = self._steps(job["steps"], contexts, environ, shell)
        asked = [f"{method} {where}" for method, where, _ in self.server.seen[seen:]]
        for pattern, scope, level in _WANTED:
            if any(re.fullmatch(pattern, one) for one in asked):
                assert job["permissions"].get(scope) in {level, "write"}, f"{scope}: {level} is missing"
        return done

    def _contexts(self, matrix: dict[str, str]) -> dict[str, Any]:
        github = {"token": TOKEN, "repository": f"{OWNER}/{NAME}", "event": self.event, "event_name": self.event_name}
        return {"github": github, "matrix": matrix, "vars": self.variables, "secrets": self.secrets}

    def _environ(self, temporary: Path, permissions: dict[str, str]) -> dict[str, str]:
        (temporary / "event.json").write_text(json.dumps(self.event))
        files = {name: str(temporary / name) for name in ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT")}
        files["GITHUB_STEP_SUMMARY"] = str(temporary / "GITHUB_STEP_SUMMARY")
        for file in files.values():
            Path(file).touch()
        pull = self.event.get("pull_request")
        environ = {
            "PATH": f"{self.path}:{os.environ['PATH']}",
            "HOME": str(temporary),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_PATH": str(temporary / "event.json"),
            "GITHUB_EVENT_NAME": self.event_name,
            "GITHUB_REPOSITORY": f"{OWNER}/{NAME}",
            "GITHUB_API_URL": self.server.url,
            "GITHUB_SERVER_URL": self.server.url,
            "GITHUB_REF": f"refs/pull/{pull['number']}/merge" if pull else "refs/heads/main",
            "GITHUB_SHA": pull["head"]["sha"] if pull else self.server.tip("main"),
            "GITHUB_BASE_REF": pull["base"]["ref"] if pull else "",
            "GITHUB_HEAD_REF": pull["head"]["ref"] if pull else "",
            "GITHUB_WORKSPACE": str(temporary / "workspace"),
            "RUNNER_TEMP": str(temporary),
            **files,
            **self.extra,
        }
        return environ | (self.id_token if permissions.get("id-token") == "write" else {})

    def _steps(
        self, steps: list[dict[str, Any]], contexts: dict[str, Any], environ: dict[str, str], defaults: dict[str, str]
    ) -> Done:
        printed: dict[str, str] = {}
        skipped: list[str] = []
        failed = False
        ready = False
        for step in steps:
            if not holds(step.get("if"), contexts, failed):
                skipped.append(step["name"])
            elif "run" in step:
                assert ready, "flagctl is not installed yet"
                own = {name: filled(value, contexts) for name, value in step.get("env", {}).items()}
                folder = Path(environ["GITHUB_WORKSPACE"], defaults.get("working-directory", "."))
                done = bash(step["run"], folder, environ | own, defaults["shell"])
                printed[step["name"]] = done.stdout + done.stderr
                failed |= done.returncode != 0
                for line in Path(environ["GITHUB_ENV"]).read_text().splitlines():
                    name, _, value = line.partition("=")
                    environ[name] = value
            elif step["uses"].startswith("actions/checkout@"):
                assert step["with"] == {"fetch-depth": 0, "persist-credentials": False}
                self._checkout(Path(environ["GITHUB_WORKSPACE"]))
            else:
                assert step["uses"].partition("@")[0].endswith("/.github/actions/flagctl")
                ready = True
        return Done(not failed, printed, Path(environ["GITHUB_STEP_SUMMARY"]).read_text(), skipped)

    def _checkout(self, workspace: Path) -> None:
        git("clone", "-q", self.server.bare, workspace)
        if pull := self.event.get("pull_request"):
            git("-C", workspace, "checkout", "-q", "--detach", f"origin/{pull['base']['ref']}")
            git("-C", workspace, "merge", "-q", "--no-ff", "-m", "Merge", pull["head"]["sha"])


def git(*arguments: str | Path) -> str:
    done = subprocess.run(["git", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def bash(script: str, folder: Path, environ: dict[str, str], shell: str) -> subprocess.CompletedProcess[str]:
    """A script as `shell: bash` runs it."""
    assert shell == "bash"
    assert "${{" not in script, "expressions belong into env"
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


def installed(folder: Path, cache: Path) -> tuple[str, str]:
    """Run the action's own steps: the folder it puts on the PATH, and the version it tells."""
    action = load(ACTION.read_text())
    files = {name: folder / name for name in ("GITHUB_PATH", "GITHUB_OUTPUT")}
    pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name.endswith("_proxy")}
    environ = pip | {"PATH": os.environ["PATH"], "HOME": str(folder), "RUNNER_TEMP": str(folder)}
    environ |= {"GITHUB_ACTION_PATH": str(ACTION.parent), "PIP_CACHE_DIR": str(cache)}
    environ |= {name: str(file) for name, file in files.items()}
    inputs = {name: given["default"] for name, given in action["inputs"].items()}
    for step in action["runs"]["steps"]:
        own = {name: filled(value, {"inputs": inputs}) for name, value in step.get("env", {}).items()}
        done = bash(step["run"], folder, environ | own, step["shell"])
        assert done.returncode == 0, done.stderr
    outputs = dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines())
    contexts = {"steps": {"install": {"outputs": outputs}}}
    return files["GITHUB_PATH"].read_text().strip(), filled(action["outputs"]["version"]["value"], contexts)
