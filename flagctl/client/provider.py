"""flagctl as an OpenFeature provider, for openfeature-sdk (`pip install flagctl[openfeature]`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

try:
    from openfeature.event import ProviderEvent, ProviderEventDetails
    from openfeature.exception import ErrorCode, ProviderFatalError, ProviderNotReadyError
    from openfeature.flag_evaluation import FlagResolutionDetails
    from openfeature.provider import AbstractProvider, Metadata
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f'{error.msg}; the provider needs openfeature-sdk: pip install "flagctl[openfeature]"', name=error.name
    ) from None

from flagctl.client.client import Client
from flagctl.errors import UsageError

if TYPE_CHECKING:
    from openfeature.evaluation_context import EvaluationContext
    from openfeature.flag_evaluation import FlagValueType
    from openfeature.track import TrackingEventDetails

    from flagctl.client.details import Details
    from flagctl.client.events import Event

T = TypeVar("T")
Structure = Sequence["FlagValueType"] | Mapping[str, "FlagValueType"]
Track = Callable[[str, Mapping[str, Any], "TrackingEventDetails | None"], None]

_KEPT_BACK = ("description", "owner_email")
"""Too long for every answer, and a person's; metadata ends in logs and traces."""
_EVENTS = {
    "ready": ProviderEvent.PROVIDER_READY,
    "changed": ProviderEvent.PROVIDER_CONFIGURATION_CHANGED,
    "stale": ProviderEvent.PROVIDER_STALE,
}


class FlagctlProvider(AbstractProvider):
    """Answers OpenFeature's questions from a Client.

    Flag metadata tells the flag's `version`, `owner` and `kind`, the `rule` that decided and the `snapshot_version`,
    each where there is one, and what else the snapshot says of the flag that is a text, a number or a boolean. Nobody
    can change it, and it is empty for a flag of which the snapshot says nothing.
    A snapshot that is refused is an ERROR event, and the next one that is believed makes the provider READY again; it
    goes on answering meanwhile. An error of the source is one only while there is no snapshot: with one, the provider
    is STALE when that has gone on for too long.
    """

    def __init__(self, source: Any, environment: str = "", *, track: Track | None = None, **options: Any) -> None:
        """source: a Client, which stays its owner's to close; or what a Client is opened with, with its options.

        track: called with the name, the context and the details of each tracking event.
        """
        super().__init__()
        self._own = not isinstance(source, Client)
        self._given = (source, environment, options)
        self._client: Client | None = source if isinstance(source, Client) else None
        self._track = track
        self._end: Callable[[], None] | None = None
        self._refused = 0
        self._in_error = False

    @property
    def client(self) -> Client:
        """The client; raises ProviderNotReadyError before `initialize`."""
        if self._client is None:
            raise ProviderNotReadyError("the provider is not initialized")
        return self._client

    def get_metadata(self) -> Metadata:
        """See FeatureProvider."""
        return Metadata(name="flagctl")

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        """Open the client, and wait for the first snapshot as long as its `wait` says.

        Raises ProviderNotReadyError when there is none, as OpenFeature wants it; once one comes, the provider is ready.
        Raises ProviderFatalError when none can ever come: the source is no place, or a key no key.
        """
        if self._client is None:
            source, environment, options = self._given
            try:
                self._client = Client(source, environment, **options)
            except UsageError as error:
                raise ProviderFatalError(f"{error.message}{f'; {error.hint}' if error.hint else ''}") from error
        self._refused = self._client.figures.refused
        self._end = self._client.on_event(self._tell)
        if self._client.version is None:
            raise ProviderNotReadyError(f"no snapshot yet: {self._client.error or 'the source did not answer in time'}")

    def shutdown(self) -> None:
        """Close the client, if it is the provider's own."""
        if self._end is not None:
            self._end()
            self._end = None
        if self._own and self._client is not None:
            self._client.close()
            self._client = None

    def track(
        self,
        tracking_event_name: str,
        evaluation_context: EvaluationContext | None = None,
        tracking_event_details: TrackingEventDetails | None = None,
    ) -> None:
        """Hand a tracking event to `track`."""
        if self._track is not None:
            self._track(tracking_event_name, _context(evaluation_context), tracking_event_details)

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """See FeatureProvider."""
        return self._resolve(flag_key, default_value, evaluation_context)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """See FeatureProvider."""
        return self._resolve(flag_key, default_value, evaluation_context)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """See FeatureProvider."""
        return self._resolve(flag_key, default_value, evaluation_context)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """See FeatureProvider. A whole number is a float too."""
        return self._resolve(flag_key, float(default_value), evaluation_context)

    def resolve_object_details(
        self, flag_key: str, default_value: Structure, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[Structure]:
        """See FeatureProvider."""
        return self._resolve(flag_key, default_value, evaluation_context, structure=True)

    def _resolve(
        self, key: str, default: T, context: EvaluationContext | None, *, structure: bool = False
    ) -> FlagResolutionDetails[T]:
        # A flag of type object has an object for its value, whatever structure the default is.
        expected: Any = {} if structure else default
        found = self.client.details(key, _context(context), default=expected)
        return FlagResolutionDetails(
            value=default if found.error_code is not None and found.variant is None else found.value,
            variant=found.variant,
            reason=found.reason,
            error_code=None if found.error_code is None else ErrorCode(found.error_code),
            error_message=found.error_message,
            flag_metadata=_metadata(found),
        )

    def _tell(self, event: Event) -> None:
        if event.kind == "error":
            before, self._refused = self._refused, self.client.figures.refused
            nothing = self.client.version is None
            if nothing or self._refused > before:
                self._in_error = True
                code = ErrorCode.PROVIDER_NOT_READY if nothing else ErrorCode.GENERAL
                self.emit_provider_error(ProviderEventDetails(message=event.message, error_code=code))
            return
        if event.kind == "changed" and self._in_error:
            self.emit_provider_ready(ProviderEventDetails(message=event.message))
        self._in_error = False
        metadata: dict[str, Any] = {} if event.version is None else {"version": event.version}
        changed = list(event.keys) if event.kind == "changed" else None
        self.emit(
            _EVENTS[event.kind], ProviderEventDetails(flags_changed=changed, message=event.message, metadata=metadata)
        )


def _context(context: EvaluationContext | None) -> dict[str, Any]:
    if context is None:
        return {}
    found = {name: _plain(value) for name, value in context.attributes.items()}
    if context.targeting_key:
        found["targetingKey"] = context.targeting_key
    return found


def _plain(value: Any) -> Any:
    """A datetime as seconds since the epoch, which is what a flag compares; one without a zone is no moment."""
    if isinstance(value, datetime):
        return None if value.tzinfo is None else value.timestamp()
    return value


class _Told(dict[str, bool | int | float | str]):
    """Flag metadata, which OpenFeature wants immutable (1.4.15.1): a dict, as JSON and dataclasses know them."""

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError("flag metadata can't be changed; dict(metadata) is a copy")

    __setitem__ = __delitem__ = __ior__ = update = setdefault = pop = popitem = clear = _refuse

    def __reduce__(self) -> tuple[type[_Told], tuple[dict[str, Any]]]:
        return _Told, (dict(self),)


def _metadata(found: Details) -> _Told:
    about = {name: value for name, value in found.metadata.items() if name not in _KEPT_BACK}
    if found.metadata:
        about |= {"rule": found.rule, "snapshot_version": found.snapshot_version}
    return _Told({name: value for name, value in about.items() if isinstance(value, bool | int | float | str)})
