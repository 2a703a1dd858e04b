"""What was observed, as facts with their evidence."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from paribus.experiments.result import Quantity
from paribus.impact.friction import Contrast
from paribus.stats.estimate import Estimate
from paribus.workflow.artifact import Evidence
from paribus.workflow.hypotheses.numbers import rounded
from paribus.workflow.improving.forest import forest_evidence
from paribus.workflow.improving.observed import Observed

if TYPE_CHECKING:
    from paribus.workflow.context import Context

Json = dict[str, Any]
Z = 1.959963984540054


def heterogeneity_facts(of: Observed) -> tuple[Json, ...]:
    """Attributes with their levels: measured, shrunk, corrected."""
    return tuple(
        {
            "attribute": a.attribute,
            "metric": a.metric,
            "arm": a.arm,
            "differ_p": _short(a.differ_p),
            "opposite_p": _short(a.opposite_p),
            "differs": a.differs,
            "opposite": a.is_opposite,
            "levels": [
                {
                    "level": level.level,
                    "units": level.units,
                    "effect": _estimate(level.effect),
                    "shrunk": _estimate(level.shrunk) if level.shrunk is not None else None,
                    "adjusted_p": _short(level.adjusted_p),
                    "conclusion": level.conclusion,
                }
                for level in a.levels
            ],
            "evidence": "analyze/result",
        }
        for a in of.attributes
    )


def friction_facts(of: Observed) -> tuple[Json, ...]:
    """Each transition by arm, then errors that differ."""
    evidence = "counts" if of.from_lake else "analyze/result"
    steps = [
        {
            "from": t.start,
            "to": t.end,
            **_contrast(t.contrast),
            "lost": rounded(t.lost),
            "worse": t.is_worse,
            "kind": "step",
            "seconds": _seconds(of, t.end),
            "evidence": evidence,
        }
        for t in of.transitions
    ]
    errors = [
        {
            "from": "",
            "to": each.name,
            **_contrast(each),
            "worse": each.difference > 0,
            "kind": "error",
            "evidence": "counts",
        }
        for each in of.errors
        if each.is_shown
    ]
    return (*steps, *errors)


def time_facts(of: Observed) -> tuple[Json, ...]:
    """How long each transition takes by arm, of those who went on."""
    return tuple(
        {
            "from": t.start,
            "to": t.end,
            "units": dict(t.units),
            "seconds_control": rounded(t.medians[of.control]),
            "seconds_treatment": rounded(t.medians[of.treatment]),
            "ratio": rounded(t.ratio),
            "low": rounded(t.low),
            "high": rounded(t.high),
            "p_value": rounded(t.p_value),
            "slower": t.is_slower,
            "evidence": "pace",
        }
        for t in of.pace.times
    )


def rage_facts(of: Observed) -> tuple[Json, ...]:
    """Every element that units clicked again and again, by arm."""
    return tuple(
        {
            "element": c.name,
            "units_control": round(c.control.done),
            "units_treatment": round(c.treatment.done),
            **_contrast(c),
            "worse": c.is_shown and c.difference > 0,
            "evidence": "pace",
        }
        for c in of.pace.rage
    )


def behavior_facts(of: Observed) -> tuple[Json, ...]:
    """Every event whose share of units differs between the arms beyond chance."""
    return tuple({"event": c.name, **_contrast(c), "evidence": "counts"} for c in of.behavior if c.is_shown)


def feedback_facts(of: Observed) -> tuple[Json, ...]:
    """Every theme, counted by arm."""
    found = []
    for c in of.feedback:
        event, _, theme = c.name.partition(": ")
        found.append(
            {
                "event": event,
                "theme": theme,
                "units_control": round(c.control.done),
                "units_treatment": round(c.treatment.done),
                **_contrast(c),
                "shown": c.is_shown,
                "evidence": "counts",
            }
        )
    return tuple(found)


def cohort_facts(of: Observed) -> tuple[Json, ...]:
    """The effect by week of first exposure."""
    return tuple(
        {
            "week": week.start.isoformat(),
            "days": week.days,
            "units": week.units,
            "effect": rounded(week.effect),
            "low": rounded(week.effect - Z * week.se),
            "high": rounded(week.effect + Z * week.se),
            "evidence": "analyze/result",
        }
        for week in of.cohorts.weeks
    )


def decay_facts(of: Observed) -> Json:
    """The fitted decay, and whether weeks of first exposure differ."""
    if not of.novelty and of.cohorts.p_value is None:
        return {}
    decay = of.decay
    return {
        "half_life_days": rounded(decay.half_life) if decay and isfinite(decay.half_life) else None,
        "first": rounded(decay.first) if decay else None,
        "lasting": rounded(decay.lasting) if decay else None,
        "days": list(decay.days) if decay else [],
        "fitted": [rounded(x) for x in decay.fitted] if decay else [],
        "sentence": of.novelty,
        "cohorts_p": _short(of.cohorts.p_value),
        "evidence": "analyze/result",
    }


def evidence_of(context: Context, of: Observed) -> dict[str, Evidence]:
    """Where the numbers come from."""
    data = f"analyze {context.artifacts['analyze'].hash[:12]}"
    found = {
        "result": Evidence(kind="result", title="the registered analysis and the moments of its proof", data=data),
        "follow_ups": Evidence(
            kind="result",
            title="gain and power of each follow-up",
            statement=(
                "gain = units a year x level x effect; units by the deciding method at power .8 with beta divided over "
                "guardrails + 1, days in full weeks at the arrivals there"
            ),
            data=f"{data}, hypothesize {context.artifacts['hypothesize'].hash[:12]}",
        ),
    }
    found |= forest_evidence(of.forest, data)
    if of.pace.statements:
        found["pace"] = Evidence(
            kind="sql",
            title="times from step to step, and units with three clicks on one element within two seconds, by arm",
            statement=";\n".join(f"-- {name}\n{text}" for name, text in of.pace.statements.items()),
            data=data,
        )
    if of.counted is not None:
        found["counts"] = Evidence(
            kind="sql",
            title="units with an event after their first exposure, by arm",
            statement=";\n".join(f"-- {name}\n{text}" for name, text in of.counted.statements.items()),
            data=data,
        )
    return found


def _contrast(c: Contrast) -> Json:
    return {
        "control": rounded(c.control.value),
        "treatment": rounded(c.treatment.value),
        "difference": rounded(c.difference),
        "low": rounded(c.low),
        "high": rounded(c.high),
        "p_value": rounded(c.p_value),
    }


def _seconds(of: Observed, event: str) -> Json | None:
    """Median seconds from exposure to the event, by arm."""
    if of.counted is None:
        return None
    own = next((c for c in of.counted.counted if c.event == event and not c.theme), None)
    return {arm: rounded(s) for arm, s in sorted(own.seconds.items())} if own else None


def _estimate(of: Quantity | None) -> Json | None:
    if not isinstance(of, Estimate):
        return None
    ends = [rounded(x) if isfinite(x) else None for x in (of.lower, of.upper)]
    return {"value": rounded(of.value), "low": ends[0], "high": ends[1], "level": rounded(of.level)}


def _short(p: float | None) -> float | None:
    return None if p is None else rounded(p)
