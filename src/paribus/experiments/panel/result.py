"""What a panel says about an effect that was not randomized."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

HEADING = "observational: nothing was randomized"
ESTIMATORS = {
    "did": "difference in differences",
    "two-way-fixed-effects": "two-way fixed effects",
    "two-way-clusters": "the same, clustered twice",
    "synthetic-control": "synthetic control",
    "synthetic-did": "synthetic difference in differences",
}


@dataclass(frozen=True, slots=True)
class UnitWeight:
    """The weight of a control unit in the synthetic one."""

    unit: str
    weight: float


@dataclass(frozen=True, slots=True)
class PanelEffect:
    """One estimator's effect of treatment on the treated, in units of the metric; None where there is no number.

    estimator     did, two-way-fixed-effects, two-way-clusters, synthetic-control or synthetic-did
    value         average over the treated units and the periods after treatment began
    se            standard error
    lower, upper  interval at the result's level
    p_value       of no effect
    inference     where the error and the p-value come from
    reason        why a number is missing
    gap_before    root mean squared gap before treatment, after any shift of level; synthetic estimators
    weights       of the control units, the largest ten; synthetic estimators
    by_period     effect in each period from the start of treatment on; synthetic estimators
    """

    estimator: str
    value: float | None
    se: float | None = None
    lower: float | None = None
    upper: float | None = None
    p_value: float | None = None
    inference: str = ""
    reason: str = ""
    gap_before: float | None = None
    weights: tuple[UnitWeight, ...] = ()
    by_period: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class PanelEffects:
    """What a panel says about an effect that was not randomized; it shows itself as a table.

    effects         one for each estimator
    before          the same over the periods before treatment, as if it had begun in `placebo_start`
    treated_units   names
    """

    heading: str
    metric: str
    level: float
    start: str
    first_period: str
    last_period: str
    n_treated: int
    n_control: int
    n_before: int
    n_after: int
    treated_units: tuple[str, ...]
    effects: tuple[PanelEffect, ...]
    placebo_start: str | None
    before: tuple[PanelEffect, ...]
    notes: tuple[str, ...]
    data_notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON values by spec/panel.schema.json."""
        return asdict(self)

    def text(self) -> str:
        """The result as a table and sentences."""
        from paribus.experiments.panel.text import text

        return text(self)

    def page(self) -> str:
        """The result as one HTML file."""
        from paribus.experiments.panel.text import page

        return page(self)

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        from paribus.experiments.panel.text import fragment

        return fragment(self)
