"""Regression quantiles by the simplex that starts from zero, so that of several solutions it is always the same one."""

from __future__ import annotations

import numpy as np

from paribus.stats.estimate import Floats

# A slope of the loss above minus this falls no more, and a point moves along with the fit by at least this.
_FLAT = 1e-9
_STILL = 1e-12


def regression_quantile(X: Floats, y: Floats, p: float) -> Floats:
    """Coefficients that minimize the quantile loss of y on the columns of X at share p, shape (k,).

    The loss is piecewise linear, and where its bottom is flat every point there is a solution. This is the vertex that
    the simplex of Barrodale and Roberts (1974) meets first: from all coefficients zero it moves along the one in which
    the loss falls fastest, past breakpoints until the loss falls no more, and keeps the point there at residual zero;
    once k points are kept it exchanges one of them while that lowers the loss. R's quantreg gives the same vertex.

    Args:
        X: columns of full rank, the constant among them, shape (n, k).
        y: outcomes, shape (n,).
        p: the quantile's share, .5 for least absolute deviations.

    Source: Barrodale, Roberts 1974; Koenker, d'Orey 1987.

    >>> regression_quantile(np.ones((5, 1)), np.array([3.0, 1.0, 2.0, 9.0, 4.0]), 0.5).tolist()
    [3.0]
    """
    walk = _Walk(X, y, p)
    walk.enter()
    walk.exchange()
    return walk.coef


class _Walk:
    """Where the simplex is: its coefficients, the points kept on the fit, and which of the others count as above it.

    A point that the stop at another one puts on the fit keeps its side until the fit passes it, so ties do not circle.
    """

    def __init__(self, X: Floats, y: Floats, p: float) -> None:
        self.X, self.y, self.p = X, y, p
        self.coef = np.zeros(X.shape[1])
        self.kept: list[int] = []
        self.moved: list[int] = []
        self.above = y >= 0

    def enter(self) -> None:
        """Moves every coefficient once, first the one in which the loss falls fastest."""
        columns = range(self.X.shape[1])
        for _ in columns:
            rest = [column for column in columns if column not in self.moved]
            directions = [self._alone(column) for column in rest]
            pull = self._pull()
            slopes = np.array([-(pull @ (self.X @ direction)) for direction in directions])
            best = int(np.argmax(np.round(np.abs(slopes), 12)))
            sign = -1 if slopes[best] > _FLAT else 1
            self.kept.append(self._advance(sign * directions[best], sign * float(slopes[best])))
            self.moved.append(rest[best])

    def exchange(self) -> None:
        """Lets go of a kept point for another while that lowers the loss."""
        k = len(self.kept)
        for _ in range(10 * self.y.size):
            inverse = np.asarray(np.linalg.inv(self.X[self.kept]), dtype=np.float64)
            others = -(self._pull() @ self.X) @ inverse
            # The point let go comes to lie below the fit, which rises there, or above it.
            slopes = np.concatenate([others + 1 - self.p, self.p - others])
            best = int(np.argmin(slopes))
            if slopes[best] >= -_FLAT:
                return
            position, falls = best % k, best >= k
            self.above[self.kept[position]] = falls
            direction = -inverse[:, position] if falls else inverse[:, position]
            self.kept[position] = self._advance(direction, float(slopes[best]))

    def _pull(self) -> Floats:
        """Slope of the loss in each residual; none for the points that are kept."""
        pull = np.where(self.above, self.p, self.p - 1)
        pull[self.kept] = 0.0
        return pull

    def _alone(self, column: int) -> Floats:
        """The direction in which a column's coefficient rises by one while the kept points stay on the fit."""
        direction = np.zeros(self.X.shape[1])
        direction[column] = 1.0
        if self.kept:
            fixed = self.X[np.ix_(self.kept, self.moved)]
            direction[self.moved] = np.linalg.solve(fixed, -self.X[self.kept, column])
        return direction

    def _advance(self, direction: Floats, slope: float) -> int:
        """Moves the fit to the point at which the loss, falling at `slope`, falls no more; that point."""
        step = self.X @ direction
        step[self.kept] = 0.0
        meets = np.flatnonzero((np.abs(step) > _STILL) & (self.above == (step > 0)))
        length = np.maximum((self.y[meets] - self.X[meets] @ self.coef) / step[meets], 0.0)
        order = np.argsort(length, kind="stable")
        slopes = slope + np.cumsum(np.abs(step[meets[order]]))
        last = int(np.argmax(slopes >= -_FLAT))
        passed = meets[order[:last]]
        self.above[passed] = ~self.above[passed]
        self.coef = self.coef + float(length[order[last]]) * direction
        return int(meets[order[last]])
