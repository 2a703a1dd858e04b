"""Decisions with their exposures: definitions in memory, overrides, the circuit breaker, and no network."""

from __future__ import annotations

import itertools
import os
import time as clock
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from paribus_sdk.breaker import Breaker, BreakerPolicy
from paribus_sdk.counters import Stats
from paribus_sdk.current import CurrentDefinitions
from paribus_sdk.decision import Decision, Outcome, Reason
from paribus_sdk.event import Event
from paribus_sdk.exposure import EXPOSURE, ExposureLog, exposure_json
from paribus_sdk.request import current_request

if TYPE_CHECKING:
    from paribus_sdk.evaluator import Evaluator
    from paribus_sdk.explain import Explanation

BREAKER = "$breaker"
KINDS: dict[type, str] = {bool: "boolean", str: "string", int: "integer", float: "float", dict: "json", list: "json"}


class Decider:
    """Decides flags and records the exposures; where records go is for its heirs to say, in `_record`."""

    _record: Callable[[Event], bool]

    def __init__(
        self, exposure_memory: int, breaker: BreakerPolicy | None, clock: Callable[[], float] = clock.time
    ) -> None:
        self._clock = clock
        self._stats = Stats()
        self._process = os.urandom(8).hex()
        self._sequence = itertools.count(1)
        self._evaluate: Callable[..., Decision] = self._unready
        self._current = CurrentDefinitions(self._stats, self._use)
        self._exposures = ExposureLog(exposure_memory)
        self._known = self._exposures.known
        self._breaker = Breaker(self._broke, breaker)
        self._held = self._breaker.held
        self._forced: dict[tuple[str, str | int | None], str] = {}

    def variant(
        self,
        flag: str,
        unit: str | int | None = None,
        context: Mapping[str, Any] | None = None,
        default: str = "control",
    ) -> str:
        """The variant that the unit gets, and its exposure; `default` when there is no such flag."""
        variant = self.decide(flag, unit, context).variant
        return default if variant is None else variant

    def value(
        self, flag: str, default: Any, unit: str | int | None = None, context: Mapping[str, Any] | None = None
    ) -> Any:
        """The value that the unit gets, and its exposure.

        The flag must be of the type of `default` (an integer flag may be read as a float); otherwise, and when there
        is no such flag, the answer is `default`. A `default` of None takes any type.
        """
        return self.decide(flag, unit, context, kind=KINDS.get(type(default)), default=default).value

    def decide(
        self,
        flag: str,
        unit: str | int | None = None,
        context: Mapping[str, Any] | None = None,
        *,
        kind: str | None = None,
        default: Any = None,
    ) -> Decision:
        """The decision with its reason, and its exposure; never raises.

        Inside a request (see `paribus_sdk.middleware`) the unit and the context are the request's unless given.
        """
        request = current_request.get()
        if request is not None:
            if unit is None:
                unit = request.unit
            context = request.under(context)
        decision: Decision = self._evaluate(flag, unit, context, kind=kind, default=default)
        if self._forced or self._held:
            decision = self._adjusted(decision, unit, retry=True)
        outcome = decision.outcome
        units = self._known.get(id(outcome))
        if units is not None and decision.unit in units:
            self._stats.exposures_deduplicated += 1
        else:
            self._expose(decision)
        if request is not None and outcome.error_code is None:
            request.decisions[outcome.flag] = decision
        return decision

    def peek(
        self,
        flag: str,
        unit: str | int | None = None,
        context: Mapping[str, Any] | None = None,
        *,
        kind: str | None = None,
        default: Any = None,
    ) -> Decision:
        """The decision that `decide` would make now, without an exposure."""
        request = current_request.get()
        if request is not None:
            unit = request.unit if unit is None else unit
            context = request.under(context)
        decision: Decision = self._evaluate(flag, unit, context, kind=kind, default=default)
        return self._adjusted(decision, unit, retry=False) if self._forced or self._held else decision

    def peek_all(
        self, unit: str | int | None = None, context: Mapping[str, Any] | None = None, client_only: bool = False
    ) -> list[Decision]:
        """Decisions of all flags, without exposures: for a page that renders with them and reports by itself."""
        evaluator = self._current.evaluator
        if evaluator is None:
            return []
        decisions = evaluator.evaluate_all(unit, context, client_only)
        if not (self._forced or self._held):
            return decisions
        return [self._adjusted(decision, unit, retry=False) for decision in decisions]

    def explain(
        self, flag: str, unit: str | int | None = None, context: Mapping[str, Any] | None = None
    ) -> Explanation | None:
        """Each step of the decision in sentences; None before definitions are there."""
        evaluator = self._current.evaluator
        return None if evaluator is None else evaluator.explain(flag, unit, context)

    def override(self, flag: str, unit: str | int | None, variant: str | None) -> None:
        """Gives `variant` to a unit (None: to everyone) in this process, reason OVERRIDE; a variant of None ends it."""
        if variant is None:
            self._forced.pop((flag, unit), None)
        else:
            self._forced[flag, unit] = variant

    def report(self, flag: str, variant: str, error: bool = False, seconds: float | None = None) -> None:
        """Tells the circuit breaker how a call with `variant` in force went. The middleware does this by itself."""
        control = self._current.controls.get(flag)
        if control is not None:
            self._breaker.report(flag, variant, control, error, seconds)

    def reset_breaker(self, flag: str, variant: str | None = None) -> None:
        """Serves a tripped variant (or all of the flag's) again, and forgets its trips."""
        self._breaker.reset(flag, variant)

    def on_change(self, callback: Callable[[frozenset[str]], None]) -> None:
        """Calls `callback` with the keys of the flags that changed, after each change, in the client's own thread."""
        self._current.callbacks.append(callback)

    def ready(self, timeout: float = 0.0) -> bool:
        """Whether there are definitions, waiting for them at most `timeout` seconds. Stale ones count."""
        return self._current.ready.wait(timeout)

    @property
    def stats(self) -> Stats:
        """What the client did, counted."""
        return self._stats

    @property
    def environment(self) -> str | None:
        """The environment of the definitions in use."""
        return self._current.snapshot.get("environment")

    @property
    def revision(self) -> int | None:
        """The revision of the definitions in use."""
        return self._current.snapshot.get("revision")

    @property
    def evaluator(self) -> Evaluator | None:
        """The evaluator in use; None before definitions are there."""
        return self._current.evaluator

    def _use(self, evaluator: Evaluator) -> None:
        self._evaluate = evaluator.evaluate

    def _adjusted(self, decision: Decision, unit: str | int | None, retry: bool) -> Decision:
        flag, evaluator = decision.flag, self._current.evaluator
        if self._forced and evaluator is not None and decision.error_code is None:
            own = self._forced.get((flag, unit)) if isinstance(unit, (str, int)) else None
            variant = own or self._forced.get((flag, None))
            forced = evaluator.force(flag, unit, variant) if variant else None
            if forced is not None:
                return forced
        if self._held and decision.reason == Reason.SPLIT and self._breaker.refuses(flag, decision.assigned, retry):
            return decision.tripped()
        return decision

    def _expose(self, decision: Decision) -> None:
        if decision.unit is None:
            self._stats.exposures_without_unit += 1
            return
        try:
            if not self._exposures.add(decision.outcome, decision.unit):
                self._stats.exposures_deduplicated += 1
                return
            sequence = next(self._sequence)
            body = partial(exposure_json, decision, decision.attributes, self.environment, sequence)
            request = current_request.get()
            time = self._clock() if request is None or request.time is None else request.time
            self._record(Event(EXPOSURE, time, sequence, decision.unit_type, decision.unit, body))
            self._stats.exposures += 1
        except Exception:  # noqa: BLE001  (a strange flag or context must not stop a service)
            self._stats.trouble("exposure", f"the exposure of {decision.flag!r} cannot be recorded")

    def _emit(self, name: str, properties: dict[str, Any]) -> bool:
        body = {**properties, "environment": self.environment}
        return self._record(Event(name, self._clock(), next(self._sequence), None, None, body))

    def _broke(self, flag: str, variant: str, news: dict[str, Any]) -> None:
        revision = self._current.snapshot.get("flags", {}).get(flag, {}).get("revision")
        self._emit(BREAKER, {"flag": flag, "variant": variant, "revision": revision, **news})
        self._stats.trouble("breaker", f"{flag!r} variant {variant!r} is {news['state']}: {news['cause'] or 'retry'}")

    def _unready(
        self, flag: str, unit: object, context: object = None, *, kind: str | None = None, default: Any = None
    ) -> Decision:
        self._stats.decisions_unready += 1
        message = "there are no definitions yet"
        outcome = Outcome(flag, default, None, Reason.ERROR, error_code="PROVIDER_NOT_READY", error_message=message)
        usable = isinstance(unit, (str, int)) and not isinstance(unit, bool) and unit != ""
        return Decision(outcome, str(unit) if usable else None, {})
