"""What is believed of an effect before its experiment: from all past ones of its family, else a published weak prior.

All completed experiments enter, also those that failed: a prior from winners believes in winners.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from paribus.errors import did_you_mean
from paribus.stats.estimate import Undetermined
from paribus.stats.meta import prior_from_past

ENOUGH = 20  # completed experiments that make a prior of one's own
PUBLISHED = (
    "a published weak prior: over 2,101 website tests the pages of one test convert with standard deviation .03 around "
    "a mean of .68, so two pages differ by log odds of mean 0 and standard deviation .195 (Feit, Berman 2019, "
    "arXiv 1811.00457)"
)
PUBLISHED_SHARE = 0.68
PUBLISHED_LOG_ODDS = sqrt(2) * 0.03 / (PUBLISHED_SHARE * (1 - PUBLISHED_SHARE))

_FAMILIES = {
    "proportion": "share",
    "funnel": "share",
    "retention": "share",
    "mean": "amount",
    "ratio": "amount",
    "count": "count",
    "quantile": "quantile",
}


@dataclass(frozen=True, slots=True)
class Past:
    """A completed experiment: its relative effect on its first success metric, whatever came of it.

    effect, se  as measured, not corrected for having been noticed
    shipped     whether its verdict was to ship
    chance      chance of success that had been forecast, None where nobody did
    """

    feature: str
    family: str
    effect: float
    se: float
    shipped: bool
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class EffectPrior:
    """A normal prior of a relative effect in the good direction.

    count      completed experiments it rests on; 0 for the published one
    win_rate   share of the family's completed experiments that shipped; None below `ENOUGH`
    """

    mean: float
    sd: float
    origin: str
    count: int = 0
    win_rate: float | None = None

    @property
    def is_own(self) -> bool:
        """Whether it comes from one's own experiments."""
        return self.count > 0


def family_of(definition: Mapping[str, Any]) -> str:
    """The family of a metric by its definition: effects on shares, amounts, counts and quantiles are not alike.

    >>> family_of({"type": "proportion"})
    'share'
    """
    kind = str(definition.get("type", ""))
    if kind not in _FAMILIES:
        raise KeyError(f"no metric type {kind!r}; {did_you_mean(kind, _FAMILIES)}")
    return _FAMILIES[kind]


def effect_prior(past: Sequence[Past], family: str, *, share: float | None = None) -> EffectPrior:
    """The prior for the next experiment on a metric of the family.

    Args:
        past: all completed experiments, whatever came of them.
        family: of the metric.
        share: the metric's level where it is a share: equal log odds move a small share more, relatively.

    >>> effect_prior([], "share").mean, round(effect_prior([], "share").sd, 4)
    (0.0, 0.0624)
    >>> round(effect_prior([], "share", share=0.2).sd, 3)
    0.156
    """
    own = [each for each in past if each.family == family and each.se > 0]
    if len(own) >= ENOUGH:
        found = prior_from_past([each.effect for each in own], [each.se for each in own])
        if not isinstance(found, Undetermined):
            won = sum(each.shipped for each in own) / len(own)
            origin = f"all {len(own)} completed experiments of the family {family!r}, random effects (REML)"
            return EffectPrior(found[0], found[1], origin, len(own), won)
    return EffectPrior(0.0, PUBLISHED_LOG_ODDS * (1 - (PUBLISHED_SHARE if share is None else share)), PUBLISHED)
