"""The generated evaluator: a snapshot to functions that answer in a microsecond, each made when it is first needed."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from flagctl.errors import OutsideError
from flagctl.evaluate import codegen, runtime
from flagctl.evaluate.bucket import GENERATIONS
from flagctl.evaluate.evaluator import Evaluator, Resolution
from flagctl.evaluate.expressions import Draft, Scope, Unsaid

FORMAT = "flagctl/snapshot/1"
_TTL = 300
_DEEPEST = 50
_COLD = 10
_REMEMBERED = 256
Function = Callable[..., Any]
Time = float | Callable[[], float]
"""Seconds since the epoch, or a clock that says them."""
Made = tuple[Function | None, Any, Any]
"""A function of a context and the time (few flags ask a clock for it) and None, or None and the only answer there is;
and a place for whoever keeps account."""


class Attribute(msgspec.Struct, frozen=True, gc=False):
    """A declared attribute of the context; a private one may not leave the process."""

    type: str
    private: bool = False


class PreviewClaim(msgspec.Struct, frozen=True, gc=False):
    """What a token has to say for a preview where the environment is protected."""

    claim: str
    value: str | bool | int | None = None

    def holds(self, claims: Mapping[str, Any]) -> bool:
        """Whether it says so: the claim is the value, or a list or words that hold it; without one, it says yes."""
        found = claims.get(self.claim)
        if self.value is None:
            return bool(found) and found not in ("false", "0")
        members = found.split() if isinstance(found, str) else found if isinstance(found, list) else []
        return any(type(one) is type(self.value) and one == self.value for one in [found, *members])


class FlagInfo(msgspec.Struct, frozen=True, gc=False):
    """What clients need to know of a flag besides its answers; the snapshot's schema says what it means."""

    type: str
    ttl: int
    stale: str = "serve"
    max_stale: int | None = None
    metadata: dict[str, Any] = {}


class _Ttl(msgspec.Struct, gc=False):
    ttl: int


class _Head(msgspec.Struct):
    format: str
    environment: str
    bucketing: str
    version: int = 0
    commit: str | None = None
    commit_time: str | None = None
    protected: bool = False
    attributes: dict[str, Attribute] = {}
    preview: PreviewClaim | None = None


class _Snapshot(_Head, kw_only=True):
    flags: dict[str, msgspec.Raw]
    segments: dict[str, msgspec.Raw]


