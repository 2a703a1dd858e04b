"""The OpenFeature provider: any code written for OpenFeature decides, exposes and tracks with Paribus.

from openfeature import api
api.set_provider_and_wait(ParibusProvider(Client()))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import ErrorCode, ProviderNotReadyError
from openfeature.flag_evaluation import FlagEvaluationDetails, FlagResolutionDetails, FlagType, FlagValueType
from openfeature.hook import Hook, HookContext, HookHints
from openfeature.provider import AbstractProvider, Metadata
from openfeature.track import TrackingEventDetails

from paribus_sdk.client import Client
from paribus_sdk.decision import Decision

FLAG_METADATA = ("assigned", "served", "revision", "epoch", "traffic_bp", "split_bp", "probability", "rule", "unit")
KINDS = {
    FlagType.BOOLEAN: "boolean",
    FlagType.STRING: "string",
    FlagType.INTEGER: "integer",
    FlagType.FLOAT: "float",
    FlagType.OBJECT: "json",
}


class ExposureHook(Hook):
    """Writes the exposure after a flag was resolved without error, unless the hint `paribus.exposure` is False."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def after(self, hook_context: HookContext, details: FlagEvaluationDetails[FlagValueType], hints: HookHints) -> None:
        if hints.get("paribus.exposure", True):
            unit, context = _subject(hook_context.evaluation_context)
            kind = KINDS.get(hook_context.flag_type)
            self._client.decide(hook_context.flag_key, unit, context, kind=kind)


class ParibusProvider(AbstractProvider):
    """Resolves flags with a client.

    Args:
        client: The client; it is closed when the provider is shut down.
        ready_seconds: The longest wait for definitions when the provider is set.
        exposures: Whether resolving a flag writes its exposure, as `Client.decide` does. Without, add `ExposureHook`
            where a flag's use is an exposure.
    """

    def __init__(self, client: Client, ready_seconds: float = 5.0, exposures: bool = True) -> None:
        super().__init__()
        self.client = client
        self._ready_seconds = ready_seconds
        self._resolve = client.decide if exposures else client.peek
        self._late = False
        client.on_change(self._changed)

    def get_metadata(self) -> Metadata:
        return Metadata(name="paribus")

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        """Waits for definitions.

        Raises:
            ProviderNotReadyError: None came in time; flags give their defaults until they do.
        """
        self._late = not self.client.ready(self._ready_seconds)
        if self._late:
            raise ProviderNotReadyError(f"no definitions came within {self._ready_seconds:g} s")

    def shutdown(self) -> None:
        self.client.close()

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        return self._details("boolean", flag_key, default_value, evaluation_context)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        return self._details("string", flag_key, default_value, evaluation_context)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        return self._details("integer", flag_key, default_value, evaluation_context)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        details = self._details("float", flag_key, default_value, evaluation_context)
        if isinstance(details.value, int) and not isinstance(details.value, bool):
            details.value = float(details.value)
        return details

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        return self._details("json", flag_key, default_value, evaluation_context)

    def track(
        self,
        tracking_event_name: str,
        evaluation_context: EvaluationContext | None = None,
        tracking_event_details: TrackingEventDetails | None = None,
    ) -> None:
        """Records the event for the context's targeting key; the details' value becomes the property `value`."""
        unit, _ = _subject(evaluation_context)
        properties: dict[str, Any] = {}
        if tracking_event_details is not None:
            properties.update(tracking_event_details.attributes)
            if tracking_event_details.value is not None:
                properties["value"] = tracking_event_details.value
        self.client.track(tracking_event_name, unit, properties=properties)

    def _details(
        self, kind: str, flag: str, default: Any, evaluation_context: EvaluationContext | None
    ) -> FlagResolutionDetails[Any]:
        unit, context = _subject(evaluation_context)
        decision = self._resolve(flag, unit, context, kind=kind, default=default)
        return FlagResolutionDetails(
            value=decision.value,
            variant=decision.variant,
            reason=decision.reason,
            error_code=_error_code(decision),
            error_message=decision.error_message,
            flag_metadata=_metadata(decision),
        )

    def _changed(self, flags: frozenset[str]) -> None:
        if self._late:
            self._late = False
            self.emit_provider_ready(ProviderEventDetails(flags_changed=sorted(flags)))
        self.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=sorted(flags)))


def _subject(context: EvaluationContext | None) -> tuple[str | None, dict[str, Any]]:
    if context is None:
        return None, {}
    return context.targeting_key, dict(context.attributes)


def _error_code(decision: Decision) -> ErrorCode | None:
    if decision.error_code is None:
        return None
    try:
        return ErrorCode(decision.error_code)
    except ValueError:
        return ErrorCode.GENERAL


def _metadata(decision: Decision) -> dict[str, bool | int | float | str]:
    found = {name: getattr(decision, name) for name in FLAG_METADATA}
    return {name: value for name, value in found.items() if value is not None}
