"""Effects without randomization: panels by R's lm and sandwich, and Proposition 99 (Arkhangelsky et al. 2021)."""

from __future__ import annotations

import csv
from typing import Any

import numpy as np
from tests.oracles import DATA, Unsupported

from paribus import stats


def run(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    if "data_file" in inputs:
        return proposition_99(inputs)
    if "D" in inputs:
        rows = [inputs[name] for name in ("unit", "time", "y", "D")]
        regression = stats.two_way_fixed_effects(*rows)
        return {
            "twfe": regression.value,
            "se_cluster_hc1": regression.se,
            "did_2x2": stats.difference_in_differences(*rows).effect.value,
        }
    raise Unsupported(f"no method {method!r}")


def smoking(treated: str) -> tuple[np.ndarray, list[int]]:
    """Packs per capita by state and year, the treated state last, and the years."""
    with (DATA / "california_prop99.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    packs = {(row["State"], int(row["Year"])): float(row["PacksPerCapita"]) for row in rows}
    years = sorted({year for _, year in packs})
    states = sorted({state for state, _ in packs} - {treated})
    return np.array([[packs[state, year] for year in years] for state in (*states, treated)]), years


def proposition_99(inputs: dict[str, Any]) -> dict[str, Any]:
    outcomes, years = smoking(inputs["treated"])
    n_control, n_before = len(outcomes) - 1, years.index(inputs["start"])
    did, control, both = (
        estimator(outcomes, n_control, n_before).effect
        for estimator in (stats.panel_did, stats.synthetic_control, stats.synthetic_did)
    )
    return {"did": did, "sc": control, "sdid": both, "published_1dp": [did, control, both]}
