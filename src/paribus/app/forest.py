"""Whom a change helps most: a causal forest over the units of an experiment, wherever they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.app.experiment import analyze, is_document, names
from paribus.app.opened import Opened, of_file, of_table, stored
from paribus.errors import InputError

TREES = 200

if TYPE_CHECKING:
    from paribus.experiments.result import Result
    from paribus.impact.causal_forest import Forest


def heterogeneity(
    source: object,
    *,
    metric: str = "",
    arm: str = "",
    attributes: str | Sequence[str] = (),
    units: int = 20_000,
    seed: int = 0,
    trees: int = TREES,
    data: Path | str | None = None,
    **table: Any,
) -> Forest:
    """A causal forest of one treatment arm, and whether units that it had not seen bear it out; never a verdict.

    Args:
        source: an experiment file, the key of an experiment on a flag (with `data`), or a table as for `analyze`.
        metric: the first success metric unless named.
        arm: the treatment; may be left out where there is one.
        attributes: known at exposure; the experiment's segments unless named.
        units: rows that may leave the warehouse, at most; ids never do.
        seed: of the sample, the trees and the blocks.
        trees: in each forest.
        data: the data folder, for an experiment on a flag.
        **table: for a table, as for `analyze`: unit, variant, metrics, control, split, covariates, connection.

    Raises:
        InputError: a health check hides effects, too few units, or nothing that tells them apart.
        MissingExtra: econml is not installed.
    """
    asked = names(attributes)
    opened: Opened
    if data is not None:
        result, opened = stored(str(source), Path(data))
    elif is_document(source):
        result, opened = analyze(source), of_file(source)
    else:
        result = analyze(source, segments=asked, **table)
        opened = of_table(source, table.get("connection"))
    return grown(result, opened, metric=metric, arm=arm, attributes=asked, units=units, seed=seed, trees=trees)


def grown(
    result: Result,
    opened: Opened,
    *,
    metric: str = "",
    arm: str = "",
    attributes: Sequence[str] = (),
    units: int,
    seed: int,
    trees: int,
) -> Forest:
    """The forest on the data that a result was computed from; `opened(design, data)` gives their engine."""
    from paribus.experiments.proof import read_proof
    from paribus.experiments.sampled import drawn_units, weights_of
    from paribus.impact.causal_forest import causal_forest

    failed = [check for check in result.checks if check.severity == "blocking" and check.status == "failed"]
    if failed:
        raise InputError(
            failed[0].sentence, where=result.experiment, rule="while a blocking check fails, effects are hidden"
        )
    proof = read_proof(result.proof)
    if proof.data is None:
        raise InputError("the result does not say where its data are", where=result.experiment)
    design, measurement = proof.design, proof.measurement
    named = tuple(attributes) or design.segments or proof.data.segments
    arms = [variant.name for variant in design.variants if variant.name != design.control]
    treatment = arm or arms[0]
    if treatment not in arms or (not arm and len(arms) > 1):
        raise InputError(
            f"{treatment!r} is no treatment" if arm else f"there are {len(arms)} treatments",
            where="arm",
            rule=f"one of {', '.join(arms)}",
        )
    with opened(replace(design, segments=named), proof.data) as engine:
        rows = drawn_units(
            design, proof.data, engine, measurement, metric=metric, attributes=named, most=units, seed=seed
        )
    weights = weights_of(design, measurement)
    return causal_forest(rows, control=design.control, treatment=treatment, weights=weights, seed=seed, trees=trees)
