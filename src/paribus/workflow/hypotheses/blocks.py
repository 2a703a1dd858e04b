"""The hypotheses as a reader sees them: the forecast as a picture first, then ranking, metrics, money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paribus.metrics.definition import SHARES
from paribus.workflow.artifact import Artifact, Measured
from paribus.workflow.block import Block, Heading, Paragraph, Picture, Table
from paribus.workflow.facts.hypothesize import HypothesizeFacts
from paribus.workflow.hypotheses.numbers import span, text
from paribus.workflow.hypotheses.phrasing import as_subject

_RELATIVE = frozenset({"relative", "share"})


def blocks_of(artifact: Artifact) -> list[Block]:
    """Pictures of the forecast first, then the ranking, the metrics, the money."""
    from paribus.charts import Dots, distribution

    facts = HypothesizeFacts.model_validate(artifact.facts)
    currency = str(facts.economics.get("currency", ""))
    own = facts.hypotheses[0]
    because = f"{own.because[:1].lower()}{own.because[1:]}"
    blocks: list[Block] = [
        Paragraph(
            f"**Because** {because}, **we believe** that {as_subject(own.change)}, **for** {own.for_whom}, **will** "
            f"have the effect that {own.expected}, **measured by** `{own.measured_by}`."
            + ("" if own.findings else " It cites nothing that was found: it is an **opinion**.")
        )
    ]
    if values := facts.dots.get("first_year"):
        figure = distribution(
            [Dots("first year, net", tuple(values), span(own.expected_value))],
            title="Forecast of the first year",
            scale_title=f"{currency}, each dot 1 of {len(values)} equally likely outcomes; nothing is earned where it "
            "does not ship",
        )
        blocks.append(Picture(figure, "What the first year is expected to bring, building included", "forecast"))
    blocks.append(
        Picture(
            distribution(
                [
                    Dots(
                        "relative effect",
                        tuple(facts.dots.get("lift", ())),
                        span(own.forecast.lift, percent=True, signed=True),
                    )
                ],
                title="What is believed of the effect before the experiment",
                scale_title=f"relative effect on {own.measured_by}",
                unit="percent",
            ),
            "What is believed of the effect before the experiment",
            "prior",
        )
    )
    if origin := str(facts.prior.get("origin", "")):
        blocks.append(Paragraph(f"{origin[0].upper()}{origin[1:].rstrip('.')}."))
    first: Mapping[str, float] = facts.ranking.get("first", {})
    types = {str(each["name"]): str(each["type"]) for each in facts.metrics}
    blocks += [
        Heading("Hypotheses"),
        Table(
            (
                "",
                "change",
                "for",
                "rests on",
                "reach a year",
                "ICE",
                "RICE",
                f"first year, {currency}",
                "days",
                "first in",
            ),
            [
                (
                    f"{each.id}{' (tested)' if each.id == facts.chosen else ''}",
                    each.change,
                    each.for_whom,
                    ", ".join(each.findings) or each.source,
                    text(each.reach.value),
                    text(each.ice.value),
                    text(each.rice.value),
                    span(each.expected_value),
                    f"{each.days.value:,.0f}" if each.days and each.days.value is not None else "",
                    text(first.get(each.id), percent=True),
                )
                for each in facts.hypotheses
            ],
            caption=(
                f"Order by {facts.ranking.get('by')}; when the inputs vary the first stays first in "
                f"{text(facts.ranking.get('stability'), percent=True)} of variations"
            ),
            right=("reach a year", "ICE", "RICE", f"first year, {currency}", "days", "first in"),
        ),
        Heading("Metrics"),
        Table(
            ("metric", "role", "baseline", "margin", "why"),
            [
                (
                    str(each["metric"]),
                    str(each["role"]),
                    text(each["baseline"], percent=types.get(each["metric"]) in SHARES),
                    _margin(each["margin"], types.get(each["metric"]) in SHARES),
                    str(each["why"]),
                )
                for each in facts.choices
            ],
            right=("baseline", "margin"),
        ),
        Heading("Which effect"),
        Table(
            ("relative effect", "", "from"),
            [
                (
                    "smallest that pays",
                    text(facts.smallest_worthwhile.value, percent=True),
                    "costs over value, first year",
                ),
                (
                    "smallest that can be found",
                    text(facts.detectable.value, percent=True),
                    "planned runtime and arrivals",
                ),
                (
                    "planned for",
                    text(facts.minimum_detectable_effect.value, percent=True),
                    f"because {facts.economics.get('planned_for')}",
                ),
            ],
            right=("",),
        ),
        Heading("From the metric to money"),
        Table(
            ("", "value", "unit", "from"),
            [
                (
                    ("" if not each["parent"] else "– " if each["parent"] == facts.tree[0]["name"] else "– – ")
                    + str(each["name"]),
                    _leaf(each),
                    "" if each["unit"] in _RELATIVE else str(each["unit"]),
                    str(each["words"]),
                )
                for each in facts.tree
            ],
            caption="Before the experiment; 95% intervals by simulation",
            right=("value",),
        ),
        Table(
            ("cost", "amount", "per"),
            [
                (str(each["name"]), f"{text(each['amount'])} {each['unit']}".strip(), str(each["per"]))
                for each in facts.economics.get("costs", ())
            ],
            right=("amount",),
        ),
    ]
    unmatched: Sequence[str] = facts.support.get("unmatched", ())
    if unmatched:
        blocks.append(
            Paragraph(f"Word stems of the requirement that nothing in the data speaks of: {', '.join(unmatched)}.")
        )
    return blocks


def _leaf(of: Mapping[str, Any]) -> str:
    """A number of the tree with its interval; effects and shares in percent."""
    measured = Measured.model_validate({k: of[k] for k in Measured.model_fields})
    return span(measured, percent=of["unit"] in _RELATIVE, signed=of["unit"] == "relative")


def _margin(margin: Any, is_share: bool) -> str:
    if margin is None:
        return "\u2013"
    if isinstance(margin, Mapping):
        if "absolute" not in margin:
            return text(margin["relative"], percent=True)
        return f"{100 * margin['absolute']:.3g} pp" if is_share else f"{text(margin['absolute'])} absolute"
    return text(float(margin), percent=True)
