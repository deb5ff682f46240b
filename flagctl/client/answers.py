"""How an evaluation goes when it is not enough to ask the snapshot at hand.

While a snapshot is fresh and nobody previews anything, a client asks the snapshot's engine and nothing else. All else
comes through here: no snapshot yet, one that is older than a flag allows, previews, forced values, frozen work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from flagctl.client.scope import in_force
from flagctl.evaluate.evaluator import Resolution

if TYPE_CHECKING:
    from flagctl.client.held import Held
    from flagctl.client.keeper import Keeper
    from flagctl.evaluate.engine import Made

Context = Mapping[str, Any]
Note = Callable[[str, Context, Resolution, float], None]
"""Is told of a question: flag, context, answer, and when. It must be quick, and never raise."""


class Account(msgspec.Struct, frozen=True, eq=False):
    """Who keeps account of questions.

    table: gives what an engine made a third place, a Page to write on. note: told of questions that have no page.
    turn: called by the client's thread with the monotonic time; gives back in how many seconds again.
    after_fork: called in the child of a fork.
    """

    table: Callable[[Mapping[str, Made]], Mapping[str, Made]]
    note: Note
    turn: Callable[[float], float]
    after_fork: Callable[[], None]


FORCED = "forced"
"""The rule that a value forced by a test answers by."""


class Answers(Protocol):
    """What answers; an Engine does. `now` is seconds since the epoch. Nothing raises."""

    def enabled(self, key: str, context: Context, now: float) -> bool:
        """Whether a boolean flag is on."""

    def variant(self, key: str, context: Context, now: float) -> str | None:
        """The name of the variant."""

    def value(self, key: str, context: Context, now: float, default: Any = None) -> Any:
        """The value."""

    def evaluate(self, key: str, context: Context, now: float, *, default: Any = None) -> Resolution:
        """Everything there is to say."""


class Whole:
    """Answers whose four ways are one; `evaluate` is to be written."""

    def evaluate(self, key: str, context: Context, now: float, *, default: Any = None) -> Resolution:
        """See Answers."""
        raise NotImplementedError

    def enabled(self, key: str, context: Context, now: float) -> bool:
        """See Answers."""
        return self.evaluate(key, context, now).value is True

    def variant(self, key: str, context: Context, now: float) -> str | None:
        """See Answers."""
        return self.evaluate(key, context, now).variant

    def value(self, key: str, context: Context, now: float, default: Any = None) -> Any:
        """See Answers."""
        return self.evaluate(key, context, now, default=default).value


class Careful(Whole):
    """Answers that look at the scopes in force and at the age of the snapshot."""

    def __init__(self, owner: object, keeper: Keeper, wake: Callable[[], None]) -> None:
        """owner: the client, as scopes name it. wake: asks for a look at the source at once."""
        self._owner = owner
        self._keeper = keeper
        self._wake = wake

    def evaluate(self, key: str, context: Context, now: float, *, default: Any = None) -> Resolution:
        """See Answers."""
        scope = in_force(self._owner)
        if key in scope.forced:
            return Resolution(scope.forced[key], None, "STATIC", rule=FORCED)
        newest = self._keeper.held
        held = scope.held or newest
        if held is None:
            self._wake()
            return Resolution(default, None, "ERROR", "PROVIDER_NOT_READY", "there is no snapshot yet")
        answer = held.engine.evaluate(key, context, now, default=default, preview=scope.preview)
        return answer if held is not newest else self._aged(key, held, answer, default)

    def _aged(self, key: str, held: Held, answer: Resolution, default: Any) -> Resolution:
        age = self._keeper.age()
        if age < held.ttl:
            return answer
        flag = held.engine.flag(key)
        if flag is None or age < flag.ttl:
            return answer
        self._wake()
        if answer.reason == "ERROR":
            return answer
        if flag.max_stale is not None and age > flag.max_stale and flag.stale != "serve":
            said = f"the snapshot is {age:.0f} s old, and this flag allows {flag.max_stale}"
            if flag.stale == "error":
                return Resolution(default, None, "ERROR", "GENERAL", said)
            return Resolution(default, None, "STALE", None, said)
        return Resolution(answer.value, answer.variant, "STALE", answer.error_code, answer.error_message, answer.rule)


class Waking(Whole):
    """Answers of a client whose thread stayed behind in the parent process: the first question starts another."""

    def __init__(self, start: Callable[[], Answers]) -> None:
        self._start = start

    def evaluate(self, key: str, context: Context, now: float, *, default: Any = None) -> Resolution:
        """See Answers."""
        return self._start().evaluate(key, context, now, default=default)


class Noted(Whole):
    """Answers that somebody keeps account of."""

    def __init__(self, inner: Answers, note: Note) -> None:
        self._evaluate = inner.evaluate
        self._note = note

    def evaluate(self, key: str, context: Context, now: float, *, default: Any = None) -> Resolution:
        """See Answers."""
        answer = self._evaluate(key, context, now, default=default)
        self._note(key, context, answer, now)
        return answer

    def enabled(self, key: str, context: Context, now: float) -> bool:
        """See Answers; said again because it is asked most."""
        answer = self._evaluate(key, context, now)
        self._note(key, context, answer, now)
        return answer.value is True
