"""A condition or `bucket_by` names an attribute that is not declared.

A missing attribute matches no operator, so a rule with a mistyped name answers «no» for everybody, silently. Declare
in `flags/attributes.yaml` what services send; `targetingKey` is always there.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.check.kinds import attribute, one_of
from flagctl.check.view import FlagView, View
from flagctl.model.repository import Repository
from flagctl.problems import Problem, did_you_mean, pointer

ID = "unknown-attribute"
SEVERITY = "error"
BAD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
rules:
  - name: germany
    when:
      - {attribute: contry, equals: DE}    # <- mistyped
    serve: on
"""
GOOD = """\
description: Show the wishlist gallery page.
owner: {team: growth}
rules:
  - name: germany
    when:
      - {attribute: country, equals: DE}
    serve: on
"""


def check_conditions(view: View) -> Iterator[Problem]:
    """Attributes that conditions ask for."""
    for test, place in view.tests:
        if attribute(view.repository, test.attribute) is None:
            yield _unknown(view, test.attribute, f"{place}/attribute")


def check_flag(view: FlagView) -> Iterator[Problem]:
    """Attributes that people are bucketed by."""
    for outcome, place in view.bucketed:
        if attribute(view.repository, outcome.bucket_by) is None:
            yield _unknown(view, outcome.bucket_by, f"{place}/bucket_by")


def check_repository(repository: Repository) -> Iterator[Problem]:
    """Attributes that expectations send."""
    known = {name.split(".")[0] for name in repository.attributes} | {"targetingKey"}
    special = {"environment", "at", "bucket"}
    for case in repository.expectations:
        sent = [("context", name) for name in case.context]
        sent += [("matrix", name) for name in case.matrix if name not in special]
        for where, name in sent:
            if name.split(".")[0] not in known:
                yield Problem(
                    rule=ID,
                    message=f'no attribute "{name}" is declared',
                    hint=_hint(repository, name),
                    file=case.file,
                    pointer=case.pointer + pointer(where, name),
                    at_key=True,
                )


def _unknown(view: View, name: str, place: str) -> Problem:
    return view.problem(ID, f'no attribute "{name}" is declared', place, hint=_hint(view.repository, name))


def _hint(repository: Repository, name: str) -> str:
    known = [*repository.attributes, "targetingKey"]
    return did_you_mean(name, known) or f"declare it in flags/attributes.yaml; {one_of(known)}"
