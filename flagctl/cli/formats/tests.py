"""What came of `flagctl test`: as text, as JSON (`flagctl/test/1`) and as JUnit XML."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from flagctl.errors import OutsideError
from flagctl.files.locate import locate
from flagctl.model import times, words
from flagctl.model.condition import TARGETING_KEY

if TYPE_CHECKING:
    from flagctl.check.coverage import Coverage
    from flagctl.check.expect import Report, Result
    from flagctl.cli.output import Output
    from flagctl.files.repository import Reading
    from flagctl.model.repository import Repository
    from flagctl.problems import Problem

LineOf = Callable[[str, str], int]
"""(file, JSON pointer) to the line it stands on."""

# Production 2 of XML 1.0 names the characters a document may hold; even an escape may not stand for others.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_COUNTED = ("tests", "failures", "errors")


def text(out: Output, report: Report, repository: Repository, coverage: Coverage | None, line_of: LineOf) -> None:
    """What failed and what was not reached."""
    for result in report.failed:
        out.data(f"{out.style('FAIL', 'red bold')} {out.style(title(result), 'bold')}", styled=True)
        for line in details(result, repository, line_of):
            out.data(f"  {line}")
    for part in coverage.unreached if coverage else ():
        place = f"{part.file}:{line_of(part.file, part.pointer)}"
        out.data(f"not reached: {part.kind} {part.name} of {part.flag} in {part.environment}  {place}")


def lines_of(reading: Reading) -> LineOf:
    """Looks lines up in the files of a reading; 0 in a file that is gone meanwhile."""

    @cache
    def line_of(file: str, pointer: str) -> int:
        try:
            return locate(reading.text(file), pointer)[0]
        except OutsideError:
            return 0

    return line_of


def located(problems: Sequence[Problem], line_of: LineOf) -> list[Problem]:
    """The problems with the lines of their places; what stands nowhere in particular stays without."""
    return [
        replace(problem, line=line_of(problem.file, problem.pointer))
        if problem.pointer and not problem.line
        else problem
        for problem in problems
    ]


def summary(report: Report, problems: Sequence[Problem], coverage: Coverage | None) -> str:
    """«62 passed, 1 failed, 2 problems; 96.5 % covered (82 of 85)»."""
    if not report.results and not problems:
        return "nothing to test: expectations stand in flags/tests/<key>.yaml"
    failed = len(report.failed)
    said = f"{len(report.results) - failed} passed, {failed} failed"
    if problems:
        said += f", {len(problems)} problem{'s' if len(problems) > 1 else ''}"
    if coverage is not None:
        reached = coverage.total - len(coverage.unreached)
        said += f"; {coverage.percent:g} % covered ({reached} of {coverage.total})"
    return said


def title(result: Result) -> str:
    """«production wishlist-gallery: staff see it»."""
    subject = result.flag or f"segment {result.segment}"
    return f"{result.environment} {subject}" + (f": {result.name}" if result.name else "")


def details(result: Result, repository: Repository, line_of: LineOf) -> list[str]:
    """What was expected and what came, who answered, and how to look closer."""
    lines = [f"{result.file}:{line_of(result.file, result.pointer)}"]
    for key in result.wrong:
        lines.append(f"{key}: expected {_shown(result.expected[key])}, found {_shown(result.found.get(key))}")
    given = [f"{name} {words.value(value)}" for name, value in result.context.items()]
    given += [f"bucket {result.bucket / 1000:g}"] if result.bucket is not None else []
    lines.append(f"given {', '.join([*given, f'at {times.text(result.at)}'])}")
    if result.flag:
        lines.append(f"answered by {_answerer(result, repository, line_of)}")
    if result.flag and result.bucket is None:
        lines.append(f"look closer: {_eval(result)}")
    return lines


def _shown(value: Any) -> str:
    return "nothing" if value is None else words.value(value)


def _answerer(result: Result, repository: Repository, line_of: LineOf) -> str:
    reason = result.found["reason"]
    environment = repository.environments[result.environment]
    if result.rule:
        rules = [rule.name for rule in environment.flags[result.flag].rules]
        file = environment.flag_files.get(result.flag, "")
        line = line_of(file, f"/rules/{rules.index(result.rule)}")
        return f"rule {result.rule} ({file}:{line}), reason {reason}"
    who = {"TARGETING_MATCH": "overrides", "DISABLED": "off_variant", "ERROR": f"error {result.found.get('error')}"}
    return f"{who.get(reason, 'default')}, reason {reason}"


def _eval(result: Result) -> str:
    command = ["flagctl", "eval", result.flag, "-e", result.environment, "--clock", times.text(result.at)]
    for name, value in result.context.items():
        if name == TARGETING_KEY and isinstance(value, str):
            command += ["--user", value]
        else:
            command += ["-a", f"{name}={value}" if isinstance(value, str) else f"{name}:={json.dumps(value)}"]
    return shlex.join([*command, "--explain"])


def document(report: Report, problems: list[Problem], coverage: Coverage | None, line_of: LineOf) -> dict[str, Any]:
    """The JSON document."""
    found: dict[str, Any] = {
        "format": "flagctl/test/1",
        "passed": len(report.results) - len(report.failed),
        "failed": len(report.failed),
        "problems": [
            {name: getattr(problem, name) for name in ("rule", "message", "hint", "file", "line", "pointer")}
            for problem in problems
        ],
        "results": [_result(result, line_of) for result in report.results],
    }
    if coverage is not None:
        unreached = [
            {name: getattr(part, name) for name in ("environment", "flag", "kind", "name", "file", "pointer")}
            for part in coverage.unreached
        ]
        found["coverage"] = {"percent": coverage.percent, "total": coverage.total, "unreached": unreached}
    return found


def _result(result: Result, line_of: LineOf) -> dict[str, Any]:
    found: dict[str, Any] = {
        "passed": result.passed,
        "name": result.name,
        "environment": result.environment,
        "file": result.file,
        "pointer": result.pointer,
        "flag" if result.flag else "segment": result.flag or result.segment,
        "context": result.context,
        "at": times.text(result.at),
        "expected": result.expected,
        "found": result.found,
    }
    if result.bucket is not None:
        found["bucket"] = result.bucket / 1000
    if result.wrong:
        found |= {"wrong": list(result.wrong), "line": line_of(result.file, result.pointer)}
    return found | ({"rule": result.rule} if result.rule else {})


def junit(report: Report, problems: list[Problem], repository: Repository, line_of: LineOf) -> str:
    """JUnit XML: a suite for each test file; an expectation or file with a problem is an error."""
    from xml.etree import ElementTree

    root = ElementTree.Element("testsuites", name="flagctl test")
    suites: dict[str, Any] = {}

    def case(file: str, group: str, name: str, kind: str = "", message: str = "", body: str = "") -> None:
        if file not in suites:
            suites[file] = ElementTree.SubElement(
                root, "testsuite", name=_xml(file), tests="0", failures="0", errors="0"
            )
        suite = suites[file]
        element = ElementTree.SubElement(suite, "testcase", classname=_xml(group), name=_xml(name), file=_xml(file))
        for counted in ["tests", *([f"{kind}s"] if kind else [])]:
            suite.set(counted, str(int(suite.get(counted)) + 1))
        if kind:
            ElementTree.SubElement(element, kind, message=_xml(message)).text = _xml(body)

    for problem in problems:
        place = f"{problem.file}:{problem.line}" if problem.line else problem.file
        case(problem.file, problem.rule, place, "error", problem.message, problem.hint)
    for result in report.results:
        group = f"{result.environment}.{result.flag or result.segment}"
        if result.passed:
            case(result.file, group, result.name)
        else:
            lines = details(result, repository, line_of)
            case(result.file, group, result.name, "failure", lines[1], "\n".join(lines))
    for kind in _COUNTED:
        root.set(kind, str(sum(int(suite.get(kind)) for suite in suites.values())))
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode")


def _xml(text: str) -> str:
    return _NOT_XML.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
