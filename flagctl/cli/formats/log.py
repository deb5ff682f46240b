"""The audit log: for people, as Markdown and CSV, and as `flagctl/log/2`."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING, Any

from flagctl.cli.output import clean
from flagctl.model import times

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flagctl.cli.output import Output
    from flagctl.history.audit import Entry

COLUMNS = (
    "flag_key", "environment", "path", "old_value", "new_value", "changed_by", "changed_at", "reason", "commit",
)  # fmt: skip
# What a spreadsheet takes for a formula (OWASP, CSV injection), full-width forms included; numbers are harmless.
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠|%]|[\t\r]")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|~#&@])")


def subject(entry: Entry) -> str:
    """What an entry is told of: the flag's key, «segment staff», «attributes»."""
    return f"segment {entry.key}" if entry.kind == "segment" else entry.key


def sentences(entry: Entry) -> list[str]:
    """What changed, a sentence each."""
    row = entry.row
    if row.event == "unreadable":
        return [f"can't be read: {row.problem}"]
    said = [f"{entry.cause}: {change.words}" if entry.cause else change.words for change in entry.changes]
    if row.event == "renamed" and not entry.cause:
        said.insert(0, f"file renamed from {row.old_path}")
    if row.path != row.old_path and row.event in ("moved", "changed"):
        said.append(f"file moved from {row.old_path}")
    return said or ["removed" if row.event == "removed" else "comments and layout only"]


def minute(time: int) -> str:
    """«2026-11-25 02:29Z»."""
    return f"{times.text(time).replace('T', ' ')[:16]}Z"


def lines(out: Output, entry: Entry) -> Iterator[str]:
    """One entry for a terminal."""
    when = minute(entry.commit.time)
    version = f" v{entry.version}" if entry.version and entry.kind == "flag" else ""
    head = [
        out.style(entry.commit.commit[:10], "yellow"),
        out.style(when, "dim"),
        out.style(f"{subject(entry)}{version}", "bold"),
    ]
    if entry.environment:
        head.append(clean(entry.environment))
    yield "  ".join([*head, out.style(entry.author, "cyan")])
    for said in sentences(entry):
        yield f"    {one_line(said)}"
    about = [
        *(word for word in entry.came_by.split(", ") if word not in entry.reason),
        f"committed by {entry.committer}" if entry.committer else "",
        f"freeze overridden: {entry.override}" if entry.override else "",
        signed(entry),
    ]
    more = ", ".join(word for word in about if word)
    yield out.style(one_line(f"    — {entry.reason}" + (f" ({more})" if more else "")), "dim")


def signed(entry: Entry) -> str:
    """The state of its signature in words; "" where nobody asked."""
    return entry.signature and f"signature {entry.signature}"


def one_line(text: str) -> str:
    """The text cleaned, without line breaks."""
    return clean(" ".join(text.split("\n")).replace("\t", " "))


def document(entries: Iterable[Entry]) -> dict[str, Any]:
    """The JSON document of `log`."""
    return {"format": "flagctl/log/2", "entries": [plain(entry) for entry in entries]}


def plain(entry: Entry) -> dict[str, Any]:
    """One entry as data."""
    found: dict[str, Any] = {
        "kind": entry.kind,
        "flag": entry.key,
        "environment": entry.environment or None,
        "version": entry.version,
        "event": entry.row.event,
        "cause": entry.cause or None,
        "changes": [
            {"path": change.path, "old": change.old, "new": change.new, "words": change.words,
             "meaning": change.meaning}
            for change in entry.changes
        ],
        "problem": entry.row.problem or None,
        "file": entry.row.path,
        "commit": entry.commit.commit,
        "time": times.text(entry.commit.time),
        "author": entry.author,
        "emails": list(entry.emails),
        "committer": entry.committer or None,
        "reason": entry.reason,
        "came_by": entry.came_by or None,
        "override_freeze": entry.override or None,
        "merged": [side.commit for side in entry.sides],
    }  # fmt: skip
    return found | ({"signature": entry.signature} if entry.signature else {})


def csv_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """A heading, then a row for each changed field; of what changed none, a row that says what it was."""
    yield _row(COLUMNS)
    for entry in entries:
        about = (entry.author, times.text(entry.commit.time), entry.reason, entry.commit.commit)
        key = f"segment:{entry.key}" if entry.kind == "segment" else entry.key
        for change in entry.changes:
            path = f"{entry.cause}/{change.path}" if entry.cause else change.path
            yield _row((key, entry.environment, path, _cell(change.old), _cell(change.new), *about))
        if not entry.changes:
            yield _row((key, entry.environment, "", "", "; ".join(sentences(entry)), *about))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _row(cells: Iterable[str]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="").writerow([_harmless(clean(cell)) for cell in cells])
    return stream.getvalue()


def _harmless(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell


def markdown_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """A table, an entry a row."""
    yield "| when | flag | environment | version | what | who | why |"
    yield "|---|---|---|--:|---|---|---|"
    for entry in entries:
        said = "<br>".join(map(escaped, sentences(entry)))
        over = f"freeze overridden: {entry.override}" if entry.override else ""
        why = ", ".join(word for word in (entry.reason, entry.came_by, over) if word)
        version = str(entry.version) if entry.kind == "flag" else ""
        cells = (minute(entry.commit.time), subject(entry), entry.environment, version)
        yield f"| {' | '.join(map(escaped, cells))} | {said} | {escaped(entry.author)} | {escaped(why)} |"


def escaped(text: str) -> str:
    """The text as a cell of a Markdown table in which nothing is marked up."""
    return _MARKDOWN.sub(r"\\\1", one_line(text))


def jsonl_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """One JSON document a line."""
    for entry in entries:
        yield json.dumps({"format": "flagctl/log-entry/1"} | plain(entry), ensure_ascii=True)
