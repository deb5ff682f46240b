"""Other projects' published specifications, which stand beside this one and not in it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
# Looked up before tests begin: they run without the developer's own settings.
_NAMED = os.environ.get("FLAGCTL_SPECS")


def specs(name: str) -> Path:
    """A folder of specifications: in FLAGCTL_SPECS if that is set, else in shared/data beside or above the project."""
    places = [Path(_NAMED)] if _NAMED else [folder / "shared" / "data" for folder in ROOT.parents]
    for place in places:
        if (place / name).is_dir():
            return place / name
    message = f"{name} is in none of {', '.join(map(str, places))}: name the folder that holds it in FLAGCTL_SPECS"
    raise FileNotFoundError(message)


def schema(folder: str, name: str) -> dict[str, Any]:
    """One JSON document of such a folder."""
    found: dict[str, Any] = json.loads((specs(folder) / name).read_text())
    return found
