"""`paribus analyze --treated`: effects from a panel that nobody randomized."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from paribus.errors import InputError

EXAMPLE = "--unit state --time year --treated treated --metric sales"


def deliver_panel(
    source: str,
    *,
    unit: str | None,
    time: str | None,
    treated: str | None,
    metric: Sequence[str],
    estimator: str,
    confidence: float | None,
    connection: str | None,
    html: Path | None,
    as_json: bool,
    other: Mapping[str, object],
) -> None:
    """Prints the effects of each estimator, and writes the page that was asked for.

    Args:
        other: the options that only a randomized experiment has, with what was given for them.

    Raises:
        InputError: a column is not named, or an option is given that a panel does not have.
    """
    from paribus import app
    from paribus.cli.delivery import deliver_told, refuse_beside

    refuse_beside(
        "--treated",
        other,
        source,
        rule="a panel without randomization has no variants and no plan",
        fix=f"paribus analyze {source} {EXAMPLE}",
    )
    if unit is None or time is None or treated is None or len(metric) != 1:
        named = {"--unit": unit, "--time": time, "--treated": treated, "--metric": metric}
        missing = [name for name, value in named.items() if not value]
        raise InputError(
            f"a panel needs to be told its columns; missing: {', '.join(missing)}"
            if missing
            else f"{len(metric)} metrics are named, and a panel is read for one at a time",
            where=source,
            rule="one row for each unit in each period: unit, period, whether treated, one metric",
            fix=EXAMPLE,
        )
    result = app.panel(
        source,
        unit=unit,
        time=time,
        treated=treated,
        metric=metric[0],
        estimator=estimator,
        confidence_level=confidence,
        connection=connection,
    )
    deliver_told(result, html=html, as_json=as_json)
