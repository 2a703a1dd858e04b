"""The business impact as a reader sees it: one page, money as a picture first."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from paribus.charts import Dots, Swing, distribution, numbers, tornado
from paribus.workflow.artifact import Artifact
from paribus.workflow.block import Block, Heading, Listing, Paragraph, Picture, Table
from paribus.workflow.facts.conclude import ImpactFacts
from paribus.workflow.hypotheses.numbers import span, text


def blocks_of(artifact: Artifact) -> list[Block]:
    """Forecast and measured value on one axis, the tornado, costs, the forecast's score, the learning."""
    facts = ImpactFacts.model_validate(artifact.facts)
    blocks: list[Block] = [Paragraph(f"**{facts.recommendation[0].upper()}{facts.recommendation[1:]}.** {facts.why}")]
    if facts.caveats:
        blocks += [Heading("What a reader must know"), Listing(list(facts.caveats))]
    if facts.value_per_year is None:
        blocks.append(Paragraph(f"**No money is stated.** {facts.withheld}"))
    else:
        blocks += _money(facts)
    if facts.corrected_lift is not None:
        name = "on units that meet it" + (", corrected for the winner's curse" if facts.is_corrected else "")
        rows = [(name, span(facts.corrected_lift, percent=True, signed=True))]
        if facts.diluted_lift is not None:
            rows.append(("on all successes (intention to treat)", span(facts.diluted_lift, percent=True, signed=True)))
        blocks.append(Table(("relative effect", "95% interval"), rows, right=("95% interval",)))
    blocks.append(
        Table(
            ("cost", "amount", "per"),
            [
                (str(each["name"]), f"{text(each['amount'])} {each['unit']}".strip(), str(each["per"]))
                for each in facts.costs
            ],
            caption="What it costs",
            right=("amount",),
        )
    )
    blocks += _score(facts)
    decision = facts.decision
    blocks += [
        Heading("Decision"),
        Table(
            ("", ""),
            [
                ("action", str(decision["action"])),
                ("rule", f"{decision['rule']}, {decision['by']}"),
                (
                    "evidence",
                    f"verdict {str(decision['verdict']).replace('_', ' ')} of the registered analysis",
                ),
                ("dissent", str(decision["dissent"])),
                ("date", _date(decision["date"])),
            ],
        ),
        Heading("Learning"),
        Paragraph(str(facts.learning["takeaway"])),
    ]
    return blocks


def _money(facts: ImpactFacts) -> list[Block]:
    value = facts.value_per_year
    currency = value.unit if value else ""
    forecast, own = (facts.dots.get(name, {}).get("values", ()) for name in ("forecast", "measured"))
    figure = distribution(
        [
            Dots("forecast in step 2", tuple(forecast), span(facts.expected_per_year)),
            Dots("measured", tuple(own), span(value)),
        ],
        title="Value a year, forecast and measured",
        scale_title=f"{currency}, each dot one of {len(own)} equally likely values; outlined dots are losses",
    )
    loss = _chance(facts.chance_of_loss.value if facts.chance_of_loss else None)
    rows = [
        ("value a year, after running costs", span(value), currency),
        ("first year, net of building", span(facts.first_year), currency.removesuffix("/year")),
        ("chance of a loss in the first year", loss, ""),
    ]
    if facts.break_even_days is not None:
        rows.append(("break-even, median", span(facts.break_even_days), "days"))
    if facts.recommendation == "full rollout":
        rows.append(("cost of delay", span(facts.cost_of_delay_per_week), currency.replace("/year", "/week")))
    if facts.returns.get("spent"):
        rows += [
            ("return on investment, measured", _ratio(facts.returns.get("measured")), ""),
            ("return on investment, forecast", _ratio(facts.returns.get("forecast")), ""),
        ]
    blocks: list[Block] = [
        Picture(figure, "What was expected under the rule, and what was measured", "value"),
        Table(("", "95% interval", "unit"), rows, right=("95% interval",)),
    ]
    if facts.tornado:
        middle = _middle(facts)
        blocks.append(
            Picture(
                tornado(
                    [
                        Swing(
                            str(each["input"]),
                            float(each["at_low"]),
                            float(each["at_high"]),
                            _end(each, "low"),
                            _end(each, "high"),
                        )
                        for each in facts.tornado
                    ],
                    center=middle,
                    title="What the value hangs on",
                    scale_title=f"{currency}, one input at a time at its 5% and 95% end",
                ),
                "Sensitivity: each bar moves one input, the others stay in the middle",
                "tornado",
            )
        )
    blocks.append(Paragraph(f"Persistence: {facts.persistence.get('why', '')}."))
    return blocks


def _score(facts: ImpactFacts) -> list[Block]:
    if not facts.forecast:
        return [Paragraph("The forecast of step 2 is not scored: the experiment ended without an answer.")]
    of = facts.forecast
    rows = [
        ("chance of success that was forecast", _chance(of["chance"])),
        ("what came", "shipped" if of["shipped"] else "not shipped"),
        ("Brier score (0 perfect, 0.25 a coin)", text(of["brier"])),
        ("lift within its forecast interval", _yes(of["lift_hit"])),
        ("value within its forecast interval", _yes(of["value_hit"])),
    ]
    blocks: list[Block] = [Heading("Forecast against outcome"), Table(("", ""), rows)]
    if facts.calibration.get("features", 0) > 1:
        blocks.append(
            Table(
                ("chance forecast", "features", "mean forecast", "shipped"),
                [
                    (
                        f"{text(each['low'], percent=True)} to {text(each['high'], percent=True)}",
                        str(each["features"]),
                        text(each["forecast"], percent=True),
                        text(each["observed"], percent=True),
                    )
                    for each in facts.calibration["bins"]
                ],
                caption=(
                    f"Calibration over {facts.calibration['features']} closed features, mean Brier score "
                    f"{text(facts.calibration['brier'])}"
                ),
                right=("features", "mean forecast", "shipped"),
            )
        )
    return blocks


def _middle(facts: ImpactFacts) -> float:
    """The value with every input in the middle: where the swings' ends meet, by the effect's."""
    return float(facts.persistence.get("center", 0.0))


def _end(swing: dict[str, Any], end: str) -> str:
    percent = swing["input"] in ("effect", "persistence", "share that succeeds without it")
    return text(float(swing[end]), percent=percent, signed=swing["input"] == "effect")


def _ratio(x: float | None) -> str:
    return f"{text(x)} times what is spent" if x is not None else numbers.NOTHING


def _date(iso: str | None) -> str:
    return numbers.moment(datetime.fromisoformat(iso)) if iso else numbers.NOTHING


def _chance(p: float | None) -> str:
    return numbers.chance(p) if p is not None else numbers.NOTHING


def _yes(hit: bool | None) -> str:
    return numbers.NOTHING if hit is None else "yes" if hit else "no"
