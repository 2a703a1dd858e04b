"""A measurement as plain JSON values, without losing a bit, each cell with a hash of its own."""

from __future__ import annotations

import hashlib
import json
import struct
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np

from paribus.errors import ProofError
from paribus.experiments.canonical import Plain
from paribus.experiments.plain import from_plain, to_plain
from paribus.metrics.cells import CellKey, Cells, ClusterSums, Counts, LakeState, Measurement, Ranks, StatementText
from paribus.stats.moments import Moments

SHORT = 16  # hexadecimal digits of a cell's own hash: enough to tell an accident, the whole has all 64
_KEY_DEFAULTS = to_plain(CellKey(""))


def measurement_to_plain(measurement: Measurement) -> Plain:
    """The measurement as plain values."""
    m = measurement
    return {
        "counts": to_plain(m.counts),
        "cells": {name: _cells_to_plain(cells) for name, cells in m.cells.items()},
        "clusters": to_plain(m.clusters),
        "ranks": {name: _ranks_to_plain(ranks) for name, ranks in m.ranks.items()},
        "statements": to_plain(m.statements),
        "shifts": to_plain(m.shifts),
        "caps": to_plain(m.caps),
        "as_of": to_plain(m.as_of),
        "fingerprint": to_plain(m.fingerprint),
        "warnings": to_plain(m.warnings),
        **({} if m.lake is None else {"lake": to_plain(m.lake)}),
        **({} if not m.windows else {"windows": _nested_to_plain(m.windows)}),
        **({} if not m.cutoffs else {"cutoffs": _nested_to_plain(m.cutoffs)}),
    }


def measurement_from_plain(plain: Plain) -> Measurement:
    """The measurement that `measurement_to_plain` wrote, equal to the last bit.

    Raises:
        ProofError: it cannot be read; `where` is the path.
    """
    at = "proof.measurement"
    hints: dict[str, Any] = {
        "counts": Counts,
        "clusters": dict[str, ClusterSums],
        "statements": tuple[StatementText, ...],
        "shifts": dict[str, float],
        "caps": dict[str, tuple[float | None, float | None]],
        "as_of": datetime | None,
        "fingerprint": dict,
        "warnings": tuple[str, ...],
        "lake": LakeState | None,
    }
    special = {"cells": _each_cells, "ranks": _each_ranks, "windows": _nested_from_plain, "cutoffs": _nested_from_plain}
    parts: dict[str, Any] = {}
    for name in dict.fromkeys(["cells", "ranks", *plain]):
        try:
            read = special.get(name) or partial(from_plain, hints[name])
            parts[name] = read(plain[name], f"{at}.{name}")
        except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
            raise ProofError(f"the measurement is not readable: {error!r}", where=f"{at}.{name}") from error
    try:
        return Measurement(**parts)
    except TypeError as error:
        raise ProofError(f"the measurement is not readable: {error!r}", where=at) from error


def _each_cells(plain: Plain, at: str) -> dict[str, Cells]:
    return {name: _cells_from_plain(name, one, f"{at}.{name}") for name, one in plain.items()}


def _each_ranks(plain: Plain, at: str) -> dict[str, Ranks]:
    return {name: _ranks_from_plain(name, one, f"{at}.{name}") for name, one in plain.items()}


def _nested_to_plain(nested: dict[str, dict[str, Cells]]) -> Plain:
    return {name: {label: _cells_to_plain(cells) for label, cells in own.items()} for name, own in nested.items()}


def _nested_from_plain(plain: Plain, at: str) -> dict[str, dict[str, Cells]]:
    return {
        name: {label: _cells_from_plain(name, cells, f"{at}.{name}.{label}") for label, cells in own.items()}
        for name, own in plain.items()
    }