class Engine:
    """Answers from one snapshot, always as `Evaluator` does; for any number of threads, without locks.

    A flag that nobody has asked for costs nothing but the bytes it came in. The first few times that one of a new
    shape is asked for the readable evaluator answers: making code pays only for a flag that is asked for again.
    """

    def __init__(self, head: _Head, flags: Mapping[str, Any], segments: Mapping[str, Any]) -> None:
        """Made by `load`."""
        self.environment = head.environment
        self.version = head.version
        self.commit = head.commit
        self.commit_time = head.commit_time
        self.protected = head.protected
        self.preview = head.preview
        self.bucketing = head.bucketing
        self.attributes: Mapping[str, Attribute] = head.attributes
        self.private = frozenset(name for name, attribute in head.attributes.items() if attribute.private)
        self._flags, self._segments = _Documents(flags), _Documents(segments)
        document = {"bucketing": head.bucketing, "flags": self._flags, "segments": self._segments}
        self.evaluator = Evaluator(document)
        types = {name: attribute.type for name, attribute in head.attributes.items()}
        self._scope = Scope(head.bucketing, types, flags, segments)
        self._entries: dict[str, Function] = {}
        self._made: dict[str, Made] = {}
        self._only: dict[str, Resolution] = {}
        self._functions: dict[str, dict[str, Function]] = {"flag": {}, "segment": {}}
        self._infos: dict[str, FlagInfo | None] = {}

    @classmethod
    def load(cls, snapshot: bytes | Mapping[str, Any]) -> Engine:
        """An engine for a snapshot in bytes, or decoded; nobody may change the latter from then on.

        Raises OutsideError for what is no snapshot. A flag that is broken is an answer of that flag, when it is asked.
        """
        collecting = gc.isenabled()
        gc.disable()  # ten thousand flags are no reason to look for cycles
        try:
            if isinstance(snapshot, Mapping):
                head, flags, segments = msgspec.convert(snapshot, _Head), snapshot["flags"], snapshot["segments"]
            else:
                head = msgspec.json.decode(snapshot, type=_Snapshot)
                flags, segments = head.flags, head.segments
            fault = _fault(head, flags, segments)
        except Exception as error:  # not JSON, not UTF-8, too deep, a field missing or of another type
            raise OutsideError(f"this is no snapshot: {error or type(error).__name__}", hint=_HINT) from error
        finally:
            if collecting:
                gc.enable()
        if fault:
            raise OutsideError(fault, hint=_HINT)
        return cls(head, flags, segments)

    def keys(self) -> list[str]:
        """The keys of all flags, sorted."""
        return sorted(self._flags)

    def flag(self, key: str) -> FlagInfo | None:
        """What is known of a flag; None for one there is not, or whose description is broken."""
        if key not in self._infos and key in self._flags:
            self._infos[key] = self._flags.read(key)
        return self._infos.get(key)

    def variant_named(self, key: str, text: str) -> str | None:
        """The variant of a flag that a text names (`true` and `false` too, of a boolean flag); None for none."""
        try:
            flag = self._flags[key]
            wanted = {"true": "on", "false": "off"}.get(text, text) if flag["type"] == "boolean" else text
            return wanted if wanted in flag["variants"] else None
        except Exception:  # an unknown flag, or a broken one
            return None

    def shortest_ttl(self) -> int:
        """The least of the flags' `ttl`, in seconds; that of a flag that says none where there is no flag."""
        return min(self._flags.ttls(), default=_TTL)

    def raw(self) -> tuple[Mapping[str, bytes], Mapping[str, bytes]]:
        """Flags and segments as they stand in the snapshot, by name: what did not change is equal byte for byte."""
        return self._flags.encoded(), self._segments.encoded()

    def made(self) -> Mapping[str, Made]:
        """What answers, by flag; grows as flags are asked for. Where it raises, ask `evaluate`."""
        return self._made

    def evaluate(
        self,
        key: str,
        context: Mapping[str, Any],
        now: float,
        default: Any = None,
        preview: Mapping[str, str] | None = None,
    ) -> Resolution:
        """The answer for one context at one time; see `Evaluator.evaluate`. Never raises."""
        try:
            if not preview:
                found: Resolution = self._entries[key](context, now)
                return found
        except Exception:  # not made yet, or something extraordinary
            pass
        return self._carefully(key, context, now, default, preview)

    def enabled(self, key: str, context: Mapping[str, Any], now: float) -> bool:
        """Whether a boolean flag is on; False for a flag there is not. Never raises."""
        try:
            return self._entries[key](context, now).value is True
        except Exception:
            return self._carefully(key, context, now).value is True

    def variant(self, key: str, context: Mapping[str, Any], now: float) -> str | None:
        """The name of the variant, None for a flag there is not. Never raises."""
        try:
            found: str = self._entries[key](context, now).variant
            return found
        except Exception:
            return self._carefully(key, context, now).variant

    def value(self, key: str, context: Mapping[str, Any], now: float, default: Any = None) -> Any:
        """The value, or `default` where there is none. Never raises."""
        try:
            return self._entries[key](context, now).value
        except Exception:
            return self._carefully(key, context, now, default).value

    def evaluate_many(
        self, keys: Sequence[str], contexts: Sequence[Mapping[str, Any]], now: float
    ) -> list[list[Resolution]]:
        """The answers of several flags: for each context a list, in the order of `keys`. Never raises."""
        evaluate = self.evaluate
        return [[evaluate(key, context, now) for key in keys] for context in contexts]

    def prepare(self, keys: Iterable[str] | None = None) -> None:
        """Make the functions of these flags, or of all, now and not when they are first asked for."""
        for key in self._flags if keys is None else keys:
            self._entry(key, eager=True)

    def _carefully(
        self,
        key: str,
        context: Mapping[str, Any],
        now: float,
        default: Any = None,
        preview: Mapping[str, str] | None = None,
    ) -> Resolution:
        """The answer of a flag that was never asked for, of one that is no function, or of one that raised."""
        try:
            if not preview and key not in self._entries and key in self._flags:
                found: Resolution = self._entry(key)(context, now)
                return found
        except Exception:  # the readable evaluator says what is wrong, if anything is
            pass
        return self.evaluator.evaluate(key, context, now, default=default, preview=preview)

    def _entry(self, key: str, *, eager: bool = False) -> Function:
        """Make what answers a flag from now on."""
        try:
            made = self._function("flag", key, (), eager)
        except RecursionError:  # whoever asks is too deep in calls; the next may not be
            raise
        except Exception:
            made = _raise
        if made is None:
            made = _Cold(self, key)
        elif made is not _raise and any(isinstance(value, dict) for value in self._flags[key]["variants"].values()):
            made = _copying(made)
        self._entries[key] = made
        if key in self._only:
            self._made[key] = None, self._only[key], None
        elif not isinstance(made, _Cold):
            self._made[key] = made, None, None
        return made

    def _function(self, kind: str, name: str, stack: tuple[tuple[str, str], ...], eager: bool) -> Function | None:
        """The function of a flag or segment; None where it, or one it calls, would have to be compiled first."""
        me, known = (kind, name), self._functions[kind]
        if name in known:
            return known[name]
        if me in stack or len(stack) > _DEEPEST:
            raise Unsaid
        if kind == "flag":
            draft: Draft = (flag := codegen.flag(name, self._flags[name], self._scope))
            if (only := flag.only()) is not None and not isinstance(only.value, dict):
                self._only[name] = only
        else:
            draft = codegen.segment(self._segments[name], self._scope)
        for index in draft.links:
            link = draft.constants[index]
            draft.constants[index] = called = self._function(link.kind, link.name, (*stack, me), eager)
            if called is None:
                return None
        made = runtime.function(draft.source(), draft.constants, eager=eager)
        if made is not None:
            known[name] = made
        return made


