"""Error budgets by arm while traffic widens: a treatment that spends its budget, and control does not, is named.

It alerts, or holds the ramp where that is asked for. A budget is absolute, so by itself it says that something is wrong
and not that the treatment did it. Two more things are asked before an arm is named: that the failures are more than the
objective allows beyond chance (an exact binomial test at 1%), and that control spends less of its own. It never
convicts; the guardrails on units do that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from paribus.monitoring.finding import Finding, Severity
from paribus.monitoring.service_level import WINDOWS, ServiceLevel, Traffic
from paribus.monitoring.service_level import read as read_level

WHAT = "error_budget"
CHANCE = 0.01


def read(
    level: ServiceLevel, traffic: Mapping[str, Sequence[Traffic]], control: str, *, holds: bool = True
) -> list[Finding]:
    """The budget of each arm; a treatment's finding alerts or pauses where it has to, control's never does.

    Args:
        level: the objective.
        traffic: requests of each arm's units by look-back, as `service_level.read` takes them.
        control: the arm that the others are compared with.
        holds: whether a treatment that spends its budget keeps traffic from widening.
    """
    own = {arm: read_level(level, each, arm) for arm, each in traffic.items()}
    usual = _whole(traffic.get(control, ())).rate
    found = []
    for arm, finding in own.items():
        over = "" if arm == control else _beyond_chance(level, traffic[arm], finding)
        is_named = bool(over) and _whole(traffic[arm]).rate > usual
        numbers = {**finding.numbers, "holds": is_named and holds, "control_rate": usual}
        message = finding.message
        if is_named:
            message += f"; {over}, and control has {usual:.3%}" + (": traffic does not widen" if holds else "")
        severity = (Severity.PAUSES if holds else Severity.ALERTS) if is_named else Severity.WELL
        found.append(Finding(WHAT, severity, message, arm, numbers))
    return found


def _beyond_chance(level: ServiceLevel, traffic: Sequence[Traffic], finding: Finding) -> str:
    """Which look-back spends the budget by more than chance, in words; "" for none."""
    if finding.is_well:
        return ""
    by_hours = {round(each.hours, 4): each for each in traffic}
    burning = {each["hours"] for each in finding.numbers["burning"]}
    for long, _, _ in WINDOWS:
        if long in burning and _p_value(level, by_hours[round(long, 4)]) < CHANCE:
            return f"{by_hours[round(long, 4)].bad:,} failures in {long:g} h are more than chance"
    whole = _whole(traffic)
    if whole.rate >= level.budget and _p_value(level, whole) < CHANCE:
        return f"{whole.bad:,} failures are more than chance"
    return ""


def _p_value(level: ServiceLevel, traffic: Traffic) -> float:
    """Probability of at least as many failures were the objective just met."""
    from scipy.special import bdtrc

    return float(bdtrc(traffic.bad - 1, traffic.requests, level.budget)) if traffic.bad else 1.0


def _whole(traffic: Sequence[Traffic]) -> Traffic:
    return max(traffic, key=lambda each: each.hours, default=Traffic(0, 0, 0))
