"""For whom it worked: effects by segment, shrunk, with error control over all; and opposite segments named as such."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paribus.experiments.result import Comparison, Quantity
from paribus.stats.estimate import Estimate, estimates
from paribus.stats.interactions import heterogeneity as cochran
from paribus.stats.multiplicity import adjusted_p_values
from paribus.stats.qualitative import opposition

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Level:
    """One level of an attribute: units, measured and shrunk effect, corrected p-value, what may be concluded."""

    level: str
    units: int
    effect: Quantity
    shrunk: Quantity | None
    adjusted_p: float | None
    conclusion: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute whose levels are compared, for one metric and arm.

    differ_p    Cochran's test of equal effects, Holm-corrected over the attributes
    opposite_p  Gail and Simon's test of opposite signs, Holm-corrected over the attributes
    """

    attribute: str
    metric: str
    arm: str
    levels: tuple[Level, ...]
    differ_p: float | None
    opposite_p: float | None

    @property
    def is_opposite(self) -> bool:
        """Whether some level is truly better and another worse: the pooled effect hides it (Simpson)."""
        return self.opposite_p is not None and self.opposite_p <= ALPHA

    @property
    def differs(self) -> bool:
        """Whether its levels have different effects."""
        return self.differ_p is not None and self.differ_p <= ALPHA


def by_attribute(segments: Sequence[Comparison], metric: str) -> tuple[Attribute, ...]:
    """The attributes of a result's segments, for one metric, most different first.

    Both tests are corrected over the attributes (Holm), so that on a null at most 5% of experiments name any.
    """
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for each in segments:
        if each.metric == metric and each.segment is not None:
            groups.setdefault((each.segment[0], each.treatment.variant), []).append(each)
    tested = {place: _tested(own) for place, own in groups.items()}
    differ = _corrected([found[0] for found in tested.values()])
    opposite = _corrected([found[1] for found in tested.values()])
    attributes = [
        Attribute(
            place[0],
            metric,
            place[1],
            tuple(
                Level(
                    str(c.segment[1]) if c.segment and c.segment[1] is not None else "unknown",
                    c.control.units + c.treatment.units,
                    c.relative,
                    c.shrunk,
                    c.adjusted_p,
                    c.conclusion,
                )
                for c in groups[place]
            ),
            differ[i],
            opposite[i],
        )
        for i, place in enumerate(groups)
    ]
    return tuple(sorted(attributes, key=lambda a: (a.differ_p if a.differ_p is not None else 2.0, a.attribute, a.arm)))


def simpson(segments: Sequence[Comparison], metric: str) -> tuple[Attribute, ...]:
    """The attributes whose levels have opposite effects, beyond chance."""
    return tuple(each for each in by_attribute(segments, metric) if each.is_opposite)


def _tested(levels: Sequence[Comparison]) -> tuple[float | None, float | None]:
    known = [c.relative for c in levels if isinstance(c.relative, Estimate) and c.relative.se > 0]
    if len(known) < 2:
        return None, None
    value, se = [e.value for e in known], [e.se for e in known]
    test = cochran(estimates(value, se, [0.0] * len(se), [0.0] * len(se), [1.0] * len(se), level=0.95, method="z"))
    return getattr(test, "p_value", None), opposition(value, se).p_value


def _corrected(p_values: Sequence[float | None]) -> list[float | None]:
    known = [p for p in p_values if p is not None]
    if not known:
        return list(p_values)
    adjusted = iter(adjusted_p_values(known, "holm").tolist())
    return [None if p is None else float(next(adjusted)) for p in p_values]