_HINT = f"flagctl build and flagctl publish write what is read here: {FORMAT}"


def _fault(head: _Head, flags: Any, segments: Any) -> str:
    if head.format != FORMAT:
        return f"this snapshot is in the format {head.format!r}, not {FORMAT!r}"
    if head.bucketing not in GENERATIONS:
        return f"this snapshot's bucketing is {head.bucketing!r}, not one of {', '.join(GENERATIONS)}"
    if not isinstance(flags, Mapping) or not isinstance(segments, Mapping):
        return "this is no snapshot: its flags or segments are no object"
    return ""


class _Documents(Mapping[str, Any]):
    """Flags or segments by name, decoded when they are asked for; the last few stay."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw = raw
        self._decoded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        try:
            return self._decoded[name]
        except KeyError:
            pass
        document = self._raw[name]
        if isinstance(document, msgspec.Raw):
            document = msgspec.json.decode(document)
            if len(self._decoded) >= _REMEMBERED:
                self._decoded.clear()
            self._decoded[name] = document
        return document

    def __contains__(self, name: object) -> bool:
        return name in self._raw

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)

    def ttls(self) -> Iterator[int]:
        """The lifetime of each flag, where it can be read."""
        for document in self._raw.values():
            with contextlib.suppress(ValueError, RecursionError):
                yield (msgspec.json.decode if isinstance(document, msgspec.Raw) else msgspec.convert)(
                    document, type=_Ttl
                ).ttl

    def encoded(self) -> dict[str, bytes]:
        """Each as JSON."""
        return {
            name: bytes(document)
            if isinstance(document, msgspec.Raw)
            else msgspec.json.encode(document, order="sorted")
            for name, document in self._raw.items()
        }

    def read(self, name: str) -> FlagInfo | None:
        """What there is of a flag besides its answers."""
        document = self._raw[name]
        try:
            if isinstance(document, msgspec.Raw):
                return msgspec.json.decode(document, type=FlagInfo)
            return msgspec.convert(document, FlagInfo)
        except (ValueError, RecursionError):
            return None


class _Cold:
    """Stands for a flag of a shape never seen, until it has been asked for a few times."""

    __slots__ = ("engine", "key", "left")

    def __init__(self, engine: Engine, key: str) -> None:
        self.engine = engine
        self.key = key
        self.left = _COLD

    def __call__(self, context: Mapping[str, Any], now: Time) -> Resolution:
        now = now() if callable(now) else now
        self.left -= 1
        if self.left < 0:
            found: Resolution = self.engine._entry(self.key, eager=True)(context, now)
            return found
        answer = self.engine.evaluator.evaluate(self.key, context, now)
        if answer.reason == "ERROR":
            raise Unsaid  # it takes the caller's default
        return answer


def _raise(context: object, now: object) -> Resolution:
    raise Unsaid


def _copying(function: Function) -> Function:
    """The same answers, their values the caller's to change."""

    def answer(context: Mapping[str, Any], now: Time) -> Resolution:
        found: Resolution = function(context, now)
        return msgspec.structs.replace(found, value=_copied(found.value))

    return answer


def _copied(value: Any) -> Any:
    if type(value) is dict:
        return {name: _copied(inner) for name, inner in value.items()}
    return [_copied(inner) for inner in value] if type(value) is list else value
