"""A watch at work: its running state, fed by events as they are flushed or rebuilt from the lake, and its readings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from paribus.lake.record import Record, microseconds
from paribus.monitoring import guardrail, latency, sample_ratio
from paribus.monitoring.finding import Finding, Severity
from paribus.monitoring.guardrail import Reading
from paribus.monitoring.latency import Histogram, Latency
from paribus.monitoring.outcome import EXPOSURE, REQUEST, exposed, may_have_failed, requested, unit_of
from paribus.monitoring.tally import Tally
from paribus.monitoring.watch import Watch

RANDOMIZED = "SPLIT"
LATENCY_LEVEL = 0.999
"""Of the live comparison, which is read often."""
MIN_REQUESTS = 200


class Watched:
    """The state of one watch."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.arms = (watch.control, *(arm for arm in watch.weights if arm != watch.control))
        self.tally = Tally(self.arms, watch.weights, len(watch.guards))
        self.latency = {arm: Histogram() for arm in self.arms}
        self.reasons: Counter[str] = Counter()
        """Exposures that were not randomized, by reason: counted apart."""
        self._guards_of: dict[str, tuple[int, ...]] = {}
        for place, guard in enumerate(watch.guards):
            for name in guard.events:
                self._guards_of[name] = (*self._guards_of.get(name, ()), place)
        self._since = _time(watch.since)

    @property
    def names(self) -> frozenset[str]:
        """Events that the watch reads."""
        return frozenset({EXPOSURE, REQUEST, *self._guards_of})

    def take(self, records: Iterable[Record]) -> None:
        """Events of the watch's environment; an event given twice counts once, but in latency."""
        for record in records:
            unit = unit_of(record, self.watch.unit_type)
            if unit is None:
                continue
            if record.name == EXPOSURE:
                self._expose(unit, record)
            elif record.name == REQUEST:
                self._request(unit, record)
            else:
                for guard in self._guards_of.get(record.name, ()):
                    self.tally.fail(unit, guard, record.corrected_time)

    def _expose(self, unit: str, record: Record) -> None:
        if self.watch.flag not in record.properties or record.corrected_time < self._since:
            return
        found = exposed(record)
        if found is None or found.flag != self.watch.flag:
            return
        if found.environment not in {None, self.watch.environment}:
            return
        if found.reason != RANDOMIZED:
            self.reasons[found.reason or ""] += 1
            return
        self.expose(unit, found.assigned, found.served, record.corrected_time, found.epoch, found.probability)

    def expose(
        self,
        unit: str,
        assigned: str | None,
        served: str | None,
        time: int,
        epoch: int | None,
        probability: float | None,
    ) -> None:
        """A randomized exposure of the flag."""
        if served is not None and served != assigned:
            self.tally.crossed[assigned or ""] += 1
        self.tally.expose(unit, assigned, time, epoch=epoch or 1, probability=probability)

    def _request(self, unit: str, record: Record) -> None:
        arm = self.tally.arm_of(unit)
        if arm is None and not may_have_failed(record):
            return
        found = requested(record)
        if found is None:
            return
        if found.failed:
            for guard in self._guards_of.get(REQUEST, ()):
                self.tally.fail(unit, guard, record.corrected_time)
        milliseconds = found.milliseconds
        if arm is not None and milliseconds is not None:
            self.latency[arm].add(milliseconds)

    def readings(self) -> list[Reading]:
        """Every guard of every treatment."""
        control = self.watch.control
        found = []
        for place, guard in enumerate(self.watch.guards):
            counts = self.tally.counts(place)
            found += [guardrail.read(guard, arm, control, counts) for arm in self.arms if arm != control]
        return found

    def sample_ratio(self) -> Finding:
        """Whether the arms' units fit their weights."""
        return sample_ratio.read(self.tally.counts(0))

    def latencies(self, *, level: float = 0.95) -> dict[str, Latency]:
        """p95 of latency by arm."""
        return latency.by_arm(self.latency, self.tally.units(), level=level)

    def slower(self, *, margin: float = 0.1) -> list[Finding]:
        """Latency of each treatment against control."""
        found = self.latencies(level=LATENCY_LEVEL)
        control = found[self.watch.control]
        return [
            latency.compare(control, each, arm, margin=margin)
            for arm, each in found.items()
            if arm != self.watch.control and min(each.requests, control.requests) >= MIN_REQUESTS
        ]

    def crossover(self) -> Finding:
        """Units exposed to several arms, and exposures of unknown variants."""
        units = len(self.tally)
        share = self.tally.mixed / units if units else 0.0
        served = sum(self.tally.crossed.values())
        return Finding(
            "crossover",
            Severity.ALERTS if share > 0.01 or self.tally.strays else Severity.WELL,
            f"crossover: {self.tally.mixed:,} of {units:,} units met several arms, {self.tally.strays:,} exposures of "
            f"unknown variants, {served:,} served another variant than assigned",
            numbers={"mixed": self.tally.mixed, "units": units, "strays": self.tally.strays, "served_other": served},
        )

    def findings(self) -> list[Finding]:
        """All that is looked at, worst kinds first."""
        return [
            *(reading.finding for reading in self.readings()),
            self.sample_ratio(),
            *self.slower(),
            self.crossover(),
        ]


def _time(text: str) -> int:
    from datetime import datetime

    return microseconds(datetime.fromisoformat(text)) if text else -(1 << 62)
