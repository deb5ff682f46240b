"""What follows from conditions: whether they can hold at all, and whether others hold wherever they do.

A «yes» here is proven for every context there can be; what is not proven is answered «no». So a rule is never called
dead that somebody could reach.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flagctl.check import ranges, texts
from flagctl.check.kinds import identity
from flagctl.evaluate.operators import matches
from flagctl.model import words
from flagctl.model.condition import OPERATORS, AllOf, AnyOf, Condition, InSegment, Not, Scalar, Test
from flagctl.model.flag import Segment

_DEEPEST = 40
"""How far segments within segments are followed; a longer chain proves nothing."""
_MOST_BRANCHES = 20


class Facts:
    """All that holds where every one of some conditions holds, taken apart.

    tests: single conditions by attribute. excluded: what stands under `not`. choices: `any` with several members.
    segments: names of those everybody here belongs to; what they ask for is among the rest.
    """

    __slots__ = ("_known", "choices", "conditions", "excluded", "segments", "tests")

    def __init__(self, conditions: Iterable[Condition], known: Mapping[str, Segment]) -> None:
        self.conditions = tuple(conditions)
        self._known = known
        self.tests: dict[str, list[Test]] = {}
        self.excluded: list[Condition] = []
        self.choices: list[AnyOf] = []
        self.segments = set[str]()
        todo = list(self.conditions)
        while todo:
            condition = todo.pop()
            if isinstance(condition, Test):
                self.tests.setdefault(condition.attribute, []).append(condition)
            elif isinstance(condition, InSegment):
                if condition.segment not in self.segments:
                    self.segments.add(condition.segment)
                    todo += known[condition.segment].when if condition.segment in known else ()
            elif isinstance(condition, AllOf) or (isinstance(condition, AnyOf) and len(condition.members) == 1):
                todo += condition.members
            elif isinstance(condition, AnyOf):
                self.choices.append(condition)
            else:
                turned = _turned(condition)
                if isinstance(turned, Not):
                    self.excluded.append(turned.member)
                else:
                    todo.append(turned)

    def contradiction(self, *, choose: bool = True) -> str:
        """Why nobody fits, "" if somebody may. choose: also try the members of each `any` one by one."""
        for tests in self.tests.values():
            if len(tests) > 1 and clash(tests):
                return _said(tests)
        for member in self.excluded:
            if self.implies(member):
                return f"{words.condition(member)} is both asked for and excluded"
        for choice in self._few_choices() if choose else ():
            if not self._has_free_member(choice) and all(
                Facts((*self.conditions, member), self._known).contradiction(choose=False) for member in choice.members
            ):
                return f"none of its choices can hold: {words.condition(choice)}"
        return ""

    def implies(self, condition: Condition, depth: int = 0) -> bool:
        """Whether a condition holds wherever these facts do."""
        if depth > _DEEPEST:
            return False
        depth += 1
        if isinstance(condition, Test):
            tests = self.tests.get(condition.attribute)
            return (tests is not None and follows(tests, condition)) or self._each_choice(condition, depth)
        if isinstance(condition, InSegment):
            if condition.segment in self.segments:
                return True
            segment = self._known.get(condition.segment)
            return segment is not None and all(self.implies(member, depth) for member in segment.when)
        if isinstance(condition, AllOf):
            return all(self.implies(member, depth) for member in condition.members)
        if isinstance(condition, AnyOf):
            return any(self.implies(member, depth) for member in condition.members) or self._each_choice(
                condition, depth
            )
        turned = _turned(condition)
        return self._excludes(turned.member, depth) if isinstance(turned, Not) else self.implies(turned, depth)

    def _each_choice(self, condition: Condition, depth: int) -> bool:
        for choice in self._few_choices():
            if all(Facts((member,), self._known).implies(condition, depth + 10) for member in choice.members):
                return True
        return False

    def _has_free_member(self, choice: AnyOf) -> bool:
        # spares most flags the trial: a condition on an attribute of which nothing else is known can always hold
        if self.excluded:
            return False
        return any(isinstance(member, Test) and member.attribute not in self.tests for member in choice.members)

    def _few_choices(self) -> list[AnyOf]:
        # each member is tried with each: without bounds one file could keep us busy for hours
        if not self.choices or len(self.choices) > _MOST_BRANCHES:
            return []
        return [choice for choice in self.choices if len(choice.members) <= _MOST_BRANCHES]

    def _excludes(self, member: Condition, depth: int) -> bool:
        if isinstance(member, Test):
            tests = self.tests.get(member.attribute)
            if tests is not None and clash([*tests, member]):
                return True
        elif isinstance(member, AllOf) and any(self.implies(Not(one), depth) for one in member.members):
            return True
        # what is excluded here is at least all that `member` lets in
        return any(Facts((member,), self._known).implies(one, depth + 10) for one in self.excluded)


def _turned(condition: Not) -> Condition:
    """The same without a `not` before what has an opposite of its own."""
    member = condition.member
    if isinstance(member, Not):
        return member.member
    if isinstance(member, AnyOf):
        return AllOf(tuple(Not(one) for one in member.members))
    if isinstance(member, AllOf) and len(member.members) == 1:
        return Not(member.members[0])
    if isinstance(member, Test) and member.operator == "exists":
        return Test(member.attribute, "exists", not member.value)
    return condition


def plain_attributes(when: Iterable[Condition]) -> list[str] | None:
    """The attributes of conditions that are all single, one by one; None when there are others.

    Most rules are so plain that a look at these answers the questions above.
    """
    attributes = []
    for condition in when:
        if not isinstance(condition, Test):
            return None
        attributes.append(condition.attribute)
    return attributes


def clash(tests: list[Test]) -> bool:
    """Whether conditions on one attribute can't hold together."""
    missing = [test for test in tests if test.operator == "exists" and test.value is False]
    if missing:
        return len(missing) < len(tests)
    left = candidates(tests)
    if left is not None:
        return not left
    if ranges.clash(tests) or texts.clash(tests) or _lists_clash(tests):
        return True
    for test in tests:
        positive = OPERATORS[test.operator].negates
        if positive:
            others = [other for other in tests if other is not test]
            if others and follows(others, Test(test.attribute, positive, test.value)):
                return True
    return False


