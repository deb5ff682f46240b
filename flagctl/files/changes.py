"""What `flagctl set` is asked for, as edits of one flag's text."""

from __future__ import annotations

from typing import Any

import msgspec

from flagctl.errors import UsageError
from flagctl.files import edit, typed
from flagctl.files.order import OUTCOMES
from flagctl.model import times
from flagctl.problems import parts_of

_EVERYBODY = ({"serve": "on"}, {"serve": True}, {"rollout": 100})
_BOOLEAN = {"on": ("on", "true"), "off": ("off", "false")}


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be different, in the words of the options.

    on: the kill switch, None to leave it. fields: `PATH=VALUE`, no value to remove. unset: paths to remove.
    """

    on: bool | None = None
    rollout: str | None = None
    serve: str | None = None
    split: str | None = None
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    unset_users: tuple[str, ...] = ()
    owner: str | None = None
    expires: str | None = None
    description: str | None = None
    fields: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()

    def words(self) -> str:
        """The wish in short, for a commit's subject; "" when nothing is wished for."""
        said = [] if self.on is None else ["on" if self.on else "off"]
        for name in ("serve", "rollout", "split", "owner", "expires"):
            if (given := getattr(self, name)) is not None:
                said.append(f"{name} {given}")
        if self.description is not None:
            said.append("description")
        for word, users in (("allow", self.allow), ("deny", self.deny), ("unset user", self.unset_users)):
            said += [f"{word} {user}" for user in users]
        said += [*self.fields, *(f"unset {path}" for path in self.unset)]
        return " ".join(", ".join(said).split())


def granted(text: str, wish: Wish, now: float) -> tuple[str, list[str]]:
    """The flag's text with the wish granted, and what whoever wished should know about its effect.

    Raises UsageError for a wish that makes no sense, RefusedError for a text that can't be edited.
    """
    outcomes = [name for name in ("rollout", "serve", "split") if getattr(wish, name) is not None]
    if len(outcomes) > 1:
        raise UsageError(f"--{outcomes[0]} and --{outcomes[1]} exclude each other", hint="a default is one of them")
    if twice := (set(wish.allow) & set(wish.deny)) | ({*wish.allow, *wish.deny} & set(wish.unset_users)):
        raise UsageError(f"{min(twice)} is named twice", hint="one user, one of --allow, --deny and --unset-user")
    before = edit.read(text)
    flag = _Flag(before)
    if wish.description is not None:
        text = edit.set_value(text, ["description"], wish.description)
    if wish.owner is not None:
        for name, given in typed.owner(wish.owner).items():
            text = edit.set_value(text, ["owner", name], given)
    if wish.expires is not None:
        text = _expiry(text, typed.expiry(wish.expires, now))
    if outcomes:
        text = edit.set_outcome(text, ["default"], flag.outcome(wish))
    if wish.on is not None:
        text = _switched(text, flag, on=wish.on, outcome=bool(outcomes))
    for variant, users in ((flag.on(wish.allow), wish.allow), (flag.off, wish.deny), ("", wish.unset_users)):
        for user in users:
            text = _override(text, flag, user, variant)
    for field in wish.fields:
        path, sign, given = field.partition("=")
        if not sign:
            raise UsageError(f'"{field}" is no PATH=VALUE', hint="such as rules/eu-beta/rollout=50")
        text = _unset(text, path) if given == "" else _field(text, flag, path, given)
    for path in wish.unset:
        text = _unset(text, path)
    notes = _effects(before, edit.read(text), now)
    if wish.on and flag.boolean and edit.read(text) == before and before.get("default") not in _EVERYBODY:
        notes.append("its switch is on already, and the default decides who gets it; --serve on gives it to everybody")
    return text, notes


