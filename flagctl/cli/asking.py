"""What one run of `eval` asks and gets: flags are read and compiled, the context put together, each step placed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from flagctl.cli.versions import Versions, of_flag
from flagctl.errors import OutsideError, ProblemsError, UsageError
from flagctl.files.walk import ATTRIBUTES, SETTINGS, classify
from flagctl.model.repository import require_environment
from flagctl.problems import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flagctl.evaluate.evaluator import Resolution
    from flagctl.evaluate.trace import Step
    from flagctl.files.repository import Reading
    from flagctl.model.repository import Environment
    from flagctl.problems import Problem
    from flagctl.project import Project


class Line(msgspec.Struct, frozen=True):
    """A step of an explanation and its place."""

    file: str
    line: int
    depth: int
    text: str
    outcome: bool | None


class Answer(msgspec.Struct, frozen=True):
    """A flag's answer; `lines` is None where nobody asked for an explanation."""

    flag: str
    resolution: Resolution
    lines: Sequence[Line] | None


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, how and when. context: a JSON object's text; attributes and previews as they were typed."""

    context: str | None
    attributes: Sequence[str]
    user: str | None
    previews: Sequence[str]
    now: float
    explain: bool


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Every answer, and what was odd about the question. versions: of the flag, where they were looked up."""

    environment: str
    now: float
    answers: list[Answer]
    warnings: list[tuple[str, str]]
    versions: Versions = Versions()

    @property
    def failed(self) -> bool:
        """Some flag could not be answered."""
        return any(answer.resolution.reason == "ERROR" for answer in self.answers)


def ask(project: Project, environment: str, key: str | None, question: Question, *, versioned: bool = False) -> Asked:
    """Ask one flag, or (None) every flag of an environment. versioned: look up the version of the one, in Git.

    Raises UsageError for what there is not or what can't be read as typed, ProblemsError when files in
    question have errors.
    """
    from flagctl.compile.snapshot import snapshot
    from flagctl.evaluate import context as typed
    from flagctl.evaluate.evaluator import Evaluator
    from flagctl.evaluate.trace import Trace

    reading = read(project, environment, key)
    held, attributes = reading.repository.environments[environment], reading.repository.attributes
    document = snapshot(held, reading.repository.settings, attributes)
    context, warnings = typed.from_arguments(question.attributes, attributes, base(question))
    if question.user is not None:
        context["targetingKey"] = question.user
    preview, more = typed.previews(question.previews, document["flags"]) if question.previews else ({}, [])
    evaluator = Evaluator(document)
    answers = []
    for name in evaluator.keys() if key is None else [key]:
        trace = Trace() if question.explain else None
        found = evaluator.evaluate(name, context, question.now, preview=preview, trace=trace)
        lines = None if trace is None else [_placed(reading, held, step) for step in trace.steps]
        answers.append(Answer(name, found, lines))
    versions = of_flag(project, environment, key) if versioned and key is not None else Versions()
    return Asked(
        environment=environment, now=question.now, answers=answers, warnings=warnings + more, versions=versions
    )


def base(question: Question) -> dict[str, Any]:
    """The context that was given as JSON. Raises UsageError."""
    from flagctl.evaluate import context as typed

    return {} if question.context is None else typed.from_json(question.context)


def read_text(source: str) -> str:
    """A file's text, or stdin's for `-`. Raises OutsideError or UsageError."""
    try:
        data = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise OutsideError(f"{source} can't be read: {error.strerror}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{source} is not UTF-8: byte {error.start + 1} is {data[error.start]:#04x}") from None


def read(project: Project, environment: str, key: str | None) -> Reading:
    """What is needed to answer a flag or (None) all, without errors in it. Raises as `ask` does."""
    reading = project.read() if key is None else project.closure(environment, key)
    _stop_at(reading, [p for p in reading.problems if p.file == SETTINGS], "the settings can't be used")
    known = reading.repository.settings.environments
    require_environment(environment, known)
    held = reading.repository.environments[environment]
    read = {ATTRIBUTES, *held.flag_files.values(), *held.segment_files.values()}
    own = [p for p in reading.problems if p.file in read or _would_hold(p.file, environment, key)]
    _stop_at(reading, own, f"{key or environment} can't be evaluated")
    if key is not None and key not in held.flags:
        entries = map(classify, project.tree.paths(f"flags/{environment}"))
        hint = did_you_mean(key, [entry.name for entry in entries if entry.kind == "flag"])
        raise UsageError(f'no flag "{key}" in {environment}', hint=hint or "flagctl list shows the flags there are")
    return reading


def _would_hold(path: str, environment: str, key: str | None) -> bool:
    """Whether a file, if only it could be opened, would hold what was asked for."""
    entry = classify(path)
    return entry.environment == environment and (key is None or (entry.kind == "flag" and entry.name == key))


def _stop_at(reading: Reading, problems: list[Problem], message: str) -> None:
    errors = [located(reading, problem) for problem in problems if problem.severity == "error"]
    if errors:
        raise ProblemsError(message, errors, hint="mend what stands above; flagctl check finds the rest")


def located(reading: Reading, problem: Problem) -> Problem:
    """The problem with the line and column of its pointer."""
    if problem.line or not problem.pointer:
        return problem
    from flagctl.files.locate import locate

    line, column, _ = locate(reading.text(problem.file), problem.pointer, problem.at_key)
    return msgspec.structs.replace(problem, line=line, column=column)


def _placed(reading: Reading, held: Environment, step: Step) -> Line:
    from flagctl.files.locate import locate

    file = held.segment_files[step.segment] if step.segment else held.flag_files[step.flag]
    text = reading.text(file)
    pointers = [step.pointer]
    if step.pointer.endswith("/split"):
        # A snapshot holds a rollout as a split. Where a pointer leads nowhere its parent answers, which stands earlier.
        pointers.append(step.pointer.removesuffix("split") + "rollout")
    line = max(locate(text, pointer)[0] for pointer in pointers)
    return Line(file, line, step.depth, step.text, step.outcome)
