"""The command `paribus heterogeneity`: whom a change helps most, by a causal forest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paribus.cli.answer import answers, print_json, say
from paribus.cli.experiment import Connection, Json
from paribus.cli.written_options import covariates, weights

if TYPE_CHECKING:
    from paribus.impact.causal_forest import Forest


@answers
def heterogeneity(
    source: Annotated[str, typer.Argument(help="As for analyze: experiment.yaml, a file, or with --data a key.")],
    metric: Annotated[str, typer.Option(help="Metric; the first success metric of an experiment without it.")] = "",
    arm: Annotated[str, typer.Option(help="The treatment, where there are several.")] = "",
    attribute: Annotated[
        list[str] | None, typer.Option(help="Known at exposure; the experiment's segments without it; repeat.")
    ] = None,
    units: Annotated[int, typer.Option(help="Rows that may leave the warehouse, at most.", min=1)] = 20_000,
    seed: Annotated[int, typer.Option(help="Of the sample, the trees and the blocks.")] = 0,
    trees: Annotated[int, typer.Option(help="Trees in each forest.", min=20)] = 200,
    unit: Annotated[str | None, typer.Option(help="Column of the unit's id, for a table.")] = None,
    variant: Annotated[str | None, typer.Option(help="Column of the variant, for a table.")] = None,
    control: Annotated[str | None, typer.Option(help="The control's name, for a table.")] = None,
    split: Annotated[str | None, typer.Option(help="Planned split, for a table: control=50,treatment=50.")] = None,
    covariate: Annotated[list[str] | None, typer.Option(help="METRIC=COLUMN from before exposure; repeat.")] = None,
    connection: Connection = None,
    data: Annotated[Path | None, typer.Option("--data", help="The data folder, for an experiment on a flag.")] = None,
    as_json: Json = False,
) -> None:
    """Rank units by predicted effect and test the ranking on units it had not seen; exploratory, never a verdict."""
    from paribus import app

    table = {"unit": unit, "variant": variant, "control": control, "connection": connection}
    given: dict[str, object] = {name: value for name, value in table.items() if value is not None}
    if unit is not None:
        given |= {"metrics": [metric] if metric else []}
        given |= {"split": weights(split)} if split else {}
        given |= {"covariates": covariates(covariate)} if covariate else {}
    found = app.heterogeneity(
        source,
        metric=metric,
        arm=arm,
        attributes=attribute or (),
        units=units,
        seed=seed,
        trees=trees,
        data=data,
        **given,
    )
    if as_json:
        print_json({**found.plain(), "statement": found.statement})
        return
    _show(found)


def _show(found: Forest) -> None:
    from paribus.charts import numbers

    say(found.sentence)
    typer.echo(
        f"\n{found.metric}, {found.arm} against {found.control}: {found.units:,} of {found.total:,} units, "
        f"{found.tested:,} of them predicted unseen; {found.trees} trees, seed {found.seed}"
    )
    typer.echo(f"\n{'predicted effect':<18}{'units':>9}  {'effect on unseen units':<32}{'p (Holm)':>9}")
    names = ("least", "below the middle", "above the middle", "largest")
    for name, group in zip(names, found.groups, strict=True):
        told = f"{group.value:+.4g} [{group.low:+.4g}, {group.high:+.4g}]"
        typer.echo(f"{name:<18}{group.units:>9,}  {told:<32}{numbers.p_value(group.adjusted_p):>9}")
    if found.calibration is not None:
        mean, slope = found.calibration.mean, found.calibration.differential
        typer.echo(f"\nmean prediction            {mean.value:>6.2f} (se {mean.se:.2f}; 1: right)")
        typer.echo(
            f"differences of predictions {slope.value:>6.2f} (se {slope.se:.2f}; 1: right, 0: they say nothing; "
            f"p {numbers.p_value(slope.p_value)})"
        )
    typer.echo("\nimportance")
    for each in found.importance:
        typer.echo(f"  {each.attribute:<28}{numbers.share(each.share):>7}")