class _Flag:
    """What the edits need to know of a flag's data, be it right or wrong."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.boolean = data.get("type", "boolean") == "boolean"
        self.off = str(data.get("off_variant", "off"))

    def on(self, users: tuple[str, ...]) -> str:
        """The variant that --allow gives."""
        if users and not self.boolean:
            raise UsageError(
                "--allow is for boolean flags: this one has no `on`", hint=f"overrides/VARIANT/-={users[0]} adds a user"
            )
        return "on"

    def spelled(self, variant: str, like: Any) -> Any:
        """`on` and `off`, as a file writes them that has `like` in their place."""
        if isinstance(like, bool) and self.boolean and variant in _BOOLEAN:
            return variant == "on"
        return variant

    def outcome(self, wish: Wish) -> dict[str, Any]:
        """What `default` becomes."""
        if wish.rollout is not None:
            if not self.boolean:
                raise UsageError("--rollout is for boolean flags", hint="--split a=50,b=50")
            return {"rollout": typed.percentage(wish.rollout)}
        if wish.split is not None:
            old = _mapping(_mapping(self.data.get("default")).get("split"))
            return {"split": {self._key(old, name): share for name, share in typed.shares(wish.split).items()}}
        asked = str(wish.serve)
        if self.boolean:
            asked = {"true": "on", "false": "off"}.get(asked, asked)
        return {"serve": self.spelled(asked, _mapping(self.data.get("default")).get("serve"))}

    def _key(self, old: dict[str, Any], name: str) -> str:
        return next((key for key in _BOOLEAN.get(name, ()) if self.boolean and key in old), name)


def _expiry(text: str, given: str | None) -> str:
    if given is not None:
        return edit.set_value(text, ["expires_at"], given)
    return edit.delete(text, ["expires_at"]) if "expires_at" in edit.read(text) else text


def _switched(text: str, flag: _Flag, *, on: bool, outcome: bool) -> str:
    # The kill switch comes first: after --off, --on brings back what was. Only where it is on already and
    # still nobody gets the flag by default is `on` what --on must mean.
    if not on or flag.data.get("enabled", True) is not True:
        return edit.set_value(text, ["enabled"], on)
    served = _mapping(flag.data.get("default")).get("serve", "off" if not flag.data.get("default") else None)
    if flag.boolean and not outcome and served in ("off", False):
        return edit.set_outcome(text, ["default"], {"serve": flag.spelled("on", served)})
    return text


def _override(text: str, flag: _Flag, user: str, variant: str) -> str:
    spellings = _BOOLEAN.get(variant, (variant,)) if flag.boolean else (variant,)
    overrides = _mapping(edit.read(text).get("overrides"))
    wanted = next((name for name in overrides if name in spellings), variant)
    for name, users in overrides.items():
        for member in users if isinstance(users, list) and name != wanted else []:
            if str(member) == user:
                text = edit.remove_item(text, ["overrides", name], member)
    members = overrides.get(wanted)
    if not variant or (isinstance(members, list) and user in members):
        return text
    return edit.append(text, ["overrides", wanted], user)


def _field(text: str, flag: _Flag, path: str, given: str) -> str:
    parts = _parts(path)
    value = typed.value(given, parts, boolean=flag.boolean)
    holder = parts[:-1]
    if parts[-1] in OUTCOMES and holder and (holder[-1] == "default" or holder[0] == "rules"):
        return edit.set_outcome(text, holder, {parts[-1]: value})
    return edit.set_value(text, parts, value)


def _unset(text: str, path: str) -> str:
    parts = _parts(path)
    # Values of variants are the owner's own: an object left empty is a value too.
    return edit.delete(text, parts, prune=parts[0] != "variants")


def _parts(path: str) -> list[str]:
    parts = parts_of(f"/{path.strip('/')}")
    if not all(parts):
        raise UsageError(f'"{path}" is no path', hint="such as default/rollout or rules/eu-beta/rollout")
    return parts


def _mapping(data: Any) -> dict[str, Any]:
    return data if isinstance(data, dict) else {}


def _effects(before: dict[str, Any], after: dict[str, Any], now: float) -> list[str]:
    changed = {name for name in ("enabled", "default") if before.get(name) != after.get(name)}
    notes = []
    if "default" in changed and after.get("enabled") is False:
        notes.append("the flag stays off: its kill switch is off (enabled: false); --on turns it on")
    for entry in after.get("schedule") or []:
        at = times.seconds(str(entry.get("at"))) if isinstance(entry, dict) else None
        for name in sorted(changed & set(entry)) if at is not None and at <= now else []:
            notes.append(f"{name} comes from the schedule since {entry['at']}; what was changed has no effect now")
    expires = times.seconds(str(after.get("expires_at")))
    if changed and expires is not None and expires <= now:
        notes.append(f"the flag has expired ({after['expires_at']}); --expires gives it more time")
    return list(dict.fromkeys(notes))
