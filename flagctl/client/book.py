"""Where questions are written down for whoever counts them, in bounded memory.

Each flag has a page of its own, so that a question leaves one or two words behind and not the whole of it. Places are
handed out: a question takes one of its page's, and whoever finds none asks the book for more. The book has places for
so many questions in all; where it has none left, a question is dropped, and counted as dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import repeat
from threading import RLock
from typing import TYPE_CHECKING, Any

from flagctl.client.counts import MOST_FLAGS, OTHERS
from flagctl.evaluate.bucket import key_text
from flagctl.model.condition import TARGETING_KEY

if TYPE_CHECKING:
    from flagctl.evaluate.engine import Made
    from flagctl.evaluate.evaluator import Resolution

Asked = tuple[str, "Resolution", int]
"""Flag, answer, and how often."""
Who = tuple[str, Iterable[str | None]]
"""Flag, and everybody who was answered."""
Sight = tuple[str, "Resolution", object, float, Mapping[str, Any]]
"""Somebody in an experiment: flag, answer, targeting key, time, context."""
_NOTHING: Mapping[str, Any] = {}
_FIRST, _MOST = 8, 1024
"""Places that a page is given at once: as many as it had already, between these."""


class Page(list[Any]):
    """What was asked of one flag: of one with a single `answer` targeting keys, else answers and keys in turn.

    Whoever adds to it takes one of its `places` first, with `next`, and asks for `more` where there is none; no other
    thread gets between either call. `given` is how many places it had since it was empty.
    """

    __slots__ = ("answer", "book", "given", "key", "places")

    def __init__(self, book: Book, key: str, answer: Resolution | None) -> None:
        self.book = book
        self.key = key
        self.answer = answer
        self.close()

    def close(self) -> None:
        """Leave no place on it."""
        self.given = 0
        self.places = repeat(True, 0)

    def more(self) -> bool:
        """Take one of more places; whether there were any."""
        return self.book.more(self)

    def take(self) -> tuple[list[Asked], Who]:
        """Everything on it, which is empty then."""
        entries = self[:]
        del self[: len(entries)]
        if self.answer is not None:
            return [(self.key, self.answer, len(entries))], (self.key, _named(entries))
        places = list(map(id, entries[::2]))
        answers = dict(zip(places, entries[::2], strict=True))
        asked = [(self.key, answers[place], times) for place, times in Counter(places).items()]
        return asked, (self.key, _named(entries[1::2]))


class Book:
    """The pages of one client."""

    def __init__(self, limit: int, with_context: bool, ring: Callable[[], None]) -> None:
        """limit: questions that may wait. with_context: whether to keep that of people in experiments. ring: called
        when half of the room is gone."""
        self._limit = limit
        self._with_context = with_context
        self._ring = ring
        self.begin()

    def begin(self) -> None:
        """Forget everything: nothing was asked yet."""
        self.dropped = 0
        self._free = self._limit
        self._lock = RLock()  # a signal handler may ask while its thread holds it
        self._pages: dict[tuple[str, str | None, str | None], Page] = {}
        self._loose: list[tuple[str, Resolution, str | None]] = []
        self._sights: list[Sight] = []
        self._made: Mapping[str, Made] = {}
        self._table: dict[str, Made] = {}

    def table(self, made: Mapping[str, Made]) -> Mapping[str, Made]:
        """What an engine made, with a page for each flag; grows as flags are noted."""
        if made is not self._made:
            self._made, self._table = made, {}
        return self._table

    def note(self, key: str, context: Mapping[str, Any], answer: Resolution, now: float) -> None:
        """Write down any question. Never raises."""
        try:
            _, only, page = self._table[key]
        except Exception:  # no page yet, or what is no key
            page = None
        if page is None or (only is not None and answer is not only):
            self._write(key, context, answer, now)
        elif next(page.places, False) or self.more(page):
            user = context.get(TARGETING_KEY)
            if only is None:
                page.extend((answer, user))
            else:
                page.append(user)
            if answer.experiment is not None:
                self.see(key, context, answer, now)

    def _write(self, key: str, context: Mapping[str, Any], answer: Resolution, now: float) -> None:
        """Write down a question for which there is no page."""
        name = str.__str__(key) if isinstance(key, str) else OTHERS
        user = text_of(context.get(TARGETING_KEY))
        with self._lock:
            if name in self._made and name not in self._table:
                self._open(name)
            if self._given(1):
                self._loose.append((name, answer, user))
                if answer.experiment is not None:
                    self.see(name, context, answer, now)

    def see(self, key: str, context: Mapping[str, Any], answer: Resolution, now: float) -> None:
        """Write down somebody in an experiment, beside what is written down of any question."""
        kept = {**context} if self._with_context else _NOTHING
        self._sights.append((key, answer, context.get(TARGETING_KEY), now, kept))

    def more(self, page: Page) -> bool:
        """Give a page more places and take the first of them; whether there were any."""
        with self._lock:
            if next(page.places, False):  # another thread was given some
                return True
            given = self._given(min(max(page.given, _FIRST), _MOST))
            page.given += given
            page.places = repeat(True, given)
            return next(page.places, False)

    def filling(self) -> bool:
        """Whether half of the room is gone."""
        return self._free <= self._limit // 2

    def take(self) -> tuple[list[Asked], list[Who], list[Sight]]:
        """Everything that was written down since the last time."""
        with self._lock:
            loose, self._loose = self._loose, []
            sights = self._sights[:]
            del self._sights[: len(sights)]
            pages = [page.take() for page in self._pages.values() if page]
            for page in self._pages.values():
                page.close()
            self._free = self._limit
        answers = {id(answer): answer for _, answer, _ in loose}
        times = Counter((key, id(answer)) for key, answer, _ in loose)
        asked = [(key, answers[place], number) for (key, place), number in times.items()]
        who: list[Who] = [(key, (user,)) for key, user in {(key, user) for key, _, user in loose}]
        for of_page, by in pages:
            asked += of_page
            who.append(by)
        return asked, who, sights

    def _open(self, key: str) -> None:
        """Give a flag a page, if there are not too many; the same one as in the snapshot before."""
        ask, answer, _ = self._made[key]
        name = (key, None, None) if answer is None else (key, answer.variant, answer.reason)
        page = self._pages.get(name)
        if page is None and len(self._pages) < MOST_FLAGS:
            page = self._pages[name] = Page(self, key, answer)
        if page is not None:
            self._table[key] = ask, answer, page

    def _given(self, wanted: int) -> int:
        """Room for so many questions, or fewer; without any the one that asks is dropped."""
        given = max(0, min(wanted, self._free))
        self._free -= given
        self.dropped += given == 0
        if self.filling():
            self._ring()
        return given


def _named(users: list[Any]) -> set[str | None]:
    """Targeting keys as they are counted, each once; whoever has none is None or ""."""
    return {user if type(user) is str else text_of(user) for user in users}


def text_of(user: object) -> str | None:
    """A targeting key as it is counted; None for what is none, whatever an application put there."""
    try:
        return key_text(user)
    except Exception:
        return None
