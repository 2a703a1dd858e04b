"""A result read again by other methods: from its proof's moments, and where its data are in reach from its units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.app.experiment import analyze, is_document, names
from paribus.app.opened import Opened, of_file, of_table, stored
from paribus.errors import InputError

if TYPE_CHECKING:
    from paribus.experiments.result import Result
    from paribus.experiments.sensitivity import Sensitivity


def sensitivity(
    source: object,
    *,
    metrics: str | Sequence[str] = (),
    units: int = 20_000,
    quantiles: Sequence[float] = (),
    seed: int = 0,
    as_of: datetime | str | None = None,
    data: Path | str | None = None,
    **table: Any,
) -> Sensitivity:
    """Every comparison by other methods; none of them decides.

    Args:
        source: a result file (`--json`, or saved from Python), or the same as a dict: read from its moments alone. Or
            what `analyze` takes, whose units are read too: an experiment file, a table, or with `data` the key of an
            experiment on a flag.
        metrics: a table's columns; of others, those whose units are read, all unless named.
        units: rows of each metric that may leave the warehouse, at most; ids never do.
        quantiles: shares at which values are compared; .25, .5, .75, .9, .95 and .99 unless given.
        seed: of the first unit that is drawn.
        as_of: only what was known before this time.
        data: the data folder, for an experiment on a flag.
        **table: for a table, as for `analyze`: unit, variant, control, lower, split, covariates, cluster, exposed_at,
            confidence_level, connection.

    Raises:
        InputError: the plan or a health check hides effects; a metric or quantile that is none.
        ProofError: it is not a result of Paribus.
    """
    from paribus.experiments.sensitivity import sensitivity as of_result
    from paribus.experiments.serialize import read_result, result_from_dict

    chosen = names(metrics)
    opened: Opened
    if data is not None:
        result, opened = stored(str(source), Path(data), as_of=as_of)
    elif is_document(source):
        result, opened = analyze(source, as_of=as_of, **table), of_file(source)
    elif isinstance(source, Mapping):
        return of_result(result_from_dict(dict(source)))
    elif isinstance(source, str | Path) and not (table or chosen or _is_table(source)):
        return of_result(result_from_dict(read_result(source)))
    else:
        result = analyze(source, metrics=chosen, as_of=as_of, **table)
        opened = of_table(source, table.get("connection"))
    if units < 1:
        raise InputError(f"{units} units", where="units", rule="at least 1")
    found = of_result(result)
    return _with_units(found, result, opened, metrics=chosen, units=units, quantiles=quantiles, seed=seed)


def _is_table(source: str | Path) -> bool:
    """Whether a file's ending says that it holds rows; results end in .json, or in nothing that is known."""
    from paribus.warehouse.files import SUFFIXES

    return Path(source).suffix.lower() in SUFFIXES.keys() - {".json", ".txt"}


def _with_units(
    found: Sensitivity,
    result: Result,
    opened: Opened,
    *,
    metrics: Sequence[str],
    units: int,
    quantiles: Sequence[float],
    seed: int,
) -> Sensitivity:
    from paribus.experiments.proof import read_proof
    from paribus.experiments.unit_readings import unit_readings
    from paribus.experiments.unit_readings.quantiles import QUANTILES

    proof = read_proof(result.proof)
    if proof.data is None:
        raise InputError("the result does not say where its data are", where=result.experiment)
    rows = unit_readings(
        proof, proof.data, opened, metrics=metrics, quantiles=quantiles or QUANTILES, most=units, seed=seed
    )
    return replace(found, units=rows)
