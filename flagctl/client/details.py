"""An answer with all that is known of it, and values that have to be of a type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from flagctl.evaluate.evaluator import Resolution

if TYPE_CHECKING:
    from flagctl.client.held import Held


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """An answer with all that is known of it.

    reason: OpenFeature's; STALE where the snapshot is older than the flag's `cache_ttl_seconds`. error_code:
    None where nothing went wrong. rule: the name of the rule that decided. version: how often the flag's meaning has
    changed in this environment, None where the snapshot does not say. metadata: what the snapshot says of the flag,
    such as `owner` and `documentation_url`. snapshot_version, commit: of the snapshot. age: seconds since the source
    last confirmed it; infinite where it never has.
    """

    value: Any
    variant: str | None
    reason: str
    error_code: str | None = None
    error_message: str | None = None
    rule: str | None = None
    version: int | None = None
    metadata: Mapping[str, Any] = {}
    snapshot_version: int | None = None
    commit: str | None = None
    age: float


def describe(key: str, answer: Resolution, default: Any, held: Held | None, age: float) -> Details:
    """An answer with what the snapshot says of its flag, and of a type that the caller expects."""
    if answer.error_code is None and not fits(answer.value, default):
        kinds = f"{type(answer.value).__name__}, and the default {type(default).__name__}"
        answer = Resolution(default, None, "ERROR", "TYPE_MISMATCH", f"the value is {kinds}", answer.rule)
    flag = held.engine.flag(key) if held is not None else None
    about: Mapping[str, Any] = {} if flag is None else flag.metadata
    return Details(
        value=answer.value if answer.error_code is not None else fitting(answer.value, default),
        variant=answer.variant,
        reason=answer.reason,
        error_code=answer.error_code,
        error_message=answer.error_message,
        rule=answer.rule,
        version=about.get("version"),
        metadata=about,
        snapshot_version=held.version if held is not None else None,
        commit=held.engine.commit if held is not None else None,
        age=age,
    )


def fits(value: Any, default: Any) -> bool:
    """Whether a value is of the default's type; a whole number also where that is a float. None takes everything."""
    if default is None:
        return True
    if isinstance(value, bool) or isinstance(default, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, float):
        return isinstance(value, int | float)
    return isinstance(value, type(default))


def fitting(value: Any, default: Any) -> Any:
    """The value as the default's type; the default where it is of another."""
    if not fits(value, default):
        return default
    return float(value) if isinstance(default, float) else value
