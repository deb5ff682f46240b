"""A GitHub of our own on loopback: pull requests in memory, a bare repository behind Git's smart HTTP.

Every request and every answer is held against GitHub's own OpenAPI description, which npm's `@octokit/openapi` carries;
what does not agree is a fault, and the fixture fails for it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tarfile
import time
from collections.abc import Iterator
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flagd_engines import _made, _run, javascript
from jsonschema import Draft202012Validator

PACKAGE = "@octokit/openapi@23.0.2"
TOKEN = "ghs_a-token-of-the-tests"
OWNER, NAME = "acme", "flags"
DOCS = "https://docs.github.com/rest/pulls/pulls#create-a-pull-request"
PATHS = [
    "/orgs/{org}",
    "/orgs/{org}/teams/{team_slug}",
    "/orgs/{org}/teams/{team_slug}/members",
    "/organizations/{org}/team/{team_slug}/members",
    "/repos/{owner}/{repo}/actions/runs/{run_id}/rerun",
    "/repos/{owner}/{repo}/actions/workflows/{workflow_id}",
    "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs",
    "/repos/{owner}/{repo}/commits",
    "/repos/{owner}/{repo}/issues/comments/{comment_id}",
    "/repos/{owner}/{repo}/issues/{issue_number}",
    "/repos/{owner}/{repo}/issues/{issue_number}/comments",
    "/repos/{owner}/{repo}/issues/{issue_number}/labels",
    "/repos/{owner}/{repo}/pulls",
    "/repos/{owner}/{repo}/pulls/{pull_number}",
    "/repos/{owner}/{repo}/pulls/{pull_number}/commits",
    "/repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers",
    "/repos/{owner}/{repo}/pulls/{pull_number}/reviews",
    "/users/{username}",
]


def description() -> dict[str, Any]:
    """GitHub's description of these paths and all that they refer to."""

    def make(folder: Path) -> None:
        folder.mkdir(parents=True)
        node, _ = javascript()
        npm = Path(node).with_name("npm")
        command = (
            [str(npm)]
            if npm.exists()
            else [node, str(Path(node).parent.parent / "lib/node_modules/npm/bin/npm-cli.js")]
        )
        _run(*command, "pack", "--silent", "--pack-destination", folder, PACKAGE)
        (packed,) = folder.glob("*.tgz")
        with tarfile.open(packed) as tar:
            whole = json.load(tar.extractfile("package/generated/api.github.com.json"))  # type: ignore[arg-type]
        packed.unlink()
        (folder / "api.json").write_text(json.dumps(_pruned(whole)))

    return json.loads((_made("octokit", PACKAGE + repr(PATHS), make) / "api.json").read_text())  # type: ignore[no-any-return]


