"""Two snapshots of a flag side by side: every way through it before, with every way the same person may take after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from flagctl.plan.conditions import Atoms, possible
from flagctl.plan.paths import Path, paths
from flagctl.plan.shares import TooManyWaysError, Tree, grafted

_MOST = 100_000
Given = tuple[tuple[str, tuple[str, ...]], ...]
"""Required flags and how they are answered for these people; only where that makes a difference."""


class Both(msgspec.Struct, frozen=True, kw_only=True):
    """A way before and a way after that one person may take.

    old, new: what is answered there, requirements included. given: see Given.
    """

    before: Path
    after: Path
    old: Tree
    new: Tree
    trues: frozenset[Atoms] = frozenset()
    falses: frozenset[Atoms] = frozenset()
    given: Given = ()


class Snapshots:
    """Two snapshots of an environment, compared as at one time.

    user: compare for somebody whom overrides name, by targeting key; None for everybody else.
    """

    def __init__(
        self, before: Mapping[str, Any], after: Mapping[str, Any], now: float, user: str | None = None
    ) -> None:
        self.before = before
        self.after = after
        self.now = now
        self.user = user
        self._known: dict[str, list[Both]] = {}
        self._open: set[str] = set()

    def pairs(self, key: str) -> list[Both]:
        """Every pair of ways through a flag that a person may take, so far as conditions tell.

        Raises TooManyWaysError.
        """
        if key not in self._known:
            self._open.add(key)
            self._known[key] = self._gated(key, list(self._own(key)))
            self._open.discard(key)
        return self._known[key]

    def _own(self, key: str) -> Iterator[Both]:
        ours = paths(self.before, key, self.now, self.user)
        theirs = paths(self.after, key, self.now, self.user)
        if len(ours) * len(theirs) > _MOST:
            raise TooManyWaysError
        for before in ours:
            for after in theirs:
                trues, falses = before.trues | after.trues, before.falses | after.falses
                if not trues.isdisjoint(falses) or not possible(trues, falses):
                    continue
                old, new = before.tree, after.tree
                yield Both(before=before, after=after, old=old, new=new, trues=trues, falses=falses)

    def _gated(self, key: str, own: list[Both]) -> list[Both]:
        """The pairs with each requirement put before them."""
        needs = [required(document, key) for document in (self.before, self.after)]
        found = own
        # From the last to the first, so that the first stands outermost, as it is asked first.
        for other in reversed(list(dict.fromkeys(name for need in needs for name, _ in need))):
            wanted = [frozenset(variant for name, variant in need if name == other) for need in needs]
            gates = self._answers(other)
            if len(found) * len(gates) > _MOST:
                raise TooManyWaysError
            off = [self._off(document, key) for document in (self.before, self.after)]
            found = [gated for pair in found for gated in _merged(self._behind(pair, gates, wanted, off), pair.given)]
        return found

    def _behind(self, pair: Both, gates: list[Both], wanted: list[frozenset[str]], off: list[Tree]) -> Iterator[Both]:
        """A pair behind each way a required flag may answer."""
        for gate in gates:
            trues, falses = pair.trues | gate.trues, pair.falses | gate.falses
            if possible(trues, falses):
                yield msgspec.structs.replace(
                    pair,
                    old=_gate(gate.old, wanted[0], pair.old, off[0]),
                    new=_gate(gate.new, wanted[1], pair.new, off[1]),
                    trues=trues,
                    falses=falses,
                    given=gate.given + pair.given,
                )

    def _off(self, document: Mapping[str, Any], key: str) -> Tree:
        return str(document["flags"][key]["off_variant"]) if key in document["flags"] else None

    def _answers(self, key: str) -> list[Both]:
        """The pairs of a required flag, those that answer alike put together, each with how it is answered."""
        # A circle of requirements is an error of `check`: nobody's requirement is met then.
        pairs = [_CIRCLE] if key in self._open else self.pairs(key)
        told = [msgspec.structs.replace(pair, given=((key, (_place(pair),)),)) for pair in pairs]
        return list(_merged(told))


_CIRCLE = Both(before=Path(kind="absent", tree=None), after=Path(kind="absent", tree=None), old=None, new=None)


def required(document: Mapping[str, Any], key: str) -> list[tuple[str, str]]:
    """(flag, variant) of each requirement of a flag, in order."""
    return [(need["flag"], need["variant"]) for need in document["flags"].get(key, {}).get("requires", ())]


def closure(documents: Iterable[Mapping[str, Any]], key: str) -> list[str]:
    """A flag and all that it requires, directly or not, in any of the snapshots."""
    documents = list(documents)
    found, waiting = dict.fromkeys([key]), [key]
    while waiting:
        one = waiting.pop()
        for document in documents:
            new = [name for name, _ in required(document, one) if name not in found]
            found |= dict.fromkeys(new)
            waiting += new
    return list(found)


def _merged(pairs: Iterable[Both], alike: Given = ()) -> Iterator[Both]:
    """Pairs that answer alike as one, of which is known what is known of all.

    alike: what is given where all of them answer alike.
    """
    groups: dict[tuple[Tree, Tree], list[Both]] = {}
    for pair in pairs:
        groups.setdefault((pair.old, pair.new), []).append(pair)
    for members in groups.values():
        places: dict[str, dict[str, None]] = {}
        for pair in members:
            for key, names in pair.given:
                places.setdefault(key, {}).update(dict.fromkeys(names))
        yield msgspec.structs.replace(
            members[0],
            trues=frozenset.intersection(*(pair.trues for pair in members)),
            falses=frozenset.intersection(*(pair.falses for pair in members)),
            given=tuple((key, tuple(names)) for key, names in places.items()) if len(groups) > 1 else alike,
        )


def _gate(answer: Tree, wanted: frozenset[str], tree: Tree, off: Tree) -> Tree:
    """`tree` for those who get all wanted variants of a required flag: everybody for none, nobody for two."""
    if not wanted or tree == off:
        return tree
    return grafted(answer, lambda variant: tree if wanted == {variant} else off)


def _place(pair: Both) -> str:
    before, after = place(pair.before), place(pair.after)
    said = after if before == after else f"{before} before and {after} after"
    return f"{said} ({where(pair.given)})" if pair.given else said


def where(given: Given) -> str:
    """«core answers by rule staff or default, and …»."""
    return " and ".join(f"{key} answers by {' or '.join(places)}" for key, places in given)


def place(path: Path) -> str:
    """A way in words: «rule eu-beta», «default», «default, outside experiment x»."""
    match path.kind:
        case "absent":
            said = "no such flag"
        case "override":
            said = f"override for {path.name}"
        case "rule":
            said = f"rule {path.name}"
        case _:
            said = path.kind
    if path.passed:
        said += f" after rule {', '.join(path.passed)}"
    return said
