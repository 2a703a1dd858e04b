"""How a result may be read: its rule, its time, its progress, and the level, sidedness and method of its intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from paribus.charts.numbers import count, day, level, moment
from paribus.experiments.phrases import counted
from paribus.experiments.report.row import ROLES, Reading, level_words, reading
from paribus.experiments.result import Comparison, Result, VerdictValue

HEADINGS = {
    VerdictValue.INVALID: "Invalid",
    VerdictValue.ROLL_BACK: "Roll back",
    VerdictValue.NOT_YET: "Not yet",
    VerdictValue.SHIP: "Ship",
    VerdictValue.ITERATE: "Iterate",
    VerdictValue.NEUTRAL: "Neutral",
    VerdictValue.UNREGISTERED: "Unregistered reading",
}
CONDITIONS = {
    1: "a blocking health check fails",
    2: "a guardrail is shown worse than its margin, or a success metric is shown worse",
    3: "the plan forbids a reading, or matured units are below the planned minimum",
    4: "a success metric is superior, every guardrail non-inferior, nothing got worse",
    5: "a success metric is superior, and a guardrail is shown neither safe nor harmful",
    6: "at the plan's end every success interval lies inside the smallest worthwhile effect",
    7: "at the plan's end nothing else applies: inconclusive",
}
# What the default plan would have said, without the words of a decision: unregistered numbers describe.
TENDENCIES = {
    VerdictValue.INVALID: "invalid",
    VerdictValue.ROLL_BACK: "harm",
    VerdictValue.NOT_YET: "too early to say",
    VerdictValue.SHIP: "an improvement without harm",
    VerdictValue.ITERATE: "no clear answer",
    VerdictValue.NEUTRAL: "no difference worth having",
}
METHODS = {
    "fixed": "fixed horizon",
    "group_sequential": "group sequential",
    "anytime": "anytime-valid",
    "bayesian": "Bayesian",
}
CORRECTIONS = {
    "holm": "Holm",
    "bonferroni": "Bonferroni",
    "hochberg": "Hochberg",
    "dunnett": "Dunnett",
    "graph": "graphical procedure",
}
P_NAMES = {"group_sequential": "repeated p", "anytime": "always-valid p", "bayesian": "P(better)"}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the experiment is: units and days of what was planned, None where the plan names no number."""

    units: int
    planned_units: int | None
    smallest_arm: int
    min_sample_size: int | None
    days: int | None
    planned_days: int | None

    @property
    def share(self) -> float | None:
        """Units of those planned, at most 1."""
        return min(self.units / self.planned_units, 1.0) if self.planned_units else None


def planned(result: Result, name: str) -> Any:
    """A field of the plan, whether it stands by itself or within its design; None when absent or empty."""
    inner = result.plan.get("plan")
    value = inner.get(name) if isinstance(inner, dict) and name in inner else result.plan.get(name)
    return None if value in ("", [], ()) else value


def planned_time(result: Result, name: str) -> datetime | None:
    """A time of the plan."""
    value = planned(result, name)
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value if isinstance(value, datetime) else None


def effects_hidden(result: Result) -> bool:
    """Whether a blocking check failed, so that no effect may be shown."""
    return VerdictValue.INVALID in (result.verdict.value, result.verdict.would_be)


def cause(result: Result) -> str:
    """Why effects are hidden: what the failed blocking checks say."""
    failed = [c.sentence for c in result.checks if c.status == "failed" and c.severity == "blocking"]
    return " ".join(failed) or " ".join(result.verdict.reasons)


def heading(result: Result) -> str:
    """The verdict's name."""
    return HEADINGS[result.verdict.value]


def rule(result: Result) -> str:
    """The row of the decision table that spoke, in words."""
    verdict = result.verdict
    if verdict.value is VerdictValue.UNREGISTERED:
        if verdict.would_be is None:
            return "No rule: nothing was agreed before the data."
        return f"No rule was agreed before the data; the default plan would read: {TENDENCIES[verdict.would_be]}."
    return f"Rule {verdict.rule} of {len(CONDITIONS)}: {CONDITIONS[verdict.rule]}."


def may_be_read(result: Result) -> str:
    """When the plan allows a reading, and whether it does now."""
    if not result.registered:
        return "No plan says when to read it: a p-value holds for one reading, planned before the data."
    if result.method == "anytime":
        return "May be read at any time, as often as wanted: intervals and p-values hold at all times together."
    looks = planned(result, "looks")
    start, end = planned_time(result, "start"), planned_end(result)
    if looks:
        days = ", ".join(str(look) for look in looks)
        since = f" after {day(start)}" if start else " after the start"
        return f"May be read at the planned looks only: days {days}{since}."
    if end is None:
        return "May be read once, at the plan's end."
    reached = result.as_of is not None and _comparable(result.as_of) >= _comparable(end)
    closed = ", when the last unit's window has closed" if _last_window(result) else ""
    said = "is reached" if reached else "lies ahead"
    return f"May be read once, at the plan's end on {day(end)}{closed}, which {said}."


def planned_end(result: Result) -> datetime | None:
    """The plan's end: its date, or its start and runtime; then the last unit's window, unless looks are planned."""
    end = planned_time(result, "end")
    start, days = planned_time(result, "start"), planned(result, "runtime_days")
    if end is None and start is not None and days is not None:
        end = start + timedelta(days=int(days))
    return end if end is None or planned(result, "looks") else end + timedelta(days=_last_window(result))


