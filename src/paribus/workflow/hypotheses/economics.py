"""What a success is worth and what the feature costs: from the configuration, else from the history's own amounts."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

from paribus.impact.value import Costs, Uncertain
from paribus.workflow.artifact import Evidence
from paribus.workflow.config import Config
from paribus.workflow.facts.explore import Baseline, ExploreFacts
from paribus.workflow.hypotheses.chosen import Chosen
from paribus.workflow.hypotheses.metrics import MONEY, money_of
from paribus.workflow.hypotheses.numbers import rounded


@dataclass(frozen=True, slots=True)
class Price:
    """Money per success, with the words and evidence it came from; `value` None where nobody knows."""

    value: Uncertain | None
    words: str
    evidence: Evidence


def price(explore: ExploreFacts, chosen: Chosen, config: Config) -> Price:
    """What one success is worth, after the margin."""
    economics = config.economics
    if chosen.kind == "mean" and _is_money(chosen):
        words = f"the metric is money itself, of which {economics.margin:.0%} stays"
        return Price(
            Uncertain(economics.margin), words, Evidence(kind="config", title="economics.margin", statement=words)
        )
    if economics.value_per_conversion is not None:
        words = f"economics.value_per_conversion: {economics.value_per_conversion:g} {economics.currency}"
        if economics.margin < 1:
            words += f", of which {economics.margin:.0%} stays"
        return Price(
            Uncertain(economics.value_per_conversion * economics.margin),
            words,
            Evidence(kind="config", title="paribus.yaml, economics", statement=words),
        )
    money = money_of(explore, chosen)
    share = chosen.baseline
    if money is None or share is None or not share.mean.value or not money.mean.value:
        return Price(
            None,
            "nobody has said what a success is worth, and no event carries an amount",
            Evidence(kind="config", title="paribus.yaml, economics", statement="value_per_conversion is not set"),
        )
    per = money.mean.value / share.mean.value * economics.margin
    # Money per unit over successes per unit: relative errors add as squares; that both vary together only helps.
    error = per * sqrt(_relative_error(money) ** 2 + _relative_error(share) ** 2)
    words = f"mean {money.metric} per unit over mean {share.metric}" + (
        f", times the margin of {economics.margin:.0%}" if economics.margin < 1 else ""
    )
    return Price(
        Uncertain(per, error),
        words,
        Evidence(
            kind="result",
            title="money per success",
            statement=f"{rounded(money.mean.value):g} / {rounded(share.mean.value):g} x {economics.margin:g}",
            data=f"explore/{money.evidence}, explore/{share.evidence}",
        ),
    )


def costs(config: Config) -> Costs:
    """The cost lines of the configuration; a model's running cost is in running."""
    economics = config.economics
    return Costs(economics.build_cost, economics.running_cost_per_year, economics.support_cost_per_year)


def cost_lines(config: Config) -> list[dict[str, Any]]:
    """The cost lines as facts."""
    economics = config.economics
    lines = (
        ("build", economics.build_cost, "once"),
        ("run, infrastructure included", economics.running_cost_per_year, "a year"),
        ("support", economics.support_cost_per_year, "a year"),
    )
    found: list[dict[str, Any]] = [
        {"name": name, "amount": amount, "per": per, "unit": economics.currency, "evidence": "config"}
        for name, amount, per in lines
    ]
    model = "its calls are in the running cost" if config.implementation.model else "no model takes part"
    return [*found, {"name": f"model: {model}", "amount": 0.0, "per": "a year", "unit": "", "evidence": "config"}]


def _is_money(chosen: Chosen) -> bool:
    from paribus.experiments.words import pieces

    return bool(set(pieces(str(chosen.definition.get("value") or chosen.name))) & set(MONEY))


def _relative_error(baseline: Baseline) -> float:
    mean = baseline.mean.value or 0.0
    return baseline.sd / sqrt(max(baseline.units, 1)) / mean if mean > 0 else 0.0
