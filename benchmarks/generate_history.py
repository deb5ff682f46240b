"""Make a flag repository with a long history, the same one for the same numbers.

    python benchmarks/generate_history.py DIR --flags 2000 --commits 20000 [--no-commit-graph]

Every flag stands in each of three environments. After the first commit each changes one file: shares, the kill
switch, an override, a comment, now and then a segment; every fifth comes as a merged pull request. `git fast-import`
makes it in seconds.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from generate import ATTRIBUTES, ENVIRONMENTS, SEGMENTS, SETTINGS, TEAMS, _segment, flag

START = 1_700_000_000
APART = 1800
"""Seconds between two commits."""
PEOPLE = ("Ada Example", "Grace Example", "Zoë Beispiel", "林 例")


def path_of(number: int, environment: str) -> str:
    """Where a flag's file stands."""
    return f"flags/{environment}/{TEAMS[number % len(TEAMS)]}/flag-{number:05}.yaml"


def _first(flags: int) -> dict[str, str]:
    files = {"flags/flagctl.yaml": SETTINGS, "flags/attributes.yaml": ATTRIBUTES}
    for environment in ENVIRONMENTS:
        for number in range(SEGMENTS):
            name = f"flags/{environment}/segments/segment-{number}.yaml"
            files[name] = _segment(random.Random(f"segment {number}"), number)
        for number in range(flags):
            files[path_of(number, environment)] = flag(number, environment)
    return files


def _edit(dice: random.Random, text: str, step: int) -> tuple[str, str]:
    """A file's next text, and what was done in a few words."""
    share = dice.randint(1, 99)
    switch = "false" if "enabled: true" in text else "true"
    kind = dice.random()
    if kind < 0.1:
        return f"# Looked at in step {step}.\n{text}", "a comment"
    if kind < 0.3:
        return re.sub(r"enabled: \w+", f"enabled: {switch}", text), f"enabled {switch}"
    if kind < 0.5 and "  on:\n" in text:
        return text.replace("  on:\n", f"  on:\n    - user-s{step}\n", 1), f"allow user-s{step}"
    if "rollout: " in text:
        places = list(re.finditer(r"rollout: [\d.]+", text))
        place = dice.choice(places)
        return f"{text[: place.start()]}rollout: {share}{text[place.end() :]}", f"rollout {share}"
    return re.sub(r"enabled: \w+", f"enabled: {switch}", text), f"enabled {switch}"


def _data(text: str) -> bytes:
    raw = text.encode()
    return b"data %d\n%s\n" % (len(raw), raw)


def _commit(branch: str, mark: int, step: int, who: str, message: str, parents: list[int]) -> bytes:
    email = f"{who.split()[0].lower()}@example.com"
    when = f"{START + step * APART} +0000"
    lines = [f"commit refs/heads/{branch}", f"mark :{mark}"]
    lines += [f"{role} {who} <{email}> {when}" for role in ("author", "committer")]
    head = "\n".join(lines).encode() + b"\n" + _data(message)
    words = ["from", *["merge"] * (len(parents) - 1)]
    return head + b"".join(f"{word} :{parent}\n".encode() for word, parent in zip(words, parents, strict=False))


def _changed(path: str, text: str) -> bytes:
    return f"M 100644 inline {path}\n".encode() + _data(text)


def stream(flags: int, commits: int) -> Iterator[bytes]:
    """The input of `git fast-import`."""
    dice = random.Random(f"{flags}/{commits}")
    files = _first(flags)
    yield _commit("main", 1, 0, PEOPLE[0], "Start", [])
    for path, text in files.items():
        yield _changed(path, text)
    mark, tip = 1, 1
    while mark < commits:
        environment, number = dice.choice(ENVIRONMENTS), dice.randrange(flags)
        path, who = path_of(number, environment), dice.choice(PEOPLE)
        if dice.random() < 0.002:
            path = f"flags/{environment}/segments/segment-{dice.randrange(SEGMENTS)}.yaml"
            text, said = re.sub(r"semver_gte: \d+", f"semver_gte: {dice.randint(1, 9)}", files[path]), "versions"
        else:
            text, said = _edit(dice, files[path], mark)
        files[path] = text
        key = Path(path).stem
        message = f"Set {key} in {environment}: {said}\n\nFlag: {key}\nEnvironment: {environment}\n"
        message += f"Reason: step {mark} of the plan\n"
        mark += 1
        if mark % 5 or mark == commits:
            yield _commit("main", mark, mark, who, message, [tip])
            yield _changed(path, text)
        else:
            yield _commit("topic", mark, mark, who, message, [tip])
            yield _changed(path, text)
            mark += 1
            merge = f"Merge pull request #{mark} from example/topic-{mark}\n\nSet {key} in {environment}\n"
            yield _commit("main", mark, mark, PEOPLE[1], merge, [tip, mark - 1])
            yield _changed(path, text)
        tip = mark


def generate(root: Path, flags: int = 2000, commits: int = 20_000, *, commit_graph: bool = True) -> None:
    """Make the repository, its work tree included, in `root`."""
    git = ["git", "-C", str(root)]
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(root)], check=True)
    with subprocess.Popen([*git, "fast-import", "--quiet"], stdin=subprocess.PIPE) as importer:
        assert importer.stdin is not None
        for part in stream(flags, commits):
            importer.stdin.write(part)
        importer.stdin.close()
        if importer.wait():
            raise SystemExit("git fast-import failed")
    subprocess.run([*git, "reset", "--quiet", "--hard"], check=True)
    subprocess.run([*git, "update-ref", "-d", "refs/heads/topic"], check=True)
    for name, value in (("user.name", PEOPLE[0]), ("user.email", "ada@example.com")):
        subprocess.run([*git, "config", name, value], check=True)
    if commit_graph:
        subprocess.run([*git, "commit-graph", "write", "--reachable", "--changed-paths", "--no-progress"], check=True)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--flags", type=int, default=2000)
    parser.add_argument("--commits", type=int, default=20_000)
    parser.add_argument("--no-commit-graph", dest="commit_graph", action="store_false")
    options = parser.parse_args()
    generate(options.root, options.flags, options.commits, commit_graph=options.commit_graph)


if __name__ == "__main__":
    main()
