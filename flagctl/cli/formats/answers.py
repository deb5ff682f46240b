"""Answers of `eval`: text, a table, and JSON (`flagctl/eval/1`, `flagctl/eval-all/1`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from flagctl.model import times

if TYPE_CHECKING:
    from flagctl.cli.asking import Answer, Asked
    from flagctl.cli.batching import Batch
    from flagctl.cli.output import Output

_WIDEST = 60


def one(out: Output, answer: Answer, version: str = "") -> None:
    """Value, variant and reason, and below them the steps, each behind its place."""
    found = answer.resolution
    out.data(f"value    {_json(found.value)}")
    out.data(f"variant  {found.variant or '-'}")
    out.data(f"reason   {found.reason}{f', rule {found.rule}' if found.rule else ''}")
    if version:
        out.data(f"version  {version}")
    if found.error_code:
        out.data(f"error    {found.error_code}: {found.error_message}")
    if answer.lines:
        places = [f"{line.file}:{line.line}" for line in answer.lines]
        width = max(map(len, places))
        out.data("")
        for place, line in zip(places, answer.lines, strict=True):
            out.data(f"{place:<{width}}  {'  ' * line.depth}{line.text}")


def every(out: Output, asked: Asked) -> None:
    """A row for each flag; where explanations were asked for, a block."""
    if all(answer.lines is None for answer in asked.answers):
        out.table(["FLAG", "VALUE", "VARIANT", "REASON", "RULE"], map(_row, asked.answers))
        return
    for number, answer in enumerate(asked.answers):
        out.data(("\n" if number else "") + answer.flag)
        one(out, answer)


def one_document(asked: Asked) -> dict[str, Any]:
    """The JSON document of a single answer."""
    answer = asked.answers[0]
    version = asked.versions.numbers.get((asked.environment, answer.flag))
    return _head("flagctl/eval/1", asked) | {"flag": answer.flag, "version": version} | _fields(answer)


def every_document(asked: Asked) -> dict[str, Any]:
    """The JSON document of all answers."""
    return _head("flagctl/eval-all/1", asked) | {"flags": {answer.flag: _fields(answer) for answer in asked.answers}}


def batch(out: Output, done: Batch, *, as_json: bool) -> None:
    """How many rows had which answer."""
    for warning, hint in done.warnings:
        out.warn(warning, hint)
    out.say(f"{done.rows:,} {'row' if done.rows == 1 else 'rows'} answered, written to {done.into}")
    if as_json:
        counted = [{**said._asdict(), "rows": count} for said, count in done.answers]
        head = {**_head("flagctl/eval-batch/1", done), "flag": done.flag, "output": str(done.into)}
        out.json(head | {"rows": done.rows, "answers": counted})
        return
    rows = [
        [said.variant or "-", f"{count:,}", f"{count / done.rows:.2%}", said.reason, said.rule or ""]
        for said, count in done.answers
    ]
    out.table(["VARIANT", "ROWS", "SHARE", "REASON", "RULE"], rows)


def _head(name: str, asked: Asked | Batch) -> dict[str, Any]:
    return {"format": name, "environment": asked.environment, "at": times.text(asked.now)}


def _fields(answer: Answer) -> dict[str, Any]:
    fields = msgspec.structs.asdict(answer.resolution)
    return fields if answer.lines is None else fields | {"steps": list(map(msgspec.structs.asdict, answer.lines))}


def _row(answer: Answer) -> list[str]:
    found = answer.resolution
    value = _json(found.value)
    short = value if len(value) <= _WIDEST else value[: _WIDEST - 1] + "…"
    return [answer.flag, short, found.variant or "-", found.error_code or found.reason, found.rule or ""]


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
