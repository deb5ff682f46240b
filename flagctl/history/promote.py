"""Promotion: what changed of flags in one environment since they were last promoted, made to another's.

The base of the three-way merge is the source as a `Promoted-From` trailer recorded it, or as it was when both
environments last said the same, whichever is later.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import UNSET

from flagctl.errors import RefusedError, UsageError
from flagctl.files import edit
from flagctl.files.become import become
from flagctl.files.merge import Conflict, merge, same
from flagctl.files.repository import Reading, needs
from flagctl.files.walk import classify, find
from flagctl.history.change import Texts, text_of
from flagctl.history.states import LINK, steps
from flagctl.history.touches import require_whole
from flagctl.history.travel import Blobs, CommitTree
from flagctl.problems import did_you_mean

if TYPE_CHECKING:
    from flagctl.history.git import Git
    from flagctl.model.repository import Environment, Settings
    from flagctl.project import Project

TRAILER = "Promoted-From"
Ask = Callable[[str, Conflict], Literal["source", "target"] | None]
"""Decides a conflict of a file, or leaves it one."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be promoted: these flags, those with a tag, or all; and how.

    take: (field, "source" or "target") decides a conflict; the field "" is every one. disabled: a flag that is
    new to the target arrives off. dependencies: what flags need and the target lacks comes along.
    """

    source: str
    target: str
    keys: tuple[str, ...] = ()
    tag: str = ""
    everything: bool = False
    take: tuple[tuple[str, str], ...] = ()
    disabled: bool = False
    dependencies: bool = False


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """What a promotion writes, how its commit says so, and what whoever asked should know.

    flags: the keys it changes. conflicts: fields to be decided, by file.
    """

    texts: Texts
    before: dict[str, str]
    flags: tuple[str, ...]
    subject: str
    trailers: tuple[tuple[str, str], ...]
    conflicts: tuple[tuple[str, Conflict], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def removes(self) -> list[str]:
        """The files that go."""
        return [path for path, text in self.texts.items() if text is None]


def direction(settings: Settings, source: str, target: str, *, force: bool) -> tuple[str, str]:
    """From where to where; "" is looked up in `promotes_from`.

    Raises UsageError for environments that there are not, RefusedError for another way than the settings'.
    """
    known = settings.environments
    for name in filter(None, (source, target)):
        if name not in known:
            raise UsageError(
                f'no environment "{name}"', hint=did_you_mean(name, known) or f"there are {', '.join(known)}"
            )
    if not target:
        onward = [name for name, said in known.items() if said.promotes_from == source] if source else []
        if len(onward) != 1:
            raise UsageError("--to is missing", hint="flagctl promote KEY --to production")
        target = onward[0]
    usual = known[target].promotes_from
    source = source or usual
    if not source:
        raise UsageError(f"settings do not say what {target} is promoted from", hint="--from names it")
    if source == target:
        raise UsageError("--from and --to are the same environment")
    if source != usual and not force:
        said = f"{target} is promoted from {usual}" if usual else f"{target} is promoted from nowhere"
        raise RefusedError(f"{said}, not from {source}", hint="--force does it all the same")
    return source, target


def promote(
    project: Project, git: Git, reading: Reading, wanted: Wanted, ask: Ask = lambda file, conflict: None
) -> Promotion:
    """What is to be written to the target; nothing is yet.

    ask: is asked about conflicts that `take` does not decide. Raises UsageError for flags that are nowhere,
    RefusedError when the source is not committed, or when what a flag needs is missing in the target.
    """
    if bool(wanted.keys) + bool(wanted.tag) + wanted.everything != 1:
        raise UsageError("say which flags: some keys, --tag or --all", hint="flagctl promote KEY --to production")
    require_whole(git)
    work = _Work(project, git, reading, wanted, ask)
    with work.blobs, project.progress(f"comparing {wanted.source} with {wanted.target}") as report:
        chosen = work.chosen()
        for done, key in enumerate(chosen):
            report(done, len(chosen))
            work.take(key)
        work.need()
    idle = [field for field, _ in wanted.take if field and field not in work.settled]
    work.notes += [f"--take {field} settles nothing: that field is in no conflict" for field in idle]
    keys = tuple(dict.fromkeys(work.flags))
    listed = ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
    return Promotion(
        texts=work.texts,
        before=work.before,
        flags=keys,
        subject=f"Promote {listed} from {wanted.source} to {wanted.target}",
        trailers=(
            *(("Flag", key) for key in keys), ("Environment", wanted.target),
            (TRAILER, f"{wanted.source}@{work.head}"),
        ),
        conflicts=tuple(work.conflicts),
        notes=tuple(work.notes),
    )  # fmt: skip


class _Work:
    def __init__(self, project: Project, git: Git, reading: Reading, wanted: Wanted, ask: Ask) -> None:
        self.project = project
        self.git = git
        self.wanted = wanted
        self.ask = ask
        self.source: Environment = reading.repository.environments[wanted.source]
        self.target: Environment = reading.repository.environments[wanted.target]
        self.settings = reading.repository.settings
        self.head = git.resolve("HEAD")
        self.blobs = Blobs(git)
        self.texts: Texts = {}
        self.before: dict[str, str] = {}
        self.flags: list[str] = []
        self.models: dict[str, Any] = {}
        self.conflicts: list[tuple[str, Conflict]] = []
        self.notes: list[str] = []
        self.settled: set[str] = set()

    def chosen(self) -> list[str]:
        """The keys that are asked for."""
        wanted, here, there = self.wanted, self.source.flag_files, self.target.flag_files
        if wanted.everything:
            return sorted({*here, *there})
        if wanted.tag:
            found = [key for key, flag in sorted(self.source.flags.items()) if wanted.tag in flag.tags]
            if not found:
                raise UsageError(
                    f'no flag in {wanted.source} has the tag "{wanted.tag}"', hint="flagctl list --tag TAG"
                )
            return found
        for key in wanted.keys:
            if key not in here and key not in there:
                hint = did_you_mean(key, here) or "flagctl list"
                raise UsageError(f'no flag "{key}" in {wanted.source}', hint=hint)
        return list(dict.fromkeys(wanted.keys))

    def take(self, key: str) -> None:
        """One flag."""
        here, there = self.source.flag_files.get(key), self.target.flag_files.get(key)
        theirs = self._committed(here) if here else None
        ours = text_of(self.project, there) if there else None
        path = there or str(here).replace(f"flags/{self.wanted.source}/", f"flags/{self.wanted.target}/", 1)
        mine, yours = (UNSET if text is None else edit.read(text) for text in (ours, theirs))
        found, base = (True, UNSET) if same(mine, yours) else self._base(key)
        if theirs is None and (not found or base is UNSET):
            if not self.wanted.everything:
                raise UsageError(f"{key} is only in {self.wanted.target}", hint=f"flagctl list {key}")
            return  # the target's own, and nothing to do with the source
        if not found and ours is not None:
            self.notes.append(
                f"{key}: nothing tells what was promoted before, so what differs is asked for instead of merged"
            )
        done = merge(
            _promoted(base, mine),
            mine,
            yours,
            kept=self._kept(mine, yours),
            settle=lambda conflict: self._settled(path, conflict),
        )
        self.conflicts += [(path, conflict) for conflict in done.conflicts]
        if done.conflicts:
            return
        text = None if done.data is UNSET else become(ours or theirs or "", done.data, theirs or "")
        if text is not None and ours is None and self.wanted.disabled:
            text = edit.set_value(text, ["enabled"], False)
        if text == ours:
            return
        self.flags.append(key)
        self.texts[path] = text
        if ours is not None:
            self.before[path] = ours
        if here and key in self.source.flags:
            self.models[key] = self.source.flags[key]

    def need(self) -> None:
        """What the promoted flags lean on: brought along, or refused with the list."""
        missing: list[str] = []
        asked = ", ".join(self.models)
        waiting = [name for model in self.models.values() for name in needs(model)]
        seen: set[tuple[str, str]] = set()
        while waiting:
            kind, name = one = waiting.pop(0)
            there = self.target.segment_files if kind == "segment" else self.target.flag_files
            here = self.source.segment_files if kind == "segment" else self.source.flag_files
            if one in seen or name in there or (kind == "flag" and name in self.flags) or name not in here:
                self._differs(one, seen)
                seen.add(one)
                continue
            seen.add(one)
            missing.append(f"{kind} {name}")
            model = (self.source.segments if kind == "segment" else self.source.flags).get(name)
            waiting += needs(model) if model is not None else []
            if kind == "flag":
                self.take(name)
            else:
                path = here[name]
                onward = path.replace(f"flags/{self.wanted.source}/", f"flags/{self.wanted.target}/", 1)
                self.texts[onward] = self._committed(path)
        if missing and not self.wanted.dependencies:
            raise RefusedError(
                f"{self.wanted.target} lacks what {asked} needs: {', '.join(missing)}",
                hint="--with-dependencies brings it along",
            )
        if missing:
            self.notes.append(f"brought along: {', '.join(missing)}")

    def _differs(self, name: tuple[str, str], seen: Collection[tuple[str, str]]) -> None:
        if name[0] != "segment" or name in seen:
            return
        sides = [side.segments.get(name[1]) for side in (self.source, self.target)]
        if None not in sides and sides[0].when != sides[1].when:  # type: ignore[union-attr]  # neither is None
            self.notes.append(
                f"segment {name[1]} is another in {self.wanted.target} than in {self.wanted.source}, and stays so"
            )

    def _settled(self, path: str, conflict: Conflict) -> Literal["ours", "theirs"] | None:
        self.settled.add(conflict.spelled)
        side = next((side for field, side in self.wanted.take if field in ("", conflict.spelled)), None)
        side = side or self.ask(path, conflict)
        return None if side is None else "theirs" if side == "source" else "ours"

    def _committed(self, path: str) -> str:
        if path in self._dirty or (path not in self.source.flag_files.values() and self.git.states([path])):
            raise RefusedError(
                f"{path} is not committed as it is", hint="commit it first: a promotion records from where"
            )
        return text_of(self.project, path)

    @cached_property
    def _dirty(self) -> Collection[str]:
        """The source's files that are not as committed."""
        return self.git.states(list(self.source.flag_files.values()))

    def _kept(self, *sides: Any) -> list[str]:
        environments = self.settings.environments
        names = (self.wanted.source, self.wanted.target)
        owned = [field for name in names if name in environments for field in environments[name].owned]
        rules = [rule for side in sides if side is not UNSET for rule in side.get("rules") or []]
        return [*owned, *(f"rules/{rule['name']}" for rule in rules if rule.get("promote") is False)]

    def _base(self, key: str) -> tuple[bool, Any]:
        """Whether anything tells what the source said when it was last promoted, and that; UNSET for no flag."""
        recorded, equal = self._recorded(key), self._equal(key)
        latest = max(recorded, equal, key=lambda found: found[0])
        return latest[0] > 0, latest[1]

    def _recorded(self, key: str) -> tuple[int, Any]:
        """When a promotion last recorded the source, and its data then; 0 when none did."""
        time, commit = self._records.get(key, (0, ""))
        if not commit or self.git.look("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")[0]:
            return 0, UNSET
        with CommitTree(self.git, commit, only=self.wanted.source) as tree:
            path = find(tree, self.wanted.source, key)
            return time, edit.read(tree.read(path).decode("utf-8", "replace")) if path else UNSET

    @cached_property
    def _records(self) -> dict[str, tuple[int, str]]:
        """The last promotion of each flag in this direction: its time, and the source's commit."""
        source, target = self.wanted.source, self.wanted.target
        fields = "%x00".join(f"%(trailers:key={name},valueonly)" for name in ("Flag", "Environment", TRAILER))
        out = self.git.read("log", "-z", f"--grep=^{TRAILER}: {source}@", f"--format=%ct%x00{fields}", self.head)
        parts = out.split("\0")
        found: dict[str, tuple[int, str]] = {}
        for time, keys, environments, said in zip(*(parts[i::4] for i in range(4)), strict=False):
            commit = next((line.partition("@")[2] for line in said.split() if line.startswith(f"{source}@")), "")
            if commit and target in environments.split():
                for key in keys.split():
                    found.setdefault(key, (int(time), commit))
        return found

    def _equal(self, key: str) -> tuple[int, Any]:
        """When source and target last said the same, and what; 0 when they never did."""
        for time, source, target in reversed(self._pairs.get(key, [])):
            if source and target:
                data = [_data(self.blobs.peek(blob)) for blob in (source, target)]
                if data[0] is not None and data[1] is not None and same(data[0], data[1]):
                    return time, data[0]
        return 0, UNSET

    @cached_property
    def _pairs(self) -> dict[str, list[tuple[int, str, str]]]:
        """The contents of each flag in source and target, oldest first, by Git's names; "" for no file."""
        names = (self.wanted.source, self.wanted.target)
        found: dict[str, list[tuple[int, str, str]]] = {}
        for step in reversed(list(steps(self.git, self.head, [f"flags/{name}" for name in names]))):
            for path, *names_of in step.changes:
                old, blob = ("" if name.startswith(LINK) else name for name in names_of)
                entry = classify(path)
                if entry.kind != "flag":
                    continue
                history = found.setdefault(entry.name, [(0, "", "")])
                pair = list(history[-1][1:])
                # of a file that moves, what goes at the old place may be told after what comes at the new one
                side = names.index(entry.environment)
                if blob or pair[side] == old:
                    pair[side] = blob
                    history.append((step.time, pair[0], pair[1]))
        return found


def takes(given: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """`--take` as typed: `source`, or `FIELD=source`. Raises UsageError."""
    found = []
    for one in given:
        field, _, side = one.rpartition("=")
        if side not in ("source", "target"):
            raise UsageError(
                f'"{one}" is neither source nor target', hint="--take source, or --take default/rollout=target"
            )
        found.append((field, side))
    return tuple(sorted(found, key=lambda pair: not pair[0]))


def _promoted(base: Any, mine: Any) -> Any:
    """The base without the rules that stayed in the source: the target does not lack what it never had."""
    if not isinstance(base, dict) or not isinstance(mine, dict) or not isinstance(base.get("rules"), list):
        return base
    has = [rule.get("name") for rule in mine.get("rules") or []]
    came = [rule for rule in base["rules"] if rule.get("promote") is not False or rule.get("name") in has]
    return {key: value for key, value in base.items() if key != "rules"} | ({"rules": came} if came else {})


def _data(raw: bytes) -> Any:
    try:
        return edit.read(raw.decode())
    except (RefusedError, UnicodeDecodeError):
        return None
