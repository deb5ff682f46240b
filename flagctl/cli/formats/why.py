"""Transitions of an answer and their causes, as lines and as `flagctl/why/1` and `flagctl/bisect/1`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flagctl.model import times

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagctl.cli.output import Output
    from flagctl.history.touches import Landed
    from flagctl.history.why import Answer, Cause, Story, Transition


def show(out: Output, story: Story, since: str, until: str) -> None:
    """Each transition in a line with its cause, oldest first; what is so now on stderr."""
    for transition in story.transitions:
        lines(out, transition, story.about)
    if not story.transitions:
        out.say(f"no change since {since}" if since else "it never changed")
    if not story.whole:
        out.warn(
            f"{story.versions:,} versions were bisected: what changed and changed back between two that answer alike "
            "is not shown",
            "--since narrows it down",
        )
    out.say(f"{until or 'now'}: {story.last}")


def lines(out: Output, transition: Transition, about: Mapping[str, Landed]) -> None:
    """One transition: when, from what to what, and why."""
    when = times.text(transition.time).replace("T", " ")
    moved = f"{transition.old} → {transition.new}"
    first, *rest = [_cause(cause, about) for cause in transition.causes]
    out.data(f"{out.style(when, 'dim')}  {out.style(moved, 'bold')}  {out.style(first, '')}", styled=True)
    for said in rest:
        out.data(f"{'':{len(when) + len(moved) + 2}}  {said}")


def document(story: Story, **asked: Any) -> dict[str, Any]:
    """The JSON document of `why`."""
    return {
        "format": "flagctl/why/1",
        **asked,
        "first": _answer(story.first),
        "last": _answer(story.last),
        "versions": story.versions,
        "exhaustive": story.whole,
        "transitions": [_transition(transition, story.about) for transition in story.transitions],
    }


def bisect_document(transition: Transition, entry: Landed, **asked: Any) -> dict[str, Any]:
    """The JSON document of `bisect`."""
    return {"format": "flagctl/bisect/1", **asked, **_transition(transition, {entry.commit.commit: entry})}


def _transition(transition: Transition, about: Mapping[str, Landed]) -> dict[str, Any]:
    return {
        "time": times.text(transition.time),
        "from": _answer(transition.old),
        "to": _answer(transition.new),
        "causes": [_fields(cause, about) for cause in transition.causes],
    }


def _answer(answer: Answer) -> dict[str, Any]:
    return {"variant": answer.variant, "value": answer.value}


def _fields(cause: Cause, about: Mapping[str, Landed]) -> dict[str, Any]:
    if not cause.commit:
        return {"kind": cause.kind, "flag": cause.flag, "text": cause.text}
    entry = about[cause.commit]
    return {
        "kind": cause.kind,
        "commit": cause.commit,
        "author": entry.author,
        "email": entry.emails[0],
        "emails": list(entry.emails),
        "committer": entry.committer or None,
        "subject": entry.commit.subject,
        "reason": entry.reason if entry.reason != entry.commit.subject else None,
        "pull_request": entry.commit.pull or None,
        "through": list(cause.through),
    }


def _cause(cause: Cause, about: Mapping[str, Landed]) -> str:
    if not cause.commit:
        return cause.text
    entry = about[cause.commit]
    subject, name = entry.commit.subject, entry.commit.pull
    pull = f", pull request {name}" if name and name not in subject else ""
    why = f" — {entry.reason}" if entry.reason and entry.reason != subject else ""
    through = f" [through {', '.join(cause.through)}]" if cause.through else ""
    return f"{entry.commit.commit[:10]} {entry.author}: {subject}{why}{pull}{through}"
