"""CODEOWNERS from owners and settings, so that the forge's own branch protection asks the same people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from flagctl.model.repository import Environment, Repository, Settings

BEGIN = "# flagctl: begin. Written by `flagctl codeowners`: what you change between these lines is overwritten."
END = "# flagctl: end"


def renewed(text: str, repository: Repository, prefix: str = "") -> str:
    """The text of a CODEOWNERS file with our part as it should be; the rest is somebody else's and stays.

    prefix: the folder that holds `flags/`, from the root of the Git repository, "" or with a slash at its end.
    Our part comes last where it is new: the last line that matches a file decides.
    """
    ours = [BEGIN, *lines(repository, prefix), END]
    kept = text.splitlines()
    if BEGIN in kept and END in kept[kept.index(BEGIN) :]:
        start = kept.index(BEGIN)
        end = kept.index(END, start)
        return "\n".join([*kept[:start], *ours, *kept[end + 1 :]]) + "\n"
    return "\n".join([*kept, *([""] if kept else []), *ours]) + "\n"


def lines(repository: Repository, prefix: str = "") -> Iterator[str]:
    """One line for each path that has owners of its own; later lines win."""
    settings = repository.settings
    shared: dict[str, None] = {}
    for environment in settings.environments.values():
        if environment.approvals is not None:
            shared |= dict.fromkeys(handles(settings, environment.approvals.teams))
    if shared:
        for name in ("flagctl.yaml", "attributes.yaml"):
            yield _line(prefix, f"flags/{name}", shared)
    for name, place in repository.environments.items():
        policy = settings.environments.get(name)
        if policy is None or policy.approvals is None:
            continue
        general = handles(settings, policy.approvals.teams)
        if general:
            yield _line(prefix, f"flags/{name}/", general)
        if policy.approvals.owner:
            owners = {path: handles(settings, [team]) for path, team in _teams(place).items()}
            yield from _folder(prefix, f"flags/{name}", owners, general)


def handles(settings: Settings, names: Iterable[str]) -> tuple[str, ...]:
    """The people and teams that CODEOWNERS can name: @org/team, @login, or an e-mail address."""
    found: dict[str, None] = {}
    for name in names:
        team = settings.teams.get(name)
        if team is None:
            found |= dict.fromkeys([name] if "@" in name else [])
        else:
            found |= dict.fromkeys([team.handle] if team.handle else team.members)
    return tuple(found)


def _teams(place: Environment) -> dict[str, str]:
    """Path to owning team, of all files that have one."""
    found = {place.flag_files[key]: flag.owner.team for key, flag in place.flags.items() if key in place.flag_files}
    for name, segment in place.segments.items():
        if segment.owner is not None and name in place.segment_files:
            found[place.segment_files[name]] = segment.owner.team
    return found


def _folder(prefix: str, folder: str, owners: Mapping[str, tuple[str, ...]], above: tuple[str, ...]) -> Iterator[str]:
    """The lines of a folder: one, where all in it have the same owners; else those of what is in it."""
    inside = {path: whose for path, whose in owners.items() if path.startswith(f"{folder}/")}
    alike = set(inside.values())
    if len(alike) == 1 and (whose := alike.pop()):
        if whose != above:
            yield _line(prefix, f"{folder}/", whose)
        return
    for path in sorted({f"{folder}/{path[len(folder) + 1 :].split('/')[0]}" for path in inside}):
        if path not in inside:
            yield from _folder(prefix, path, inside, above)
        elif inside[path] and inside[path] != above:
            yield _line(prefix, path, inside[path])


def _line(prefix: str, path: str, owners: Iterable[str]) -> str:
    name = f"/{prefix}{path}".replace(" ", r"\ ")
    return f"{name} {' '.join(owners)}"
