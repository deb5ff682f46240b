"""What one run of `simulate` does: flags are read and compiled, synthetic people asked, a picture drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from flagctl.errors import UsageError

if TYPE_CHECKING:
    from flagctl.cli.asking import Question
    from flagctl.evaluate.simulate import Simulation
    from flagctl.project import Project

PICTURES = (".svg", ".png")


class Simulated(msgspec.Struct, frozen=True, kw_only=True):
    """A simulation and what it is of; warnings: what was odd about the question, each with a hint or ""."""

    environment: str
    flag: str
    now: float
    seed: int
    found: Simulation
    warnings: list[tuple[str, str]]


def simulate(project: Project, environment: str, key: str, question: Question, *, users: int, seed: int) -> Simulated:
    """Ask for a flag on behalf of synthetic people. Raises as `asking.ask` does."""
    from flagctl.cli import asking
    from flagctl.compile.snapshot import snapshot
    from flagctl.evaluate import context as typed
    from flagctl.evaluate.simulate import simulate

    reading = asking.read(project, environment, key)
    attributes = reading.repository.attributes
    document = snapshot(reading.repository.environments[environment], reading.repository.settings, attributes)
    context, warnings = typed.from_arguments(question.attributes, attributes, asking.base(question))
    with project.progress(f"asking for {key}") as report:
        found = simulate(document, key, context, question.now, users=users, seed=seed, report=report)
    return Simulated(environment=environment, flag=key, now=question.now, seed=seed, found=found, warnings=warnings)


def draw(done: Simulated, path: Path) -> None:
    """Write the picture of a simulation. Raises UsageError or OutsideError."""
    from flagctl.cli.formats.simulation import picture
    from flagctl.files.write import write

    try:
        import vl_convert
    except ImportError:
        raise UsageError(
            "--plot needs vl-convert-python, which is not installed", hint='pip install "flagctl[plot]"'
        ) from None
    if path.suffix == ".svg":
        data = vl_convert.vegalite_to_svg(picture(done)).encode()
    else:
        data = vl_convert.vegalite_to_png(picture(done), scale=2)
    write(path, data)


def picture_path(plot: str | None) -> Path | None:
    """Where the picture goes. Raises UsageError for a format that can't be drawn."""
    if plot is None or Path(plot).suffix in PICTURES:
        return None if plot is None else Path(plot)
    raise UsageError(f'"{plot}" is no name of a picture', hint=f"end it in {' or '.join(PICTURES)}")
