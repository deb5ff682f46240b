"""What the tour shows, as data: every command it runs, and the service it starts."""

from __future__ import annotations

import msgspec

FLAG = "new-search"
TARGET = "file:published"
LIVE = "published/production/snapshot.json"


class Step(msgspec.Struct, frozen=True):
    """One heading with the commands under it. A command's first word is `flagctl` or `git`."""

    title: str
    why: str
    commands: tuple[tuple[str, ...], ...]


SERVICE = f'''\
import json, pathlib, sys, time
from flagctl.evaluate.evaluator import Evaluator

snapshot, seen = pathlib.Path(sys.argv[1]), None
for _ in range(2400):  # two minutes; a real service goes on for ever
    if (found := snapshot.stat().st_mtime_ns) != seen:
        flags, seen = Evaluator(json.loads(snapshot.read_bytes())), found
        answer = flags.evaluate("{FLAG}", {{"targetingKey": "ada"}}, time.time())
        print(f"service: {FLAG} is {{answer.value}} for ada ({{answer.reason}})", flush=True)
    time.sleep(0.05)
'''

OPENING = (
    Step(
        "A flag repository",
        "Flags are YAML files in Git. `init` writes the folders, the settings and an example.",
        (("flagctl", "init"), ("git", "add", "--all"), ("git", "commit", "--quiet", "--message", "Start")),
    ),
    Step(
        "A new flag",
        "One file per environment; it is off until somebody says otherwise.",
        (
            (
                "flagctl", "new", FLAG, "--owner", "search-team", "--description", "Try the new search page.",
                "--expires", "90d",
            ),
        ),
    ),
    Step(
        "A change",
        "`set` edits the value in place, checks the result, and commits it with the reason.",
        (("flagctl", "set", FLAG, "-e", "production", "--deny", "ada", "--rollout", "50", "--reason", "first half"),),
    ),
    Step("Is anything wrong?", "As a pull request's check asks it.", (("flagctl", "check"),)),
    Step(
        "What would a service answer?",
        "Every step of the answer, in words.",
        (("flagctl", "eval", FLAG, "-e", "production", "--user", "grace", "--explain"),),
    ),
    Step(
        "A snapshot",
        "What services read: one canonical document for an environment. The same commit gives the same bytes.",
        (("flagctl", "build", "production", "-o", "snapshot.json"),),
    ),
    Step(
        "Publish",
        "Into a folder here; whole or not at all, under the next version.",
        (("flagctl", "publish", "production", "--target", TARGET),),
    ),
)  # fmt: skip
SERVES = Step(
    "A service",
    "Ten lines of Python that read the folder. It goes on running.",
    (("python", "service.py", LIVE),),
)
CHANGE = (
    Step(
        "Change it while the service runs",
        "Ada gets the page; her service never restarts.",
        (
            ("flagctl", "set", FLAG, "-e", "production", "--allow", "ada", "--reason", "ada tries it first"),
            ("flagctl", "publish", "production", "--target", TARGET),
        ),
    ),
)
LOG = Step("Who changed what, and why?", "Git knows.", (("flagctl", "log"),))

NEXT = (
    ("list", "the flags of the sample repository, in every environment"),
    ("eval checkout-flow -e production --user ada --explain", "a checkout experiment with three arms"),
    ("check", "what is wrong in it (nothing)"),
    ("test --coverage", "its flag tests, and what they do not reach"),
    ("set wishlist-gallery -e development --on --dry-run", "what a change would look like"),
)
