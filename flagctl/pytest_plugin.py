"""pytest's fixture `flagctl_flags`; pytest loads this at every run, so it loads nothing else before it is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from flagctl.client.testing import Flags


@pytest.fixture
def flagctl_flags() -> Iterator[Flags]:
    """A client without a source; `flagctl_flags.set({"gallery": True})` says what it answers, in all threads."""
    from flagctl.client.testing import Flags

    with Flags() as flags:
        yield flags