def cell_hash(cell: Plain) -> str:
    """The short hash of one cell: SHA-256 of its key as JSON, then its numbers as little-endian doubles."""
    uncapped = cell.get("uncapped") or {}
    numbers = [float(cell["n"]), float(uncapped.get("n", -1)), cell.get("capped", -1), cell.get("immature", -1)]
    for holder in (cell, uncapped):
        for part in ("mean", "m2", "m3"):
            numbers += map(float, holder.get(part, ()))
    key = json.dumps(cell["key"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(key.encode() + struct.pack(f"<{len(numbers)}d", *numbers)).hexdigest()[:SHORT]


def cell_name(key: Plain) -> str:
    """The cell in words.

    >>> cell_name({"variant": "treatment", "day": "2026-01-05"})
    'treatment, day 2026-01-05'
    """
    parts = [str(key["variant"])]
    parts += [f"{name} {key[name]}" for name in ("epoch", "stratum", "day") if key.get(name) is not None]
    if key.get("attribute") is not None:
        parts.append(f"{key['attribute']} = {key.get('level')}")
    return ", ".join(parts)


def _key_to_plain(key: CellKey) -> Plain:
    """The key without what is None, as most of it is."""
    return {name: value for name, value in to_plain(key).items() if value is not None}


def _key_from_plain(plain: Plain, at: str) -> CellKey:
    key: CellKey = from_plain(CellKey, {**_KEY_DEFAULTS, **plain}, at)
    return key


def _cells_to_plain(cells: Cells) -> Plain:
    rows = []
    moments = _moments_to_plain(cells.moments)
    uncapped = None if cells.uncapped is None else _moments_to_plain(cells.uncapped)
    for i, key in enumerate(cells.keys):
        cell: Plain = {"key": _key_to_plain(key), **moments["cells"][i]}
        if uncapped is not None:
            cell["uncapped"] = uncapped["cells"][i]
        if cells.capped is not None:
            cell["capped"] = int(cells.capped[i])
        if cells.immature is not None:
            cell["immature"] = int(cells.immature[i])
        cell["sha256"] = cell_hash(cell)
        rows.append(cell)
    return {
        "variables": moments["variables"],
        "units_known": cells.moments.units is not None,
        "uncapped_variables": None if uncapped is None else uncapped["variables"],
        "uncapped_units_known": cells.uncapped is not None and cells.uncapped.units is not None,
        "capped": cells.capped is not None,
        "immature": cells.immature is not None,
        "cells": rows,
    }


def _cells_from_plain(name: str, plain: Plain, at: str) -> Cells:
    rows = plain["cells"]
    if plain["uncapped_variables"] is not None and not all("uncapped" in row for row in rows):
        raise ProofError("uncapped_variables are named, and a cell has none", where=at)
    keys = tuple(_key_from_plain(row["key"], f"{at}.cells[{i}].key") for i, row in enumerate(rows))
    uncapped = None
    if plain["uncapped_variables"] is not None:
        parts = [row["uncapped"] for row in rows]
        uncapped = _moments_from_plain(plain["uncapped_variables"], parts, keys, plain["uncapped_units_known"], at)
    return Cells(
        name,
        keys,
        _moments_from_plain(plain["variables"], rows, keys, plain["units_known"], at),
        uncapped,
        tuple(int(row["capped"]) for row in rows) if plain["capped"] else None,
        tuple(int(row["immature"]) for row in rows) if plain["immature"] else None,
    )


def _ranks_to_plain(ranks: Ranks) -> Plain:
    clustered = None if ranks.clustered is None else _moments_to_plain(ranks.clustered)
    known = ranks.clustered is not None and ranks.clustered.units is not None
    return {
        "keys": [_key_to_plain(key) for key in ranks.keys],
        "n": to_plain(ranks.n),
        "points": to_plain(ranks.points),
        "clustered": clustered,
        "units_known": known,
    }


def _ranks_from_plain(name: str, plain: Plain, at: str) -> Ranks:
    keys = tuple(_key_from_plain(key, f"{at}.keys[{i}]") for i, key in enumerate(plain["keys"]))
    points: dict[str, tuple[float, ...]] = from_plain(dict[str, tuple[float, ...]], plain["points"], f"{at}.points")
    n: tuple[int, ...] = from_plain(tuple[int, ...], plain["n"], f"{at}.n")
    clustered = plain["clustered"]
    if clustered is not None:
        clustered = _moments_from_plain(clustered["variables"], clustered["cells"], keys, plain["units_known"], at)
    return Ranks(name, keys, n, points, clustered)


def _moments_to_plain(moments: Moments) -> Plain:
    """Cells along one axis: n, mean, the upper triangle of m2 row by row, and m3."""
    upper = np.triu_indices(moments.k)
    # One triangle holds the whole matrix because a cross-product is the same number either way around.
    n, mean = to_plain(moments.n), to_plain(moments.mean)
    m2, m3 = to_plain(moments.m2[..., upper[0], upper[1]]), to_plain(moments.m3)
    cells = [{"n": n[i], "mean": mean[i], "m2": m2[i], "m3": m3[i]} for i in range(len(n))]
    return {"variables": list(moments.names), "cells": cells}


def _moments_from_plain(
    names: list[str], cells: list[Plain], keys: tuple[CellKey, ...], units_known: bool, at: str
) -> Moments:
    size, k = len(cells), len(names)
    n: tuple[float, ...] = tuple(from_plain(float, cell["n"], f"{at}[{i}].n") for i, cell in enumerate(cells))
    rows = tuple[float, ...]
    mean = [from_plain(rows, cell["mean"], f"{at}[{i}].mean") for i, cell in enumerate(cells)]
    triangles = [from_plain(rows, cell["m2"], f"{at}[{i}].m2") for i, cell in enumerate(cells)]
    m3 = [from_plain(rows, cell["m3"], f"{at}[{i}].m3") for i, cell in enumerate(cells)]
    m2 = np.empty((size, k, k))
    i, j = np.triu_indices(k)
    m2[:, i, j] = m2[:, j, i] = np.array(triangles, dtype=np.float64).reshape(size, len(i))
    units = tuple(frozenset([key]) for key in keys) if units_known else None
    return Moments(
        tuple(names),
        np.array(n, dtype=np.float64),
        np.array(mean, dtype=np.float64).reshape(size, k),
        m2,
        np.array(m3, dtype=np.float64).reshape(size, k),
        units,
    )
