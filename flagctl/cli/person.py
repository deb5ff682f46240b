"""The person whom a question about the past is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flagctl.model.repository import require_environment

if TYPE_CHECKING:
    from flagctl.cli.session import Session


def person(
    session: Session, environment: str, user: str | None, attributes: Sequence[str] | None, source: str | None
) -> dict[str, Any]:
    """The context that options describe, typed by today's attributes.yaml; what is odd about it is a warning.

    Raises UsageError for an environment that there is not.
    """
    from flagctl.cli.asking import read_text
    from flagctl.evaluate import context as typed
    from flagctl.files.repository import read_closure

    reading = read_closure(session.project().tree, environment, "")
    repository = reading.repository
    require_environment(environment, repository.settings.environments)
    base = {} if source is None else typed.from_json(read_text(source))
    context, warnings = typed.from_arguments(attributes or (), repository.attributes, base)
    for warning, hint in warnings:
        session.out.warn(warning, hint)
    return context if user is None else {**context, "targetingKey": user}
