"""The order of keys in a flag file: where `set` puts a new one and how `fmt` lays a file out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

OUTCOMES = ("serve", "rollout", "split", "ramp")
"""An outcome is exactly one of these."""

BESIDE: dict[str, tuple[str, ...]] = {
    "serve": (),
    "rollout": ("bucket_by", "salt"),
    "split": ("bucket_by", "salt", "experiment"),
    "ramp": ("bucket_by", "salt"),
}
"""What may stand beside each outcome."""

FLAG = (
    "description",
    "owner",
    "documentation_url",
    "tags",
    "kind",
    "type",
    "variants",
    "off_variant",
    "enabled",
    "expires_at",
    "cache_ttl_seconds",
    "stale",
    "max_stale_seconds",
    "bucketing",
    "requires",
    "overrides",
    "when",
    "rules",
    "default",
    "schedule",
)
_NESTED = {
    "owner": ("team", "email"),
    "requires": ("flag", "variant"),
    "rules": ("name", "description", "promote", "when", *OUTCOMES, "bucket_by", "salt", "experiment"),
    "default": (*OUTCOMES, "bucket_by", "salt", "experiment"),
    "schedule": ("at", "enabled", "default"),
    "ramp": ("variant", "from", "to", "start", "duration", "step"),
    **dict.fromkeys(("when", "any", "all", "not"), ("attribute", "segment")),
    "experiment": ("name", "layer", "slots", "traffic", "hypothesis", "metrics"),
}
_NAMED_BY_PEOPLE = frozenset({"variants", "overrides", "split"})


def order_at(parts: Sequence[str | int]) -> Sequence[str]:
    """The order of the keys of the mapping at `parts`; empty where people name the keys."""
    if not parts:
        return FLAG
    if not _NAMED_BY_PEOPLE.isdisjoint(map(str, parts)):
        return ()
    names = [part for part in parts if isinstance(part, str)]
    return _NESTED.get(names[-1], ()) if names else ()


def place(keys: Sequence[str], key: str, order: Sequence[str]) -> int:
    """The index among `keys` at which `key` belongs; behind all that come before it, never first, else last.

    Never first, because a comment above the first key may be about the whole file.
    """
    if key not in order:
        return len(keys)
    before = set(order[: order.index(key)])
    behind = [i for i, other in enumerate(keys) if other in before]
    return max(behind[-1] + 1 if behind else 0, min(1, len(keys)))
