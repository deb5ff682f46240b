"""When one person's answer changed, and what did it: a commit, or the clock.

Only the versions of the flag and of all that it depends on are evaluated, of which there are few, and between
two of them only the moments at which their schedules, ramps and expiries act.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from flagctl.compile.snapshot import snapshot
from flagctl.errors import UsageError
from flagctl.evaluate.evaluator import Evaluator
from flagctl.files.repository import needs, read_closure
from flagctl.files.understand import understand
from flagctl.files.walk import SETTINGS, classify
from flagctl.history.states import LINK, StateTree, Step, listing, steps, target
from flagctl.history.touches import Landed, commits, merged, require_whole
from flagctl.history.travel import Blobs
from flagctl.model import times, words
from flagctl.problems import did_you_mean

if TYPE_CHECKING:
    from flagctl.history.git import Git

MANY = 1000
"""Versions up to which each is evaluated. Of more, only those between which the answer differs."""
UNREADABLE = "unreadable"
"""In place of a variant, while a file that the answer depends on had errors."""

Name = tuple[str, str]
_Event = tuple[int, str, str, str]


class Answer(msgspec.Struct, frozen=True):
    """What the person got. variant: None while there was no such flag."""

    variant: str | None
    value: Any = None

    def __str__(self) -> str:
        return "no flag" if self.variant is None else self.variant


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """What changed an answer.

    kind: commit, schedule, ramp or expiry. flag: whose clock it was, or "". through: what the commit changed
    besides the flag itself: "segment beta-testers", "flag checkout"; paths: the files. text: the event in words.
    """

    kind: str
    text: str
    flag: str = ""
    commit: str = ""
    through: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """The answer from one moment on, what it was before, and why."""

    time: int
    old: Answer
    new: Answer
    causes: tuple[Cause, ...]


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """All transitions, oldest first; the answer before and after them; what the log says of their commits.

    versions: how many there were of the flag and what it depends on; whole: each was evaluated.
    """

    first: Answer
    last: Answer
    transitions: tuple[Transition, ...]
    about: dict[str, Landed]
    versions: int
    whole: bool


class _State(msgspec.Struct, frozen=True):
    """The files that matter, since a commit; what that commit changed of them, by names and by paths."""

    commit: str
    time: int
    objects: dict[str, str]
    changed: tuple[Name, ...] = ()
    paths: tuple[str, ...] = ()


class _Course:
    """The states of a flag's closure over a span of history, oldest first, and answers in them."""

    def __init__(self, git: Git, environment: str, key: str, head: str, until: str) -> None:
        require_whole(git)
        self.key = key
        self.environment = environment
        self.blobs = Blobs(git)
        walked = list(steps(git, head, [f"flags/{environment}", SETTINGS], until=until))
        self.states = self._states(git, head, until, walked)
        self._read: dict[int, tuple[Evaluator | None, list[_Event]]] = {}

    def answer(self, index: int, context: Mapping[str, Any], now: float) -> Answer:
        """The answer in a state at a time."""
        if SETTINGS not in self.states[index].objects:
            return Answer(None)
        evaluator = self._evaluator(index)[0]
        if evaluator is None:
            return Answer(UNREADABLE)
        found = evaluator.evaluate(self.key, context, now)
        if found.error_code == "FLAG_NOT_FOUND":
            return Answer(None)
        return Answer(found.variant or found.error_code, found.value)

    def events(self, index: int) -> list[_Event]:
        """When the clock may change an answer in a state: time, flag, kind, words."""
        return self._evaluator(index)[1] if SETTINGS in self.states[index].objects else []

    def commit(self, index: int, time: int, old: Answer, new: Answer) -> Transition:
        """The transition that the commit of a state made."""
        state = self.states[index]
        others = [name for name in state.changed if name != ("flag", self.key)]
        through = () if len(others) < len(state.changed) else tuple(" ".join(name).strip() for name in others)
        cause = Cause(kind="commit", text=state.commit[:10], commit=state.commit, through=through, paths=state.paths)
        return Transition(time=time, old=old, new=new, causes=(cause,))

    def _evaluator(self, index: int) -> tuple[Evaluator | None, list[_Event]]:
        if index not in self._read:
            reading = read_closure(StateTree(self.states[index].objects, self.blobs), self.environment, self.key)
            held = reading.repository.environments.get(self.environment)
            wrong = any(problem.severity == "error" for problem in reading.problems)
            if held is None or wrong:
                self._read[index] = None, []
            else:
                document = snapshot(held, reading.repository.settings, {})
                self._read[index] = Evaluator(document), sorted(_events(document))
        return self._read[index]

    def _states(self, git: Git, head: str, until: str, walked: list[Step]) -> list[_State]:
        here = listing(git, head, self.environment)
        versions: dict[Name, set[tuple[str, str]]] = {}
        seen = [(path, blob) for path, blob in here.items()]
        for step in walked:
            seen += [(path, blob) for path, *both in step.changes for blob in both]
        for path, blob in seen:
            if blob:
                versions.setdefault(_name(path), set()).add((path, blob))
        names = self._closure(versions)
        found: list[_State] = []
        for step in walked:
            paths = tuple(path for path, old, new in step.changes if old != new and _name(path) in names)
            if paths:
                objects = {path: blob for path, blob in here.items() if _name(path) in names}
                found.append(_State(step.commit, step.time, objects, tuple(dict.fromkeys(map(_name, paths))), paths))
            for path, old, _ in step.changes:
                here.pop(path, None)
                if old:
                    here[path] = old
        objects = {path: blob for path, blob in here.items() if _name(path) in names} if until else {}
        return [_State(until, 0, objects), *reversed(found)]

    def _closure(self, versions: Mapping[Name, set[tuple[str, str]]]) -> set[Name]:
        """The names of all files that some version of the flag depended on, and the settings."""
        found, waiting = {_name(SETTINGS)}, [("flag", self.key)]
        while waiting:
            name = waiting.pop()
            if name in found:
                continue
            found.add(name)
            for path, blob in versions.get(name, ()):
                if blob.startswith(LINK):
                    waiting.append(_name(target(path, blob, self.blobs)))
                    continue
                model = understand(classify(path), self.blobs.read(blob)).model
                waiting += needs(model) if model is not None else []
        return found


