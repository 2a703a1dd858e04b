"""What a panel has to be for the estimators: balanced, with one start of treatment and units that are never treated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from paribus.errors import InputError
from paribus.experiments.cells import told

SHOWN = 5


def refuse_other_shapes(
    units: Sequence[str], periods: Sequence[Any], status: Sequence[int], *, treated: str, relation: str
) -> None:
    """Refuses a table that is no balanced panel with one start of treatment.

    Args:
        units, periods, status: of each row; status is 1 under treatment.
        treated: the column's name, for errors.
        relation: the table's name, for errors.

    Raises:
        InputError: with counts, the first names and what to do.
    """
    _refuse_repeated(units, periods, relation)
    _refuse_no_comparison(units, status, treated, relation)
    _refuse_gaps(units, periods, relation)
    _refuse_starts(units, periods, status, relation)


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    rest = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {rest:,} more" if rest > 0 else "")


def _refuse_repeated(units: Sequence[str], periods: Sequence[Any], relation: str) -> None:
    repeated = [key for key, n in Counter(zip(units, periods, strict=True)).items() if n > 1]
    if repeated:
        unit, period = repeated[0]
        raise InputError(
            f"{len(repeated):,} pairs of unit and period occur more than once, first {unit}, {told(period)}",
            where=relation,
            rule="one row for each unit in each period",
            fix="sum or average the rows of a unit and period first",
        )


def _refuse_no_comparison(units: Sequence[str], status: Sequence[int], column: str, relation: str) -> None:
    ever = {unit for unit, on in zip(units, status, strict=True) if on}
    count = len(set(units))
    if not ever or len(ever) == count:
        found = f"all {count:,} units are" if ever else f"none of {count:,} units is"
        raise InputError(
            f"{found} treated in some period",
            where=relation,
            rule="the effect is told by units that are never treated",
            fix="add units that were not treated" if ever else f"set {column!r} to 1 from the start of treatment on",
        )


def _refuse_gaps(units: Sequence[str], periods: Sequence[Any], relation: str) -> None:
    """Every unit in every period."""
    all_units, all_periods = dict.fromkeys(units), sorted(set(periods))
    total = len(all_units) * len(all_periods)
    if total == len(units):
        return
    there = set(zip(units, periods, strict=True))
    first = next((unit, period) for unit in all_units for period in all_periods if (unit, period) not in there)
    seen = Counter(units)
    short = [unit for unit in all_units if seen[unit] < len(all_periods)]
    raise InputError(
        f"{total - len(units):,} of {total:,} pairs of unit and period are missing, in {len(short):,} of "
        f"{len(all_units):,} units ({listed(short)}); the first of them {first[0]}, {told(first[1])}",
        where=relation,
        rule="a balanced panel: one row for every unit in every period",
        fix="fill in the missing rows (a sum without events is 0), or leave these units out",
    )


def _refuse_starts(units: Sequence[str], periods: Sequence[Any], status: Sequence[int], relation: str) -> None:
    """One start of treatment, after the first period, and no end."""
    on: dict[str, list[Any]] = {}
    for unit, period, treated in zip(units, periods, status, strict=True):
        if treated:
            on.setdefault(unit, []).append(period)
    ordered = sorted(set(periods))
    after = {period: len(ordered) - i for i, period in enumerate(ordered)}
    starts = {unit: min(treated) for unit, treated in on.items()}
    always = [unit for unit, start in starts.items() if start == ordered[0]]
    if always:
        raise InputError(
            f"{len(always):,} of {len(on):,} treated units are treated from the first period on ({listed(always)})",
            where=relation,
            rule="the change of a treated unit needs periods before its treatment",
            fix="leave these units out; if the column marks the group, let it be 1 only from the start of treatment on",
        )
    ended = [unit for unit, treated in on.items() if len(treated) < after[starts[unit]]]
    if ended:
        raise InputError(
            f"treatment is switched off again in {len(ended):,} of {len(on):,} treated units ({listed(ended)})",
            where=relation,
            rule="a unit that is treated stays so",
            fix="leave out these units, or the periods after the first of them ended",
        )
    cohorts = Counter(starts.values())
    if len(cohorts) > 1:
        begun = listed([f"{n:,} from {told(start)}" for start, n in sorted(cohorts.items())])
        raise InputError(
            f"treatment begins in {len(cohorts):,} different periods: {begun}",
            where=relation,
            rule="with staggered adoption some effects count negatively (Goodman-Bacon 2021)",
            fix="analyze one starting cohort at a time, with the units that are never treated",
        )
