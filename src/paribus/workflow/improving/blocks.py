"""What was observed as a reader sees it: segments as intervals, steps by arm, decay, feedback, follow-ups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paribus.charts import Interval, interval_plot, numbers
from paribus.workflow.artifact import Artifact
from paribus.workflow.block import Block, Code, Heading, Listing, Paragraph, Picture, Table
from paribus.workflow.facts.conclude import OptimizeFacts
from paribus.workflow.hypotheses.numbers import span, text
from paribus.workflow.improving.forest import forest_blocks


def blocks_of(artifact: Artifact) -> list[Block]:
    """Effects by segment, the way through the funnel by arm, decay, feedback, and the follow-ups."""
    facts = OptimizeFacts.model_validate(artifact.facts)
    blocks: list[Block] = [Paragraph(f"Learned: {facts.learned}")] if facts.learned else []
    if facts.heterogeneity:
        rows = [row for each in facts.heterogeneity for row in _rows(each)]
        figure = interval_plot(
            rows,
            title="The effect by segment",
            scale_title="relative effect, shrunk toward the others of its attribute, 95% intervals",
        )
        blocks += [
            Heading("For whom"),
            Picture(
                figure,
                "Exploratory. Intervals are each segment's own; colors follow p-values corrected over all segments",
                "segments",
            ),
            Table(
                ("attribute", "levels differ, p", "opposite signs, p", ""),
                [
                    (
                        str(each["attribute"]),
                        _p(each["differ_p"]),
                        _p(each["opposite_p"]),
                        "opposite: the whole hides it"
                        if each["opposite"]
                        else "they differ"
                        if each["differs"]
                        else "no difference is shown",
                    )
                    for each in facts.heterogeneity
                ],
                caption="Corrected over the attributes (Holm)",
                right=("levels differ, p", "opposite signs, p"),
            ),
        ]
    blocks += forest_blocks(facts.forest)
    if facts.friction:
        blocks += [Heading("Friction"), _contrasts(facts.friction, _step, "Holm over the steps")]
    blocks += _pace(facts)
    if facts.behavior:
        blocks += [
            Heading("What treated units do differently"),
            _contrasts(facts.behavior, lambda each: str(each["event"]), "Benjamini–Hochberg over all events"),
        ]
    if facts.feedback:
        blocks += [
            Heading("What people say"),
            Table(
                ("event", "theme", "control", "treatment", "p"),
                [
                    (
                        str(each["event"]),
                        str(each["theme"]),
                        numbers.count(each["units_control"]),
                        numbers.count(each["units_treatment"]),
                        _p(each["p_value"]),
                    )
                    for each in facts.feedback
                ],
                caption="Units by theme and arm, after exposure",
                right=("control", "treatment", "p"),
            ),
        ]
    blocks += _lasting(facts)
    blocks += _next(facts, artifact.feature)
    return blocks


def _pace(facts: OptimizeFacts) -> list[Block]:
    """Time on each step and rage clicks, by arm."""
    blocks: list[Block] = []
    if facts.step_times:
        blocks.append(
            Table(
                ("", "control", "treatment", "treatment over control", "p"),
                [
                    (
                        f"{each['from']} \u2192 {each['to']}" + (" (slower in treatment)" if each["slower"] else ""),
                        _duration(each["seconds_control"]),
                        _duration(each["seconds_treatment"]),
                        f"{each['ratio']:.2f} [{each['low']:.2f}, {each['high']:.2f}]",
                        _p(each["p_value"]),
                    )
                    for each in facts.step_times
                ],
                caption="Median time on each step, of units that went on; ratios of geometric means with 95% intervals "
                "of their own; p corrected (Holm over the steps)",
                right=("control", "treatment", "treatment over control", "p"),
            )
        )
    if facts.rage_clicks:
        blocks.append(
            _contrasts(
                facts.rage_clicks,
                lambda each: f"{each['element']} (worse in treatment)" if each["worse"] else str(each["element"]),
                "Holm over the elements; units that clicked it three times within two seconds",
            )
        )
    return blocks


def _duration(seconds: float) -> str:
    """Seconds up to two minutes, then minutes, then hours.

    >>> _duration(3.24), _duration(300.0), _duration(7_200.0)
    ('3.2 s', '5.0 min', '2.0 h')
    """
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7_200 else f"{seconds / 3600:.1f} h"


def _lasting(facts: OptimizeFacts) -> list[Block]:
    blocks: list[Block] = []
    if facts.cohorts:
        figure = interval_plot(
            [
                Interval(
                    f"week of {each['week']}",
                    each["effect"],
                    each["low"],
                    each["high"],
                    se=(each["high"] - each["low"]) / 3.92,
                )
                for each in facts.cohorts
            ],
            title="The effect by week of first exposure",
            scale_title="relative effect, 95% intervals, units whose window has closed",
        )
        p = facts.decay.get("cohorts_p")
        said = (
            f"Do weeks differ? p {'=' if _p(p)[0] not in '<>' else ''} {_p(p)}".replace("  ", " ")
            if p is not None
            else "One week has nothing to be compared with"
        )
        blocks += [Heading("Does it last?"), Picture(figure, said, "cohorts")]
    if facts.decay.get("sentence"):
        blocks.append(Paragraph(str(facts.decay["sentence"])))
    half = facts.decay.get("half_life_days")
    if half is not None:
        first, lasting = (text(facts.decay[name], percent=True, signed=True) for name in ("first", "lasting"))
        blocks.append(
            Paragraph(
                f"The decay that fits best falls from {first} at exposure to {lasting}; what fades of it halves every "
                f"{text(half)} days."
            )
        )
    return blocks


def _next(facts: OptimizeFacts, feature: str) -> list[Block]:
    if not facts.follow_ups:
        return [Heading("What comes next"), Paragraph("Nothing that was observed asks for a follow-up.")]
    first = facts.follow_ups[0]
    unit = next((each.gain.unit for each in facts.follow_ups if each.gain), "")
    return [
        Heading("What comes next"),
        Table(
            ("", "follow-up", f"may gain, {unit}" if unit else "may gain", "effect", "units in each arm", "days"),
            [
                (
                    each.id,
                    each.change,
                    span(each.gain),
                    text(each.effect.value, percent=True) if each.effect else "",
                    numbers.count(each.units_per_arm) if each.units_per_arm else numbers.NOTHING,
                    str(each.days) if each.days else "more than a year",
                )
                for each in facts.follow_ups
            ],
            caption="Ranked by what they may gain",
            right=(f"may gain, {unit}" if unit else "may gain", "effect", "units in each arm", "days"),
        ),
        Listing([f"**{each.id}** {each.because} ({', '.join(each.findings)})." for each in facts.follow_ups]),
        Code(
            f"paribus feature follow {feature} {first.id}",
            "console",
            f"Opens the next feature with {first.id}, linked to this one, up to its sealed plan (step 3)",
        ),
    ]


def _rows(attribute: Mapping[str, Any]) -> list[Interval]:
    rows = []
    for i, level in enumerate(attribute["levels"]):
        of = level["shrunk"] or level["effect"]
        name = f"{level['level']} ({level['units']:,})"
        heading = str(attribute["attribute"]) if i == 0 else ""
        if of is None or of["low"] is None or of["high"] is None:
            rows.append(Interval(name, note="not determined", heading=heading))
            continue
        tone: Any = level["conclusion"] if level["conclusion"] in ("better", "worse") else "neutral"
        se = (of["high"] - of["low"]) / 3.92
        rows.append(Interval(name, of["value"], of["low"], of["high"], se=se or None, tone=tone, heading=heading))
    return rows


def _contrasts(of: Any, name: Any, correction: str) -> Table:
    return Table(
        ("", "control", "treatment", "difference", "p"),
        [
            (
                name(each),
                text(each["control"], percent=True),
                text(each["treatment"], percent=True),
                numbers.estimate(
                    each["difference"],
                    each["low"],
                    each["high"],
                    se=(each["high"] - each["low"]) / 3.92 or None,
                    unit="points",
                ),
                _p(each["p_value"]),
            )
            for each in of
        ],
        caption=f"Shares of units by arm; differences with 95% intervals of their own; p corrected ({correction})",
        right=("control", "treatment", "difference", "p"),
    )


def _step(each: Mapping[str, Any]) -> str:
    name = f"{each['from']} \u2192 {each['to']}" if each["from"] else str(each["to"])
    return f"{name} (worse in treatment)" if each["worse"] else name


def _p(p: float | None) -> str:
    return numbers.p_value(p) if p is not None else numbers.NOTHING