def _pruned(whole: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {
        "paths": {path: whole["paths"][path] for path in PATHS if path in whole["paths"]},
        "components": {},
    }
    waiting: list[Any] = [kept["paths"]]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                _, _, kind, name = node["$ref"].split("/")
                if name not in kept["components"].setdefault(kind, {}):
                    kept["components"][kind][name] = whole["components"][kind][name]
                    waiting.append(whole["components"][kind][name])
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
    return _nullable(kept)  # type: ignore[no-any-return]


def _nullable(node: Any) -> Any:
    """OpenAPI 3.0's `nullable` as JSON Schema says it."""
    if isinstance(node, list):
        return [_nullable(member) for member in node]
    if not isinstance(node, dict):
        return node
    made = {name: _nullable(value) for name, value in node.items() if name != "nullable"}
    return {"anyOf": [made, {"type": "null"}]} if node.get("nullable") is True else made


class GitHubServer:
    """The server while a test runs.

    public: the e-mail address that a login shows. commits: (login, e-mail) of each in the repository and pull request.
    strangers: who can't be asked for a review; asked: who was.
    script: answers to give before it works again: (method, end of the path, status, headers, body); 0 never answers.
    seen: (method, path, body) of each request to the API. faults: what did not agree with the description.
    """

    def __init__(self, folder: Path) -> None:
        self.api_description = description()
        self.script: list[tuple[str, str, int, dict[str, str], Any]] = []
        self.seen: list[tuple[str, str, Any]] = []
        self.faults: list[str] = []
        self.pulls: list[dict[str, Any]] = []
        self.reviews: list[dict[str, Any]] = []
        self.comments: list[dict[str, Any]] = []
        self.team: list[str] = []
        self.runs: list[dict[str, Any]] = []
        self.rerun: list[int] = []
        self.strangers: list[str] = []
        self.asked: list[str] = []
        self.public: dict[str, str] = {}
        self.commits: list[tuple[str, str]] = []
        self.bare = folder / OWNER / f"{NAME}.git"
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(self.bare)], check=True)
        subprocess.run(["git", "-C", str(self.bare), "config", "http.receivepack", "true"], check=True)
        server = self

        class Handler(_Handler):
            github = server

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def example(self, path: str, method: str, status: int) -> Any:
        """GitHub's own example of an answer."""
        content = self._resolved(self.api_description["paths"][path][method]["responses"][str(status)])["content"]
        examples = next(iter(content.values()))["examples"]
        return deepcopy(self._resolved(next(iter(examples.values())))["value"])

    def open_pull(self, title: str, body: str, head: str, base: str, author: str = "author") -> dict[str, Any]:
        pull = self.example("/repos/{owner}/{repo}/pulls", "post", 201)
        number = len(self.pulls) + 1
        pull["requested_teams"] = []  # GitHub's own example lacks what its schema asks for
        pull |= {"number": number, "title": title, "body": body, "state": "open"}
        pull |= {
            "url": f"{self.url}/repos/{OWNER}/{NAME}/pulls/{number}",
            "html_url": f"{self.url}/{OWNER}/{NAME}/pull/{number}",
        }
        pull["issue_url"] = f"{self.url}/repos/{OWNER}/{NAME}/issues/{number}"
        pull["user"]["login"] = author
        pull["head"] |= {"ref": head, "sha": self.tip(head), "label": f"{OWNER}:{head}"}
        pull["base"] |= {"ref": base, "sha": self.tip(base)}
        self.pulls.append(pull)
        return pull

    def tip(self, branch: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.bare), "rev-parse", "--verify", "-q", branch],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip() or "0" * 40

    def review(self, login: str, state: str, commit: str) -> None:
        review = self.example("/repos/{owner}/{repo}/pulls/{pull_number}/reviews", "get", 200)[0]
        review["user"]["login"] = login
        self.reviews.append(review | {"state": state, "commit_id": commit, "id": len(self.reviews)})

    def add_run(self, workflow: str, commit: str) -> int:
        number = len(self.runs) + 1
        url = f"{self.url}/repos/{OWNER}/{NAME}/actions/runs/{number}"
        self.runs.append({"id": number, "path": workflow, "head_sha": commit, "url": url, "rerun_url": f"{url}/rerun"})
        return number

    # ---- answers ----

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        repo = f"/repos/{OWNER}/{NAME}"
        if path == "/graphql":  # no OpenAPI describes it
            return 200, {"data": {"enablePullRequestAutoMerge": {"actor": None, "clientMutationId": None}}}
        if path.startswith("/users/"):
            login = path.rpartition("/")[2]
            person = self.example("/users/{username}", "get", 200)
            return 200, person | {"login": login, "email": self.public.get(login)}
        if not path.startswith((repo, "/orgs/", "/organizations/")):
            return 404, {"message": "Not Found"}
        rest = path.removeprefix(repo)
        match method, rest.split("/")[1:]:
            case "GET", ["pulls"]:
                owner, _, head = query.get("head", ":").partition(":")
                return 200, [
                    self._simple(pull)
                    for pull in self.pulls
                    if pull["state"] == query.get("state", "open") and owner == OWNER and pull["head"]["ref"] == head
                    and pull["base"]["ref"] == query.get("base")
                ]  # fmt: skip
            case "POST", ["pulls"]:
                if any(pull["head"]["ref"] == body["head"] for pull in self.pulls):
                    text = f"A pull request already exists for {OWNER}:{body['head']}."
                    return 422, {
                        "message": "Validation Failed",
                        "documentation_url": DOCS,
                        "errors": [{"message": text, "resource": "PullRequest", "code": "custom"}],
                    }
                if self.tip(body["head"]) == "0" * 40:
                    return 422, {
                        "message": "Validation Failed",
                        "documentation_url": DOCS,
                        "errors": [{"resource": "PullRequest", "field": "head", "code": "invalid"}],
                    }
                return 201, self.open_pull(body["title"], body["body"], body["head"], body["base"])
            case "GET", ["pulls", number] if int(number) > len(self.pulls):
                return 404, {"message": "Not Found", "documentation_url": DOCS, "status": "404"}
            case "GET", ["pulls", number]:
                return 200, self.pulls[int(number) - 1]
            case "PATCH", ["pulls", number]:
                self.pulls[int(number) - 1] |= body
                return 200, self.pulls[int(number) - 1]
            case "GET", ["commits"]:
                return 200, [self._commit(*one) for one in self.commits if one[0] == query.get("author")]
            case "GET", ["pulls", _, "commits"]:
                return 200, [self._commit(*one) for one in self.commits]
            case "GET", ["pulls", _, "reviews"]:
                return 200, self.reviews
            case "POST", ["pulls", number, "requested_reviewers"]:
                whom = {*body["reviewers"], *body["team_reviewers"]}
                if whom & {self.pulls[int(number) - 1]["user"]["login"], *self.strangers}:
                    return 422, {
                        "message": "Reviews may only be requested from collaborators.",
                        "documentation_url": DOCS,
                    }
                self.asked += sorted(whom)
                asked = self.example("/repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers", "post", 201)
                return 201, asked | {"requested_teams": []}
            case "POST", ["issues", _, "labels"]:
                label = self.example("/repos/{owner}/{repo}/issues/{issue_number}/labels", "post", 200)[0]
                return 200, [label | {"name": name} for name in body["labels"]]
            case "GET", ["issues", number]:
                issue = self.example("/repos/{owner}/{repo}/issues/{issue_number}", "get", 200)
                return 200, issue | {
                    "number": int(number),
                    "url": f"{self.url}{path}",
                    "comments_url": f"{self.url}{path}/comments",
                }
            case "GET", ["issues", _, "comments"]:
                return 200, self.comments
            case "POST", ["issues", _, "comments"]:
                comment = self.example("/repos/{owner}/{repo}/issues/{issue_number}/comments", "post", 201)
                number = len(self.comments) + 1
                comment |= {"id": number, "body": body["body"], "url": f"{self.url}{repo}/issues/comments/{number}"}
                self.comments.append(comment)
                return 201, comment
            case "PATCH", ["issues", "comments", number]:
                self.comments[int(number) - 1] |= body
                return 200, self.comments[int(number) - 1]
            case "GET", ["actions", "workflows", name]:
                found = self.example("/repos/{owner}/{repo}/actions/workflows/{workflow_id}", "get", 200)
                return 200, found | {"path": f".github/workflows/{name}", "url": f"{self.url}{path}"}
            case "GET", ["actions", "workflows", name, "runs"]:
                found = self.example("/repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs", "get", 200)
                runs = [run for run in self.runs if (run["path"], run["head_sha"]) == (name, query["head_sha"])]
                one = found["workflow_runs"][0]
                return 200, {"total_count": len(runs), "workflow_runs": [one | run for run in runs]}
            case "POST", ["actions", "runs", number, "rerun"]:
                self.rerun.append(int(number))
                return 201, {}
            case "GET", ["orgs", org]:
                found = self.example("/orgs/{org}", "get", 200)
                return 200, found | {"login": org, "url": f"{self.url}/orgs/{org}"}
            case "GET", ["orgs", org, "teams", "sre"]:
                found = self.example("/orgs/{org}/teams/{team_slug}", "get", 200)
                return 200, found | {"url": f"{self.url}/orgs/{org}/teams/sre", "slug": "sre"}
            case "GET", ["orgs", _, "teams", "sre", "members"]:
                person = self.example("/orgs/{org}/teams/{team_slug}/members", "get", 200)[0]
                return 200, [person | {"login": login} for login in self.team]
        return 404, {"message": "Not Found"}

    def _commit(self, login: str, email: str) -> dict[str, Any]:
        commit = self.example("/repos/{owner}/{repo}/commits", "get", 200)[0]
        for whose in ("author", "committer"):
            commit[whose]["login"] = login
            commit["commit"][whose]["email"] = email
        return commit  # type: ignore[no-any-return]

    def _simple(self, pull: dict[str, Any]) -> dict[str, Any]:
        simple = self.example("/repos/{owner}/{repo}/pulls", "get", 200)[0]
        return {name: pull.get(name, value) for name, value in simple.items()}

    # ---- the description ----

    def _resolved(self, node: Any) -> Any:
        while isinstance(node, dict) and isinstance(node.get("$ref"), str):
            _, _, kind, name = node["$ref"].split("/")
            node = self.api_description["components"][kind][name]
        return node

    def hold(self, method: str, path: str, query: dict[str, str], body: Any, status: int, answer: Any) -> None:
        """Note what of a request and its answer is not as GitHub describes it."""
        if path == "/graphql":
            return
        template = next((t for t in PATHS if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", t), path)), None)
        operation = self.api_description["paths"].get(template, {}).get(method.lower())
        if operation is None:
            self.faults.append(f"{method} {path} is not described")
            return
        declared = {self._resolved(one)["name"] for one in operation.get("parameters", ())}
        self.faults += [f"{method} {template}: no parameter {name}" for name in query if name not in declared]
        if body is not None:
            schema = self._resolved(operation["requestBody"])["content"]["application/json"]["schema"]
            self._fits(schema, body, f"{method} {template}: request")
        described = self._resolved(operation["responses"].get(str(status)))
        if described is not None:
            content = described.get("content", {})
            if content:
                self._fits(next(iter(content.values()))["schema"], answer, f"{method} {template}: answer {status}")
        elif status < 400:
            self.faults.append(f"{method} {template} never answers {status}")

    def _fits(self, schema: Any, value: Any, what: str) -> None:
        whole = dict(schema) | {"components": self.api_description["components"]}
        self.faults += [
            f"{what}{error.json_path}: {error.message[:200]}"
            for error in Draft202012Validator(whole).iter_errors(value)
        ]


class _Handler(BaseHTTPRequestHandler):
    github: GitHubServer
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length) if length else b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            raw = b"".join(self._chunks())
        if parts.path.startswith(f"/{OWNER}/{NAME}.git/"):
            self._git(parts.path, parts.query, raw)
            return
        body = json.loads(raw) if raw else None
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        server = self.github
        server.seen.append((self.command, parts.path, body))
        for number, (method, ending, status, headers, answer) in enumerate(server.script):
            if method == self.command and parts.path.endswith(ending):
                del server.script[number]
                if status == 0:
                    time.sleep(3)
                    self.close_connection = True
                    return
                self._send(status, answer, headers)
                return
        if self.headers.get("Authorization") != f"token {TOKEN}":
            self._send(401, {"message": "Bad credentials"}, {})
            return
        status, answer = server.answer(self.command, parts.path, query, body)
        headers = {}
        if isinstance(answer, list) and self.command == "GET":
            per, page = int(query.get("per_page", 30)), int(query.get("page", 1))
            per = min(per, 2)  # so that a handful is several pages
            if len(answer) > page * per:
                more = f"{server.url}{parts.path}?" + "&".join(
                    [*(f"{k}={v}" for k, v in query.items() if k != "page"), f"page={page + 1}"]
                )
                headers["Link"] = f'<{more}>; rel="next"'
            answer = answer[(page - 1) * per : page * per]
        server.hold(self.command, parts.path, query, body, status, answer)
        self._send(status, answer, headers)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any  # noqa: N815 - the names http.server calls

    def _send(self, status: int, answer: Any, headers: dict[str, str]) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json; charset=utf-8",
            "Content-Length": str(len(data)),
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _git(self, path: str, query: str, raw: bytes) -> None:
        import base64

        wanted = "Basic " + base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
        if self.headers.get("Authorization") != wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="GitHub"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        environ = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.github.bare.parent.parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(raw)),
            "REMOTE_USER": "token",
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(["git", "http-backend"], input=raw, env=environ, capture_output=True, check=False)
        head, _, data = done.stdout.partition(b"\r\n\r\n")
        lines = [line.partition(": ") for line in head.decode().split("\r\n")]
        status = next((int(value.split()[0]) for name, _, value in lines if name == "Status"), 200)
        self.send_response(status)
        for name, _, value in lines:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing."""
