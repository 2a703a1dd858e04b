"""The business impact as facts: money with its interval, the forecast's score, the record of the decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paribus.experiments.prior import EffectPrior
from paribus.impact.forecast import Calibration
from paribus.impact.recommendation import Recommendation
from paribus.impact.value import DAYS, DRAWS, Case, Worth, center, diluted, tornado
from paribus.stats.estimate import Undetermined
from paribus.workflow.artifact import Evidence, Measured
from paribus.workflow.facts.conclude import AnalyzeFacts, ImpactFacts
from paribus.workflow.facts.design import DesignFacts
from paribus.workflow.facts.explore import ExploreFacts
from paribus.workflow.facts.hypothesize import Hypothesis, HypothesizeFacts
from paribus.workflow.hypotheses.economics import cost_lines
from paribus.workflow.hypotheses.numbers import dots, measured, of_draws, rounded, text
from paribus.workflow.valuing.case import Found
from paribus.workflow.valuing.learning import Fared

if TYPE_CHECKING:
    from paribus.workflow.context import Context


def facts_of(
    context: Context,
    explore: ExploreFacts,
    hypotheses: HypothesizeFacts,
    chosen: Hypothesis,
    analyze: AnalyzeFacts,
    recommended: Recommendation,
    of: Found | None,
    case: Case | None,
    valued: Worth | None,
    *,
    withheld: str,
    fared: Fared | None,
    calibration: Calibration | None,
    card: dict[str, Any],
) -> ImpactFacts:
    """The facts of step 15."""
    currency = str(hypotheses.economics.get("currency", ""))
    yearly_unit = f"{currency}/year"
    effect = of.effect if of is not None and not isinstance(of.effect, Undetermined) else None
    low, high = effect.interval() if effect else (None, None)
    forecast = chosen.forecast.value_per_year
    spent = case.costs.build + case.costs.yearly if case else 0.0
    return ImpactFacts(
        recommendation=recommended.action,
        why=recommended.why,
        withheld=withheld,
        corrected_lift=(
            measured(effect.value, "effect", unit="relative", low=low, high=high, level=0.95) if effect else None
        ),
        is_corrected=bool(effect and effect.corrected),
        diluted_lift=_diluted(explore, chosen, case) if effect else None,
        value_per_year=of_draws(valued.yearly, "value", unit=yearly_unit) if valued else None,
        expected_per_year=_from(forecast, "hypothesize") if forecast else None,
        first_year=of_draws(valued.first_year, "value", unit=currency) if valued else None,
        chance_of_loss=measured(valued.chance_of_loss, "value", unit="share") if valued else None,
        break_even_days=_break_even(valued),
        cost_of_delay_per_week=of_draws(valued.cost_of_delay(), "value", unit=f"{currency}/week") if valued else None,
        forecast_score=measured(fared.brier, "score", unit="Brier") if fared else None,
        tornado=_tornado(case, yearly_unit) if valued and case else (),
        persistence=_persistence(case) if case else {},
        costs=tuple(cost_lines(context.config)),
        returns=_returns(chosen, valued, spent),
        forecast=_fared(fared, chosen),
        calibration=_calibration(calibration),
        decision={
            "action": recommended.action,
            "rule": recommended.rule,
            "verdict": analyze.verdict,
            "by": "the registered rule of the sealed plan",
            "dissent": "none recorded; deciding otherwise needs a signed reason",
            "date": analyze.decided_at,
            "planned_end": analyze.planned_end,
            "evidence": "analyze/result",
        },
        caveats=tuple(analyze.named),
        dots=_dots(chosen, hypotheses, valued),
        learning=card,
    )


def evidence_of(
    context: Context, design: DesignFacts, of: Found | None, case: Case | None, prior: EffectPrior
) -> dict[str, Evidence]:
    """Where the numbers come from."""
    hashes = {slug: context.artifacts[slug].hash[:12] for slug in ("hypothesize", "design", "analyze")}
    data = ", ".join(f"{slug} {value}" for slug, value in hashes.items())
    found = {
        "config": Evidence(kind="config", title="paribus.yaml, economics", statement=f"hash {context.config.hash}"),
        "score": Evidence(
            kind="result",
            title="the forecast of step 2 beside the verdict",
            statement="Brier score: (chance of success - shipped)^2",
            data=data,
        ),
        "card": Evidence(
            kind="result",
            title="the learning card: effect as measured, not corrected, for priors to come",
            statement="relative effect on the success metric, in the good direction",
            data=data,
        ),
        "calibration": Evidence(
            kind="result", title="forecasts of all closed features", statement="mean Brier score; chances in fifths"
        ),
    }
    if of is not None and not isinstance(of.effect, Undetermined):
        found["effect"] = Evidence(
            kind="result",
            title="the relative effect, corrected once for the winner's curse",
            statement=of.effect.method,
            data=f"{data}; family: {prior.origin}" if prior.is_own else data,
        )
    if case is not None:
        found["value"] = Evidence(
            kind="simulation",
            title=f"value a year, {DRAWS:,} draws",
            statement=(
                f"seed {context.seed}; {case.units_per_year.value:.6g} units x {case.base.value:.6g} x effect x "
                f"persistence x {case.money_per_success.value:.6g} - {case.costs.yearly:g}"
            ),
            data=f"{data}; arrivals {design.arrivals_per_day.evidence}",
        )
    return found


def _diluted(explore: ExploreFacts, chosen: Hypothesis, case: Case | None) -> Measured | None:
    baseline = next((b for b in explore.baselines if b.definition.get("name") == chosen.measured_by), None)
    if case is None or baseline is None or not baseline.mean.value or not explore.daily_new_units.value:
        return None
    every = explore.daily_new_units.value * DAYS * baseline.mean.value
    exposed = case.units_per_year.value * case.base.value
    low, high = case.effect.interval()
    value, least, most = (diluted(x, exposed, every) for x in (case.effect.value, low, high))
    return measured(value, "value", unit="relative", low=least, high=most, level=0.95)


def _break_even(valued: Worth | None) -> Measured | None:
    """Days until the build cost is earned back: the median, for some draws never earn it."""
    if valued is None or not valued.build:
        return None
    return of_draws(valued.break_even_days(), "value", unit="days", middle="median")


def _tornado(case: Case, unit: str) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "input": swing.name,
            "low": rounded(swing.low),
            "high": rounded(swing.high),
            "at_low": rounded(swing.at_low),
            "at_high": rounded(swing.at_high),
            "unit": unit,
            "evidence": "value",
        }
        for swing in tornado(case)
    )


def _persistence(case: Case) -> dict[str, Any]:
    lasting = case.persistence
    return {
        "most": rounded(lasting.most),
        "least": rounded(lasting.least),
        "why": lasting.why,
        "center": rounded(center(case)),
        "evidence": "value",
    }


def _returns(chosen: Hypothesis, valued: Worth | None, spent: float) -> dict[str, Any]:
    """Return on investment: first-year net over what is spent in the year; None where nothing is spent."""
    expected = chosen.expected_value.value if chosen.expected_value else None
    return {
        "spent": rounded(spent),
        "forecast": rounded(expected / spent) if expected is not None and spent > 0 else None,
        "measured": rounded(float(valued.first_year.mean()) / spent) if valued is not None and spent > 0 else None,
        "evidence": "value" if valued is not None else "config",
    }


def _fared(of: Fared | None, chosen: Hypothesis) -> dict[str, Any]:
    if of is None:
        return {}
    return {
        "chance": rounded(of.chance),
        "shipped": of.shipped,
        "brier": rounded(of.brier),
        "lift_hit": of.lift_hit,
        "value_hit": of.value_hit,
        "lift": _from(chosen.forecast.lift, "hypothesize").model_dump(),
        "evidence": "score",
    }


def _calibration(of: Calibration | None) -> dict[str, Any]:
    if of is None:
        return {}
    return {
        "features": of.count,
        "brier": rounded(of.brier),
        "skill": None if of.skill is None else rounded(of.skill),
        "coverage": None if of.coverage is None else rounded(of.coverage),
        "bins": [
            {
                "low": rounded(each.low),
                "high": rounded(each.high),
                "features": each.count,
                "forecast": rounded(each.forecast),
                "observed": rounded(each.observed),
            }
            for each in of.bins
        ],
        "evidence": "calibration",
    }


def _dots(chosen: Hypothesis, hypotheses: HypothesizeFacts, valued: Worth | None) -> dict[str, Any]:
    return {
        "forecast": {
            "values": list(hypotheses.dots.get("yearly", ())),
            "words": text(chosen.forecast.value_per_year.value) if chosen.forecast.value_per_year else "",
            "evidence": "hypothesize/forecast",
        },
        "measured": {"values": list(dots(valued.yearly)) if valued is not None else [], "evidence": "value"}
        if valued is not None
        else {"values": []},
    }


def _from(of: Measured, slug: str) -> Measured:
    return of if "/" in of.evidence else of.model_copy(update={"evidence": f"{slug}/{of.evidence}"})
