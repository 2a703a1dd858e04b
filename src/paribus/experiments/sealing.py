"""Sealing with a look at the data: what was readable already, and what percentile caps came to."""

from __future__ import annotations

from dataclasses import replace

from paribus.clock import Clock
from paribus.errors import InputError
from paribus.experiments.document import Document
from paribus.experiments.plan import Seal
from paribus.experiments.seal import Caps, Readable, register
from paribus.metrics.measure import measure
from paribus.warehouse.engine import Engine


def seal_document(
    document: Document, engine: Engine, *, clock: Clock, author: str | None = None, amend: str | None = None
) -> Seal:
    """Seals the document's plan with the data as they are now; see `seal.register`.

    Data that are not there yet are no mistake: most plans are sealed before. A column that is not there is one.

    Raises:
        InputError, FragmentError: the data are there and the definitions do not fit them.
        PlanError: it is sealed already, or a percentile cap has no history to be taken from.
        ProofError: the existing seal was edited.
        EngineError: the engine failed.
    """
    readable, caps = look_at(document, engine)
    return register(document, clock=clock, readable=readable, caps=caps, author=author, amend=amend)


def look_at(document: Document, engine: Engine) -> tuple[Readable, Caps]:
    """The data readable now, and the numbers of percentile caps over the pre-period of the units exposed so far."""
    design, data = document.design, document.data
    main = data.units or data.exposures
    if main is None or not _is_there(engine, main.relation):
        return Readable(), {}
    if not all(_is_there(engine, source.relation) for source in data.events.values()):
        rows = engine.query(f"SELECT COUNT(*) AS n FROM {engine.relation_sql(main.relation)} AS t").rows[0][0]
        return Readable(rows=int(rows)), {}
    variants = [variant.name for variant in design.variants]
    # Unsealed pooled caps are left out: they are worked out at the end, from the data of the end.
    metrics = [m if m.cap is None or m.cap.over == "pre_period" else replace(m, cap=None) for m in design.metrics]
    found = measure(
        engine,
        data,
        metrics,
        variants,
        start=design.plan.start,
        end=design.plan.end,
        tolerance=design.tolerance_seconds,
    )
    rows = found.counts.rows if sum(found.counts.units.values()) else 0
    caps = found.caps
    if not rows and any(m.cap is not None and (m.cap.lower_percentile or m.cap.upper_percentile) for m in metrics):
        # Before the start only earlier exposures (a beta, an A/A test) have a history to take percentiles from.
        caps = measure(engine, data, metrics, variants, tolerance=design.tolerance_seconds).caps
    known = {name: limits for name, limits in caps.items() if limits != (None, None)}
    return Readable(found.as_of or found.counts.last_time, int(rows)), known


def _is_there(engine: Engine, relation: str) -> bool:
    try:
        return bool(engine.columns(relation))
    except InputError:
        return False  # sealed before the data exist
