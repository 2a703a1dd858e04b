"""The columns that the statements of metrics name, by relation: what an engine may keep in memory between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from paribus.errors import FragmentError
from paribus.metrics.definition import DataModel, Metric
from paribus.warehouse.sql.fragments import parse_fragment


def columns_read(
    model: DataModel, metrics: Sequence[Metric], segments: Sequence[str], dialect: str
) -> dict[str, tuple[str, ...]]:
    """Names by relation, the exposures first; empty for a table of units. A relation may lack some of them.

    Args:
        model: exposures and events.
        metrics, segments: what is measured.
        dialect: of the fragments.
    """
    exposures = model.exposures
    if exposures is None:
        return {}
    told = [exposures.unit, exposures.variant, exposures.time, exposures.epoch, exposures.probability]
    told += [exposures.reason, exposures.served, exposures.stratum, exposures.cluster, exposures.own_unit]
    found = {exposures.relation: dict.fromkeys([*told, *segments, *_names(exposures.filter, dialect)])}
    for source, fragments in _fragments(metrics, model).items():
        event = model.events[source]
        named = [event.unit, event.time, event.event_id, *_names(event.filter, dialect)]
        for fragment in fragments:  # one that is the name of a column as it stands may not parse
            named += [fragment.strip(), *_names(fragment, dialect)]
        found.setdefault(event.relation, {}).update(dict.fromkeys(named))
    return {relation: tuple(name for name in named if name) for relation, named in found.items()}


def names_in_fragments(metrics: Sequence[Metric], model: DataModel, dialect: str) -> dict[str, tuple[str, ...]]:
    """The names that the metrics' fragments use, by events source; every source that is declared has its place."""
    return {
        source: tuple(dict.fromkeys(name for fragment in fragments for name in _names(fragment, dialect)))
        for source, fragments in _fragments(metrics, model).items()
    }


def _fragments(metrics: Sequence[Metric], model: DataModel) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {name: [] for name in model.events}
    only = next(iter(model.events)) if len(model.events) == 1 else None

    def add(source: str | None, *fragments: str | None) -> None:
        place = source or only
        if place in found:
            found[place] += [fragment for fragment in fragments if fragment]

    for metric in metrics:
        add(metric.source, metric.value, metric.filter)
        add(metric.denominator_source or metric.source, metric.denominator, metric.denominator_filter)
        for step in metric.steps:
            add(step.source, step.where)
        for covariate in metric.covariates:
            add(covariate.source or metric.source, covariate.value or metric.value, covariate.filter)
    return found


@lru_cache(maxsize=4_096)
def _names(fragment: str | None, dialect: str) -> tuple[str, ...]:
    """The columns of a fragment. One that does not parse is refused later, with its place."""
    if fragment is None:
        return ()
    try:
        return parse_fragment(fragment, dialect=dialect, columns=None).columns
    except FragmentError:
        return ()
