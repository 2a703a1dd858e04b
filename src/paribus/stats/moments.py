"""Sufficient statistics of disjoint cells of units: n, mean vector, centred cross-products, third moments.

They merge exactly (Chan, Golub, LeVeque 1983; third moments: Pebay 2008, eq. 1.6) and serve every method that needs
no rows. A `Moments` object knows which cells of units it covers and refuses to merge overlapping ones: a unit counted
twice makes every interval too narrow.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError
from paribus.stats.estimate import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Moments of `k` variables in cells of units.

    names  the k variables, in order
    n      number of units, shape (*cells)
    mean   shape (*cells, k)
    m2     sum of centred cross-products, shape (*cells, k, k); NaN where a product was not asked for
    m3     sum of centred third powers, shape (*cells, k); NaN where not asked for
    units  for each cell along the first axis, the set of elementary unit cells that it covers, or None when unknown
    """

    names: tuple[str, ...]
    n: Floats
    mean: Floats
    m2: Floats
    m3: Floats
    units: tuple[frozenset[Hashable], ...] | None = None

    @classmethod
    def from_rows(cls, rows: ArrayLike, names: Sequence[str], units: Hashable | None = None) -> Moments:
        """Moments of rows (shape (n, k)), one row a unit, as one cell of shape ()."""
        x = np.asarray(rows, dtype=np.float64)
        x = x[:, None] if x.ndim == 1 else x
        if x.shape[1] != len(names):
            raise InputError(f"{x.shape[1]} columns for {len(names)} names")
        n = np.float64(x.shape[0])
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = x.mean(axis=0) if n else np.full(x.shape[1], np.nan)
            d = x - mean
            # A second pass: the mean of d is the rounding error of `mean` (Chan, Golub, LeVeque 1983, eq. 1.7).
            shift = d.mean(axis=0) if n else 0.0
            d = d - shift
        covered = None if units is None else (frozenset([units]),)
        return cls(tuple(names), np.asarray(n), mean + shift, d.T @ d, (d**3).sum(axis=0), covered)

    @classmethod
    def from_shifted_sums(
        cls,
        names: Sequence[str],
        n: ArrayLike,
        shift: ArrayLike,
        s1: ArrayLike,
        s2: ArrayLike,
        s3: ArrayLike | None = None,
        units: tuple[frozenset[Hashable], ...] | None = None,
    ) -> Moments:
        """Moments from sums of shifted values d = x - shift.

        Args:
            names: the k variables.
            n: units, shape (*cells).
            shift: the constant subtracted, shape (k,) or (*cells, k).
            s1: sum of d, shape (*cells, k).
            s2: sum of products d_i d_j, shape (*cells, k, k), symmetric, NaN where not computed.
            s3: sum of d^3, shape (*cells, k), or None.
            units: see the class.
        """
        n, shift, s1, s2 = (np.asarray(a, dtype=np.float64) for a in (n, shift, s1, s2))
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            d = s1 / n[..., None]
            m2 = s2 - n[..., None, None] * d[..., :, None] * d[..., None, :]
            diagonal = np.einsum("...ii->...i", m2)
            diagonal[diagonal < 0] = 0.0
            if s3 is None:
                m3 = np.full_like(d, np.nan)
            else:
                square = np.einsum("...ii->...i", s2)
                m3 = np.asarray(s3, dtype=np.float64) - 3 * d * square + 2 * n[..., None] * d**3
        return cls(tuple(names), n, shift + d, m2, m3, units)

    @classmethod
    def from_sums(
        cls,
        names: Sequence[str],
        n: ArrayLike,
        sums: ArrayLike,
        products: ArrayLike,
        units: tuple[frozenset[Hashable], ...] | None = None,
    ) -> Moments:
        """Moments from plain sums and sums of products, for sources that publish no others.

        Cancellation costs about 2 log10(mean / sd) digits (Chan, Golub, LeVeque 1983); prefer `from_shifted_sums`.

        Args:
            names: the k variables.
            n: units, shape (*cells).
            sums: sum of x, shape (*cells, k).
            products: sum of x_i x_j, shape (*cells, k, k), symmetric, NaN where unknown.
            units: see the class.

        >>> Moments.from_sums(["y"], 3, [6], [[14]]).var  # 1, 2, 3
        array([1.])
        """
        return cls.from_shifted_sums(names, n, np.zeros(len(names)), sums, products, units=units)

    @classmethod
    def from_covariance(
        cls,
        names: Sequence[str],
        n: ArrayLike,
        mean: ArrayLike,
        cov: ArrayLike,
        units: tuple[frozenset[Hashable], ...] | None = None,
    ) -> Moments:
        """Moments from mean vectors (*cells, k) and sample covariances (*cells, k, k), divisor n - 1.

        >>> float(Moments.from_covariance(["y"], 5, [2.0], [[4.0]]).m2[0, 0])
        16.0
        """
        n, mean, cov = (np.asarray(a, dtype=np.float64) for a in (n, mean, cov))
        return cls(tuple(names), n, mean, cov * (n - 1.0)[..., None, None], np.full_like(mean, np.nan), units)

    @classmethod
    def from_sds(cls, names: Sequence[str], n: ArrayLike, mean: ArrayLike, sd: ArrayLike) -> Moments:
        """Moments from n, means and sample standard deviations (*cells, k); covariances are unknown (NaN)."""
        sd = np.asarray(sd, dtype=np.float64)
        diagonal = np.eye(len(names), dtype=np.bool_)
        return cls.from_covariance(names, n, mean, np.where(diagonal, (sd**2)[..., None, :], np.nan))

    @classmethod
    def stack(cls, cells: Sequence[Moments]) -> Moments:
        """Cells of the same shape and names along a new first axis: strata, epochs, days or segments.

        Raises:
            InputError: nothing to stack, or names or shapes differ.
        """
        if not cells or any((m.names, m.cells) != (cells[0].names, cells[0].cells) for m in cells):
            raise InputError("cells of different variables or shapes cannot be stacked")
        covered = [m.units for m in cells]
        units = None
        if all(c is not None and len(c) == 1 for c in covered):
            units = tuple(c[0] for c in covered if c is not None)
        n, mean, m2, m3 = (np.stack([getattr(m, name) for m in cells]) for name in ("n", "mean", "m2", "m3"))
        return cls(cells[0].names, n, mean, m2, m3, units)

    @property
    def k(self) -> int:
        return len(self.names)

    @property
    def cells(self) -> tuple[int, ...]:
        return self.n.shape

    @property
    def cov(self) -> Floats:
        """Sample covariance, divisor n - 1, shape (*cells, k, k)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.m2 / (self.n - 1.0)[..., None, None])

    @property
    def var(self) -> Floats:
        """Sample variance, divisor n - 1, shape (*cells, k)."""
        return np.asarray(np.einsum("...ii->...i", self.cov))

    @property
    def sd(self) -> Floats:
        """Sample standard deviation, divisor n - 1, shape (*cells, k)."""
        with np.errstate(invalid="ignore"):
            return np.asarray(np.sqrt(self.var))

    @property
    def skewness(self) -> Floats:
        """Third standardized moment m3/n / (m2/n)^1.5, shape (*cells, k)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = np.einsum("...ii->...i", self.m2) / self.n[..., None]
            return np.asarray((self.m3 / self.n[..., None]) / spread**1.5)

    def select(self, names: Sequence[str]) -> Moments:
        """The same cells with the named variables only, in that order."""
        i = [self.names.index(name) for name in names]
        return Moments(tuple(names), self.n, self.mean[..., i], self.m2[..., i, :][..., i], self.m3[..., i], self.units)

    def take(self, index: Iterable[int] | int) -> Moments:
        """Cells by position along the first axis; an integer drops that axis."""
        i = index if isinstance(index, int | np.integer) else [int(j) for j in index]
        units = None
        if self.units is not None:
            units = tuple(self.units[j] for j in np.atleast_1d(i))
        return Moments(self.names, self.n[i], self.mean[i], self.m2[i], self.m3[i], units)

    def total(self, groups: ArrayLike | None = None) -> Moments:
        """Merges cells along the first axis; `groups` gives each cell's group 0..G-1 (result has G cells), else all.

        Raises:
            InputError: two cells of one group share units.
        """
        if self.n.ndim == 0:
            return self
        g = np.zeros(len(self.n), dtype=np.intp) if groups is None else np.asarray(groups, dtype=np.intp)
        size = int(g.max()) + 1 if len(g) else 1
        units = _union(self.units, g, size)
        n = np.zeros((size, *self.n.shape[1:]))
        np.add.at(n, g, self.n)
        weighted = np.where(self.n[..., None] > 0, self.mean, 0.0) * self.n[..., None]
        sums = np.zeros((size, *self.mean.shape[1:]))
        np.add.at(sums, g, weighted)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            mean = sums / n[..., None]
            d = np.where(self.n[..., None] > 0, self.mean - mean[g], 0.0)
            has = (self.n > 0)[..., None]
            own2 = np.where(has[..., None], self.m2, 0.0)
            own3 = np.where(has, self.m3, 0.0)
            m2 = np.zeros((size, *self.m2.shape[1:]))
            np.add.at(m2, g, own2 + self.n[..., None, None] * d[..., :, None] * d[..., None, :])
            m3 = np.zeros((size, *self.m3.shape[1:]))
            np.add.at(m3, g, own3 + 3 * d * np.einsum("...ii->...i", own2) + self.n[..., None] * d**3)
        merged = Moments(self.names, n, mean, m2, m3, units)
        return merged.take(0) if groups is None else merged

    def merge(self, other: Moments) -> Moments:
        """The moments of the union of two disjoint sets of units, cell by cell (same cells, same names)."""
        if self.names != other.names or self.cells != other.cells:
            raise InputError(
                "moments of different variables or cells cannot be merged",
                rule="merge needs the same names and the same shape of cells",
            )
        units = None
        if self.units is not None and other.units is not None:
            units = tuple(_disjoint_union([u, v]) for u, v in zip(self.units, other.units, strict=True))
        a, b = self._without_empty(), other._without_empty()
        n = a.n + b.n
        with np.errstate(invalid="ignore", divide="ignore"):
            d = b.mean - a.mean
            share = (b.n / n)[..., None]
            weight = (a.n * b.n / n)[..., None]
            mean = np.where(n[..., None] > 0, a.mean + share * d, np.nan)
            m2 = a.m2 + b.m2 + weight[..., None] * d[..., :, None] * d[..., None, :]
            own = (1 - share) * np.einsum("...ii->...i", b.m2) - share * np.einsum("...ii->...i", a.m2)
            m3 = a.m3 + b.m3 + weight * (1 - 2 * share) * d**3 + 3 * d * own
        none = n[..., None] == 0
        return Moments(self.names, n, mean, np.where(none[..., None], 0.0, m2), np.where(none, 0.0, m3), units)

    def _without_empty(self) -> Moments:
        """The same with zeros, which add nothing, for the undefined moments of empty cells."""
        has = (self.n > 0)[..., None]
        return Moments(
            self.names,
            self.n,
            np.where(has, self.mean, 0.0),
            np.where(has[..., None], self.m2, 0.0),
            np.where(has, self.m3, 0.0),
        )

    def reshape_cells(self, shape: tuple[int, ...]) -> Moments:
        """The same cells in another shape; knowledge of units is kept only when the first axis stays as it was."""
        k = self.k
        units = self.units if shape and self.cells and shape[0] == self.cells[0] else None
        return Moments(
            self.names,
            self.n.reshape(shape),
            self.mean.reshape(*shape, k),
            self.m2.reshape(*shape, k, k),
            self.m3.reshape(*shape, k),
            units,
        )


def _union(
    units: tuple[frozenset[Hashable], ...] | None, groups: np.ndarray, size: int
) -> tuple[frozenset[Hashable], ...] | None:
    if units is None:
        return None
    members: list[list[frozenset[Hashable]]] = [[] for _ in range(size)]
    for group, covered in zip(groups, units, strict=True):
        members[group].append(covered)
    return tuple(_disjoint_union(sets) for sets in members)


def _disjoint_union(sets: Sequence[frozenset[Hashable]]) -> frozenset[Hashable]:
    union: set[Hashable] = set()
    for covered in sets:
        twice = union & covered
        if twice:
            raise InputError(
                f"cells that share units cannot be merged: {sorted(map(str, twice))[:3]}",
                rule="moments merge only over disjoint sets of units",
            )
        union |= covered
    return frozenset(union)