def why(git: Git, environment: str, key: str, context: Mapping[str, Any], since: float, until: float) -> Story:
    """The transitions of one person's answer between two times, on the first-parent history of HEAD.

    A commit counts from its committer's time on. Raises UsageError when there was no such flag in all that time.
    """
    git.require_commit()
    head = _at(git, until)
    if not head:
        raise UsageError(f"no commit is as old as {times.text(until)}", hint="flagctl log shows commits")
    course = _Course(git, environment, key, head, _at(git, since))
    try:
        states = course.states
        if not any(_name(path) == ("flag", key) for state in states for path in state.objects):
            there = {_name(path)[1] for path in listing(git, head, environment) if _name(path)[0] == "flag"}
            hint = did_you_mean(key, there) or "flagctl list"
            raise UsageError(f'there was no flag "{key}" in {environment} in that time', hint=hint)
        starts = list(itertools.accumulate((max(state.time, int(since)) for state in states), max))
        ends = [*starts[1:], int(until)]
        whole = len(states) <= MANY
        found: list[Transition] = []
        for index in [*_worth_a_look(course, context, starts, 0, len(states) - 1, whole), len(states) - 1]:
            found += _by_the_clock(course, context, index, starts[index], ends[index])
            if index + 1 < len(states):
                old, new = (course.answer(of, context, ends[index]) for of in (index, index + 1))
                found += [course.commit(index + 1, ends[index], old, new)] if old != new else []
        first, last = course.answer(0, context, starts[0]), course.answer(len(states) - 1, context, until)
    finally:
        course.blobs.close()
    made = [cause for transition in found for cause in transition.causes if cause.commit]
    return Story(
        first=first, last=last, transitions=tuple(found),
        about=_about(git, made), versions=len(states) - 1, whole=whole
    )  # fmt: skip


