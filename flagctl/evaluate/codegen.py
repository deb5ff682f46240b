"""A flag of a snapshot to the source of one Python function that answers it, a segment to one that says who is in it.

The source tells the *shape* of a flag alone: every name, text and number of the flag file is bound by name, as a
default of a parameter, and never formatted into source. So no flag can smuggle code in, and flags of one shape share
one code object. What is out of the ordinary raises Unsaid, and the readable evaluator answers such a flag.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

from flagctl.evaluate.bucket import BUCKETS, FOREIGN, bits, threshold
from flagctl.evaluate.evaluator import Resolution, is_static
from flagctl.evaluate.expressions import NOTHING, Draft, Loaded, Scope, Unsaid
from flagctl.model.condition import TARGETING_KEY

_PADDED = 122
"""How many bytes the portable key has."""


def flag(key: str, document: Any, scope: Scope) -> FlagDraft:
    """The function of a flag: (context, now, memo=None) to a Resolution. Raises Unsaid.

    now: seconds since the epoch, or a clock, which only a flag that depends on time asks.
    """
    try:
        draft = FlagDraft(key, document, scope)
        draft.write()
    except Unsaid:
        raise
    except Exception as error:  # whatever is missing in it or of another type
        raise Unsaid from error
    return draft


def segment(document: Any, scope: Scope) -> Draft:
    """The function of a segment: (context, memo) to whether all its conditions hold. Raises Unsaid."""
    draft = Draft(scope, "ctx, memo")
    try:
        draft.add(1, f"return bool({draft.all_of(document['when'], NOTHING, 0)[0]})")
    except Unsaid:
        raise
    except Exception as error:
        raise Unsaid from error
    return draft


class FlagDraft(Draft):
    """The function of a flag, in the six steps of docs/flags.md without the second."""

    def __init__(self, key: str, flag: Mapping[str, Any], scope: Scope) -> None:
        super().__init__(scope, "ctx, now, memo")
        self.key = key
        self.flag = flag
        self.off = flag["off_variant"]
        self.answers: list[Resolution] = []
        self.places: dict[tuple[str, str, str | None, str | None], int] = {}

    def answer(self, variant: str, reason: str, rule: str | None = None, experiment: str | None = None) -> str:
        """The expression of an answer."""
        place = self.places.get((variant, reason, rule, experiment))
        if place is None:
            value = self.flag["variants"][variant]
            place = self.places[variant, reason, rule, experiment] = len(self.answers)
            self.answers.append(Resolution(value, variant, reason, rule=rule, experiment=experiment))
        return f"answers[{place}]"

    def only(self) -> Resolution | None:
        """The answer of a flag that gives the same one to everybody, always."""
        return self.answers[0] if len(self.lines) == 1 else None

    def source(self) -> str:
        """The whole function, when all of its body is written."""
        self.names.append("answers")
        self.constants.append(tuple(self.answers))
        return super().source()

    def write(self) -> None:
        """All steps."""
        self.expiry()
        defaults = self.schedule()
        if not defaults or not self.requirements():
            return
        loaded = self.overrides()
        attributes = NOTHING
        for rule in self.flag.get("rules", ()):
            text, _, attributes = self.all_of(rule["when"], attributes, 0)
            self.add(1, f"if {text}:")
            self.outcome(2, rule, "TARGETING_MATCH", _text(rule["name"]), loaded)
        reason = "STATIC" if is_static(self.flag) else "DEFAULT"
        for index, default in enumerate(defaults[1:], 1):
            self.add(1, f"if d == {index}:")
            self.outcome(2, default, reason, None, loaded, last=True)
        self.outcome(1, defaults[0], reason, None, loaded, last=True)

    def expiry(self) -> None:
        """Step 3, `expires_at`."""
        if "expires_at" in self.flag:
            self.timed = True
            self.add(1, f"if now >= {self.bind('x', _whole(self.flag['expires_at']))}: return {self.disabled()}")

    def disabled(self) -> str:
        """The name of what a flag answers that is not to be asked."""
        return self.answer(self.off, "DISABLED")

    def schedule(self) -> list[Any]:
        """Step 3, `enabled`. The defaults there can be: `d` counts them in source. None if it never comes so far."""
        enabled, default = _flagged(self.flag["enabled"]), self.flag["default"]
        defaults, states, latest = [default], [(0, enabled, 0)], -math.inf
        for entry in self.flag.get("schedule", ()):
            if "default" in entry:
                defaults.append(entry["default"])
            enabled = _flagged(entry["enabled"]) if "enabled" in entry else enabled
            states.append((_whole(entry["at"]), enabled, len(defaults) - 1))
            if entry["at"] < latest:
                raise Unsaid
            latest = entry["at"]
        for place, (at, on, index) in enumerate(reversed(states[1:])):
            self.add(1, f"{'el' if place else ''}if now >= {self.bind('x', at)}:")
            self.add(2, (f"d = {index}" if len(defaults) > 1 else "pass") if on else f"return {self.disabled()}")
        begins = len(states) > 1
        self.timed |= begins
        if begins and (not states[0][1] or len(defaults) > 1):
            self.add(1, "else:")
        if not states[0][1]:
            self.add(1 + begins, f"return {self.disabled()}")
        elif len(defaults) > 1:
            self.add(1 + begins, "d = 0")
        return defaults if any(on for _, on, _ in states) else []

    def requirements(self) -> bool:
        """Step 3, `requires`. False if one can't hold."""
        for needed in self.flag.get("requires", ()):
            if needed["flag"] not in self.scope.flags:
                self.add(1, f"return {self.disabled()}")
                return False
            self.timed = True  # the other may be, and both are asked for the same time
            answer = self.remembered(self.link("flag", needed["flag"]), "ctx, now, memo")
            self.add(1, f"if {answer}.variant != {self.bind('w', _text(needed['variant']))}: return {self.disabled()}")
        return True

    def overrides(self) -> Loaded:
        """Step 4. Which attributes have been read for their key."""
        overrides = self.flag.get("overrides")
        if not overrides:
            return NOTHING
        listed: dict[str, Resolution] = {}
        for variant in sorted(overrides):
            place = self.answer(_text(variant), "TARGETING_MATCH")
            for user in _list(overrides[variant]):
                listed.setdefault(_text(user), self.answers[self.places[variant, "TARGETING_MATCH", None, None]])
        listed.pop("", None)
        user, loaded = self.key_of(1, TARGETING_KEY, NOTHING)
        users = self.bind("o", frozenset(listed) if len(overrides) == 1 else listed)
        self.add(1, f"if {user} in {users}: return {place if len(overrides) == 1 else f'{users}[{user}]'}")
        return loaded

    def key_of(self, depth: int, attribute: str, loaded: Loaded) -> tuple[str, Loaded]:
        """The variable for an attribute's text to hash, and what is loaded then."""
        variable = f"u{self.once('k', attribute)[1:]}"
        if attribute not in loaded:
            self.add(depth, f"{variable} = {self.path(attribute)}")
            self.add(depth, f"if type({variable}) is not str: {variable} = key({variable})")
        return variable, loaded | {attribute}

    def outcome(
        self, depth: int, of: Any, reason: str, rule: str | None, loaded: Loaded, *, last: bool = False
    ) -> None:
        """Steps 5 and 6: return what somebody gets, or go on if they stand outside the experiment."""
        if "serve" in of:
            self.add(depth, f"return {self.answer(of['serve'], reason, rule)}")
            return
        user, _ = self.key_of(depth, of["bucket_by"], loaded)
        self.add(depth, f"if not {user}: return {self.answer(self.off, reason, rule)}")
        experiment = of.get("experiment", {})
        inside = self.admission(depth, experiment, user)
        name = _text(experiment["name"]) if "experiment" in of else None
        if "ramp" in of:
            self.ramp(inside, of, user, rule, name)
        else:
            self.split(inside, of, user, rule, name)
        if last and inside > depth:
            self.add(depth, f"return {self.answer(self.off, reason, rule)}")

    def admission(self, depth: int, experiment: Any, user: str) -> int:
        """Let in who stands in the slots and the traffic; how deep inside is."""
        if "slots" in experiment:
            first, end = experiment["slots"]
            draw = self.draw(f"layer:{_text(experiment['layer'])}", user)
            low, high = (self.bind("b", threshold(_whole(edge))) for edge in (first, end))
            self.add(depth, f"if {low} <= {draw} < {high}:")
            depth += 1
        if "traffic" in experiment:
            draw = self.draw(f"traffic:{_text(experiment['name'])}", user)
            self.add(depth, f"if {draw} < {self.bind('b', threshold(_whole(experiment['traffic'])))}:")
            depth += 1
        return depth

    def split(self, depth: int, of: Any, user: str, rule: str | None, experiment: str | None) -> None:
        """Whose range a person's number lies in."""
        draw = self.own_draw(of, user)  # even if nobody is drawn: what it needs has to be there
        reached = 0
        drawn = False
        for variant, upper in of["split"]:
            if _whole(upper) <= reached:
                continue
            answer = self.answer(_text(variant), "SPLIT", rule, experiment)
            if upper >= BUCKETS:
                self.add(depth, f"return {answer}")
                return
            if not drawn:
                self.add(depth, f"h = {draw}")
                drawn = True
            self.add(depth, f"if h < {self.bind('b', self.bound(upper))}: return {answer}")
            reached = upper
        raise Unsaid

    def ramp(self, depth: int, of: Any, user: str, rule: str | None, experiment: str | None) -> None:
        """The same, where the first range grows with time."""
        self.timed = True
        starts = tuple(_whole(at) for at, _ in of["ramp"])
        if list(starts) != sorted(starts):
            raise Unsaid
        bounds = (self.bound(0), *(self.bound(_whole(share)) for _, share in of["ramp"]))
        grown, rest = (self.answer(_text(of[name]), "SPLIT", rule, experiment) for name in ("variant", "rest"))
        due = f"bisect({self.bind('x', starts)}, now) if now == now else 0"  # nothing is due at NaN
        self.add(depth, f"if {self.own_draw(of, user)} < {self.bind('b', bounds)}[{due}]: return {grown}")
        self.add(depth, f"return {rest}")

    def bound(self, share: int) -> int:
        """A share as what a flag's own draw is compared with."""
        return share if self.flag.get("foreign_bucketing") is not None else threshold(share)

    def own_draw(self, of: Any, user: str) -> str:
        """The expression of the number that decides an outcome."""
        foreign = self.flag.get("foreign_bucketing")
        if foreign is None:
            return self.draw(_text(of["salt"]), user)
        return f"{self.bind('g', partial(FOREIGN[foreign['algorithm']], foreign, self.key))}({user})"

    def draw(self, salt: str, user: str) -> str:
        """The expression of the 32 bits of a person under a salt."""
        generation = self.scope.generation
        if generation == "portable" and salt.isascii():
            prefix = f"xx{salt}:"
            room, name = max(0, _PADDED + 1 - len(prefix)), self.bind("s", prefix)
            text = f'({name} + {user}).ljust({_PADDED}, ".")'
            shorter = f"{user}.isascii() and len({user}) < {self.bind('n', room)}"
        elif generation == "flagd-2" and salt.isascii():
            text = f"{self.bind('s', salt)} + {user}"
            shorter = f"{user}.isascii()"
        else:
            return f"{self.bind('g', partial(bits, generation, salt))}({user})"
        # Never text beyond ASCII: mmh3 5.3 crashes the process at a lone surrogate.
        return f"(hash32({text}, 0, False) if {shorter} else {self.odd(bits, generation, salt, user)})"


def _text(value: Any) -> str:
    if type(value) is not str:
        raise Unsaid
    return value


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise Unsaid
    return value


def _flagged(value: Any) -> bool:
    if type(value) is not bool:
        raise Unsaid
    return value


def _list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise Unsaid
    return value
