"""What a row of a running summary holds: which columns, which numbers are refused, and how rows add up."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from paribus.errors import InputError
from paribus.experiments.cells import told
from paribus.stats.arm import Arm
from paribus.stats.gsd_inference import arms_by_look

NAMED = ("control", "treatment")
PAIRS = "--count n_control,n_treatment --mean mean_control,mean_treatment --variance var_control,var_treatment"
ROWS = "--variant arm --count n --mean mean --variance var"


@dataclass(frozen=True, slots=True)
class Summaries:
    """The columns of a table of running summaries.

    count, mean, spread  a pair (control, treatment), or one column where `variant` names the arm
    is_sd                the spread is a standard deviation
    time                 of the checkpoint
    by                   columns that tell experiments, treatments and metrics apart
    variant, control     the column of the arm, and the control's name in it
    """

    count: tuple[str, ...]
    mean: tuple[str, ...]
    spread: tuple[str, ...]
    is_sd: bool
    time: str
    by: tuple[str, ...] = ()
    variant: str | None = None
    control: str | None = None

    def __post_init__(self) -> None:
        wanted = 1 if self.variant is not None else len(NAMED)
        for part, names in (("count", self.count), ("mean", self.mean), (self.spread_name, self.spread)):
            if len(names) != wanted:
                raise InputError(
                    f"{len(names)} columns are named as {part}",
                    where=part,
                    rule="one column beside a column of the arm, else two: control, treatment",
                    fix=ROWS if self.variant is not None else PAIRS,
                )
        if self.control is not None and self.variant is None:
            raise InputError(
                f"a control {self.control!r} without a column of the arm", where="control", fix="--variant"
            )

    @property
    def spread_name(self) -> str:
        """What the spread is: sd or variance."""
        return "sd" if self.is_sd else "variance"

    @property
    def telling(self) -> tuple[str, ...]:
        """The parts that tell rows apart."""
        return (*(f"by {name}" for name in self.by), "time", *(("variant",) if self.variant is not None else ()))

    @property
    def measured(self) -> tuple[str, ...]:
        """The parts that are numbers: all counts, all means, all spreads."""
        arms = ("",) if self.variant is not None else tuple(f" of {name}" for name in NAMED)
        return tuple(f"{part}{arm}" for part in ("count", "mean", self.spread_name) for arm in arms)

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """Each part with the column named for it, in the order that a query asks for them."""
        variant = () if self.variant is None else (self.variant,)
        names = (*self.by, self.time, *variant, *self.count, *self.mean, *self.spread)
        return tuple(zip((*self.telling, *self.measured), names, strict=True))


@dataclass(frozen=True, slots=True)
class Row:
    """One arm at one checkpoint; NaN where a number is missing."""

    key: tuple[str, ...]
    arm: str
    time: Any
    n: float
    mean: float
    spread: float

    @property
    def place(self) -> str:
        """Where it is, in words."""
        return " ".join((*self.key, self.arm, "at", told(self.time)))


def refuse_rows(rows: Sequence[Row], relation: str, *, increments: bool, is_sd: bool) -> None:
    """Refuses numbers that no summary of units holds, with how many there are and the first of them.

    Raises:
        InputError: a count that is no whole number from 0, an infinite number, a negative spread, a missing count of
            increments.
    """
    spread = "standard deviation" if is_sd else "variance"
    tests: list[tuple[Callable[[Row], bool], Callable[[Row], str], str]] = [
        (
            lambda row: any(math.isinf(x) for x in (row.n, row.mean, row.spread)),
            lambda row: "an infinite number",
            "counts, means and variances are finite; leave a cell empty where there is none",
        ),
        (
            lambda row: row.n < 0 or (math.isfinite(row.n) and row.n != math.floor(row.n)),
            lambda row: f"a count of {row.n:g}",
            "the count is of units: a whole number from 0",
        ),
        (lambda row: row.spread < 0, lambda row: f"a {spread} of {row.spread:g}", f"a {spread} is never negative"),
    ]
    if increments:
        tests.append(
            (
                lambda row: math.isnan(row.n) or (row.n > 0 and math.isnan(row.mean)) or _has_no_spread(row),
                lambda row: "a number missing",
                "rows can be added up only if each has its count, mean and variance",
            )
        )
    for is_wrong, said, rule in tests:
        wrong = [row for row in rows if is_wrong(row)]
        if wrong:
            raise InputError(
                f"{len(wrong):,} of {len(rows):,} rows of an arm cannot be used, "
                f"first {wrong[0].place}: {said(wrong[0])}",
                where=relation,
                rule=rule,
                fix="correct these rows, or leave them out",
            )


def arm_by_time(rows: Mapping[Any, Row], times: Sequence[Any], *, increments: bool, is_sd: bool) -> Arm:
    """One arm at each of the times; NaN where it has no number. Increments are added up exactly (Chan et al. 1979)."""
    n, mean, spread = (
        np.array([getattr(rows[time], name) if time in rows else np.nan for time in times])
        for name in ("n", "mean", "spread")
    )
    var = spread**2 if is_sd else spread
    if not increments:
        return Arm(n, mean, var, np.full_like(n, np.nan))
    n = np.nan_to_num(n)
    some = n > 0
    total = np.cumsum(n)
    if not some.any():
        return Arm(total, np.full_like(n, np.nan), np.full_like(n, np.nan), np.full_like(n, np.nan))
    with np.errstate(invalid="ignore", divide="ignore"):
        added = arms_by_look(n[some], mean[some], np.sqrt(np.where(n == 1, 0.0, var))[some])
    last = np.cumsum(some) - 1
    value, together = (np.where(last >= 0, each[last], np.nan) for each in (added.value, added.var))
    return Arm(total, value, np.where(total > 1, np.maximum(together, 0.0), np.nan), np.full_like(n, np.nan))


def _has_no_spread(row: Row) -> bool:
    return row.n > 1 and math.isnan(row.spread)
