"""Evaluations in OpenTelemetry's words (`pip install flagctl[telemetry]`).

Events and attributes are those of the semantic conventions for feature flags, 1.34 and later
(opentelemetry.io/docs/specs/semconv/feature-flags/feature-flags-events/); the counters are named as OpenFeature's
own metrics hooks name them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

try:
    from openfeature.hook import Hook
    from opentelemetry._logs import LogRecord, SeverityNumber, get_logger
    from opentelemetry.metrics import get_meter
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f'{error.msg}; telemetry needs openfeature-sdk and opentelemetry-api: pip install "flagctl[telemetry]"',
        name=error.name,
    ) from None

if TYPE_CHECKING:
    from openfeature.flag_evaluation import FlagEvaluationDetails
    from openfeature.hook import HookContext, HookHints
    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider

    from flagctl.client.recorder import Batch

PROVIDER = "flagctl"
EVENT = "feature_flag.evaluation"
_KEY = "feature_flag.key"
_VARIANT = "feature_flag.result.variant"
_REASON = "feature_flag.result.reason"
_PROVIDER = "feature_flag.provider.name"
_SET = "feature_flag.set.id"
_VERSION = "feature_flag.version"
_CONTEXT = "feature_flag.context.id"
_VALUE = "feature_flag.result.value"
_ERROR = "error.type"
_MESSAGE = "feature_flag.error.message"


class Telemetry:
    """A sink of a Recorder: counters of all evaluations, and an event for each exposure to an experiment.

    Without providers, the ones that the application has set for the process.
    """

    def __init__(
        self, meter_provider: MeterProvider | None = None, logger_provider: LoggerProvider | None = None
    ) -> None:
        meter = get_meter(__package__, meter_provider=meter_provider)
        unit = "{evaluation}"
        self._requests = meter.create_counter("feature_flag.evaluation_requests_total", unit, "Evaluations.")
        self._successes = meter.create_counter("feature_flag.evaluation_success_total", unit, "Those that answered.")
        self._errors = meter.create_counter("feature_flag.evaluation_error_total", unit, "Those with an error.")
        self._logger = get_logger(__package__, logger_provider=logger_provider)

    def write(self, batch: Batch) -> None:
        """See Sink."""
        for (flag, variant, reason, error), count in batch.tally.items():
            about = {_KEY: flag, _PROVIDER: PROVIDER}
            self._requests.add(count, about)
            if error is None:
                self._successes.add(count, {**about, _REASON: reason.lower(), **_given(_VARIANT, variant)})
            else:
                self._errors.add(count, {**about, _ERROR: error.lower()})
        for row in batch.exposures:
            about = {_KEY: row["flag"], _PROVIDER: PROVIDER, _SET: batch.environment, _REASON: "split"}
            about |= _given(_VARIANT, row["variant"]) | _given(_CONTEXT, row.get("user"))
            about |= _given(_VERSION, None if row["version"] is None else str(row["version"]))
            self._logger.emit(
                LogRecord(
                    timestamp=int(row["time"] * 1e9),
                    severity_number=SeverityNumber.INFO,
                    event_name=EVENT,
                    attributes=about,
                )
            )


class EvaluationEvents(Hook):
    """An OpenFeature hook: an event for each evaluation, within the span in which it was asked for.

    context_id: whether events carry the targeting key; leave it off where that is a person's.
    """

    def __init__(
        self, environment: str, *, context_id: bool = False, logger_provider: LoggerProvider | None = None
    ) -> None:
        self._environment = environment
        self._context_id = context_id
        self._logger = get_logger(__package__, logger_provider=logger_provider)

    def finally_after(self, hook_context: HookContext, details: FlagEvaluationDetails[Any], hints: HookHints) -> None:
        """See Hook."""
        about: dict[str, Any] = {_KEY: details.flag_key, _PROVIDER: PROVIDER, _SET: self._environment}
        about[_REASON] = str(details.reason or "unknown").lower()
        about |= _given(_VARIANT, details.variant)
        if details.variant is None:
            about[_VALUE] = details.value
        if self._context_id:
            about |= _given(_CONTEXT, hook_context.evaluation_context.targeting_key)
        if "version" in details.flag_metadata:
            about[_VERSION] = str(details.flag_metadata["version"])
        if details.error_code is not None:
            about[_ERROR] = details.error_code.value.lower()
            about |= _given(_MESSAGE, details.error_message)
        self._logger.emit(LogRecord(severity_number=SeverityNumber.INFO, event_name=EVENT, attributes=about))


def _given(name: str, value: str | None) -> dict[str, str]:
    return {} if value is None else {name: value}
