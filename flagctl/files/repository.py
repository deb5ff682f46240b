"""A tree of files to a repository: everything at once, or one flag with what it needs."""

from __future__ import annotations

import gc
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import msgspec

from flagctl.errors import OutsideError
from flagctl.files.understand import understand
from flagctl.files.walk import ATTRIBUTES, KEY, SETTINGS, Entry, Tree, classify
from flagctl.model.condition import AllOf, AnyOf, Condition, InSegment, Not
from flagctl.model.flag import Flag, Segment
from flagctl.model.repository import Environment, Repository, Settings
from flagctl.problems import Problem
from flagctl.signing import PRIVATE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from flagctl.files.cache import Cache


_AT_ONCE = 200
"""Files between two reports of progress."""


class Reading(msgspec.Struct, kw_only=True):
    """What was read, and what was wrong with it.

    problems: of the files' spelling and shape alone, file by file; what `check` finds comes on top.
    allows: paths of files that hold the words `flagctl: allow`.
    files: paths of the files that were read.
    """

    repository: Repository
    tree: Tree
    problems: list[Problem] = []
    allows: set[str] = set()
    files: set[str] = set()

    def text(self, path: str) -> str:
        """A file's text once more, bytes that are not UTF-8 replaced. Raises OutsideError."""
        return self.tree.read(path).decode("utf-8-sig", "replace")


def read_repository(
    tree: Tree,
    *,
    cache: Cache | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
    keep: bool = True,
) -> Reading:
    """Everything below `flags/`. What can't be read is a problem, and the rest is read.

    report: told now and then how many files are read, of how many. keep: what was read takes the cache's place.
    """
    with collector_off():
        reader = _Reader(tree, cache=cache, bulk=True)
        entries = [classify(path) for path in tree.paths()]
        reader.refused()
        reader.settings(any(entry.kind == "settings" for entry in entries))
        for done, entry in enumerate(entries):
            if not done % _AT_ONCE:
                report(done, len(entries))
                tree.expect(some.path for some in entries[done : done + _AT_ONCE] if some.kind != "settings")
            reader.take(entry)
        if cache is not None and keep:
            cache.save()
    return reader.reading


def read_closure(tree: Tree, environment: str, key: str) -> Reading:
    """Settings, attributes, a flag, and the flags and segments it needs, transitively, of one environment.

    A name that has no file is left out, the flag itself too: whoever asked looks whether it is there.
    """
    reader = _Reader(tree)
    reader.settings(True)
    reader.attributes()
    folders = tree.folders(f"flags/{environment}")
    reader.refused()
    waiting, seen = [("flag", key)], set()
    while waiting:
        kind, name = wanted = waiting.pop()
        if wanted in seen:
            continue
        seen.add(wanted)
        file = f"{name}.yaml"
        for folder in sorted(folder for folder, names in folders.items() if file in names):
            entry = classify(f"{folder}/{file}")
            if entry.kind == kind:
                reader.take(entry)
                held = reader.reading.repository.environments[environment]
                model = (held.flags if kind == "flag" else held.segments).get(name)
                waiting += needs(model) if model else []
    return reader.reading


