"""`paribus analyze --count`: experiments that are known by running summaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from paribus.errors import InputError

EXAMPLE = "--count n_c,n_t --mean mean_c,mean_t --variance var_c,var_t --time day"


def deliver_running(
    source: str,
    *,
    count: str | None,
    mean: str | None,
    variance: str | None,
    sd: str | None,
    time: str | None,
    by: Sequence[str],
    variant: str | None,
    control: str | None,
    increments: bool,
    split: Mapping[str, float] | None,
    n_opt: float | None,
    effect_sd: float | None,
    confidence: float | None,
    connection: str | None,
    html: Path | None,
    as_json: bool,
    other: Mapping[str, object],
) -> None:
    """Prints the readings of every comparison, and writes the page that was asked for.

    Args:
        other: the options that only a table of units has, with what was given for them.

    Raises:
        InputError: a column is not named, or an option is given that summaries do not have.
    """
    from paribus import app
    from paribus.cli.delivery import deliver_told, refuse_beside

    refuse_beside(
        "--count",
        other,
        source,
        rule="running summaries hold no single units, and no plan",
        fix=f"paribus analyze {source} {EXAMPLE}",
    )
    if not count or not mean or not time:
        missing = [name for name, value in (("--count", count), ("--mean", mean), ("--time", time)) if not value]
        raise InputError(
            f"running summaries need to be told their columns; missing: {', '.join(missing)}",
            where=source,
            rule="for each arm and checkpoint the units so far, their mean and their variance or sd",
            fix=EXAMPLE,
        )
    result = app.running(
        source,
        count=_columns(count),
        mean=_columns(mean),
        variance=_columns(variance) if variance else None,
        sd=_columns(sd) if sd else None,
        time=time,
        by=by,
        variant=variant,
        control=control,
        increments=increments,
        split=split,
        n_opt=n_opt,
        effect_sd=effect_sd,
        confidence_level=confidence,
        connection=connection,
    )
    deliver_told(result, html=html, as_json=as_json)


def _columns(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))
