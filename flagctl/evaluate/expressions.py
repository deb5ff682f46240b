"""Conditions of a snapshot as Python expressions, and the function around them while it is written.

Where a value has the type that an operator expects, it is compared on the spot; every other value is left to
`operators`, so that there is one opinion about odd ones.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from functools import partial
from typing import Any

import msgspec

from flagctl.evaluate.operators import is_number, matches
from flagctl.model import semver
from flagctl.model.condition import OPERATORS

_DEEPEST = 30
_LONGEST_PATH = 10
Loaded = frozenset[str]
"""The attributes whose variable holds their value at some point of the source."""
NOTHING: Loaded = frozenset()
_COMPARE = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "before": "<", "after": ">", "eq": "=="}


class Unsaid(Exception):  # noqa: N818 - nothing is wrong for whoever asks
    """This flag is not made into a function: it is broken, or extraordinary."""


class Scope(msgspec.Struct, frozen=True):
    """What a flag's source depends on besides the flag. types: those that attributes are declared with, by name."""

    generation: str
    types: Mapping[str, str]
    flags: Container[str]
    segments: Container[str]


class Link(msgspec.Struct, frozen=True):
    """A constant that becomes a function: of a segment or of a flag."""

    kind: str
    name: str


class Draft:
    """A function while it is written. `constants` stand for `names` in order; a Link becomes a function before use."""

    def __init__(self, scope: Scope, parameters: str) -> None:
        self.scope = scope
        self.lines: list[str] = []
        self.names: list[str] = []
        self.constants: list[Any] = []
        self.links: dict[int, None] = {}
        self.known: dict[tuple[str, Any], str] = {}
        self.variables: dict[str, str] = {}
        self.reads = False
        self.parameters = parameters

    def add(self, depth: int, line: str) -> None:
        """One more line of the body."""
        self.lines.append("    " * depth + line)

    def bind(self, letter: str, constant: Any) -> str:
        """A new name for a constant."""
        name = f"{letter}{len(self.names)}"
        self.names.append(name)
        self.constants.append(constant)
        return name

    def once(self, letter: str, constant: Any) -> str:
        """The name of a hashable constant, the same one whenever it is asked for."""
        name = self.known.get((letter, constant))
        if name is None:
            name = self.known[letter, constant] = self.bind(letter, constant)
        return name

    def link(self, kind: str, name: str) -> str:
        """The name of another function: of a segment or of a required flag."""
        found = self.once("f", Link(kind, name))
        self.links[int(found[1:])] = None
        return found

    def source(self) -> str:
        """The whole function."""
        head = [f"def answer({', '.join([self.parameters, *self.names])}):"]
        if self.reads:
            head.append("    if type(ctx) is not dict: ctx = mapping(ctx)")
        if self.links and "now" in self.parameters:
            head.append("    if memo is None: memo = {}")
        return "\n".join([*head, *self.lines, ""])

    # A condition gives (expression, what is loaded once it has held, what is loaded whether or not it has).

    def all_of(self, when: Any, loaded: Loaded, deep: int) -> tuple[str, Loaded, Loaded]:
        """AND."""
        texts, after = [], None
        for member in when:
            text, loaded, always = self.condition(member, loaded, deep)
            texts.append(text)
            after = always if after is None else after
        return " and ".join(texts) or "True", loaded, loaded if after is None else after

    def any_of(self, members: Any, loaded: Loaded, deep: int) -> tuple[str, Loaded, Loaded]:
        """OR."""
        texts, after = [], None
        for member in members:
            text, _, loaded = self.condition(member, loaded, deep)
            texts.append(text)
            after = loaded if after is None else after
        after = loaded if after is None else after
        return " or ".join(texts) or "False", after, after

    def condition(self, of: Any, loaded: Loaded, deep: int) -> tuple[str, Loaded, Loaded]:
        """Any condition."""
        if deep > _DEEPEST:
            raise Unsaid
        if "attribute" in of:
            text, loaded = self.test(of["attribute"], of["op"], of["value"], loaded)
            return text, loaded, loaded
        if "segment" in of:
            if of["segment"] not in self.scope.segments:
                raise Unsaid
            return self.remembered(self.link("segment", of["segment"]), "ctx, memo"), loaded, loaded
        if "any" in of:
            text, held, after = self.any_of(of["any"], loaded, deep + 1)
        elif "all" in of:
            text, held, after = self.all_of(of["all"], loaded, deep + 1)
        else:
            text, _, after = self.condition(of["not"], loaded, deep + 1)
            return f"not {text}", after, after
        return f"({text})", held, after

    def remembered(self, function: str, arguments: str) -> str:
        """What another function says, asked once in an evaluation."""
        self.reads = True
        asked = f"memo.setdefault({function}, {function}({arguments}))"
        return f"(m if (m := memo.get({function})) is not None else {asked})"

    def test(self, name: str, operator: str, wanted: Any, loaded: frozenset[str]) -> tuple[str, Loaded]:
        """An operator on an attribute: (expression, loaded)."""
        variable = self.variables.setdefault(name, f"v{len(self.variables)}")
        value = variable if name in loaded else f"({variable} := {self.path(name)})"
        loaded = loaded if name in loaded else loaded | {name}
        if operator == "exists":
            if type(wanted) is not bool:
                raise Unsaid
            return f"({value} {'is not' if wanted else 'is'} None)", loaded
        fast = self.fast(operator, wanted, variable, self.scope.types.get(name, ""))
        slow = f"{self.bind('t', partial(matches, operator, wanted=wanted))}({variable})"
        if fast is None:
            return f"({value} is not None and {slow})", loaded
        guard, text = fast
        guard = guard.replace("VALUE", value, 1)
        return f"({text} if {guard} else {variable} is not None and {slow})", loaded

    def path(self, name: str) -> str:
        """The value of an attribute; dots walk into objects."""
        self.reads = True
        first, *rest = name.split(".")
        if len(rest) > _LONGEST_PATH:
            raise Unsaid
        text = f"ctx.get({self.once('k', first)})"
        for part in rest:
            key = self.once("k", part)
            text = f"(i.get({key}) if type(i := {text}) is dict else find(i, {key}))"
        return text

    def fast(self, operator: str, wanted: Any, v: str, declared: str) -> tuple[str, str] | None:
        """(guard, expression) for values of the very type that is expected; VALUE stands for the value in the guard."""
        spec = OPERATORS[operator]
        basic, negated = spec.negates or operator, bool(spec.negates)
        match spec.takes:
            case "scalar" | "scalars" if spec.on == "scalar":
                return self.fast_scalar([wanted] if spec.takes == "scalar" else wanted, v, negated, declared)
            case "texts":
                if type(wanted) is not list or not all(type(one) is str for one in wanted):
                    raise Unsaid
                return ("type(VALUE) is str", self.fast_text(basic, wanted, v, negated)) if wanted else None
            case "number" | "time":
                if type(wanted) not in (int, float) or not is_number(wanted):
                    raise Unsaid
                text = f"{v} {_COMPARE[basic]} {self.bind('w', wanted)}"
                return _number_guard(v, declared), text
            case "version":
                key = semver.key(wanted)
                if key is None:
                    return None
                sign = _COMPARE[basic.removeprefix("semver_")]
                text = f"(s := versions.get({v}) or version({v})) is not None and s {sign} {self.bind('w', key)}"
                return "type(VALUE) is str", text
        return None

    def fast_scalar(self, wanted: Any, v: str, negated: bool, declared: str) -> tuple[str, str] | None:
        """Equality, with those of the wanted values that are of one type."""
        if type(wanted) is not list:
            raise Unsaid
        texts = [one for one in wanted if type(one) is str]
        numbers = [one for one in wanted if type(one) in (int, float) and is_number(one)]
        guard = "type(VALUE) is str" if texts else _number_guard(v, declared) if numbers else "type(VALUE) is bool"
        alike = texts or numbers or [one for one in wanted if type(one) is bool]
        if not alike:
            return None
        if len(alike) == 1:
            return guard, f"{v} {'!=' if negated else '=='} {self.bind('w', alike[0])}"
        return guard, f"{v} {'not in' if negated else 'in'} {self.bind('w', frozenset(alike))}"

    def fast_text(self, operator: str, wanted: list[str], v: str, negated: bool) -> str:
        """A test of parts of a text."""
        if operator != "contains":
            method = "startswith" if operator == "starts_with" else "endswith"
            return f"{'not ' if negated else ''}{v}.{method}({self.bind('w', tuple(wanted))})"
        if len(wanted) > 1:
            return f"{'not ' if negated else ''}any(map({v}.__contains__, {self.bind('w', tuple(wanted))}))"
        return f"{self.bind('w', wanted[0])} {'not in' if negated else 'in'} {v}"


def _number_guard(v: str, declared: str) -> str:
    if declared == "number":
        return f"type(VALUE) is int or type({v}) is float and {v} - {v} == 0"  # which of infinity is NaN
    return "type(VALUE) is int"