def bisect(
    git: Git, environment: str, key: str, context: Mapping[str, Any], good: str, bad: str, now: float | None
) -> tuple[Transition, Landed]:
    """The commit between two revisions that changed a person's answer, all asked at one time (None: that of `bad`).

    Where several did, one of them. Raises UsageError when the answer is the same at both.
    """
    older, newer = git.resolve(good), git.resolve(bad)
    if not git.is_ancestor(older, newer):
        raise UsageError(f"{good} is not in the history of {bad}", hint="--good is the older of the two")
    moment = int(git.read("show", "-s", "--format=%ct", newer)) if now is None else now
    course = _Course(git, environment, key, newer, older)
    try:
        low, high = 0, len(course.states) - 1
        first, last = course.answer(low, context, moment), course.answer(high, context, moment)
        if first == last:
            raise UsageError(
                f"the answer is {first} at both, at {times.text(moment)}",
                hint="flagctl why shows what the clock changed; --clock asks at another time",
            )
        while high - low > 1:
            middle = (low + high) // 2
            if course.answer(middle, context, moment) == first:
                low = middle
            else:
                high = middle
        old, new = course.answer(low, context, moment), course.answer(high, context, moment)
        found = course.commit(high, course.states[high].time, old, new)
    finally:
        course.blobs.close()
    (entry,) = _about(git, found.causes).values()
    return found, entry


def _about(git: Git, causes: Sequence[Cause]) -> dict[str, Landed]:
    """What the log says of the commits among causes."""
    paths = {cause.commit: cause.paths for cause in causes}
    found = commits(git, list(paths))
    return {one.commit: Landed(commit=one, sides=tuple(merged(git, one, sorted(paths[one.commit])))) for one in found}


def _worth_a_look(
    course: _Course, context: Mapping[str, Any], starts: list[int], low: int, high: int, whole: bool
) -> Iterator[int]:
    """The states between which and the next an answer may have changed: all, or those that bisection leads to."""
    if whole:
        yield from range(low, high)
    elif high > low and course.answer(low, context, starts[low]) != course.answer(high, context, starts[high]):
        if high - low == 1:
            yield low
            return
        middle = (low + high) // 2
        yield from _worth_a_look(course, context, starts, low, middle, whole)
        yield from _worth_a_look(course, context, starts, middle, high, whole)


def _by_the_clock(
    course: _Course, context: Mapping[str, Any], index: int, start: int, end: int
) -> Iterator[Transition]:
    """What schedules, ramps and expiries did while a state was in force."""
    old = course.answer(index, context, start)
    due = [event for event in course.events(index) if start < event[0] <= end]
    for moment, events in itertools.groupby(due, key=lambda event: event[0]):
        new = course.answer(index, context, moment)
        if new != old:
            causes = tuple(Cause(kind=kind, text=text, flag=flag) for _, flag, kind, text in events)
            yield Transition(time=moment, old=old, new=new, causes=causes)
        old = new


def _events(document: Mapping[str, Any]) -> Iterator[_Event]:
    for key, flag in document["flags"].items():
        if "expires_at" in flag:
            yield flag["expires_at"], key, "expiry", f"{key} expired"
        outcomes = [
            (flag["default"], "its default"),
            *((rule, f"rule {rule['name']}") for rule in flag.get("rules", ())),
        ]
        for entry in flag.get("schedule", ()):
            yield entry["at"], key, "schedule", f"scheduled change of {key}"
            outcomes.append((entry.get("default", {}), "its scheduled default"))
        for outcome, where in outcomes:
            for number, (at, share) in enumerate(outcome.get("ramp", ())):
                reached = f"step {number + 1} of {len(outcome['ramp'])}, {words.percent(share)}"
                yield at, key, "ramp", f"ramp of {key} in {where}: {reached}"


def _at(git: Git, moment: float) -> str:
    """The last commit at or before a time, "" for none."""
    return git.read("rev-list", "-1", "--first-parent", f"--before={times.text(moment)}", "HEAD").strip()


def _name(path: str) -> Name:
    entry = classify(path)
    return entry.kind, entry.name if entry.kind in ("flag", "segment") else ("" if path == SETTINGS else path)
