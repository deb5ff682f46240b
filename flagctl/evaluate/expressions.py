"""Conditions of a snapshot as Python expressions, and the function around them while it is written.

A variable holds text or None, or a number or None, once it is read; what is neither is left to `operators`, so that
there is one opinion about odd values.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any

import msgspec

from flagctl.evaluate.operators import is_number, matches
from flagctl.model import semver
from flagctl.model.condition import OPERATORS

_DEEPEST = 30
_LONGEST_PATH = 10
Loaded = frozenset[str]
"""The variables that hold the value of an attribute at some point of the source."""
NOTHING: Loaded = frozenset()
_COMPARE = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "=="}


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


class Odd:
    """What a function does with odd values. One object for all of them: each default costs every call a nanosecond,
    a longer call makes the jumps over it longer, and thousands of small objects cost the collector."""

    __slots__ = ("calls",)

    def __init__(self, calls: tuple[Any, ...]) -> None:
        self.calls = calls

    def __call__(self, place: int, value: Any) -> Any:
        function, one, other = self.calls[3 * place : 3 * place + 3]
        return function(one, other, value)


class Draft:
    """A function while it is written. `constants` stand for `names` in order; a Link becomes a function before use."""

    def __init__(self, scope: Scope, parameters: str) -> None:
        self.scope = scope
        self.lines: list[str] = []
        self.names: list[str] = []
        self.constants: list[Any] = []
        self.links: dict[int, None] = {}
        self.rare: list[Any] = []
        self.known: dict[tuple[str, Any], str] = {}
        self.variables: dict[tuple[str, str], str] = {}
        self.reads = False
        self.timed = False
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

    def odd(self, function: Callable[[Any, Any, Any], Any], one: Any, other: Any, value: str) -> str:
        """The expression of function(one, other, value), for values that seldom come."""
        self.rare += (function, one, other)
        return f"odd({len(self.rare) // 3 - 1}, {value})"

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
        """The whole function, when all of its body is written."""
        if self.rare:
            self.names.append("odd")
            self.constants.append(Odd(tuple(self.rare)))
        head = [f"def answer({', '.join([self.parameters, *self.names])}):"]
        if self.reads:
            head.append("    if type(ctx) is not dict: ctx = mapping(ctx)")
        if self.timed:
            head.append("    if type(now) is not float and callable(now): now = now()")
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
        wanted = tuple(wanted) if type(wanted) is list else wanted
        kind, text = self.compared(operator, wanted)
        v = self.variables.setdefault((kind, name), f"v{len(self.variables)}")
        text = text.replace("VALUE", v)
        first = v not in loaded
        value = f"{v} := {self.path(name)}" if first else v
        match kind:
            case "text" | "number" if not first:
                text = f"{v} is not None and {text}"
            case "text":
                text = f"(type({value}) is str or {v} is not None and ({v} := text({v})) is not None) and {text}"
            case "number":
                real = f" or type({v}) is float and {v} - {v} == 0" if self.scope.types.get(name) == "number" else ""
                odd = f"{v} is not None and ({v} := number({v})) is not None"
                text = f"(type({value}) is int{real} or {odd}) and {text}"
            case "given":
                text = f"({value}) {text}"
            case _:
                text = f"({value}) is not None and {self.odd(_test, operator, wanted, v)}"
        return f"({text})", loaded | {v} if first else loaded

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

    def compared(self, operator: str, wanted: Any) -> tuple[str, str]:
        """What an operator compares: "text", "number", whether there is any ("given"), or none of these; and how."""
        spec = OPERATORS[operator]
        basic, negated = spec.negates or operator, bool(spec.negates)
        match spec.takes:
            case "bool":
                if type(wanted) is not bool:
                    raise Unsaid
                return "given", "is not None" if wanted else "is None"
            case "scalar" | "scalars" if spec.on == "scalar":
                return self.equal((wanted,) if spec.takes == "scalar" else wanted, negated)
            case "texts":
                if type(wanted) is not tuple or not all(type(one) is str for one in wanted):
                    raise Unsaid
                return "text", self.part(basic, wanted, negated)
            case "pattern" if type(wanted) is not str:
                raise Unsaid
            case "number":
                if type(wanted) not in (int, float) or not is_number(wanted):
                    raise Unsaid
                return "number", f"VALUE {_COMPARE[basic]} {self.bind('w', wanted)}"
            case "version" if (key := semver.key(wanted)) is not None:
                sign = _COMPARE[basic.removeprefix("semver_")]
                found = "(s := versions.get(VALUE) or version(VALUE))"
                return "text", f"{found} is not None and s {sign} {self.bind('w', key)}"
        return "", ""

    def equal(self, wanted: Any, negated: bool) -> tuple[str, str]:
        """Equality, where all that is wanted is text or all is numbers."""
        if type(wanted) is not tuple:
            raise Unsaid
        if all(type(one) is str for one in wanted):
            kind = "text"
        elif all(type(one) in (int, float) and is_number(one) for one in wanted):
            kind = "number"
        else:
            return "", ""
        if len(wanted) == 1:
            return kind, f"VALUE {'!=' if negated else '=='} {self.bind('w', wanted[0])}"
        if not wanted:
            return "", ""
        return kind, f"VALUE {'not in' if negated else 'in'} {self.bind('w', frozenset(wanted))}"

    def part(self, operator: str, wanted: tuple[str, ...], negated: bool) -> str:
        """A test of parts of a text."""
        if operator != "contains":
            method = "startswith" if operator == "starts_with" else "endswith"
            return f"{'not ' if negated else ''}VALUE.{method}({self.bind('w', wanted)})"
        if len(wanted) > 1:
            return f"{'not ' if negated else ''}any(map(VALUE.__contains__, {self.bind('w', wanted)}))"
        return f"{self.bind('w', wanted[0])} {'not in' if negated else 'in'} VALUE"


def _test(operator: str, wanted: Any, value: Any) -> bool:
    return matches(operator, value, wanted)
