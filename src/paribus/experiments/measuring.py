"""What an analysis needs from the warehouse: measured for a design, and measured again as a proof describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from paribus.errors import InputError
from paribus.experiments import novelty
from paribus.experiments.plan import Design
from paribus.experiments.reading import cutoffs, planned_end
from paribus.metrics.cells import LakeState, Measurement

if TYPE_CHECKING:
    from paribus.experiments.proof import Proof
    from paribus.metrics.definition import DataModel
    from paribus.metrics.kept import KeptUnits
    from paribus.warehouse.engine import Engine
    from paribus.warehouse.event_links import Links


def measure_design(
    design: Design,
    model: DataModel,
    engine: Engine,
    *,
    as_of: datetime | None = None,
    caps: Mapping[str, tuple[float | None, float | None]] | None = None,
    shifts: Mapping[str, float] | None = None,
    fragment_dialect: str | None = None,
    full_fingerprint: bool = False,
    lake: LakeState | None = None,
    kept: KeptUnits | None = None,
    links: Links | None = None,
    since_exposure: bool = False,
) -> Measurement:
    """Everything that an analysis of the design needs from the warehouse; arguments as for `metrics.measure`.

    A kill closes enrollment, and the watermark is the last time that is read up to.
    """
    from paribus.metrics.measure import measure

    plan = design.plan
    end = planned_end(plan, plan.start)
    if lake is not None:
        end, as_of = earliest(end, lake.closed_at), earliest(as_of, lake.watermark)
    measured = measure(
        engine,
        model,
        design.metrics,
        [variant.name for variant in design.variants],
        as_of=as_of,
        start=plan.start,
        end=end,
        by_day=model.exposures is not None or (model.units is not None and model.units.exposed_at is not None),
        segments=design.segments,
        tolerance=design.tolerance_seconds,
        caps=caps,
        shifts=shifts,
        confidence_level=plan.confidence_level,
        fragment_dialect=fragment_dialect,
        full_fingerprint=full_fingerprint,
        kept=kept,
        cut_at=lambda known: cutoffs(design, known, as_of),
    )
    if since_exposure and model.exposures is not None:
        more = novelty.measure_windows(design, model, engine, as_of=as_of, end=end, fragment_dialect=fragment_dialect)
        if more is not None:
            told = tuple(replace(s, name=f"since_exposure:{s.name}") for s in more.statements)
            measured = replace(measured, windows=more.windows, statements=(*measured.statements, *told))
    if links is not None:
        measured = replace(measured, fingerprint={**measured.fingerprint, "identity": links.fingerprint(engine)})
    return measured if lake is None else replace(measured, lake=lake)


def earliest(*times: datetime | None) -> datetime | None:
    """The first of the times that are given, None when none is."""
    known = [time if time.tzinfo else time.replace(tzinfo=UTC) for time in times if time is not None]
    return min(known, default=None)


def measure_again(proof: Proof, engine: Engine, *, links: Links | None = None) -> Measurement:
    """The measurement that a proof describes, made anew with its shifts and caps so that every digit is comparable.

    Args:
        proof, engine: what was measured, and where it is.
        links: those that the engine applies, when it joins identities.

    Raises:
        InputError: the data were in memory, so they have no address.
    """
    if proof.data is None:
        raise InputError("the data were in memory and have no address")
    files = proof.measurement.fingerprint.get("files", [])
    return measure_design(
        proof.design,
        proof.data,
        engine,
        as_of=proof.as_of,
        caps=proof.measurement.caps,
        shifts=proof.measurement.shifts,
        full_fingerprint=bool(files),
        lake=proof.measurement.lake,
        links=links,
        since_exposure=bool(proof.measurement.windows),
    )
