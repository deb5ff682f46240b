"""For tests of applications that ask flags: answers that a test chooses, and clients that need no source.

    with override({"wishlist-gallery": True}):  # every client of the process, in all its threads
        ...

    @override(client, {"page-size": 50})  # one client, in this thread or task; before functions and coroutines
    async def test_pages(): ...

    flags = Flags({"wishlist-gallery": True, "checkout-test": "treatment"})  # a client of these flags and no others
    flags = from_folder("../flags-repository", "production")  # a client of the files, as they lie there

pytest has the fixture `flagctl_flags`, an empty Flags for each test.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ContextDecorator
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from flagctl.client.client import Client
from flagctl.client.lifetime import OPEN
from flagctl.client.scope import EVERYWHERE
from flagctl.compile.snapshot import FORMAT, encode
from flagctl.errors import ProblemsError, UsageError
from flagctl.stores.base import UNCHANGED, Stored

Function = TypeVar("Function", bound=Callable[..., Any])
_FOR_EVER = 10**9
_TYPES: dict[type, str] = {bool: "boolean", str: "string", int: "integer", float: "number", dict: "object"}


class override(ContextDecorator):  # noqa: N801 - read as a word of the language
    """Answer flags with values, whatever their snapshot says; as a `with` block or before a function.

    Values are not looked at: a flag that there is not has one too.
    """

    def __init__(self, client: Client | Mapping[str, Any], values: Mapping[str, Any] | None = None) -> None:
        """client: whose answers, in this thread or task and the tasks it starts; left out: those of all clients that
        are open or will be, in all threads.
        """
        if isinstance(client, Client) is (values is None):
            raise UsageError("override takes values, or a client and values", hint='override({"gallery": True})')
        self._given = (client, values)
        self._open: list[AbstractContextManager[None]] = []

    def __enter__(self) -> None:
        client, values = self._given
        if isinstance(client, Client):
            scope: AbstractContextManager[None] = client.forced(values or {})
        else:
            scope = _Everywhere(dict(client))
        scope.__enter__()
        self._open.append(scope)

    def __exit__(self, *error: Any) -> None:
        self._open.pop().__exit__(*error)

    def __call__(self, function: Function) -> Function:
        """The function inside such a block; a coroutine function too."""
        from inspect import iscoroutinefunction

        if not iscoroutinefunction(function):
            return super().__call__(function)

        @wraps(function)
        async def inside(*arguments: Any, **named: Any) -> Any:
            with self._recreate_cm():
                return await function(*arguments, **named)

        return inside  # type: ignore[return-value]

    def _recreate_cm(self) -> override:
        return override(*self._given)


class _Everywhere(AbstractContextManager[None]):
    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def __enter__(self) -> None:
        EVERYWHERE.append(self._values)
        self._tell()

    def __exit__(self, *_: object) -> None:
        # By identity: blocks of several threads may end in another order than they began.
        EVERYWHERE[:] = [values for values in EVERYWHERE if values is not self._values]
        self._tell()

    @staticmethod
    def _tell() -> None:
        for client in list(OPEN):
            if isinstance(client, Client):
                client.choose()


class Memory:
    """A place for one snapshot that a test changes."""

    url = "memory:"

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.number = 0

    def get(self, key: str) -> Stored | None:
        """See Reader."""
        return Stored(self.data, str(self.number)) if key.endswith("/snapshot.json") else None

    def read_if_changed(self, key: str, token: str) -> Stored | None:
        """See Reader."""
        return UNCHANGED if token == str(self.number) else self.get(key)


class Flags(Client):
    """A client of the flags that a test says. What is set holds for all threads, at once; nothing else is done."""

    def __init__(self, values: Mapping[str, Any] | None = None, *, environment: str = "test") -> None:
        """values: of each flag, for everybody: a boolean, a text, a number or an object."""
        self._memory = Memory(b"")
        self._values: dict[str, Any] = {}
        self._version = 0
        super().__init__(self._memory, environment, cache=False, start=False)
        self.set(values or {})

    def set(self, values: Mapping[str, Any]) -> None:
        """Give flags these values; others keep theirs. A text is the name of its variant too."""
        unknown = sorted(key for key, value in values.items() if type(value) not in _TYPES)
        if unknown:
            raise UsageError(
                f"{unknown[0]} has no value that a flag can have", hint="a boolean, text, number or object"
            )
        self._values |= values
        self._version += 1
        self._memory.data = encode(_snapshot(self.environment, self._version, self._values))
        self._memory.number += 1
        self.tick(told=True)

    def unset(self, key: str) -> None:
        """There is no such flag any more."""
        self._values.pop(key, None)
        self.set({})


def from_folder(root: str | os.PathLike[str], environment: str) -> Client:
    """A client of an environment as its files are now: `root` holds `flags/`. Nothing is published for it.

    Raises UsageError for a folder or an environment there is not, ProblemsError for files that can't be read.
    """
    from flagctl.compile.snapshot import snapshot
    from flagctl.model.repository import require_environment
    from flagctl.project import Project

    reading = Project.find(Path(root)).read()
    if reading.problems:
        problem = reading.problems[0]
        raise ProblemsError(f"{problem.file}: {problem.message}", reading.problems, hint="flagctl check shows all")
    repository = reading.repository
    require_environment(environment, list(repository.settings.environments))
    document = snapshot(repository.environments[environment], repository.settings, repository.attributes, version=1)
    client = Client(Memory(encode(document)), environment, cache=False, start=False)
    client.tick(told=True)
    return client


def _snapshot(environment: str, version: int, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "environment": environment,
        "version": version,
        "commit": None,
        "commit_time": None,
        "bucketing": "portable",
        "protected": False,
        "attributes": {},
        "segments": {},
        "flags": {key: _flag(value) for key, value in values.items()},
    }


def _flag(value: Any) -> dict[str, Any]:
    served = ("on" if value else "off") if isinstance(value, bool) else value if isinstance(value, str) else "value"
    return {
        "type": _TYPES[type(value)],
        "variants": {"on": True, "off": False} if isinstance(value, bool) else {served: value},
        "off_variant": "off" if isinstance(value, bool) else served,
        "enabled": True,
        "default": {"serve": served},
        "ttl": _FOR_EVER,
        "metadata": {"owner": "test", "kind": "release", "description": "A flag of a test."},
    }