def _last_window(result: Result) -> int:
    """Days until the last metric of a unit has closed."""
    days = [0]
    for metric in result.plan.get("metrics") or ():
        if isinstance(metric, dict):
            retention = metric.get("retention_days")
            days.append(int(retention[1]) + 1 if retention else int(metric.get("window_days") or 0))
    return max(days)


def progress(result: Result) -> Progress:
    """Units and days so far against the plan."""
    start, end = planned_time(result, "start"), planned_end(result)
    days = None
    if start is not None and result.as_of is not None:
        days = max((_comparable(result.as_of) - _comparable(start)).days, 0)
    return Progress(
        units=sum(result.units.values()),
        planned_units=planned(result, "planned_units") or None,
        smallest_arm=min(result.units.values(), default=0),
        min_sample_size=planned(result, "min_sample_size") or None,
        days=days,
        planned_days=(_comparable(end) - _comparable(start)).days if start is not None and end is not None else None,
    )


def progress_words(result: Result) -> tuple[str, ...]:
    """Progress as short sentences."""
    p = progress(result)
    said = []
    if p.planned_units:
        said.append(f"{count(p.units)} of {count(p.planned_units)} planned units")
    else:
        said.append(counted(p.units, "unit"))
    if p.min_sample_size:
        said.append(f"smallest arm {count(p.smallest_arm)} of at least {count(p.min_sample_size)}")
    if p.days is not None and p.planned_days:
        left = p.planned_days - p.days
        passed = f"day {min(p.days, p.planned_days)} of {p.planned_days}"
        said.append(f"{passed}, {counted(left, 'day')} left" if left > 0 else f"{passed}, complete")
    return tuple(said)


def arms_words(result: Result) -> str:
    """Units by arm, the control named."""
    parts = [
        f"{name}{' (control)' if name == result.control != 'control' else ''} {count(n)}"
        for name, n in result.units.items()
    ]
    return " · ".join(parts)


def freshness(result: Result) -> str:
    """The time up to which data were read."""
    return f"as of {moment(result.as_of)}" if result.as_of else "all rows given, without a time"


def registration(result: Result) -> str:
    """Whether, when and by whom the plan was sealed."""
    seal = result.seal
    if not result.registered or seal is None:
        return "no sealed plan"
    at = _sealed_at(seal.get("time"))
    author = f" by {seal['author']}" if seal.get("author") else ""
    return f"plan {str(seal.get('hash', ''))[:12]} {seal.get('timing', 'sealed')}{author}{at}"


def p_name(result: Result) -> str:
    """What the p-values are called under the deciding method."""
    return P_NAMES.get(result.method, "p")


def interval_name(comparisons: Sequence[Comparison]) -> str:
    """The level of the intervals where all share it, for a table's header."""
    levels = {shown.level for shown in map(reading, comparisons) if isinstance(shown, Reading)}
    return f"{level(levels.pop())} interval" if len(levels) == 1 else "interval"


def basis(result: Result, comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    """Level, sidedness, correction and method of the intervals shown: one sentence for each kind."""
    kinds: dict[str, list[Comparison]] = {}
    for comparison in sorted(comparisons, key=lambda c: ROLES.index(c.role)):
        shown = reading(comparison)
        if isinstance(shown, Reading):
            kinds.setdefault(_basis(result, comparison, shown), []).append(comparison)
    kind = METHODS.get(result.method, result.method)
    sentences = []
    for words, of in kinds.items():
        method = _methods(of)
        named = method if kind in method else f"{kind}, {method}"
        sentences.append(f"{_whose(of, comparisons)}: {words}; {named}.")
    return tuple(sentences)


def _basis(result: Result, comparison: Comparison, shown: Reading) -> str:
    correction = CORRECTIONS.get(str(planned(result, "correction")))
    if correction == "Dunnett" and result.method != "fixed":
        correction = "Holm in place of Dunnett, which holds at a fixed horizon only"
    said = f"{level_words(shown)} intervals"
    if comparison.margin_p is not None:
        said += ", judged by the interval against the margin, p is one-sided and against the margin"
    elif comparison.margin is not None:
        said += ", judged by the interval against the margin, p is for no difference"
    if correction is None:
        return said
    if shown.is_simultaneous and shown.is_adjusted:
        said += f", intervals and p adjusted together ({correction})"
    elif shown.is_simultaneous:
        said += f", simultaneous ({correction})"
    elif shown.is_adjusted:
        said += f", p adjusted ({correction}), intervals not"
    return said


def _whose(of: Sequence[Comparison], among: Sequence[Comparison]) -> str:
    """Whole roles by their name, single metrics by theirs."""
    who = []
    for role in ROLES:
        names = list(dict.fromkeys(c.metric for c in of if c.role is role))
        if names:
            complete = set(names) == {c.metric for c in among if c.role is role}
            who.append(f"{role.value} metrics" if complete else ", ".join(names))
    words = "; ".join(who)
    # A role's name begins a sentence; a metric's name is written as it is.
    return words[:1].upper() + words[1:] if who and who[0].endswith(" metrics") else words


def _methods(of: Sequence[Comparison]) -> str:
    by_method: dict[str, list[str]] = {}
    for c in of:
        names = by_method.setdefault(c.method, [])
        if c.metric not in names:
            names.append(c.metric)
    if len(by_method) == 1:
        return next(iter(by_method))
    return ", ".join(f"{method} ({', '.join(names)})" for method, names in by_method.items())


def _sealed_at(value: object) -> str:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return f", {moment(value)}" if isinstance(value, datetime) else ""


def _comparable(value: datetime) -> datetime:
    """Times without a zone are compared as written."""
    return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
