"""What stands out, each with an id that hypotheses can cite: holes and odd days first, then habits and changes."""

from __future__ import annotations

import re

from paribus.charts.numbers import count, share, significant
from paribus.exploration.event_log import date_of
from paribus.exploration.exploration import Exploration
from paribus.workflow.artifact import Measured
from paribus.workflow.facts.explore import Finding

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def findings_of(found: Exploration) -> tuple[Finding, ...]:
    """Every finding."""
    return (*_data(found), *_habits(found), *_seasons(found), *_changes(found))


def _data(found: Exploration) -> list[Finding]:
    made = []
    for each in found.anomalies:
        made.append(
            _finding(
                f"{each.kind} {each.event} {date_of(each.first).isoformat()}",
                "hole" if each.kind in {"missing day", "thin day", "gap of an event", "stopped event"} else "anomaly",
                each.sentence(),
                Measured(value=each.observed - each.expected, unit="events", evidence="days"),
                "days",
            )
        )
    for day, why in sorted(found.days.partial.items()):
        made.append(_finding(f"partial day {day}", "hole", f"{day} is not whole ({why}); not read", None, "days"))
    if found.days.outside > 0 and not found.days.partial:
        said = (
            f"{count(found.days.outside)} events lie far before or after all others and are not read; a clock is wrong"
        )
        size = Measured(value=found.days.outside, unit="events", evidence="days")
        made.append(_finding("stray events", "quality", said, size, "days"))
    q = found.quality
    if q.bots.units:
        made.append(
            _finding(
                "programs",
                "bots",
                f"{count(q.bots.units)} users are taken for programs: more than {count(q.bots.per_day)} events on one "
                "day, or "
                f"more than {count(q.bots.in_all)} in all, nearly every day and without a conversion; they and their "
                f"{count(q.bots.events)} events are left out",
                Measured(value=q.bots.units, unit="users", evidence="bots"),
                "bots",
            )
        )
    repeated = q.repeated / max(float(found.days.counts.sum()), 1)
    if repeated > 0.001:
        said = f"{share(repeated)} of events have user, name and time of another one; they may be counted twice"
        made.append(
            _finding("repeats", "duplicates", said, Measured(value=repeated, unit="share", evidence="days"), "days")
        )
    if q.mixed:
        said = f"properties of several types: {', '.join(q.mixed[:8])}"
        made.append(_finding("mixed types", "quality", said, None, "events"))
    if q.late_day is not None and q.late_day > 0.01:
        said = f"{share(q.late_day)} of events were received more than a day after they happened"
        made.append(
            _finding("late events", "quality", said, Measured(value=q.late_day, unit="share", evidence="late"), "late")
        )
    return made


def _habits(found: Exploration) -> list[Finding]:
    made = []
    conversion = found.choice.conversion if found.choice else ""
    for sign in found.patterns.signs:
        more = "more" if sign.rate_with > sign.rate_without else "less"
        said = (
            f"users with {sign.event} reach {conversion} {more} often: {share(sign.rate_with)} against "
            f"{share(sign.rate_without)} of those without (observational)"
        )
        size = Measured(value=sign.rate_with - sign.rate_without, unit="share", evidence="signs")
        made.append(_finding(f"sign {sign.event}", "pattern", said, size, "signs"))
    seen: set[str] = set()
    funnel = set(found.choice.events if found.choice else ())
    for pair in found.patterns.together:
        outside = {pair.a, pair.b} - funnel
        if outside & seen:
            continue  # the strongest partner says it
        seen |= outside
        said = (
            f"{pair.a} and {pair.b} stand in the same visit {significant(pair.lift, 2)} times as often as chance "
            "would have it "
            f"({count(pair.both)} visits)"
        )
        size = Measured(value=pair.lift, low=pair.low, unit="", evidence="together")
        made.append(_finding(f"together {pair.a} {pair.b}", "pattern", said, size, "together"))
    return made


def _seasons(found: Exploration) -> list[Finding]:
    made = []
    levels = found.patterns.weekdays
    if levels and found.patterns.weekly_p_value < 0.01 and max(levels) > 1.1 * max(min(levels), 1e-9):
        high, low = levels.index(max(levels)), levels.index(min(levels))
        said = (
            f"a week has a shape: {WEEKDAYS[high]} has {share(levels[high] - 1)} more users than the mean day, "
            f"{WEEKDAYS[low]} {share(1 - levels[low])} fewer; run experiments for whole weeks"
        )
        size = Measured(value=levels[high] / levels[low] if levels[low] else None, evidence="days")
        made.append(_finding("weekly season", "season", said, size, "days"))
    hours = found.patterns.hours
    peak = max(range(24), key=lambda h: hours[h])
    if hours[peak] > 1.5 / 24:
        said = f"most happens around {peak:02d}:00 UTC: {share(hours[peak])} of all actions in that hour"
        made.append(_finding("hour of the day", "season", said, Measured(value=hours[peak], evidence="hours"), "hours"))
    return made


def _changes(found: Exploration) -> list[Finding]:
    made = []
    for name, change in found.patterns.changes:
        day = date_of(found.days.first + change.place).isoformat()
        of = change.after / change.before - 1 if change.before else 0.0
        said = f"{name} moved to another level on {day}: {share(abs(of))} {'more' if of > 0 else 'less'} than before"
        size = Measured(value=of, unit="share", evidence="days")
        made.append(_finding(f"change {name} {day}", "change", said, size, "days"))
    return made


def _finding(name: str, kind: str, statement: str, size: Measured | None, evidence: str) -> Finding:
    key = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return Finding(id=key, kind=kind, statement=statement, size=size, evidence=evidence)
