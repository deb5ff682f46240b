"""What the `key` commands share: the key at hand, a new one on disk, and its public half in settings."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flagctl.errors import OutsideError, RefusedError, UsageError
from flagctl.files.walk import KEY, SETTINGS
from flagctl.model import times

if TYPE_CHECKING:
    from collections.abc import Callable

    from flagctl.cli.session import Session
    from flagctl.history.change import Changed
    from flagctl.model.repository import Settings
    from flagctl.project import Project
    from flagctl.publish.draft import Sign
    from flagctl.signing import PrivateKey


def repository_folder(project: Project) -> Path:
    """The folder that a private key must not lie in: the Git repository's, else the one that holds `flags/`."""
    from flagctl.history.git import Git

    git = Git.find(project.root)
    return Path(str(project.root).removesuffix("/" + git.prefix.rstrip("/"))) if git and git.prefix else project.root


def key_at_hand(session: Session, settings: Settings) -> PrivateKey | None:
    """The private key that the environment or settings name, its passphrase asked for on a terminal."""
    from flagctl.publish.keys import private_key

    ask = (lambda: getpass.getpass("passphrase of the signing key: ")) if session.out.interactive else None
    return private_key(settings.signing, os.environ, repository_folder(session.project()), ask)


def signer_of(session: Session) -> Callable[[Settings], Sign | None]:
    """What signs by some settings, with the key at hand."""
    from flagctl.publish.keys import signer

    return lambda settings: signer(settings, key_at_hand(session, settings), session.now())


def place_for(name: str, file: Path | None, project: Project) -> Path:
    """Where a new private key goes. Raises UsageError for a bad name, RefusedError for a place that won't do."""
    if not KEY.fullmatch(name):
        raise UsageError(f'"{name}" can\'t name a key', hint="letters, digits, dots, dashes and underscores")
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    path = (file or home / "flagctl" / "keys" / name).absolute()
    if path.resolve().is_relative_to(repository_folder(project).resolve()):
        raise RefusedError(
            f"{path} lies in the repository, and whoever reads it could sign", hint="name another --file"
        )
    if path.exists():
        raise RefusedError(f"{path} exists already", hint="choose another name, or name another --file")
    return path


def save(path: Path, text: str) -> None:
    """A private key as a file that its owner alone can read; never over another."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
    except OSError as error:
        raise OutsideError(f"{path} can't be written: {error.strerror}", hint="name another --file") from error


def moment(text: str | None, option: str, now: float) -> str | None:
    """A date or time as it was written; a duration such as 30d is counted from now."""
    if text is None or times.seconds(text) is not None:
        return text
    span = times.duration(text)
    if span is None:
        raise UsageError(f'{option} "{text}" is no time', hint="write 2027-01-01, or 30d for thirty days from now")
    return times.text(now + span)


def _seconds(text: str | None) -> int | None:
    return None if text is None else times.seconds(text)


def changed_settings(
    session: Session, edits: list[tuple[list[str | int], Any]], message: str, **options: Any
) -> Changed:
    """Settings with values put at places, or (a list's name alone) behind its last member; committed."""
    from flagctl.files import edit
    from flagctl.history.change import apply, text_of

    project = session.project()
    before = text = text_of(project, SETTINGS)
    for place, value in edits:
        text = edit.append(text, place, value) if len(place) == 1 else edit.set_value(text, place, value)
    return apply(
        project, {SETTINGS: text}, before={SETTINGS: before}, message=message, trailers=[], now=session.now(), **options
    )


def retired(settings: Settings, name: str | None, now: float) -> str:
    """The key that a rotation retires: the one named, else the only one that has no end yet. Raises UsageError."""
    names = [key.name for key in settings.keys]
    if name is not None:
        if name not in names:
            raise UsageError(f'no key "{name}"', hint=f"there are {', '.join(names)}" if names else "flagctl key new")
        return name
    endless = [key.name for key in settings.keys if key.until is None or key.until > now]
    if len(endless) != 1:
        said = f"{', '.join(endless)} are in use" if endless else "no key is in use"
        raise UsageError(f"{said}, so it is not clear which to retire", hint="--retire NAME, or flagctl key new NAME")
    return endless[0]


def make(
    session: Session, name: str, file: Path | None, *, line: bool, options: dict[str, Any], as_json: bool,
    since: str | None = None, until: str | None = None, retire: tuple[str | None, str] | None = None,
) -> None:  # fmt: skip
    """A new key: settings are changed first, so that no key lies about that nobody was told of; then it is shown.

    retire: the key whose end is set, and when.
    """
    from flagctl.cli.formats.changes import show
    from flagctl.publish.keys import FILE, fingerprint
    from flagctl.signing import PrivateKey, public_line

    project, now = session.project(), session.now()
    settings, path, out = project.settings(), place_for(name, file, project), session.out
    dry_run = options["dry_run"]
    if name in {key.name for key in settings.keys}:
        raise UsageError(f'there is a key "{name}" already', hint="flagctl key list shows them")
    key = PrivateKey.new()
    entry = {"name": name, "public": public_line(key.public, name)}
    bounds = {"from": moment(since, "--from", now), "until": moment(until, "--until", now)}
    if (_seconds(bounds["until"]) or now + 1) <= now:
        raise UsageError(f'--until "{until}" is over, so nobody would believe the key', hint="--until 365d")
    edits: list[tuple[list[str | int], Any]] = [(["keys"], entry | {field: at for field, at in bounds.items() if at})]
    message = f"Add the signing key {name}"
    if retire is not None:
        old = retired(settings, retire[0], now)
        message = f"Rotate the signing key {old} to {name}"
        last = moment(retire[1], "--after", now)
        ends = next(known.until for known in settings.keys if known.name == old)
        if ends is not None and ends <= (_seconds(last) or ends):
            out.say(f"{old} is retired at {times.text(ends)} already; that stays")
        else:
            edits.append((["keys", old, "until"], last))
    if not dry_run:
        save(path, key.line() + "\n" if line else key.pem())
    try:
        changed = changed_settings(session, edits, message, **options)
    except BaseException:
        if not dry_run:
            path.unlink(missing_ok=True)
        raise
    about = {"key": name, "private_key": None if dry_run else str(path), "fingerprint": fingerprint(key.public)}
    show(out, changed, what="the key is listed already", dry_run=dry_run, as_json=as_json, **about)
    if not dry_run:
        out.say(f"the private half is in {path}; publish with {FILE}={path}")
