"""Approvals, freezes and teams of `flags/flagctl.yaml` to the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flagctl.files.convert import Converter
from flagctl.model.policy import Approvals, Freeze, Team, When


def approvals(data: Mapping[str, Any] | None, where: str, convert: Converter) -> Approvals | None:
    """What an environment says of approvals; None where it says nothing."""
    if data is None:
        return None
    when = data.get("when", {})
    over = convert.percent(when["rollout_over"], f"{where}/when/rollout_over") if "rollout_over" in when else None
    return Approvals(
        required=int(data.get("required", 1)),
        teams=tuple(data.get("from", ())),
        owner=data.get("owner", False),
        not_author=data.get("not_author", True),
        when=When(
            rollout_over=over,
            kinds=tuple(when.get("kinds", ())),
            tags=tuple(when.get("tags", ())),
            lints=tuple(when.get("lints", ())),
            created=when.get("created", False),
        ),
    )


def freezes(data: Sequence[Mapping[str, str]], where: str, convert: Converter) -> tuple[Freeze, ...]:
    """The freeze windows of an environment."""
    return tuple(
        Freeze(
            start=convert.time(said["from"], f"{where}/{i}/from"),
            end=convert.time(said["to"], f"{where}/{i}/to"),
            reason=said["reason"],
        )
        for i, said in enumerate(data)
    )


def teams(data: Mapping[str, Mapping[str, Any] | None]) -> dict[str, Team]:
    """The teams by name."""
    return {
        name: Team(name=name, handle=(said or {}).get("handle", ""), members=tuple((said or {}).get("members", ())))
        for name, said in data.items()
    }
