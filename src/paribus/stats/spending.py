"""How much of alpha (or beta) may be used by information fraction t: spending functions, and fixed boundary shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError, did_you_mean
from paribus.stats.estimate import Floats

SpendingFamily = Literal["obrien-fleming", "pocock", "power", "hwang-shih-decani"]


@dataclass(frozen=True, slots=True)
class Spending:
    """Cumulative error spent by information fraction t: a family and, for two of them, its parameter.

    obrien-fleming     2 - 2 Phi(z_{1-a/2} / sqrt t)            Lan, DeMets 1983
    pocock             a log(1 + (e - 1) t)                     Lan, DeMets 1983
    power              a t^rho                                  Kim, DeMets 1987
    hwang-shih-decani  a (1 - e^(-gamma t)) / (1 - e^-gamma)    Hwang, Shih, DeCani 1990

    For a two-sided test the O'Brien-Fleming family spends alpha/2 on each side, so that a symmetric two-sided design
    has the critical values of the one-sided one at alpha/2.

    >>> Spending("power", 2.0)(0.5, 0.05).item()
    0.0125
    """

    family: SpendingFamily = "obrien-fleming"
    parameter: float | None = None

    def __post_init__(self) -> None:
        if self.family not in get_args(SpendingFamily):
            raise InputError(
                f"unknown spending family {self.family!r}", fix=did_you_mean(self.family, get_args(SpendingFamily))
            )
        if self.family in ("power", "hwang-shih-decani") and self.parameter is None:
            raise InputError(f"the spending family {self.family!r} needs its parameter", fix="for example 2.0")
        if self.family == "power" and self.parameter is not None and self.parameter <= 0:
            raise InputError(f"the power of spending must be positive, not {self.parameter}")

    def __call__(self, fraction: ArrayLike, error: float, sides: int = 1) -> Floats:
        """Error spent by information `fraction` (0 to 1; beyond 1 all of it is)."""
        from scipy.special import ndtr, ndtri

        t = np.clip(np.asarray(fraction, dtype=np.float64), 0.0, 1.0)
        if self.family == "obrien-fleming":
            with np.errstate(divide="ignore"):
                spent = 2 * sides * ndtr(ndtri(error / (2 * sides)) / np.sqrt(t))
        elif self.family == "pocock":
            spent = error * np.log1p((np.e - 1) * t)
        elif self.family == "power":
            spent = error * t ** float(self.parameter or 1.0)
        elif not self.parameter:
            spent = error * t
        else:
            spent = error * np.expm1(-self.parameter * t) / np.expm1(-self.parameter)
        # At t = 1 the rounding of the formulas must not spend more than there is.
        return np.asarray(np.where(t >= 1.0, error, np.minimum(spent, error)))


@dataclass(frozen=True, slots=True)
class WangTsiatis:
    """Critical values C * t^(delta - 1/2): delta 1/2 is Pocock's constant, 0 is O'Brien-Fleming's C_B / sqrt t."""

    delta: float

    def __post_init__(self) -> None:
        if not -1.0 <= self.delta <= 1.0:
            raise InputError(f"Wang-Tsiatis delta is {self.delta}", rule="delta lies in [-1, 1]")


POCOCK = WangTsiatis(0.5)
OBRIEN_FLEMING = WangTsiatis(0.0)
Rule = Spending | WangTsiatis
