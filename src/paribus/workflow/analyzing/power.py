"""Whether the data could have shown what was planned for: information reached, and the effect that would be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paribus.charts import numbers
from paribus.experiments.power_reached import reached
from paribus.workflow.artifact import Outcome
from paribus.workflow.block import Table
from paribus.workflow.hypotheses.numbers import rounded, text

if TYPE_CHECKING:
    from paribus.experiments.result import Result
    from paribus.workflow.facts.conclude import AnalyzeFacts
    from paribus.workflow.facts.design import DesignFacts

Json = dict[str, Any]


def power_facts(result: Result, design: DesignFacts) -> tuple[Json, ...]:
    """For each success metric and arm what was reached, beside the effect that the plan was made for (first metric)."""
    found = reached(result)
    first = found[0].metric if found else ""
    planned = design.minimum_detectable_effect.value
    return tuple(
        {
            "metric": each.metric,
            "arm": each.arm,
            "units": each.units,
            "planned_units": each.planned_units,
            "information": rounded(each.information) if each.information is not None else None,
            "detectable": rounded(each.detectable) if each.detectable is not None else None,
            "relative": each.is_relative,
            "power": each.power,
            "needed_units": each.needed_units,
            "planned_effect": rounded(planned) if planned is not None and each.metric == first else None,
            "sentence": each.sentence,
            "evidence": "result",
        }
        for each in found
    )


def power_table(power: tuple[Json, ...]) -> Table:
    """Units and information of those planned, and the achieved detectable effect."""
    heads = ("units", "planned", "information", "detectable now", "planned effect")
    return Table(
        ("metric", *heads),
        [
            (
                f"{each['metric']}, {each['arm']}",
                numbers.count(each["units"]),
                numbers.count(each["planned_units"]) if each["planned_units"] else numbers.NOTHING,
                numbers.share(each["information"]) if each["information"] is not None else numbers.NOTHING,
                text(each["detectable"], percent=bool(each["relative"])),
                text(each["planned_effect"], percent=True),
            )
            for each in power
        ],
        caption=(
            f"Detectable now: the true effect that this reading would show with {power[0]['power']:.0%} power, by the "
            "deciding method, its correction and covariates"
            if power
            else ""
        ),
        right=heads,
    )


def power_check(facts: AnalyzeFacts) -> Outcome:
    """Sufficient power (mission): the planned information, or the planned effect detectable with less of it."""
    told = [each for each in facts.power if each["detectable"] is not None]
    if not told:
        why = "effects are hidden" if facts.hidden else "no success metric determines an effect"
        return Outcome(name="sufficient power", status="not_applicable", message=why, blocking=False)
    short = [
        each
        for each in told
        if (each["information"] is not None and each["information"] < 1)
        and (each["planned_effect"] is None or each["detectable"] > each["planned_effect"])
    ]
    return Outcome(
        name="sufficient power",
        status="warned" if short else "passed",
        message=" ".join(each["sentence"] for each in short or told),
        blocking=False,
        evidence="result",
    )
