"""Service levels: an objective over a window, its error budget, and how fast it burns.

They are absolute, so they say that something is wrong and not that the experiment did it: a broken level may pause or
step back, never convict. Burn rates follow the two windows of the SRE workbook (Beyer et al. 2018, ch. 5): a fast one
that notices within minutes, and a slow one that is not excited by a blip.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from paribus.errors import InputError
from paribus.monitoring.finding import Finding, Severity

WINDOWS: tuple[tuple[float, float, float], ...] = ((1.0, 5 / 60, 14.4), (6.0, 0.5, 6.0))
"""Long window in hours, short window in hours, burn rate that both must reach."""


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """A share of good requests that is promised over a window of days."""

    name: str
    objective: float
    window_days: int = 28
    indicator: str = "requests without error"

    def __post_init__(self) -> None:
        if not 0 < self.objective < 1:
            raise InputError(f"the objective of {self.name!r} is {self.objective}", rule="a share between 0 and 1")

    @property
    def budget(self) -> float:
        """Share of requests that may be bad."""
        return 1 - self.objective

    def openslo(self, service: str, arm: str = "") -> dict[str, object]:
        """The objective as an OpenSLO v1 document, for one arm or for all, over what the service exports."""
        name, where = _named(self.name, arm), f'{{variant="{arm}"}}' if arm else ""
        return {
            "apiVersion": "openslo/v1",
            "kind": "SLO",
            "metadata": {"name": name, "displayName": f"{self.name} of {arm}" if arm else self.name},
            "spec": {
                "service": service,
                "description": self.indicator,
                "budgetingMethod": "Occurrences",
                "timeWindow": [{"duration": f"{self.window_days}d", "isRolling": True}],
                "indicator": {
                    "metadata": {"name": f"{name}-indicator"},
                    "spec": {
                        "description": self.indicator,
                        "ratioMetric": {
                            "counter": True,
                            "bad": _prometheus(f"sum(request_errors_total{where})"),
                            "total": _prometheus(f"sum(request_seconds_count{where})"),
                        },
                    },
                },
                "objectives": [{"displayName": self.name, "target": self.objective}],
                "alertPolicies": [f"{name}-burns"],
            },
        }

    def openslo_policy(self, arm: str = "") -> dict[str, object]:
        """The alerts on how fast the budget burns, as an OpenSLO v1 AlertPolicy: a condition for each long window."""
        name = _named(self.name, arm)
        return {
            "apiVersion": "openslo/v1",
            "kind": "AlertPolicy",
            "metadata": {"name": f"{name}-burns"},
            "spec": {
                "description": "both windows of a pair burn the budget too fast",
                "alertWhenBreaching": True,
                "alertWhenResolved": False,
                "alertWhenNoData": False,
                "conditions": [
                    {
                        "kind": "AlertCondition",
                        "metadata": {"name": f"{name}-burns-{long:g}h"},
                        "spec": {
                            "severity": "page",
                            "condition": {
                                "kind": "burnrate",
                                "op": "gte",
                                "threshold": rate,
                                "lookbackWindow": f"{long:g}h",
                                "alertAfter": f"{round(short * 60)}m",
                            },
                        },
                    }
                    for long, short, rate in WINDOWS
                ],
                "notificationTargets": [],
            },
        }


@dataclass(frozen=True, slots=True)
class Traffic:
    """Good and bad requests within some hours before now."""

    hours: float
    requests: int
    bad: int

    @property
    def rate(self) -> float:
        """Share of bad requests; 0 without any."""
        return self.bad / self.requests if self.requests else 0.0


def read(level: ServiceLevel, traffic: Sequence[Traffic], arm: str = "") -> Finding:
    """Whether the budget burns too fast; `traffic` holds at least the windows of `WINDOWS` and the whole window.

    Args:
        level: the objective.
        traffic: requests by look-back, any order; the longest is taken as the whole window.
        arm: the arm whose requests these are, "" for all.
    """
    by_hours = {round(each.hours, 4): each for each in traffic}
    whole = max(traffic, key=lambda each: each.hours, default=Traffic(0, 0, 0))
    spent = whole.rate / level.budget
    burning = [
        (long, rate)
        for long, short, rate in WINDOWS
        if all(
            (found := by_hours.get(round(hours, 4))) is not None and found.rate / level.budget >= rate
            for hours in (long, short)
        )
    ]
    exhausted = whole.requests > 0 and spent >= 1
    numbers = {
        "objective": level.objective,
        "window_days": level.window_days,
        "requests": whole.requests,
        "bad": whole.bad,
        "share_of_budget_spent": spent,
        "burning": [{"hours": hours, "rate": rate} for hours, rate in burning],
    }
    whom = f" in {arm}" if arm else ""
    sentence = (
        f"{level.name}{whom}: {1 - whole.rate:.3%} of {whole.requests:,} requests good, {level.objective:.3%} promised"
    )
    if burning:
        sentence += f"; the budget burns {burning[0][1]:g} times too fast over {burning[0][0]:g} h"
    elif exhausted:
        sentence += "; the budget is spent"
    broken = bool(burning) or exhausted
    return Finding(level.name, Severity.PAUSES if broken else Severity.WELL, sentence, arm, numbers)


def _named(level: str, arm: str) -> str:
    """A name as OpenSLO asks for: lower-case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", f"{level} {arm}".lower()).strip("-")[:63]


def _prometheus(query: str) -> dict[str, object]:
    return {"metricSource": {"type": "Prometheus", "spec": {"query": query}}}
