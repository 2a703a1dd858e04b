"""The local circuit breaker: a variant that fails in this process is served as control until it recovers.

The evidence for a trip is in `detector`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from paribus_sdk.detector import Detector, Latency, Rate

Emit = Callable[[str, str, dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a variant trips, and for how long.

    Attributes:
        run_length: Calls of a variant within its limits between two false trips, on average, at least: for errors
            and for latency each.
        error_floor: A failure rate within limits, whatever control does.
        slow_floor: A share of slow calls within limits, whatever control does.
        ratio: How many times control's rate is still within limits.
        slow_ratio: A call is slow beyond this multiple of control's 95th percentile of latency ...
        slow_seconds: ... and this many seconds.
        control_calls: Calls of control before latency is judged.
        cool_down_seconds: The first wait before a retry; doubles with each trip.
        trips: After this many trips the variant is held until `Breaker.reset`.
        trial_calls: Healthy calls of a retried variant that close its circuit.
        trials_per_second: Decisions that a retry lets through.
    """

    run_length: float = 1e6
    error_floor: float = 0.004
    slow_floor: float = 0.1
    ratio: float = 2.0
    slow_ratio: float = 2.0
    slow_seconds: float = 0.05
    control_calls: int = 50
    cool_down_seconds: float = 60.0
    trips: int = 3
    trial_calls: int = 50
    trials_per_second: float = 20.0


@dataclass(slots=True)
class Circuit:
    """One variant of one flag: its record, and whether it is served."""

    flag: str
    variant: str
    state: str = "closed"
    trips: int = 0
    until: float = 0.0
    trials: int = 0
    tokens: float = 0.0
    refilled: float = 0.0
    calls: Rate = field(default_factory=Rate)
    errors: Detector = field(default_factory=Detector)
    slow: Detector = field(default_factory=Detector)


@dataclass(slots=True)
class ControlRecord:
    """What control did in this process."""

    errors: Rate = field(default_factory=Rate)
    slow: Rate = field(default_factory=Rate)
    latency: Latency = field(default_factory=Latency)


class Breaker:
    """Circuits of the variants that were reported on; says each change of state through `emit`."""

    def __init__(
        self, emit: Emit, policy: BreakerPolicy | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.policy = policy or BreakerPolicy()
        self.held: dict[tuple[str, str | None], Circuit] = {}
        """Circuits that are not closed: empty almost always, so a decision asks this first."""
        self._emit = emit
        self._clock = clock
        self._lock = threading.RLock()
        self._controls: dict[str, ControlRecord] = {}
        self._circuits: dict[tuple[str, str], Circuit] = {}

    def refuses(self, flag: str, variant: str | None, retry: bool = True) -> bool:
        """Whether this decision is to be served as control; with `retry`, some are let through when it is time."""
        circuit = self.held.get((flag, variant))
        if circuit is None or not retry:
            return circuit is not None
        news = None
        with self._lock:
            now = self._clock()
            if circuit.state == "open" and now >= circuit.until:
                circuit.state, circuit.trials = "half_open", 0
                circuit.tokens, circuit.refilled = self.policy.trials_per_second, now
                circuit.errors, circuit.slow = Detector(), Detector()
                news = self._news(circuit, None, 0.0, 0.0)
            refused = circuit.state != "closed"
            if circuit.state == "half_open":
                rate = self.policy.trials_per_second
                circuit.tokens = min(circuit.tokens + (now - circuit.refilled) * rate, rate)
                circuit.refilled = now
                if circuit.tokens >= 1.0:
                    circuit.tokens -= 1.0
                    refused = False
        self._say(circuit, news)
        return refused

    def report(self, flag: str, variant: str, control: str | None, error: bool, seconds: float | None) -> None:
        """Takes in how a call with `variant` in force went; `control` is the flag's default variant."""
        if seconds is not None and not 0.0 <= seconds < float("inf"):
            seconds = None
        with self._lock:
            record = self._controls.get(flag)
            if record is None:
                record = self._controls[flag] = ControlRecord()
            if variant == control:
                self._report_control(record, error, seconds)
                return
            circuit = self._circuits.get((flag, variant))
            if circuit is None:
                circuit = self._circuits[flag, variant] = Circuit(flag, variant)
            news = self._report_variant(record, circuit, error, seconds)
        self._say(circuit, news)

    def reset(self, flag: str, variant: str | None = None) -> None:
        """Closes the circuits of a flag, or of one variant, and forgets their trips."""
        with self._lock:
            for key, circuit in list(self._circuits.items()):
                if key[0] == flag and variant in (None, key[1]):
                    del self._circuits[key]
                    self.held.pop(key, None)
                    circuit.state = "closed"

    def after_fork(self) -> None:
        """A lock that no other thread of the parent holds."""
        self._lock = threading.RLock()

    def _report_control(self, record: ControlRecord, error: bool, seconds: float | None) -> None:
        record.errors.add(error)
        if seconds is not None:
            if record.latency.calls >= self.policy.control_calls:
                record.slow.add(seconds > self._slow_beyond(record))
            record.latency.add(seconds)

    def _report_variant(
        self, record: ControlRecord, circuit: Circuit, error: bool, seconds: float | None
    ) -> dict[str, Any] | None:
        policy = self.policy
        circuit.calls.add(error)
        if circuit.state in ("open", "held"):
            return None
        limit = record.errors.limit(policy.error_floor, policy.ratio)
        evidence = circuit.errors.add(error, limit)
        if evidence >= policy.run_length:
            return self._trip(circuit, "errors", limit, evidence)
        if seconds is not None and record.latency.calls >= policy.control_calls:
            limit = record.slow.limit(policy.slow_floor, policy.ratio)
            evidence = circuit.slow.add(seconds > self._slow_beyond(record), limit)
            if evidence >= policy.run_length:
                return self._trip(circuit, "latency", limit, evidence)
        if circuit.state == "half_open":
            circuit.trials += 1
            if circuit.trials >= policy.trial_calls:
                circuit.state = "closed"
                self.held.pop((circuit.flag, circuit.variant), None)
                return self._news(circuit, None, limit, evidence)
        return None

    def _slow_beyond(self, record: ControlRecord) -> float:
        return max(self.policy.slow_seconds, self.policy.slow_ratio * record.latency.quantile)

    def _trip(self, circuit: Circuit, cause: str, limit: float, evidence: float) -> dict[str, Any]:
        circuit.trips += 1
        circuit.errors, circuit.slow = Detector(), Detector()
        circuit.state = "held" if circuit.trips >= self.policy.trips else "open"
        circuit.until = self._clock() + self.policy.cool_down_seconds * 2 ** (circuit.trips - 1)
        self.held[circuit.flag, circuit.variant] = circuit
        return self._news(circuit, cause, limit, evidence)

    def _news(self, circuit: Circuit, cause: str | None, limit: float, evidence: float) -> dict[str, Any]:
        control = self._controls.get(circuit.flag, ControlRecord())
        waiting = circuit.until - self._clock() if circuit.state == "open" else None
        return {
            "state": circuit.state,
            "cause": cause,
            "trips": circuit.trips,
            "cool_down_seconds": waiting,
            "limit": limit,
            "evidence": evidence,
            "calls": circuit.calls.calls,
            "failures": circuit.calls.failures,
            "control_calls": control.errors.calls,
            "control_failures": control.errors.failures,
            "control_p95_seconds": control.latency.quantile if control.latency.calls else None,
        }

    def _say(self, circuit: Circuit, news: dict[str, Any] | None) -> None:
        if news is not None:
            self._emit(circuit.flag, circuit.variant, news)
