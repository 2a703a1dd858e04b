"""Comparisons within strata, or within the levels of an attribute, weighted by the shares that these units have.

Whoever is in a stratum was known before exposure, so weighting removes what chance put unevenly into the arms. The
shares are estimated from the same units, which the standard error counts; the deciding method takes them as given.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from paribus.experiments.layout import SMALLEST_STRATUM, Batch
from paribus.experiments.reading import Look
from paribus.experiments.sensitivity.pair import Found, Pair, Strata
from paribus.stats.anytime import AsymptoticSequence
from paribus.stats.boundary import Boundary, Fixed
from paribus.stats.domain import within_domain
from paribus.stats.moments import Moments
from paribus.stats.stratify import poststratified


def by_strata(pair: Pair) -> Found:
    """Post-stratified effects, read once."""
    yield from _weighted(pair, Fixed(pair.level))


def by_strata_always(pair: Pair) -> Found:
    """Post-stratified effects by the asymptotic sequence."""
    yield from _weighted(pair, AsymptoticSequence(pair.n_opt, pair.level))


def strata_of(batch: Batch, look: Look, control: int, treatment: int, metric: int) -> Iterator[Strata]:
    """The comparison by the experiment's strata, or else by every attribute that cells were measured for.

    Args:
        batch: the metrics.
        look: the one that is read.
        control, treatment: positions of the variants.
        metric: position of the metric.
    """
    own = batch.known.get(look.label)
    known = own if own is not None else batch
    until = look.last_cohort(batch.window_days) if batch.grid.days and own is None else None
    cells = known.pooled(until)
    if cells.cells[0] > 1:
        what = "epoch" if any(epoch is not None for epoch, _ in known.grid.strata) else "stratum"
        both = (_picked(cells, (slice(None), variant, 0, metric)) for variant in (control, treatment))
        yield Strata(what, *_merged(*both))
        return
    if until is not None:
        return  # segments are not counted by day, and what came after the look is not for it
    attributes: dict[str, list[int]] = {}
    for g, group in enumerate(known.grid.groups):
        if group is not None:
            attributes.setdefault(group[0], []).append(g)
    for attribute, levels in attributes.items():
        both = (_picked(cells, (0, variant, np.array(levels), metric)) for variant in (control, treatment))
        strata = Strata(attribute, *_merged(*both))
        if strata.control.n.size > 1:
            yield strata


def _weighted(pair: Pair, boundary: Boundary) -> Found:
    for strata in pair.strata:
        name, both = f"post-stratified by {strata.by}", (strata.control, strata.treatment)
        absolute = within_domain(poststratified(*both, pair.what, boundary=boundary), "poststratified", *pair.arms)
        yield name, "difference", absolute
        relative = poststratified(*both, pair.what, scale="relative", boundary=boundary)
        for method in ("poststratified", "delta"):
            relative = within_domain(relative, method, *pair.arms)
        yield f"{name}, lift", "lift", relative


def _picked(m: Moments, at: tuple[int | slice | NDArray[np.intp], ...]) -> Moments:
    return Moments(m.names, m.n[at], m.mean[at], m.m2[at], m.m3[at])


def _merged(control: Moments, treatment: Moments) -> tuple[Moments, Moments]:
    """Both arms with the strata that are small in either of them joined into one; strata without units are left out."""
    n = np.minimum(control.n, treatment.n)
    large = n >= SMALLEST_STRATUM
    present = (control.n + treatment.n) > 0
    code = np.where(large, np.cumsum(large) - 1, int(large.sum()))
    at = np.flatnonzero(present)
    own, treated = (m.take(at).total(code[at]) for m in (control, treatment))
    return own, treated
