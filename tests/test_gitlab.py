"""GitLab over real HTTP, as https://docs.gitlab.com/api/merge_requests/ and its neighbours describe it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from flagctl.errors import MissingError, OutsideError
from flagctl.history.gitlab import GitLab
from flagctl.history.propose import Proposal

TOKEN = "glpat-a-token-of-the-tests"
PROJECT = "/api/v4/projects/acme/flags"
NEEDED = {"source_branch", "target_branch", "title"}
TAKEN = NEEDED | {"description", "remove_source_branch", "labels", "reviewer_ids"}
PROPOSAL = Proposal(branch="work", onto="main", title="t", body="b", labels=("flags",), reviewers=("@ada", "@acme/sre"))


class Server:
    """Merge requests in memory. script: (end of the path, status, headers) to answer with before it works again."""

    def __init__(self) -> None:
        self.merges: list[dict[str, Any]] = []
        self.notes: list[dict[str, Any]] = []
        self.approved: dict[str, dict[str, str]] = {}
        self.script: list[tuple[str, int, dict[str, str]]] = []
        self.seen: list[tuple[str, str]] = []
        server = self

        class Handler(_Handler):
            gitlab = server

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        match method, path.removeprefix(PROJECT).split("/")[1:]:
            case "GET", ["merge_requests"]:
                wanted = {name: query[name] for name in ("state", "source_branch", "target_branch")}
                return 200, [merge for merge in self.merges if wanted.items() <= merge.items()]
            case "POST", ["merge_requests"]:
                if not body.keys() >= NEEDED or not body.keys() <= TAKEN:
                    return 400, {"message": f"wrong fields {sorted(body)}"}
                if any(merge["source_branch"] == body["source_branch"] for merge in self.merges):
                    return 409, {"message": ["Another open merge request already exists for this source branch: !1"]}
                iid = len(self.merges) + 1
                url = f"{self.url}/acme/flags/-/merge_requests/{iid}"
                self.merges.append(
                    body | {"iid": iid, "id": 900 + iid, "project_id": 1, "state": "opened", "web_url": url}
                )
                return 201, self.merges[-1]
            case "GET", ["merge_requests", iid]:
                more = {"author": {"username": "author"}, "sha": "2" * 40, "diff_refs": {"base_sha": "1" * 40}}
                more |= {"merge_commit_sha": None, "squash_commit_sha": None}
                return 200, more | self.merges[int(iid) - 1]
            case "PUT", ["merge_requests", iid]:
                self.merges[int(iid) - 1] |= body
                return 200, self.merges[int(iid) - 1]
            case "PUT", ["merge_requests", iid, "merge"]:
                return 200, self.merges[int(iid) - 1]
            case "GET", ["merge_requests", _, "approvals"]:
                return 200, {"approved_by": [{"user": {"username": name}, **at} for name, at in self.approved.items()]}
            case "GET", ["merge_requests", _, "versions"]:
                return 200, [{"id": n, "created_at": f"2026-11-2{n}T12:00:00.123Z"} for n in (3, 2, 1)]
            case "GET", ["merge_requests", _, "commits"]:
                return 200, [{"id": "1", "author_email": "12-eve@users.noreply.gitlab.com"}]
            case "GET", ["merge_requests", _, "notes"]:
                plain = {"system": False, "author": {"username": "eve"}, "created_at": "2026-11-20T00:00:00Z"}
                return 200, [plain | note for note in self.notes]
            case "POST", ["merge_requests", _, "notes"]:
                self.notes.append(body | {"id": len(self.notes) + 1})
                return 201, self.notes[-1]
            case "PUT", ["merge_requests", _, "notes", number]:
                self.notes[int(number) - 1] |= body
                return 200, self.notes[int(number) - 1]
        if path == "/api/v4/users/7":
            return 200, {"id": 7, "username": "ada", "public_email": "ada@example.com"}
        if path == "/api/v4/users":
            return 200, [{"id": 7, "username": query["username"]}]
        if path == "/api/v4/groups/acme/sre/members/all":
            return 200, [{"id": n, "username": name} for n, name in enumerate(("ada", "bob", "cy"))]
        return 404, {"message": "404 Not Found"}


class _Handler(BaseHTTPRequestHandler):
    gitlab: Server
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        parts, server = urlsplit(self.path), self.gitlab
        path = unquote(parts.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        server.seen.append((self.command, path.removeprefix(PROJECT)))
        scripted = next((one for one in server.script if path.endswith(one[0])), None)
        headers: dict[str, str] = {}
        if scripted is not None:
            server.script.remove(scripted)
            status, answer, headers = scripted[1], {"message": "scripted"}, scripted[2]
            if not status:
                time.sleep(2)
                self.close_connection = True
                return
        elif self.headers.get("PRIVATE-TOKEN") != TOKEN:
            status, answer = 401, {"message": "401 Unauthorized"}
        else:
            status, answer = server.answer(self.command, path, query, json.loads(raw) if raw else None)
        if isinstance(answer, list):
            page = int(query.get("page", 1))
            if len(answer) > page * 2:
                rest = re.sub(r"[?&]page=\d+", "", self.path)
                headers["Link"] = f'<{server.url}{rest}{"&" if "?" in rest else "?"}page={page + 1}>; rel="next"'
            answer = answer[(page - 1) * 2 : page * 2]
        data = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = handle_any  # noqa: N815 - the names http.server calls

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def forge(server: Server) -> GitLab:
    return GitLab(server.url, "acme/flags", TOKEN, timeout=1)


def test_a_merge_request_is_opened_once_and_brought_up_to_date(server: Server, forge: GitLab) -> None:
    url = forge.propose(PROPOSAL).url
    assert url == f"{server.url}/acme/flags/-/merge_requests/1"
    assert server.merges[0]["labels"] == "flags"
    assert server.merges[0]["reviewer_ids"] == [7]
    assert forge.propose(PROPOSAL).url == url
    assert ("PUT", "/merge_requests/1") not in server.seen
    assert forge.propose(Proposal(branch="work", onto="main", title="other", body="b", auto_merge=True)).url == url
    assert server.merges[0]["title"] == "other"
    assert server.seen[-1] == ("PUT", "/merge_requests/1/merge")
    assert len(server.merges) == 1


def test_a_merge_request_counts_although_gitlab_will_not_merge_it_by_itself(server: Server, forge: GitLab) -> None:
    server.script.append(("/merge_requests/1/merge", 405, {}))
    opened = forge.propose(Proposal(branch="work", onto="main", title="t", body="b", auto_merge=True))
    assert opened.url == f"{server.url}/acme/flags/-/merge_requests/1"
    (lacking,) = opened.lacking
    assert lacking.startswith("GitLab would not merge it once it is approved")


def test_who_approved_and_who_is_in_a_group_is_read_page_by_page(server: Server, forge: GitLab) -> None:
    forge.propose(PROPOSAL)
    pull = forge.pull(1)
    assert (pull.author, pull.onto, pull.base, pull.head) == ("@author", "main", "1" * 40, "2" * 40)
    server.approved = {
        "ada": {"approved_at": "2026-11-23T12:00:01Z"},
        "bob": {"approved_at": "2026-11-23T11:59:59Z"},
        "cy": {},
        "dan": {},
    }
    server.notes.append(
        {"system": True, "body": "approved this merge request", "author": {"username": "cy"}, "id": 1,
         "created_at": "2026-11-22T00:00:00Z"}
    )  # fmt: skip
    found = {one.people[0]: (one.state, one.stale, one.undated) for one in forge.reviews(pull)}
    assert found == {
        "@ada": ("approved", False, False),
        "@bob": ("approved", True, False),  # before the last push
        "@cy": ("approved", True, False),  # as a note says, of a server that does not date approvals
        "@dan": ("approved", False, True),
    }
    assert forge.authors(pull) == ["12-eve@users.noreply.gitlab.com", "@eve"]
    assert forge.emails("@ada") == ["ada@example.com"]
    assert forge.members("@acme/sre") == ["@ada", "@bob", "@cy"]


@pytest.mark.parametrize(
    ("merge", "landed"),
    [
        ({}, ""),
        ({"merge_commit_sha": "3" * 40}, ""),  # what merging would give, of an open one
        ({"state": "merged", "merge_commit_sha": "3" * 40, "squash_commit_sha": "4" * 40}, "3" * 40),
        ({"state": "merged", "squash_commit_sha": "4" * 40}, "4" * 40),
        ({"state": "merged"}, "2" * 40),
    ],
)
def test_the_commit_that_a_merge_request_became_is_told(
    server: Server, forge: GitLab, merge: dict[str, str], landed: str
) -> None:
    forge.propose(PROPOSAL)
    server.merges[0] |= merge
    assert forge.pull(1).landed == landed
    server.script.append(("/merge_requests/1", 404, {}))
    with pytest.raises(MissingError):
        forge.pull(1)


def test_a_note_is_updated_in_place(server: Server, forge: GitLab) -> None:
    forge.propose(PROPOSAL)
    pull = forge.pull(1)
    for number in range(4):
        forge.comment(pull, f"<{number}>", f"<{number}> said by somebody")
    first = forge.comment(pull, "<mark>", "<mark> one")
    assert forge.comment(pull, "<mark>", "<mark> two") == first == f"{pull.url}#note_5"
    assert [note["body"] for note in server.notes][-1] == "<mark> two"
    assert len(server.notes) == 5


@pytest.mark.parametrize("headers", [{"Retry-After": "0"}, {"RateLimit-Reset": "1"}])
def test_a_limit_is_waited_out(server: Server, forge: GitLab, headers: dict[str, str]) -> None:
    server.script.append(("/merge_requests", 429, headers))
    assert forge.propose(PROPOSAL).url.endswith("/1")


@pytest.mark.parametrize(
    ("status", "hint"), [(401, "token is wrong"), (403, "scope api"), (404, "project's name"), (409, "try again")]
)
def test_what_gitlab_refuses_is_told_with_what_to_do(server: Server, forge: GitLab, status: int, hint: str) -> None:
    server.script.append(("/merge_requests", status, {}))
    with pytest.raises(OutsideError) as caught:
        forge.propose(PROPOSAL)
    assert "GitLab would not open a merge request" in caught.value.message
    assert hint in caught.value.hint


def test_a_server_that_is_not_there_is_told(server: Server) -> None:
    forge = GitLab("http://127.0.0.1:9", "acme/flags", TOKEN, timeout=1, retry=False)
    with pytest.raises(OutsideError, match="does not answer"):
        forge.pull(1)
