"""Difference in differences by R's lm and sandwich; California's Proposition 99 (Arkhangelsky et al. 2021, table 1).

`data/california_prop99.csv` (cigarette packs per head, 39 states, 1970-2000) comes from the replication material of
Abadie, Diamond, Hainmueller (2010) as redistributed by the R package synthdid (Copyright 2019 Stanford University,
BSD-3-Clause), unchanged.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from tests.oracles import DATA, Unsupported

from paribus import stats


def run(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    if "data_file" in inputs:
        return proposition_99(inputs)
    if "D" not in inputs:
        raise Unsupported(f"no method {method!r}")
    rows = [inputs[name] for name in ("unit", "time", "y", "D")]
    regression = stats.two_way_fixed_effects(*rows)
    return {
        "twfe": regression.value,
        "se_cluster_hc1": regression.se,
        "did_2x2": stats.difference_in_differences(*rows).effect.value,
    }


def proposition_99(inputs: dict[str, Any]) -> dict[str, Any]:
    path = DATA / Path(inputs["data_file"].split()[0]).name
    if not path.exists():
        raise Unsupported(f"no file {path.name}")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    table = stats.panel_table(
        [row["State"] for row in rows],
        [int(row["Year"]) for row in rows],
        [float(row["PacksPerCapita"]) for row in rows],
        [row["State"] == inputs["treated"] and int(row["Year"]) >= inputs["start"] for row in rows],
    )
    panel = (table.outcomes, table.n_control, table.n_before)
    did = stats.panel_did(*panel).effect
    control = stats.synthetic_control(*panel, solver="frank_wolfe").effect
    sdid = stats.synthetic_did(*panel, solver="frank_wolfe").effect
    return {"did": did, "sc": control, "sdid": sdid, "published_1dp": [did, control, sdid]}
