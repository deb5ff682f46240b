"""The GitHub workflows of a flag repository, as text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from flagctl.errors import UsageError
from flagctl.stores.address import parse

if TYPE_CHECKING:
    from flagctl.model.repository import Settings

FOLDER = ".github/workflows"
LOCAL = "$/.github/actions/flagctl"
"""The action as flagctl's own repository names it."""
_ACTION = re.compile(r"[\w-]+/[\w.-]+@[0-9a-f]{40}")

_HEAD = """\
# Written by `flagctl init`. What it needs of the repository's settings: docs/github.md of flagctl.
name: {name}

on:
{on}

permissions: {{}}

{concurrency}defaults:
  run:
    shell: bash
{folder}
jobs:
"""
_GROUP = """\
concurrency:
  group: {group}-${{{{ github.event.pull_request.number }}}}
  cancel-in-progress: {cancel}

"""
_JOB = """\
  {job}:
    name: flags {job}
    runs-on: ubuntu-24.04
    timeout-minutes: 15
"""
_STEPS = """\
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0
        with:
          fetch-depth: 0 # dates, authors and the base of a change are in the history
          persist-credentials: false
      - uses: <action>
"""
_OURS = "github.event.pull_request.head.repo.full_name == github.repository"

_CHECK = """\
    permissions:
      contents: read
<steps>\
      - name: Check
        run: flagctl check --format github
      - name: Test
        if: ${{ !cancelled() }}
        run: flagctl test
"""
_PLAN = f"""\
    permissions:
      contents: read
      pull-requests: write # for the comment; a fork's pull request never gets it
<steps>\
      - name: Plan
        run: flagctl plan --base "origin/$GITHUB_BASE_REF" --format markdown >> "$GITHUB_STEP_SUMMARY"
      - name: Plan as the one comment
        # of a fork and of Dependabot the token can't write: there the plan is in the run's summary alone
        if: {_OURS} && github.event.pull_request.user.login != 'dependabot[bot]'
        env:
          GITHUB_TOKEN: ${{{{ github.token }}}}
        run: flagctl plan --base "origin/$GITHUB_BASE_REF" --comment event
"""
_APPROVALS = """\
    permissions:
      contents: read
      pull-requests: read
<steps>\
      - name: Approvals
        env:
          GITHUB_TOKEN: ${{ github.token }}
        run: flagctl approvals
"""
_REVIEW = f"""\
    # of a fork the token can start nothing: there somebody presses «Re-run all jobs»
    if: {_OURS}
    permissions:
      actions: write # to run the approvals again
      contents: read
      pull-requests: read
<steps>\
      - name: Approvals again
        env:
          GITHUB_TOKEN: ${{{{ github.token }}}}
        run: flagctl approvals --again flags-approvals.yml
"""
_PUBLISH = """\
    strategy:
      fail-fast: false
      matrix:
        environment: [<environments>]
    environment: ${{ matrix.environment }}
    concurrency: # a publish is never cut off; of those that wait the newest stays, and brings what the others had
      group: flags-publish-${{ matrix.environment }}
      cancel-in-progress: false
    permissions:
      contents: read
<id-token><steps><sign-in>\
      - name: Publish
        env:
          ENVIRONMENT: ${{ matrix.environment }}
          <key>: ${{ secrets.<key> }}
<passwords>\
        run: flagctl publish "$ENVIRONMENT" | sed 's/^/- /' | tee -a "$GITHUB_STEP_SUMMARY"
"""
_NIGHTLY = """\
    permissions:
      contents: read
<id-token><steps>\
      - name: Check, expired flags too
        run: flagctl check --format github
      - name: Drift between environments
        # to lag is no fault: 1 says that something does
        run: |
          {
            echo '```'
            flagctl drift || [ $? -eq 1 ]
            echo '```'
          } >> "$GITHUB_STEP_SUMMARY"
<sign-in><status>"""
_STATUS = """\
      - name: What is live is what is merged
<env>\
        run: flagctl status --exit-code
"""
_ID_TOKEN = "      id-token: write # to sign in to AWS without a stored key\n"
_SIGN_IN = """\
      - name: Sign in to AWS
        if: vars.<role> != ''
        env:
          ROLE: ${{ vars.<role> }}
          REGION: ${{ vars.AWS_REGION }}
        run: |
          umask 077
          curl -sSf --retry 3 -H "Authorization: bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN" \\
            "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=sts.amazonaws.com" |
            python3 -c 'import json, sys; print(json.load(sys.stdin)["value"], end="")' > "$RUNNER_TEMP/aws-token"
          {
            echo "AWS_ROLE_ARN=$ROLE"
            echo "AWS_DEFAULT_REGION=${REGION:-us-east-1}"
            echo "AWS_WEB_IDENTITY_TOKEN_FILE=$RUNNER_TEMP/aws-token"
          } >> "$GITHUB_ENV"
"""


