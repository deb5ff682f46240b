"""GitHub's workflows, ours and those that `init` writes: valid, without a finding, and run step by step."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from conftest import SMALL
from flagtree import reading
from github_server import NAME, OWNER, GitHubServer
from servers import BUCKET
from workflow_runner import ROOT, Runner, filled, git, holds, installed, load, value_of

from flagctl import __version__
from flagctl.cli.hosting import commit_noted
from flagctl.errors import UsageError
from flagctl.files.workflows import LOCAL, action_of, workflows
from flagctl.project import Project

Run = Callable[..., "subprocess.CompletedProcess[str]"]
USES = action_of(f"acme/flagctl@{'0123456789' * 4}")
BIN = Path(sys.executable).parent
SETTINGS = """\
environments:
  development: {targets: ["file:published"]}
  production:
    promotes_from: development
    protected: true
    approvals: {required: 1, from: [sre], when: {rollout_over: 10}}
    targets: [TARGET]
teams:
  sre: {members: ["@sam"]}
"""
GALLERY = "flags/production/wishlist-gallery.yaml"
ELSEWHERE = [
    '"s3://flags/shop"',
    '{url: "redis://r:6379/0", password_env: REDIS_PASSWORD}, {url: "s3://flags/shop"}',
    '{url: "redis://r:6379/0", password_env: REDIS_PASSWORD}',
]


def texts(target: str = '"file:published"', folder: str = "") -> dict[str, str]:
    settings = reading({"flags/flagctl.yaml": SETTINGS.replace("TARGET", target)}).repository.settings
    return {Path(path).stem: text for path, text in workflows(settings, USES, folder).items()}


# ---- as files ----


def test_ours_are_what_init_writes_for_the_sample_flags() -> None:
    for path, text in workflows(Project(ROOT).settings(), LOCAL).items():
        assert (ROOT / path).read_text() == text, path


def tool(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BIN / name, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_each_is_as_github_describes_it_and_zizmor_finds_nothing(tmp_path: Path) -> None:
    files = [*(ROOT / ".github/workflows").glob("*.yml")]
    for number, made in enumerate([*(texts(target) for target in ELSEWHERE), texts(folder="services/my flags")]):
        folder = tmp_path / str(number) / ".github/workflows"
        folder.mkdir(parents=True)
        for name, text in made.items():
            files.append(folder / f"{name}.yml")
            files[-1].write_text(text)
    assert len(files) == 6 + 4 * 5
    action = ROOT / ".github/actions/flagctl/action.yml"
    for schema, which in (("github-workflows", files), ("github-actions", [action])):
        done = tool("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *which)
        assert done.returncode == 0, done.stdout
    done = tool("zizmor", "--offline", "--no-progress", *files, action)
    assert done.returncode == 0, done.stdout
    # the one place that is excused says why
    assert [path.name for path in [*files, action] if "zizmor:" in path.read_text()] == ["action.yml"]
    assert action.read_text().count("zizmor: ignore[github-env] the runner sets RUNNER_TEMP") == 1
    # and the tools do look
    bad = tmp_path / "bad/.github/workflows/bad.yml"
    bad.parent.mkdir(parents=True)
    bad.write_text(texts()["flags-pull-request"].replace("flagctl test", "echo ${{ github.head_ref }}"))
    assert "template-injection" in tool("zizmor", "--offline", bad).stdout
    bad.write_text(texts()["flags-pull-request"].replace("runs-on", "run-on"))
    assert tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", bad).returncode == 1


def test_every_action_is_pinned_and_no_job_has_more_than_it_says() -> None:
    for text in [path.read_text() for path in (ROOT / ".github/workflows").glob("flags-*.yml")] + [
        *texts(ELSEWHERE[1]).values()
    ]:
        assert load(text)["permissions"] == {}
        for used in re.findall(r"uses: (\S+)", text):
            assert used == LOCAL or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", used)
        writes = {line.split("#")[0].strip() for line in text.splitlines() if ": write" in line}
        name = load(text)["name"]
        allowed = {"flags": {"pull-requests: write"}, "flags review": {"actions: write"}}
        assert writes <= allowed.get(name, {"id-token: write"})


def test_what_a_kind_of_target_needs_is_there_only_with_it() -> None:
    plain, s3, redis = texts(), texts(ELSEWHERE[0]), texts(ELSEWHERE[2])
    for made, word, there in [
        (plain, "id-token", False), (plain, "flagctl status", False), (plain, "REDIS", False),
        (s3, "id-token: write", True), (s3, "flagctl status", True), (s3, "REDIS", False),
        (redis, "id-token", False), (redis, "flagctl status", True),
        (redis, "REDIS_PASSWORD: ${{ secrets.REDIS_PASSWORD }}", True),
    ]:  # fmt: skip
        assert all((word in made[name]) == there for name in ("flags-publish", "flags-nightly") if "status" not in word)
        assert (word in made["flags-nightly"]) == there
    nowhere = SETTINGS.replace('targets: ["file:published"]', "").replace("targets: [TARGET]", "")
    settings = reading({"flags/flagctl.yaml": nowhere}).repository.settings
    assert not any("publish" in path for path in workflows(settings, USES))


@pytest.mark.parametrize("reference", ["acme/flagctl@v1", "flagctl", f"acme/flagctl@{'a' * 39}", f"a b/c@{'a' * 40}"])
def test_a_reference_that_may_move_is_refused(reference: str, flagctl: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="names no commit"):
        action_of(reference)
    done = flagctl("init", tmp_path / "new", "--action", reference)
    assert (done.returncode, (tmp_path / "new").exists()) == (2, False)


def test_init_writes_them_once_and_tells_when_they_no_longer_fit(flagctl: Run, repo: Path) -> None:
    arguments = ["init", "--action", f"acme/flagctl@{'a' * 40}"]
    assert "workflows" not in flagctl("init", "--no-github").stdout
    assert "flagctl init --action OWNER/REPOSITORY@COMMIT" in flagctl("init").stderr
    first = flagctl(*arguments)
    assert "created .github/workflows/flags-publish.yml" in first.stdout
    assert "docs/github.md" in first.stderr
    assert ".github" not in flagctl(*arguments).stderr
    path = repo / "flags/flagctl.yaml"
    path.write_text(path.read_text().replace("file:published", "s3://flags/shop"))
    again = flagctl(*arguments)
    assert "flags-publish.yml: not what fits the settings now; delete it and run init again" in again.stderr
    assert "flags-approvals.yml: " not in again.stderr
    (repo / ".github/workflows/flags-publish.yml").unlink()
    flagctl(*arguments)
    assert "AWS_ROLE_ARN" in (repo / ".github/workflows/flags-publish.yml").read_text()
    # in a folder of a larger repository they are at its top, and work in the folder
    inner = flagctl("init", "services/more", *arguments[1:])
    assert "kept    ../../.github/workflows/flags-publish.yml" in inner.stdout


@pytest.mark.parametrize(
    ("noted", "reference"),
    [
        ('{"url": "https://github.com/acme/flagctl.git", "vcs_info": {"commit_id": "abc"}}', "acme/flagctl@abc"),
        ('{"url": "ssh://git@github.com/acme/flagctl", "vcs_info": {"commit_id": "abc"}}', "acme/flagctl@abc"),
        ('{"url": "https://git.example.com/acme/flagctl", "vcs_info": {"commit_id": "abc"}}', ""),
        ('{"url": "file:///src/flagctl", "dir_info": {"editable": true}}', ""),
        ('{"url": "https://github.com/acme/flagctl/archive/1.zip", "archive_info": {}}', ""),
        ("", ""),
    ],
)
def test_the_commit_that_pip_installed_is_known(noted: str, reference: str) -> None:
    assert commit_noted(noted) == reference


def test_what_is_published_is_the_branch_that_people_work_from(flagctl: Run, repo: Path, tmp_path: Path) -> None:
    git("-C", repo, "branch", "-m", "trunk")
    git("clone", "-q", repo, tmp_path / "clone")
    git("-C", tmp_path / "clone", "checkout", "-qb", "flags")
    flagctl("init", "--action", f"acme/flagctl@{'a' * 40}", cwd=tmp_path / "clone")
    written = load((tmp_path / "clone/.github/workflows/flags-publish.yml").read_text())
    assert written["on"]["push"]["branches"] == ["trunk"]


def test_runs_wait_for_each_other_where_they_must() -> None:
    made = {name: load(text) for name, text in texts().items()}
    publish = made["flags-publish"]["jobs"]["publish"]["concurrency"]
    assert publish == {"group": "flags-publish-${{ matrix.environment }}", "cancel-in-progress": False}
    assert made["flags-approvals"]["concurrency"] == made["flags-review"]["concurrency"]
    assert made["flags-review"]["concurrency"]["cancel-in-progress"] is False


@pytest.mark.parametrize(
    "expression", ["toJSON(a)", "a || b", "github.nothing", "'x", "github.ref == ", "hashFiles('x')"]
)
def test_the_runner_knows_few_expressions_and_refuses_the_others(expression: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        value_of(expression, {"github": {"ref": "main"}, "a": "", "b": ""})


def test_the_runner_reads_conditions_as_github_does() -> None:
    contexts = {"github": {"ref": "main"}, "vars": {}}
    assert filled("x-${{ github.ref }}-${{ vars.none }}", contexts) == "x-main-"
    assert holds("github.ref == 'main' && vars.a != 'b'", contexts, failed=False)
    assert not holds("github.ref != 'main' && vars.a != 'b'", contexts, failed=False)
    assert not holds(None, contexts, failed=True)
    assert holds("${{ !cancelled() }}", contexts, failed=True)


# ---- as they run ----


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitHubServer]:
    running = GitHubServer(tmp_path / "github")
    yield running
    running.close()
    assert running.faults == []


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A folder with flagctl alone in it, as the action puts it on the PATH."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/flagctl").symlink_to(BIN / "flagctl")
    return str(tmp_path / "bin")


@pytest.fixture
def main(make_repo: Callable[..., Path], server: GitHubServer) -> Path:
    """A flag repository that GitHub has."""
    root = make_repo(SMALL | {"flags/flagctl.yaml": SETTINGS.replace("TARGET", '"file:published"')})
    git("-C", root, "remote", "add", "origin", server.bare)
    git("-C", root, "push", "-q", "origin", "main")
    return root


@pytest.fixture
def change(main: Path, server: GitHubServer) -> Callable[..., dict[str, Any]]:
    """change({path: text}) pushes the branch `work`, and gives the event of its pull request."""

    def make(files: dict[str, str], source: str = f"{OWNER}/{NAME}") -> dict[str, Any]:
        git("-C", main, "checkout", "-qB", "work")
        for name, text in files.items():
            (main / name).write_text(text)
        git("-C", main, "commit", "-qam", "Change")
        git("-C", main, "push", "-qf", "origin", "work")
        if not server.pulls:
            server.open_pull("t", "b", "work", "main")
        tip = server.tip("work")
        server.pulls[0]["head"] |= {"sha": tip}
        head = {"ref": "work", "sha": tip, "repo": {"full_name": source}}
        return {"pull_request": {"number": 1, "user": {"login": "author"}, "head": head, "base": {"ref": "main"}}}

    return make


Start = Callable[..., Runner]


@pytest.fixture
def start(tmp_path: Path, server: GitHubServer, path: str) -> Start:
    """start(event, name="pull_request") -> a runner."""

    def make(event: dict[str, Any], name: str = "pull_request") -> Runner:
        return Runner(tmp_path / "runs" / str(len(list(tmp_path.glob("runs/*")))), server, path, name, event)

    return make


def at(share: int) -> dict[str, str]:
    return {GALLERY: SMALL[GALLERY].replace("rollout: 25", f"rollout: {share}")}


def test_a_good_pull_request_passes_and_has_one_comment(change: Any, start: Start, server: GitHubServer) -> None:
    text = texts()["flags-pull-request"]
    event = change(at(60))
    check = start(event).run(text, "check")
    assert check.ok, check.printed
    assert list(check.printed) == ["Check", "Test"]
    assert start(event).run(text, "plan").ok
    (comment,) = server.comments
    assert "everyone else: off → on 35.000 %" in comment["body"]
    again = start(change(at(70))).run(text, "plan")
    assert again.ok, again.printed
    (comment,) = server.comments
    assert "everyone else: off → on 45.000 %" in comment["body"]
    assert "everyone else: off → on 45.000 %" in again.summary


def test_a_bad_one_fails_at_its_line_and_the_tests_run_all_the_same(change: Any, start: Start) -> None:
    bad = start(change({GALLERY: SMALL[GALLERY].replace("serve: on", "serve: onn")})).run(
        texts()["flags-pull-request"], "check"
    )
    assert not bad.ok
    assert f"::error file={GALLERY},line=9," in bad.printed["Check"]
    assert "Test" in bad.printed


def test_a_failing_expectation_fails_it(change: Any, start: Start, main: Path) -> None:
    case = "tests:\n  - name: all\n    flag: wishlist-gallery\n    bucket: 99\n    expect: {variant: on}\n"
    (main / "flags/tests").mkdir()
    (main / "flags/tests/wishlist-gallery.yaml").write_text(case)
    git("-C", main, "add", "-A")
    done = start(change(at(60))).run(texts()["flags-pull-request"], "check")
    assert not done.ok
    assert "wishlist-gallery" in done.printed["Test"]


@pytest.mark.parametrize("of", ["fork", "dependabot"])
def test_who_may_not_write_gets_the_plan_in_the_summary(
    of: str, change: Any, start: Start, server: GitHubServer
) -> None:
    event = change(at(60), source="somebody/flags" if of == "fork" else f"{OWNER}/{NAME}")
    if of == "dependabot":
        event["pull_request"]["user"]["login"] = "dependabot[bot]"
    done = start(event).run(texts()["flags-pull-request"], "plan")
    assert done.ok
    assert done.skipped == ["Plan as the one comment"]
    assert "everyone else: off → on 35.000 %" in done.summary
    assert server.seen == []


def test_approvals_that_are_missing_fail_it_and_a_review_lets_it_run_again(
    change: Any, start: Start, server: GitHubServer
) -> None:
    made = texts()
    event = change(at(60))
    tip = server.tip("work")
    first = start(event).run(made["flags-approvals"], "approvals")
    assert not first.ok
    assert "missing 1  production: needs 1 approval by sre" in first.printed["Approvals"]
    server.add_run("flags-approvals.yml", "0" * 40)  # of an earlier push
    number = server.add_run("flags-approvals.yml", tip)
    server.review("sam", "APPROVED", tip)
    done = start(event, "pull_request_review").run(made["flags-review"], "review")
    assert done.ok, done.printed
    assert server.rerun == [number]
    again = start(event).run(made["flags-approvals"], "approvals")
    assert again.ok, again.printed
    event["pull_request"]["head"]["repo"]["full_name"] = "somebody/flags"
    assert start(event, "pull_request_review").run(made["flags-review"], "review").skipped == ["review"]
    assert len(server.rerun) == 1


def test_a_review_of_what_was_never_looked_at_says_so(change: Any, start: Start) -> None:
    done = start(change(at(60)), "pull_request_review").run(texts()["flags-review"], "review")
    assert not done.ok
    assert "flags-approvals.yml has not run for" in done.printed["Approvals again"]


def test_a_small_change_needs_no_approval(change: Any, start: Start) -> None:
    assert start(change(at(30))).run(texts()["flags-approvals"], "approvals").ok


def test_a_push_publishes_each_environment_to_its_folder(main: Path, start: Start, tmp_path: Path) -> None:
    target = tmp_path / "served"
    (main / "flags/flagctl.yaml").write_text(
        SETTINGS.replace("file:published", f"file:{target}").replace("TARGET", f'"file:{target}"')
    )
    git("-C", main, "commit", "-qam", "A folder that outlives the run")
    git("-C", main, "push", "-q", "origin", "main")
    text = texts()["flags-publish"]
    for name in load(text)["jobs"]["publish"]["strategy"]["matrix"]["environment"]:
        done = start({"ref": "refs/heads/main"}, "push").run(text, "publish", environment=name)
        assert done.ok, done.printed
        assert '"wishlist-gallery"' in (target / name / "snapshot.json").read_text()
        assert name in done.summary


@pytest.fixture
def tokens() -> Iterator[dict[str, str]]:
    """GitHub's issuer of id tokens: the environment of a job that may ask it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            right = self.headers["Authorization"] == "bearer asked-by-the-job"
            right &= self.path == "/token?version=1&audience=sts.amazonaws.com"
            self.send_response(200 if right else 401)
            self.end_headers()
            self.wfile.write(b'{"count": 1, "value": "an.id.token"}')

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing."""

    issuer = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=issuer.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    url = f"http://127.0.0.1:{issuer.server_address[1]}/token?version=1"
    yield {"ACTIONS_ID_TOKEN_REQUEST_URL": url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "asked-by-the-job"}
    issuer.shutdown()
    issuer.server_close()
    thread.join()


def test_a_push_publishes_to_s3_as_a_role_and_the_night_looks_at_it(
    main: Path, start: Start, s3_endpoint: str, tokens: dict[str, str], tmp_path: Path
) -> None:
    target = f'"s3://{BUCKET}/{tmp_path.name}?endpoint={s3_endpoint}"'
    (main / "flags/flagctl.yaml").write_text(SETTINGS.replace('"file:published"', target).replace("TARGET", target))
    git("-C", main, "commit", "-qam", "S3")
    git("-C", main, "push", "-q", "origin", "main")
    made = texts(target)
    role = "arn:aws:iam::123456789012:role/publish"

    def run(name: str, job: str, event: str, **matrix: str) -> Any:
        runner = start({}, event)
        runner.id_token = tokens
        runner.extra = {"AWS_ENDPOINT_URL_STS": s3_endpoint, "AWS_EC2_METADATA_DISABLED": "true"}
        runner.variables = {"AWS_ROLE_ARN": role, "AWS_READ_ROLE_ARN": role}
        return runner.run(made[name], job, **matrix)

    night = run("flags-nightly", "nightly", "schedule")
    assert not night.ok  # nothing is live yet
    for environment in ("development", "production"):
        done = run("flags-publish", "publish", "push", environment=environment)
        assert done.ok, done.printed
        assert environment in done.summary
    night = run("flags-nightly", "nightly", "schedule")
    assert night.ok, night.printed
    # without the role nobody signs in, and S3 takes nothing
    runner = start({}, "push")
    runner.extra = {"AWS_EC2_METADATA_DISABLED": "true"}
    refused = runner.run(made["flags-publish"], "publish", environment="production")
    assert refused.skipped == ["Sign in to AWS"]
    assert not refused.ok
    assert "credentials" in refused.printed["Publish"]


def test_the_night_finds_drift_and_expired_flags(main: Path, start: Start) -> None:
    text = texts()["flags-nightly"]
    assert start({}, "schedule").run(text, "nightly").ok
    flag = main / "flags/development/wishlist-gallery.yaml"
    flag.write_text(flag.read_text().replace("rollout: 25", "rollout: 50"))
    git("-C", main, "commit", "-qam", "Ahead")
    git("-C", main, "push", "-q", "origin", "main")
    lagging = start({}, "schedule").run(text, "nightly")
    assert lagging.ok, lagging.printed
    assert re.search(r"wishlist-gallery +1 behind", lagging.summary)
    flag.write_text(flag.read_text() + "kind: release\nexpires_at: 2020-01-01T00:00:00Z\n")
    git("-C", main, "commit", "-qam", "Expired")
    git("-C", main, "push", "-q", "origin", "main")
    expired = start({}, "schedule").run(text, "nightly")
    assert not expired.ok
    assert "::error" in expired.printed["Check, expired flags too"]


def test_flags_in_a_folder_of_a_larger_repository(
    make_repo: Callable[..., Path], start: Start, server: GitHubServer
) -> None:
    root = make_repo({f"services/my flags/{name}": text for name, text in SMALL.items()} | {"README": "ours\n"})
    git("-C", root, "push", "-q", server.bare, "main")
    done = start({}, "schedule").run(texts(folder="services/my flags")["flags-nightly"], "nightly")
    assert done.ok, done.printed
    assert not start({}, "schedule").run(texts()["flags-nightly"], "nightly").ok


def test_the_action_installs_flagctl_from_its_own_commit(tmp_path: Path, repo: Path) -> None:
    folder, version = installed(tmp_path, ROOT / ".cache/pip")
    assert version == f"flagctl {__version__}"
    assert [file.name for file in Path(folder).iterdir()] == ["flagctl"]
    script = "import flagctl, github, openfeature.contrib.tools.flagd.core; print(flagctl.__file__)"
    where = subprocess.check_output([tmp_path / "flagctl/bin/python", "-c", script], text=True, cwd=tmp_path)
    assert where.startswith(str(tmp_path))
    done = subprocess.run([f"{folder}/flagctl", "check"], cwd=repo, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_pre_commit_hooks_say_what_the_commands_say(repo: Path, flagctl: Run) -> None:
    hooks = load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert [hook["id"] for hook in hooks] == ["flagctl-check", "flagctl-test", "flagctl-fmt"]
    for hook in hooks:
        assert (hook["language"], hook["pass_filenames"]) == ("python", False)
        assert re.search(hook["files"], GALLERY)
        assert not re.search(hook["files"], "docs/flags.md")
        program, *arguments = hook["entry"].split()
        assert program == "flagctl"
        assert flagctl(*arguments).returncode == 0
    (repo / GALLERY).write_text("default: {serve: onn}\n")
    assert flagctl(*hooks[0]["entry"].split()[1:]).returncode == 1
