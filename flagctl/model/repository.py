"""A flag repository as data: settings, attributes, and what each environment holds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal

import msgspec

from flagctl.errors import RefusedError, UsageError
from flagctl.model.condition import Scalar
from flagctl.model.flag import Flag, Segment
from flagctl.model.policy import Approvals, Freeze, Team
from flagctl.problems import did_you_mean

Generation = Literal["portable", "flagd-2", "flagd-3"]
AttributeType = Literal["string", "integer", "number", "boolean", "datetime", "semver", "array", "object"]


class Attribute(msgspec.Struct, frozen=True, kw_only=True):
    """A context attribute services send. `values` empty: any; `items` types an array's members."""

    name: str
    type: AttributeType
    description: str = ""
    values: tuple[Scalar, ...] = ()
    items: Literal["string", "integer", "number", "boolean"] = "string"
    private: bool = False


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where snapshots are published: a URL, and what settings say beside it."""

    url: str
    options: dict[str, str | int | bool] = {}


class EnvironmentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What settings say of one environment. owned: paths of fields that no promotion changes.

    require_merge, require_signed: how its changes have to come into the history; `log --verify` looks.
    """

    name: str
    promotes_from: str = ""
    protected: bool = False
    owned: tuple[str, ...] = ()
    require_merge: bool = False
    require_signed: bool = False
    targets: tuple[Target, ...] = ()
    break_glass: tuple[str, ...] = ()
    approvals: Approvals | None = None
    freezes: tuple[Freeze, ...] = ()


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """The public half of a key as settings spell it; it is believed from `since` on and before `until`."""

    name: str
    public: str
    since: int | None = None
    until: int | None = None


class KeySource(msgspec.Struct, frozen=True, kw_only=True):
    """Where the private half is; at most one is set. env: a variable's name."""

    file: str = ""
    env: str = ""
    command: str = ""


class Audience(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a part of each environment is published for: flags with one of `tags`, without what `strip` names."""

    name: str
    tags: tuple[str, ...]
    strip: tuple[str, ...] = ()


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What a token has to say for a preview in a protected environment. value None: anything but false and nothing."""

    claim: str
    value: str | bool | int | None = None


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """`flags/flagctl.yaml`. `severities` maps rule ids; grace counts days after `expires_at`."""

    environments: dict[str, EnvironmentSettings]
    bucketing: Generation = "portable"
    cache_ttl_seconds: int = 300
    expired_grace_days: int = 30
    severities: dict[str, Literal["error", "warning", "off"]] = {}
    keys: tuple[Key, ...] = ()
    signing: KeySource = KeySource()
    audiences: dict[str, Audience] = {}
    teams: dict[str, Team] = {}
    preview: Preview | None = None


class Environment(msgspec.Struct, kw_only=True):
    """What `flags/<name>/` holds.

    flag_files, segment_files: key or name to path, also of those that could not be read into the model.
    """

    name: str
    flags: dict[str, Flag] = {}
    segments: dict[str, Segment] = {}
    flag_files: dict[str, str] = {}
    segment_files: dict[str, str] = {}


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """One case of a file in `flags/tests/`, its matrix not yet expanded; `pointer` is its place there.

    Exactly one of `flag` and `segment` is set. `environments` empty: every one that has it. `matrix` maps
    a context attribute (or `environment`, `at`, `bucket`) to the values to try, one after the other.
    """

    file: str
    pointer: str
    name: str
    flag: str = ""
    segment: str = ""
    environments: tuple[str, ...] = ()
    context: dict[str, Any] = {}
    at: int | None = None
    bucket: int | None = None
    matrix: dict[str, tuple[Any, ...]] = {}
    expect: dict[str, Any] = {}


class Repository(msgspec.Struct, kw_only=True):
    """Everything under `flags/`."""

    settings: Settings
    attributes: dict[str, Attribute] = {}
    environments: dict[str, Environment] = {}
    expectations: list[Expectation] = []


def require_environment(name: str, known: Collection[str]) -> None:
    """Raise UsageError, with what is near, unless `name` is one of the environments."""
    if name not in known:
        hint = did_you_mean(name, known) or f"there are {', '.join(known)}"
        raise UsageError(f'no environment "{name}"', hint=hint)


def freezes(names: Collection[str], settings: Settings, now: float) -> list[str]:
    """«production is frozen until …: holidays» for each of these environments that is, at a time."""
    known = settings.environments
    windows = [(name, window) for name in names if name in known for window in known[name].freezes]
    return [f"{name} is {window.words}" for name, window in windows if window.covers(now)]


def refuse_frozen(said: Sequence[str], override: str | None) -> None:
    """Raise RefusedError where there is a freeze, as `freezes` says it, and no reason to override it."""
    if said and not (override or "").strip():
        raise RefusedError("; ".join(said), hint='--override-freeze "REASON" does it all the same, and is kept')
