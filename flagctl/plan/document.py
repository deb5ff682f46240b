"""A plan as a JSON document, `flagctl/plan/1` (schema/plan.schema.json)."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import msgspec

from flagctl.model import times
from flagctl.plan import sentences
from flagctl.plan.change import Change
from flagctl.plan.impact import Group, Impact, Move
from flagctl.plan.joint import place
from flagctl.plan.lints import LINTS
from flagctl.plan.plan import EnvironmentPlan, FlagPlan, Plan
from flagctl.plan.population import Tally
from flagctl.problems import Problem

FORMAT = "flagctl/plan/1"


def document(plan: Plan) -> dict[str, Any]:
    """The plan for programs."""
    return {
        "format": FORMAT,
        "base": plan.base,
        "head": plan.head,
        "at": times.text(plan.at),
        "until": None if plan.until is None else times.text(plan.until),
        "environments": [_environment(part) for part in plan.environments],
        "shared": _changes(plan.shared),
        "problems": {"new": list(map(_problem, plan.new)), "fixed": list(map(_problem, plan.fixed))},
        "people": plan.people,
    }


def share(of: Fraction) -> int | float:
    """A share in thousandths of a percent: a whole number where it is one, else the nearest float."""
    thousandths = of * 100_000
    return thousandths.numerator if thousandths.denominator == 1 else float(thousandths)


def _environment(part: EnvironmentPlan) -> dict[str, Any]:
    return {
        "environment": part.name,
        "protected": part.protected,
        "approvals": [
            {"kind": need.kind, "count": need.count, "who": list(need.who), "why": need.why} for need in part.approvals
        ],
        "segments": [{"name": name, "changes": _changes(changes)} for name, changes in part.segments.items()],
        "flags": [_flag(flag) for flag in part.flags],
    }


def _flag(flag: FlagPlan) -> dict[str, Any]:
    return {
        "key": flag.key,
        "status": flag.status,
        "file": flag.file,
        "owner": flag.owner,
        "changes": _changes(flag.changes),
        "because": list(flag.because),
        "lints": [{"id": lint.id, "text": lint.text, "why": LINTS[lint.id]} for lint in flag.lints],
        "impact": impact(flag.impact),
        "coming": [impact(found) for found in flag.coming],
        "skipped": flag.skipped,
        "counts": None if flag.tally is None else _counts(flag.tally),
    }


def impact(found: Impact) -> dict[str, Any]:
    """A blast radius for programs; shares are thousandths of a percent."""
    return {
        "at": times.text(found.at),
        "groups": [_group(group) for group in found.groups],
        "users": [{"user": one.user, "moves": [_ends(*move) for move in one.moves]} for one in found.users],
        "revalued": list(found.revalued),
        "unknown": found.unknown,
        "text": sentences.lines(found),
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        "who": sentences.people(group),
        "before": place(group.before),
        "after": place(group.after),
        "given": [{"flag": flag, "answers_by": list(places)} for flag, places in group.given],
        "population": "whole" if group.whole else "part",
        "exact": group.exact,
        "redrawn": list(group.redrawn),
        "by": list(group.by),
        "moved": share(group.moved),
        "moves": _moves(group.moves),
        "lacking": [{"attributes": list(less.attributes), "moves": _moves(less.moves)} for less in group.lacking],
    }


def _moves(moves: Iterable[Move]) -> list[dict[str, Any]]:
    return [_ends(move.before, move.after) | {"share": share(move.share)} for move in moves]


def _ends(before: str | None, after: str | None) -> dict[str, Any]:
    return {"before": before, "after": after}


def _changes(changes: Iterable[Change]) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(change) for change in changes]


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "rule": problem.rule,
        "severity": problem.severity,
        "file": problem.file,
        "pointer": problem.pointer,
        "message": problem.message,
        "hint": problem.hint,
    }


def _counts(tally: Tally) -> dict[str, Any]:
    ordered = sorted(tally.counts.items(), key=lambda item: (-item[1], str(item[0])))
    return {"moved": tally.moved, "matrix": [_ends(*move) | {"count": count} for move, count in ordered]}