@contextmanager
def collector_off() -> Iterator[None]:
    """Looking for cycles among a million new objects that make none takes longer than making them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def needs(model: Flag | Segment) -> list[tuple[str, str]]:
    """The flags and segments that one names, as ("flag" or "segment", name)."""
    if isinstance(model, Segment):
        return _segments(model.when)
    needed = [("flag", requirement.flag) for requirement in model.requires]
    for rule in model.rules:
        needed += _segments(rule.when)
    return needed


def _segments(conditions: Iterable[Condition]) -> list[tuple[str, str]]:
    found = []
    for condition in conditions:
        if isinstance(condition, InSegment):
            found.append(("segment", condition.segment))
        elif isinstance(condition, AnyOf | AllOf):
            found += _segments(condition.members)
        elif isinstance(condition, Not):
            found += _segments((condition.member,))
    return found


class _Reader:
    """A reading while it is made."""

    def __init__(self, tree: Tree, *, cache: Cache | None = None, bulk: bool = False) -> None:
        self.tree = tree
        self.cache = cache
        self.bulk = bulk
        repository = Repository(settings=Settings(environments={}))
        self.reading = Reading(repository=repository, tree=tree)
        self._keys: dict[tuple[str, str, str], Entry] = {}

    def problem(self, rule: str, message: str, path: str, hint: str = "") -> None:
        self.reading.problems.append(Problem(rule=rule, message=message, file=path, hint=hint))

    def private_key(self, path: str, raw: bytes) -> None:
        if b"rivate" in raw or b"PRIVATE" in raw:
            for found in PRIVATE.finditer(raw):
                line = raw.count(b"\n", 0, found.start()) + 1
                column = found.start() - raw.rfind(b"\n", 0, found.start())
                message, hint = "a private key lies here", "replace the key: flagctl rule show private-key"
                self.reading.problems.append(
                    Problem(rule="private-key", message=message, file=path, hint=hint, line=line, column=column)
                )

    def refused(self) -> None:
        for path, why in sorted(self.tree.refused.items()):
            if path.endswith((".yaml", ".yml")) or "." not in path.rpartition("/")[2]:
                self.problem("file-access", f"{path} {why}", path)

    def settings(self, there: bool) -> None:
        """Settings first: they say which environments there are, and in which order."""
        settings = self.model(Entry(SETTINGS, "settings")) if there else None
        if not there and SETTINGS not in self.tree.refused:
            self.problem("file-access", "there is no flags/flagctl.yaml", SETTINGS, "flagctl init writes one")
        repository = self.reading.repository
        if settings is not None:
            repository.settings = settings
        for name in repository.settings.environments:
            repository.environments[name] = Environment(name=name)

    def attributes(self) -> None:
        try:
            self.tree.read(ATTRIBUTES)
        except OutsideError:
            if ATTRIBUTES not in self.tree.paths():
                return  # a repository may have none; a refused one is among `refused`
        self.take(Entry(ATTRIBUTES, "attributes"))

    def model(self, entry: Entry) -> Any:
        """The model of one file, from the cache if it knows these bytes."""
        reading, path = self.reading, entry.path
        try:
            raw = self.tree.read(path)
        except OutsideError as error:
            self.problem("file-access", error.message, path, error.hint)
            return None
        reading.files.add(path)
        self.private_key(path, raw)
        parsed = None if self.cache is None else self.cache.get(entry, raw)
        if parsed is None:
            parsed = understand(entry, raw, bulk=self.bulk)
            if self.cache is not None:
                self.cache.put(entry, raw, parsed)
        if parsed.problems:
            reading.problems += parsed.problems
        if parsed.allows:
            reading.allows.add(path)
        return parsed.model

    def take(self, entry: Entry) -> None:
        """Read one file into its place."""
        kind, repository = entry.kind, self.reading.repository
        if kind == "flag" or kind == "segment":
            self._take_named(entry)
        elif kind == "test":
            found = self.model(entry)
            if found is not None:
                repository.expectations += found
        elif kind == "attributes":
            repository.attributes = self.model(entry) or {}
        elif kind == "other":
            self._take_other(entry.path)

    def _take_named(self, entry: Entry) -> None:
        name = entry.name
        if not KEY.fullmatch(name):
            hint = "use letters, digits, dots, dashes and underscores, beginning with a letter or digit, at most 128"
            self.problem("file-name", f'"{name}" can\'t be the name of a {entry.kind}', entry.path, hint)
            return
        first = self._keys.setdefault((entry.environment, entry.kind, name.lower()), entry)
        if first is not entry:
            same = "also stands" if first.name == name else f"differs only in case from {first.name}"
            message = f'{entry.kind} "{name}" {same} in {first.path}'
            self.problem("key-clash", message, entry.path, "keep one of the two files, or rename one")
            return
        environments = self.reading.repository.environments
        place = environments.get(entry.environment)
        if place is None:
            place = environments[entry.environment] = Environment(name=entry.environment)
        model = self.model(entry)
        if entry.kind == "flag":
            place.flag_files[name] = entry.path
            if model is not None:
                place.flags[name] = model
        else:
            place.segment_files[name] = entry.path
            if model is not None:
                place.segments[name] = model

    def _take_other(self, path: str) -> None:
        with suppress(OutsideError):
            self.private_key(path, self.tree.read(path))
        stem, _, ending = path.rpartition(".")
        if ending.lower() in ("yml", "yaml") and ending != "yaml":
            self.problem("file-name", f"a file that ends in .{ending} is not read", path, f"rename it to {stem}.yaml")
        elif ending == "yaml":
            message = "this file is neither settings nor attributes nor in an environment's folder"
            self.problem("file-name", message, path, "move it to flags/<environment>/, or away from flags/")
