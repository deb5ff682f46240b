"""New flags: their text, and where it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from flagctl.errors import UsageError
from flagctl.files import typed
from flagctl.files.read import load
from flagctl.files.render import Writer
from flagctl.files.walk import KEY
from flagctl.model.repository import require_environment

if TYPE_CHECKING:
    from collections.abc import Collection

    from flagctl.model.repository import Repository

TYPES = ("boolean", "string", "integer", "number", "object")
_EXAMPLES = {
    "string": "--variants red,green or --variants a=red,b=green",
    "object": "--variants '{small: {width: 1}, large: {width: 2}}'",
}


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says of a new flag, in the words of the options."""

    description: str
    owner: str
    type: str = "boolean"
    kind: str = ""
    variants: str = ""
    off_variant: str = ""
    expires: str = ""

    def text(self, now: float) -> str:
        """The file, which gives everybody the off variant. Raises UsageError."""
        if self.type not in TYPES:
            raise UsageError(f'"{self.type}" is no type', hint=f"one of {', '.join(TYPES)}")
        boolean, off = self.type == "boolean", "off"
        if not self.description.strip():
            raise UsageError("the description is empty", hint="say in a sentence what the flag does")
        data: dict[str, Any] = {"description": self.description, "owner": typed.owner(self.owner)}
        if self.kind:
            data["kind"] = self.kind
        if boolean and (self.variants or self.off_variant not in ("", "off")):
            raise UsageError(
                "a boolean flag's variants are on and off, and off is its off variant", hint="--type string"
            )
        if not boolean:
            variants = _variants(self.variants, self.type)
            off = self.off_variant or next(iter(variants))
            if off not in variants:
                raise UsageError(f'the off variant "{off}" is none of {", ".join(variants)}', hint="--off-variant NAME")
            data |= {"type": self.type, "variants": variants, "off_variant": off}
        if self.expires and (expires := typed.expiry(self.expires, now)):
            data["expires_at"] = expires
        data["default"] = {"serve": off}
        writer = Writer(boolean=boolean)
        return "".join(f"{line}\n" for key, value in data.items() for line in writer.entry(key, value, 0))


def valid(key: str) -> str:
    """The key, if a flag can have it; raises UsageError."""
    if not KEY.fullmatch(key):
        raise UsageError(
            f"\"{key}\" can't be a flag's key",
            hint="letters, digits, dots, dashes and underscores, beginning with a letter or digit, at most 128",
        )
    return key


def added(
    repository: Repository, key: str, environments: Collection[str], text: str, *, schema: bool
) -> dict[str, str | None]:
    """The text by path that starts the flag in these environments (none: all), in the folder it has elsewhere.

    schema: point editors to the repository's `schema/`. Raises UsageError when the flag is there already.
    """
    valid(key)
    held = repository.environments
    for name in environments:
        require_environment(name, held)
    elsewhere = [files[key] for files in (of.flag_files for of in held.values()) if key in files]
    folder = "/".join(elsewhere[0].split("/")[2:-1]) if elsewhere else ""
    texts: dict[str, str | None] = {}
    for name in environments or held:
        for other, path in held[name].flag_files.items():
            if other.lower() == key.lower():
                hint = f"flagctl set {other} -e {name}" if other == key else "keys differ by more than case"
                raise UsageError(f'there is a flag "{other}" in {name} already: {path}', hint=hint)
        path = "/".join(part for part in ("flags", name, folder, f"{key}.yaml") if part)
        up = "../" * path.count("/")
        texts[path] = (f"# yaml-language-server: $schema={up}schema/flag.schema.json\n" if schema else "") + text
    return texts


def _variants(given: str, kind: str) -> dict[str, Any]:
    hint = _EXAMPLES.get(kind, "--variants low=1,high=10")
    if not given:
        raise UsageError(f"a flag of type {kind} names its variants", hint=hint)
    if given.startswith("{"):
        data, _ = load(f"value: {given}\n".encode(), "")
        found = data.get("value") if data else None
        if not isinstance(found, dict) or not found:
            raise UsageError(f"{given} names no variants", hint=hint)
        return found
    variants: dict[str, Any] = {}
    for part in given.split(","):
        name, sign, value = (piece.strip() for piece in part.partition("="))
        if not name or name in variants or (not sign and kind != "string"):
            raise UsageError(f'"{given}" names no variants with their values', hint=hint)
        value = value if sign else name
        variants[name] = value if kind == "string" else typed.value(value, [], boolean=False)
    return variants