def candidates(tests: list[Test]) -> list[Scalar] | None:
    """The values that pass all of these conditions, where `equals` or `in` name them; None where none does."""
    listed = [_values(test) for test in tests if test.operator in ("equals", "in")]
    if not listed:
        return None
    shortest = min(listed, key=len)
    if len(tests) == 1:
        return list(shortest)
    return [value for value in shortest if all(matches(test.operator, value, test.value) for test in tests)]


def follows(tests: list[Test], wanted: Test) -> bool:
    """Whether a condition holds wherever others on the same attribute do."""
    if wanted.operator == "exists":
        return any((test.operator != "exists" or bool(test.value)) is wanted.value for test in tests)
    key = _key(wanted)
    if any(test.operator == wanted.operator and _key(test) == key for test in tests):
        return True
    left = candidates(tests)
    if left is not None:
        if wanted.operator in ("equals", "in"):
            return {identity(value) for value in left} <= key
        return all(matches(wanted.operator, value, wanted.value) for value in left)
    if wanted.operator in ranges.OPERATORS:
        return ranges.follows(tests, wanted)
    if wanted.operator in texts.OPERATORS:
        return texts.follows(tests, wanted)
    if wanted.operator in ("not_equals", "not_in"):
        # these also ask for the type of one of their values: a subset of the values has no other types
        unwanted = _keys(wanted)
        kinds = {_kind(value) for value in _values(wanted)}
        return any(
            unwanted <= _keys(test) and kinds == {_kind(value) for value in _values(test)}
            for test in tests
            if test.operator in ("not_equals", "not_in")
        )
    return OPERATORS[wanted.operator].on == "array" and _list_follows(tests, wanted)


def _lists_clash(tests: list[Test]) -> bool:
    lacking = _all_keys(tests, "not_includes")
    return bool(lacking) and any(_keys(test) <= lacking for test in tests if test.operator == "includes_any")


def _list_follows(tests: list[Test], wanted: Test) -> bool:
    members = _all_keys(tests, "includes", "includes_all")
    keys = _keys(wanted)
    if wanted.operator in ("includes", "includes_all"):
        return keys <= members
    if wanted.operator == "includes_any":
        return bool(keys & members) or any(_keys(test) <= keys for test in tests if test.operator == "includes_any")
    return keys <= _all_keys(tests, "not_includes")


def _values(test: Test) -> tuple[Scalar, ...]:
    return test.value if isinstance(test.value, tuple) else (test.value,)


def _keys(test: Test) -> set[tuple[bool, Scalar]]:
    return {identity(value) for value in _values(test)}


def _all_keys(tests: list[Test], *operators: str) -> set[tuple[bool, Scalar]]:
    return {key for test in tests if test.operator in operators for key in _keys(test)}


def _key(test: Test) -> frozenset[tuple[bool, Scalar]]:
    return frozenset(_keys(test))


def _kind(value: Scalar) -> str:
    return "text" if isinstance(value, str) else "boolean" if isinstance(value, bool) else "number"


def _said(tests: list[Test]) -> str:
    clashing = next(
        ([one, other] for i, one in enumerate(tests) for other in tests[:i] if clash([one, other])),
        tests,
    )
    ordered = sorted(clashing, key=tests.index, reverse=True)
    return f"{words.conditions(ordered)} can't hold together"
