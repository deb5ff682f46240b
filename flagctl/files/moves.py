"""Flags that get another key, or go: the files this touches, and who stands in the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flagctl.errors import RefusedError, UsageError
from flagctl.files import edit, newflag
from flagctl.files.walk import classify
from flagctl.model.repository import require_environment
from flagctl.problems import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from flagctl.model.repository import Repository

Texts = dict[str, str | None]


def renamed(repository: Repository, old: str, new: str, text_of: Callable[[str], str]) -> Texts:
    """New texts by path that give the flag `old` the key `new` in every environment, its tests with it.

    A bucketed outcome without a salt gets the old key as its salt: the key was its salt, and without it
    everybody would be dealt anew. Raises UsageError, or RefusedError while other flags require it.
    """
    files = _files(repository, old, repository.environments)
    _refuse_required(repository, old, files, "renamed")
    newflag.valid(new)
    texts: Texts = {}
    for environment, path in files.items():
        for key, taken in repository.environments[environment].flag_files.items():
            if key.lower() == new.lower() and key != old:
                raise UsageError(f'"{new}" is taken: there is {taken}', hint="choose another key")
        texts[path] = None
        texts[f"{path.rpartition('/')[0]}/{new}.yaml"] = _salted(text_of(path), old)
    for path in sorted({case.file for case in repository.expectations if case.flag == old}):
        text = text_of(path)
        if "flag" in edit.read(text):
            text = edit.set_value(text, ["flag"], new)
        moves = classify(path).name == old
        texts[path] = None if moves else text
        if moves:
            texts[f"flags/tests/{new}.yaml"] = text
    return texts


def removed(repository: Repository, key: str, environments: Collection[str]) -> Texts:
    """The files that go when a flag goes from these environments (none: all), its tests with the last of them.

    Raises UsageError where there is no such flag, RefusedError while other flags require it.
    """
    for name in environments:
        require_environment(name, repository.environments)
    files = _files(repository, key, environments or repository.environments)
    _refuse_required(repository, key, files, "removed")
    texts: Texts = dict.fromkeys(files.values())
    kept = [name for name, held in repository.environments.items() if key in held.flag_files and name not in files]
    if not kept:
        texts |= dict.fromkeys(sorted({case.file for case in repository.expectations if case.flag == key}))
    return texts


def _files(repository: Repository, key: str, environments: Collection[str]) -> dict[str, str]:
    held = {name: repository.environments[name].flag_files for name in environments}
    found = {name: files[key] for name, files in held.items() if key in files}
    if not found:
        known = {other for files in held.values() for other in files}
        where = f" in {', '.join(environments)}" if len(environments) < len(repository.environments) else ""
        raise UsageError(
            f'no flag "{key}"{where}', hint=did_you_mean(key, known) or "flagctl list shows the flags there are"
        )
    return found


def _refuse_required(repository: Repository, key: str, environments: Collection[str], what: str) -> None:
    dependants = [
        held.flag_files[flag.key]
        for name, held in repository.environments.items()
        if name in environments
        for flag in held.flags.values()
        if any(requirement.flag == key for requirement in flag.requires)
    ]
    if dependants:
        raise RefusedError(
            f"{key} can't be {what} while other flags require it: {', '.join(sorted(dependants))}",
            hint="take it out of their `requires` first",
        )


def _salted(text: str, key: str) -> str:
    data = edit.read(text)
    holders: list[tuple[list[str | int], Any]] = [(["default"], data.get("default"))]
    holders += [(["rules", i], rule) for i, rule in enumerate(data.get("rules") or [])]
    for i, entry in enumerate(data.get("schedule") or []):
        holders.append((["schedule", i, "default"], entry.get("default") if isinstance(entry, dict) else None))
    for where, outcome in holders:
        bucketed = isinstance(outcome, dict) and not {"rollout", "split", "ramp"}.isdisjoint(outcome)
        if bucketed and "salt" not in outcome:
            text = edit.set_value(text, [*where, "salt"], key)
    return text
