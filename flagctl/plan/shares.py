"""Shares of people, computed by intersecting intervals of buckets: nothing here is sampled.

What a path through a flag answers is a small tree: a variant, or a cut of the 100,000 buckets of one draw into
intervals, each with a tree of its own. Two trees are compared by cutting both by the same draws.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple

from flagctl.model.flag import WHOLE

_MOST = 50_000


class TooManyWaysError(Exception):
    """There are more ways through a flag than can be compared in reasonable time."""


class Draw(NamedTuple):
    """What makes a bucket out of a person: the algorithm, the attribute it hashes, and what it mixes in.

    The same draw gives the same person the same bucket. Two different draws are independent of each other.
    """

    algorithm: str
    by: str
    salt: str


class Cut(NamedTuple):
    """The buckets of a draw in parts, each up to a bound that is not part of it; the last bound is the whole.

    lacking: what people get who lack the attribute that is hashed.
    """

    draw: Draw
    parts: tuple[tuple[int, Tree], ...]
    lacking: Tree


Tree = str | Cut | None
"""None: the flag is not there, so the caller's default is used."""

Shares = dict[tuple[str | None, str | None], Fraction]
"""(variant before, variant after) to the share of people, a fraction of one."""


def cut(draw: Draw, parts: Iterable[tuple[int, Tree]], lacking: Tree) -> Tree:
    """A cut without empty parts; no cut at all where everybody gets the same."""
    kept: list[tuple[int, Tree]] = []
    lower = 0
    for upper, tree in parts:
        if upper <= lower:
            continue
        if kept and kept[-1][1] == tree:
            kept.pop()
        kept.append((upper, tree))
        lower = upper
    if len(kept) == 1 and kept[0][1] == lacking:
        return lacking
    return Cut(draw, tuple(kept), lacking)


def grafted(tree: Tree, leaf: Callable[[str | None], Tree]) -> Tree:
    """The tree with each variant replaced by a tree."""
    if not isinstance(tree, Cut):
        return leaf(tree)
    parts = ((upper, grafted(below, leaf)) for upper, below in tree.parts)
    return cut(tree.draw, parts, grafted(tree.lacking, leaf))


def settled(tree: Tree, by: str, bucket: Callable[[Draw], int] | None) -> Tree:
    """The tree for somebody whose attribute `by` is known: its draws are no draws any more.

    bucket: their bucket in a draw; None for somebody who lacks the attribute.
    """
    if not isinstance(tree, Cut):
        return tree
    if tree.draw.by != by:
        parts = ((upper, settled(below, by, bucket)) for upper, below in tree.parts)
        return cut(tree.draw, parts, settled(tree.lacking, by, bucket))
    if bucket is None:
        return settled(tree.lacking, by, bucket)
    number = bucket(tree.draw)
    return settled(next(below for upper, below in tree.parts if number < upper), by, bucket)


def cuts(*trees: Tree) -> Iterator[Cut]:
    """All cuts, nested ones too."""
    for tree in trees:
        if isinstance(tree, Cut):
            yield tree
            yield from cuts(tree.lacking, *(below for _, below in tree.parts))


def shares(before: Tree, after: Tree) -> Shares:
    """Who moves from which variant to which, of people who have all attributes that are hashed.

    Exact where at most one draw takes part; else the expected shares of independent draws, as exact fractions.
    Raises TooManyWaysError where so many cuts meet that it would not end.
    """
    found: Shares = {}
    _share(before, after, Fraction(1), found, iter(range(_MOST)))
    return found


def _share(before: Tree, after: Tree, part: Fraction, found: Shares, left: Iterator[int]) -> None:
    if next(left, None) is None:
        raise TooManyWaysError
    if isinstance(before, Cut):
        draw = before.draw
    elif isinstance(after, Cut):
        draw = after.draw
    else:
        found[before, after] = found.get((before, after), Fraction(0)) + part
        return
    lower = 0
    for upper in sorted({*_bounds(before, draw), *_bounds(after, draw), WHOLE}):
        inside = _within(before, draw, lower, upper), _within(after, draw, lower, upper)
        _share(*inside, part * Fraction(upper - lower, WHOLE), found, left)
        lower = upper


def _bounds(tree: Tree, draw: Draw) -> Collection[int]:
    if not isinstance(tree, Cut):
        return ()
    own = {upper for upper, _ in tree.parts} if tree.draw == draw else set[int]()
    return own.union(*(_bounds(below, draw) for _, below in tree.parts))


def _within(tree: Tree, draw: Draw, lower: int, upper: int) -> Tree:
    """The tree for people whose bucket in a draw lies in lower..upper, in which no bound of the tree lies."""
    if not isinstance(tree, Cut):
        return tree
    if tree.draw == draw:
        return _within(next(below for bound, below in tree.parts if upper <= bound), draw, lower, upper)
    parts = ((bound, _within(below, draw, lower, upper)) for bound, below in tree.parts)
    return cut(tree.draw, parts, tree.lacking)