def action_of(reference: str) -> str:
    """What `uses:` says for OWNER/REPOSITORY@COMMIT of flagctl. Raises UsageError."""
    if not _ACTION.fullmatch(reference):
        raise UsageError(
            f'"{reference}" names no commit of flagctl\'s repository',
            hint="--action OWNER/REPOSITORY@ and the whole SHA, forty digits: a tag can be moved, a commit can't",
        )
    repository, _, commit = reference.partition("@")
    return f"{repository}/.github/actions/flagctl@{commit}"


def workflows(settings: Settings, action: str, folder: str = "", branch: str = "main") -> dict[str, str]:
    """Text by path from the repository's top.

    action: what `uses:` says. folder: where `flags/` lies, from the top; "" for the top. branch: what is published
    when it is pushed. Environments without a
    target are not published; what a kind of target needs is there only where settings have one of it.
    """
    published = [environment for environment in settings.environments.values() if environment.targets]
    addresses = [parse(one.url, one.options) for environment in published for one in environment.targets]
    s3 = any(address.kind == "s3" for address in addresses)
    remote = any(address.kind != "file" for address in addresses)
    passwords = sorted(
        {str(a.options[name]) for a in addresses for name in ("password_env", "sentinel_password_env")
         if a.options.get(name)}
    )  # fmt: skip
    secrets = "".join(f"          {name}: ${{{{ secrets.{name} }}}}\n" for name in passwords)
    parts = {
        "folder": folder,
        "steps": _STEPS,
        "action": action,
        "id-token": _ID_TOKEN if s3 else "",
        "key": settings.signing.env or "FLAGCTL_SIGNING_KEY",
        "passwords": secrets,
        "environments": ", ".join(json.dumps(environment.name) for environment in published),
    }
    publish = parts | {"sign-in": _SIGN_IN.replace("<role>", "AWS_ROLE_ARN") if s3 else ""}
    status = _STATUS.replace("<env>", f"        env:\n{secrets}" if secrets else "")
    nightly = parts | {
        "sign-in": _SIGN_IN.replace("<role>", "AWS_READ_ROLE_ARN") if s3 else "",
        "status": status if remote else "",
    }
    change = {"check": _CHECK, "plan": _PLAN}
    files = {
        "flags-pull-request.yml": _file("flags", "  pull_request:", change, parts, ("flags", "true")),
        "flags-approvals.yml": _file(
            "flags approvals",
            "  pull_request:\n    types: [opened, synchronize, reopened, edited]",
            {"approvals": _APPROVALS},
            parts,
            ("flags-approvals", "false"),
        ),
        "flags-review.yml": _file(
            "flags review",
            "  pull_request_review:\n    types: [submitted, edited, dismissed]",
            {"review": _REVIEW},
            parts,
            # the same group: a run that is going on can't be run again, so this one waits for it
            ("flags-approvals", "false"),
        ),
        "flags-nightly.yml": _file(
            "flags nightly",
            '  schedule:\n    - cron: "23 3 * * *"\n  workflow_dispatch:',
            {"nightly": _NIGHTLY},
            nightly,
        ),
    }
    if published:
        on = f"  push:\n    branches: [{json.dumps(branch)}]\n  workflow_dispatch:"
        files["flags-publish.yml"] = _file("flags publish", on, {"publish": _PUBLISH}, publish)
    return {f"{FOLDER}/{name}": text for name, text in files.items()}


def _file(
    name: str, on: str, jobs: Mapping[str, str], parts: Mapping[str, str], group: tuple[str, str] | None = None
) -> str:
    concurrency = _GROUP.format(group=group[0], cancel=group[1]) if group else ""
    where = f"    working-directory: {json.dumps(parts['folder'])}\n" if parts["folder"] else ""
    head = _HEAD.format(name=name, on=on, concurrency=concurrency, folder=where)
    return head + "\n".join(_filled(_JOB.format(job=job) + text, parts.items()) for job, text in jobs.items())


def _filled(text: str, parts: Iterable[tuple[str, str]]) -> str:
    for name, value in parts:
        text = text.replace(f"<{name}>", value)
    return text
