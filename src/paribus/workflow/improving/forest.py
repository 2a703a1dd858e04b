"""The causal forest of step 16: grown where the configuration asks for it, told as facts, and never deciding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from paribus.charts import Interval, interval_plot, numbers
from paribus.errors import EngineError, InputError, MissingExtra, NotFound, StorageError
from paribus.impact.causal_forest import BLOCKS, EXPLORATORY, LEAVES, TRAINING, Forest
from paribus.metrics.definition import MetricType
from paribus.metrics.unit_rows import TYPES
from paribus.workflow.artifact import Evidence
from paribus.workflow.block import Block, Heading, Paragraph, Picture, Table
from paribus.workflow.hypotheses.numbers import rounded, text

if TYPE_CHECKING:
    from paribus.experiments.result import Comparison, Result
    from paribus.workflow.context import Context

Json = dict[str, Any]
GROUPS = ("least", "below the middle", "above the middle", "largest")


def forest_of(context: Context, result: Result, success: Comparison | None) -> tuple[Forest | None, str]:
    """The forest, or why there is none; both empty where the configuration does not ask for one."""
    asked = context.config.heterogeneity
    if not asked.causal_forest or success is None:
        return None, ""
    if success.type not in TYPES:
        return None, f"{success.metric} is a {MetricType(success.type).value}, which has no value for each unit"
    try:
        return (
            context.operations.forest(result, metric=success.metric, units=asked.most_units, seed=context.seed),
            "",
        )
    except MissingExtra as error:
        return None, f"{error.what}: {error.fix}"
    except (InputError, NotFound, EngineError, StorageError) as error:
        return None, error.what


def forest_facts(forest: Forest | None, why_none: str) -> Json:
    """What it found; only why, where there is none."""
    if forest is None:
        return {"none": why_none} if why_none else {}
    calibrated = forest.calibration
    value, se, p = forest.contrast
    return {
        "metric": forest.metric,
        "arm": forest.arm,
        "units": forest.units,
        "of": forest.total,
        "tested": forest.tested,
        "trees": forest.trees,
        "seed": forest.seed,
        "control_mean": rounded(forest.control_mean),
        "borne_out": forest.is_borne_out,
        "sentence": forest.sentence,
        "calibration": {
            name: {"value": rounded(c.value), "se": rounded(c.se), "p_value": rounded(c.p_value)}
            for name, c in (("mean", calibrated.mean), ("differential", calibrated.differential))
        }
        if calibrated is not None
        else None,
        "groups": [
            {
                "group": name,
                "units": g.units,
                "predicted": rounded(g.predicted),
                "effect": rounded(g.value),
                "low": rounded(g.low),
                "high": rounded(g.high),
                "adjusted_p": rounded(g.adjusted_p),
            }
            for name, g in zip(GROUPS, forest.groups, strict=True)
        ],
        "contrast": {"value": rounded(value), "se": rounded(se), "p_value": rounded(p)},
        "importance": [{"attribute": i.attribute, "share": rounded(i.share)} for i in forest.importance],
        "profiles": [
            {
                "attribute": p.attribute,
                "level": p.level,
                "share_most": rounded(p.share_most),
                "share_least": rounded(p.share_least),
            }
            for p in forest.profiles
        ],
        "evidence": "forest",
    }


def forest_evidence(forest: Forest | None, data: str) -> dict[str, Evidence]:
    """The statement that drew its units, and how it was grown."""
    if forest is None:
        return {}
    return {
        "forest": Evidence(
            kind="sql",
            title=(
                f"causal forest (Wager, Athey 2018) of {forest.trees} honest trees, seed {forest.seed}, leaves of "
                f"{100 / LEAVES:g}% of its units or more; {forest.units:,} of {forest.total:,} units, ids left out"
            ),
            statement=forest.statement,
            data=data,
        )
    }


def forest_assumptions(forest: Forest | None) -> Iterator[str]:
    """What has to be true for the forest's numbers."""
    if forest is not None:
        yield (
            f"The forest's units were cut into {BLOCKS} blocks; from block {TRAINING + 1} on each was predicted by the "
            "blocks before it alone (Wager 2024), with treatment probabilities by design. Group intervals hold for all "
            "groups at once (Bonferroni), their p-values are corrected (Holm). " + EXPLORATORY
        )


def forest_blocks(facts: Json) -> list[Block]:
    """Effects by group of predicted effect on units never seen, calibration, importance."""
    if not facts:
        return []
    blocks: list[Block] = [Heading("A causal forest: for whom, beyond the plan's segments")]
    if facts.get("none"):
        return [*blocks, Paragraph(f"None was grown: {facts['none']}.")]
    scale = facts["control_mean"] or 1.0
    rows = [
        Interval(
            f"{g['group']} ({g['units']:,})",
            g["effect"] / scale,
            g["low"] / scale,
            g["high"] / scale,
            se=(g["high"] - g["low"]) / scale / 5 or None,
            heading="predicted effect" if i == 0 else "",
        )
        for i, g in enumerate(facts["groups"])
    ]
    figure = interval_plot(
        rows,
        title="The effect by quarter of predicted effect, on units that the forest had not seen",
        scale_title=f"effect on {facts['metric']} over control's mean, intervals that hold together at 95%",
    )
    blocks += [
        Paragraph(facts["sentence"]),
        Picture(figure, "Quarters by predicted effect within each block; effects are those of unseen units", "forest"),
    ]
    if facts["calibration"]:
        blocks.append(
            Table(
                ("best linear predictor", "coefficient", "standard error", "p, one-sided"),
                [
                    (
                        f"{name} prediction",
                        text(each["value"]),
                        text(each["se"]),
                        numbers.p_value(each["p_value"]),
                    )
                    for name, each in facts["calibration"].items()
                ],
                caption="1: predictions are right; 0: their differences say nothing (Chernozhukov et al. 2018)",
                right=("coefficient", "standard error", "p, one-sided"),
            )
        )
    blocks.append(
        Table(
            ("attribute", "share of the splits"),
            [(each["attribute"], numbers.share(each["share"])) for each in facts["importance"]],
            caption="What the forest splits by",
            right=("share of the splits",),
        )
    )
    if facts["profiles"]:
        blocks.append(
            Table(
                ("attribute", "level", "largest quarter", "least quarter"),
                [
                    (p["attribute"], p["level"], numbers.share(p["share_most"]), numbers.share(p["share_least"]))
                    for p in facts["profiles"]
                ],
                caption="Who is in the quarter with the largest predicted effects, and in that with the least",
                right=("largest quarter", "least quarter"),
            )
        )
    return blocks
